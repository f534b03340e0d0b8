//! Packages for variants of an architecture, such as `amd64v3`, have an index of their own.
//!
//! No apt of a Debian release reads it, so these are the judges that machines without the variant never see its packages;
//! apt 3.1 and later, as in Debian testing, read it where the variant is configured.

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, deb},
    sandbox::{Outcome, Sandbox},
};

const PLAIN: &str = "dists/stable/main/binary-amd64/Packages";
const VARIANT: &str = "dists/stable/main/binary-amd64v3/Packages";

fn variant(name: &str) -> DebBuilder {
    deb(name).field("Architecture-Variant", "amd64v3")
}

fn add(sandbox: &Sandbox, package: &DebBuilder, name: &str) -> Outcome {
    let file = package.write_as(sandbox.incoming().join(name));
    sandbox.publish(["add".as_ref(), file.as_os_str()])
}

fn listed(sandbox: &Sandbox) -> Vec<String> {
    let said = sandbox.publish(["list"]).ok();
    said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_variant_is_beside_the_plain_package_and_apt_of_others_does_not_see_it() {
    let sandbox = Sandbox::signed();
    // The variant first: an archive of it alone has the architecture.
    add(&sandbox, &variant("fast"), "fast.deb").ok().says(["+ fast 1.0 amd64v3 (main)"]);
    add(&sandbox, &deb("any").architecture("all"), "any.deb").ok();
    add(&sandbox, &deb("hello"), "hello.deb").ok();
    // The same version, and other bytes.
    add(&sandbox, &variant("hello").payload("faster"), "hello_1.0_amd64v3.deb")
        .ok()
        .says(["+ hello 1.0 amd64v3 (main)"]);
    let (plain, index) = (sandbox.read(PLAIN), sandbox.read(VARIANT));
    assert!(
        !plain.contains("Variant") && !plain.contains("fast") && plain.contains("Package: hello\n"),
        "{plain}"
    );
    assert!(index.contains("Filename: pool/main/h/hello/hello_1.0_amd64v3.deb\n"), "{index}");
    assert!(
        index.contains("\nArchitecture-Variant: amd64v3\n") && !index.contains("Package: any"),
        "{index}"
    );
    let release = sandbox.read("dists/stable/InRelease");
    assert!(release.contains("\nArchitectures: amd64\n"), "{release}");
    assert!(release.contains(" main/binary-amd64v3/Packages\n"), "{release}");
    sandbox.publish(["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{}", apt.name);
        assert!(apt.versions("fast").is_empty(), "{}", apt.name);
        apt.run("apt-get", ["download", "hello"]).ok();
    }
}

#[test]
fn every_command_keeps_variants_apart() {
    let sandbox = Sandbox::new();
    let both = [deb("hello"), variant("hello").payload("faster")];
    for (package, name) in both.iter().zip(["a.deb", "b.deb"]) {
        package.write_as(sandbox.incoming().join(name));
    }
    sandbox.publish(["add", "incoming"]).ok().says(["Added 2 packages"]);
    sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
    assert_eq!(listed(&sandbox), ["stable main amd64 hello 1.0", "stable main amd64v3 hello 1.0"]);
    sandbox
        .publish(["copy", "--from", "stable", "--to", "testing", "--new-suite", "hello"])
        .ok()
        .says(["Added 2"]);
    assert_eq!(sandbox.read(VARIANT), sandbox.read(VARIANT.replace("stable", "testing")));
    let remove = ["remove", "--suite", "stable", "hello"];
    sandbox.publish([&remove[..], &["--architecture", "amd64"]].concat()).ok().says(["Removed 1 package"]);
    assert_eq!(sandbox.read(PLAIN), "");
    let said = sandbox.publish(["diff", "testing", "stable"]).ok();
    assert!(said.stdout.lines().count() == 1 && !said.stdout.contains("amd64v3"), "{}", said.stdout);
    sandbox.publish(["rollback", "stable"]).ok().says(["+ hello 1.0 amd64"]);
    sandbox.publish(remove).ok().says(["Removed 2 packages"]);
    sandbox.publish(["sync", "./there"]).ok();
    sandbox.publish(["check", "./there"]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_variant_comes_with_its_architecture_from_another_archive() {
    let sandbox = Sandbox::new();
    for (package, name) in [(deb("hello"), "a.deb"), (variant("hello").payload("faster"), "b.deb")] {
        package.write_as(sandbox.incoming().join(name));
    }
    sandbox.publish(["add", "incoming"]).ok();
    let both = ["stable main amd64 hello 1.0", "stable main amd64v3 hello 1.0"];
    for (number, how) in [
        &["import", "../archive", "--suite", "stable"][..],
        &["import", "../archive"],
        &["import", "../archive", "--rebuild"],
        &["pull", "stable", "--from", "../archive#stable", "*"],
        &["pull", "stable", "--from", "../archive#stable", "hello"],
        &["pull", "stable", "--from", "../archive#stable", "--source", "hello"],
        &["pull", "stable", "--from", "../archive#stable", "--filter", "Section (== misc)"],
    ]
    .into_iter()
    .enumerate()
    {
        let there = format!("there{number}");
        let conf = sandbox.path(&there).join("conf");
        std::fs::create_dir_all(&conf).unwrap();
        let text = "Codename: stable\nComponents: main\nArchitectures: amd64\nSignWith: no\n";
        std::fs::write(conf.join("distributions"), text).unwrap();
        let how = how.iter().map(|word| word.replace("../archive", sandbox.archive("").to_str().unwrap()));
        let how: Vec<String> = how.collect();
        let place = ["--archive", &there, "--trust-existing"];
        sandbox.publish(place.into_iter().chain(how.iter().map(String::as_str))).ok();
        let said = sandbox.publish(["--archive", &there, "list"]).ok();
        let rows: Vec<String> =
            said.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(rows, both, "{how:?}");
    }
    // A named architecture is that one alone.
    let from = format!("{}#stable", sandbox.archive("").display());
    let pull = ["--archive", "one", "--trust-existing", "pull", "stable", "--new-suite", "--from", &from];
    sandbox
        .publish([&pull[..], &["--architecture", "amd64", "hello"]].concat())
        .ok()
        .says(["Added 1 package"]);
}

#[test]
fn the_words_of_reprepro_take_variants_along() {
    let words = [
        ("copysrc next stable hello", true, true),
        ("copy next stable hello", true, true),
        ("movesrc next stable hello", true, false),
        ("move next stable hello", true, false),
        ("removesrc stable hello", false, false),
        ("remove stable hello", false, false),
        ("removefilter stable Package(==hello)", false, false),
    ];
    for (words, in_next, in_stable) in words {
        let sandbox = Sandbox::new();
        let suite = |name: &str| format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n");
        sandbox.configure(&format!("{}\n{}", suite("stable"), suite("next")));
        for (package, name) in [(deb("hello"), "a.deb"), (variant("hello").payload("faster"), "b.deb")] {
            package.write_as(sandbox.incoming().join(name));
        }
        sandbox.publish(["add", "--suite", "stable", "incoming"]).ok();
        let base = sandbox.archive("");
        let call = ["reprepro", "-b", base.to_str().unwrap()];
        sandbox.publish(call.into_iter().chain(words.split(' '))).ok();
        let rows = listed(&sandbox);
        let has = |suite: &str| {
            let of = |architecture: &str| {
                rows.iter().any(|row| row.starts_with(&format!("{suite} main {architecture} ")))
            };
            [of("amd64"), of("amd64v3")]
        };
        assert_eq!((has("next"), has("stable")), ([in_next; 2], [in_stable; 2]), "{words}: {rows:?}");
    }
}

#[test]
fn an_architecture_that_leaves_takes_its_variants_along() {
    let sandbox = Sandbox::new();
    let configure = |architectures: &str| {
        sandbox.configure(&format!("Codename: stable\nComponents: main\nArchitectures: {architectures}\n"));
    };
    configure("amd64 arm64");
    add(&sandbox, &variant("fast"), "fast.deb").ok();
    add(&sandbox, &deb("all").architecture("all"), "all.deb").ok();
    // One with packages of a variant stays.
    configure("arm64");
    sandbox
        .publish(["export"])
        .ok()
        .says(["architecture `amd64` is not in `Architectures:` and stays", "1 package"]);
    assert!(sandbox.read("dists/stable/Release").contains("main/binary-amd64v3/Packages"));
    sandbox
        .publish_after(60, &["remove", "fast"])
        .ok()
        .says(["`amd64` is no longer configured and has no packages"]);
    let release = sandbox.read("dists/stable/Release");
    assert!(release.contains("\nArchitectures: arm64\n") && !release.contains("amd64"), "{release}");
    sandbox.publish_after(120, &["export"]).ok().says(["nothing to do"]);
    sandbox.publish_after(120, &["check"]).ok();
}

#[test]
fn the_architecture_decides_whether_a_suite_has_its_variants() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: arm64\nLimit: 1\n");
    let before = sandbox.tree();
    add(&sandbox, &variant("hello"), "hello.deb").fails(1).says(["is not one of the suite's: `arm64`"]);
    add(&sandbox, &deb("hello").architecture("amd64v3"), "x.deb")
        .fails(1)
        .says(["is not one of the suite's"]);
    for (architecture, of) in [("arm64", "amd64v3"), ("all", "allv3"), ("amd64", "amd64 v3")] {
        let package = deb("odd").architecture(architecture).field("Architecture-Variant", of);
        add(&sandbox, &package, "odd.deb").fails(1).says(["Architecture-Variant"]);
    }
    assert_eq!(sandbox.tree(), before);
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\n");
    add(&sandbox, &deb("hello"), "hello.deb").ok();
    for version in ["1.0", "2.0"] {
        add(&sandbox, &variant("hello").version(version), "hello.deb").ok();
    }
    assert_eq!(listed(&sandbox), ["stable main amd64 hello 1.0", "stable main amd64v3 hello 2.0"]);
    // The field may name the architecture itself.
    add(&sandbox, &deb("plain").field("Architecture-Variant", "amd64"), "plain.deb")
        .ok()
        .says(["plain 1.0 amd64 "]);
    sandbox.publish(["export"]).ok();
    assert!(sandbox.read("dists/stable/Release").contains("\nArchitectures: amd64\n"));
    sandbox.publish(["check"]).ok();
}

#[test]
fn apt_with_the_variant_prefers_its_packages() {
    let sandbox = Sandbox::signed();
    add(&sandbox, &deb("hello"), "hello.deb").ok();
    add(&sandbox, &variant("hello").payload("faster"), "hello_1.0_amd64v3.deb").ok();
    add(&sandbox, &variant("fast"), "fast.deb").ok();
    add(&sandbox, &deb("plain"), "plain.deb").ok();
    let Some(mut apt) = Client::debian_testing(&sandbox) else { return };
    apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
    apt.updates();
    assert!(apt.versions("fast").is_empty());
    assert_eq!(apt.download("hello"), deb("hello").bytes());
    // The dpkg of Debian has no table of variants yet.
    std::fs::write(apt.root().join("usr/share/dpkg/varianttable"), "amd64v3\tamd64\tx86-64-v3\n").unwrap();
    apt.option("APT::Architecture-Variants", "amd64v3");
    apt.forgets();
    apt.updates();
    assert_eq!((apt.versions("fast"), apt.versions("plain")), (vec!["1.0".into()], vec!["1.0".into()]));
    assert_eq!(apt.download("hello"), variant("hello").payload("faster").bytes());
}
