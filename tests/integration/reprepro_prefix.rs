//! Tests of `FakeComponentPrefix` beside the real reprepro: the names in the release file, and the folders without it.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    reprepro_pair::Pair,
};

const CONF: &str = "Codename: bookworm/updates\nSuite: stable/updates\nArchitectures: amd64 source\nComponents: main contrib\n\
                    FakeComponentPrefix: updates\n";

#[test]
fn a_suite_with_a_component_prefix_is_that_of_reprepro_and_carried_on() {
    let Some(pair) = Pair::new(CONF) else { return };
    for package in [deb("foo"), deb("bar").field("Section", "contrib/net")] {
        package.write(pair.sandbox.path("in"));
    }
    let suite = "bookworm/updates";
    let same = || {
        pair.same(suite);
        for path in ["main/binary-amd64/Release", "contrib/source/Release"] {
            let [real, ours] = ["real", "ours"].map(|base| {
                fs::read_to_string(pair.sandbox.path(base).join("dists").join(suite).join(path)).unwrap()
            });
            assert_eq!(ours, real, "{path}");
        }
    };
    let clients = || {
        for mut apt in Client::all(&pair.sandbox) {
            let source = Source::folder(pair.sandbox.path("ours")).suite(suite);
            apt.source(&source.components("main contrib").trusted());
            let said = apt.update().ok();
            assert!(!said.stderr.contains("W:"), "{}: {}", apt.name, said.stderr);
            assert_eq!(apt.download("foo"), deb("foo").bytes(), "{}", apt.name);
        }
    };
    pair.status(&["includedeb", suite, "in/foo_1.0_amd64.deb"]);
    same();
    pair.status(&["includedeb", suite, "in/bar_1.0_amd64.deb"]);
    same();
    pair.lists(&["list", suite]);
    clients();
    pair.one("ours", &["check"]).ok();
    let release = pair.sandbox.path("ours/dists/bookworm/updates/Release");
    let text = fs::read_to_string(release).unwrap();
    assert!(text.contains("\nComponents: updates/main updates/contrib\n"), "{text}");
    // The same program carries on what the real one has published.
    for folder in ["dists", "pool"] {
        fs::remove_dir_all(pair.sandbox.path("ours").join(folder)).unwrap();
        let [real, ours] = ["real", "ours"].map(|base| pair.sandbox.path(base).join(folder));
        pair.sandbox.ask("cp", ["-a".as_ref(), real.as_os_str(), ours.as_os_str()]);
    }
    pair.status(&["remove", suite, "bar"]);
    same();
    clients();
    pair.status(&["gensnapshot", suite, "one"]);
    for mut apt in Client::all(&pair.sandbox) {
        let source = Source::folder(pair.sandbox.path("ours")).suite("bookworm/updates/snapshots/one");
        apt.source(&source.components("main").trusted());
        apt.updates();
        assert_eq!(apt.candidate("foo").as_deref(), Some("1.0"), "{}", apt.name);
    }
}

#[test]
fn a_component_that_has_the_prefix_already_is_refused() {
    let Some(pair) = Pair::new(&CONF.replace("main contrib", "updates/main")) else { return };
    deb("foo").write(pair.sandbox.path("in"));
    let said = pair.one("ours", &["includedeb", "bookworm/updates", "in/foo_1.0_amd64.deb"]).fails(255);
    said.says([
        "component `updates/main` begins with the `FakeComponentPrefix`",
        "name it without `updates/`",
    ]);
}
