//! `prune` and files that no release file lists directly: those that the indices of other tools name, and the images of
//! the installer.

use std::fs;

use crate::{
    deb_builder::{Pack, pack},
    prune_links::{archive, make_old},
    sandbox::{Sandbox, sha256},
};

const PRUNE: [&str; 3] = ["prune", "--keep-generations", "1"];
const OLD: &str = "pool/main/h/hello/hello_1.0_amd64.deb";

fn write(sandbox: &Sandbox, path: &str, bytes: &[u8]) {
    fs::create_dir_all(sandbox.archive(path).parent().unwrap()).unwrap();
    fs::write(sandbox.archive(path), bytes).unwrap();
}

#[test]
fn a_package_that_an_unlisted_index_names_stays_and_is_said() {
    let below = OLD.strip_prefix("pool/").unwrap();
    let up = format!("../{OLD}");
    for (index, name, form) in [
        ("Packages", OLD, Pack::None),
        ("Packages.gz", &format!("./{OLD}") as &str, Pack::Gzip),
        ("Packages.xz", OLD, Pack::Xz),
        ("flat/Packages", OLD, Pack::None),
        ("flat/Packages", &up, Pack::None),
        ("pool/Packages.zst", below, Pack::Zstd),
        ("pool/main/Packages", "./h/hello/hello_1.0_amd64.deb", Pack::None),
        ("dists/stable/main/binary-i386/Packages", OLD, Pack::None),
        ("dists/stable/contrib/binary-amd64/Packages.gz", OLD, Pack::Gzip),
    ] {
        let sandbox = archive();
        write(&sandbox, index, &pack(form, format!("Package: hello\nFilename: {name}\n\n").as_bytes()));
        make_old(&sandbox, "archive");
        let said = sandbox.publish(PRUNE).ok();
        said.says(["Spared 1 object", &format!("`{index}` names it, which no release file lists") as &str]);
        assert!(sandbox.tree().has(OLD), "{index}");
        fs::remove_file(sandbox.archive(index)).unwrap();
        sandbox.publish(PRUNE).ok();
        assert!(!sandbox.tree().has(OLD), "{index}");
    }
}

#[test]
fn an_index_that_cannot_be_read_keeps_everything() {
    let sandbox = archive();
    write(&sandbox, "Packages.gz", b"no gzip");
    make_old(&sandbox, "archive");
    let before = sandbox.tree();
    sandbox.publish(PRUNE).fails(1).says(["`Packages.gz`"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_prune_of_a_fresh_checkout_says_why_it_deletes_nothing() {
    let sandbox = archive();
    sandbox.publish(["prune"]).ok().says([
        "Nothing to delete",
        "Retained 2 earlier generations, and 7 objects",
        "Every file is younger than two days, as after a fresh checkout",
    ]);
    let printed = sandbox.publish(["prune", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(json["all_recent"], true);
    assert_eq!(json["retained"]["generations"], 2);
    assert_eq!(json["retained"]["objects"], 7);
    // Unreferenced, but recent.
    make_old(&sandbox, "archive/dists/stable/generations");
    let said = sandbox.publish(PRUNE).ok();
    said.says(["Deleted 6 objects", "Spared 7 objects", "written recently, a running job may need them"]);
    assert!(sandbox.tree().has(OLD));
}

/// An unsigned suite of another tool with one build of the installer.
fn installer(sandbox: &Sandbox, build: &str, image: &[u8]) {
    let folder = format!("main/installer-amd64/{build}/images");
    let sums = format!("{}  ./netboot/mini.iso\n", sha256(image));
    write(sandbox, &format!("dists/stable/{folder}/netboot/mini.iso"), image);
    let list = format!("{folder}/SHA256SUMS");
    sandbox.adopt_files("stable", &[("main/binary-amd64/Packages", b""), (&list, sums.as_bytes())]);
}

fn there(sandbox: &Sandbox, build: &str) -> std::path::PathBuf {
    sandbox.path(format!("there/dists/stable/main/installer-amd64/{build}/images/netboot/mini.iso"))
}

#[test]
fn the_images_of_the_installer_are_synced_checked_and_pruned() {
    let sandbox = Sandbox::new();
    installer(&sandbox, "1", b"one");
    sandbox.publish(["check"]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    assert_eq!(fs::read(there(&sandbox, "1")).unwrap(), b"one");
    sandbox.publish(["sync", "./there"]).ok().says(["Nothing to do"]);
    sandbox.publish(["-a", "there", "check"]).ok();

    // Lost or damaged ones are found, and sent again.
    fs::write(there(&sandbox, "1"), "onf").unwrap();
    let damaged = sandbox.publish(["-a", "there", "check"]).fails(4).stdout;
    assert!(damaged.contains("netboot/mini.iso") && damaged.contains("SHA256SUMS"), "{damaged}");
    fs::remove_file(there(&sandbox, "1")).unwrap();
    let lost = sandbox.publish(["-a", "there", "check"]).fails(4).stdout;
    assert!(lost.contains("netboot/mini.iso") && lost.contains("it is missing"), "{lost}");
    sandbox.publish(["sync", "--verify", "./there"]).ok().says(["Sent 1 object"]);
    sandbox.publish(["-a", "there", "check"]).ok();

    // The next build has other paths; those of the old one stay as long as its generation.
    fs::remove_dir_all(sandbox.archive("dists/stable/main/installer-amd64/1")).unwrap();
    installer(&sandbox, "2", b"two");
    sandbox.publish(["sync", "./there"]).ok();
    make_old(&sandbox, "there");
    sandbox.publish(["-a", "there", "prune"]).ok();
    assert!(there(&sandbox, "1").exists() && there(&sandbox, "2").exists());
    sandbox.publish(["sync", "./there", "--delete", "--keep-generations", "1"]).ok();
    assert!(!there(&sandbox, "1").exists());
    assert_eq!(fs::read(there(&sandbox, "2")).unwrap(), b"two");
    sandbox.publish(["-a", "there", "check"]).ok();
}

#[test]
fn an_image_at_the_same_path_may_change() {
    let sandbox = Sandbox::new();
    installer(&sandbox, "current", b"one");
    sandbox.publish(["sync", "./there"]).ok();
    installer(&sandbox, "current", b"two");
    sandbox.publish(["sync", "./there"]).ok();
    assert_eq!(fs::read(there(&sandbox, "current")).unwrap(), b"two");
    sandbox.publish(["-a", "there", "check"]).ok();
}

#[test]
fn an_image_stays_that_a_link_leads_to() {
    let sandbox = Sandbox::new();
    installer(&sandbox, "1", b"one");
    sandbox.publish(["sync", "./there"]).ok();
    let folder = sandbox.path("there/dists/stable/main/installer-amd64");
    std::os::unix::fs::symlink("1", folder.join("current")).unwrap();
    fs::remove_dir_all(sandbox.archive("dists/stable/main/installer-amd64")).unwrap();
    installer(&sandbox, "current", b"one");
    sandbox.publish(["sync", "./there"]).ok();
    make_old(&sandbox, "there");
    sandbox.publish(["-a", "there", "prune", "--keep-generations", "1"]).ok();
    assert_eq!(fs::read(there(&sandbox, "current")).unwrap(), b"one");
    sandbox.publish(["-a", "there", "check"]).ok();
}
