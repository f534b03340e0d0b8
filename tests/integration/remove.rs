//! Tests of `publish remove`.

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::Sandbox,
};

fn archive_with_three() -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("hello").version("1:2.0").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

#[test]
fn clients_no_longer_see_a_removed_version() {
    let sandbox = archive_with_three();
    let before = sandbox.tree();
    sandbox
        .publish(["remove", "hello=1:2.0"])
        .ok()
        .says(["Removed 1 package from suite `stable`", "- hello 1:2.0 amd64"]);
    // A client that updated before can still download: files of earlier generations are not deleted.
    sandbox.tree().keeps(&before, &["dists/stable/Release", "binary-amd64/Packages"]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{}", apt.name);
        assert_eq!(apt.versions("hello-doc"), ["1.0"], "{}", apt.name);
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_name_alone_removes_every_version() {
    let sandbox = archive_with_three();
    sandbox.publish(["remove", "hello", "hello-doc"]).ok().says(["Removed 3 packages"]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        assert_eq!(apt.candidate("hello"), None, "{}", apt.name);
        assert_eq!(apt.candidate("hello-doc"), None, "{}", apt.name);
    }
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_removed_package_can_be_added_again() {
    let sandbox = archive_with_three();
    sandbox.publish(["remove", "hello=1.0"]).ok();
    sandbox.publish(["add", "incoming/hello_1.0_amd64.deb"]).ok().says(["Added 1 package"]);
    // But not with other bytes: clients may have the first ones.
    sandbox.publish(["remove", "hello=1.0"]).ok();
    let before = sandbox.tree();
    let other = deb("hello").payload("other\n").write(sandbox.path("other"));
    sandbox.publish(["add".as_ref(), other.as_os_str()]).fails(1);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn an_architecture_narrows_it_down() {
    let sandbox = archive_with_three();
    let file = deb("hello").architecture("arm64").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    sandbox.publish(["remove", "hello", "--architecture", "arm64"]).ok().says(["Removed 1 package"]);
    assert!(sandbox.read("dists/stable/main/binary-amd64/Packages").contains("Package: hello\n"));
    assert!(!sandbox.read("dists/stable/main/binary-arm64/Packages").contains("Package: hello\n"));
}

#[test]
fn a_missing_package_cannot_be_removed() {
    let sandbox = archive_with_three();
    let before = sandbox.tree();
    sandbox.publish(["remove", "nothing"]).fails(1).says(["cannot remove `nothing`"]);
    sandbox.publish(["remove", "hello=9"]).fails(1).says(["hello=9", "1:2.0"]);
    // One unknown name fails the whole command.
    sandbox.publish(["remove", "hello", "nothing"]).fails(1).says(["`nothing`"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_dry_run_removes_nothing() {
    let sandbox = archive_with_three();
    let before = sandbox.tree();
    sandbox.publish(["remove", "hello", "--dry-run"]).ok().says(["Would remove 2 packages"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_name_that_is_given_twice_is_removed_once() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["remove", "world", "moon"]).fails(1).says(["2 packages cannot be removed"]);
    sandbox.publish(["remove", "hello", "hello"]).ok().says(["Removed 1 package"]);
}

#[test]
fn a_source_is_named_by_a_pattern_too() {
    let sandbox = Sandbox::new();
    for (name, source) in [("liba", "foo-a"), ("libb", "foo-b"), ("foo-c", "bar")] {
        deb(name).source(source).write(sandbox.incoming());
    }
    sandbox.publish(["add", "incoming"]).ok();
    let names = |suite: &str| -> Vec<String> {
        let listed = sandbox.publish(["list", "--suite", suite]).ok().stdout;
        listed.lines().filter_map(|line| line.split_whitespace().nth(3)).map(ToOwned::to_owned).collect()
    };
    let copy = ["copy", "--from", "stable", "--to", "next", "--new-suite", "--source", "foo-?"];
    sandbox.publish(copy).ok().says(["Added 2 packages"]);
    assert_eq!(names("next"), ["liba", "libb"]);
    let remove = |what: &str| sandbox.publish(["remove", "--suite", "stable", "--source", what]);
    remove("foo").fails(1);
    remove("foo*").ok().says(["Removed 2 packages"]);
    assert_eq!(names("stable"), ["foo-c"]);
}
