//! Tests of `publish show`.

use crate::{
    deb_builder::deb,
    diff::adopt_all_kinds,
    sandbox::{Sandbox, fixture},
};

#[test]
fn the_stanza_has_the_fields_of_the_package_and_of_the_index() {
    let sandbox = Sandbox::new();
    let file = fixture("debs/librust-tinyvec-macros-dev_0.1.0-1+b1_amd64.deb");
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let said = sandbox.publish(["show", "librust-tinyvec-macros-dev"]).ok();
    let control = sandbox.ask("dpkg-deb", ["-f".as_ref(), file.as_os_str()]);
    // dpkg-deb prints the fields of `control` unchanged.
    for line in control.lines() {
        assert!(said.stdout.lines().any(|shown| shown == line), "no `{line}` in:\n{}", said.stdout);
    }
    for field in ["Filename: pool/main/r/rust-tinyvec-macros/librust", "Size: 4172\n", "SHA256: bc312c2c"] {
        assert!(said.stdout.contains(field), "no `{field}` in:\n{}", said.stdout);
    }
}

#[test]
fn one_version_can_be_selected() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    deb("hello").version("1:2.0").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let both = sandbox.publish(["show", "hello"]).ok().stdout;
    assert_eq!(both.matches("Package: hello\n").count(), 2, "{both}");
    let one = sandbox.publish(["show", "hello=1:2.0"]).ok().stdout;
    assert_eq!(one.matches("Package: hello\n").count(), 1, "{one}");
    assert!(one.contains("Version: 1:2.0\n"), "{one}");
    sandbox.publish(["show", "hello=3"]).fails(1).says(["hello=3", "1:2.0"]);
    sandbox.publish(["show", "nothing"]).fails(1).says(["nothing"]);
}

#[test]
fn stanzas_of_every_kind_of_index_are_shown() {
    let sandbox = Sandbox::new();
    adopt_all_kinds(&sandbox, "stable", &[]);
    let said = sandbox.publish(["show", "foo=1.0"]).ok().stdout;
    for text in ["Filename: pool/foo.deb\n", "Filename: pool/foo.udeb\n", "Directory: pool/foo\n"] {
        assert!(said.contains(text), "{said}");
    }
    assert_eq!(said.matches("\n\n").count(), 2, "{said}");
}
