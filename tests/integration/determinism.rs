//! The same packages at the same time give the same archive, byte for byte.

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, Tree, fixture},
};

fn make(names: &[&str], environment: &[(&str, &str)]) -> Tree {
    let sandbox = Sandbox::new();
    let files: Vec<_> = names.iter().map(|name| deb(name).write(sandbox.incoming())).collect();
    let debs = fixture("debs");
    let arguments = ["add".as_ref(), debs.as_os_str()].into_iter();
    sandbox.publish_with(environment, arguments.chain(files.iter().map(AsRef::as_ref))).ok();
    let file = deb("later").write(sandbox.incoming());
    sandbox.publish_with(environment, ["add".as_ref(), file.as_os_str()]).ok();
    sandbox.tree()
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = make(&["hello", "world", "g++"], &[]);
    assert_eq!(first, make(&["hello", "world", "g++"], &[]));
    assert_eq!(first, make(&["g++", "world", "hello"], &[]), "in another order");
    let elsewhere = [("TZ", "Asia/Tokyo"), ("LC_ALL", "C"), ("RAYON_NUM_THREADS", "1")];
    assert_eq!(first, make(&["hello", "world", "g++"], &elsewhere), "on another machine");
}

#[test]
fn another_time_changes_only_the_pointer() {
    let at = |time: &str| make(&["hello"], &[("PUBLISH_DATE", time)]);
    let (first, second) = (at("1748736000"), at("1748736001"));
    assert_ne!(first, second);
    second.keeps(&first, &["dists/stable/Release", "generations/"]);
}
