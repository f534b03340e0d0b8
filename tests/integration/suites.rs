//! Tests of whole suites: which one a command means, how one begins, and `publish drop`.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, age, fixture},
};

const DAY: u64 = 24 * 60 * 60;

fn stanza(name: &str) -> String {
    format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n\n")
}

/// An archive with these suites, each with the package `hello`; configured, if that is asked for.
fn archive(suites: &[&str], configured: bool) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(&suites.iter().map(|name| stanza(name)).collect::<String>());
    deb("hello").write(sandbox.incoming());
    for suite in suites {
        sandbox.publish(["add", "incoming", "--suite", suite]).ok();
    }
    if !configured {
        fs::remove_dir_all(sandbox.archive("conf")).unwrap();
    }
    sandbox
}

#[test]
fn the_default_suite_is_the_only_one_that_is_configured_or_published() {
    let sandbox = archive(&["stable"], false);
    sandbox.configure(&stanza("testing"));
    let before = sandbox.tree();
    deb("world").write(sandbox.incoming());
    for command in [&["add", "incoming"][..], &["remove", "hello"], &["snapshot", "one"], &["rollback"]] {
        let said = sandbox.publish(command).fails(2);
        said.says(["choose one with `--suite`: `testing`, `stable`"]);
    }
    assert_eq!(sandbox.tree(), before);
    // The option that the message names exists.
    sandbox.publish(["rollback", "--suite", "stable", "--to", "1999"]).fails(1);
    sandbox.publish(["rollback", "--suite", "stable", "--to", "0"]).ok().says(["already has the content of"]);
    sandbox.publish(["rollback", "stable", "--to", "testing@2025"]).fails(2).says(["of suite `testing`"]);
    let said = sandbox.publish(["rollback", "stable", "--to", "stable@2025", "--dry-run"]).ok();
    said.says(["already has the content of"]);
    sandbox.publish(["add", "incoming", "--suite", "testing"]).ok();
    // A link to the configured suite is not a second one.
    let sandbox = archive(&["bookworm"], false);
    std::os::unix::fs::symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    sandbox.publish(["add", "incoming"]).ok().says(["already"]);
}

#[test]
fn a_second_suite_is_begun_on_request() {
    let sandbox = archive(&["stable"], false);
    let before = sandbox.tree();
    let said = sandbox.publish(["add", "incoming", "--suite", "stabel"]).fails(1);
    said.says(["there is no suite `stabel`; there are: `stable`", "run the same command with `--new-suite`"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["add", "incoming", "--new-suite"]).fails(2);
    sandbox.publish(["add", "incoming", "--new-suite", "--suite", "testing"]).ok();
    // The same job again.
    sandbox.publish(["add", "incoming", "--new-suite", "--suite", "testing"]).ok().says(["already"]);
    let copy = ["copy", "hello", "--from", "stable", "--to", "old"];
    sandbox.publish(copy).fails(1).says(["there is no suite `old`"]);
    sandbox.publish([&copy[..], &["--new-suite"]].concat()).ok();
    assert_eq!(sandbox.publish(["list"]).ok().stdout.lines().count(), 3);
}

#[test]
fn init_writes_the_configuration_that_is_named() {
    let sandbox = archive(&["stable"], false);
    let config = ["--config", "here/distributions"];
    sandbox.publish([&config[..], &["list"]].concat()).fails(1).says(["here/distributions"]);
    let init =
        |suite: &str| sandbox.publish([&config[..], &["init", "--unsigned", "--suite", suite]].concat());
    init("stable").ok().says(["Next: publish", "--config"]);
    init("testing").ok();
    init("testing").fails(1).says(["already configured"]);
    let text = fs::read_to_string(sandbox.path("here/distributions")).unwrap();
    assert_eq!(text.matches("Codename: ").count(), 2, "{text}");
    assert!(!sandbox.archive("conf").exists());
    sandbox.publish([&config[..], &["add", "incoming", "--suite", "testing"]].concat()).ok();
    let bucket = ["--archive", "s3://example/apt", "init"];
    sandbox.publish(bucket).fails(2).says(["--config FILE"]);
}

#[test]
fn a_new_archive_is_announced_before_it_begins() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let begins = "Creating a new archive: none exists in ";
    let said = sandbox.publish(["add", "incoming"]).ok();
    let (first, added) = (said.stderr.find(begins), said.stderr.find("Added 1 package"));
    assert!(first.is_some() && first < added, "{}", said.stderr);
    deb("world").write(sandbox.incoming());
    for arguments in [&["add", "incoming"][..], &["add", "incoming", "--new-suite", "--suite", "testing"]] {
        let said = sandbox.publish(arguments).ok();
        assert!(!said.stderr.contains(begins), "{}", said.stderr);
    }
}

#[test]
fn a_dropped_suite_is_gone_for_clients_and_the_others_stay() {
    let sandbox = archive(&["stable", "testing", "testing/updates"], true);
    sandbox.publish(["snapshot", "one", "--suite", "testing"]).ok();
    deb("only").write(sandbox.path("only"));
    sandbox.publish_after(60, &["add", "only", "--suite", "testing"]).ok();
    let mut clients = Client::all(&sandbox);
    let before = sandbox.tree();
    sandbox.publish(["drop", "testing", "--dry-run"]).ok().says(["Would drop suite `testing`"]);
    assert_eq!(sandbox.tree(), before);
    let json = sandbox.publish(["drop", "testing", "--dry-run", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["below"], serde_json::json!(["testing/snapshots/one", "testing/updates"]));
    sandbox.publish(["drop", "testing"]).ok().says([
        "Dropped suite `testing`",
        "Suites below it stay: `testing/snapshots/one`, `testing/updates`",
        "It is still configured",
    ]);
    assert!(!sandbox.archive("dists/testing/Release").exists());
    assert!(!sandbox.archive("dists/testing/main/binary-amd64/Packages").exists());
    sandbox
        .tree()
        .keeps(&before, &["dists/testing/Release", "dists/testing/main/", "dists/testing/generations/"]);
    sandbox.publish(["check"]).ok();
    sandbox.publish(["check", "--repair"]).ok();
    sandbox.publish(["drop", "testing"]).fails(1).says(["there is no suite `testing`"]);
    let listed = sandbox.publish(["list"]).ok().stdout;
    assert!(!listed.contains("only"), "{listed}");
    for apt in &mut clients {
        for suite in ["stable", "testing/updates", "testing/snapshots/one"] {
            apt.source(&Source::folder(sandbox.archive("")).trusted().suite(suite));
            apt.updates();
        }
    }
    // Its generations do not bring it back, and a later `prune` deletes all that is left of it.
    sandbox.publish(["prune"]).ok();
    assert!(!sandbox.tree().paths_with("dists/testing/generations/").is_empty(), "within two days");
    age(&sandbox.archive(""), 3);
    let later = sandbox.ask("date", ["+%s"]);
    sandbox.publish_with(&[("PUBLISH_DATE", later.trim())], ["prune"]).ok();
    let left: Vec<String> = sandbox.tree().paths_with("dists/testing/");
    let is_below = |path: &String| path.contains("/snapshots/") || path.contains("/updates/");
    assert!(!left.is_empty() && left.iter().all(is_below), "{left:?}");
    assert!(sandbox.tree().paths_with("only_1.0").is_empty(), "no suite has it");
    assert!(!sandbox.tree().paths_with("hello_1.0").is_empty());
    // The suite begins anew.
    sandbox.publish_after(2 * 60, &["add", "incoming", "--suite", "testing"]).ok();
    let log = sandbox.publish(["log", "testing"]).ok().stdout;
    assert!(log.contains("oldest retained generation") && log.matches("Date:").count() == 1, "{log}");
    sandbox.publish_after(DAY, &["check"]).ok();
}

#[test]
fn prune_deletes_what_the_last_suite_has_left() {
    let sandbox = archive(&["stable"], false);
    sandbox.publish(["drop", "stable"]).ok();
    age(&sandbox.archive(""), 3);
    let later = sandbox.ask("date", ["+%s"]);
    sandbox.publish_with(&[("PUBLISH_DATE", later.trim())], ["prune"]).ok();
    let left: Vec<String> =
        ["dists/", "pool/"].iter().flat_map(|folder| sandbox.tree().paths_with(folder)).collect();
    assert!(left.is_empty(), "{left:?}");
    // A folder of packages that was never published is none of its business.
    let other = Sandbox::new();
    deb("hello").write_as(other.archive("pool/main/h/hello/hello_1.0_amd64.deb"));
    other.publish(["prune"]).fails(1).says(["there is no archive"]);
}

#[test]
fn a_suite_cannot_have_the_name_of_a_folder_of_indices() {
    let sandbox = archive(&["stable"], false);
    let before = sandbox.tree();
    for name in ["binary-test", "z/by/source", "x/main/binary-amd64", "stable/generations/x"] {
        let said = sandbox.publish(["add", "incoming", "--new-suite", "--suite", name]);
        assert!(said.status != Some(0) && said.stderr.contains(name), "{said}");
        assert_eq!(sandbox.tree(), before);
    }
    sandbox.publish(["add", "incoming", "--new-suite", "--suite", "source"]).ok();
    assert!(sandbox.publish(["list"]).ok().stdout.contains("source "));
}

#[test]
fn a_dropped_suite_can_be_created_again_at_once() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["drop", "stable"]).ok();
    deb("world").write(sandbox.path("other"));
    sandbox.publish_after(DAY, &["add", "other"]).ok();
    let listed = sandbox.publish(["list"]).ok().stdout;
    assert!(listed.contains("world") && !listed.contains("hello"), "{listed}");
    sandbox.publish_after(2 * DAY, &["check"]).ok();
    sandbox.publish_after(DAY + 60, &["rollback"]).fails(1).says(["no earlier generation"]);
}

#[test]
fn an_interrupted_drop_is_finished_by_the_next_one() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    // Killed after its commit.
    fs::write(sandbox.archive("dists/stable/InRelease"), "This suite was dropped.\n").unwrap();
    sandbox
        .publish(["add", "incoming"])
        .fails(3)
        .says(["suite `stable` is being dropped", "publish drop stable"]);
    let _ = sandbox.publish(["check", "--repair"]);
    assert_eq!(sandbox.publish(["list"]).ok().stdout, "");
    sandbox.publish(["drop", "stable"]).ok();
    // Killed before it deleted the marks, as of a suite whose release file is lost.
    sandbox.publish(["add", "incoming"]).ok();
    for name in ["InRelease", "Release", "Release.gpg"] {
        fs::remove_file(sandbox.archive("dists/stable").join(name)).unwrap();
    }
    sandbox.publish(["add", "incoming"]).fails(1);
    sandbox.publish(["drop", "stable"]).ok();
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_suite_of_another_tool_is_dropped_with_the_files_that_it_lists() {
    let sandbox = archive(&["stable"], false);
    let files: [(&str, &[u8]); 4] = [
        ("main/binary-amd64/Packages", b""),
        ("main/binary-amd64/Release", b"Component: main\n"),
        ("main/Contents-amd64", b"usr/bin/old old\n"),
        ("main/i18n/Translation-en", b""),
    ];
    sandbox.adopt_files("old", &files);
    fs::write(sandbox.archive("dists/old/README"), "about this suite\n").unwrap();
    fs::write(sandbox.archive("dists/old/main/binary-amd64/Packages.bz2"), "not listed").unwrap();
    sandbox.publish(["drop", "old"]).ok();
    assert_eq!(sandbox.tree().paths_with("dists/old/"), ["dists/old/README"]);
    sandbox.publish(["prune"]).ok();
    // A damaged release file does not keep a suite.
    sandbox.adopt_files("old", &files);
    fs::write(sandbox.archive("dists/old/Release"), "Codename: old\n").unwrap();
    sandbox.publish(["drop", "old"]).ok();
    assert!(!sandbox.archive("dists/old/main/binary-amd64/Packages").exists());
}

#[test]
fn protected_suites_are_not_dropped() {
    let sandbox = archive(&["stable"], true);
    std::os::unix::fs::symlink("stable", sandbox.archive("dists/link")).unwrap();
    let before = sandbox.tree();
    sandbox.publish(["drop", "link"]).fails(1).says(["dists/link` is a link to another suite", "rm "]);
    sandbox.publish(["drop"]).fails(2);
    sandbox.publish(["drop", ""]).fails(2);
    sandbox.publish(["drop", "nowhere"]).fails(1).says(["there is no suite `nowhere`"]);
    sandbox.publish(["drop", "stable", "--archive", "https://example.org/"]).fails(1).says(["is read-only"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.configure(&format!("{}ReadOnly: yes\n", stanza("stable").trim_end().to_owned() + "\n"));
    sandbox.publish(["drop", "stable"]).fails(1).says(["`ReadOnly: yes`"]);
    assert!(sandbox.archive("dists/stable/Release").exists());
}

#[test]
fn two_suites_never_share_a_folder_of_indices() {
    let conf = "Codename: bookworm\nComponents: main updates/main\nArchitectures: amd64\n\n\
        Codename: bookworm/updates\nComponents: main\nArchitectures: amd64\n";
    let would_share = "would share the folder `dists/bookworm/updates/main`";
    for (first, second) in [("bookworm", "bookworm/updates"), ("bookworm/updates", "bookworm")] {
        let sandbox = Sandbox::new();
        sandbox.configure(conf);
        deb("hello").write(sandbox.incoming());
        sandbox.publish(["add", "incoming", "--suite", first]).ok();
        let before = sandbox.tree();
        for command in [&["add", "incoming", "--suite", second][..], &["export", second, "--dry-run"]] {
            let said = sandbox.publish(command).fails(1);
            said.says([would_share, "suite `bookworm`", "suite `bookworm/updates`", "hint: "]);
            assert_eq!(sandbox.tree(), before);
        }
        // Also without a configuration of the published one, and at the destination of a sync.
        let other = Sandbox::new();
        other.configure(conf);
        deb("hello").write(other.incoming());
        other.publish(["add", "incoming", "--suite", second]).ok();
        let there = other.archive("").display().to_string();
        sandbox.publish(["sync", &there]).fails(1).says([would_share]);
        // Once one is dropped, the other can begin.
        sandbox.publish(["drop", first]).ok();
        sandbox.publish(["add", "incoming", "--suite", second]).ok();
        sandbox.publish(["check"]).ok();
    }
}

#[test]
fn the_time_of_the_source_does_not_date_a_suite() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("{}ValidFor: 7d\n", stanza("stable").trim_end().to_owned() + "\n"));
    deb("hello").write(sandbox.incoming());
    let now: u64 = sandbox.ask("date", ["+%s"]).trim().parse().unwrap();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["add", "incoming"]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
    command.env_remove("PUBLISH_DATE").env("SOURCE_DATE_EPOCH", (now - 20 * DAY).to_string());
    let said = sandbox.run(command).ok();
    assert!(!said.stderr.contains("`Date`"), "{}", said.stderr);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
    }
    // A named time is used, and one that makes the suite expire is said.
    let date = |time: &str| ["--date".to_owned(), time.to_owned(), "export".to_owned()];
    sandbox.publish(date("yesterday")).fails(2).says(["--date", "2025-06-01T12:00:00Z"]);
    let other = Sandbox::new();
    other.configure(&sandbox.read("conf/distributions"));
    let allowed = |value: &'static str| [("PUBLISH_ALLOW_EXPIRED", value)];
    for arguments in [
        date("2025-06-01T00:00:00Z"),
        date("2025-06-01T00:00:00Z").map(|word| word.replace("export", "refresh")),
    ] {
        let said = other.publish_with(&allowed("0"), arguments).fails(1);
        assert!(!other.archive("dists").exists());
        if said.stderr.contains("valid until") {
            said.says([
                "would be valid until 2025-06-08T00:00:00Z, which has passed",
                "hint: leave out `--date`",
                "--allow-expired",
            ]);
        }
    }
    let said = other
        .publish_with(
            &allowed("0"),
            [&["--allow-expired".to_owned()][..], &date("2025-06-01T00:00:00Z")].concat(),
        )
        .ok();
    said.says(["warning: suite `stable` is valid until 2025-06-08T00:00:00Z, which has passed"]);
    assert!(other.read("dists/stable/Release").contains("Date: Sun, 01 Jun 2025 00:00:00 UTC\n"));
    // It never dates a suite back.
    let said = sandbox.publish(["--date", "2025-06-01T00:00:00Z", "refresh", "--force"]).ok();
    said.says(["`Date` stays at the published"]);
    let key = fixture("keys/test.asc").display().to_string();
    other.publish(["--date", "@1748736060", "--sign-with", &key, "--trust-existing", "export"]).ok();
}

#[test]
fn a_suite_that_is_not_there_is_an_error_that_names_those_that_are() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let other = format!("{}#stabel", sandbox.archive("").display());
    let to = sandbox.path("mirror").display().to_string();
    for arguments in [
        &["drop", "stabel"][..],
        &["log", "stabel"],
        &["diff", "stabel", "stable"],
        &["diff", "stable", "stabel@2025"],
        &["copy", "hello", "--from", "stabel", "--to", "stable"],
        &["pull", "--from", &other, "stable", "hello"],
        &["list", "-s", "stabel"],
        &["rollback", "stabel"],
        &["sync", &to, "-s", "stabel"],
    ] {
        let said = sandbox.publish(arguments).fails(1);
        said.says(["there is no suite `stabel`; there are: `stable`", "hint: did you mean `stable`?"]);
    }
    // Suites are exported once, by whatever names they are given.
    sandbox.configure("Codename: stable\nSuite: current\nComponents: main\nArchitectures: amd64\n");
    let said = sandbox.publish(["export", "stable", "current", "stable"]).ok();
    assert_eq!(said.stderr.matches("suite `stable`").count(), 1, "{}", said.stderr);
}
