//! Stories of `conf/distributions`: what a change of it does to what is published.

use crate::{deb_builder::deb, sandbox::Sandbox};

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

#[test]
fn a_release_expires_as_long_as_the_configuration_says_so() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    for (field, expires) in [("", false), ("ValidFor: 7d\n", true), ("", false)] {
        sandbox.configure(&format!("{FULL}{field}"));
        sandbox.publish(["add", "incoming"]).ok();
        assert_eq!(sandbox.read("dists/bookworm/Release").contains("Valid-Until"), expires, "{field}");
        sandbox.publish(["add", "incoming"]).ok().says(["Nothing to do"]);
    }
}
