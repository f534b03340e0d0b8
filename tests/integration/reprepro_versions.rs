//! Versions under reprepro's commands: one that was removed comes again, older ones are replaced, and their files go.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    reprepro_pair::{CONF, Pair},
    sandbox::{Sandbox, age},
    source_builder::source,
};

#[test]
fn a_removed_version_is_included_again_with_other_bytes() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("foo")]);
    source("src").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.source("bookworm", "in/src_1.0-1.dsc");
    let index = "ours/dists/bookworm/main/binary-amd64/Packages";
    let before = fs::read(pair.sandbox.path(index)).unwrap();
    let old = pair.sandbox.path("ours/pool/main/f/foo/foo_1.0_amd64.deb");
    let old_bytes = fs::read(&old).unwrap();
    pair.packages(&[deb("foo").payload("other bytes")]);
    source("src").changes("other").write(pair.sandbox.path("in"));
    // Published with other bytes: refused, and nothing changes.
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    assert_eq!(fs::read(pair.sandbox.path(index)).unwrap(), before);
    pair.status(&["remove", "bookworm", "foo", "src"]);
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.source("bookworm", "in/src_1.0-1.dsc");
    pair.lists(&["list", "bookworm"]);
    // Clients with the earlier index find the bytes that it describes.
    assert_eq!(fs::read(&old).unwrap(), old_bytes);
    for mut apt in Client::all(&pair.sandbox) {
        apt.source(&Source::folder(pair.sandbox.path("ours")).suite("bookworm").trusted());
        apt.updates();
        assert_eq!(apt.download("foo"), deb("foo").payload("other bytes").bytes(), "{}", apt.name);
    }
    // The other suite has the first bytes: the same version cannot have two contents at once.
    pair.status(&["remove", "bookworm", "foo"]);
    deb("foo").write(pair.sandbox.path("in"));
    pair.run_one("ours", &["includedeb", "trixie", "in/foo_1.0_amd64.deb"]).ok();
    deb("foo").payload("third").write(pair.sandbox.path("in"));
    pair.run_one("ours", &["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]).fails(254);
}

#[test]
fn unreferenced_files_stay_for_clients_or_are_deleted_at_once() {
    let sandbox = Sandbox::new();
    let reprepro = |arguments: &[&str]| {
        sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat()).ok().stdout
    };
    let conf = "Codename: bookworm\nArchitectures: amd64\nComponents: main\n";
    sandbox.configure(conf);
    for version in ["1", "2"] {
        deb("foo").version(version).write(sandbox.path("in"));
        reprepro(&["includedeb", "bookworm", &format!("in/foo_{version}_amd64.deb")]);
    }
    let [old, new] =
        ["1", "2"].map(|version| sandbox.archive(format!("pool/main/f/foo/foo_{version}_amd64.deb")));
    assert_eq!(reprepro(&["dumpunreferenced"]), "");
    reprepro(&["deleteunreferenced"]);
    assert!(old.exists() && new.exists());
    sandbox.configure(&format!("{conf}KeepFor: 0\n"));
    assert_eq!(reprepro(&["dumpunreferenced"]), "pool/main/f/foo/foo_1_amd64.deb\n");
    assert!(old.exists());
    reprepro(&["--morguedir", "+b/morgue", "deleteunreferenced"]);
    assert!(!old.exists() && new.exists());
    assert!(sandbox.archive("morgue/foo_1_amd64.deb").exists());
    assert_eq!(reprepro(&["dumpunreferenced"]), "");
    reprepro(&["check"]);
    sandbox.publish(["check"]).ok();
    // A file that no generation ever named was written by another job, perhaps just now.
    fs::write(sandbox.archive("pool/main/f/foo/new_1_amd64.deb"), "x").unwrap();
    reprepro(&["deleteunreferenced"]);
    assert!(sandbox.archive("pool/main/f/foo/new_1_amd64.deb").exists());
    age(&sandbox.archive("pool"), 3);
    reprepro(&["deleteunreferenced"]);
    assert!(!sandbox.archive("pool/main/f/foo/new_1_amd64.deb").exists());
}

#[test]
fn an_older_version_is_refused_and_limit_decides_otherwise() {
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    let conf = "Codename: bookworm\nArchitectures: amd64\nComponents: main\n";
    sandbox.configure(conf);
    for version in ["1", "2", "3"] {
        deb("foo").version(version).write(sandbox.path("in"));
    }
    run(&["includedeb", "bookworm", "in/foo_2_amd64.deb"])
        .ok()
        .says(["a newer version replaces the older ones"]);
    run(&["includedeb", "bookworm", "in/foo_1_amd64.deb"]).fails(255).says(["There have been errors!"]);
    assert_eq!(run(&["list", "bookworm"]).ok().stdout, "bookworm|main|amd64: foo 2\n");
    sandbox.configure(&format!("{conf}Limit: 2\n"));
    run(&["includedeb", "bookworm", "in/foo_3_amd64.deb"]).ok();
    // The newest first, as later versions of reprepro list them.
    assert_eq!(
        run(&["list", "bookworm"]).ok().stdout,
        "bookworm|main|amd64: foo 3\nbookworm|main|amd64: foo 2\n"
    );
    run(&["remove", "bookworm", "foo"]).ok();
    assert_eq!(run(&["list", "bookworm"]).ok().stdout, "bookworm|main|amd64: foo 2\n");
    sandbox.configure(&format!("{conf}Limit: 0\n"));
    run(&["includedeb", "bookworm", "in/foo_3_amd64.deb"]).ok();
    run(&["includedeb", "bookworm", "in/foo_1_amd64.deb"]).ok();
    assert_eq!(run(&["list", "bookworm"]).ok().stdout.lines().count(), 3);
    run(&["remove", "bookworm", "foo=2"]).ok();
    assert_eq!(run(&["ls", "foo"]).ok().stdout, "foo | 3 | bookworm | amd64\nfoo | 1 | bookworm | amd64\n");
}
