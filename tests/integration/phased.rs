//! `publish add --phased`: a version reaches some machines first, then more of them, and real apt honours it.

use serde_json::Value;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture, is_root, skipped},
};

const PACKAGES: &str = "dists/stable/main/binary-amd64/Packages";

fn add(sandbox: &Sandbox, version: &str, seconds: u64, more: &[&str]) -> Outcome {
    let file = deb("hello").version(version).write(sandbox.incoming());
    sandbox.publish_after(seconds, &[&["add", file.to_str().unwrap()], more].concat())
}

#[test]
fn apt_honours_the_percentage() {
    if !is_root() {
        skipped("an installation needs root");
        return;
    }
    let sandbox = Sandbox::signed();
    add(&sandbox, "1.0", 0, &[]).ok();
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.option("APT::Machine-ID", "912e43bd1c1d4ba481f9f8ccab25f9ee");
        // In a chroot, where this test may run, apt takes every update.
        apt.option("Dir::Bin::ischroot", "/bin/false");
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        apt.install(&["hello"]).ok();
    }
    let upgrades = |apt: &Client<'_>| {
        apt.updates();
        let said = apt.run("apt-get", ["--simulate", "upgrade"]).ok().stdout;
        // apt 2.6 prints that it is kept back, later versions that it is deferred due to phasing.
        let takes = said.contains("Inst hello [1.0] (2.0");
        assert!(takes != (said.contains("kept back") || said.contains("deferred")), "{}: {said}", apt.name);
        takes
    };
    add(&sandbox, "2.0", 60, &["--phased", "0"]).ok().says(["Added 1 package"]);
    for apt in &clients {
        assert!(!upgrades(apt), "{}", apt.name);
        // An explicit install by name is not phased.
        let said = apt.run("apt-get", ["--simulate", "install", "hello"]).ok().stdout;
        assert!(said.contains("Inst hello [1.0] (2.0"), "{}: {said}", apt.name);
    }
    add(&sandbox, "2.0", 120, &["--phased", "100"])
        .ok()
        .says(["Offered hello 2.0 amd64 to 100 % of machines, instead of 0 %"]);
    assert!(!sandbox.read(PACKAGES).contains("Phased-Update-Percentage"));
    for apt in &clients {
        assert!(upgrades(apt), "{}", apt.name);
    }
}

#[test]
fn adding_the_file_again_changes_the_percentage() {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 arm64\n");
    let file = deb("hello").architecture("all").write(sandbox.incoming());
    deb("zzz").write(sandbox.path("others"));
    sandbox.publish(["add", "others"]).ok();
    let run = |seconds, more: &[&str]| {
        sandbox.publish_after(seconds, &[&["add", file.to_str().unwrap()], more].concat())
    };
    run(10, &["--phased", "10"]).ok().says(["Added 1 package"]);
    run(20, &["--phased", "10"])
        .ok()
        .says(["already published in suite `stable`, with the same bytes", "Nothing to do"]);
    // Adding it again without `--phased` keeps the percentage.
    run(20, &[]).ok().says(["Nothing to do"]);
    let before = sandbox.tree();
    run(30, &["--phased", "50", "-n"])
        .ok()
        .says(["Would offer hello 1.0 all to 50 % of machines, instead of 10 %", "nothing was written"]);
    assert_eq!(sandbox.tree(), before);
    let json: Value = serde_json::from_str(&run(30, &["--phased", "50", "--json"]).ok().stdout).unwrap();
    let phased = &json["phased"][0];
    assert_eq!(phased["package"]["name"], "hello");
    assert_eq!(phased["share"], serde_json::json!({ "from": 10, "to": 50 }));
    assert_eq!(json["added"], Value::Array(Vec::new()));
    let written = json["written"].as_array().unwrap();
    assert!(written.iter().all(|file| file["path"].as_str().unwrap().starts_with("dists/")), "{json}");
    // It is `Architecture: all`, with the same stanza in all indices.
    for architecture in ["amd64", "arm64"] {
        let index = sandbox.read(PACKAGES.replace("amd64", architecture));
        assert_eq!(index.matches("Phased-Update-Percentage: 50\n").count(), 1, "{index}");
    }
    let log = sandbox.publish_after(40, &["log", "--limit", "1"]).ok().stdout;
    let line = "% hello 1.0 all (main); offered to 50 % of machines, previously 10 %";
    assert!(log.contains(line), "{log}");
    sandbox.publish_after(40, &["check"]).ok();
    run(50, &["--phased", "101"]).fails(2).says(["0..=100"]);
    run(50, &["--phased", "-1"]).fails(2);
}

/// If a package exists for one architecture, the index of that architecture may have no entry for the `all` version;
/// other indices have it.
#[test]
fn a_package_missing_in_one_index_is_once_in_the_others() {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 arm64\n");
    let all = deb("hello").architecture("all").write(sandbox.incoming());
    add(&sandbox, "2.0", 0, &[]).ok();
    sandbox.publish_after(10, &["add", all.to_str().unwrap()]).ok();
    sandbox.publish_after(20, &["prune", "--keep", "1"]).ok().says(["- hello 1.0 all"]);
    sandbox.publish_after(30, &["add", all.to_str().unwrap(), "--phased", "10"]).ok();
    for architecture in ["amd64", "arm64"] {
        let index = sandbox.read(PACKAGES.replace("amd64", architecture));
        assert_eq!(index.matches("Version: 1.0\n").count(), 1, "{index}");
        assert_eq!(index.matches("Phased-Update-Percentage: 10\n").count(), 1, "{index}");
    }
    sandbox.publish_after(40, &["check"]).ok();
}

/// Many packages are summarized in one line, like added and removed ones.
#[test]
fn many_phased_packages_are_summarized() {
    let sandbox = Sandbox::signed();
    for number in 10..21 {
        deb(&format!("hello{number}")).write(sandbox.incoming());
    }
    let run = |seconds, more: &[&str]| sandbox.publish_after(seconds, &[&["add", "incoming"], more].concat());
    run(0, &[]).ok();
    let said = run(60, &["--phased", "10"]).ok();
    said.says(["Offered 11 packages of suite `stable` to a different percentage of machines"]);
    assert!(!said.stderr.contains("hello10"), "{}", said.stderr);
    run(120, &["--phased", "20", "-v"])
        .ok()
        .says(["Offered hello10 1.0 amd64 to 20 % of machines, instead of 10 %"]);
}
