//! Files of other tools that a suite lists: `publish attach`.

use std::fs;

use crate::{
    apt_client::Client,
    deb_builder::{Pack, deb, pack},
    sandbox::{Sandbox, age},
};

const YML: &str = "main/dep11/Components-amd64.yml";

/// An archive with a package, and a file `x.yml` to attach.
fn archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    let file = deb("hello").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    fs::write(sandbox.path("x.yml"), "---\nFile: DEP-11\n").unwrap();
    sandbox
}

/// A file in the place of a folder would be listed and could never be written.
#[test]
fn a_folder_of_the_suite_is_no_place_for_a_file() {
    let sandbox = archive();
    let before = sandbox.tree();
    for path in ["main", "main/binary-amd64"] {
        sandbox
            .publish(["attach", "x.yml", "--as", path])
            .fails(1)
            .says(["the suite has a folder of that name"]);
    }
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["attach", "x.yml", "--as", "main/dep11"]).ok();
    let below = sandbox.publish(["attach", "x.yml", "--as", YML]).fails(1);
    below.says(["a file with the name of one of its folders"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn an_attached_file_is_listed_in_all_forms_and_apt_fetches_it() {
    let sandbox = archive();
    let attach = ["attach", "x.yml", "--as", YML, "--compress", "gz,xz"];
    let before = sandbox.tree();
    let said = sandbox.publish([&attach[..], &["--dry-run"]].concat()).ok();
    said.says(["`main/dep11/Components-amd64.yml` is attached", "nothing was written"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(attach).ok().says(["Published suite `stable`"]);
    let release = sandbox.read("dists/stable/InRelease");
    for form in ["", ".gz", ".xz"] {
        assert!(release.contains(&format!(" {YML}{form}\n")), "{release}");
        assert!(sandbox.tree().has(&format!("dists/stable/{YML}{form}")), "{form}");
    }
    assert_eq!(sandbox.tree().paths_with("dists/stable/main/dep11/by-hash/").len(), 3);
    sandbox.publish(attach).ok().says(["Nothing to do"]);
    sandbox.publish(["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        let target = "Acquire::IndexTargets::deb::DEP-11";
        apt.option(&format!("{target}::MetaKey"), "$(COMPONENT)/dep11/Components-$(NATIVE_ARCHITECTURE).yml");
        apt.option(&format!("{target}::ShortDescription"), "Components");
        apt.option(&format!("{target}::Description"), "$(RELEASE)/$(COMPONENT) DEP-11");
        let key = sandbox.archive("archive-key.asc");
        apt.source(&crate::apt_client::Source::folder(sandbox.archive("")).signed_by(key));
        apt.updates();
        let said = apt.run("apt-get", ["indextargets", "--format", "$(FILENAME)", "Created-By: DEP-11"]).ok();
        let name = said.stdout.lines().next().and_then(|path| path.rsplit('/').next());
        let name = name.expect("apt fetched no file");
        assert!(apt.has(&format!("var/lib/apt/lists/{name}")), "{}: {name}", apt.name);
    }

    // The file of another version replaces all forms, and a detached one is listed no more.
    fs::write(sandbox.path("x.yml"), "---\nFile: other\n").unwrap();
    sandbox.publish(["attach", "x.yml", "--as", YML]).ok();
    let release = sandbox.read("dists/stable/InRelease");
    assert!(release.contains(&format!(" {YML}\n")) && !release.contains(&format!("{YML}.gz")), "{release}");
    let said = sandbox.publish(["--json", "attach", "--detach", YML]).ok();
    assert!(said.stdout.contains("is detached"), "{}", said.stdout);
    assert!(!sandbox.read("dists/stable/InRelease").contains("dep11"));
    sandbox.publish(["attach", "--detach", YML]).fails(1).says(["no such file is listed"]);
    sandbox.publish(["check"]).ok();
}

/// Every hint is a command that does what was meant.
#[test]
fn a_file_that_is_not_attached_has_a_hint_with_the_one_that_is() {
    let sandbox = archive();
    let detach = |path: &str| sandbox.publish(["attach", "--detach", path]);
    detach(YML).fails(1).says(["no such file is listed", "lists no file that could be detached"]);
    sandbox.publish(["attach", "x.yml", "--as", YML]).ok();
    let meant = "`publish attach --suite stable --detach main/dep11/Components-amd64.yml`";
    for mistyped in [
        "main/dep11/Components-amd64.yaml",
        "main/dep11/Component-amd64.yml",
        "Components-amd64.yml",
        "dists/stable/main/dep11/Components-amd64.yml",
        "./main/dep11/Components-amd64.yml",
        "/main/dep11/Components-amd64.yml",
    ] {
        detach(mistyped).fails(1).says(["no such file is listed", &format!("did you mean {meant}?")]);
    }
    for other in ["x", "", "a\u{1b}b"] {
        detach(other).fails(1).says(["no such file is listed", &format!("{meant} detaches one")]);
    }
    for written in ["main/binary-amd64/Packages", "main/source/Sources.xz", "Release"] {
        detach(written)
            .fails(1)
            .says(["`publish` writes files of that name itself", "`publish export stable`"]);
    }
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nContents: yes\n");
    sandbox.publish(["export", "stable"]).ok();
    detach("main/Contents-amd64").fails(1).says(["configured with `Contents`", "remove `Contents:`"]);
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    detach("main/Contents-amd64").ok();
    sandbox.publish(["attach", "--suite", "stable", "--detach", YML]).ok();
    sandbox.publish(["export", "stable"]).ok();
    let release = sandbox.read("dists/stable/InRelease");
    assert!(!release.contains("Contents") && !release.contains("dep11"), "{release}");
    sandbox.publish(["check"]).ok();
}

#[test]
fn rollback_snapshot_sync_log_and_prune_know_it() {
    let sandbox = archive();
    sandbox.publish(["attach", "x.yml", "--as", YML, "--compress", "xz"]).ok();
    let said = sandbox.publish(["log"]).ok();
    assert!(said.stdout.contains(YML), "{}", said.stdout);
    sandbox.publish(["snapshot", "one"]).ok();
    sandbox.publish(["sync", "./there"]).ok();
    assert!(sandbox.path("there/dists/stable").join(YML).exists());
    sandbox.publish(["check", "./there"]).ok();
    sandbox.publish(["attach", "--detach", YML, "--suite", "stable"]).ok();
    let said = sandbox.publish(["diff", "stable@1", "stable"]).ok();
    assert!(said.stdout.contains(YML), "{}", said.stdout);
    sandbox.publish(["rollback", "stable"]).ok();
    assert!(sandbox.read("dists/stable/InRelease").contains(YML));
    age(&sandbox.archive(""), 9);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    sandbox.publish(["check"]).ok();
    assert!(sandbox.read("dists/stable/snapshots/one/InRelease").contains(YML));
    // Metadata of packages that change is stale.
    let file = deb("other").write(sandbox.incoming());
    sandbox
        .publish(["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()])
        .ok()
        .says(["describes the packages before this change"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_file_that_is_compressed_already_is_published_as_it_is() {
    let sandbox = archive();
    let packed = pack(Pack::Gzip, b"icons");
    fs::write(sandbox.path("icons"), &packed).unwrap();
    sandbox.publish(["attach", "icons", "--as", "main/dep11/icons-64x64.tar.gz"]).ok();
    assert_eq!(fs::read(sandbox.archive("dists/stable/main/dep11/icons-64x64.tar.gz")).unwrap(), packed);
    assert_eq!(sandbox.read("dists/stable/main/dep11/icons-64x64.tar"), "icons");
    sandbox.publish(["check"]).ok();
    fs::write(sandbox.path("icons"), "not gzip").unwrap();
    sandbox
        .publish(["attach", "icons", "--as", "main/dep11/icons-64x64.tar.gz"])
        .fails(1)
        .says(["cannot read `icons`"]);
}

#[test]
fn contents_and_translations_are_refused_where_publish_writes_them() {
    let sandbox = archive();
    let attach = |path: &str| sandbox.publish(["attach", "x.yml", "--as", path, "--compress", "gz"]);
    fs::write(sandbox.path("x.yml"), "usr/bin/made-elsewhere misc/hello\n").unwrap();
    for path in ["main/Contents-amd64", "main/Contents-source"] {
        attach(path).ok();
    }
    // A translation that apt cannot parse stops every client of its language.
    let translation = |path: &str, text: &str| {
        fs::write(sandbox.path("t"), text).unwrap();
        sandbox.publish(["attach", "t", "--as", path, "--compress", "gz"])
    };
    for junk in ["junk", "Package: hello\n\n", "Package: hello\nDescription-md5: zz\nDescription-de: x\n\n"] {
        translation("main/i18n/Translation-de", junk).fails(1).says(["at which apt would stop"]);
    }
    let digest = "0".repeat(32);
    let sound = format!("Package: hello\nDescription-md5: {digest}\nDescription-en: x\n y\n\n");
    translation("main/i18n/Translation-en", &sound).ok();
    attach("main/Contents-source").ok();
    attach("main/Contents-amd64").fails(1).says(["keeps it up to date", "detach it first"]);
    sandbox.publish(["check"]).ok();
    // From then on it is carried on like that of any other tool.
    let late = deb("late").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), late.as_os_str()]).ok();
    let contents = sandbox.ask("gzip", ["-dc", "archive/dists/stable/main/Contents-amd64.gz"]);
    assert!(contents.contains("made-elsewhere") && contents.contains("misc/late"), "{contents}");
    sandbox.publish(["attach", "--detach", "main/Contents-amd64"]).ok();
    let suite = "Codename: stable\nComponents: main\nArchitectures: amd64\n";
    sandbox.configure(&format!("{suite}Contents: .gz\nTranslations: en\n"));
    attach("main/Contents-amd64").fails(1).says(["is not allowed", "`Contents`"]);
    let refused = translation("main/i18n/Translation-en", &sound).fails(1);
    refused.says(["is not allowed", "`Translations: en`"]);
}

#[test]
fn what_publish_writes_itself_and_other_folders_are_refused() {
    let sandbox = archive();
    sandbox.publish(["add", "--suite", "stable/updates", "--new-suite", "incoming"]).ok();
    let before = sandbox.tree();
    for path in [
        "main/binary-amd64/Packages",
        "main/binary-amd64/Packages.xz",
        "odd/Packages",
        "main/source/Sources",
        "InRelease",
        "main/binary-amd64/Release",
        "main/binary-amd64/by-hash/SHA256/00",
        "generations/x/InRelease",
        "../stable/InRelease",
        "/etc/passwd",
        "main/.x",
    ] {
        sandbox
            .publish(["attach", "x.yml", "--suite", "stable", "--as", path])
            .fails(1)
            .says(["is not allowed", "`--as main/dep11/Components-amd64.yml`"]);
        assert_eq!(sandbox.tree(), before, "{path}");
    }
    sandbox
        .publish(["attach", "x.yml", "--suite", "stable", "--as", "updates/main/dep11/x.yml"])
        .fails(1)
        .says(["would be in the folder of suite `stable/updates`"]);
    sandbox
        .publish(["attach", "missing", "--suite", "stable", "--as", YML])
        .fails(1)
        .says(["cannot read `missing`"]);
    sandbox
        .publish(["attach", "x.yml", "--suite", "nowhere", "--as", YML])
        .fails(1)
        .says(["there is no suite"]);
    sandbox.publish(["attach", "x.yml"]).fails(2);
    sandbox.publish(["attach"]).fails(2);
    assert_eq!(sandbox.tree(), before);
}
