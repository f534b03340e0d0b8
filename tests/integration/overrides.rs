//! Overrides change fields in the index when a package is added.

use std::{fs, path::Path};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox},
    source_builder::source,
    upload_builder::upload,
};

const SUITE: &str = "Codename: stable\nComponents: main contrib\nDebOverride: deb.override\nUDebOverride: udeb.override\n\
                     DscOverride: dsc.override\n";

fn add(sandbox: &Sandbox, file: impl AsRef<Path>) -> Outcome {
    sandbox.publish(["add".as_ref(), file.as_ref().as_os_str()])
}

fn configure(sandbox: &Sandbox, deb: &str, udeb: &str, dsc: &str) {
    sandbox.configure(SUITE);
    for (name, text) in [("deb", deb), ("udeb", udeb), ("dsc", dsc)] {
        fs::write(sandbox.archive(format!("conf/{name}.override")), text).unwrap();
    }
}

#[test]
fn each_type_has_overrides_of_its_own() {
    let sandbox = Sandbox::new();
    configure(
        &sandbox,
        "# apt-ftparchive\nhello required net Old <old@x> => New <new@x>\nlib* Section libs\nlib* X-Extra some words\n\
         lib* $Delete Priority\nmoved $Component contrib\n",
        "hello Priority standard\n",
        "hello contrib/web\n",
    );
    let folder = sandbox.incoming();
    deb("hello").field("Maintainer", "Old <old@x>").write(&folder);
    deb("hello").udeb().write(&folder);
    deb("libx").write(&folder);
    deb("moved").write(&folder);
    source("hello").write(&folder);
    add(&sandbox, &folder).ok().says(["+ moved 1.0 amd64 (contrib)", "+ hello 1.0-1 source (contrib)"]);
    let index = sandbox.read("dists/stable/main/binary-amd64/Packages");
    for text in [
        "\nMaintainer: New <new@x>\nInstalled-Size: 1\nSection: net\nPriority: required\n",
        "\nSection: libs\nDescription",
        "\nX-Extra: some words\n",
    ] {
        assert!(index.contains(text), "{text}: {index}");
    }
    let udebs = sandbox.read("dists/stable/main/debian-installer/binary-amd64/Packages");
    assert!(udebs.contains("\nSection: debian-installer\nPriority: standard\n"), "{udebs}");
    let sources = sandbox.read("dists/stable/contrib/source/Sources");
    assert!(sources.contains("\nSection: contrib/web\n"), "{sources}");
    // The same file again is no change, and a new version has the overrides of its own time.
    add(&sandbox, &folder).ok().says(["Nothing to do"]);
    sandbox.publish(["check"]).ok();
    // They win over an upload.
    configure(&sandbox, "hello Section doc\n", "", "");
    let new = sandbox.path("new");
    deb("hello").version("1.0-1").write(&new);
    add(&sandbox, upload(&new).section("web").write()).ok();
    let index = sandbox.read("dists/stable/main/binary-amd64/Packages");
    assert!(index.contains("\nSection: doc\nPriority: extra\n"), "{index}");
}

#[test]
fn a_bad_override_is_an_error_that_names_the_line() {
    let sandbox = Sandbox::new();
    let file = deb("hello").write(sandbox.incoming());
    let before = |sandbox: &Sandbox| sandbox.tree().paths_with("dists");
    for (line, says) in [
        ("hello Filename /etc/passwd", "deb.override` line 2: field `Filename` cannot be changed"),
        ("hello $Delete SHA256", "cannot be deleted"),
        ("hello $Component ../x", "component `../x` is not allowed"),
        ("hello $Component other", "other"),
        ("hello $Component main/debug", "is the place of the packages of type `ddeb`"),
        ("hello Depends a, b (= )", "field `Depends`"),
    ] {
        configure(&sandbox, &format!("\n{line}\n"), "", "");
        add(&sandbox, &file).fails(1).says([says]);
        assert_eq!(before(&sandbox), [""; 0], "{line}");
    }
    fs::remove_file(sandbox.archive("conf/deb.override")).unwrap();
    add(&sandbox, &file).fails(1).says(["cannot read", "deb.override"]);
    // Other commands do not read it.
    sandbox.publish(["list"]).fails(1).says(["there is no archive"]);
}

#[test]
fn reprepro_writes_the_same_fields() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "hello Section doc\nhello Task x\nh* Section never\n", "", "");
    let file = deb("hello").write(sandbox.incoming());
    add(&sandbox, &file).ok();
    let theirs = sandbox.path("theirs");
    fs::create_dir_all(theirs.join("conf")).unwrap();
    for name in ["distributions", "deb.override", "udeb.override", "dsc.override"] {
        fs::copy(sandbox.archive("conf").join(name), theirs.join("conf").join(name)).unwrap();
    }
    let conf = theirs.join("conf/distributions");
    fs::write(&conf, format!("{SUITE}Architectures: amd64\n")).unwrap();
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(&theirs).args(["includedeb", "stable"]).arg(&file);
    sandbox.run(reprepro).ok();
    for root in [sandbox.archive(""), theirs] {
        let index = fs::read_to_string(root.join("dists/stable/main/binary-amd64/Packages")).unwrap();
        assert!(index.contains("\nSection: doc\n") && index.contains("\nTask: x\n"), "{index}");
    }
}
