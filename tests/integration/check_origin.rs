//! Tests of `check --origin`: an edge is compared with its origin.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    check_web::{INDEX, check, check_at, finds, published, sound},
    deb_builder::deb,
    sandbox::{CLOCK, Sandbox, fixture},
    servers::{self, cdn},
    web::Web,
};

/// The seconds between the first generation and the second.
const LATER: u64 = 3600;

/// Copies the archive in its current form.
fn copy(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let copy = sandbox.path(name);
    sandbox.ask("cp", ["-a".as_ref(), sandbox.archive("").as_os_str(), copy.as_os_str()]);
    copy
}

/// Publishes a second generation.
fn publish_second(sandbox: &Sandbox) {
    deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish_after(LATER, &["add", "incoming/hello_2.0_amd64.deb"]).ok();
}

fn origin(path: &Path) -> [&str; 2] {
    ["--origin", path.to_str().unwrap()]
}

#[test]
fn an_edge_may_lag_for_as_long_as_caches_may_keep_the_pointer() {
    let sandbox = published();
    let edge = copy(&sandbox, "edge");
    let at_origin = sandbox.archive("");
    let web = Web::with(edge.clone(), sound);
    check(&web.url, &origin(&at_origin)).ok().says(["fresh: same as the origin"]);
    publish_second(&sandbox);
    // One minute, and one minute of grace.
    let said = check_at(LATER + 100, &web.url, &origin(&at_origin)).ok();
    said.says([
        "which is within the cache lifetime",
        "behind: the origin has had 2025-06-01T01:00:00Z for 100 s",
    ]);
    let stale = check_at(LATER + 130, &web.url, &origin(&at_origin));
    finds(stale, "dists/stable/InRelease", &["it is stale", "generation of 2025-06-01T00:00:00Z"]);
    // The same for a bucket or another URL.
    let other = Web::with(at_origin.clone(), sound);
    let stale = check_at(LATER + 130, &web.url, &["--origin", &other.url]);
    finds(stale, "dists/stable/InRelease", &["it is stale"]);
    // Five minutes if no `max-age` is known.
    let silent = Web::of(edge);
    check_at(LATER + 200, &silent.url, &origin(&at_origin)).ok();
    finds(
        check_at(LATER + 310, &silent.url, &origin(&at_origin)),
        "dists/stable/InRelease",
        &["it is stale"],
    );
    let outcome = check_at(LATER + 310, &silent.url, &[&origin(&at_origin)[..], &["--json"]].concat());
    assert_eq!(outcome.status, Some(4), "{outcome}");
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let freshness = &json["suites"][0]["freshness"];
    assert_eq!(freshness["state"], "behind");
    // The clock goes on from the given time.
    assert!(freshness["behind_seconds"].as_u64().unwrap() >= 310, "{freshness}");
    assert_eq!(freshness["allowed_seconds"], 300);
}

/// Faults of the edge are reported too.
#[test]
fn an_origin_without_the_archive_is_a_fault() {
    let sandbox = published();
    let web = Web::with(sandbox.archive(""), sound);
    let login = Web::with(sandbox.archive(""), |_, reply| reply.body = b"<html>login</html>".to_vec());
    let outcome = check(&web.url, &["--origin", &login.url]);
    finds(outcome, "dists/stable/InRelease", &["the origin's file, at", &login.url, "cannot be read"]);
    let empty = sandbox.path("empty");
    fs::create_dir(&empty).unwrap();
    finds(check(&web.url, &origin(&empty)), "dists/stable/InRelease", &["does not have it"]);
}

/// The publisher's clock may be ahead, or a publish may happen during a long check.
#[test]
fn a_generation_newer_than_the_check_is_not_overdue() {
    let sandbox = published();
    let edge = copy(&sandbox, "edge");
    publish_second(&sandbox);
    // A bucket or a server may not report when the object was written.
    let at_origin = Web::with(sandbox.archive(""), sound);
    let web = Web::with(edge, sound);
    let said = check_at(LATER - 1000, &web.url, &["--origin", &at_origin.url]).ok();
    said.says(["which is within the cache lifetime", "for 0 s"]);
}

/// For every value of `Cache-Control`.
#[test]
fn an_overflowing_max_age_is_a_long_time() {
    let sandbox = published();
    let at_origin = sandbox.archive("");
    for seconds in ["18446744073709551615", "99999999999999999999999"] {
        let web = Web::with(sandbox.archive(""), move |request, reply| {
            if request.ends_with("/InRelease") {
                reply.header(&format!("Cache-Control: max-age={seconds}"));
            } else {
                sound(request, reply);
            }
        });
        let outcome = check(&web.url, &origin(&at_origin));
        finds(outcome, "dists/stable/InRelease", &["caches may keep it for", seconds]);
    }
}

#[test]
fn an_edge_that_is_ahead_or_diverged_is_found() {
    let sandbox = published();
    let behind = copy(&sandbox, "behind");
    publish_second(&sandbox);
    let web = Web::with(sandbox.archive(""), sound);
    let ahead = check_at(LATER, &web.url, &origin(&behind));
    finds(ahead, "dists/stable/InRelease", &["it is newer than the origin's"]);

    // Signed by the same key, but never published at the origin.
    let other = Sandbox::signed();
    deb("other").write(other.incoming());
    other.publish(["add", "incoming"]).ok();
    let web = Web::with(other.archive(""), sound);
    let diverged = check_at(LATER, &web.url, &origin(&sandbox.archive("")));
    let output = diverged.fails(4);
    assert!(
        output.stdout.contains("dists/stable/InRelease: the origin never had this generation"),
        "{}",
        output.stdout
    );

    // The same with an empty origin.
    let empty = Sandbox::new();
    let nothing = check(&web.url, &origin(&empty.archive("")));
    finds(nothing, "dists/stable/InRelease", &["does not have it"]);
    let unreachable = check(&web.url, &["--origin", "http://127.0.0.1:1"]);
    let said = unreachable.fails(5);
    said.says(["no connection to"]);
}

/// A cached `404` hides a file from clients that need it later.
#[test]
fn an_edge_that_caches_a_404_is_found() {
    let sandbox = published();
    let edge = copy(&sandbox, "edge");
    let before = sandbox.tree();
    publish_second(&sandbox);
    let new = sandbox.tree().paths_with("binary-amd64/by-hash/");
    let new = new.into_iter().find(|path| !before.has(path)).unwrap();
    // All other digests of the new generation are present, so the edge is not a lagging copy. Its pointer is of the
    // first generation; its other files come from the origin, except one.
    for name in ["InRelease", "Release", "Release.gpg"] {
        let (from, to) = (edge.join("dists/stable").join(name), sandbox.path(name));
        fs::rename(from, to).unwrap();
    }
    let kept = sandbox.path("").display().to_string();
    let aliases = edge.join(INDEX);
    let hidden = new.clone();
    let web = Web::with(sandbox.archive(""), move |request, reply| {
        sound(request, reply);
        let name = request.rsplit('/').next().unwrap_or_default();
        if request.ends_with(&hidden) {
            reply.says("404 Not Found");
        } else if ["InRelease", "Release", "Release.gpg"].contains(&name) {
            reply.body = fs::read(format!("{kept}/{name}")).unwrap();
        } else if request.contains("binary-amd64/Packages") {
            reply.body = fs::read(aliases.join(name)).unwrap();
        }
    });
    let outcome = check_at(LATER + 10, &web.url, &origin(&sandbox.archive("")));
    finds(outcome, &new, &["the origin has it", "a cache keeps a negative answer"]);
}

/// Clients then see the generation in `Release` as unsigned, or refuse it.
#[test]
fn an_edge_that_caches_a_404_of_the_pointer_is_found() {
    let sandbox = published();
    let hides = |names: &'static [&'static str]| {
        Web::with(sandbox.archive(""), move |request, reply| {
            sound(request, reply);
            if names.iter().any(|name| request.ends_with(&format!("/{name}"))) {
                reply.says("404 Not Found");
            }
        })
    };
    let at_origin = sandbox.archive("");
    let web = hides(&["InRelease"]);
    let said = ["the origin has it", "a cache keeps a negative answer"];
    finds(check(&web.url, &origin(&at_origin)), "dists/stable/InRelease", &said);
    // No keyring was given, and the archive has no keys either.
    let web = hides(&["InRelease", "Release.gpg", "archive-key.asc"]);
    let arguments = [&["check", &web.url, "--suite", "stable"], &origin(&at_origin)[..]].concat();
    let found = Sandbox::new().publish_after(0, &arguments).fails(4).stdout;
    let paths: Vec<&str> = found.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(paths, ["dists/stable/InRelease", "dists/stable/Release.gpg"]);
}

/// A real cache in front of a server without cache headers, with a real client.
#[test]
fn a_client_behind_a_stale_cache_sees_what_check_says() {
    let sandbox = published();
    let web = Web::of(sandbox.archive(""));
    let Some(edge) = cdn(&web.url) else { return };
    let at_origin = sandbox.archive("");
    // The cache keeps the pointer for the next ten minutes.
    check(edge.url(), &origin(&at_origin)).ok().says(["fresh: same as the origin"]);
    publish_second(&sandbox);
    finds(check_at(LATER + 400, edge.url(), &origin(&at_origin)), "dists/stable/InRelease", &["it is stale"]);
    for mut apt in Client::all(&sandbox) {
        for (url, version) in [(edge.url(), "1.0"), (&web.url, "2.0")] {
            apt.forgets();
            apt.source(&Source::at(url).signed_by(fixture("keys/test.pub.asc")));
            apt.updates();
            assert_eq!(apt.candidate("hello").as_deref(), Some(version), "{}: {url}", apt.name);
        }
    }
    assert!(edge.log().iter().any(|line| line.starts_with("HIT 200 GET /dists/stable/InRelease")));
}

/// Directly from each kind of bucket, with the headers that `sync` set, and through a cache that honours them.
#[test]
fn an_archive_that_was_synced_is_sound_behind_a_cache() {
    for bucket in [servers::moto(), servers::rgw(), servers::swift(), servers::azure(), servers::gcs()] {
        let Some(bucket) = bucket else { continue };
        let Some(edge) = cdn(&bucket.public) else { return };
        let sandbox = published();
        let key = fixture("keys/test.pub.asc");
        let (place, url) = (bucket.place(), format!("{}/apt", edge.url()));
        let look = |url: &str, seconds: u64| {
            let clock = (CLOCK.parse::<u64>().unwrap() + seconds).to_string();
            let arguments = [
                "check",
                url,
                "-s",
                "stable",
                "--keyring",
                key.to_str().unwrap(),
                "--deep",
                "--origin",
                &place,
            ];
            bucket.publish(&Sandbox::new(), &clock, &arguments)
        };
        // It is cached for longer than any test runs.
        sandbox.configure("Codename: stable\nComponents: main\n");
        let destination = format!("Name: cdn\nLocation: {place}\nIndexCacheControl: max-age=3000\n");
        fs::write(sandbox.archive("conf/destinations"), destination).unwrap();
        bucket.publish(&sandbox, CLOCK, &["sync", "cdn"]).ok();
        for url in [&url, &bucket.url()] {
            let said = look(url, 0).ok();
            assert!(!said.stderr.contains("note:"), "{}: {}", bucket.server, said.stderr);
            said.says(["fresh: same as the origin", "Cache-Control `max-age=3000`"]);
        }
        publish_second(&sandbox);
        let later = (CLOCK.parse::<u64>().unwrap() + LATER).to_string();
        bucket.publish(&sandbox, &later, &["sync", "cdn"]).ok();
        look(&bucket.url(), LATER + 3100).ok().says(["fresh"]);
        finds(look(&url, LATER + 3100), "dists/stable/InRelease", &["it is stale"]);
    }
}
