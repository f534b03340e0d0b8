//! Tests of `publish check https://…`: an archive as clients see it, from outside and without secrets.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{CLOCK, Outcome, Sandbox, fixture, sha256},
    web::{Reply, Web},
};

pub(crate) const INDEX: &str = "dists/stable/main/binary-amd64";
pub(crate) const HELLO: &str = "pool/main/h/hello/hello_1.0_amd64.deb";
/// A name with many characters that apt encodes.
const PLUS: &str = "pool/main/g/g++/g++_1.0~rc1+b1_amd64.deb";

/// A signed archive with two packages.
pub(crate) fn published() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    deb("g++").version("1.0~rc1+b1").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

/// Sets the headers that an archive should be served with.
pub(crate) fn sound(request: &str, reply: &mut Reply) {
    let fixed = request.contains("/by-hash/") || request.contains(" /pool/");
    reply.header(if fixed {
        "Cache-Control: public, max-age=31536000, immutable"
    } else {
        "Cache-Control: public, max-age=60, must-revalidate"
    });
}

/// Checks suite `stable` from a machine that has only the public key of the publisher.
pub(crate) fn check(url: &str, more: &[&str]) -> Outcome {
    check_at(0, url, more)
}

/// The same, this many seconds after the time of the sandbox.
pub(crate) fn check_at(seconds: u64, url: &str, more: &[&str]) -> Outcome {
    let key = fixture("keys/test.pub.asc");
    let key = ["--keyring", key.to_str().unwrap()];
    Sandbox::new().publish_after(seconds, &[&["check", url, "--suite", "stable"], &key[..], more].concat())
}

/// The only line for this path holds all of these texts.
#[track_caller]
pub(crate) fn finds(outcome: Outcome, path: &str, texts: &[&str]) {
    let shown = outcome.to_string();
    let output = outcome.fails(4);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let all_of_it = lines.iter().all(|line| line.starts_with(&format!("{path}: ")));
    assert!(!lines.is_empty() && all_of_it, "nothing but {path}: {shown}");
    for text in texts {
        assert!(output.stdout.contains(text), "no `{text}`: {shown}");
    }
}

#[test]
fn a_sound_archive_is_sound_from_outside() {
    let sandbox = published();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let web = Web::with(sandbox.archive(""), move |request, reply| {
        log.lock().unwrap().push(request.to_owned());
        sound(request, reply);
    });
    let said = check(&web.url, &[]).ok();
    assert_eq!(said.stdout, "");
    insta::assert_snapshot!(said.stderr, @r"
    Suite `stable` of 2025-06-01T00:00:00Z
      signed by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669 (publish fixture test <test@example.org>): apt 2 (gpgv) accepts it, apt 3 (sqv) accepts it
      3 indices, 2 packages, 2 pool files
      Cache-Control `public, max-age=60, must-revalidate`
    Checked 1 suite, 2 packages, 8 files: no faults
    ");
    // Packages are checked by size only, with paths encoded as by apt.
    let methods = |path: &str| -> Vec<String> {
        let asked = asked.lock().unwrap();
        asked.iter().filter(|request| request.ends_with(path)).cloned().collect()
    };
    assert_eq!(methods(PLUS), [format!("HEAD /{PLUS}")]);
    assert!(web.requests().iter().any(|path| path.contains("/g%2b%2b/g%2b%2b_1.0%7erc1%2bb1_amd64.deb")));
    check(&web.url, &["--deep"]).ok();
    assert_eq!(methods(PLUS), [format!("HEAD /{PLUS}"), format!("GET /{PLUS}")]);
    // `publish serve` passes the check too.
    let served = sandbox.serve();
    let said = check(&served.url, &["--deep"]).ok();
    assert!(!said.stderr.contains("note:"), "{}", said.stderr);
}

/// A server or a CDN may not know the spelling in which apt requests a file.
#[test]
fn a_server_that_does_not_know_the_spelling_of_apt_is_found() {
    let sandbox = published();
    let pool = |web: &Web| -> BTreeSet<String> {
        web.requests().into_iter().filter(|path| path.contains("/pool/")).collect()
    };
    let web = Web::with(sandbox.archive(""), sound);
    check(&web.url, &["--deep"]).ok();
    let checked = pool(&web);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        apt.download("g++");
        let by_apt = pool(&web);
        assert!(!by_apt.is_empty() && by_apt.is_subset(&checked), "{}: {by_apt:?} {checked:?}", apt.name);
    }
    let strict = Web::strict(sandbox.archive(""));
    let found = check(&strict.url, &[]).fails(4).stdout;
    assert!(found.contains(&format!("{PLUS}: it is missing")), "{found}");
}

#[test]
fn json_has_all_results() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), sound);
    let said = check(&web.url, &["--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["packages"], &report["files"]), (&2.into(), &8.into()), "{report}");
    assert_eq!((&report["faults"], &report["notes"]), (&serde_json::json!([]), &serde_json::json!([])));
    let state = &report["suites"][0];
    assert_eq!((&state["suite"], report["suites"].as_array().unwrap().len()), (&"stable".into(), 1));
    assert_eq!(state["date"], "2025-06-01T00:00:00Z");
    assert_eq!(state["valid_until"], serde_json::Value::Null);
    assert_eq!(
        (&state["indices"], &state["packages"], &state["pool_files"]),
        (&3.into(), &2.into(), &2.into())
    );
    assert_eq!(state["cacheable_seconds"], 60);
    let signature = &state["signatures"][0];
    assert_eq!(signature["hash"], "SHA512");
    for verdict in signature["verdicts"].as_array().unwrap() {
        assert_eq!(verdict["level"], "ok");
    }
    assert_eq!(signature["verdicts"].as_array().unwrap().len(), 2);
}

#[test]
fn a_keyring_decides_as_for_clients() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), sound);
    let client = Sandbox::new();
    let armoured = fs::read(fixture("keys/test.pub.asc")).unwrap();
    let mut keyring = publish::signing::Keyring::new();
    keyring.add_bytes("test", &armoured).unwrap();
    fs::write(client.path("binary.gpg"), keyring.binary().unwrap()).unwrap();
    let ask = |more: &[&str]| client.publish([&["check", &web.url, "-s", "stable"], more].concat());
    ask(&["--keyring", "binary.gpg"]).ok();

    // An unrelated key; next to the right one it does no harm.
    let other = fixture("keys/second.pub.asc");
    let other = ["--keyring", other.to_str().unwrap()];
    finds(ask(&other), "dists/stable/InRelease", &["signed only by keys that are not configured here"]);
    ask(&[&other[..], &["--keyring", "binary.gpg"]].concat()).ok();
    ask(&["--keyring", "none.gpg"]).fails(1).says(["cannot read `none.gpg`"]);

    // Without keys, those in the archive are used, which prove little; without those, nothing can be verified.
    ask(&[]).ok().says(["note: signatures are checked with the keys of the archive itself", "--keyring"]);
    let path = sandbox.archive("dists/stable/InRelease");
    let sound = fs::read_to_string(&path).unwrap();
    fs::write(&path, sound.replace("Suite: stable", "Suite: stapel")).unwrap();
    finds(ask(&[]), "dists/stable/InRelease", &["does not match the text"]);
    fs::write(&path, sound).unwrap();
    fs::remove_file(sandbox.archive("archive-key.asc")).unwrap();
    ask(&[]).ok().says(["was not checked: no public key is known"]);

    // With a key, a signature is required.
    for name in ["InRelease", "Release.gpg"] {
        fs::remove_file(sandbox.archive("dists/stable").join(name)).unwrap();
    }
    ask(&[]).ok().says(["`dists/stable/Release` is not signed"]);
    finds(ask(&["--keyring", "binary.gpg"]), "dists/stable/Release", &["it is not signed"]);
}

#[test]
fn a_suite_must_be_named_and_exist() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), sound);
    Sandbox::new().publish(["check", &web.url]).fails(2).says(["no suite given", "--suite NAME"]);
    finds(check(&web.url, &["--suite", "testing"]), "dists/testing/InRelease", &["clients find no suite"]);
    // A second suite is checked together with the first.
    sandbox.publish(["snapshot", "1.0"]).ok();
    let both = check(&web.url, &["--suite", "stable/snapshots/1.0"]).ok();
    both.says(["Suite `stable` of", "Suite `stable/snapshots/1.0` of", "Checked 2 suites, 4 packages"]);
}

#[test]
fn an_unreachable_server_is_not_a_fault() {
    // A port that was just closed.
    let unreachable = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = check(&format!("http://{unreachable}"), &[]).fails(5);
    assert_eq!(said.stdout, "");
    said.says(["no connection to"]);
}

/// An error response for one file is a fault of that file, and all other files are still checked.
#[test]
fn an_error_response_is_a_fault_of_that_file() {
    let sandbox = published();
    let by_hash = sandbox.tree().paths_with("binary-amd64/by-hash/SHA256/");
    let [one, another, ..] = &by_hash[..] else { panic!("{by_hash:?}") };
    let (looped, gone) = (one.clone(), another.clone());
    let web = Web::with(sandbox.archive(""), move |request, reply| {
        sound(request, reply);
        let path = request.split_once(" /").unwrap().1;
        match path {
            HELLO => reply.says("403 Forbidden"),
            PLUS => reply.says("500 Oh"),
            _ if path == looped => {
                reply.says("302 Found");
                reply.header(&format!("Location: /{path}"));
            }
            _ if path == gone => reply.says("404 Not Found"),
            "dists/stable/main/binary-amd64/Packages.gz" => reply.says("410 Gone"),
            "dists/stable/Release" => reply.says("401 Unauthorized"),
            _ => {}
        }
    });
    let output = check(&web.url, &[]).fails(4);
    let mut expected = [
        format!("{HELLO}: the web server denies access (403)"),
        format!("{PLUS}: the web server failed repeatedly (500)"),
        format!("{INDEX}/Packages.gz: the web server answered 410"),
        "dists/stable/Release: the web server denies access (401)".to_owned(),
        format!("{one}: `{}` sent too many redirects", web.url),
        format!("{another}: it is missing, although `Acquire-By-Hash` promises it"),
    ];
    expected.sort();
    let found: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(found, expected, "{}", output.stderr);
}

/// A connection closed at one file implies nothing about other files, as long as the server responds.
#[test]
fn a_connection_closed_at_one_file_is_a_fault_of_that_file() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), |request, reply| {
        sound(request, reply);
        reply.hangs_up = request.ends_with(HELLO);
    });
    let said = check(&web.url, &[]).fails(4);
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    assert!(said.stdout.starts_with(HELLO), "{}", said.stdout);
}

/// Retrying each of thousands of files would take seconds each.
#[test]
fn a_server_that_refuses_all_packages_gets_few_requests() {
    let sandbox = Sandbox::signed();
    for number in 0..80 {
        deb(&format!("p{number}")).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    let web = Web::with(sandbox.archive(""), |request, reply| {
        sound(request, reply);
        if request.contains(" /pool/") {
            reply.says("403 Forbidden");
        }
    });
    let said = check(&web.url, &[]).fails(4);
    let last = said.stdout.lines().find(|line| line.starts_with("pool: ")).unwrap_or_default();
    assert_eq!(last, "pool: 50 files in a row were refused; 30 more were not requested", "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 51, "{}", said.stdout);
}

/// After a 404 for `InRelease` apt continues with `Release`; after any other error it stops.
#[test]
fn a_pointer_that_a_server_refuses_is_a_fault() {
    let sandbox = published();
    for (status, text) in [
        ("403 Forbidden", "the web server denies access (403)"),
        ("410 Gone", "the web server answered 410"),
        ("404 Not Found", ""),
    ] {
        let web = Web::with(sandbox.archive(""), move |request, reply| {
            if request.ends_with("/InRelease") {
                reply.says(status);
            }
        });
        let outcome = check(&web.url, &[]);
        if text.is_empty() {
            outcome.ok();
        } else {
            finds(outcome, "dists/stable/InRelease", &[text]);
        }
        for mut apt in Client::all(&sandbox) {
            apt.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
            assert_eq!(apt.update().status == Some(0), text.is_empty(), "{}: {status}", apt.name);
        }
    }
}

#[test]
fn a_package_of_another_size_is_found_and_with_deep_other_bytes_too() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), sound);
    let path = sandbox.archive(HELLO);
    let mut bytes = fs::read(&path).unwrap();
    bytes[70] ^= 1;
    fs::write(&path, &bytes).unwrap();
    check(&web.url, &[]).ok();
    finds(check(&web.url, &["--deep"]), HELLO, &["listed are", &sha256(&bytes)]);
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    finds(check(&web.url, &[]), HELLO, &["listed are", &format!("found {} bytes", bytes.len())]);
    fs::remove_file(&path).unwrap();
    finds(check(&web.url, &[]), HELLO, &["it is missing"]);
}

/// apt never sends HEAD, so a server that does not support it is not a fault.
#[test]
fn a_server_without_head_is_sound() {
    let sandbox = published();
    for status in ["200 OK", "403 Forbidden", "404 Not Found", "405 Method Not Allowed"] {
        let web = Web::with(sandbox.archive(""), move |request, reply| {
            sound(request, reply);
            if request.starts_with("HEAD ") {
                reply.says(status);
            }
        });
        check(&web.url, &[]).ok();
        let at_origin = sandbox.archive("").display().to_string();
        check(&web.url, &["--origin", &at_origin]).ok();
    }
}

#[test]
fn an_alias_of_another_generation_is_found() {
    let sandbox = published();
    let old = fs::read(sandbox.archive(INDEX).join("Packages.gz")).unwrap();
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming/world_1.0_amd64.deb"]).ok();
    let web = Web::with(sandbox.archive(""), sound);
    check(&web.url, &[]).ok();
    fs::write(sandbox.archive(INDEX).join("Packages.gz"), old).unwrap();
    finds(check(&web.url, &[]), &format!("{INDEX}/Packages.gz"), &["listed are"]);
}

#[test]
fn upcoming_expiry_is_reported_in_time() {
    const DAY: i64 = 24 * 60 * 60;
    let sandbox = Sandbox::new();
    sandbox.publish(["key", "generate", "--expires", "40d", "-o", "key.asc"]).ok();
    sandbox.configure("Codename: stable\nComponents: main\nValidFor: 8d\n");
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["--sign-with", "key.asc", "add", "incoming"]).ok();
    let web = Web::with(sandbox.archive(""), sound);
    let look = |seconds: i64| {
        let time = CLOCK.parse::<i64>().unwrap() + seconds;
        let client = Sandbox::new();
        let keyring = sandbox.archive("archive-key.asc");
        let arguments = ["check", &web.url, "-s", "stable", "--keyring", keyring.to_str().unwrap()];
        client.publish_with(&[("PUBLISH_DATE", &time.to_string())], arguments)
    };
    let notes = |output: &crate::sandbox::Output| output.stderr.matches("note:").count();
    assert_eq!(notes(&look(5 * DAY).ok()), 0);
    let later = look(7 * DAY).ok();
    later.says(["less than a quarter of its validity is left", "valid until 2025-06-09T00:00:00Z"]);
    assert_eq!(notes(&later), 1);
    finds(look(9 * DAY), "dists/stable/InRelease", &["`Valid-Until` has passed"]);
    // For `Date`, the clock of a client may lag by ten seconds; sqv accepts no signature of the future.
    let said = look(-10).fails(4);
    said.says(["apt 3 (sqv) refuses it: it is dated in the future", "apt 2 (gpgv) accepts it"]);
    assert!(!said.stdout.contains("`Date` is in the future"), "{}", said.stdout);
    // A check that takes long looks again, at a later time.
    finds(look(-60), "dists/stable/InRelease", &["`Date` is in the future"]);
    // The key expires in less than a month.
    sandbox.publish_after(12 * DAY.unsigned_abs(), &["--sign-with", "key.asc", "refresh", "--force"]).ok();
    look(12 * DAY).ok().says(["expires on 2025-07-11, in 28 days"]);
}

/// Both clients refuse the signatures that `check` reports as refused, including those refused by only one client.
#[test]
fn check_judges_signatures_like_clients() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/expired.asc");
    deb("hello").write(sandbox.incoming());
    let earlier = [("PUBLISH_DATE", "1590000000"), ("PUBLISH_SIGN_WITH", key.to_str().unwrap())];
    sandbox.publish_with(&earlier, ["add", "incoming"]).ok();
    let web = Web::with(sandbox.archive(""), sound);
    let public = fixture("keys/expired.pub.asc");
    let client = Sandbox::new();
    let arguments = ["check", &web.url, "-s", "stable", "--keyring", public.to_str().unwrap()];
    let outcome = client.publish(arguments);
    let said = outcome.to_string();
    finds(outcome, "dists/stable/InRelease", &["apt 2 (gpgv) refuses it: it expired on 2021-01-01"]);
    assert!(said.contains("apt 3 (sqv) accepts it"), "{said}");
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&web.url).signed_by(&public));
        let accepts = apt.update().status == Some(0);
        assert_eq!(accepts, apt.name == "Debian 13", "{}", apt.name);
    }

    // A SHA-1 signature by a good key.
    let sandbox = published();
    let gpg = |arguments: &[&str]| {
        sandbox.ask("gpg", [&["--batch", "--quiet", "--yes"], arguments].concat());
    };
    let secret = fixture("keys/test.asc");
    gpg(&["--import", secret.to_str().unwrap()]);
    let file = |name: &str| sandbox.archive("dists/stable").join(name).to_str().unwrap().to_owned();
    let weak = ["--digest-algo", "SHA1", "--output"];
    gpg(&[&weak[..], &[&file("InRelease"), "--clearsign", &file("Release")]].concat());
    let web = Web::with(sandbox.archive(""), sound);
    let public = fixture("keys/test.pub.asc");
    let outcome =
        client.publish_now(&["check", &web.url, "-s", "stable", "--keyring", public.to_str().unwrap()]);
    let texts =
        ["apt 2 (gpgv) refuses it: it was made with SHA1", "apt 3 (sqv) refuses it: it was made with SHA1"];
    finds(outcome, "dists/stable/InRelease", &texts);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
        assert_ne!(apt.update().status, Some(0), "{}", apt.name);
    }
}
