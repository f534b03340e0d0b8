//! `sync` verifies the suites of its source, and never puts one that fails over one that clients trust.

use std::{fs, path::Path};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, Tree, fixture},
    web::Web,
};

const KEY: &str = "keys/test.asc";
const OTHER: &str = "keys/second.asc";
const POINTER: &str = "dists/stable/InRelease";

/// An archive in `source/` of a sandbox without a configured key, as that of a stranger.
struct Source {
    sandbox: Sandbox,
    clock: u64,
}

impl Source {
    fn new() -> Self {
        let mut source = Self { sandbox: Sandbox::new(), clock: 1_748_736_000 };
        source.add("hello", "stable", &[KEY]);
        source
    }

    /// Publishes a package in a suite, signed with these keys.
    fn add(&mut self, name: &str, suite: &str, keys: &[&str]) {
        self.clock += 60;
        let file = deb(name).write(self.sandbox.incoming());
        let mut arguments = vec!["-a".to_owned(), "source".to_owned(), "--trust-existing".to_owned()];
        for key in keys {
            arguments.extend(["--sign-with".to_owned(), fixture(key).display().to_string()]);
        }
        arguments.extend([
            "add".to_owned(),
            "--suite".to_owned(),
            suite.to_owned(),
            file.display().to_string(),
        ]);
        self.sandbox.publish_with(&[("PUBLISH_DATE", &self.clock.to_string())], arguments).ok();
    }

    fn configure(&self, suites: &[&str]) {
        let text: Vec<String> = suites
            .iter()
            .map(|suite| format!("Codename: {suite}\nComponents: main\nArchitectures: amd64\n"))
            .collect();
        fs::create_dir_all(self.sandbox.path("source/conf")).unwrap();
        fs::write(self.sandbox.path("source/conf/distributions"), text.join("\n")).unwrap();
    }

    /// Changes files of the source, as an attacker without its key can.
    fn change(&self, path: &str, change: impl Fn(String) -> String) {
        let path = self.sandbox.path("source").join(path);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    }

    fn sync(&self, more: &[&str]) -> Outcome {
        self.sync_from("source", more)
    }

    fn sync_from(&self, source: &str, more: &[&str]) -> Outcome {
        let arguments = [&["-a", source, "sync", "./mirror"], more].concat();
        self.sandbox.publish_with(&[("PUBLISH_DATE", &(self.clock + 10).to_string())], arguments)
    }

    fn mirror(&self) -> Tree {
        Tree::read(&self.sandbox.path("mirror"))
    }

    /// The mirror does not change, and the remedy is named.
    #[track_caller]
    fn is_refused(&self, more: &[&str], why: &str) {
        let before = self.mirror();
        let said = self.sync(more).fails(1);
        said.says([
            "suite `stable` cannot be copied: its signature is not verified",
            why,
            "`--keyring FILE`",
            "`--trust-existing`",
        ]);
        assert_eq!(self.mirror(), before);
    }
}

fn public(key: &str) -> String {
    fixture(&key.replace(".asc", ".pub.asc")).display().to_string()
}

#[test]
fn a_changed_suite_does_not_replace_a_good_one() {
    let mut source = Source::new();
    source.sync(&[]).ok();
    for file in [POINTER, "dists/stable/Release"] {
        source.change(file, |text| text.replace("00:01:00", "00:01:30"));
    }
    source.is_refused(&[], "does not match");
    source.is_refused(&["--keyring", &public(KEY)], "does not match");
    source.is_refused(&["--verify", "--delete"], "does not match");
    source.add("world", "stable", &[KEY]);
    source.sync(&[]).ok().says(["Published suite `stable`"]);
}

#[test]
fn a_suite_of_another_key_does_not_replace_a_good_one() {
    let mut source = Source::new();
    source.sync(&[]).ok();
    // The attacker replaces the key file too.
    fs::remove_file(source.sandbox.path("source/archive-key.asc")).unwrap();
    source.add("evil", "stable", &[OTHER]);
    source.is_refused(&[], "is not trusted");
    source.is_refused(&["--keyring", &public(KEY)], "is not trusted");
    source.sync(&["--keyring", &public(OTHER)]).ok().says(["Published suite `stable`"]);
    // Accepted once, the clients of the mirror have the new key.
    source.add("more", "stable", &[OTHER]);
    source.sync(&[]).ok().says(["Published suite `stable`"]);
}

#[test]
fn a_source_is_adopted_once_on_request() {
    let mut source = Source::new();
    source.sync(&[]).ok();
    fs::remove_file(source.sandbox.path("source/archive-key.asc")).unwrap();
    source.add("new", "stable", &[OTHER]);
    source.sync(&["--trust-existing"]).ok().says(["Published suite `stable`"]);
    source.add("newer", "stable", &[OTHER]);
    source.sync(&[]).ok();
}

#[test]
fn a_keyring_decides_alone() {
    let source = Source::new();
    let said = source.sync(&["--keyring", &public(OTHER)]).fails(1);
    said.says(["suite `stable` cannot be copied", "is not trusted"]);
    assert!(!source.sandbox.path("mirror").join(POINTER).exists());
    assert!(!source.sandbox.path("mirror/archive-key.asc").exists());
    source.sync(&["--keyring", "none.asc"]).fails(1).says(["cannot read `none.asc`"]);
    source.sync(&["--keyring", &public(OTHER), "--keyring", &public(KEY)]).ok();

    // An unsigned suite is signed by none of the keys.
    let unsigned = Sandbox::new();
    deb("hello").write(unsigned.incoming());
    unsigned.publish(["add", "incoming"]).ok();
    let said = unsigned.publish(["sync", "./mirror", "--keyring", &public(KEY)]).fails(1);
    said.says(["suite `stable` cannot be copied", "is not signed"]);
    unsigned.publish(["sync", "./mirror"]).ok();
}

#[test]
fn an_unknown_key_is_reported_and_required_later() {
    let mut source = Source::new();
    let without_key =
        |source: &Source| fs::remove_file(source.sandbox.path("source/archive-key.asc")).unwrap();
    without_key(&source);
    source.sync(&[]).ok().says(["the signature of suite `stable` was not verified", "--keyring FILE"]);
    source.sync(&[]).ok().says(["Nothing to do"]);
    source.add("world", "stable", &[KEY]);
    without_key(&source);
    source.is_refused(&[], "no public key is known");
    source.sync(&["--keyring", &public(KEY)]).ok().says(["Published suite `stable`"]);
    source.add("more", "stable", &[KEY]);
    without_key(&source);
    source.sync(&["--trust-existing"]).ok().says(["Published suite `stable`"]);
}

#[test]
fn a_rotated_key_is_followed() {
    let mut source = Source::new();
    source.sync(&[]).ok();
    source.add("both", "stable", &[KEY, OTHER]);
    source.sync(&[]).ok();
    source.add("new", "stable", &[OTHER]);
    source.sync(&[]).ok().says(["Published suite `stable`"]);
    source.add("old", "stable", &[KEY]);
}

#[test]
fn one_suite_that_fails_does_not_stop_the_others() {
    let mut source = Source::new();
    source.configure(&["stable", "testing"]);
    source.add("one", "testing", &[KEY]);
    source.sync(&[]).ok();
    let keys = fs::read(source.sandbox.path("mirror/archive-key.asc")).unwrap();
    source.add("two", "testing", &[KEY]);
    source.add("evil", "stable", &[OTHER]);
    let before = fs::read(source.sandbox.path("mirror").join(POINTER)).unwrap();
    let said = source.sync(&[]).fails(1);
    said.says(["Published suite `testing`", "suite `stable` cannot be copied"]);
    assert_eq!(fs::read(source.sandbox.path("mirror").join(POINTER)).unwrap(), before);
    // The keys of the source include that of the suite that failed.
    assert_eq!(fs::read(source.sandbox.path("mirror/archive-key.asc")).unwrap(), keys);
    source.is_refused(&[], "is not trusted");
}

#[test]
fn a_detached_signature_is_verified() {
    let mut source = Source::new();
    fs::remove_file(source.sandbox.path("source").join(POINTER)).unwrap();
    source.sync(&[]).ok();
    source.change("dists/stable/Release", |text| text.replace("00:01:00", "00:01:30"));
    source.is_refused(&[], "does not match");
    // Without its signature, it is not signed any more.
    let signature = source.sandbox.path("source/dists/stable/Release.gpg");
    fs::remove_file(&signature).unwrap();
    let before = source.mirror();
    source.sync(&[]).fails(1).says(["suite `stable` is signed in", "not here"]);
    assert_eq!(source.mirror(), before);
    source.clock += 1;
}

/// The signature is valid, but it was made for another suite.
#[test]
fn a_suite_in_the_place_of_another_is_refused() {
    let mut source = Source::new();
    source.configure(&["stable", "testing"]);
    source.sync(&["--suite", "stable"]).ok();
    source.add("one", "testing", &[KEY]);
    for file in ["InRelease", "Release", "Release.gpg"] {
        let at = |suite: &str| source.sandbox.path("source/dists").join(suite).join(file);
        fs::copy(at("testing"), at("stable")).unwrap();
    }
    source.is_refused(&["--suite", "stable"], "its name is `testing`");
}

/// A bucket on the web without a public listing answers 403 for a missing file.
#[test]
fn a_web_server_may_refuse_optional_files() {
    let source = Source::new();
    let folder = source.sandbox.path("source");
    let remove = |path: &str| match folder.join(path) {
        path if path.is_dir() => fs::remove_dir_all(path).unwrap(),
        path => fs::remove_file(path).unwrap(),
    };
    for path in [
        "archive-key.asc",
        "dists/stable/Release.gpg",
        "dists/stable/Release",
        "dists/stable/generations",
        "dists/stable/main/binary-amd64/by-hash",
        "dists/stable/main/binary-amd64/Packages.gz",
    ] {
        remove(path);
    }
    let serve = |status: &'static str, also: Option<&'static str>| {
        Web::with(Path::new(&folder).to_owned(), move |request, reply| {
            if reply.status.starts_with("404") || also.is_some_and(|path| request.ends_with(path)) {
                reply.says(status);
            }
        })
    };
    for status in ["403 Forbidden", "410 Gone", "401 Unauthorized"] {
        let _ = fs::remove_dir_all(source.sandbox.path("mirror"));
        let web = serve(status, None);
        source.sync_from(&web.url, &["--suite", "stable", "--keyring", &public(KEY)]).ok();
        let mirror = source.mirror();
        assert!(mirror.has(POINTER) && !mirror.has("archive-key.asc"), "{status}");
        let listed = source.sandbox.publish(["-a", &web.url, "list", "--suite", "stable"]).ok();
        assert!(listed.stdout.contains("hello"), "{}", listed.stdout);
        // A package is not optional.
        fs::remove_dir_all(source.sandbox.path("mirror")).unwrap();
        let web = serve(status, Some("hello_1.0_amd64.deb"));
        let said = source.sync_from(&web.url, &["--suite", "stable", "--keyring", &public(KEY)]).fails(1);
        said.says(["cannot copy `pool/main/h/hello/hello_1.0_amd64.deb`", &status[..3]]);
        assert!(!source.sandbox.path("mirror").join(POINTER).exists(), "{status}");
    }
}

#[test]
fn an_expired_suite_is_not_copied() {
    let source = Source::new();
    source.configure(&["stable"]);
    let conf = source.sandbox.path("source/conf/distributions");
    fs::write(&conf, format!("{}ValidFor: 1d\n", fs::read_to_string(&conf).unwrap())).unwrap();
    let mut source = source;
    source.add("other", "stable", &[KEY]);
    let web = Web::of(source.sandbox.path("source"));
    let key = fixture("keys/test.pub.asc");
    for (from, to) in [(&*web.url, "./mirror"), ("source", "./copy")] {
        let sync = |seconds: u64, more: &[&str]| {
            let words = ["-a", from, "sync", to, "--suite", "stable", "--keyring", key.to_str().unwrap()];
            source.sandbox.publish_after(seconds, &[&words[..], more].concat())
        };
        let said = sync(2 * 86400, &[]).fails(1);
        said.says(["has expired", "renew an archive of your own with `publish refresh`", "--trust-existing"]);
        assert!(!source.sandbox.path(to).join("dists").exists());
        sync(3600, &[]).ok();
        sync(2 * 86400, &["--trust-existing"]).ok();
    }
}

#[test]
fn a_suite_whose_key_has_expired_is_not_copied() {
    let mut source = Source::new();
    source.configure(&["stable", "past"]);
    source.clock = 1_590_969_600;
    source.add("past", "past", &["keys/expired.asc"]);
    source.clock = 1_748_736_000;
    let words = ["-s", "past", "--keyring", &public("keys/expired.asc")];
    source.sync(&words).fails(1).says(["has expired on 2021-01-01", "a later expiry", "--trust-existing"]);
    assert!(!source.sandbox.path("mirror/dists").exists());
    source.sync(&[&words[..], &["--trust-existing"]].concat()).ok();
}

/// The times of a source are judged as by apt, which refuses a `Valid-Until` that is no date and a `Date` that is more than
/// 10 seconds ahead.
#[test]
fn times_that_apt_refuses_are_refused() {
    let now = Sandbox::new().ask("date", ["+%s"]).trim().parse::<u64>().unwrap();
    let key = fixture("keys/test.pub.asc").display().to_string();
    for (what, ahead, until, is_accepted) in [
        ("is not valid yet", 3 * 24 * 60 * 60, None, false),
        ("`Valid-Until` is no date: `never`", 0, Some("never"), false),
        ("`Valid-Until` is no date: `2099-01-30`", 0, Some("2099-01-30"), false),
        ("", 0, Some(""), true),
        ("", 0, None, true),
    ] {
        let mut source = Source::new();
        source.clock = now + ahead - 60;
        source.add("second", "stable", &[KEY]);
        if let Some(until) = until {
            let text = fs::read_to_string(source.sandbox.path("source/dists/stable/Release")).unwrap();
            let text = text.replacen("\nDate:", &format!("\nValid-Until: {until}\nDate:"), 1);
            sign(&source.sandbox, &text);
        }
        let pull = ["pull", "copy", "--new-suite", "--from", "source#stable", "--keyring", &key, "hello"];
        let sync = |more: &[&str]| {
            let words = ["-a", "source", "sync", "./mirror", "--keyring", &key];
            source.sandbox.publish_now(&[&words[..], more].concat())
        };
        for outcome in [sync(&[]), source.sandbox.publish_now(&pull)] {
            if is_accepted {
                outcome.ok();
            } else {
                outcome.fails(1).says([what, "--trust-existing"]);
            }
        }
        if !is_accepted {
            sync(&["--trust-existing"]).ok();
        }
    }
}

/// Signs a release file of the source with its key.
fn sign(sandbox: &Sandbox, text: &str) {
    let dists = sandbox.path("source/dists/stable");
    for file in ["InRelease", "Release.gpg"] {
        fs::remove_file(dists.join(file)).unwrap();
    }
    fs::write(dists.join("Release"), text).unwrap();
    let home = sandbox.path("gnupg");
    fs::create_dir_all(&home).unwrap();
    let home = home.display().to_string();
    let gpg = ["--homedir", &home, "--batch", "--quiet"];
    let key = fixture(KEY).display().to_string();
    sandbox.ask("gpg", [&gpg[..], &["--import", &key]].concat());
    let (from, to) =
        (dists.join("Release").display().to_string(), dists.join("InRelease").display().to_string());
    sandbox.ask("gpg", [&gpg[..], &["--clearsign", "--output", &to, &from]].concat());
}
