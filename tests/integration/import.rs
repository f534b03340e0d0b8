//! `publish import`: an archive of ours from any other.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, Tree, fixture, sha256},
    source_builder::source,
    web::Web,
};

const KEY: &str = "keys/second.asc";

/// The public key of the other archive.
fn public() -> String {
    fixture("keys/second.pub.asc").display().to_string()
}

/// A sandbox with another archive in `other/`: two suites, two components, sources and installer packages.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::signed();
    fs::create_dir_all(sandbox.path("other/conf")).unwrap();
    let stanza = |name: &str| {
        format!(
            "Codename: {name}\nSuite: {name}-alias\nOrigin: Other\nLabel: Theirs\nComponents: main contrib\n\
             Architectures: amd64 arm64 source\nUDebComponents: main\n"
        )
    };
    let conf = format!("{}\n{}", stanza("bookworm"), stanza("trixie"));
    fs::write(sandbox.path("other/conf/distributions"), conf).unwrap();
    let folder = sandbox.path("theirs");
    for package in [
        deb("hello"),
        deb("hello").version("2.0"),
        deb("other").architecture("arm64"),
        deb("doc").architecture("all"),
        deb("di").udeb(),
    ] {
        package.write(&folder);
    }
    source("hello").version("1.0-1").write(&folder);
    there(&sandbox, &["add", "--suite", "bookworm", "theirs"]).ok();
    let extra = deb("extra").write(sandbox.incoming());
    there(&sandbox, &["add", "--suite", "trixie", "--component", "contrib", extra.to_str().unwrap()]).ok();
    sandbox
}

fn there(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let key = fixture(KEY);
    sandbox.publish([&["--archive", "other", "--sign-with", key.to_str().unwrap()], arguments].concat())
}

fn import(sandbox: &Sandbox, from: &str, more: &[&str]) -> Outcome {
    sandbox.publish_after(600, &[&["import", from], more].concat())
}

fn listed(sandbox: &Sandbox) -> String {
    sandbox.publish(["list"]).ok().stdout
}

#[test]
fn every_suite_comes_with_every_package() {
    let sandbox = sandbox();
    let before = sandbox.tree();
    // Nothing is taken from an archive that cannot be verified.
    import(&sandbox, "other", &[]).fails(1).says(["is not verified", "--keyring FILE"]);
    import(&sandbox, "other", &["--keyring", &public(), "--dry-run"]).ok().says(["Would add 6 packages"]);
    assert_eq!(sandbox.tree(), before);
    import(&sandbox, "other", &["--keyring", &public()]).ok().says(["Added 6 packages", "Added 1 package"]);
    assert_eq!(listed(&sandbox), there(&sandbox, &["list"]).ok().stdout);
    sandbox.publish_after(600, &["check"]).ok();
    let release = sandbox.read("dists/bookworm/Release");
    for line in ["Origin: Other", "Label: Theirs", "Suite: bookworm-alias", "Components: main contrib"] {
        assert!(release.contains(&format!("{line}\n")), "{line}: {release}");
    }
    for mut apt in Client::all(&sandbox) {
        let key = fixture("keys/test.pub.asc");
        apt.source(&Source::folder(sandbox.archive("")).suite("bookworm").signed_by(key));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0", "1.0"], "{}", apt.name);
        assert_eq!(apt.download("doc"), deb("doc").architecture("all").bytes(), "{}", apt.name);
    }
    let after = sandbox.tree();
    import(&sandbox, "other", &["--keyring", &public()]).ok().says(["Nothing to do"]);
    assert_eq!(sandbox.tree(), after);
    // One more there, and from the web.
    let file = deb("new").write(sandbox.incoming());
    there(&sandbox, &["add", "--suite", "bookworm", file.to_str().unwrap()]).ok();
    let web = Web::of(sandbox.path("other"));
    import(&sandbox, &web.url, &["--keyring", &public()])
        .fails(1)
        .says(["there is no suite `stable`", "--suite NAME"]);
    let said =
        import(&sandbox, &web.url, &["--keyring", &public(), "--suite", "bookworm", "--json"]).ok().stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["suites"][0]["added"][0]["name"], "new", "{said}");
    // The names of a published suite are those that its configuration has.
    assert_eq!(listed(&sandbox), there(&sandbox, &["list"]).ok().stdout);
}

#[test]
fn a_fault_changes_nothing_and_an_interrupted_import_resumes() {
    let sandbox = sandbox();
    let before = sandbox.tree();
    let lost = sandbox.path("other/pool/main/o/other/other_1.0_arm64.deb");
    let bytes = fs::read(&lost).unwrap();
    fs::write(&lost, b"other bytes").unwrap();
    for more in [&[][..], &["--rebuild"]] {
        let said = import(&sandbox, "other", &[&["--keyring", &public()], more].concat()).fails(1);
        said.says(["other_1.0_arm64.deb", "does not match its index"]);
        assert!(!sandbox.archive("dists/bookworm/InRelease").exists());
    }
    fs::write(&lost, bytes).unwrap();
    import(&sandbox, "other", &["--keyring", &public(), "--suite", "bookworm"]).ok();
    sandbox.publish_after(600, &["check"]).ok();
    sandbox.tree().keeps(&before, &[]);
    for (arguments, status, says) in [
        (&["nowhere"][..], 1, "there is no"),
        (&["archive"], 2, "is the archive itself"),
        (&["archive/pool"], 2, "is inside it or contains it"),
        (&["other", "--suite", "sid", "--keyring", &public()], 1, "there is no suite `sid`"),
        (&["other", "--to", "one", "--keyring", &public()], 2, "`--to` names one suite"),
        (&["other", "--download-to", "x"], 2, "--rebuild"),
    ] {
        sandbox.publish([&["import"], arguments].concat()).fails(status).says([says]);
    }
}

/// An index as deb-s3 writes it: fields are lost or changed, and file names are encoded.
fn rewritten(sandbox: &Sandbox) {
    let folder = sandbox.path("s3");
    let tool = deb("g++").field("Depends", "libc6 (>= 2.36)").field("X-Own", "kept");
    let bytes = fs::read(tool.write(folder.join("pool/g/g++"))).unwrap();
    let index = format!(
        "Package: g++\nVersion: 1.0\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDepends: libc6 (>= )\n\
         Filename: pool/g/g%2B%2B/g%2B%2B_1.0_amd64.deb\nSize: {}\nSHA256: {}\nDescription: x\n\n",
        bytes.len(),
        sha256(&bytes)
    );
    let binary = folder.join("dists/stable/main/binary-amd64");
    fs::create_dir_all(&binary).unwrap();
    fs::write(binary.join("Packages"), &index).unwrap();
    let release = format!(
        "Codename: stable\nDate: Sun, 01 Jan 2023 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n {} {} \
         main/binary-amd64/Packages\n",
        sha256(index.as_bytes()),
        index.len()
    );
    fs::write(folder.join("dists/stable/Release"), release).unwrap();
}

#[test]
fn fields_that_another_tool_has_changed_are_read_from_the_files() {
    let sandbox = Sandbox::signed();
    rewritten(&sandbox);
    import(&sandbox, "s3", &["--trust-existing"]).fails(1).says(["g++"]);
    let web = Web::of(sandbox.path("s3"));
    let more = ["--trust-existing", "--rebuild", "--suite", "stable"];
    import(&sandbox, &web.url, &[&more[..], &["--download-to", "files", "--dry-run"]].concat()).ok();
    // The files are there: only the indices are requested again.
    let first = web.requests().iter().filter(|path| path.contains("pool/")).count();
    import(&sandbox, &web.url, &[&more[..], &["--download-to", "files"]].concat())
        .ok()
        .says(["Added 1 package"]);
    let second = web.requests().iter().filter(|path| path.contains("pool/")).count();
    assert!(first > 0 && second == 0, "{first} {second}");
    let stanza = sandbox.publish(["show", "g++"]).ok().stdout;
    assert!(stanza.contains("Depends: libc6 (>= 2.36)\n") && stanza.contains("X-Own: kept\n"), "{stanza}");
    sandbox.publish_after(600, &["check"]).ok();
    import(&sandbox, "s3", &[&more[..], &["--to", "second"]].concat()).ok();
    sandbox.publish_after(600, &["check"]).ok();
}

#[test]
fn archives_without_dists_and_folders_of_packages() {
    let sandbox = Sandbox::signed();
    let flat = sandbox.path("flat");
    deb("hello").write(flat.join("debs"));
    deb("doc").architecture("all").write(&flat);
    import(&sandbox, "flat", &["--to", "plain"]).ok().says(["Added 2 packages to suite `plain`"]);
    import(&sandbox, "flat", &["--suite", "plain"]).fails(2).says(["has no suite `plain`"]);
    sandbox.ask("sh", ["-c", &format!("cd {} && apt-ftparchive packages . >Packages", flat.display())]);
    import(&sandbox, "flat", &["--to", "stable"]).fails(1).says(["is not verified"]);
    import(&sandbox, "flat", &["--to", "stable", "--trust-existing"])
        .ok()
        .says(["Added 2 packages to suite `stable`"]);
    sandbox.publish_after(600, &["check"]).ok();
    assert!(Tree::read(&flat).paths_with("dists").is_empty());
    assert!(Path::new(&sandbox.archive("pool/main/d/doc/doc_1.0_all.deb")).exists());
    // Adding to the folder itself names the command.
    let file = deb("more").write(sandbox.incoming());
    sandbox
        .publish(["-a", "flat", "add", file.to_str().unwrap()])
        .fails(1)
        .says(["without `dists/`", "import LOCATION"]);
}

/// debmirror leaves the release file of its upstream as it is, which lists more than the mirror has.
#[test]
fn a_mirror_of_a_part_is_a_source_of_what_it_has() {
    let sandbox = sandbox();
    let extra = deb("extra").write(sandbox.incoming()).display().to_string();
    self::there(&sandbox, &["add", "--suite", "bookworm", "--component", "contrib", &extra]).ok();
    let there = |path: &str| sandbox.path("other/dists/bookworm").join(path);
    for left_out in ["contrib", "main/binary-arm64", "main/debian-installer", "main/source"] {
        fs::remove_dir_all(there(left_out)).unwrap();
    }
    let key = public();
    let pull = |more: &[&str]| {
        let words =
            ["pull", "stable", "--new-suite", "--dry-run", "--from", "other#bookworm", "--keyring", &key];
        sandbox.publish_after(600, &[&words[..], more].concat())
    };
    let import =
        |more: &[&str]| import(&sandbox, "other", &[&["-s", "bookworm", "--keyring", &key], more].concat());
    pull(&["hello"]).fails(1).says(["has no index of component `contrib`", "`--component main`"]);
    let only = pull(&["hello", "--component", "main", "--architecture", "amd64"]).ok();
    assert!(!only.stderr.contains("not copied"), "{}", only.stderr);
    pull(&["--all", "--component", "main", "--architecture", "amd64"])
        .ok()
        .says(["+ hello 2.0 amd64", "packages of type `udeb` are not copied"]);
    pull(&["other", "--component", "main", "--architecture", "arm64"])
        .fails(1)
        .says(["has no index of architecture `arm64`", "`--architecture amd64`"]);
    import(&[]).fails(1).says(["has no index of component `contrib`", "`--component main`"]);
    import(&["--component", "main"]).fails(1).says(["architecture `arm64`", "`--architecture amd64`"]);
    import(&["--component", "man"]).fails(1).says(["`man`"]);
    assert!(!sandbox.archive("dists").exists());
    let part = ["--component", "main", "--architecture", "amd64"];
    import(&part).ok().says(["+ hello 1.0 amd64 (main)", "+ hello 2.0 amd64 (main)", "+ doc 1.0 all (main)"]);
    let release = sandbox.read("dists/bookworm/Release");
    assert!(
        release.contains("\nComponents: main\nArchitectures: amd64\n")
            || release.contains("\nArchitectures: amd64\nComponents: main\n"),
        "{release}"
    );
    sandbox.publish_after(600, &["check"]).ok();
    // One index of several is no part that is left out.
    let contents = there("main/binary-amd64");
    fs::remove_dir_all(&contents).unwrap();
    import(&part).fails(1).says(["missing in every compression"]);
}

#[test]
fn packages_that_the_suite_has_no_place_for_are_named() {
    let sandbox = sandbox();
    let key = public();
    sandbox.configure("Codename: plain\nComponents: main\nArchitectures: amd64\nUDebComponents:\n");
    let to = |suite: &str| import(&sandbox, "other", &["-s", suite, "--to", "plain", "--keyring", &key]);
    to("trixie").fails(1).says(["suite `plain` has no component `contrib`"]);
    to("bookworm").ok().says([
        "+ hello 2.0 amd64 (main)",
        "source package `hello 1.0-1 source` is left out: suite `plain` is configured without `source`",
        "package `other 1.0 arm64` is left out: suite `plain` is configured without architecture `arm64`",
        "package `di 1.0 amd64` is left out",
    ]);
}

/// The pool of an archive may be on another disk; no other link leads out of it.
#[test]
fn the_pool_of_a_source_may_be_a_link_and_nothing_else() {
    let sandbox = sandbox();
    let key = public();
    let links = |from: &str| {
        fs::rename(sandbox.path("other").join(from), sandbox.path("disk")).unwrap();
        std::os::unix::fs::symlink(sandbox.path("disk"), sandbox.path("other").join(from)).unwrap();
    };
    let pull = || {
        let words = ["pull", "stable", "--new-suite", "--from", "other#bookworm", "--keyring", &key, "hello"];
        sandbox.publish_after(600, &words)
    };
    let sync = |to: &str| {
        sandbox.publish_after(600, &["-a", "other", "sync", to, "-s", "bookworm", "--keyring", &key])
    };
    links("pool");
    pull().ok();
    sync("./mirror").ok();
    import(&sandbox, "other", &["-s", "bookworm", "--keyring", &key]).ok();
    fs::remove_file(sandbox.path("other/pool")).unwrap();
    fs::rename(sandbox.path("disk"), sandbox.path("other/pool")).unwrap();
    links("pool/main");
    fs::remove_dir_all(sandbox.archive("")).unwrap();
    for outcome in [pull(), sync("./second")] {
        outcome.fails(1).says(["is a link that leads out of the archive"]);
    }
}
