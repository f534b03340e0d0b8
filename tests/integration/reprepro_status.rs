//! Tests of statuses under reprepro's command line: of `--nothingiserror`, of options that select nothing, and of
//! `conf/incoming`; beside the real reprepro.

use std::fs;

use crate::{
    deb_builder::deb,
    reprepro_pair::Pair,
    reprepro_uploads::{describe, queue},
    source_builder::source,
};

const CONF: &str = "Codename: bookworm\nArchitectures: amd64 i386 source\nComponents: main\n";

#[test]
fn nothing_is_an_error_for_the_same_commands() {
    let Some(pair) = Pair::new(CONF) else { return };
    deb("foo").write(pair.sandbox.path("in"));
    source("bar").write(pair.sandbox.path("in"));
    let all = |words: &[&str]| {
        for line in words {
            let words: Vec<&str> = line.split(' ').collect();
            pair.status(&words);
            pair.status(&[&["--nothingiserror"], &words[..]].concat());
        }
    };
    let reports = ["unusedsources", "sourcemissing", "reportcruft"];
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    all(&reports);
    all(&["dumpunreferenced", "deleteunreferenced", "rerunnotifiers", "createsymlinks", "cleanlists"]);
    all(&[
        "dumptracks",
        "tidytracks",
        "retrack",
        "removealltracks bookworm",
        "rereference",
        "dumpreferences",
    ]);
    all(&["redochecksums", "repairdescriptions", "collectnewchecksums", "translatelegacychecksums"]);
    all(&["translatefilelists", "checkpool", "check", "export", "list bookworm zz", "ls zz"]);
    // Where there is something to report.
    pair.status(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", "in/bar_1.0-1.dsc"]);
    all(&reports);
    pair.conf("hook", "#!/bin/sh\n");
    for base in ["real", "ours"] {
        let hook = pair.sandbox.path(base).join("conf/hook");
        fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    pair.conf("distributions", &format!("{CONF}Suite: stable\nLog: log\n hook\n"));
    all(&["rerunnotifiers", "createsymlinks"]);
}

#[test]
fn tracks_that_are_not_there_are_no_silent_success() {
    let Some(pair) = Pair::new(&format!("{CONF}Tracking: minimal\n")) else { return };
    let up = pair.sandbox.path("up");
    deb("foo").version("1").write(&up);
    let file = describe(&up, "foo.changes", &[]);
    pair.status(&["--nothingiserror", "dumptracks"]);
    pair.status(&["include", "bookworm", &file]);
    pair.status(&["--nothingiserror", "dumptracks"]);
    pair.status(&["--nothingiserror", "retrack"]);
    pair.status(&["--nothingiserror", "tidytracks"]);
    for version in ["2", "1"] {
        pair.status(&["removetrack", "bookworm", "foo", version]);
    }
    pair.status(&["removetrack", "bookworm", "gone", "1"]);
    pair.status(&["removealltracks", "bookworm"]);
    pair.status(&["--delete", "removealltracks", "bookworm"]);
    pair.lists(&["list", "bookworm"]);
    // The real one crashes.
    pair.conf("distributions", CONF);
    pair.one("ours", &["removetrack", "bookworm", "foo", "1"]).fails(255).says(["has no field `Tracking`"]);
}

#[test]
fn an_upload_that_was_published_before_is_nothing_to_do_for_a_queue_alone() {
    let Some(pair) = Pair::new(CONF) else { return };
    let up = pair.sandbox.path("up");
    deb("foo").version("1").write(&up);
    let file = describe(&up, "foo.changes", &[]);
    for _ in 0..2 {
        pair.status(&["--nothingiserror", "include", "bookworm", &file]);
    }
    queue(&pair, "Allow: bookworm", |folder| {
        deb("foo").version("1").write(folder);
        describe(folder, "foo.changes", &[]);
    });
    pair.status(&["--nothingiserror", "processincoming", "q"]);
    pair.status(&["--nothingiserror", "processincoming", "q"]);
}

#[test]
fn no_package_is_forced_into_the_architecture_all() {
    let Some(pair) = Pair::new(CONF) else { return };
    for package in [deb("foo"), deb("bar").architecture("all")] {
        package.write(pair.sandbox.path("in"));
    }
    for architectures in ["all", "all|amd64", "source", "i386"] {
        for file in ["in/foo_1.0_amd64.deb", "in/bar_1.0_all.deb"] {
            pair.status(&["-A", architectures, "includedeb", "bookworm", file]);
            pair.lists(&["list", "bookworm"]);
        }
    }
}

#[test]
fn faults_of_a_queue_have_the_statuses_of_reprepro() {
    let Some(pair) = Pair::new(CONF) else { return };
    let whole = "Name: q\nIncomingDir: queue\nTempDir: tmp\nAllow: bookworm\n";
    queue(&pair, "Allow: bookworm", |_| ());
    for (change, status) in [
        (("Name: q\n", ""), 249),
        (("IncomingDir: queue\n", ""), 249),
        (("TempDir: tmp\n", ""), 249),
        (("Allow: bookworm\n", ""), 255),
        (("Name: q\n", "Name: z\nIncomingDir: queue\nAllow: bookworm\n\nName: q\n"), 249),
        (("Allow:", "Permit: nosuch\nAllow:"), 248),
        (("Allow:", "Cleanup: nosuch\nAllow:"), 248),
        (("Allow:", "Options: nosuch\nAllow:"), 248),
        (("Allow:", "Nosuch: x\nAllow:"), 248),
        (("Allow:", "Multiple: perhaps\nAllow:"), 255),
        (("Allow:", "Multiple: Yes\nAllow:"), 0),
    ] {
        pair.conf("incoming", &whole.replacen(change.0, change.1, 1));
        pair.status(&["processincoming", "q"]);
        let said = pair.one("ours", &["processincoming", "q"]);
        assert_eq!(said.status, Some(status), "{change:?}\n{said}");
        if status == 248 {
            pair.status(&["--ignore=unknownfield", "processincoming", "q"]);
        }
    }
}
