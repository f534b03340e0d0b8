//! Patches of `Contents` and of `Translation-en`: apt applies them, and apt-file finds the files of the published packages.

use std::{fs, path::Path};

use publish::digest::Sha256Digest;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    patches::{Archive, clients, text_of},
    sandbox::{Sandbox, age, skipped},
};

const CONTENTS: &str = "dists/stable/main/Contents-amd64";
const TRANSLATION: &str = "dists/stable/main/i18n/Translation-en";

fn published(archive: &Archive, index: &str) -> String {
    archive.sandbox.ask("gzip", ["-dc", &format!("archive/{index}.gz")])
}

fn adds(archive: &mut Archive, name: &str, version: &str, files: &[&str]) {
    let long = format!("package {name}\n Long text of {name} {version}.\n .\n Überall: ä, 中文");
    let package = deb(name).version(version).field("Description", &long);
    let package = files.iter().fold(package, |package, file| package.installs(file));
    let file = package.write(archive.sandbox.incoming());
    archive.add(&[file]);
}

/// Updates; both indices are the published ones, and whether they were downloaded as patches is as expected.
#[track_caller]
fn updates(client: &Client<'_>, archive: &Archive, by_patches: bool) {
    let said = client.updates().stdout;
    for (index, part, name) in [
        (CONTENTS, "_Contents-amd64", "amd64 Contents (deb)"),
        (TRANSLATION, "_i18n_Translation-en", "main Translation-en"),
    ] {
        assert_eq!(text_of(client, part), published(archive, index), "{}: {index}\n{said}", client.name);
        let whole = said.lines().any(|line| line.contains(&format!("{name} [")));
        assert_eq!(whole, !by_patches, "{}: {index}: {said}", client.name);
    }
}

fn with_contents<'a>(sandbox: &'a Sandbox, archive: &Archive, url: &str) -> Vec<Client<'a>> {
    let mut clients = clients(sandbox, url);
    for client in &mut clients {
        let conf = client.root().join("etc/apt/apt.conf.d/50apt-file.conf");
        fs::copy("/etc/apt/apt.conf.d/50apt-file.conf", conf).unwrap();
        client.option("Acquire::Languages", "en");
        updates(client, archive, false);
    }
    clients
}

#[test]
fn apt_applies_patches_of_contents_and_translations() {
    if !Path::new("/usr/bin/apt-file").exists() {
        return skipped("no apt-file on this machine");
    }
    let mut archive = Archive::new("PDiffs: yes\nContents: .gz\nTranslations: en\nMutable: yes\n");
    adds(&mut archive, "begin", "1", &["usr/bin/begin"]);
    let sandbox = Sandbox::new();
    let server = archive.sandbox.serve();
    let clients = with_contents(&sandbox, &archive, &format!("http://{}", server.address()));
    let all = |archive: &Archive| clients.iter().for_each(|client| updates(client, archive, true));
    // The first and the last line, and a file that several packages have.
    adds(&mut archive, "first", "1", &["a", "usr/bin/begin"]);
    all(&archive);
    adds(&mut archive, "last", "1", &["zz/with blanks", "usr/share/ümläut"]);
    all(&archive);
    adds(&mut archive, "begin", "2", &["usr/bin/begin", "usr/bin/more"]);
    archive.run(&["remove", "first"]).ok();
    all(&archive);
    archive.run(&["rollback"]).ok();
    all(&archive);
    for number in 0..20 {
        adds(&mut archive, &format!("p{number}"), "1", &[&format!("usr/lib/{number}")]);
    }
    all(&archive);
    archive.run(&["check"]).ok().says(["no faults"]);
    if let Some(client) = clients.iter().find(|client| client.name.contains("2.6")) {
        let found = client.run("apt-file", ["search", "lib/19"]).ok().stdout;
        assert_eq!(found, "p19: /usr/lib/19\n");
    }
    archive.run(&["sync", "./mirror"]).ok();
    archive.run(&["--archive", "mirror", "check"]).ok().says(["no faults"]);
    for index in [CONTENTS, TRANSLATION] {
        let patches = archive.sandbox.tree().paths_with(&format!("{index}.diff/2"));
        let mirrored = crate::sandbox::Tree::read(&archive.sandbox.path("mirror"));
        assert!(patches.len() > 20 && patches.iter().all(|patch| mirrored.has(patch)), "{patches:?}");
    }
    // They are off where the configuration says so, and a new history begins.
    let configured = archive.sandbox.read("conf/distributions");
    archive.sandbox.configure(&configured.replace("PDiffs: yes", "PDiffs: no"));
    adds(&mut archive, "whole", "1", &["usr/bin/whole"]);
    assert!(!archive.sandbox.read("dists/stable/Release").contains(".diff"));
    for client in &clients {
        updates(client, &archive, false);
    }
    archive.sandbox.configure(&configured);
    adds(&mut archive, "again", "1", &["usr/bin/again"]);
    all(&archive);
}

/// The retained generations have the earlier texts only in compressed forms.
#[test]
fn check_applies_the_patches_of_contents() {
    let mut archive = Archive::new("PDiffs: yes\nContents: .gz\n");
    for name in ["one", "two", "three"] {
        adds(&mut archive, name, "1", &[&format!("usr/bin/{name}")]);
    }
    archive.run(&["check"]).ok().says(["no faults"]);
    // A list without the second of the patches, so that the others do not fit together.
    let path = format!("{CONTENTS}.diff/Index");
    let list = archive.sandbox.read(&path);
    let name = list.lines().filter_map(|line| line.strip_suffix(".gz")?.rsplit(' ').next()).nth(1).unwrap();
    let without = |line: &&str| !line.contains(name);
    let shorter: String = list.lines().filter(without).flat_map(|line| [line, "\n"]).collect();
    assert_eq!(shorter.lines().count() + 3, list.lines().count());
    fs::write(archive.sandbox.archive(&path), &shorter).unwrap();
    let release = archive.sandbox.read("dists/stable/Release");
    let listed = path.strip_prefix("dists/stable/").unwrap();
    let line = format!(" {} {} {listed}", Sha256Digest::of(shorter.as_bytes()), shorter.len());
    let end = format!(" {listed}");
    let lines: Vec<&str> = release.lines().filter(|line| !line.ends_with(&end)).chain([&*line]).collect();
    let release = lines.join("\n") + "\n";
    fs::write(archive.sandbox.archive("dists/stable/Release"), release).unwrap();
    let said = archive.run(&["check"]).fails(4).stdout;
    assert!(said.contains("does not make the text that this one applies to"), "{said}");
}

#[test]
fn prune_deletes_old_patches_of_contents() {
    let mut archive =
        Archive::new("PDiffs: yes\nContents: .gz\nTranslations: en\nKeepFor: 1d\nKeepGenerations: 1\n");
    for name in ["one", "two", "three"] {
        adds(&mut archive, name, "1", &[&format!("usr/bin/{name}")]);
    }
    let patches =
        |archive: &Archive, index: &str| archive.sandbox.tree().paths_with(&format!("{index}.diff/2")).len();
    assert!([CONTENTS, TRANSLATION].map(|index| patches(&archive, index)).iter().all(|number| *number > 1));
    archive.second += 2 * 24 * 60 * 60;
    adds(&mut archive, "four", "1", &["usr/bin/four"]);
    age(&archive.sandbox.archive("dists"), 3);
    archive.second += 2 * 24 * 60 * 60;
    archive.run(&["prune"]).ok();
    assert_eq!([CONTENTS, TRANSLATION].map(|index| patches(&archive, index)), [1, 1]);
    archive.run(&["check"]).ok().says(["no faults"]);
}

#[test]
fn a_small_contents_has_no_patches_by_default() {
    let mut archive = Archive::new("Contents: .gz\nTranslations: en\n");
    adds(&mut archive, "one", "1", &["usr/bin/one"]);
    assert_eq!(archive.sandbox.tree().paths_with(".diff"), [""; 0]);
    let sandbox = Sandbox::new();
    if let Some(mut client) = Client::debian_12(&sandbox) {
        client.source(&Source::folder(archive.sandbox.archive("")).trusted());
        client.updates();
    }
}
