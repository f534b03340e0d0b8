//! Passes the commit of the build to the program as `PUBLISH_COMMIT`, if it is known, and makes a static program safe.
//!
//! Sources of the commit, in this order: the variable `PUBLISH_COMMIT`, the file that `cargo package` adds to a tarball, git. git is used
//! only for optimised builds: development builds would be rebuilt after every commit.

use std::{env, fs, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=PUBLISH_COMMIT");
    println!("cargo::rerun-if-changed=src/build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let given = env::var("PUBLISH_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = given.or_else(|| of_tarball(&root)).or_else(|| of_git(&root)) {
        println!("cargo::rustc-env=PUBLISH_COMMIT={commit}");
    }
    link_name_services();
}

/// Links name services into a static program with glibc, which otherwise loads those of the machine.
fn link_name_services() {
    let source = "src/static_names.c";
    println!("cargo::rerun-if-changed={source}");
    let is =
        |name: &str, value: &str| env::var(name).is_ok_and(|text| text.split(',').any(|part| part == value));
    if is("CARGO_CFG_TARGET_ENV", "gnu") && is("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        for object in cc::Build::new().file(source).compile_intermediates() {
            println!("cargo::rustc-link-arg-bins={}", object.display());
        }
    }
}

/// The commit that a tarball of crates.io was made from.
fn of_tarball(root: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(root).join(".cargo_vcs_info.json")).ok()?;
    let (_, after) = text.split_once("\"sha1\"")?;
    let commit = after.split('"').nth(1)?;
    (commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit())).then(|| commit.to_owned())
}

/// The commit that is checked out, and whether the sources differ from it.
fn of_git(root: &str) -> Option<String> {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // The sources may be vendored in another repository.
    let top = fs::canonicalize(git(&["rev-parse", "--show-toplevel"])?).ok()?;
    if top != fs::canonicalize(root).ok()? {
        return None;
    }
    for path in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    for name in ["HEAD", "logs/HEAD"] {
        // cargo treats a missing file as changed.
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(root).join(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--", "src", "Cargo.toml", "Cargo.lock"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}, with changes") })
}
