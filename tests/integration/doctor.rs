//! Tests of `publish doctor`.

use std::fs;

use futures::TryStreamExt as _;
use publish::store::StoredObject;

use crate::{
    buckets,
    deb_builder::deb,
    sandbox::{Output, Sandbox, fixture},
    servers,
    web::Web,
};

/// The findings of a level that are about a topic.
fn findings<'a>(said: &'a Output, level: &str, topic: &str) -> Vec<&'a str> {
    let start = format!("{level}: {topic}: ");
    said.stdout.lines().filter_map(|line| line.strip_prefix(&start)).collect()
}

/// A signed suite, configured with a key that never expires.
fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    sandbox.configure(&format!("Codename: stable\nComponents: main\nSignWith: {}\n", key.display()));
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

#[test]
fn a_sound_archive_has_no_fault_and_is_left_as_it_was() {
    let sandbox = archive();
    let before = sandbox.tree().names();
    let server = sandbox.serve();
    let url = server.url.clone();
    let said = sandbox.publish(["doctor", "--public-url", &url]).ok();
    assert!(
        !said.stdout.contains("fault: ") && !said.stdout.contains("  fix: publish check"),
        "{}",
        said.stdout
    );
    for topic in ["configuration", "keys", "store", "suites", "public URL"] {
        assert!(!findings(&said, "ok", topic).is_empty(), "{topic}: {}", said.stdout);
    }
    assert!(said.stdout.contains("apt 2 (gpgv)") && said.stdout.contains("apt 3 (sqv)"), "{}", said.stdout);
    assert_eq!(sandbox.tree().names(), before);
    let plan = sandbox.publish(["doctor", "--dry-run", "--public-url", &url]).ok();
    assert!(findings(&plan, "ok", "store")[0].contains("not tried"), "{}", plan.stdout);
    // From outside.
    let outside = sandbox.publish(["--archive", &url, "doctor", "--suite", "stable"]).ok();
    assert_eq!(findings(&outside, "ok", "public URL").len(), 1, "{}", outside.stdout);
}

/// A new user tries it before anything is there, then from outside, and under the other name of a suite.
#[test]
fn an_archive_is_looked_at_from_its_first_day_on() {
    let sandbox = Sandbox::new();
    let said = sandbox.publish(["doctor"]).ok();
    assert_eq!(findings(&said, "warning", "suites"), ["nothing is published here yet"], "{}", said.stdout);
    assert!(
        said.stdout.contains("  fix: publish --archive [SANDBOX]/archive add FILE.deb\n"),
        "{}",
        said.stdout
    );
    let fix = "  fix: publish --archive [SANDBOX]/archive key generate --suite stable\n";
    assert!(said.stdout.contains(fix), "{}", said.stdout);
    sandbox.publish(["key", "generate", "--suite", "stable", "-o", "key.asc"]).ok();
    let key = sandbox.path("key.asc");
    sandbox.configure(&format!(
        "Codename: trixie\nSuite: stable\nComponents: main\nWebPage: yes\nSignWith: {}\n",
        key.display()
    ));
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    for name in ["stable", "trixie"] {
        let said = sandbox.publish(["doctor", "-s", name]).ok();
        assert_eq!(findings(&said, "ok", "suites").len(), 1, "{}", said.stdout);
        assert!(findings(&said, "ok", "keys").contains(&"suite `trixie` can be signed"), "{}", said.stdout);
    }
    sandbox.publish(["doctor", "-s", "sid"]).fails(4).says([]);
    // Its page lists its suites.
    let server = sandbox.serve();
    let outside = sandbox.publish(["--archive", &server.url, "doctor"]).ok();
    let found = format!("clients read `trixie` at {}", server.url);
    assert_eq!(findings(&outside, "ok", "public URL"), [&*found], "{}", outside.stdout);
    // Another archive on the web has no list.
    fs::remove_file(sandbox.archive("index.html")).unwrap();
    let outside = sandbox.publish(["--archive", &server.url, "doctor"]).fails(4);
    assert!(findings(&outside, "fault", "public URL")[0].contains("no suite is named"), "{}", outside.stdout);
}

/// Each fault has a remedy, and the exit status is 4.
#[test]
fn what_is_wrong_is_a_finding_with_a_remedy() {
    let sandbox = archive();
    let faulty = |topic: &str, text: &str, arguments: &[&str]| {
        let said = sandbox.publish([&["doctor"], arguments].concat()).fails(4);
        let found = findings(&said, "fault", topic);
        assert!(found.iter().any(|found| found.contains(text)), "{topic}: {text}: {}", said.stdout);
        let faults = said.stdout.lines().filter(|line| line.starts_with("fault: ")).count();
        assert!(
            said.stdout.lines().filter(|line| line.starts_with("  fix: ")).count() >= faults,
            "{}",
            said.stdout
        );
    };
    faulty("public URL", "no connection", &["--public-url", "http://127.0.0.1:9"]);
    faulty("suites", "no suite `stabel`", &["--suite", "stabel"]);
    // The configuration is public.
    let web = Web::of(sandbox.archive(""));
    faulty("public URL", "everyone can read", &["--public-url", &web.url]);
    fs::write(sandbox.archive("conf/destinations"), "Name: cdn\nLocation: s3:/x\n").unwrap();
    faulty("configuration", "destination `cdn`", &[]);
    fs::write(sandbox.archive("conf/destinations"), "Name: cdn\n").unwrap();
    faulty("configuration", "`Location` is missing", &[]);
    fs::remove_file(sandbox.archive("conf/destinations")).unwrap();
    fs::write(sandbox.archive("archive-key.asc"), "no key").unwrap();
    faulty("keys", "holds no key", &[]);
    fs::remove_file(sandbox.archive("archive-key.asc")).unwrap();
    faulty("keys", "is missing", &[]);
    sandbox.configure("Codename: stable\nComponents: main\nSignWith: nothing.asc\n");
    faulty("keys", "suite `stable` cannot be signed", &[]);
    let expired = fixture("keys/expired.asc");
    sandbox.configure(&format!("Codename: stable\nComponents: main\nSignWith: {}\n", expired.display()));
    faulty("keys", "expired", &[]);
    sandbox.configure("Codename: stable\n");
    faulty("configuration", "`Components` is missing", &[]);
    sandbox.publish(["--archive", "./none", "doctor"]).fails(4).says([]);
    assert!(!sandbox.path("none").exists());
    sandbox.publish(["--archive", "s3:/x", "doctor"]).fails(2);
}

/// Without a configuration the published suites are judged, and each remedy is one that works there.
#[test]
fn an_archive_without_a_configuration_is_judged_by_its_suites() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let key = fixture("keys/test.asc");
    let signed = ["--sign-with", key.to_str().unwrap()];
    sandbox.publish([&["add", "incoming", "--suite", "bookworm"], &signed[..]].concat()).ok();
    let said = sandbox.publish(["doctor"]).ok();
    assert!(!said.stdout.contains("`stable`"), "{}", said.stdout);
    assert!(findings(&said, "warning", "keys")[0].contains("suite `bookworm` is signed"), "{}", said.stdout);
    assert!(said.stdout.contains(" init --suite bookworm --sign-with "), "{}", said.stdout);
    let said = sandbox.publish([&["doctor"], &signed[..]].concat()).ok();
    assert!(findings(&said, "ok", "keys").contains(&"suite `bookworm` can be signed"), "{}", said.stdout);
}

/// A text says what is the matter, and the remedy is a list of commands that work as they are.
#[test]
fn a_key_that_expires_soon_is_replaced_with_the_commands_of_its_remedy() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["key", "generate", "--expires", "10d", "--output", "a key.asc"]).ok();
    for (archive, options, variables) in [
        ("named", &["--sign-with", "a key.asc"][..], &[][..]),
        ("in-file", &[], &[("PUBLISH_SIGNING_KEY_FILE", "a key.asc")]),
    ] {
        let run = |words: &[&str]| {
            let archive = format!("./{archive}");
            sandbox.publish_with(variables, [&["--archive", &*archive], options, words].concat()).ok()
        };
        let added = run(&["add", "incoming"]);
        let doctor = format!(
            "--archive [SANDBOX]/{archive} {}doctor`",
            if options.is_empty() { "" } else { "--sign-with 'a key.asc' " }
        );
        added.says([
            "clients will refuse the archive then\nhint: see how to replace it with `publish ",
            &doctor,
        ]);
        let said = run(&["doctor"]);
        let expires: Vec<&str> = findings(&said, "warning", "keys");
        assert_eq!(expires.len(), 2, "{}", said.stdout);
        assert!(expires.iter().all(|text| text.contains(" expires on ") && !text.contains("publish ")));
        let (_, after) = said.stdout.split_once(expires[0]).unwrap();
        let fixes = after.lines().skip(1).map_while(|line| line.strip_prefix("  fix: "));
        let commands: Vec<&str> = fixes.filter(|fix| fix.starts_with("publish ")).collect();
        assert_eq!(commands.len(), 3, "{}", said.stdout);
        let mut shell = sandbox.command("bash");
        let line =
            format!("publish() {{ '{}' \"$@\"; }}; {}", env!("CARGO_BIN_EXE_publish"), commands.join("; "));
        let root = sandbox.path("").display().to_string();
        shell
            .args(["-ec", &line.replace("[SANDBOX]", root.trim_end_matches('/'))])
            .envs(variables.iter().copied());
        sandbox.run(shell).ok();
        let client: serde_json::Value = serde_json::from_str(&run(&["client", "--json"]).stdout).unwrap();
        let keys = client["key"]["fingerprints"].as_array().unwrap().len();
        assert_eq!(keys, 2, "clients get both keys");
    }
    // A secret in a variable has no name, and a configured key is rotated.
    let secret = fs::read_to_string(sandbox.path("a key.asc")).unwrap();
    let said = sandbox
        .publish_with(&[("PUBLISH_SIGNING_KEY", &secret)], ["--archive", "./named", "doctor", "--dry-run"])
        .ok();
    assert!(said.stdout.contains("  fix: publish key generate\n  fix: rotate by hand: "), "{}", said.stdout);
    fs::rename(sandbox.path("a key.asc"), sandbox.path("key.asc")).unwrap();
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main\nSignWith: {}\n",
        sandbox.path("key.asc").display()
    ));
    sandbox.publish(["add", "incoming"]).ok();
    let said = sandbox.publish(["doctor"]).ok();
    assert!(
        findings(&said, "warning", "keys").iter().all(|text| !text.contains("publish ")),
        "{}",
        said.stdout
    );
    // Without an `Origin` the keyring package needs a name, for which the doctor takes that of the folder.
    let fix = "  fix: publish --archive [SANDBOX]/archive key rotate --name archive\n";
    assert_eq!(said.stdout.matches(fix).count(), 2, "{}", said.stdout);
    sandbox.publish(["key", "rotate", "--name", "archive"]).ok();
    let said = sandbox.publish(["doctor"]).ok();
    assert!(
        said.stdout.contains("  fix: publish --archive [SANDBOX]/archive key rotate\n"),
        "{}",
        said.stdout
    );
}

#[test]
fn a_suite_that_expires_is_found() {
    let sandbox = archive();
    let key = fixture("keys/test.asc");
    let conf = format!("Codename: stable\nComponents: main\nValidFor: 3d\nSignWith: {}\n", key.display());
    sandbox.configure(&conf);
    sandbox.publish_after(60, &["export"]).ok();
    let at = |days: u64| sandbox.publish_after(60 + days * 24 * 60 * 60, &["doctor"]);
    assert!(findings(&at(0).ok(), "ok", "suites")[0].contains("expires on 2025-06-04"));
    let said = at(2).ok();
    assert!(findings(&said, "warning", "suites")[0].contains("expires on 2025-06-04"), "{}", said.stdout);
    assert!(
        said.stdout.contains("  fix: publish --archive") && said.stdout.contains(" refresh --suite stable")
    );
    let said = at(4).fails(4);
    assert!(findings(&said, "fault", "suites")[0].contains("clients refuse it"), "{}", said.stdout);
}

/// Each kind of bucket is tried, and no object is left.
#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_tried_and_left_as_they_were() {
    let sandbox = Sandbox::signed();
    let mut tried = 0;
    for bucket in buckets::each().chain(servers::ignoring()) {
        let variables: Vec<(&str, &str)> =
            bucket.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = sandbox.publish_with(&variables, ["--archive", &bucket.location, "doctor"]).ok();
        let store = findings(&said, "ok", "store");
        assert!(
            store[0].contains("can be written, read and deleted"),
            "{}: {}",
            bucket.location,
            said.stdout
        );
        assert!(store.iter().any(|found| found.contains("can be listed")), "{}", said.stdout);
        assert_eq!(findings(&said, "ok", "credentials").len(), 1, "{}", said.stdout);
        assert!(!findings(&said, "ok", "clock").is_empty(), "{}: {}", bucket.location, said.stdout);
        let left: Vec<StoredObject> = bucket.store().walk("").try_collect().await.unwrap();
        assert!(left.is_empty(), "{}: {left:?}", bucket.location);
        // A bucket that is not there, and no credentials.
        if bucket.server == "moto" {
            let nowhere = "s3://no-such-bucket-at-all/apt";
            sandbox.publish_with(&variables, ["--archive", nowhere, "doctor"]).fails(4).says([]);
            let none = sandbox.publish(["--archive", &bucket.location, "doctor"]).fails(4);
            let found = findings(&none, "fault", "credentials");
            assert!(found[0].contains("there are no credentials"), "{}", none.stdout);
        }
        tried += 1;
    }
    if let Some(bucket) = servers::ignoring() {
        let variables: Vec<(&str, &str)> =
            bucket.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = sandbox.publish_with(&variables, ["--archive", &bucket.location, "doctor"]).ok();
        let warned = findings(&said, "warning", "store");
        assert!(
            warned.iter().any(|found| found.contains("conditional writes are ignored")),
            "{}",
            said.stdout
        );
    }
    assert!(tried == 0 || tried >= 3, "{tried}");
}
