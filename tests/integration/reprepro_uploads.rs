//! Tests of uploads under reprepro's command line: the real reprepro and this program accept and refuse the same ones, and
//! leave the same files behind.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    deb_builder::deb, reprepro_pair::Pair, sandbox::Sandbox, source_builder::source, upload_builder::upload,
};

const CONF: &str = "Codename: bookworm\nSuite: stable\nArchitectures: amd64 i386 source\nComponents: main contrib\n\n\
                    Codename: trixie\nSuite: testing\nArchitectures: amd64 source\nComponents: main\nAlsoAcceptFor: next\n";

/// Describes the files of a folder as an upload, with some lines of the description changed.
pub(crate) fn describe(folder: impl AsRef<Path>, name: &str, changes: &[(&str, &str)]) -> String {
    let file = upload(&folder).distribution("bookworm").version("1").write();
    let mut text = fs::read_to_string(&file).unwrap();
    fs::remove_file(file).unwrap();
    let fixed =
        [("Source: hello", "Source: foo"), ("Binary: hello", "Binary: foo"), (" source amd64 all", " amd64")];
    for (from, to) in fixed.iter().chain(changes) {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let path = folder.as_ref().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_later_revision_leaves_out_the_tarball_that_the_pool_has() {
    let Some(pair) = Pair::new(CONF) else { return };
    let revision = |folder: &str, version: &str| {
        let folder = pair.sandbox.path(folder);
        let dsc = source("two").version(version).changes(version).write(&folder);
        dsc.display().to_string()
    };
    let first = revision("one", "1-1");
    pair.status(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", &first]);
    let second = revision("two", "1-2");
    fs::remove_file(pair.sandbox.path("two/two_1.orig.tar.gz")).unwrap();
    let changes = describe(
        pair.sandbox.path("two"),
        "two.changes",
        &[("Source: foo", "Source: two"), (" amd64", " source"), ("Version: 1", "Version: 1-2")],
    );
    pair.status(&["include", "bookworm", &changes]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    // Without an upload, and in another component of another suite.
    pair.status(&["-S", "misc", "-P", "optional", "includedsc", "trixie", &second]);
    pair.same("trixie");
    // Bytes that are not those of the description are no such file.
    revision("three", "1-3");
    let other =
        source("two").version("1-3").changes("1-3").upstream("other").write(pair.sandbox.path("three"));
    fs::remove_file(pair.sandbox.path("three/two_1.orig.tar.gz")).unwrap();
    pair.run(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", other.to_str().unwrap()]);
    pair.lists(&["list", "bookworm"]);
}

#[test]
fn our_own_words_find_the_tarball_too() {
    let sandbox = Sandbox::new();
    source("two").version("1-1").write(sandbox.incoming());
    sandbox.publish(["add", "incoming/two_1-1.dsc"]).ok();
    let second = source("two").version("1-2").write(sandbox.incoming());
    fs::remove_file(sandbox.incoming().join("two_1.orig.tar.gz")).unwrap();
    sandbox.publish(["add".as_ref(), second.as_os_str()]).ok();
    sandbox.publish(["check"]).ok();
    fs::remove_file(sandbox.archive("pool/main/t/two/two_1.orig.tar.gz")).unwrap();
    let third = source("two").version("1-3").write(sandbox.incoming());
    fs::remove_file(sandbox.incoming().join("two_1.orig.tar.gz")).unwrap();
    sandbox
        .publish(["add".as_ref(), third.as_os_str()])
        .fails(1)
        .says(["`pool/main/t/two/two_1.orig.tar.gz`"]);
}

/// Each with the option that ignores it, if there is one.
#[test]
fn what_an_upload_has_to_say_is_what_reprepro_requires() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.conf("incoming", "Name: q\nIncomingDir: queue\nTempDir: tmp\nAllow: bookworm\n");
    let folder = pair.sandbox.path("up");
    deb("foo").version("1").write(&folder);
    for base in ["real", "ours"] {
        fs::create_dir_all(pair.sandbox.path(base).join("tmp")).unwrap();
    }
    for (at, (change, ignore)) in [
        (("Urgency: low\n", ""), None),
        (("Format: 1.8\n", ""), Some("missingfield")),
        (("Date: Sun, 01 Jun 2025 00:00:00 +0000\n", ""), Some("missingfield")),
        (("Maintainer: Example Team <team@example.org>\n", ""), Some("missingfield")),
        (("Binary: foo\n", ""), Some("surprisingbinary")),
        (("Binary: foo", "Binary: bar"), Some("surprisingbinary")),
        (("Binary: foo", "Binary: foo bar"), None),
        ((" amd64\n", " amd64 i386\n"), Some("unusedarch")),
        ((" amd64\n", " source amd64\n"), None),
        (("Source: foo", "Source: foo (2)"), Some("wrongsourceversion")),
        (("Version: 1", "Version: 1+b1"), Some("wrongsourceversion")),
        (("Distribution: bookworm\n", ""), None),
    ]
    .into_iter()
    .enumerate()
    {
        let file = describe(&folder, &format!("{at}.changes"), &[change]);
        let list = || pair.lists(&["list", "bookworm"]);
        let run = |arguments: &[&str]| {
            pair.status(arguments);
            list();
            pair.run(&["removematched", "bookworm", "*"]);
        };
        run(&["include", "bookworm", &file]);
        if let Some(kind) = ignore {
            run(&[&format!("--ignore={kind}"), "include", "bookworm", &file]);
        }
        for base in ["real", "ours"] {
            let queue = pair.sandbox.path(base).join("queue");
            let _ = fs::remove_dir_all(&queue);
            fs::create_dir_all(&queue).unwrap();
            for name in ["foo_1_amd64.deb".to_owned(), format!("{at}.changes")] {
                fs::copy(folder.join(&name), queue.join(&name)).unwrap();
            }
        }
        pair.run(&["processincoming", "q"]);
        list();
        pair.run(&["removematched", "bookworm", "*"]);
    }
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(folder).unwrap().display().to_string())
        .collect();
    files.sort();
    files
}

#[test]
fn a_queue_keeps_cleans_and_hands_over_the_files_that_are_not_packages() {
    let Some(pair) = Pair::new(&format!(
        "{}ByHandHooks:\n byhand * *.hook by-hand.sh\n * - * never.sh\n",
        CONF.split("\n\n").next().unwrap().to_owned() + "\n"
    )) else {
        return;
    };
    for base in ["real", "ours"] {
        let (base, told) = (pair.sandbox.path(base), pair.sandbox.path(base).join("told"));
        fs::create_dir_all(base.join("tmp")).unwrap();
        let script = format!("#!/bin/sh\necho \"$1 $2 $3 $4 $(cat \"$5\")\" >>{}\n", told.display());
        for name in ["by-hand.sh", "never.sh"] {
            fs::write(base.join("conf").join(name), &script).unwrap();
            fs::set_permissions(base.join("conf").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    for (files_of_upload, rules) in [
        (&["foo_1_amd64.buildinfo"][..], ""),
        (&["foo_1_amd64.buildinfo"], "Cleanup: unused_buildinfo_files\nMorgueDir: morgue\n"),
        (&["foo_1_amd64.log"], ""),
        (&["foo_1_amd64.log"], "Permit: unused_files\n"),
        (&["foo_1_amd64.log"], "Permit: unused_files\nCleanup: unused_files\nMorgueDir: morgue\n"),
        (&["foo_1_amd64.log", "foo_1_amd64.buildinfo"], "LogDir: kept\n"),
        (
            &["foo_1_amd64.log", "foo_1_amd64.buildinfo"],
            "LogDir: kept\nMorgueDir: morgue\nCleanup: unused_files unused_buildinfo_files\n",
        ),
        (&["foo_1.hook", "foo_1.other"], "Cleanup: on_error\nMorgueDir: morgue\n"),
        (&["foo_1.hook"], ""),
    ] {
        pair.conf(
            "incoming",
            &format!("Name: q\nIncomingDir: queue\nTempDir: tmp\nAllow: bookworm\n{rules}"),
        );
        for base in ["real", "ours"] {
            let base = pair.sandbox.path(base);
            for folder in ["queue", "morgue", "kept"] {
                let _ = fs::remove_dir_all(base.join(folder));
            }
            let queue = base.join("queue");
            deb("foo").version("1").write(&queue);
            for name in files_of_upload {
                fs::write(queue.join(name), "text").unwrap();
            }
            let text = describe(&queue, "foo.changes", &[]);
            // Files that an administrator handles have a section of their own.
            let changed =
                fs::read_to_string(&text).unwrap().replace("net extra foo_1.", "byhand extra foo_1.");
            fs::write(text, changed).unwrap();
        }
        pair.status(&["processincoming", "q"]);
        pair.lists(&["list", "bookworm"]);
        for folder in ["queue", "morgue", "kept"] {
            let [real, ours] = ["real", "ours"].map(|base| files(&pair.sandbox.path(base).join(folder)));
            // The folders of the morgue have the date in their names.
            let plain = |names: Vec<String>| -> Vec<String> {
                let last = |name: String| name.rsplit('/').next().unwrap().to_owned();
                if folder == "morgue" { names.into_iter().map(last).collect() } else { names }
            };
            assert_eq!(plain(ours), plain(real), "{folder} after {files_of_upload:?} with {rules}");
        }
        pair.run(&["removematched", "bookworm", "*"]);
    }
    let told = |base: &str| fs::read_to_string(pair.sandbox.path(base).join("told")).unwrap();
    assert_eq!(told("ours"), told("real"));
    // A hook that fails refuses the upload.
    fs::write(pair.sandbox.path("ours/conf/by-hand.sh"), "#!/bin/sh\nexit 3\n").unwrap();
    let queue = pair.sandbox.path("ours/queue");
    deb("foo").version("1").write(&queue);
    fs::write(queue.join("foo_1.hook"), "text").unwrap();
    describe(&queue, "foo.changes", &[("net extra foo_1.hook", "byhand extra foo_1.hook")]);
    pair.one("ours", &["processincoming", "q"]).fails(255).says(["by-hand.sh", "failed"]);
    assert_eq!(pair.one("ours", &["list", "bookworm"]).ok().stdout, "");
}

#[test]
fn the_distributions_of_an_upload_decide_where_it_goes() {
    let Some(pair) = Pair::new(CONF) else { return };
    for base in ["real", "ours"] {
        fs::create_dir_all(pair.sandbox.path(base).join("tmp")).unwrap();
    }
    for (distributions, rules) in [
        ("bookworm trixie", "Allow: trixie bookworm"),
        ("bookworm trixie", "Allow: trixie bookworm\nOptions: multiple_distributions"),
        ("next", "Allow: next"),
        ("next", "Allow: next>bookworm"),
        ("bookworm", "Allow: bookworm>trixie bookworm"),
        ("bookworm", "Allow: bookworm>trixie bookworm\nOptions: multiple_distributions"),
        ("sid", "Default: testing"),
        ("bookworm", "Allow: bookworm sid>nosuch"),
        ("bookworm", "Allow: bookworm\nDefault: nosuch"),
    ] {
        pair.conf("incoming", &format!("Name: q\nIncomingDir: queue\nTempDir: tmp\n{rules}\n"));
        for base in ["real", "ours"] {
            let queue = pair.sandbox.path(base).join("queue");
            let _ = fs::remove_dir_all(&queue);
            deb("foo").version("1").write(&queue);
            let to = format!("Distribution: {distributions}");
            describe(&queue, "foo.changes", &[("Distribution: bookworm", &to)]);
        }
        pair.status(&["processincoming", "q"]);
        for suite in ["bookworm", "trixie"] {
            pair.lists(&["list", suite]);
            pair.run(&["removematched", suite, "*"]);
        }
    }
}

/// No index names the description, and the pool has that of the removed upload.
#[test]
fn an_upload_that_keeps_its_description_is_included_again() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: bookworm\nArchitectures: amd64\nComponents: main\nTracking: minimal includechanges\n",
    );
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    deb("foo").version("1").write(sandbox.incoming());
    let file = describe(sandbox.incoming(), "foo.changes", &[]);
    run(&["include", "bookworm", &file]).ok();
    run(&["remove", "bookworm", "foo"]).ok();
    let file = describe(sandbox.incoming(), "foo.changes", &[("Urgency: low", "Urgency: high")]);
    run(&["include", "bookworm", &file]).ok().says(["is not kept"]);
    assert_eq!(run(&["list", "bookworm"]).ok().stdout, "bookworm|main|amd64: foo 1\n");
}

#[test]
fn the_files_that_are_not_taken_in_stay_where_they_are() {
    for tracking in [
        "",
        "Tracking: minimal includebuildinfos\n",
        "Tracking: minimal includechanges includebuildinfos includelogs\n",
    ] {
        let Some(pair) =
            Pair::new(&format!("Codename: bookworm\nArchitectures: amd64\nComponents: main\n{tracking}"))
        else {
            return;
        };
        for delete in [&["--delete"][..], &["--delete", "--delete"]] {
            let upload = |base: &str| {
                let folder = pair.sandbox.path("up").join(base);
                let _ = fs::remove_dir_all(&folder);
                deb("foo").version("1").write(&folder);
                for name in ["foo_1_amd64.buildinfo", "foo_1_amd64.log", "foo_1.hook"] {
                    fs::write(folder.join(name), "text").unwrap();
                }
                let file = describe(&folder, "foo.changes", &[]);
                let text = fs::read_to_string(&file).unwrap();
                let text = text.replace("net extra foo_1.hook", "byhand extra foo_1.hook");
                fs::write(&file, text).unwrap();
                file
            };
            for base in ["real", "ours"] {
                let file = upload(base);
                pair.one(base, &[delete, &["include", "bookworm", &file]].concat()).ok();
            }
            let [real, ours] = ["real", "ours"].map(|base| files(&pair.sandbox.path("up").join(base)));
            assert_eq!(ours, real, "{delete:?} with {tracking:?}");
            pair.status(&["removematched", "bookworm", "*"]);
        }
    }
}

/// Files of a queue that both programs get, with rules.
pub(crate) fn queue(pair: &Pair, rules: &str, fill: impl Fn(&Path)) {
    pair.conf("incoming", &format!("Name: q # the queue\nIncomingDir: queue\nTempDir: tmp\n{rules}\n"));
    for base in ["real", "ours"] {
        let base = pair.sandbox.path(base);
        let _ = fs::remove_dir_all(base.join("queue"));
        for folder in ["queue", "tmp"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fill(&base.join("queue"));
    }
}

#[test]
fn an_upload_for_several_suites_goes_to_all_of_them_or_to_none() {
    let text = CONF.replace("amd64 i386 source\nComponents: main contrib", "i386\nComponents: main");
    let Some(pair) = Pair::new(&text) else { return };
    let to = [("Distribution: bookworm", "Distribution: trixie bookworm")];
    queue(&pair, "Allow: trixie bookworm\nMultiple: yes", |folder| {
        deb("foo").version("1").write(folder);
        describe(folder, "foo.changes", &to);
    });
    pair.status(&["processincoming", "q"]);
    for base in ["real", "ours"] {
        assert_eq!(files(&pair.sandbox.path(base).join("queue")), ["foo.changes", "foo_1_amd64.deb"]);
    }
    pair.lists(&["list", "trixie"]);
    // An older version is left out of the suite that has a newer one, if that is allowed.
    pair.conf("distributions", CONF);
    deb("foo").version("2").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    for permit in ["", "\nPermit: older_version"] {
        queue(&pair, &format!("Allow: trixie bookworm\nMultiple: yes{permit}"), |folder| {
            deb("foo").version("1").write(folder);
            describe(folder, "foo.changes", &to);
        });
        pair.status(&["processincoming", "q"]);
        pair.lists(&["list", "trixie"]);
        pair.lists(&["list", "bookworm"]);
    }
}

#[test]
fn an_upload_goes_to_the_suites_whose_uploaders_may_upload_it() {
    for denied in ["bookworm", "trixie", "both"] {
        let list = |suite: &str| {
            if denied == suite || denied == "both" { "Uploaders: none # of them\n" } else { "" }
        };
        let (first, second) = CONF.split_once("\n\n").unwrap();
        let text = format!("{first}\n{}\n{second}{}", list("bookworm"), list("trixie"));
        let Some(pair) = Pair::new(&text) else { return };
        pair.conf("none", "allow source 'other' by anybody\n");
        for multiple in ["yes", "no"] {
            queue(&pair, &format!("Allow: trixie bookworm\nMultiple: {multiple}"), |folder| {
                deb("foo").version("1").write(folder);
                let to = ("Distribution: bookworm", "Distribution: bookworm trixie");
                describe(folder, "foo.changes", &[to]);
            });
            pair.status(&["processincoming", "q"]);
            for suite in ["bookworm", "trixie"] {
                pair.lists(&["list", suite]);
                pair.run(&["removematched", suite, "*"]);
            }
        }
    }
}

#[test]
fn a_description_that_was_changed_after_it_was_signed_is_refused() {
    let Some(pair) = Pair::new(CONF) else { return };
    let (sandbox, folder) = (&pair.sandbox, pair.sandbox.path("in"));
    let gpg = |arguments: &[&str]| {
        let mut command = sandbox.command("gpg");
        sandbox.run({
            command.args(["--batch", "--quiet", "--yes"]).args(arguments);
            command
        })
    };
    gpg(&["--import", crate::sandbox::fixture("keys/test.asc").to_str().unwrap()]).ok();
    let alter = |file: &str, from: &str, to: &str| {
        gpg(&["--clearsign", "--output", &format!("{file}.asc"), file]).ok();
        let text = fs::read_to_string(format!("{file}.asc")).unwrap();
        assert!(text.contains(from));
        fs::write(file, text.replacen(from, to, 1)).unwrap();
        fs::remove_file(format!("{file}.asc")).unwrap();
    };
    deb("foo").version("1").write(&folder);
    let changes = describe(&folder, "foo.changes", &[]);
    alter(&changes, "Urgency: low", "Urgency: high");
    let dsc = source("two").version("1-1").write(pair.sandbox.path("source"));
    let dsc = dsc.to_str().unwrap();
    alter(dsc, "Standards-Version: 4.6.2", "Standards-Version: 4");
    let with_source = pair.sandbox.path("source");
    let of_source = describe(
        &with_source,
        "two.changes",
        &[("Source: foo", "Source: two"), (" amd64", " source"), ("Version: 1", "Version: 1-1")],
    );
    queue(&pair, "Allow: bookworm", |folder| {
        for name in ["foo.changes", "foo_1_amd64.deb"] {
            fs::copy(pair.sandbox.path("in").join(name), folder.join(name)).unwrap();
        }
    });
    for options in [&[][..], &["--ignore=brokensignatures"]] {
        for words in [
            &["include", "bookworm", &changes][..],
            &["-S", "misc", "-P", "optional", "includedsc", "bookworm", dsc],
            &["include", "bookworm", &of_source],
            &["processincoming", "q"],
        ] {
            pair.status(&[options, words].concat());
            pair.lists(&["list", "bookworm"]);
        }
        pair.status(&["removematched", "bookworm", "*"]);
    }
    // Of a key that gpg does not know nothing is known.
    let key = gpg(&["--with-colons", "--list-secret-keys"]).ok().stdout;
    let key = key.lines().find(|line| line.starts_with("fpr:")).unwrap().trim_end_matches(':');
    gpg(&["--delete-secret-and-public-key", key.rsplit(':').next().unwrap()]).ok();
    pair.status(&["include", "bookworm", &changes]);
    pair.lists(&["list", "bookworm"]);
}

#[test]
fn options_that_ignore_an_error_do_so() {
    let text = CONF.replacen("Components", "Uploaders: list\nComponents", 1);
    let Some(pair) = Pair::new(&text.replace("amd64 source", "amd64 i386")) else { return };
    pair.conf("list", "allow source 'other' by anybody\n");
    let folder = pair.sandbox.path("in");
    deb("foo").version("1").write(&folder);
    let changes = describe(&folder, "foo.changes", &[]);
    pair.one("ours", &["include", "bookworm", &changes]).fails(255).says(["--ignore=uploaders"]);
    pair.status(&["include", "bookworm", &changes]);
    pair.status(&["--ignore=uploaders", "include", "bookworm", &changes]);
    pair.lists(&["list", "bookworm"]);
    let folder = pair.sandbox.path("other");
    for architecture in ["amd64", "i386"] {
        deb("foo").version("1").architecture(architecture).write(&folder);
    }
    let changes = describe(&folder, "foo.changes", &[("Distribution: bookworm", "Distribution: trixie")]);
    pair.one("ours", &["include", "trixie", &changes]).fails(255).says(["--ignore=surprisingarch"]);
    pair.status(&["include", "trixie", &changes]);
    pair.status(&["--ignore=surprisingarch", "include", "trixie", &changes]);
    pair.lists(&["list", "trixie"]);
    // The hint of the first error can be followed.
    let dsc = source("two").write(pair.sandbox.path("source"));
    let text = dsc.with_extension("txt");
    fs::rename(&dsc, &text).unwrap();
    let words = ["-S", "misc", "-P", "optional", "includedsc", "bookworm", text.to_str().unwrap()];
    pair.status(&words);
    pair.status(&[&["--ignore=extension"], &words[..]].concat());
    pair.lists(&["list", "bookworm"]);
    for option in ["--fast", "--ignore=brokensignatures", "--ignore=dscinbinnmu"] {
        pair.status(&[option, "list", "bookworm"]);
    }
    deb("all").architecture("all").write(pair.sandbox.path("in"));
    pair.status(&["-A", "source", "includedeb", "bookworm", "in/all_1.0_all.deb"]);
    pair.status(&["-A", "source|amd64", "includedeb", "bookworm", "in/all_1.0_all.deb"]);
    pair.lists(&["list", "bookworm"]);
}

#[test]
fn names_of_one_character_and_epochs_make_the_paths_of_reprepro() {
    let text =
        "Codename: bookworm\nArchitectures: amd64\nComponents: main\nTracking: minimal includechanges\n";
    let Some(pair) = Pair::new(text) else { return };
    let folder = pair.sandbox.path("in");
    deb("foo").version("1:1").source("a").write(&folder);
    let changes =
        describe(&folder, "a.changes", &[("Source: foo", "Source: a"), ("Version: 1", "Version: 1:1")]);
    pair.status(&["include", "bookworm", &changes]);
    let [real, ours] = ["real", "ours"].map(|base| files(&pair.sandbox.path(base).join("pool")));
    assert_eq!(ours, real);
    assert_eq!(ours, ["main/a/a/a_1:1_amd64.changes", "main/a/a/foo_1_amd64.deb"]);
}

#[test]
fn a_misspelt_field_of_a_queue_stops_it() {
    let Some(pair) = Pair::new(CONF) else { return };
    for rules in ["Allow: bookworm\nCleanUpp: on_deny", "Allow: bookworm\nTempDirectory: x"] {
        queue(&pair, rules, |_| {});
        pair.status(&["processincoming", "q"]);
        pair.status(&["--ignore=unknownfield", "processincoming", "q"]);
    }
    queue(&pair, "Allow: bookworm # trixie", |_| {});
    pair.status(&["processincoming", "q"]);
}

/// The log of a build beside its packages, and other files in a folder of the upload.
#[test]
fn files_that_an_administrator_handles_are_kept_as_by_reprepro() {
    for words in ["includelogs", "includebyhand", "includelogs includebyhand includechanges", ""] {
        let text =
            format!("{}Tracking: minimal {words}\n", CONF.split("\n\n").next().unwrap().to_owned() + "\n");
        let Some(pair) = Pair::new(&text) else { return };
        let put = |folder: &Path, version: &str| {
            deb("foo").version(version).field("Section", "contrib/net").write(folder);
            let log = format!("foo_{}_amd64.log", version.replace("2:", ""));
            for name in [&log, "foo.img", "foo.tar.gz"] {
                fs::write(folder.join(name), "text").unwrap();
            }
            let file = describe(folder, "foo.changes", &[("Version: 1", &format!("Version: {version}"))]);
            let text = fs::read_to_string(&file).unwrap();
            let text =
                text.replace("net extra foo.", "byhand extra foo.").replace("net extra", "contrib/net extra");
            fs::write(&file, text).unwrap();
            file
        };
        let same = |what: &str| {
            for part in ["pool", "queue"] {
                let [real, ours] = ["real", "ours"].map(|base| files(&pair.sandbox.path(base).join(part)));
                assert_eq!(ours, real, "{part}, {what}, {words:?}");
            }
        };
        let file = put(&pair.sandbox.path("up"), "2:1-1");
        let both = pair.both(&["include", "bookworm", &file]);
        assert_eq!(both.real.status, both.ours.status);
        assert_eq!(both.ours.stderr.contains("not published"), !words.contains("byhand"), "{}", both.ours);
        pair.status(&["include", "bookworm", &file]);
        same("include");
        queue(&pair, "Allow: bookworm", |folder| drop(put(folder, "2:2-1")));
        pair.status(&["processincoming", "q"]);
        pair.lists(&["list", "bookworm"]);
        if words.is_empty() || words == "includelogs" {
            // It is refused, with the files that nothing keeps.
            same("processincoming");
        }
        // They leave with the last package of their version.
        pair.run(&["removematched", "bookworm", "*"]);
        pair.run(&["deleteunreferenced"]);
        let kept = fs::read_to_string(pair.sandbox.path("ours/conf/distributions")).unwrap();
        fs::write(pair.sandbox.path("ours/conf/distributions"), format!("{kept}KeepFor: 0\n")).unwrap();
        pair.one("ours", &["deleteunreferenced"]).ok();
        same("deleteunreferenced");
        pair.one("ours", &["check"]).ok();
    }
}

#[test]
fn our_own_words_keep_them_too() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: bookworm\nArchitectures: amd64\nComponents: main\nTracking: minimal includebyhand\n",
    );
    deb("foo").version("1").write(sandbox.incoming());
    fs::write(sandbox.incoming().join("foo.img"), "disk").unwrap();
    let file = describe(sandbox.incoming(), "foo.changes", &[]);
    let said = sandbox.publish(["add", &file]).ok();
    assert!(!said.stderr.contains("is not published"), "{}", said.stderr);
    assert_eq!(sandbox.read("pool/main/f/foo/foo_1_byhand/foo.img"), "disk");
    sandbox.publish(["check"]).ok();
}
