//! Tests of cache headers, and of the changes that caches make to files.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    check_web::{HELLO, INDEX, check, finds, published, sound},
    sandbox::fixture,
    web::{Reply, Web},
};

/// Serves a folder correctly, except that paths with this ending get another header.
fn with_header(folder: std::path::PathBuf, end: &'static str, header: &'static str) -> Web {
    Web::with(folder, move |request: &str, reply: &mut Reply| {
        if request.ends_with(end) {
            if !header.is_empty() {
                reply.header(header);
            }
        } else {
            sound(request, reply);
        }
    })
}

#[test]
fn long_cache_times_of_mutable_files_are_found() {
    let sandbox = published();
    let alias = format!("{INDEX}/Packages.xz");
    for (path, header, text) in [
        ("dists/stable/InRelease", "Cache-Control: max-age=7200", "for 2 hours (`max-age=7200`)"),
        ("dists/stable/Release", "Cache-Control: max-age=0, s-maxage=86400", "s-maxage=86400"),
        ("dists/stable/Release.gpg", "Cache-Control: max-age=31536000, immutable", "indefinitely"),
        (&alias, "Cache-Control: immutable", "indefinitely"),
        (&alias, "Cache-Control: max-age=60, stale-while-revalidate=604800", "stale-while-revalidate"),
        (
            &alias,
            "Date: Sun, 01 Jun 2025 00:00:00 GMT\r\nExpires: Mon, 02 Jun 2025 00:00:00 GMT",
            "24 hours (`Expires`)",
        ),
    ] {
        let end: &'static str =
            path.rsplit_once('/').map(|(_, name)| String::leak(format!("/{name}"))).unwrap();
        let web = with_header(sandbox.archive(""), end, header);
        finds(check(&web.url, &[]), path, &[text]);
    }
    for fine in ["max-age=3600", "no-cache", "no-store", "max-age=7200, no-cache"] {
        let header: &'static str = String::leak(format!("Cache-Control: {fine}"));
        let web = with_header(sandbox.archive(""), "/InRelease", header);
        let said = check(&web.url, &[]).ok();
        assert!(!said.stderr.contains("note:"), "{}", said.stderr);
    }
}

#[test]
fn missing_cache_headers_are_one_note() {
    let sandbox = published();
    let web = Web::of(sandbox.archive(""));
    let said = check(&web.url, &[]).ok();
    // `InRelease`, `Release`, `Release.gpg` and three names of the index; three digests and two packages.
    said.says([
        "note: 6 files that can change: served without `Cache-Control`, such as `dists/stable/InRelease`",
        "note: 5 of 5 files that never change (pool and by-hash) may be kept only briefly",
    ]);
    assert_eq!(said.stderr.matches("note:").count(), 2, "{}", said.stderr);
    let web = with_header(sandbox.archive(""), ".deb", "Cache-Control: max-age=60");
    let said = check(&web.url, &[]).ok();
    said.says(["note: 2 of 5 files that never change"]);
}

/// A `Content-Encoding` makes clients decode the file, and then the bytes differ from the listed ones.
#[test]
fn a_content_encoding_of_compressed_files_is_found() {
    let sandbox = published();
    let gz = format!("{INDEX}/Packages.gz");
    for (path, end, more) in [
        (&gz[..], "/Packages.gz", &[][..]),
        (HELLO, "/hello_1.0_amd64.deb", &[]),
        (HELLO, "/hello_1.0_amd64.deb", &["--deep"]),
    ] {
        let web = Web::with(sandbox.archive(""), move |request, reply| {
            sound(request, reply);
            if request.ends_with(end) {
                reply.header("Content-Encoding: gzip");
            }
        });
        finds(check(&web.url, more), path, &["`Content-Encoding: gzip`"]);
        let web = with_header(sandbox.archive(""), "/Packages.gz", "Content-Encoding: identity");
        check(&web.url, more).ok();
    }
    // A cache that honours it sends apt the decoded text under the compressed name, and apt refuses that.
    let text = fs::read(sandbox.archive(INDEX).join("Packages")).unwrap();
    let packed: Vec<String> = sandbox
        .tree()
        .paths_with("binary-amd64/")
        .into_iter()
        .filter(|path| fs::read(sandbox.archive(path)).unwrap().starts_with(&[0x1f, 0x8b]))
        .collect();
    assert_eq!(packed.len(), 2, "{packed:?}");
    let unpacking = packed.clone();
    let web = Web::with(sandbox.archive(""), move |request, reply| {
        sound(request, reply);
        if unpacking.iter().any(|path| request.ends_with(path)) {
            reply.body.clone_from(&text);
        }
    });
    let output = check(&web.url, &[]).fails(4);
    for path in packed {
        assert!(output.stdout.contains(&format!("{path}: listed are")), "{}", output.stdout);
    }
    for mut apt in Client::all(&sandbox) {
        apt.option("Acquire::CompressionTypes::Order", "gz");
        apt.source(&Source::at(&web.url).signed_by(fixture("keys/test.pub.asc")));
        assert_ne!(apt.update().status, Some(0), "{}", apt.name);
    }
}
