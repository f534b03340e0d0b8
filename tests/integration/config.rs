//! Tests of `conf/distributions`: the effect of a change on the published suites.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture},
};

const FULL: &str = "Origin: Example\nLabel: Example packages\nSuite: stable\nCodename: bookworm\nVersion: 12\n\
    Architectures: amd64 arm64 source\nComponents: main contrib\nDescription: packages of the example\n \
    in two lines\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n";

#[test]
fn a_configured_suite_stays_as_it_is_when_nothing_changes() {
    let sandbox = Sandbox::new();
    sandbox.configure(FULL);
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let before = sandbox.tree();
    sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
    assert_eq!(sandbox.tree(), before);
}

/// A job that knows the warnings can turn them off, and still sees errors.
#[test]
fn quiet_commands_do_not_repeat_warnings_about_the_configuration() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("{FULL}Pull: rule\nUnheardOf: yes\n"));
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok().says(["`Pull`", "`UnheardOf`"]);
    for arguments in [&["-q", "add", "incoming"][..], &["-q", "list"]] {
        assert_eq!(sandbox.publish(arguments).ok().stderr, "");
    }
    sandbox.publish(["-q", "add", "no-such.deb"]).fails(1).says(["no-such.deb"]);
}

#[test]
fn the_configuration_sets_the_expiry_of_a_release() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    for (field, expires) in [("", false), ("ValidFor: 7d\n", true), ("", false)] {
        sandbox.configure(&format!("{FULL}{field}"));
        sandbox.publish(["add", "incoming"]).ok();
        assert_eq!(sandbox.read("dists/bookworm/Release").contains("Valid-Until"), expires, "{field}");
        sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
    }
}

/// The seconds between the dates of a release file, if it expires.
fn lifetime(sandbox: &Sandbox, release: &str) -> Option<i64> {
    let date = |field: &str| {
        let value = release.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "))?;
        sandbox.ask("date", ["-d", value, "+%s"]).trim().parse::<i64>().ok()
    };
    Some(date("Valid-Until")? - date("Date").expect("a date"))
}

/// In `ValidFor`, which reprepro has too, a number without a unit is a number of days.
#[test]
fn a_suite_expires_as_with_reprepro() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    for (span, days) in [
        ("7", Some(7)),
        ("7d", Some(7)),
        ("1m 11 d", Some(42)),
        ("1m 3", Some(34)),
        ("1 y", Some(365)),
        ("0d", None),
    ] {
        sandbox.configure(&format!("{FULL}ValidFor: {span}\n"));
        sandbox.publish(["add", "incoming"]).ok();
        sandbox.publish(["refresh"]).ok();
        let seconds = days.map(|days| days * 24 * 60 * 60);
        assert_eq!(lifetime(&sandbox, &sandbox.read("dists/bookworm/Release")), seconds, "{span}");
        let other = sandbox.path("other/conf");
        fs::create_dir_all(&other).unwrap();
        fs::copy(sandbox.archive("conf/distributions"), other.join("distributions")).unwrap();
        let mut reprepro = sandbox.command("reprepro");
        reprepro.args(["-b", "other", "export"]);
        sandbox.run(reprepro).ok();
        let release = fs::read_to_string(sandbox.path("other/dists/bookworm/Release")).unwrap();
        assert_eq!(lifetime(&sandbox, &release), seconds, "{span}");
    }
    // Every other span needs a unit.
    sandbox.configure(&format!("{FULL}KeepFor: 7\n"));
    sandbox.publish(["list"]).fails(1).says(["field `KeepFor` is `7`; expected a span"]);
    sandbox.configure(FULL);
    sandbox.publish(["prune", "--older-than", "7"]).fails(2).says(["expected a span such as `12h`"]);
}

#[test]
fn changes_that_apt_refuses_need_confirmation() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.configure(FULL);
    sandbox.publish(["add", "incoming"]).ok();
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&Source::folder(sandbox.archive("")).trusted().suite("bookworm").components("main"));
        apt.updates();
    }
    sandbox.configure(&FULL.replace("Origin: Example", "Origin: Other"));
    deb("world").write(sandbox.incoming());
    let before = sandbox.tree();
    let apt_says = "changed its 'Origin' value from 'Example' to 'Other'";
    for dry_run in [&["add", "incoming"][..], &["add", "incoming", "-n"], &["remove", "hello"]] {
        let said = sandbox.publish(dry_run).fails(1);
        said.says([
            "error: `apt update` would stop at suite `bookworm`",
            "`Origin` changes from `Example` to `Other`",
            apt_says,
        ]);
        assert_eq!(sandbox.tree(), before);
    }
    for apt in &clients {
        apt.updates();
    }
    let later = [("PUBLISH_DATE", "1748736060")];
    let said = sandbox.publish_with(&later, ["add", "incoming", "--allow-releaseinfo-change"]).ok();
    said.says(["warning: `Origin` changes from `Example` to `Other`"]);
    for apt in &clients {
        apt.update().fails(100).says([apt_says]);
        apt.run("apt-get", ["update", "--allow-releaseinfo-change"]).ok();
        assert_eq!(apt.candidate("world").as_deref(), Some("1.0"), "{}", apt.name);
    }
    // Changes that apt only mentions do not block.
    sandbox
        .configure(&FULL.replace("Origin: Example", "Origin: Other").replace("Version: 12", "Version: 12.1"));
    sandbox.publish_with(&later, ["remove", "world"]).ok();
}

/// Of `NotAutomatic` and `ButAutomaticUpgrades`, apt refuses only a change of the default priority that they give.
#[test]
fn changes_of_the_default_priority_need_confirmation() {
    let plain = "Codename: bookworm\nComponents: main\nArchitectures: amd64\n";
    let (not, but) = ("NotAutomatic: yes\n", "ButAutomaticUpgrades: yes\n");
    let both = format!("{not}{but}");
    for (before, after, stops) in [
        (not, "", true),
        ("", not, true),
        (not, &both, true),
        (&both, "", true),
        ("NotAutomatic: no\n", "", false),
        (but, "", false),
        (not, "NotAutomatic: YES\n", false),
    ] {
        let sandbox = Sandbox::new();
        deb("hello").write(sandbox.incoming());
        sandbox.configure(&format!("{plain}{before}"));
        sandbox.publish(["add", "incoming"]).ok();
        let mut clients = Client::all(&sandbox);
        for apt in &mut clients {
            apt.source(&Source::folder(sandbox.archive("")).trusted().suite("bookworm").components("main"));
            apt.updates();
        }
        sandbox.configure(&format!("{plain}{after}"));
        let apt_says = "changed its default priority for apt_preferences(5)";
        if stops {
            sandbox
                .publish_after(60, &["export"])
                .fails(1)
                .says(["would stop at suite `bookworm`", apt_says]);
            sandbox
                .publish_after(60, &["reprepro", "-b", "archive", "--allow-releaseinfo-change", "export"])
                .ok();
        } else {
            sandbox.publish_after(60, &["export"]).ok();
        }
        for apt in &clients {
            if stops {
                apt.update().fails(100).says([apt_says]);
            } else {
                apt.updates();
            }
        }
    }
}

#[test]
fn the_location_of_changelogs_is_published() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let uri = "https://changes.example.org/@CHANGEPATH@_changelog";
    sandbox.configure(&format!("{FULL}Changelogs: {uri}\nSnapshots: https://example.org/@SNAPSHOTID@/\n"));
    sandbox.publish(["add", "incoming"]).ok();
    assert!(
        sandbox.read("dists/bookworm/Release").contains("\nSnapshots: https://example.org/@SNAPSHOTID@/\n")
    );
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted().suite("bookworm").components("main"));
        apt.updates();
        let said = apt.run("apt-get", ["changelog", "--print-uris", "hello"]).ok();
        let expected = "https://changes.example.org/main/h/hello/hello_1.0_changelog";
        assert!(said.stdout.contains(expected), "{}: {}", apt.name, said.stdout);
    }
}

/// The fingerprints that `gpg` finds in the key file for clients.
fn fingerprints(sandbox: &Sandbox) -> Vec<String> {
    let shown = sandbox.ask("gpg", ["--show-keys", "--with-colons", "archive/archive-key.asc"]);
    let lines = shown.lines().filter(|line| line.starts_with("fpr:"));
    lines.map(|line| line.split(':').nth(9).unwrap().to_owned()).collect()
}

#[test]
fn suites_with_keys_of_their_own_share_the_file_for_clients() {
    let sandbox = Sandbox::new();
    let stanza = |name: &str, key: &str| {
        format!("Codename: {name}\nComponents: main\nSignWith: {}\n\n", fixture(key).display())
    };
    let both = stanza("stable", "keys/test.asc") + &stanza("testing", "keys/second.asc");
    sandbox.configure(&both);
    deb("hello").write(sandbox.incoming());
    for suite in ["stable", "testing"] {
        sandbox.publish(["add", "-s", suite, "incoming"]).ok();
        assert_eq!(fingerprints(&sandbox).len(), 2, "{suite}");
    }
    // A job without the key of the other suite leaves that key in place.
    sandbox.configure(&both.replace("second.asc", "not-here.asc"));
    let before = sandbox.tree();
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "-s", "stable", "incoming"]).ok();
    sandbox.tree().keeps(&before, &["dists/stable/"]);
    // A key that is no longer configured stays while it signs a published suite, and is removed after that.
    sandbox.configure(&stanza("stable", "keys/test.asc"));
    sandbox.publish(["remove", "world", "-s", "stable"]).ok();
    assert_eq!(fingerprints(&sandbox).len(), 2);
    fs::remove_dir_all(sandbox.archive("dists/testing")).unwrap();
    sandbox.publish(["add", "-s", "stable", "incoming"]).ok().says(["warning: removed key"]);
    assert_eq!(fingerprints(&sandbox), ["BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669"]);
    let Some(mut apt) = Client::debian_12(&sandbox) else { return };
    apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
    apt.updates();
}

#[test]
fn a_further_suite_is_signed_with_the_key_of_the_archive() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: old\nComponents: main"); // without the end of its last line
    sandbox.publish(["init"]).ok().says(["Generated key"]);
    let key = sandbox.read("archive-key.asc");
    sandbox.publish(["init", "--suite", "testing"]).ok().says(["It will be signed with"]);
    assert_eq!(sandbox.read("archive-key.asc"), key);
    deb("hello").write(sandbox.incoming());
    for suite in ["old", "stable", "testing"] {
        sandbox.publish(["add", "-s", suite, "incoming"]).ok();
        assert_eq!(sandbox.archive(format!("dists/{suite}/InRelease")).exists(), suite != "old");
    }
    assert_eq!(sandbox.read("archive-key.asc"), key);
}

#[test]
fn init_makes_no_key_for_a_suite_that_is_signed_already() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let key = fixture("keys/test.asc").display().to_string();
    sandbox.publish(["--sign-with", &key, "add", "incoming"]).ok();
    let before = sandbox.tree();
    sandbox.publish(["init"]).fails(1).says(["is already published and signed", "--sign-with"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["--sign-with", &key, "init"]).ok();
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["check"]).ok();
}

#[test]
fn apt_accepts_the_stanza_for_clients() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    for folder in ["of my own", "one,two"] {
        let archive = sandbox.path(folder).display().to_string();
        let stanza = sandbox.publish(["--archive", &archive, "add", "incoming"]).ok().stdout;
        let Some(apt) = Client::debian_12(&sandbox) else { return };
        apt.stanza(&stanza.replace("[SANDBOX]", &sandbox.path("").display().to_string()));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{folder}");
    }
}
