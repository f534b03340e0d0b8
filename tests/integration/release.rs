//! The release script: a package of `publish` itself, which `publish` publishes and a real apt installs, and a container.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, Tree, fixture, is_installed, is_root, skipped},
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
        .env("TARGET", "x86_64-unknown-linux-gnu");
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

    let tarball = format!("publish-{version}-x86_64-unknown-linux-gnu");
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

/// An image, and a container of it, in a store of the sandbox.
struct Container<'a> {
    sandbox: &'a Sandbox,
    name: String,
}

impl<'a> Container<'a> {
    fn of(sandbox: &'a Sandbox, files: &Path) -> Self {
        let mut container = Self { sandbox, name: String::new() };
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/Containerfile");
        let build = ["bud", "--quiet", "--isolation", "chroot", "--tag", "publish", "--file"];
        let mut command = container.buildah(&build);
        command.args([recipe.as_path(), files]);
        sandbox.run(command).ok();
        let from = container.buildah(&["from", "publish"]);
        sandbox.run(from).ok().stdout.trim().clone_into(&mut container.name);
        container
    }

    fn buildah(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command("buildah");
        let folder = |name: &str| self.sandbox.path(name);
        command.args(["--storage-driver", "vfs", "--root"]).arg(folder("images"));
        command.arg("--runroot").arg(folder("running")).args(arguments);
        command
    }

    /// A value of the configuration of the image.
    fn says(&self, what: &str) -> String {
        let format = format!("{{{{.OCIv1.Config.{what}}}}}");
        let command = self.buildah(&["inspect", "--type", "image", "--format", &format, "publish"]);
        self.sandbox.run(command).ok().stdout.trim().to_owned()
    }

    /// Runs a command of `publish` as the image does.
    fn publish(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.buildah(&["run", "--isolation", "chroot"]);
        let volume = |from: &Path, to: &str| format!("--volume={}:{to}", from.display());
        command.arg(volume(&self.sandbox.archive(""), "/archive"));
        command.arg(volume(&self.sandbox.incoming(), "/build:ro"));
        // The program of a release is static; the one of the tests needs libraries.
        command.arg(volume(Path::new(env!("CARGO_BIN_EXE_publish")), "/usr/bin/publish:ro"));
        for folder in ["/lib", "/lib64", "/usr/lib"] {
            command.arg(volume(Path::new(folder), &format!("{folder}:ro")));
        }
        command.args([self.name.as_str(), "--", "/usr/bin/publish"]).args(arguments);
        self.sandbox.run(command)
    }
}

#[test]
fn a_container_of_nothing_but_the_program_publishes_without_root() {
    if !is_installed("buildah") || !is_root() {
        return skipped("no buildah on this machine, or not root");
    }
    let sandbox = Sandbox::new();
    let container = Container::of(&sandbox, &release(&sandbox, "release"));
    assert_eq!(container.says("User"), "65534:65534");
    assert_eq!(container.says("Entrypoint"), "[/usr/bin/publish]");
    let files = sandbox.ask("tar", ["-tf", "release/container.tar"]);
    assert_eq!(
        files.lines().filter(|line| !line.ends_with('/')).collect::<Vec<_>>(),
        ["./etc/ssl/certs/ca-certificates.crt", "./usr/bin/publish"]
    );

    fs::create_dir_all(sandbox.archive("")).unwrap();
    deb("hello").write(sandbox.incoming());
    // The folder is root's.
    let said = container.publish(&["init", "--unsigned"]).fails(1);
    assert!(said.stderr.contains("ermission denied"), "{}", said.stderr);
    chown(sandbox.archive(""), Some(65_534), Some(65_534)).unwrap();
    container.publish(&["init", "--unsigned"]).ok();
    container.publish(&["add", "/build"]).ok().says(["+ hello"]);
    assert_eq!(fs::metadata(sandbox.archive("dists/stable/Release")).unwrap().uid(), 65_534);
    // The container has the clock of the machine.
    sandbox.publish_now(&["check"]).ok();
}
