//! Tests of the forms of indices that reprepro's configuration names, beside the real reprepro.

use std::{collections::BTreeSet, fs};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    reprepro_pair::Pair,
    source_builder::source,
};

/// The names of the indices that are stored for clients without by-hash.
fn indices(pair: &Pair, base: &str) -> BTreeSet<String> {
    let folder = pair.sandbox.path(base).join("dists/bookworm");
    let files = walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok);
    let names = files.map(|entry| entry.path().strip_prefix(&folder).unwrap().display().to_string());
    names.filter(|name| !name.contains("by-hash") && name.rsplit('.').next() == Some("bz2")).collect()
}

#[test]
fn indices_in_bzip2_are_written_and_read_by_apt() {
    let text = "Codename: bookworm\nArchitectures: amd64 source\nComponents: main\nDebIndices: Packages Release .bz2\n\
                DscIndices: Sources Release .bz2 .gz\nContents: .bz2\n";
    let Some(pair) = Pair::new(text) else { return };
    for package in [deb("foo"), deb("bar").installs("usr/bin/bar")] {
        package.write(pair.sandbox.path("in"));
    }
    source("src").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.status(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", "in/src_1.0-1.dsc"]);
    // Read from the form that is stored, and written again.
    pair.status(&["includedeb", "bookworm", "in/bar_1.0_amd64.deb"]);
    pair.lists(&["list", "bookworm"]);
    let written = indices(&pair, "ours");
    assert_eq!(written, indices(&pair, "real"));
    // With the name of `Contents` for old clients.
    assert_eq!(written.len(), 4, "{written:?}");
    assert!(!pair.sandbox.path("ours/dists/bookworm/main/binary-amd64/Packages").exists());
    for mut apt in Client::all(&pair.sandbox) {
        apt.source(&Source::folder(pair.sandbox.path("ours")).suite("bookworm").components("main").trusted());
        apt.updates();
        assert_eq!(apt.download("bar"), deb("bar").installs("usr/bin/bar").bytes(), "{}", apt.name);
    }
    pair.one("ours", &["check"]).ok();
    let contents = fs::read(pair.sandbox.path("ours/dists/bookworm/main/Contents-amd64.bz2")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut bzip2::read::BzDecoder::new(&contents[..]), &mut text).unwrap();
    assert!(text.contains("usr/bin/bar"), "{text}");
}

#[test]
fn a_hook_for_indices_is_named_and_the_suite_is_published() {
    let text = "Codename: bookworm\nArchitectures: amd64\nComponents: main\nDebIndices: Packages Release . .gz hook.sh\n";
    let Some(pair) = Pair::new(text) else { return };
    deb("foo").write(pair.sandbox.path("in"));
    let words = ["includedeb", "bookworm", "in/foo_1.0_amd64.deb"];
    pair.one("ours", &words).ok().says(["the hook `hook.sh` in field `DebIndices` is not run"]);
    assert_eq!(pair.one("ours", &["list", "bookworm"]).ok().stdout, "bookworm|main|amd64: foo 1.0\n");
}
