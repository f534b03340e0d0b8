//! Clients download patches of the indices (`Packages.diff/`) and get the published text, byte for byte.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Output, Sandbox, age},
    source_builder::source,
};

pub(crate) const INDEX: &str = "dists/stable/main/binary-amd64/Packages";
pub(crate) const LIST: &str = "dists/stable/main/binary-amd64/Packages.diff/Index";

/// An archive that publishes ten seconds later with each command.
pub(crate) struct Archive {
    pub(crate) sandbox: Sandbox,
    pub(crate) second: u64,
}

impl Archive {
    pub(crate) fn new(more: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox
            .configure(&format!("Codename: stable\nComponents: main\nArchitectures: amd64 source\n{more}"));
        let mut archive = Self { sandbox, second: 0 };
        let all = ["bb", "cc", "dd", "ee", "ff"].map(|name| archive.deb(name, "1.0", "A description."));
        archive.add(&all);
        archive
    }

    pub(crate) fn deb(&self, name: &str, version: &str, description: &str) -> PathBuf {
        deb(name).version(version).field("Description", description).write(self.sandbox.incoming())
    }

    pub(crate) fn run(&mut self, arguments: &[&str]) -> Outcome {
        self.second += 10;
        self.sandbox.publish_after(self.second, arguments)
    }

    pub(crate) fn add(&mut self, files: &[PathBuf]) {
        let files = files.iter().map(|file| file.to_str().unwrap());
        self.run(&["add"].into_iter().chain(files).collect::<Vec<_>>()).ok();
    }

    pub(crate) fn add_one(&mut self, name: &str, version: &str, description: &str) {
        let file = self.deb(name, version, description);
        self.add(&[file]);
    }

    pub(crate) fn patches(&self) -> Vec<String> {
        let tree = self.sandbox.tree();
        tree.paths_with("Packages.diff/2")
    }
}

/// The text of the index that the client has.
fn list(client: &Client<'_>) -> String {
    text_of(client, "_binary-amd64_Packages")
}

/// The text of an index that the client has, by a part of its name.
pub(crate) fn text_of(client: &Client<'_>, part: &str) -> String {
    let lists = fs::read_dir(client.root().join("var/lib/apt/lists")).unwrap().flatten();
    let names = lists.map(|file| file.file_name().into_string().unwrap());
    let mut own = names.filter(|name| name.contains(part) && !name.contains(".diff"));
    // apt keeps no file of an empty index.
    let Some(name) = own.next() else { return String::new() };
    client.run("/usr/lib/apt/apt-helper", ["cat-file", &format!("../var/lib/apt/lists/{name}")]).ok().stdout
}

/// Updates, and compares the text of the client with the published one.
#[track_caller]
pub(crate) fn updates(client: &Client<'_>, archive: &Archive) -> Output {
    let output = client.updates();
    has_the_index(client, archive);
    output
}

#[track_caller]
pub(crate) fn has_the_index(client: &Client<'_>, archive: &Archive) {
    assert_eq!(list(client), archive.sandbox.read(INDEX), "{}", client.name);
}

/// The update used patches, and did not download the index.
#[track_caller]
pub(crate) fn uses_patches(client: &Client<'_>, archive: &Archive) {
    let said = updates(client, archive).stdout;
    let whole = said.lines().any(|line| line.contains("amd64 Packages ["));
    assert!(said.contains(".pdiff [") && !whole, "{}: {said}", client.name);
}

pub(crate) fn clients<'a>(sandbox: &'a Sandbox, uri: &str) -> Vec<Client<'a>> {
    let mut clients = Client::all(sandbox);
    for client in &mut clients {
        client.source(&Source::at(uri).trusted());
        // The archive is so small that any patch is larger than half of it.
        client.option("Acquire::PDiffs", "true");
        client.option("Acquire::PDiffs::SizeLimit", "0");
    }
    clients
}

/// apt applies patches in the order of their names, and the digests in these are in any order.
#[test]
fn commits_of_one_second_have_patches_in_their_order() {
    let mut archive = Archive::new("PDiffs: yes\n");
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let clients = clients(&sandbox, &format!("http://{}", server.address()));
    archive.add_one("gg", "1.0", "Begins the history.");
    for client in &clients {
        updates(client, &archive);
    }
    let last = archive.patches().pop();
    // The clock of the last machines is behind.
    for (number, behind) in (0..8).zip([0, 0, 0, 0, 0, 0, 5, 5]) {
        let file = archive.deb(&format!("p{number}"), "1.0", "One of many jobs.");
        let add = ["add".to_owned(), file.display().to_string()];
        let second = archive.second + 10 - behind;
        archive.sandbox.publish_after(second, &add.each_ref().map(String::as_str)).ok();
    }
    for client in &clients {
        uses_patches(client, &archive);
    }
    assert_eq!(archive.patches().iter().filter(|patch| Some(*patch) > last.as_ref()).count(), 8);
    archive.sandbox.publish_after(archive.second + 60, &["check"]).ok();
}

#[test]
fn a_rollback_that_does_not_change_an_index_keeps_its_patches() {
    let mut archive = Archive::new("PDiffs: yes\n");
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let clients = clients(&sandbox, &format!("http://{}", server.address()));
    archive.add_one("gg", "1.0", "Begins the history.");
    archive.add_one("bad", "1.0", "A mistake.");
    for client in &clients {
        updates(client, &archive);
    }
    archive.run(&["remove", "bad"]).ok();
    let unchanged = archive.patches();
    // The generation with the same packages has other patches alone.
    archive.run(&["rollback", "--to", "2"]).ok().says(["Nothing to do"]);
    let file = source("one").version("1.0-1").write(archive.sandbox.incoming());
    archive.add(&[file]);
    archive.run(&["rollback", "--to", "3"]).ok().says(["Published suite `stable`"]);
    assert_eq!(archive.patches(), unchanged);
    for client in &clients {
        uses_patches(client, &archive);
    }
    archive.run(&["check"]).ok();
    // The previous generation with other content is not one with other patches.
    archive
        .sandbox
        .configure("Codename: stable\nComponents: main\nArchitectures: amd64 source\nPDiffs: no\n");
    archive.run(&["export"]).ok();
    archive.run(&["rollback"]).ok().says(["Published suite `stable`"]);
    assert!(archive.sandbox.read("dists/stable/main/source/Sources").contains("Package: one"));
}

#[test]
fn an_export_ends_the_history_at_a_lost_patch() {
    let mut archive = Archive::new("PDiffs: yes\nContents: .gz\n");
    for name in ["gg", "hh", "ii"] {
        archive.add_one(name, "1.0", "One of three.");
    }
    archive.run(&["export"]).ok().says(["nothing to do"]);
    for part in ["main/binary-amd64/Packages.diff/2", "main/Contents-amd64.diff/2"] {
        let patches = archive.sandbox.tree().paths_with(part);
        fs::remove_file(archive.sandbox.archive(&patches[1])).unwrap();
    }
    let found = archive.run(&["check"]).fails(4);
    assert_eq!(
        found.stdout.matches("it is missing, although the list of patches names it").count(),
        2,
        "{}",
        found.stdout
    );
    found.says(["`publish export stable`"]);
    archive.run(&["export"]).ok().says(["Published suite `stable` as configured"]);
    archive.run(&["check"]).ok();
}

fn copy(sandbox: &Sandbox, from: &Path, to: &Path) {
    sandbox.ask("cp", ["-a".as_ref(), from.as_os_str(), to.as_os_str()]);
}

/// Writes other bytes into a file, without a change of its size.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[20] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn an_export_ends_the_history_at_a_damaged_patch_or_list() {
    let mut archive = Archive::new("PDiffs: yes\n");
    for name in ["gg", "hh", "ii"] {
        archive.add_one(name, "1.0", "One of three.");
    }
    let whole = archive.sandbox.path("whole");
    copy(&archive.sandbox, &archive.sandbox.path("archive"), &whole);
    let lists = |archive: &Archive| {
        let mut lists = archive.sandbox.tree().paths_with("Packages.diff/by-hash");
        lists.push(LIST.to_owned());
        lists.into_iter().map(|list| archive.sandbox.archive(list)).collect::<Vec<_>>()
    };
    let a_patch = |archive: &Archive| vec![archive.sandbox.archive(&archive.patches()[1])];
    let lose = |file: &Path| fs::remove_file(file).unwrap();
    for (case, is_lost, is_list, left) in [
        ("a damaged patch", false, false, 1),
        ("a damaged list", false, true, 0),
        ("a lost list", true, true, 0),
    ] {
        fs::remove_dir_all(archive.sandbox.path("archive")).unwrap();
        copy(&archive.sandbox, &whole, &archive.sandbox.path("archive"));
        for file in if is_list { lists(&archive) } else { a_patch(&archive) } {
            if is_lost { lose(&file) } else { damage(&file) }
        }
        archive.run(&["check"]).fails(4).says(["`publish export stable`"]);
        if left > 0 {
            archive
                .run(&["sync", "./mirror"])
                .ok()
                .says(["has another file there", "download the whole index"]);
        }
        archive.run(&["export"]).ok().says(["Published suite `stable` as configured"]);
        archive.run(&["check"]).ok().says(["no faults"]);
        archive.run(&["sync", "./mirror"]).ok();
        archive.run(&["--archive", "mirror", "check"]).ok().says(["no faults"]);
        let is_listed = archive.sandbox.read("dists/stable/Release").contains("Packages.diff/Index");
        let listed = if is_listed { archive.sandbox.read(LIST).matches(".gz\n").count() } else { 0 };
        assert_eq!(listed, left, "{case}");
        fs::remove_dir_all(archive.sandbox.path("mirror")).unwrap();
    }
}

#[test]
fn apt_applies_patches_of_every_kind_of_change() {
    let mut archive = Archive::new("PDiffs: yes\nMutable: yes\n");
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let clients = clients(&sandbox, &format!("http://{}", server.address()));
    let everywhere = |archive: &Archive, check: fn(&Client<'_>, &Archive)| {
        for client in &clients {
            check(client, archive);
        }
    };
    everywhere(&archive, |client, archive| drop(updates(client, archive)));
    // The first and the last stanza, one between others, and a longer one than any buffer.
    archive.add_one("aa", "1.0", "The first one.");
    everywhere(&archive, uses_patches);
    archive.add_one("zz", "1.0", "The last one.");
    everywhere(&archive, uses_patches);
    archive.add_one("cd", "1.0", &format!("Überall: ä, 中文\n .\n {}", "long ".repeat(20_000)));
    everywhere(&archive, uses_patches);
    // Another version, a removal at both ends, and several places at once.
    archive.add_one("dd", "1.0-2", "A newer one.");
    archive.run(&["remove", "aa", "zz"]).ok();
    everywhere(&archive, uses_patches);
    let all = ["a0", "cc0", "e0", "zz0"].map(|name| archive.deb(name, "2.0", "One of several."));
    archive.add(&all);
    everywhere(&archive, uses_patches);
    let phased = archive.deb("ee", "1.0", "A description.");
    archive.run(&["add", "--phased", "20", phased.to_str().unwrap()]).ok();
    everywhere(&archive, uses_patches);
    let replaced = archive.deb("ff", "1.0", "Other contents.");
    archive.run(&["add", "--replace", replaced.to_str().unwrap()]).ok();
    everywhere(&archive, uses_patches);
    // A rollback is one more patch.
    archive.run(&["rollback"]).ok();
    everywhere(&archive, uses_patches);
    archive.run(&["rollback", "--to", "20250601T000040Z"]).ok();
    everywhere(&archive, uses_patches);
    // Nothing changes but the signature and the date.
    archive.run(&["refresh"]).ok();
    everywhere(&archive, |client, archive| drop(updates(client, archive)));
    // An index becomes empty, and has packages again.
    archive.run(&["remove", "*"]).ok();
    everywhere(&archive, |client, archive| drop(updates(client, archive)));
    archive.add_one("one", "1.0", "One.");
    everywhere(&archive, |client, archive| drop(updates(client, archive)));
    archive.add_one("two", "1.0", "Two.");
    everywhere(&archive, uses_patches);
    archive.run(&["check"]).ok().says(["no faults"]);
}

#[test]
fn a_client_that_is_far_behind_gets_the_index_or_all_patches() {
    let mut archive = Archive::new("PDiffs: yes\n");
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let mut clients = clients(&sandbox, &format!("http://{}", server.address()));
    for client in &mut clients {
        // Not by digest, and downloaded one after the other.
        client.option("Acquire::By-Hash", "no");
        client.option("Acquire::PDiffs::Merge", "false");
        updates(client, &archive);
    }
    for number in 0..20 {
        archive.add_one(&format!("pp{number}"), "1.0", "A description.");
    }
    for client in &clients {
        uses_patches(client, &archive);
    }
    for number in 20..52 {
        archive.add_one(&format!("pp{number}"), "1.0", "A description.");
    }
    for client in &clients {
        // apt says that it finds no beginning, and downloads the index.
        let said = client.update().ok().stdout;
        assert!(said.contains("amd64 Packages ["), "{said}");
        has_the_index(client, &archive);
    }
    archive.add_one("last", "1.0", "A description.");
    for client in &clients {
        uses_patches(client, &archive);
    }
    let list = archive.sandbox.read(LIST);
    assert_eq!(list.matches(".gz\n").count(), 30);
}

/// The list names 30 patches at most, so older clients download the index, and the others patches.
#[test]
fn clients_sixty_and_two_hundred_commits_behind_get_the_index() {
    let mut archive = Archive::new("PDiffs: yes\n");
    let sandboxes = [(200, Sandbox::new()), (60, Sandbox::new()), (3, Sandbox::new())];
    let server = archive.sandbox.serve();
    let mut behind = Vec::new();
    for commit in 0..200 {
        for (_, sandbox) in sandboxes.iter().filter(|(at, _)| *at == 200 - commit) {
            let clients = clients(sandbox, &format!("http://{}", server.address()));
            for client in clients {
                updates(&client, &archive);
                behind.push((200 - commit, client));
            }
        }
        archive.add_one(&format!("pp{commit}"), "1.0", "A description.");
    }
    for (commits, client) in &behind {
        if *commits == 3 {
            uses_patches(client, &archive);
            continue;
        }
        // apt says that it finds no beginning, and downloads the index.
        let said = client.update().ok().stdout;
        assert!(said.contains("amd64 Packages ["), "{commits}: {said}");
        has_the_index(client, &archive);
    }
    archive.run(&["check"]).ok().says(["no faults"]);
}

/// The disk of a client was full, or its power failed: a list or a patch is cut off.
#[test]
fn a_client_whose_lists_were_cut_off_recovers() {
    let mut archive = Archive::new("PDiffs: yes\n");
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let clients = clients(&sandbox, &format!("http://{}", server.address()));
    for client in &clients {
        updates(client, &archive);
    }
    archive.add_one("aa", "1.0", "The first one.");
    archive.add_one("zz", "1.0", "The last one.");
    for client in &clients {
        let lists = client.root().join("var/lib/apt/lists");
        let cut = |path: PathBuf| {
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        };
        for file in fs::read_dir(&lists).unwrap().flatten() {
            if file.file_name().to_str().unwrap().contains("_binary-amd64_Packages") {
                cut(file.path());
            }
        }
        client.update().ok();
        has_the_index(client, &archive);
    }
    archive.add_one("ab", "1.0", "One more.");
    for client in &clients {
        uses_patches(client, &archive);
        // A patch and an index that an earlier update left half downloaded.
        let partial = client.root().join("var/lib/apt/lists/partial");
        let uri = format!("{}_dists_stable_main_binary-amd64_Packages", server.address());
        for left in ["", ".xz", ".diff_Index", ".diff_Index.xz", ".ed"] {
            let file = fs::File::create(partial.join(format!("{uri}{left}"))).unwrap();
            (&file).write_all(b"half").unwrap();
            // apt asks for the rest of a file of the same second.
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - Duration::from_secs(60)).unwrap();
        }
    }
    archive.add_one("ac", "1.0", "One more.");
    for client in &clients {
        client.update().ok();
        has_the_index(client, &archive);
    }
}

#[test]
fn a_mirror_has_the_patches_and_prune_deletes_old_ones() {
    let mut archive = Archive::new("PDiffs: yes\nKeepFor: 1d\nKeepGenerations: 1\n");
    archive.add_one("gg", "1.0", "A description.");
    archive.add_one("hh", "1.0", "A description.");
    archive.run(&["sync", "./mirror"]).ok();
    // debmirror downloads the uncompressed list under its own name, or fails.
    for root in ["archive", "mirror"] {
        assert!(archive.sandbox.path(root).join(LIST).exists(), "{root}");
    }
    archive.run(&["--archive", "mirror", "check"]).ok().says(["no faults"]);
    archive.add_one("ii", "1.0", "A description.");
    let said = archive.run(&["--verbose", "sync", "./mirror"]).ok();
    assert_eq!(archive.patches().len(), 3);
    said.says(["Published suite"]);
    archive.run(&["--archive", "mirror", "check"]).ok().says(["no faults"]);
    let mirrored = crate::sandbox::Tree::read(&archive.sandbox.path("mirror"));
    for patch in archive.patches() {
        assert!(mirrored.has(&patch), "{patch}");
    }
    // A lost one is restored.
    fs::remove_file(archive.sandbox.path("mirror").join(&archive.patches()[0])).unwrap();
    let said = archive.run(&["--archive", "mirror", "check"]).fails(4);
    assert!(said.stdout.contains("it is missing, although the list of patches"), "{}", said.stdout);
    archive.run(&["sync", "--verify", "./mirror"]).ok();
    archive.run(&["--archive", "mirror", "check"]).ok();
    // One that the source has lost is named: its clients download the whole index.
    let lost = archive.patches().remove(0);
    let kept = archive.sandbox.path("kept.gz");
    fs::rename(archive.sandbox.archive(&lost), &kept).unwrap();
    archive.run(&["sync", "./second"]).ok().says([&format!("patch `{lost}`"), "download the whole index"]);
    fs::rename(&kept, archive.sandbox.archive(&lost)).unwrap();

    // Two days later, the clients of the first generations download the index.
    archive.second += 2 * 24 * 60 * 60;
    archive.add_one("jj", "1.0", "A description.");
    age(&archive.sandbox.archive("dists"), 3);
    archive.second += 2 * 24 * 60 * 60;
    archive.run(&["prune"]).ok();
    assert_eq!(archive.patches().len(), 1);
    archive.run(&["check"]).ok().says(["no faults"]);
}

#[test]
fn check_finds_patches_that_do_not_fit() {
    let mut archive = Archive::new("PDiffs: yes\n");
    archive.add_one("gg", "1.0", "A description.");
    archive.add_one("hh", "1.0", "A description.");
    let patch = archive.sandbox.archive(&archive.patches()[0]);
    let good = fs::read(&patch).unwrap();
    fs::write(&patch, &good[1..]).unwrap();
    let said = archive.run(&["check"]).fails(4);
    assert!(said.stdout.contains("its size or SHA-256 is not the one in the list"), "{}", said.stdout);
    fs::write(&patch, good).unwrap();
    archive.run(&["check"]).ok();
    // A list that cannot be read costs clients bytes, and the next commit begins a new one.
    let list = archive.sandbox.archive(LIST);
    fs::write(&list, "odd").unwrap();
    for path in archive.sandbox.tree().paths_with("Packages.diff/by-hash") {
        fs::write(archive.sandbox.archive(path), "odd").unwrap();
    }
    archive.run(&["check"]).fails(4);
    archive.add_one("ii", "1.0", "A description.");
    archive
        .run(&["check"])
        .ok()
        .says(["is damaged: it has 3 bytes; a retained generation of the suite lists"]);
    let list = archive.sandbox.read(LIST);
    assert_eq!(list.matches(".gz\n").count(), 1);
}

#[test]
fn patches_are_written_where_they_pay() {
    // Small.
    let mut small = Archive::new("");
    small.add_one("gg", "1.0", "A description.");
    assert_eq!(small.sandbox.tree().paths_with(".diff"), [""; 0]);
    // Large: descriptions that cannot be compressed well.
    let mut large = Archive::new("");
    let noise = |number: u64| -> String {
        let step = |state: u64| {
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
        };
        let states = std::iter::successors(Some(number), |&state| Some(step(state)));
        states.skip(5).take(100).map(|state| format!("{state:016x}")).collect::<Vec<_>>().concat()
    };
    let all: Vec<PathBuf> =
        (0..120).map(|number| large.deb(&format!("n{number}"), "1.0", &noise(number))).collect();
    large.add(&all);
    assert_eq!(large.patches(), [""; 0]);
    large.add_one("gg", "1.0", "A description.");
    assert_eq!(large.patches().len(), 1);
    // A snapshot never changes, so it has none.
    large.run(&["snapshot", "frozen"]).ok();
    large.run(&["snapshot", "frozen"]).ok();
    assert_eq!(large.sandbox.tree().paths_with("snapshots/frozen/main/binary-amd64/Packages.diff"), [""; 0]);
    // `diff` and `log` tell of packages, not of patches.
    let said = large.run(&["log", "--verbose"]).ok();
    assert!(!said.stdout.contains(".diff"), "{}", said.stdout);

    large.sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 source\nPDiffs: no\n");
    large.add_one("hh", "1.0", "A description.");
    assert!(!large.sandbox.read("dists/stable/Release").contains(".diff"));
    large.run(&["check"]).ok().says(["no faults"]);
    large.sandbox.configure("Codename: stable\nComponents: main\nPDiffs: sometimes\n");
    large.run(&["list"]).fails(1).says(["field `PDiffs` is `sometimes`; expected `yes`, `no` or `auto`"]);
}

#[test]
fn source_packages_have_patches_too() {
    let mut archive = Archive::new("PDiffs: yes\n");
    for name in ["one", "two"] {
        let dsc = source(name).write(archive.sandbox.incoming());
        archive.run(&["add", dsc.to_str().unwrap()]).ok();
    }
    let patches = archive.sandbox.tree().paths_with("Sources.diff/2");
    assert_eq!(patches.len(), 2, "{patches:?}");
    archive.run(&["check"]).ok().says(["no faults"]);
    // The index of another tool begins a new history.
    let text = archive.sandbox.read(INDEX);
    archive.sandbox.adopt_index(&text);
    archive
        .run(&["--trust-existing", "add", archive.deb("gg", "1.0", "A description.").to_str().unwrap()])
        .ok();
    archive.run(&["check"]).ok().says(["no faults"]);
}
