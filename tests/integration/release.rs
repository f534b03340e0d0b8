//! The release script: a package of `publish` itself, which `publish` publishes and a real apt installs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    apt_client::{Client, Source},
    sandbox::{Sandbox, Tree, fixture, is_installed, is_root, skipped},
};

/// Packages a program into a folder of the sandbox. The script does not build one: that takes minutes.
fn release(sandbox: &Sandbox, folder: &str) -> PathBuf {
    // A small program in place of a large one, which takes as long to compress.
    let program = sandbox.path("program");
    let text = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_publish"));
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.command(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/release"));
    let cargo = PathBuf::from(env!("CARGO"));
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", cargo.parent().unwrap().display());
    command.args(["--program".as_ref(), program.as_os_str(), sandbox.path(folder).as_os_str()]);
    command
        .env("PATH", path)
        .env("SOURCE_DATE_EPOCH", "1748736000")
        .env("TARGET", "x86_64-unknown-linux-musl");
    for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if std::env::var_os("CARGO_HOME").is_none() {
        // The home of the sandbox has no registry.
        command.env("CARGO_HOME", PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo"));
    }
    sandbox.run(command).ok();
    sandbox.path(folder)
}

#[test]
fn apt_installs_publish_with_its_man_pages_and_completions() {
    if !is_installed("jq") {
        return skipped("jq is not installed");
    }
    let sandbox = Sandbox::signed();
    let out = release(&sandbox, "one");
    let version = env!("CARGO_PKG_VERSION");
    assert!(Tree::read(&out) == Tree::read(&release(&sandbox, "two")), "two runs differ");

    let tarball = format!("publish-{version}-x86_64-unknown-linux-musl");
    let inside = sandbox.ask("tar", ["-tzf", out.join(format!("{tarball}.tar.gz")).to_str().unwrap()]);
    // As [package.metadata.binstall] says.
    assert!(inside.lines().any(|line| line == format!("{tarball}/publish")), "{inside}");
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert!(manifest.contains("publish-{ version }-{ target }.tar.gz"), "{manifest}");
    assert!(
        manifest.contains("bin-dir = \"publish-{ version }-{ target }/{ bin }{ binary-ext }\""),
        "{manifest}"
    );

    let list = fs::read_to_string(out.join(format!("publish-{version}.cdx.json"))).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    let components = list["components"].as_array().unwrap();
    assert!(components.len() > 100, "{}", components.len());
    let named = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(named("sequoia-openpgp") && !named("insta"), "{list}");

    sandbox.publish(["add", out.to_str().unwrap()]).ok().says(["apt-publish"]);
    if !is_root() {
        return skipped("only root can install packages");
    }
    for mut client in Client::all(&sandbox) {
        client.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        client.updates();
        client.install(&["apt-publish"]).ok();
        for file in [
            "usr/bin/publish",
            "usr/share/bash-completion/completions/publish",
            "usr/share/zsh/vendor-completions/_publish",
            "usr/share/fish/vendor_completions.d/publish.fish",
            "usr/share/doc/apt-publish/copyright",
        ] {
            assert!(client.has(file), "{file} on {}", client.name);
        }
    }
}
