//! `sync` of a part of a suite: the release file stays that of the source, and clients of the part find it complete.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Output, Sandbox, Tree, age, fixture},
    source_builder::source,
    web::Web,
};

const PUBLIC: &str = "keys/test.pub.asc";

/// An archive with two components, two architectures, sources, installer packages, `Contents` and patches.
fn upstream() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(
        "Codename: stable\nComponents: main contrib\nArchitectures: amd64 arm64 source\nUDebComponents: main\n\
         Contents: .\n",
    );
    add(&sandbox, 0, "main", &["hello", "one"]);
    for package in [deb("other").architecture("arm64"), deb("doc").architecture("all"), deb("di").udeb()] {
        package.write(sandbox.path("more"));
    }
    source("hello").version("1.0-1").write(sandbox.path("more"));
    sandbox.publish_after(10, &["add", "more"]).ok();
    add(&sandbox, 20, "contrib", &["extra"]);
    sandbox
}

fn add(sandbox: &Sandbox, seconds: u64, component: &str, names: &[&str]) {
    let folder = sandbox.path(format!("in-{seconds}"));
    for name in names {
        deb(name).write(&folder);
    }
    let folder = folder.to_str().unwrap().to_owned();
    sandbox.publish_after(seconds, &["add", "--component", component, &folder]).ok();
}

fn sync_from(sandbox: &Sandbox, from: &str, to: &str, more: &[&str]) -> Outcome {
    let key = fixture(PUBLIC).display().to_string();
    let arguments = [&["-a", from, "sync", to, "--suite", "stable", "--keyring", &key], more].concat();
    sandbox.publish_after(3600, &arguments)
}

fn sync(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    sync_from(sandbox, sandbox.archive("").to_str().unwrap(), "./mirror", more)
}

fn mirror(sandbox: &Sandbox) -> Tree {
    Tree::read(&sandbox.path("mirror"))
}

#[track_caller]
fn is_sound(sandbox: &Sandbox, place: &str) -> Output {
    let key = fixture(PUBLIC).display().to_string();
    sandbox.publish_after(3600, &["check", place, "--suite", "stable", "--keyring", &key]).ok()
}

const AMD64: [&str; 7] =
    ["--component", "main", "--architecture", "amd64", "--no-source", "--no-udeb", "--no-contents"];

#[test]
fn clients_of_the_part_find_it_complete() {
    let sandbox = upstream();
    let web = Web::of(sandbox.archive(""));
    sync_from(&sandbox, &web.url, "./mirror", &AMD64).ok().says(["Published suite `stable`"]);
    let tree = mirror(&sandbox);
    for (part, is_there) in [
        ("binary-amd64/Packages", true),
        ("pool/main/h/hello/hello_1.0_amd64.deb", true),
        ("pool/main/d/doc/doc_1.0_all.deb", true),
        ("arm64", false),
        ("contrib", false),
        ("source/", false),
        ("_1.0-1", false),
        ("udeb", false),
        ("debian-installer", false),
        ("Contents-", false),
    ] {
        assert_eq!(!tree.paths_with(part).is_empty(), is_there, "{part}: {tree:?}");
    }
    for file in ["InRelease", "Release", "Release.gpg"] {
        let at = |folder: &str| fs::read(sandbox.path(folder).join("dists/stable").join(file)).unwrap();
        assert_eq!(at("mirror"), at("archive"), "{file}");
    }
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.path("mirror")).signed_by(fixture(PUBLIC)));
        apt.updates();
        assert_eq!(apt.download("hello"), deb("hello").bytes(), "{}", apt.name);
        assert_eq!(apt.candidate("extra"), None, "{}", apt.name);
    }
    // On the web too, `check` knows what is left out, and finds what is missing all the same.
    let web = Web::of(sandbox.path("mirror"));
    for place in ["./mirror", &web.url] {
        is_sound(&sandbox, place)
            .says(["component main; architecture amd64; no source packages; no installer"]);
    }
    for command in
        [&["list"][..], &["log"], &["prune"], &["check", "--repair"], &["diff", "stable", "stable"]]
    {
        sandbox.publish_after(3600, &[&["-a", "mirror"], command].concat()).ok();
    }
    let before = mirror(&sandbox);
    // With the key of the source, a change would publish the parts that are left out as empty.
    let file = deb("late").write(sandbox.incoming()).display().to_string();
    for change in [&["add", &file][..], &["remove", "hello"], &["export", "stable"]] {
        let configured = sandbox.read("conf/distributions");
        fs::create_dir_all(sandbox.path("mirror/conf")).unwrap();
        fs::write(sandbox.path("mirror/conf/distributions"), configured).unwrap();
        let refused = sandbox.publish_after(3600, &[&["-a", "mirror"], change].concat()).fails(1);
        refused.says(["suite `stable` is the part of a mirror (component main; architecture amd64; "]);
        refused.says(["hint: publish to the archive that it mirrors"]);
        fs::remove_dir_all(sandbox.path("mirror/conf")).unwrap();
    }
    sync(&sandbox, &AMD64).ok().says(["Nothing to do"]);
    assert_eq!(mirror(&sandbox), before);
    let client = sandbox.publish_after(3600, &["-a", "mirror", "client", "--sources"]).ok().stdout;
    assert!(
        client.contains("Types: deb\n") && client.contains("Components: main\nArchitectures: amd64\n"),
        "{client}"
    );
    fs::remove_file(sandbox.path("mirror/pool/main/h/hello/hello_1.0_amd64.deb")).unwrap();
    let by_hash = tree.paths_with("binary-amd64/by-hash");
    for path in tree.paths_with("binary-amd64/Packages").iter().chain(&by_hash) {
        fs::remove_file(sandbox.path("mirror").join(path)).unwrap();
    }
    let said = sandbox.publish_after(3600, &["-a", "mirror", "check"]).fails(4);
    assert!(said.stdout.contains("binary-amd64/Packages: it is listed but missing"), "{}", said.stdout);
}

#[test]
fn another_part_adds_and_removes() {
    let sandbox = upstream();
    let whole = ["--verify"];
    sync(&sandbox, &AMD64).ok();
    sync(&sandbox, &["--component", "main", "--architecture", "arm64", "--architecture", "amd64"]).ok();
    is_sound(&sandbox, "./mirror");
    let tree = mirror(&sandbox);
    assert!(
        tree.has("pool/main/o/other/other_1.0_arm64.deb") && tree.has("pool/main/d/di/di_1.0_amd64.udeb")
    );
    assert!(tree.paths_with("contrib").is_empty());
    // Without options, everything; the record is gone, and the copy is the archive.
    sync(&sandbox, &[]).ok();
    is_sound(&sandbox, "./mirror");
    let mut copied = sandbox.tree();
    copied.forget("conf/");
    copied.forget("generations/");
    copied.forget(".publish");
    copied.forget("by-hash");
    // Links for old clients are not part of a suite.
    copied.forget("stable/Contents");
    mirror(&sandbox).keeps(&copied, &[]);
    assert!(mirror(&sandbox).paths_with("partial.json").is_empty());
    sync(&sandbox, &whole).ok().says(["Nothing to do"]);
    // Removed with --delete only, and not before clients have had time, unless that is asked for.
    let before = mirror(&sandbox);
    sync(&sandbox, &AMD64).ok();
    mirror(&sandbox).keeps(&before, &[]);
    sync(&sandbox, &[&AMD64[..], &["--delete"]].concat()).ok();
    mirror(&sandbox).keeps(&before, &[]);
    age(&sandbox.path("mirror"), 10);
    sync(&sandbox, &[&AMD64[..], &["--delete"]].concat()).ok();
    let tree = mirror(&sandbox);
    for part in ["arm64", "contrib", "source/", "udeb", "Contents-"] {
        assert_eq!(tree.paths_with(part), [""; 0]);
    }
    assert!(tree.has("pool/main/h/hello/hello_1.0_amd64.deb"));
    is_sound(&sandbox, "./mirror");
    // A new generation of the source, in another part.
    add(&sandbox, 30, "contrib", &["new"]);
    sync(&sandbox, &["--component", "contrib", "--no-source"]).ok();
    is_sound(&sandbox, "./mirror");
    assert!(mirror(&sandbox).has("pool/contrib/n/new/new_1.0_amd64.deb"));
    sandbox.publish_after(3600, &["-a", "mirror", "prune"]).ok();
}

#[test]
fn a_mirror_of_a_part_is_a_source() {
    let sandbox = upstream();
    sync(&sandbox, &AMD64).ok();
    let from = sandbox.path("mirror").display().to_string();
    sync_from(&sandbox, &from, "./second", &[]).ok();
    is_sound(&sandbox, "./second");
    let mut first = mirror(&sandbox);
    first.forget(".publish");
    Tree::read(&sandbox.path("second")).keeps(&first, &[]);
    // A named part must exist.
    let said = sync_from(&sandbox, &from, "./third", &["--architecture", "arm64"]).fails(1);
    said.says(["the source is a mirror of a part", "leaves out architecture `arm64`"]);
    assert!(!sandbox.path("third/dists/stable/InRelease").exists());
    // Packages are pulled from it, as far as it has them.
    let key = fixture(PUBLIC).display().to_string();
    let own = ["-a", "own", "pull", "tools", "--from", &from, "--keyring", &key];
    sandbox.publish_after(3600, &[&own[..], &["hello", "doc"]].concat()).ok();
    sandbox.publish_after(3600, &[&own[..], &["extra"]].concat()).fails(1).says(["no such package"]);
}

#[test]
fn a_mistyped_part_is_refused() {
    let sandbox = upstream();
    for (option, name, known) in [
        ("--component", "mian", "`contrib`, `main`"),
        ("--architecture", "adm64", "`amd64`, `arm64`"),
        ("--component", "updates", "`contrib`, `main`"),
    ] {
        let said = sync(&sandbox, &[option, name]).fails(1);
        said.says(["no suite of the source has the", &format!("`{name}`"), known]);
    }
    assert!(!sandbox.path("mirror/dists").exists());
    sync(&sandbox, &["--architecture", "any"]).fails(2);
}

#[test]
fn a_file_that_the_source_does_not_have_is_named() {
    let sandbox = upstream();
    let lost = "pool/main/h/hello/hello_1.0_amd64.deb";
    let kept = fs::read(sandbox.archive(lost)).unwrap();
    fs::remove_file(sandbox.archive(lost)).unwrap();
    let index = sandbox.tree().paths_with("contrib/binary-amd64/");
    let index: Vec<_> =
        index.into_iter().map(|path| (path.clone(), fs::read(sandbox.archive(path)).unwrap())).collect();
    for (path, _) in &index {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    let said = sync(&sandbox, &["--component", "main"]).fails(1);
    said.says([&format!("cannot copy `{lost}`"), "`--ignore-missing` goes on without it"]);
    sync(&sandbox, &[]).fails(1).says(["`dists/stable/contrib/binary-amd64/Packages`", "`--ignore-missing`"]);
    assert!(!sandbox.path("mirror/dists/stable/InRelease").exists());
    for _ in 0..2 {
        let said = sync(&sandbox, &["--ignore-missing"]).ok();
        said.says([&format!("the source does not have `{lost}`"), "contrib/binary-amd64/Packages`"]);
        let said = sandbox.publish_after(3600, &["-a", "mirror", "check"]).fails(4);
        assert!(said.stdout.contains(lost), "{}", said.stdout);
    }
    let json = sync(&sandbox, &["--ignore-missing", "--json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["destinations"][0]["missing"].as_array().unwrap().contains(&lost.into()), "{json}");
    // It is looked for again, although the source has published nothing since.
    fs::write(sandbox.archive(lost), kept).unwrap();
    for (path, bytes) in index {
        fs::write(sandbox.archive(path), bytes).unwrap();
    }
    sync(&sandbox, &["--ignore-missing"]).ok();
    assert!(sandbox.path("mirror").join(lost).exists());
    assert!(mirror(&sandbox).has("pool/contrib/e/extra/extra_1.0_amd64.deb"));
    is_sound(&sandbox, "./mirror");
}

#[test]
fn a_destination_has_its_part() {
    let sandbox = upstream();
    let conf = "Name: part\nLocation: mirror\nComponents: main\nArchitectures: amd64\nWithout: source udeb contents\n";
    fs::write(sandbox.archive("conf/destinations"), conf).unwrap();
    sandbox.publish_after(3600, &["sync", "part"]).ok();
    let named = mirror(&sandbox);
    fs::remove_dir_all(sandbox.path("mirror")).unwrap();
    sync(&sandbox, &AMD64).ok();
    assert_eq!(named.names(), mirror(&sandbox).names());
    let said = sandbox.publish_after(3600, &["sync", "part", "--component", "contrib"]).ok();
    said.says(["Sent"]);
    assert!(Path::new(&sandbox.path("mirror/pool/contrib/e/extra/extra_1.0_amd64.deb")).exists());
}

#[test]
fn a_mirror_of_a_part_names_what_it_leaves_out() {
    let sandbox = upstream();
    sync(&sandbox, &["--component", "main", "--architecture", "amd64"]).ok();
    let from = sandbox.path("mirror").display().to_string();
    for (more, name) in [
        (["--component", "contrib"], "leaves out component `contrib`"),
        (["--architecture", "arm64"], "leaves out architecture `arm64`"),
    ] {
        let said = sync_from(&sandbox, &from, "./second", &more).fails(1);
        said.says([name, "component main; architecture amd64", "the archive that it mirrors"]);
        assert!(!said.stderr.contains("run the same command again later"), "{}", said.stderr);
    }
    sync_from(&sandbox, &from, "./second", &["--component", "main"]).ok();
    // Packages for all architectures have no index of their own here.
    sync_from(&sandbox, sandbox.archive("").to_str().unwrap(), "./all", &["--architecture", "all"])
        .fails(1)
        .says(["has no index of architecture `all`", "--architecture"]);
    assert!(!sandbox.path("all").exists());
}
