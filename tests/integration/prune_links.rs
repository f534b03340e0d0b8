//! `prune` in an archive with links from one part to another: one file has several names, and is deleted only if none of
//! them is in use.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::Path,
    time::Duration,
};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

const PRUNE: [&str; 3] = ["prune", "--keep-generations", "1"];
const OLD: &str = "hello_1.0_amd64.deb";
const NEW: &str = "hello_2.0_amd64.deb";

/// Makes every file 30 days older, each once, whatever number of names it has.
pub(crate) fn make_old(sandbox: &Sandbox, folder: &str) {
    let mut done = BTreeSet::new();
    for entry in walkdir::WalkDir::new(sandbox.path(folder)) {
        let entry = entry.unwrap();
        let metadata = entry.path().symlink_metadata().unwrap();
        if metadata.is_file() && done.insert(metadata.ino()) {
            let file = fs::File::open(entry.path()).unwrap();
            file.set_modified(metadata.modified().unwrap() - Duration::from_secs(30 * 24 * 60 * 60)).unwrap();
        }
    }
}

/// An archive in which `hello` 1.0 was replaced by 2.0 and removed.
pub(crate) fn archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    for version in ["1.0", "2.0"] {
        let file = deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    }
    sandbox.publish(["remove", "hello=1.0"]).ok();
    sandbox
}

/// Changes the layout of an archive.
type Change<'a> = &'a dyn Fn(&Sandbox);

/// The files of this name that are no links.
fn real(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let found = sandbox.ask("find", ["archive", "-type", "f", "-name", name]);
    found.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn a_file_stays_if_any_of_its_names_is_in_use() {
    let into = |sandbox: &Sandbox, from: &str, to: &str, link: &str| {
        fs::create_dir_all(sandbox.archive(to).parent().unwrap()).unwrap();
        fs::rename(sandbox.archive(from), sandbox.archive(to)).unwrap();
        symlink(link, sandbox.archive(from)).unwrap();
    };
    let folder = "pool/main/h/hello";
    let layouts: &[(&str, Change<'_>)] = &[
        ("a component of the pool", &|sandbox| into(sandbox, "pool/main", "pool/real", "real")),
        ("a chain of links", &|sandbox| {
            into(sandbox, "pool/main", "pool/real", "again");
            symlink("more", sandbox.archive("pool/again")).unwrap();
            symlink("real", sandbox.archive("pool/more")).unwrap();
        }),
        ("one package", &|sandbox| {
            into(sandbox, &format!("{folder}/{NEW}"), &format!("pool/{NEW}"), &format!("../../../{NEW}"));
        }),
        ("two links to one package", &|sandbox| {
            let link = format!("../../../{NEW}");
            into(sandbox, &format!("{folder}/{NEW}"), &format!("pool/{NEW}"), &link);
            symlink(&link, sandbox.archive(format!("{folder}/hello_3.0_amd64.deb"))).unwrap();
        }),
        ("a folder and a package", &|sandbox| {
            into(sandbox, &format!("{folder}/{NEW}"), &format!("pool/{NEW}"), &format!("../../../{NEW}"));
            into(sandbox, "pool/main/h", "pool/main/x/h", "x/h");
            let link = sandbox.archive(format!("{folder}/{NEW}"));
            fs::remove_file(&link).unwrap();
            symlink(format!("../../../../{NEW}"), link).unwrap();
        }),
        ("a component of the suite", &|sandbox| into(sandbox, "dists/stable/main", "dists/stable/x", "x")),
        ("an architecture", &|sandbox| {
            into(sandbox, "dists/stable/main/binary-amd64", "dists/stable/main/binary-x", "binary-x");
        }),
        ("the by-hash files", &|sandbox| {
            let by_hash = "dists/stable/main/binary-amd64/by-hash";
            into(sandbox, by_hash, "dists/stable/shared/by-hash", "../../shared/by-hash");
        }),
        ("the pool itself", &|sandbox| into(sandbox, "pool", "packages", "packages")),
        ("another name of the suite", &|sandbox| {
            symlink("stable", sandbox.archive("dists/current")).unwrap();
        }),
        ("a hard link", &|sandbox| {
            let other = sandbox.archive(format!("{folder}/hello_3.0_amd64.deb"));
            fs::hard_link(sandbox.archive(format!("{folder}/{NEW}")), other).unwrap();
        }),
        ("a folder that leads to the pool", &|sandbox| symlink("pool", sandbox.archive("files")).unwrap()),
    ];
    for (what, change) in layouts {
        let sandbox = archive();
        change(&sandbox);
        make_old(&sandbox, "archive");
        sandbox.publish(["check"]).ok();
        let clock = sandbox.ask("date", ["+%s"]).trim().to_owned();
        let plan = [&PRUNE[..], &["--dry-run", "-v"]].concat();
        let plan = sandbox.publish_with(&[("PUBLISH_DATE", &clock)], plan).ok();
        let said = sandbox.publish([&PRUNE[..], &["-v"]].concat()).ok();
        for text in [&plan.stderr, &said.stderr] {
            assert_eq!(text.matches(&format!("{OLD} (")).count(), 1, "{what}: deleted once\n{text}");
        }
        assert_eq!(real(&sandbox, OLD), [""; 0], "{what}");
        assert_eq!(real(&sandbox, NEW).len(), 1, "{what}");
        sandbox.publish(["check"]).ok();
        // Nothing is left for the next run, and the archive can be extended.
        sandbox.publish(PRUNE).ok().says(["Nothing to delete"]);
        let more = deb("more").write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), more.as_os_str()]).ok();
        sandbox.publish(["check"]).ok();
    }
}

#[test]
fn a_link_is_not_deleted_and_what_only_links_lead_to_is_said() {
    let sandbox = archive();
    let folder = sandbox.archive("pool/main/h/hello");
    fs::create_dir(sandbox.archive("elsewhere")).unwrap();
    fs::rename(folder.join(OLD), sandbox.archive("elsewhere").join(OLD)).unwrap();
    symlink(format!("../../../../elsewhere/{OLD}"), folder.join(OLD)).unwrap();
    make_old(&sandbox, "archive");
    sandbox.publish(PRUNE).ok().says(["Spared 1 object", "a symbolic link leads to it"]);
    assert!(folder.join(OLD).exists());
}

#[test]
fn a_folder_that_a_link_leads_to_may_get_empty() {
    let sandbox = archive();
    fs::rename(sandbox.archive("pool/main"), sandbox.archive("pool/real")).unwrap();
    symlink("real", sandbox.archive("pool/main")).unwrap();
    sandbox.publish(["remove", "hello"]).ok();
    make_old(&sandbox, "archive");
    sandbox.publish(PRUNE).ok().says(["Deleted "]);
    let file = sandbox.incoming().join(NEW);
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    sandbox.publish(["check"]).ok();
    assert_eq!(real(&sandbox, NEW), [format!("archive/pool/real/h/hello/{NEW}")]);
}

#[test]
fn the_generations_of_a_suite_with_two_names_are_those_of_its_configuration() {
    let sandbox = archive();
    symlink("stable", sandbox.archive("dists/current")).unwrap();
    sandbox.configure(
        "Codename: stable\nComponents: main\nArchitectures: amd64\nKeepGenerations: 9\nKeepFor: 90d\n",
    );
    make_old(&sandbox, "archive");
    let before = sandbox.tree();
    sandbox.publish(["prune"]).ok().says(["Nothing to delete", "Retained 2 earlier generations"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["prune", "--suite", "stable", "--keep-generations", "1", "--keep-for", "7d"]).ok();
    assert_eq!(sandbox.tree().paths_with("/published").len(), 1);
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_destination_with_links_is_pruned_by_real_names() {
    let sandbox = archive();
    sandbox.publish(["sync", "./there"]).ok();
    let there = |path: &str| sandbox.path("there").join(path);
    fs::rename(there("pool/main"), there("pool/real")).unwrap();
    symlink("real", there("pool/main")).unwrap();
    fs::rename(there("dists/stable/main"), there("dists/stable/x")).unwrap();
    symlink("x", there("dists/stable/main")).unwrap();
    make_old(&sandbox, "there");
    sandbox.publish(["sync", "./there", "--delete", "--keep-generations", "1"]).ok();
    assert!(there("pool/real/h/hello").join(NEW).exists());
    let key = fixture("keys/test.pub.asc");
    let check = ["-a".as_ref(), "there".as_ref(), "check".as_ref(), "--keyring".as_ref(), key.as_os_str()];
    sandbox.publish(check).ok();
}

#[test]
fn a_snapshot_is_not_removed_through_a_link() {
    let sandbox = archive();
    sandbox.publish(["snapshot", "one"]).ok();
    symlink("one", sandbox.archive("dists/stable/snapshots/two")).unwrap();
    let before = sandbox.tree();
    sandbox.publish(["snapshot", "two", "--remove"]).fails(1).says(["symbolic link", "snapshots/two"]);
    assert_eq!(sandbox.tree(), before);
    assert!(Path::new(&sandbox.archive("dists/stable/snapshots/one/InRelease")).exists());
}
