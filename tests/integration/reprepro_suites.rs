//! Tests of names and reports of suites under reprepro's command line, beside the real reprepro.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    reprepro_pair::Pair,
    source_builder::source,
};

/// Three suites, two of which have the same `Suite`.
const CONF: &str = "\
Codename: bookworm
Suite: stable
Architectures: amd64 source
Components: main

Codename: trixie
Suite: stable
Architectures: amd64
Components: main

Codename: sid
Suite: unstable
Architectures: amd64
Components: main
Pull: p
";

#[test]
fn a_name_of_two_suites_is_that_of_none() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.conf("pulls", "Name: p\nFrom: stable\n");
    deb("foo").write(pair.sandbox.path("in"));
    pair.status(&["export"]);
    for base in ["real", "ours"] {
        let base = pair.sandbox.path(base);
        // Which of them a link leads to decides nothing.
        symlink("trixie", base.join("dists/stable")).unwrap();
        for folder in ["queue", "tmp"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
    }
    for arguments in [
        &["includedeb", "stable", "in/foo_1.0_amd64.deb"][..],
        &["list", "stable"],
        &["remove", "stable", "foo"],
        &["copy", "sid", "stable", "foo"],
        &["copy", "stable", "sid", "foo"],
        &["export", "sid", "stable"],
        &["check", "stable"],
        &["createsymlinks", "stable"],
        &["gensnapshot", "stable", "one"],
        &["build-needing", "stable", "amd64"],
        &["dumptracks", "stable"],
        &["sizes", "stable"],
        &["pull", "sid"],
        &["includedeb", "unstable", "in/foo_1.0_amd64.deb"],
    ] {
        pair.status(arguments);
    }
    let says =
        ["no distribution has `stable` as codename, but multiple as suite name", "`bookworm`, `trixie`"];
    pair.one("ours", &["list", "stable"]).fails(249).says(says);
    for allow in ["Allow: x>stable", "Allow: x>sid\nDefault: stable"] {
        pair.conf("incoming", &format!("Name: q\nIncomingDir: queue\nTempDir: tmp\n{allow}\n"));
        pair.status(&["processincoming", "q"]);
    }
    for suite in ["bookworm", "trixie", "sid"] {
        pair.lists(&["list", suite]);
    }
}

#[test]
fn a_link_that_cannot_be_made_is_a_failure() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.conf("pulls", "Name: p\nFrom: sid\n");
    pair.status(&["export"]);
    let links = |expected: [Option<&str>; 2]| {
        for base in ["real", "ours"] {
            let link = |name| fs::read_link(pair.sandbox.path(base).join("dists").join(name)).ok();
            let found = ["stable", "unstable"].map(link);
            assert_eq!(
                found.each_ref().map(Option::as_deref),
                expected.map(|to| to.map(Path::new)),
                "{base}"
            );
        }
    };
    pair.status(&["createsymlinks"]);
    links([None, Some("sid")]);
    pair.status(&["--nothingiserror", "createsymlinks", "sid"]);
    pair.status(&["createsymlinks", "bookworm"]);
    links([Some("bookworm"), Some("sid")]);
    pair.status(&["createsymlinks", "trixie"]);
    pair.status(&["--delete", "createsymlinks", "bookworm", "trixie"]);
    links([Some("bookworm"), Some("sid")]);
    pair.one("ours", &["createsymlinks", "trixie"])
        .fails(255)
        .says(["it leads to `bookworm` instead of `trixie`", "reprepro --delete createsymlinks trixie"]);
    pair.status(&["--delete", "createsymlinks", "trixie"]);
    links([Some("trixie"), Some("sid")]);
    for base in ["real", "ours"] {
        let at = pair.sandbox.path(base).join("dists/unstable");
        fs::remove_file(&at).unwrap();
        fs::create_dir(&at).unwrap();
    }
    pair.status(&["createsymlinks", "sid"]);
    pair.status(&["--delete", "createsymlinks", "sid"]);
}

#[test]
fn builds_that_are_missing_include_those_for_all_architectures() {
    let text = CONF.replace(
        "Components: main\n\nCodename: trixie",
        "Components: main\nTracking: keep\n\nCodename: trixie",
    );
    let Some(pair) = Pair::new(&text) else { return };
    let folder = pair.sandbox.path("in");
    let dsc = source("two").write(&folder);
    let described = fs::read_to_string(&dsc).unwrap();
    let line = described.lines().find(|line| line.starts_with("Architecture:")).unwrap();
    let described = described.replace(line, "Architecture: any all");
    fs::write(&dsc, described.replace("Binary: two\n", "Binary: two, two-doc\n")).unwrap();
    pair.status(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", dsc.to_str().unwrap()]);
    for architecture in ["any", "all", "amd64"] {
        pair.lists(&["build-needing", "bookworm", architecture]);
    }
    assert_eq!(pair.one("ours", &["build-needing", "bookworm", "any"]).ok().stdout.lines().count(), 2);
    deb("two-doc").version("1.0-1").source("two").architecture("all").write(&folder);
    pair.status(&["includedeb", "bookworm", "in/two-doc_1.0-1_all.deb"]);
    pair.lists(&["build-needing", "bookworm", "any"]);
}

#[test]
fn a_snapshot_is_replaced_by_the_command_of_the_hint() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.conf("pulls", "Name: p\nFrom: sid\n");
    for package in [deb("foo"), deb("bar")] {
        package.write(pair.sandbox.path("in"));
    }
    let run = |arguments: &[&str]| pair.one("ours", arguments);
    run(&["includedeb", "sid", "in/foo_1.0_amd64.deb"]).ok();
    run(&["gensnapshot", "sid", "one"]).ok();
    run(&["includedeb", "sid", "in/bar_1.0_amd64.deb"]).ok();
    let said = run(&["gensnapshot", "sid", "one"]).fails(255);
    let hint = said.stderr.split("`publish ").nth(1).unwrap().split('`').next().unwrap();
    let mut command = pair.sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["-b", "ours"]).args(hint.split(' '));
    pair.sandbox.run(command).ok();
    run(&["gensnapshot", "sid", "one"]).ok();
}

#[test]
fn a_link_leads_to_suites_below_its_suite_too() {
    let suite = |codename: &str, name: &str| {
        format!("Codename: {codename}\nSuite: {name}\nArchitectures: amd64\nComponents: main\n")
    };
    let text = [suite("bookworm", "stable"), suite("bookworm/updates", "stable/updates")].join("\n");
    let Some(pair) = Pair::new(&text) else { return };
    for words in [&["createsymlinks"][..], &["export"], &["createsymlinks"], &["--delete", "createsymlinks"]]
    {
        pair.status(words);
    }
    for base in ["real", "ours"] {
        let dists = pair.sandbox.path(base).join("dists");
        assert_eq!(fs::read_link(dists.join("stable")).unwrap(), Path::new("bookworm"), "{base}");
        assert!(dists.join("stable/updates/Release").exists(), "{base}");
    }
}

#[test]
fn builds_of_each_architecture_are_missing_until_they_are_there() {
    let text = CONF.replacen(
        "amd64 source\nComponents: main\n",
        "amd64 i386 source\nComponents: main\nTracking: minimal\n",
        1,
    );
    let Some(pair) = Pair::new(&text) else { return };
    pair.conf("pulls", "Name: p\nFrom: sid\n");
    let folder = pair.sandbox.path("in");
    for (at, architectures) in
        ["any", "all", "any all", "amd64 i386", "linux-any", "i386 all"].iter().enumerate()
    {
        for built in ["none", "amd64", "i386", "all"] {
            let name = format!("p{at}{built}");
            let dsc = source(&name).write(&folder);
            let text = fs::read_to_string(&dsc).unwrap();
            fs::write(&dsc, text.replace("Architecture: any\n", &format!("Architecture: {architectures}\n")))
                .unwrap();
            pair.status(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", dsc.to_str().unwrap()]);
            if built != "none" {
                let file = deb(&name).version("1.0-1").architecture(built).write(&folder);
                pair.status(&["includedeb", "bookworm", file.to_str().unwrap()]);
            }
        }
    }
    for architecture in ["amd64", "i386", "all", "any"] {
        pair.lists(&["build-needing", "bookworm", architecture]);
    }
    pair.lists(&["dumptracks", "bookworm"]);
    pair.lists(&["--list-format", "${package} ${files}\n", "list", "bookworm"]);
}

#[test]
fn nothing_is_an_error_where_it_is_one_for_reprepro() {
    for tracking in ["", "Tracking: minimal\n"] {
        let text = format!(
            "Codename: bookworm\nArchitectures: amd64\nComponents: main\n{tracking}\nCodename: sid\nArchitectures: amd64\nComponents: main\n"
        );
        let Some(pair) = Pair::new(&text) else { return };
        deb("foo").write(pair.sandbox.path("in"));
        pair.status(&["gensnapshot", "bookworm", "early"]);
        pair.status(&["export"]);
        pair.conf("distributions", &format!("{text}ReadOnly: yes\n"));
        pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
        for words in [
            &["remove", "bookworm", "zz"][..],
            &["removesrc", "bookworm", "zz"],
            &["removesrcs", "bookworm", "zz"],
            &["removefilter", "bookworm", "Nosuch"],
            &["removematched", "bookworm", "zz*"],
            &["listfilter", "bookworm", "Nosuch"],
            &["listmatched", "bookworm", "zz*"],
            &["list", "bookworm", "zz"],
            &["list", "sid"],
            &["clearvanished"],
            &["includedeb", "bookworm", "in/foo_1.0_amd64.deb"],
            &["export", "sid"],
            &["export"],
        ] {
            pair.status(&[&["--nothingiserror"], words].concat());
        }
    }
}

#[test]
fn lines_of_overrides_without_a_value_change_nothing() {
    let text = "Codename: bookworm # 12\nArchitectures: amd64 # i386\nComponents: main\nDebOverride: over # ride\n\
                Description: packages # of a test\n";
    let Some(pair) = Pair::new(text) else { return };
    pair.conf("over", "zz\nyy Section\nfoo Section net\n");
    deb("foo").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.same("bookworm");
}

#[test]
fn the_name_of_a_snapshot_may_have_several_parts() {
    let Some(pair) = Pair::new("Codename: bookworm\nArchitectures: amd64\nComponents: main\n") else {
        return;
    };
    deb("foo").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    for name in ["2026/11", "2026/12", "2026"] {
        pair.status(&["gensnapshot", "bookworm", name]);
    }
    pair.lists(&["dumpreferences"]);
    let snapshots = pair.sandbox.path("ours/dists/bookworm/snapshots");
    let seen = |name: &str| {
        for mut apt in Client::all(&pair.sandbox) {
            let suite = format!("bookworm/snapshots/{name}");
            apt.source(&Source::folder(pair.sandbox.path("ours")).suite(&suite).components("main").trusted());
            apt.updates();
            assert_eq!(apt.candidate("foo").as_deref(), Some("1.0"), "{}", apt.name);
        }
    };
    seen("2026/11");
    seen("2026");
    pair.status(&["remove", "bookworm", "foo"]);
    pair.status(&["restore", "bookworm", "2026/11", "foo"]);
    pair.lists(&["list", "bookworm"]);
    // A snapshot is no part of another one whose name begins with its name.
    pair.status(&["unreferencesnapshot", "bookworm", "2026"]);
    assert!(!snapshots.join("2026/Release").exists() && snapshots.join("2026/12/Release").exists());
    seen("2026/11");
    pair.status(&["unreferencesnapshot", "bookworm", "2026/11"]);
    assert!(!snapshots.join("2026/11/Release").exists());
    seen("2026/12");
    pair.one("ours", &["check"]).ok();
    // reprepro leaves the folder `snapshots` by such a name, or writes one that no client can name.
    for name in ["../x", "a b", ".a", "a/"] {
        pair.one("ours", &["gensnapshot", "bookworm", name]).fails(255).says(["is not allowed"]);
    }
}
