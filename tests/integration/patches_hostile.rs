//! Damaged and hostile patches: clients get the published index, `check` names the fault, and the next commit is sound.

use std::{fs, time::Duration};

use crate::{
    deb_builder::{Pack, pack},
    patches::{Archive, INDEX, LIST, clients, has_the_index, updates, uses_patches},
    sandbox::{Sandbox, sha256},
};

/// An archive with a fault in its list of patches, or in its newest patch.
struct Faulty {
    archive: Archive,
    patch: String,
}

impl Faulty {
    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.archive.sandbox.archive(path)).unwrap()
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        fs::write(self.archive.sandbox.archive(path), bytes).unwrap();
    }

    /// Replaces the list of patches under both of its names, and leaves the release file.
    fn damages_list(&self, bytes: &[u8]) {
        let digest = sha256(&self.bytes(LIST));
        self.write(LIST, bytes);
        let by_hash = LIST.replace("Index", &format!("by-hash/SHA256/{digest}"));
        self.write(&by_hash, bytes);
    }

    /// Replaces the list of patches, and lists the new one in the release file, as a publisher does.
    fn publishes_list(&self, bytes: &[u8]) {
        let line =
            |bytes: &[u8]| format!(" {} {} {}", sha256(bytes), bytes.len(), &LIST["dists/stable/".len()..]);
        let (old, new) = (line(&self.bytes(LIST)), line(bytes));
        let release = self.archive.sandbox.read("dists/stable/Release");
        assert!(release.contains(&old), "{release}");
        // Clients ask for a release file that is newer, in seconds, so that of a commit is newer than the one before.
        let path = self.archive.sandbox.archive("dists/stable/Release");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, release.replace(&old, &new)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(modified + Duration::from_secs(1)).unwrap();
        self.write(LIST, bytes);
        self.write(&LIST.replace("Index", &format!("by-hash/SHA256/{}", sha256(bytes))), bytes);
    }

    /// Changes the text of the list of patches, and publishes it.
    fn changes_list(&self, change: impl Fn(String) -> String) {
        self.publishes_list(change(self.archive.sandbox.read(LIST)).as_bytes());
    }

    /// Replaces the newest patch, and publishes the digests of its file and of its text.
    fn publishes_patch(&self, script: &[u8], file: &[u8]) {
        let old = self.bytes(&self.patch);
        let text = self.archive.sandbox.ask("gzip", ["-dc", &format!("archive/{}", self.patch)]);
        self.write(&self.patch, file);
        let of = |bytes: &[u8]| format!("{} {}", sha256(bytes), bytes.len());
        self.changes_list(|list| {
            list.replace(&of(&old), &of(file)).replace(&of(text.as_bytes()), &of(script))
        });
    }

    fn publishes_script(&self, script: &[u8]) {
        self.publishes_patch(script, &pack(Pack::Gzip, script));
    }
}

/// A name, the fault, and a part of the line in which `check` names it.
type Fault = (&'static str, fn(&Faulty), &'static str);

const DAMAGED: &str = "its size or SHA-256 is not the one in the list of patches";

const FAULTS: [Fault; 15] = [
    ("a patch that is cut off", |it| it.write(&it.patch, &it.bytes(&it.patch)[..50]), DAMAGED),
    (
        "a patch with other bytes",
        |it| {
            let other: Vec<u8> = it.bytes(&it.patch).iter().map(|byte| byte ^ 1).collect();
            it.write(&it.patch, &other);
        },
        DAMAGED,
    ),
    ("an empty patch", |it| it.write(&it.patch, b""), DAMAGED),
    ("a list that is cut off", |it| it.damages_list(&it.bytes(LIST)[..300]), "Packages.diff/Index"),
    ("another list", |it| it.damages_list(b"SHA256-Current: what it is not\n"), "Packages.diff/Index"),
    ("a published patch that is not gzip", |it| it.publishes_patch(b"1d\n", b"not gzip"), "cannot unpack"),
    (
        "a published patch that is cut off",
        |it| {
            let file = it.bytes(&it.patch);
            it.publishes_patch(b"1d\n", &file[..file.len() / 2]);
        },
        "cannot unpack",
    ),
    ("a patch that is no script", |it| it.publishes_script(b"no script\n"), "not a command of a patch"),
    ("a patch of lines that are not there", |it| it.publishes_script(b"9999,99999d\n"), "that do not exist"),
    ("a patch that makes another text", |it| it.publishes_script(b"1d\n"), "do not make the published index"),
    (
        "a patch of another size than listed",
        |it| it.publishes_patch(b"1d\n", &pack(Pack::Gzip, &vec![b'\n'; 64 << 20])),
        "uncompressed size or SHA-256",
    ),
    (
        "a patch that makes a huge text",
        |it| {
            let lines = vec![b'\n'; 64 << 20];
            it.publishes_script(&[b"0a\n", &lines[..], b".\n"].concat());
        },
        "larger than",
    ),
    (
        "a list of another current text",
        |it| it.changes_list(|list| list.replacen(&list[16..32], "0123456789abcdef", 1)),
        "make another text than the published index",
    ),
    (
        "a published list that is cut off",
        |it| it.changes_list(|list| list[..list.find("SHA256-Patches").unwrap() + 60].to_owned()),
        "clients cannot use the patches",
    ),
    (
        "a history that leads nowhere",
        |it| {
            it.changes_list(|list| {
                // The text that the newest patch applies to.
                let name = it.patch.rsplit('/').next().unwrap().trim_end_matches(".gz");
                let line = list.lines().find(|line| line.ends_with(name)).unwrap();
                list.replacen(line, &format!(" {} 700 {name}", sha256(b"another text")), 1)
            });
        },
        "cannot be applied: it makes the text larger than 700 bytes",
    ),
];

/// Clients get the published index, `check` names the fault, and the next commit is sound.
fn costs_clients_no_more_than_the_index(faults: &[Fault]) {
    for (name, fault, found) in faults {
        let mut archive = Archive::new("PDiffs: yes\n");
        archive.add_one("aa", "1.0", "The first one.");
        archive.add_one("gg", "1.0", "The last one.");
        let sandbox = Sandbox::new();
        let server = archive.sandbox.serve();
        let clients = clients(&sandbox, &server.url);
        for client in &clients {
            updates(client, &archive);
        }
        archive.add_one("hh", "1.0", "One more.");
        let patch = archive.patches().pop().unwrap();
        let it = Faulty { archive, patch };
        fault(&it);
        let mut archive = it.archive;
        for client in &clients {
            // With `--error-on=any`.
            client.update().ok();
            has_the_index(client, &archive);
        }
        let said = archive.run(&["check"]).fails(4).stdout;
        let is_named = |line: &str| line.contains("Packages.diff/") && line.contains(found);
        assert!(said.lines().any(is_named), "{name}: {said}");

        archive.add_one("ii", "1.0", "The next one.");
        let text = archive.sandbox.read(INDEX);
        let current = format!("SHA256-Current: {} {}\n", sha256(text.as_bytes()), text.len());
        assert!(archive.sandbox.read(LIST).starts_with(&current), "{name}");
        for client in &clients {
            uses_patches(client, &archive);
        }
        // The list begins anew or is continued, and the retained generation has the fault, which costs its clients nothing
        // else.
        let said = archive.run(&["check"]);
        if found == &DAMAGED {
            said.ok().says(["no faults"]);
        } else {
            let is_old = |line: &str| line.contains("a retained generation of the suite lists");
            let mut lines = said.stdout.lines().filter(|line| line.contains("Packages.diff/"));
            assert!(lines.all(|line| is_old(line) || is_named(line)), "{name}: {}", said.stdout);
        }
    }
}

#[test]
fn damaged_patches() {
    costs_clients_no_more_than_the_index(&FAULTS[..5]);
}

#[test]
fn hostile_patches() {
    costs_clients_no_more_than_the_index(&FAULTS[5..12]);
}

#[test]
fn hostile_lists_of_patches() {
    costs_clients_no_more_than_the_index(&FAULTS[12..]);
}
