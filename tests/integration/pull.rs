//! Tests of `publish pull`: packages of another archive are published in a suite of this one.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, deb},
    sandbox::{Outcome, Sandbox, fixture, sha256},
    source_builder::source,
    web::Web,
};

/// The key of the other archive.
const KEY: &str = "keys/second.asc";
const PUBLIC: &str = "keys/second.pub.asc";

/// An archive of ours with one package, and in `other/` one that is signed by a stranger.
fn sandbox(stable: &str) -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main contrib\nArchitectures: amd64 source\n{stable}"
    ));
    let own = deb("own").write(sandbox.incoming());
    sandbox.publish([Path::new("add"), &own]).ok();
    for package in
        [deb("hello"), deb("hello").version("2.0"), deb("tool").field("Depends", "libtool (>= 1), own")]
    {
        publish_there(&sandbox, &package);
    }
    publish_there(&sandbox, &deb("libtool").version("1.5").field("Section", "libs"));
    publish_there(&sandbox, &deb("hello").version("2.0").architecture("arm64"));
    sandbox
}

fn publish_there(sandbox: &Sandbox, package: &DebBuilder) {
    let file = package.write(sandbox.incoming());
    there(sandbox, &["add", "--suite", "sid", "--new-suite", file.to_str().unwrap()]).ok();
}

fn there(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let key = fixture(KEY);
    let mut all = vec!["--archive", "other", "--sign-with", key.to_str().unwrap()];
    all.extend(arguments);
    sandbox.publish(all)
}

fn pull_from(sandbox: &Sandbox, from: &str, more: &[&str]) -> Outcome {
    let key = fixture(PUBLIC);
    let all = ["pull", "stable", "--from", from, "--keyring", key.to_str().unwrap()];
    sandbox.publish([&all[..], more].concat())
}

fn pull(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    pull_from(sandbox, "other#sid", more)
}

/// `NAME VERSION` of each listing of the suite except `own`.
fn listed(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.publish(["list", "--suite", "stable"]).ok().stdout;
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[3], words[4], words[2])
    };
    let mut rows: Vec<String> = listed.lines().map(row).collect();
    rows.retain(|row| !row.starts_with("own "));
    rows
}

/// The command fails and changes nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, outcome: impl Fn(&Sandbox) -> Outcome, says: &[&str]) {
    let before = sandbox.tree();
    outcome(sandbox).fails(1).says(says.iter().copied());
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn clients_get_packages_of_another_archive_under_our_own_key() {
    let sandbox = sandbox("");
    let before = sandbox.tree();
    pull(&sandbox, &["hello", "--dry-run"]).ok().says([
        "Would add 1 package to suite `stable`",
        "+ hello 2.0 amd64 (main)",
        "nothing was written",
    ]);
    assert_eq!(sandbox.tree(), before);
    pull(&sandbox, &["hello"]).ok().says(["Added 1 package to suite `stable`", "+ hello 2.0 amd64 (main)"]);
    sandbox.tree().keeps(&before, &["dists/stable/"]);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0"], "{}", apt.name);
        assert_eq!(apt.download("hello"), deb("hello").version("2.0").bytes(), "{}", apt.name);
    }
    sandbox.publish(["check"]).ok();
    // The stanza is that of the other archive.
    let ours = sandbox.publish(["show", "--suite", "stable", "hello=2.0"]).ok().stdout;
    let theirs = there(&sandbox, &["show", "--suite", "sid", "hello=2.0"]).ok().stdout;
    assert!(theirs.starts_with(&ours), "{ours} {theirs}");
    let after = sandbox.tree();
    pull(&sandbox, &["hello"]).ok().says(["already published", "Nothing to do"]);
    assert_eq!(sandbox.tree(), after);
}

#[test]
fn selectors_are_those_of_copy_and_a_formula() {
    let sandbox = sandbox("");
    refused(
        &sandbox,
        |sandbox| pull(sandbox, &["hello", "nothing"]),
        &["cannot copy `nothing`", "no such package"],
    );
    refused(&sandbox, |sandbox| pull(sandbox, &["hello=3"]), &["2.0 arm64"]);
    pull(&sandbox, &["hello=1.0", "lib*"]).ok();
    assert_eq!(listed(&sandbox), ["hello 1.0 amd64", "libtool 1.5 amd64"]);
    pull(&sandbox, &["--filter", "Package (== hello), $Version (>> 1.0)"]).ok();
    assert_eq!(listed(&sandbox), ["hello 1.0 amd64", "hello 2.0 amd64", "libtool 1.5 amd64"]);
    pull(&sandbox, &["--filter", "Package (=="]).fails(2).says(["is not a formula"]);
    pull(&sandbox, &["--all", "--component", "contrib"])
        .fails(1)
        .says(["already published in component `main`"]);
    pull(&sandbox, &["tool", "--component", "contrib"]).ok();
    assert!(sandbox.archive("pool/contrib/t/tool/tool_1.0_amd64.deb").exists());
    sandbox.publish(["check"]).ok();
}

#[test]
fn dependencies_come_along_unless_the_suite_has_them() {
    let sandbox = sandbox("");
    publish_there(&sandbox, &deb("own").version("5"));
    publish_there(&sandbox, &deb("app").field("Depends", "virtual | hello, missing (>= 2)"));
    publish_there(&sandbox, &deb("real").field("Provides", "virtual").field("Depends", "tool"));
    pull(&sandbox, &["app", "--with-dependencies"]).ok().says([
        "`app` depends on `missing (>= 2)`, which neither the suite nor the source has",
        "Added 4 packages",
    ]);
    assert_eq!(listed(&sandbox), ["app 1.0 amd64", "libtool 1.5 amd64", "real 1.0 amd64", "tool 1.0 amd64"]);
}

#[test]
fn several_archives_are_one_source() {
    let sandbox = sandbox("");
    // A second archive has an older `hello`, a newer `libtool`, and a package that only it has.
    let second = |package: DebBuilder| {
        let (file, key) = (package.write(sandbox.path("in2")), fixture(KEY));
        let base = ["--archive", "second", "--sign-with", key.to_str().unwrap(), "add", "--suite", "sid"];
        sandbox.publish([&base[..], &[file.to_str().unwrap()]].concat()).ok();
    };
    second(deb("hello").version("1.5"));
    second(deb("libtool").version("1.7"));
    second(deb("tool").payload("other bytes of the same version").field("Depends", "nothing"));
    second(deb("app").field("Depends", "tool"));
    let both = ["--from", "second#sid"];
    let says =
        pull(&sandbox, &[&both[..], &["app", "hello", "--with-dependencies", "--dry-run"]].concat()).ok();
    // The first archive has the same version of `tool`: that is taken, and what it needs.
    says.says(["+ hello 2.0 amd64", "+ libtool 1.7 amd64", "+ tool 1.0 amd64", "Would add 4 packages"]);
    pull(&sandbox, &[&both[..], &["app", "hello", "--with-dependencies"]].concat()).ok();
    assert_eq!(listed(&sandbox), ["app 1.0 amd64", "hello 2.0 amd64", "libtool 1.7 amd64", "tool 1.0 amd64"]);
    sandbox.publish(["check"]).ok();
    let file = sandbox.archive("pool/main/t/tool/tool_1.0_amd64.deb");
    assert_eq!(fs::read(file).unwrap(), deb("tool").field("Depends", "libtool (>= 1), own").bytes());
    // A formula selects the newest of both, and each archive must be verified.
    pull(&sandbox, &[&both[..], &["--filter", "libtool | hello (>= 1.5) {amd64}"]].concat())
        .ok()
        .says(["Nothing to do"]);
    refused(&sandbox, |sandbox| pull(sandbox, &["--from", "./nowhere", "app"]), &["there is no archive in"]);
}

#[test]
fn source_packages_come_where_they_are_named_or_the_suite_has_them() {
    let sandbox = sandbox("");
    let suite = |name: &str, fields: &str| format!("Codename: {name}\nComponents: main\n{fields}\n");
    sandbox.configure(
        &[
            suite("stable", "Architectures: amd64 source\n"),
            suite("plain", "Architectures: amd64\n"),
            suite("free", ""),
        ]
        .concat(),
    );
    let dsc = source("foo").version("1.0-1").write(sandbox.incoming());
    there(&sandbox, &["add", "--suite", "sid", dsc.to_str().unwrap()]).ok();
    publish_there(&sandbox, &deb("foo").version("1.0-1"));
    let key = fixture(PUBLIC);
    let into = |suite: &str, what: &[&str]| {
        let all = [
            "pull",
            "--from",
            "other#sid",
            "--keyring",
            key.to_str().unwrap(),
            "--dry-run",
            "--suite",
            suite,
        ];
        sandbox.publish([&all[..], what].concat()).ok().stderr
    };
    for what in [&["foo"][..], &["*"], &["--all"], &["--filter", "Package (== foo)"], &["--filter", "foo"]] {
        let has_source = |suite: &str| into(suite, what).contains("+ foo 1.0-1 source");
        assert_eq!(["stable", "plain", "free"].map(has_source), [true, false, false], "{what:?}");
    }
    let only = into("stable", &["--filter", "foo", "--architecture", "source"]);
    assert!(only.contains("+ foo 1.0-1 source") && !only.contains("amd64"), "{only}");
    assert!(!into("stable", &["--filter", "foo", "--architecture", "amd64"]).contains("source"));
    assert!(into("free", &["--source", "f*"]).contains("+ foo 1.0-1 source"));
    assert!(!into("stable", &["--architecture", "amd64", "foo"]).contains("source"));
    pull(&sandbox, &["foo"]).ok().says(["foo 1.0-1 source"]);
    assert_eq!(listed(&sandbox), ["foo 1.0-1 amd64", "foo 1.0-1 source"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn an_archive_on_the_web_is_a_source_and_a_file_is_fetched_once() {
    let sandbox = sandbox("");
    let web = Web::of(sandbox.path("other"));
    let from = format!("{}#sid", web.url);
    pull_from(&sandbox, &from, &["hello", "tool"]).ok().says(["Added 2 packages"]);
    let debs = |web: &Web| web.requests().iter().filter(|request| request.contains(".deb")).count();
    assert_eq!(debs(&web), 2, "{:?}", web.requests());
    // A file that an interrupted run has fetched is not fetched again.
    sandbox.publish(["remove", "--suite", "stable", "tool"]).ok();
    pull_from(&sandbox, &from, &["tool", "libtool"]).ok().says(["Added 2 packages"]);
    let requests = web.requests();
    let fetched: Vec<&String> = requests.iter().filter(|request| request.contains(".deb")).collect();
    assert!(fetched.len() == 1 && fetched[0].contains("libtool"), "{fetched:?}");
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_source_that_cannot_be_verified_is_refused() {
    let sandbox = sandbox("");
    let without = |sandbox: &Sandbox, more: &[&str]| {
        sandbox.publish([&["pull", "stable", "--from", "other#sid", "hello"], more].concat())
    };
    refused(
        &sandbox,
        |sandbox| without(sandbox, &[]),
        &["suite `sid`", "--keyring FILE", "--trust-existing"],
    );
    // Another key.
    let stranger = fixture("keys/test.pub.asc");
    refused(
        &sandbox,
        |sandbox| without(sandbox, &["--keyring", stranger.to_str().unwrap()]),
        &["--keyring FILE"],
    );
    // An index that is not the signed one.
    let index = sandbox.path("other/dists/sid/main/binary-amd64/Packages");
    let text = fs::read_to_string(&index).unwrap();
    for name in ["by-hash", "Packages.gz", "Packages.xz"] {
        let _ = fs::remove_dir_all(sandbox.path(format!("other/dists/sid/main/binary-amd64/{name}")));
        let _ = fs::remove_file(sandbox.path(format!("other/dists/sid/main/binary-amd64/{name}")));
    }
    fs::write(&index, text.replace("Version: 2.0", "Version: 9.0")).unwrap();
    refused(&sandbox, |sandbox| pull(sandbox, &["hello"]), &["does not match"]);
    fs::write(&index, &text).unwrap();
    // An unsigned one.
    fs::remove_file(sandbox.path("other/dists/sid/InRelease")).unwrap();
    fs::remove_file(sandbox.path("other/dists/sid/Release.gpg")).unwrap();
    refused(&sandbox, |sandbox| pull(sandbox, &["hello"]), &["not signed", "--trust-existing"]);
    without(&sandbox, &["--trust-existing"]).ok().says(["+ hello 2.0 amd64"]);
}

#[test]
fn an_expired_source_is_refused() {
    let sandbox = sandbox("");
    fs::create_dir_all(sandbox.path("other/conf")).unwrap();
    let conf = "Codename: sid\nComponents: main\nArchitectures: amd64 arm64\nValidFor: 30y\n";
    fs::write(sandbox.path("other/conf/distributions"), conf).unwrap();
    publish_there(&sandbox, &deb("last"));
    pull(&sandbox, &["last"]).ok();
    let key = fixture(PUBLIC);
    let later = ["pull", "stable", "--from", "other#sid", "hello", "--keyring", key.to_str().unwrap()];
    let before = sandbox.tree();
    sandbox.publish_after(31 * 365 * 86400, &later).fails(1).says(["has expired", "Valid-Until"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish_after(31 * 365 * 86400, &[&later[..], &["--trust-existing"]].concat()).ok();
}

#[test]
fn all_packages_come_or_none() {
    let sandbox = sandbox("");
    let file = sandbox.path("other/pool/main/t/tool/tool_1.0_amd64.deb");
    let good = fs::read(&file).unwrap();
    let packages = |sandbox: &Sandbox| sandbox.tree().paths_with("dists/");
    let before = packages(&sandbox);
    fs::write(&file, [&good[..], b"more"].concat()).unwrap();
    pull(&sandbox, &["hello", "tool"]).fails(1).says(["tool_1.0_amd64.deb"]);
    fs::write(&file, vec![b'x'; good.len()]).unwrap();
    pull(&sandbox, &["hello", "tool"]).fails(1).says(["tool_1.0_amd64.deb", "does not match its index"]);
    fs::remove_file(&file).unwrap();
    pull(&sandbox, &["hello", "tool"]).fails(1).says(["tool_1.0_amd64.deb", "does not have it"]);
    assert_eq!(packages(&sandbox), before);
    assert!(!sandbox.archive("pool/main/t").exists());
    fs::write(&file, good).unwrap();
    pull(&sandbox, &["hello", "tool"]).ok();
    // Other bytes at the path in the pool are never replaced.
    let ours = sandbox.archive("pool/main/libt/libtool/libtool_1.5_amd64.deb");
    fs::create_dir_all(ours.parent().unwrap()).unwrap();
    fs::write(&ours, "other").unwrap();
    refused(&sandbox, |sandbox| pull(sandbox, &["libtool"]), &["the pool has other bytes at"]);
}

/// The other archive's index decides nothing about where files are written, and gets no bad field signed.
#[test]
fn a_hostile_index_writes_nowhere_else() {
    for (change, says) in [
        (("Filename: pool/main/h/hello/hello_2.0_amd64.deb", "Filename: ../../etc/x.deb"), "../../etc/x.deb"),
        (("Filename: pool/main/h/hello/hello_2.0_amd64.deb", "Filename: conf/x.deb"), "conf/x.deb"),
        (("Version: 2.0", "Version: 2.0/../../../../x"), "is not allowed"),
        (("Version: 2.0", "Version: 2.0\nSource: ../../conf"), "is not allowed"),
        (("Version: 2.0", "Version: 2.0\nDepends: a,,b"), "a package name is missing"),
        (("SHA256:", "SHA1:"), "SHA256"),
    ] {
        let sandbox = sandbox("");
        let text = deb("hello").version("2.0").stanza();
        let bytes = deb("hello").version("2.0").bytes();
        let stanza = format!(
            "{text}Filename: pool/main/h/hello/hello_2.0_amd64.deb\nSize: {}\nSHA256: {}\n",
            bytes.len(),
            sha256(&bytes)
        );
        let stanza = stanza.replacen(change.0, change.1, 1);
        assert!(stanza.contains(change.1), "{stanza}");
        let other = Sandbox::new();
        other.adopt_index(&stanza);
        fs::create_dir_all(other.archive("pool/main/h/hello")).unwrap();
        fs::write(other.archive("pool/main/h/hello/hello_2.0_amd64.deb"), &bytes).unwrap();
        let from = format!("{}#stable", other.archive("").display());
        refused(
            &sandbox,
            |sandbox| sandbox.publish(["pull", "stable", "--from", &from, "--all", "--trust-existing"]),
            &[says],
        );
    }
}

#[test]
fn a_package_that_was_cut_off_before_it_was_listed_is_refused() {
    let filler: Vec<u8> =
        (0..9_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    // A large file passes through the disk.
    for payload in [&b"small"[..], &filler] {
        let sandbox = sandbox("");
        let whole = deb("hello").version("2.0").payload(payload);
        let bytes = &whole.bytes()[..whole.bytes().len() - 20];
        let path = "pool/main/h/hello/hello_2.0_amd64.deb";
        let stanza =
            format!("{}Filename: {path}\nSize: {}\nSHA256: {}\n", whole.stanza(), bytes.len(), sha256(bytes));
        let other = Sandbox::new();
        other.adopt_index(&stanza);
        fs::create_dir_all(other.archive("pool/main/h/hello")).unwrap();
        fs::write(other.archive(path), bytes).unwrap();
        let location = other.archive("").display().to_string();
        let says = [
            &format!("cannot copy `{path}`"),
            &format!(
                "the file in `{}` matches its index, but dpkg cannot read it",
                location.trim_end_matches('/')
            ),
            "the file ends early",
            "` is missing ",
        ];
        let from = format!("{location}#stable");
        let pull = ["pull", "stable", "--from", &from, "--all", "--trust-existing"];
        refused(&sandbox, |sandbox| sandbox.publish(pull), &says);
        let import = ["import", &location, "--suite", "stable", "--trust-existing"];
        refused(&sandbox, |sandbox| sandbox.publish(import), &says);
        let fault = format!("{path}: it matches its index, but dpkg cannot read it: the file ends early");
        let found = other.publish(["check", "--deep"]).fails(4);
        assert!(found.stdout.contains(&fault), "{found:?}");
    }
}

#[test]
fn a_formula_selects_packages_for_variants_too() {
    let sandbox = sandbox("");
    let section = |package: DebBuilder| package.field("Section", "net");
    publish_there(&sandbox, &section(deb("fast")));
    let variant = section(deb("fast").field("Architecture-Variant", "amd64v3"));
    let file = variant.write_as(sandbox.incoming().join("fast_1.0_amd64v3.deb"));
    there(&sandbox, &["add", "--suite", "sid", file.to_str().unwrap()]).ok();
    let formula = ["--filter", "Section (== net)"];
    let only = pull(&sandbox, &[&formula[..], &["--architecture", "amd64v3", "--dry-run"]].concat()).ok();
    assert!(!only.stderr.contains("fast 1.0 amd64 "), "{}", only.stderr);
    pull(&sandbox, &formula).ok().says(["+ fast 1.0 amd64 (main)", "+ fast 1.0 amd64v3 (main)"]);
    assert_eq!(listed(&sandbox), ["fast 1.0 amd64", "fast 1.0 amd64v3"]);
    sandbox.publish(["check"]).ok();
}

/// A path with a blank is one that apt requests; one with `//` is found by servers with folders alone, so it gets another
/// path where it is fetched, and is refused where it would be listed again.
#[test]
fn check_copy_and_pull_agree_about_odd_paths() {
    for (path, file, is_listed) in [
        ("pool/h e/hel lo.deb", "pool/h e/hel lo.deb", true),
        ("pool/hello.odd", "pool/hello.odd", true),
        ("pool//hello.deb", "pool/hello.deb", false),
    ] {
        let bytes = deb("hello").bytes();
        let stanza = format!(
            "{}Filename: {path}\nSize: {}\nSHA256: {}\n",
            deb("hello").stanza(),
            bytes.len(),
            sha256(&bytes)
        );
        let other = Sandbox::new();
        other.adopt_index(&stanza);
        fs::create_dir_all(other.archive(file).parent().unwrap()).unwrap();
        fs::write(other.archive(file), &bytes).unwrap();
        let check = other.publish(["check"]);
        let copy =
            ["copy", "--from", "stable", "--to", "testing", "--new-suite", "hello", "--trust-existing"];
        let copied = other.publish(copy);
        if is_listed {
            check.ok();
            copied.ok();
            other.publish(["check"]).ok();
            for mut apt in Client::all(&other) {
                apt.source(&Source::folder(other.archive("")).suite("testing").trusted());
                apt.updates();
                assert_eq!(apt.download("hello"), bytes, "{} {path}", apt.name);
            }
        } else {
            let why = "a part between `/` is empty";
            assert!(check.fails(4).stdout.contains(why), "{path}");
            copied.fails(1).says([why]);
        }
        let sandbox = sandbox("");
        let from = format!("{}#stable", other.archive("").display());
        sandbox.publish(["pull", "stable", "--from", &from, "--all", "--trust-existing"]).ok();
        assert!(sandbox.archive("pool/main/h/hello/hello_1.0_amd64.deb").exists());
        sandbox.publish(["check"]).ok();
    }
}

#[test]
fn contents_list_the_files_of_packages_that_are_fetched() {
    let sandbox = sandbox("Contents: yes\n");
    publish_there(&sandbox, &deb("filled").installs("usr/bin/filled"));
    pull(&sandbox, &["filled"]).ok();
    let index = sandbox.archive("dists/stable/main/Contents-amd64.gz");
    let text = sandbox.ask("zcat", [index]);
    assert!(text.contains("usr/bin/filled"), "{text}");
    sandbox.publish(["check"]).ok();
}

#[test]
fn the_source_is_named_by_a_location_and_a_suite() {
    let sandbox = sandbox("");
    // The only suite there.
    pull_from(&sandbox, "./other", &["libtool"]).ok();
    let file = deb("x").write(sandbox.incoming());
    there(&sandbox, &["add", "--suite", "rc", "--new-suite", file.to_str().unwrap()]).ok();
    pull_from(&sandbox, "./other", &["x"]).fails(2).says(["other#rc", "`rc`, `sid`"]);
    pull_from(&sandbox, "./nothing", &["x"]).fails(1).says(["there is no archive in"]);
    pull_from(&sandbox, "./other#nosuch", &["x"]).fails(1).says(["there is no suite `nosuch`"]);
    pull_from(&sandbox, "archive#stable", &["x"]).fails(2).says(["is the suite `stable` itself"]);
    let said = pull(&sandbox, &["x", "hello", "--json"]).fails(1);
    assert!(said.stdout.contains("no such package"), "{}", said.stdout);
    let said = pull(&sandbox, &["hello", "--json"]).ok().stdout;
    assert!(said.contains("\"added\"") && said.contains("pool/main/h/hello/hello_2.0_amd64.deb"), "{said}");
}

/// Writes an archive without `dists/`, as dpkg-scanpackages makes it.
fn flat(sandbox: &Sandbox, folder: &str, packages: &[DebBuilder]) {
    let root = sandbox.path(folder);
    fs::create_dir_all(root.join("debs")).unwrap();
    let mut index = String::new();
    for package in packages {
        let (file, bytes) = (package.write(root.join("debs")), package.bytes());
        let name = file.file_name().unwrap().to_str().unwrap();
        let lines = format!("Filename: ./debs/{name}\nSize: {}\nSHA256: {}\n\n", bytes.len(), sha256(&bytes));
        index += &package.stanza();
        index += &lines;
    }
    fs::write(root.join("Packages"), index).unwrap();
}

/// Signs the archive as its owner does.
fn sign_flat(sandbox: &Sandbox, folder: &str) {
    let index = fs::read(sandbox.path(folder).join("Packages")).unwrap();
    let date = "Date: Sun, 01 Jan 2023 00:00:00 UTC";
    let release = format!("{date}\nSHA256:\n {} {} Packages\n", sha256(&index), index.len());
    fs::write(sandbox.path(folder).join("Release"), release).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = sandbox.command("gpg");
        command.args(["--batch", "--yes", "--quiet"]).args(arguments).current_dir(sandbox.path(folder));
        sandbox.run(command).ok();
    };
    gpg(&["--import", fixture(KEY).to_str().unwrap()]);
    gpg(&[
        "--clearsign",
        "--digest-algo",
        "SHA512",
        "--faked-system-time",
        "1748700000",
        "-o",
        "InRelease",
        "Release",
    ]);
}

#[test]
fn an_archive_without_dists_is_a_source() {
    let sandbox = sandbox("");
    let packages = [
        deb("flat"),
        deb("flat").architecture("arm64"),
        deb("doc").architecture("all").field("Depends", "flat"),
    ];
    flat(&sandbox, "flat", &packages);
    let before = sandbox.tree();
    pull_from(&sandbox, "flat", &["--all"]).fails(1).says(["is not signed", "--trust-existing"]);
    assert_eq!(sandbox.tree(), before);
    let said = sandbox.publish(["pull", "stable", "--from", "flat", "--trust-existing", "flat", "-n"]).ok();
    said.says(["Would add 1 package", "+ flat 1.0 amd64 (main)"]);
    sign_flat(&sandbox, "flat");
    pull_from(&sandbox, "flat", &["doc", "--with-dependencies"]).ok().says(["Added 2 packages"]);
    assert!(sandbox.archive("pool/main/f/flat/flat_1.0_amd64.deb").exists());
    sandbox.publish(["check"]).ok();
    // An index that is not the signed one.
    flat(&sandbox, "flat", &[deb("flat").version("2")]);
    pull_from(&sandbox, "flat#./", &["flat"]).fails(1).says(["does not match"]);
    // From the web, in a folder.
    flat(&sandbox, "site/sub", &[deb("web")]);
    let index = fs::read_to_string(sandbox.path("site/sub/Packages")).unwrap();
    fs::write(sandbox.path("site/sub/Packages"), index.replace("./debs", "sub/debs")).unwrap();
    sign_flat(&sandbox, "site/sub");
    let web = Web::of(sandbox.path("site"));
    pull_from(&sandbox, &format!("{}#sub/", web.url), &["web"]).ok().says(["+ web 1.0 amd64"]);
}

/// The source has indices for other architectures than the suite, and each lists the package for all.
#[test]
fn a_formula_takes_packages_for_all_architectures_to_every_index() {
    let sandbox = sandbox("");
    for package in [deb("tools").version("5"), deb("tools-doc")] {
        publish_there(&sandbox, &package.architecture("all"));
    }
    publish_there(&sandbox, &deb("only").version("7"));
    let by_name = |place: &str, what: &[&str]| {
        let key = fixture(PUBLIC);
        let all = ["-a", place, "pull", "s", "--new-suite", "--from", "other#sid", "--keyring"];
        sandbox.publish([&all[..], &[key.to_str().unwrap()], what].concat()).ok();
    };
    let listed = |place: &str| sandbox.publish(["-a", place, "list"]).ok().stdout;
    // A suite that is new, one of such packages alone, and one of other architectures than those of the source.
    for (architectures, formulas, names) in [
        ("", &["tools"][..], &[&["tools"][..]][..]),
        ("", &["tools", "tools-doc | only"], &[&["tools"], &["tools-doc", "only"]]),
        ("riscv64", &["tools"], &[&["tools"]]),
        ("amd64 riscv64", &["tools"], &[&["tools"]]),
    ] {
        for place in ["formula", "names"] {
            let _ = fs::remove_dir_all(sandbox.path(place));
            let conf = sandbox.path(place).join("conf");
            fs::create_dir_all(&conf).unwrap();
            if !architectures.is_empty() {
                let text = format!("Codename: s\nComponents: main\nArchitectures: {architectures}\n");
                fs::write(conf.join("distributions"), text).unwrap();
            }
        }
        for (formula, names) in formulas.iter().zip(names) {
            by_name("formula", &["--filter", formula]);
            by_name("names", names);
        }
        assert_eq!(listed("formula"), listed("names"), "{architectures} {formulas:?}");
        assert!(listed("names").contains("tools"), "{}", listed("names"));
        for architecture in architectures.split_whitespace() {
            let index = format!("formula/dists/s/main/binary-{architecture}/Packages");
            assert!(
                fs::read_to_string(sandbox.path(&index)).unwrap().contains("Package: tools\n"),
                "{index}"
            );
        }
    }
}

/// As by apt 2: gpgv reports `EXPKEYSIG`, although the key was valid when it signed.
#[test]
fn a_source_whose_key_has_expired_is_refused() {
    let sandbox = sandbox("");
    let file = deb("past").write(sandbox.incoming());
    let key = fixture("keys/expired.asc");
    let words = ["-a", "past", "--sign-with", key.to_str().unwrap(), "add", "--suite", "sid", "--new-suite"];
    let in_2020 = [("PUBLISH_DATE", "1590969600")];
    sandbox.publish_with(&in_2020, [&words[..], &[file.to_str().unwrap()]].concat()).ok();
    let public = fixture("keys/expired.pub.asc");
    let keyring = ["--from", "past#sid", "--keyring", public.to_str().unwrap(), "past"];
    let pull = |more: &[&str]| sandbox.publish([&["pull", "stable"], &keyring[..], more].concat());
    refused(&sandbox, |_| pull(&[]), &["has expired on 2021-01-01", "a later expiry", "--trust-existing"]);
    pull(&["--trust-existing"]).ok().says(["+ past 1.0 amd64"]);
}

/// `x (>= 1), x (<< 3)` are two conditions for one package.
#[test]
fn a_dependency_is_the_one_that_fits_all_conditions_of_a_package() {
    let sandbox = sandbox("");
    publish_there(&sandbox, &deb("app").field("Depends", "part (>= 1), part (<< 3)"));
    for version in ["1", "2", "5"] {
        publish_there(&sandbox, &deb("part").version(version));
    }
    pull(&sandbox, &["app", "--with-dependencies"]).ok();
    assert_eq!(listed(&sandbox), ["app 1.0 amd64", "part 2 amd64"]);
}

/// apt installs such a package for `:any` only if it says `Multi-Arch: allowed`.
#[test]
fn a_dependency_on_any_architecture_is_fulfilled_as_by_apt() {
    let sandbox = sandbox("");
    publish_there(&sandbox, &deb("app").field("Depends", "one:any, two:any"));
    publish_there(&sandbox, &deb("one").field("Multi-Arch", "foreign"));
    publish_there(&sandbox, &deb("two").field("Multi-Arch", "allowed"));
    let said = pull(&sandbox, &["app", "--with-dependencies"]).ok();
    said.says(["`app` depends on `one:any`, which neither the suite nor the source has"]);
    assert_eq!(listed(&sandbox), ["app 1.0 amd64", "two 1.0 amd64"]);
}

/// The new suite gets the architecture of the dependency alone.
#[test]
fn a_dependency_of_other_architectures_is_not_missing() {
    let sandbox = sandbox("");
    publish_there(&sandbox, &deb("app").architecture("all").field("Depends", "only"));
    publish_there(&sandbox, &deb("only"));
    let key = fixture(PUBLIC);
    let pull = |place: &str| {
        let words = ["-a", place, "pull", "s", "--new-suite", "--from", "other#sid", "--with-dependencies"];
        sandbox.publish([&words[..], &["--keyring", key.to_str().unwrap(), "app"]].concat()).ok()
    };
    let said = pull("open");
    assert!(!said.stderr.contains("neither"), "{}", said.stderr);
    fs::create_dir_all(sandbox.path("both/conf")).unwrap();
    let text = "Codename: s\nComponents: main\nArchitectures: amd64 arm64\n";
    fs::write(sandbox.path("both/conf/distributions"), text).unwrap();
    pull("both").says(["`app` depends on `only`, which neither the suite nor the source has for `arm64`"]);
}

/// The remedies for an archive of ours are not those for that of others.
#[test]
fn a_fault_of_the_source_is_not_ours_to_repair() {
    let sandbox = sandbox("");
    let folder = sandbox.path("other/dists/sid");
    let index = folder.join("main/binary-amd64");
    for name in ["by-hash", "Packages", "Packages.gz", "Packages.xz"] {
        let _ = fs::remove_dir_all(index.join(name));
        let _ = fs::remove_file(index.join(name));
    }
    let again = |what: &str| {
        let said = pull(&sandbox, &["hello"]).fails(1);
        said.says([what, "cannot take packages from", "run the same command again later"]);
        assert!(!said.stderr.contains("publish check"), "{}", said.stderr);
    };
    again("Packages");
    fs::write(folder.join("InRelease"), vec![b'x'; 11_000_000]).unwrap();
    again("is larger than expected");
}

/// Files that an interrupted run has fetched are no sign of a lost suite.
#[test]
fn an_interrupted_pull_goes_on_without_a_warning() {
    let sandbox = sandbox("");
    let file = sandbox.path("other/pool/main/t/tool/tool_1.0_amd64.deb");
    let good = fs::read(&file).unwrap();
    fs::write(&file, "damaged").unwrap();
    let key = fixture(PUBLIC);
    let words = ["-a", "new", "pull", "s", "--new-suite", "--from", "other#sid", "--all", "--keyring"];
    let pull = || sandbox.publish([&words[..], &[key.to_str().unwrap()]].concat());
    pull().fails(1).says(["1 file could not be copied"]);
    fs::write(&file, good).unwrap();
    let said = pull().ok();
    assert!(!said.stderr.contains("that no suite lists"), "{}", said.stderr);
}

#[test]
fn dependencies_that_contradict_each_other_are_named() {
    let sandbox = sandbox("");
    publish_there(
        &sandbox,
        &deb("app").field("Depends", "hello (>= 1.5), hello (<< 2.0), libtool (>= 1), libtool (<< 2)"),
    );
    let said = pull(&sandbox, &["app", "--with-dependencies", "--dry-run"]).ok();
    said.says([
        "`app` depends on `hello (>= 1.5), hello (<< 2.0)`, which neither the suite nor the source has",
    ]);
    assert!(!said.stderr.contains("libtool (>= 1), "), "{}", said.stderr);
    // Two packages that provide the name can be installed together.
    publish_there(&sandbox, &deb("mail-a").field("Provides", "mail (= 1)"));
    publish_there(&sandbox, &deb("mail-b").field("Provides", "mail (= 3)"));
    publish_there(&sandbox, &deb("user").field("Depends", "mail (>= 2), mail (<< 2)"));
    let said = pull(&sandbox, &["user", "--with-dependencies", "--dry-run"]).ok();
    assert!(!said.stderr.contains("depends on"), "{}", said.stderr);
}

/// A formula selects by the rules for packages that are named.
#[test]
fn a_formula_takes_only_what_a_pattern_takes() {
    let sandbox = sandbox("");
    publish_there(&sandbox, &deb("doc").architecture("all"));
    for what in [&["--all"][..], &["*"], &["--filter", "Package (% *)"]] {
        let said = pull(&sandbox, &[what, &["--architecture", "all", "--dry-run"]].concat()).ok();
        let plan: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("  +")).collect();
        assert_eq!(plan, ["  + doc 1.0 all (main)"], "{what:?}");
    }
    // The suite has no such component.
    fs::create_dir_all(sandbox.path("other/conf")).unwrap();
    let conf = "Codename: sid\nComponents: main universe\nArchitectures: amd64 arm64\n";
    fs::write(sandbox.path("other/conf/distributions"), conf).unwrap();
    let file = deb("universal").write(sandbox.incoming());
    there(&sandbox, &["add", "--suite", "sid", "--component", "universe", file.to_str().unwrap()]).ok();
    for what in [&["--all"][..], &["universal"], &["--filter", "universal"]] {
        refused(&sandbox, |sandbox| pull(sandbox, what), &["suite `stable` has no component `universe`"]);
    }
    pull(&sandbox, &["--filter", "universal", "--component", "contrib"])
        .ok()
        .says(["+ universal 1.0 amd64 (contrib)"]);
}

#[test]
fn a_source_on_the_web_is_named_with_its_suite() {
    let sandbox = sandbox("");
    let web = Web::of(sandbox.path("other"));
    for from in [web.url.clone(), format!("{}#nope", web.url)] {
        let hint = format!("`--from {}#SUITE`", web.url);
        refused(&sandbox, |sandbox| pull_from(sandbox, &from, &["hello"]), &["there is no suite", &hint]);
    }
}
