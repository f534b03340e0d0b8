//! Tests of reprepro's command line: the real reprepro and this program run the same commands on the same inputs.
//!
//! Compared are the statuses, the output of the commands that print lists, the stanzas of all indices, the release files,
//! and the bytes of the files that indices name.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    reprepro_pair::{CONF, Pair, Published, REAL},
    sandbox::Sandbox,
    source_builder::source,
};

#[test]
fn packages_are_included_listed_replaced_and_removed() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[
        deb("foo").version("1"),
        deb("foo").version("1").architecture("i386"),
        deb("foo").version("2"),
        deb("data").version("1").architecture("all").source("foo"),
        deb("bar").version("2:3-1").field("Section", "contrib/net"),
        deb("libx1").version("1.0+b1").source("xsrc (1.0)"),
    ]);
    pair.status(&["includedeb", "bookworm", "in/foo_1_amd64.deb", "in/foo_1_i386.deb", "in/data_1_all.deb"]);
    pair.status(&["-V", "includedeb", "stable", "in/bar_3-1_amd64.deb", "in/libx1_1.0+b1_amd64.deb"]);
    pair.status(&["includedeb", "testing", "in/foo_1_amd64.deb"]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    pair.status(&["includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    pair.status(&["includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    for list in [
        &["list", "stable"][..],
        &["list", "bookworm", "foo"],
        &["list", "bookworm", "fo*"],
        &["-C", "contrib", "list", "bookworm"],
        &["-A", "i386", "-T", "deb", "list", "bookworm"],
        &["-A", "amd64|i386", "list", "bookworm", "data"],
        &["ls", "foo"],
        &["ls", "data"],
        &["ls", "nothing"],
        &["lsbycomponent", "foo"],
        &["lsbycomponent", "bar"],
        &["dumpreferences"],
        &["list", "nosuch"],
        &["list"],
        &["_listcodenames"],
        &["_listconfidentifiers"],
    ] {
        pair.lists(list);
    }
    pair.same("bookworm");
    pair.same("trixie");
    pair.status(&["remove", "bookworm", "nothing"]);
    pair.status(&["-A", "i386", "remove", "bookworm", "data"]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["remove", "bookworm", "libx*", "foo", "nothing"]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    assert!(
        pair.both(&["remove", "bookworm", "gone"]).ours.stderr.contains("Not removed as not found: gone")
    );
}

#[test]
fn statuses_are_those_that_scripts_compare() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("foo").version("1"), deb("arm").architecture("arm64")]);
    pair.status(&["includedeb", "bookworm", "in/foo_1_amd64.deb"]);
    for arguments in [
        &["includedeb", "bookworm", "in/foo_1_amd64.deb"][..],
        &["includedeb", "nosuch", "in/foo_1_amd64.deb"],
        &["includedeb", "bookworm", "in/gone_1_amd64.deb"],
        &["includedeb", "bookworm", "in/arm_1.0_arm64.deb"],
        &["includedeb", "bookworm"],
        &["includedeb"],
        &["includedsc", "bookworm", "in/foo_1_amd64.deb"],
        &["-A", "i386", "includedeb", "bookworm", "in/foo_1_amd64.deb"],
        &["-C", "nosuch", "list", "bookworm"],
        &["-A", "nosuch", "list", "bookworm"],
        &["-C", "main", "-C", "contrib", "list", "bookworm"],
        &["--nosuch", "list", "bookworm"],
        &["--export=nonsense", "list", "bookworm"],
        &["--ignore=nonsense", "list", "bookworm"],
        &["--waitforlock", "x", "list", "bookworm"],
        &["--waitforlock", "3", "list", "bookworm"],
        &["remove", "nosuch", "foo"],
        &["copy", "bookworm", "nosuch", "foo"],
        &["copy", "bookworm", "trixie"],
        &["copy", "bookworm", "trixie", "gone"],
        &["--nothingiserror", "copy", "bookworm", "trixie", "gone"],
        &["--nothingiserror", "list", "bookworm", "gone"],
        &["export", "nosuch"],
        &["createsymlinks", "nosuch"],
        &["nosuch"],
        &[],
        &["-V"],
        &["--version"],
        &["--help"],
    ] {
        pair.status(arguments);
    }
    pair.packages(&[deb("foo").version("1").payload("other bytes")]);
    pair.status(&["includedeb", "bookworm", "in/foo_1_amd64.deb"]);
    pair.lists(&["list", "bookworm"]);
}

#[test]
fn packages_are_copied_and_flooded_index_by_index() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[
        deb("foo").version("1"),
        deb("foo").version("2"),
        deb("foo").version("1").architecture("i386"),
        deb("data").version("1").architecture("all").source("foo"),
        deb("data").version("2").architecture("all").source("foo"),
        deb("bar").field("Section", "contrib/net").architecture("all"),
    ]);
    source("foo").version("1").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "trixie", "in/foo_1_amd64.deb", "in/foo_1_i386.deb", "in/bar_1.0_all.deb"]);
    pair.source("trixie", "in/foo_1.dsc");
    pair.status(&["-A", "amd64", "includedeb", "trixie", "in/data_1_all.deb"]);
    pair.status(&["-A", "i386", "includedeb", "trixie", "in/data_2_all.deb"]);
    pair.lists(&["list", "trixie"]);
    pair.status(&["copy", "bookworm", "trixie", "data", "nothing"]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["-A", "i386|source", "copysrc", "bookworm", "trixie", "foo", "1"]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["copymatched", "bookworm", "trixie", "b?r"]);
    pair.status(&["copyfilter", "bookworm", "trixie", "Package (== foo), $Version (<< 2)"]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    // A copied package replaces the present one, also a newer version.
    pair.status(&["includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    pair.status(&["copy", "bookworm", "trixie", "foo"]);
    pair.lists(&["list", "bookworm", "foo"]);
    pair.status(&["flood", "bookworm", "amd64"]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["flood", "trixie"]);
    pair.lists(&["list", "trixie"]);
    pair.same("trixie");
    for remove in [
        &["removesrc", "trixie", "foo", "99"][..],
        &["removesrcs", "trixie", "foo=2", "nothing"],
        &["removesrc", "bookworm", "foo"],
        &["removematched", "trixie", "b*"],
        &["-T", "dsc", "removefilter", "trixie", "Package (% *)"],
    ] {
        pair.status(remove);
        pair.lists(&["list", "bookworm"]);
        pair.lists(&["list", "trixie"]);
    }
    pair.same("trixie");
}

#[test]
fn a_move_leaves_nothing_behind() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("foo"), deb("foo").architecture("i386"), deb("data").architecture("all")]);
    for file in ["foo_1.0_amd64.deb", "foo_1.0_i386.deb", "data_1.0_all.deb"] {
        pair.run_one("ours", &["includedeb", "trixie", &format!("in/{file}")]).ok();
    }
    let list = |suite| pair.run_one("ours", &["list", suite]).ok().stdout;
    pair.run_one("ours", &["-A", "i386", "move", "bookworm", "trixie", "foo", "data"]).ok();
    assert_eq!(list("bookworm"), "bookworm|main|i386: data 1.0\nbookworm|main|i386: foo 1.0\n");
    assert_eq!(list("trixie"), "trixie|main|amd64: data 1.0\ntrixie|main|amd64: foo 1.0\n");
    pair.run_one("ours", &["movematched", "bookworm", "trixie", "*"]).ok();
    assert_eq!(list("trixie"), "");
    assert_eq!(list("bookworm").lines().count(), 4);
    pair.run_one("ours", &["move", "bookworm", "bookworm", "foo"]).fails(255);
    assert_eq!(list("bookworm").lines().count(), 4);
}

#[test]
fn formulas_patterns_and_formats_select_and_print_the_same() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[
        deb("foo").version("1.0-1").field("Section", "net").field("Depends", "bar"),
        deb("bar").version("1.0~rc1").field("Section", "libs").field("Priority", "extra"),
        deb("libbaz2").version("2:0.5").source("baz (1:0.5)"),
        deb("linux-image-6-amd64").version("6.1").architecture("all"),
    ]);
    let files = [
        "foo_1.0-1_amd64.deb",
        "bar_1.0~rc1_amd64.deb",
        "libbaz2_0.5_amd64.deb",
        "linux-image-6-amd64_6.1_all.deb",
    ];
    for file in files {
        pair.status(&["includedeb", "bookworm", &format!("in/{file}")]);
    }
    source("foo").version("1.0-1").write(pair.sandbox.path("in"));
    pair.source("bookworm", "in/foo_1.0-1.dsc");
    for formula in [
        "Package (== foo)",
        "Section (== libs) | Section (== net)",
        "!Depends",
        "!Section (== libs), Priority (== optional)",
        "$Version (>= 1.0)",
        "$Version (<< 1.0)",
        "$Source (== baz)",
        "$SourceVersion (== 1:0.5)",
        "$Architecture (== i386)",
        "$PackageType (== dsc)",
        "Package (% linux-*-[0-9]-amd64)",
        "Package (== nothing)",
        "Package (==",
        "",
        "Package (== foo) Section (== net)",
    ] {
        pair.lists(&["-T", "deb", "listfilter", "bookworm", formula]);
        pair.lists(&["listfilter", "bookworm", formula]);
    }
    for pattern in ["*", "l*", "?oo", "*[2z]", "linux", ""] {
        pair.lists(&["listmatched", "bookworm", pattern]);
    }
    for format in [
        "${package} ${version}\\n",
        "${$codename}|${$component}|${$architecture}|${$type}|${$identifier}\\n",
        "${$source} ${$sourceversion} ${$basename} ${$filekey}\\n",
        "[${package;6}|${package;-12}|${nosuch}|${section}]\\t\\\\ \\$ \\q\\n",
        "NONE",
    ] {
        pair.lists(&["--list-format", format, "list", "bookworm"]);
    }
    for limits in [&["--list-max", "2"][..], &["--list-skip", "2"], &["--list-skip", "1", "--list-max", "3"]]
    {
        pair.lists(&[limits, &["list", "bookworm"]].concat());
    }
}

#[test]
fn sections_come_from_the_options_and_from_the_source() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("bare").without("Section").without("Priority"), deb("full").field("Section", "net")]);
    pair.status(&["-S", "contrib/misc", "-P", "low", "includedeb", "bookworm", "in/bare_1.0_amd64.deb"]);
    pair.status(&["--section=admin", "includedeb", "bookworm", "in/full_1.0_amd64.deb"]);
    source("one").write(pair.sandbox.path("in"));
    pair.status(&["-S", "net", "-P", "extra", "includedsc", "bookworm", "in/one_1.0-1.dsc"]);
    pair.same("bookworm");
}

#[test]
fn options_are_read_from_the_file_and_the_environment() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("foo"), deb("bar").architecture("all")]);
    pair.conf(
        "options",
        "# of every call\nverbose\noutdir +b/www\nask-passphrase\nwaitforlock 2\n\nkeepunreferencedfiles\n",
    );
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.lists(&["list", "bookworm"]);
    for base in ["real", "ours"] {
        assert!(pair.sandbox.path(base).join("www/dists/bookworm/Release").exists(), "{base}");
    }
    // Relative to the folder that one is in, and without `-b`.
    let link = pair.sandbox.path("reprepro");
    for (base, program) in [("real", Path::new(REAL)), ("ours", &link)] {
        let mut command = pair.sandbox.command(program);
        let arguments = [
            "-s",
            "--component",
            "main",
            "--section=net",
            "--silent",
            "includedeb",
            "bookworm",
            "../in/bar_1.0_all.deb",
        ];
        command.args(arguments).current_dir(pair.sandbox.path(base));
        pair.sandbox.run(command).ok();
        let mut command = pair.sandbox.command(program);
        command.args(["list", "bookworm"]).env("REPREPRO_BASE_DIR", pair.sandbox.path(base));
        assert!(pair.sandbox.run(command).ok().stdout.contains("bookworm|main|i386: bar 1.0"), "{base}");
    }
    pair.conf("options", "nosuch\n");
    pair.run(&["list", "bookworm"]);
    pair.conf("options", "");
    pair.run_one("ours", &["--distdir", "elsewhere", "list", "bookworm"]).fails(255).says(["--outdir"]);
}

#[test]
fn suites_are_exported_linked_and_given_up() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.status(&["export"]);
    pair.same("bookworm");
    pair.same("trixie");
    pair.status(&["createsymlinks"]);
    pair.status(&["createsymlinks"]);
    for base in ["real", "ours"] {
        let target = fs::read_link(pair.sandbox.path(base).join("dists/stable")).unwrap();
        assert_eq!(target, Path::new("bookworm"), "{base}");
    }
    pair.packages(&[deb("foo"), deb("bar")]);
    pair.status(&["includedeb", "testing", "in/foo_1.0_amd64.deb"]);
    pair.status(&["gensnapshot", "trixie", "one"]);
    pair.status(&["includedeb", "trixie", "in/bar_1.0_amd64.deb"]);
    pair.same("trixie/snapshots/one");
    pair.lists(&["dumpreferences"]);
    pair.status(&["unreferencesnapshot", "trixie", "gone"]);
    pair.conf("distributions", CONF.split("\n\n").next().unwrap());
    pair.status(&["--delete", "clearvanished"]);
    pair.status(&["list", "trixie"]);
    pair.lists(&["ls", "foo"]);
    assert!(!pair.sandbox.path("ours/dists/trixie/Release").exists());
}

#[test]
fn the_release_beside_an_index_is_written_and_kept_up_to_date() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.status(&["export"]);
    let read = |base: &str, path: &str| fs::read_to_string(pair.sandbox.path(base).join(path)).unwrap();
    for path in
        ["main/binary-amd64", "contrib/source"].map(|folder| format!("dists/bookworm/{folder}/Release"))
    {
        assert_eq!(read("ours", &path), read("real", &path));
    }
    pair.conf("distributions", &CONF.replace("Label: Example", "Label: Other"));
    let mut command = pair.sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["-b", "ours", "--allow-releaseinfo-change", "export"]);
    pair.sandbox.run(command).ok();
    let text = read("ours", "dists/bookworm/main/binary-amd64/Release");
    assert!(text.contains("Label: Other"), "{text}");
    // A suite without the field stays without such files under our own commands.
    let sandbox = Sandbox::new();
    sandbox.configure(CONF);
    sandbox.publish(["export"]).ok();
    assert!(!sandbox.archive("dists/bookworm/main/binary-amd64/Release").exists());
    sandbox.publish(["check"]).ok();
}

#[test]
fn changes_are_logged_and_hooks_are_run() {
    let conf = format!(
        "{}Log: changes.log\n --type=dsc only.sh\n -A i386 only.sh\n all.sh\n",
        CONF.split("\n\n").next().unwrap().to_owned() + "\n"
    );
    let Some(pair) = Pair::new(&conf) else { return };
    for base in ["real", "ours"] {
        for (script, told) in [("only.sh", "only"), ("all.sh", "all"), ("end.sh", "end"), ("out.sh", "out")] {
            let file = pair.sandbox.path(base).join("conf").join(script);
            let told = pair.sandbox.path(base).join(told);
            let more = if script == "out.sh" { "cut -f1,2 \"$1\" | grep -v DISTFILE" } else { "echo \"$*\"" };
            let text = format!(
                "#!/bin/sh\n({more}; echo \"$REPREPRO_CAUSING_COMMAND $REPREPRO_EXIT_CODE\") >>{}\nexit ${{REPREPRO_EXIT_CODE:-0}}\n",
                told.display()
            );
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
    }
    pair.packages(&[deb("foo").version("1"), deb("foo").version("2"), deb("data").architecture("all")]);
    source("src").write(pair.sandbox.path("in"));
    pair.status(&["includedeb", "bookworm", "in/foo_1_amd64.deb", "in/data_1.0_all.deb"]);
    pair.status(&["--endhook", "end.sh", "includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    pair.source("bookworm", "in/src_1.0-1.dsc");
    pair.status(&["--endhook", "end.sh", "includedeb", "bookworm", "in/gone.deb"]);
    pair.status(&["--outhook", "out.sh", "--keepunreferencedfiles", "remove", "bookworm", "data"]);
    pair.status(&["--outhook", "out.sh", "list", "bookworm"]);
    pair.status(&["rerunnotifiers"]);
    let sorted = |base: &str, file: &str| {
        let text = fs::read_to_string(pair.sandbox.path(base).join(file)).unwrap();
        // Without the times of the log, and with the files of a source package in one order.
        let line = |line: &str| {
            let skipped = if file.contains(".log") { 2 } else { 0 };
            let mut words: Vec<&str> = line.split_whitespace().skip(skipped).collect();
            if words.contains(&"dsc") {
                words.sort_unstable();
            }
            words.join(" ")
        };
        let mut lines: Vec<String> = text.lines().map(line).collect();
        lines.sort();
        lines
    };
    for file in ["logs/changes.log", "only", "all", "end", "out"] {
        assert_eq!(sorted("ours", file), sorted("real", file), "{file}");
    }
}

#[test]
fn a_repository_of_reprepro_is_carried_on() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[
        deb("foo").version("1"),
        deb("foo").version("2"),
        deb("data").architecture("all"),
        deb("new"),
    ]);
    source("src").write(pair.sandbox.path("in"));
    let real = |arguments: &[&str]| pair.run_one("real", arguments).ok();
    real(&["includedeb", "bookworm", "in/foo_1_amd64.deb", "in/data_1.0_all.deb"]);
    real(&["-S", "misc", "-P", "optional", "includedsc", "bookworm", "in/src_1.0-1.dsc"]);
    real(&["gensnapshot", "bookworm", "one"]);
    real(&["createsymlinks"]);
    // This program in the same repository.
    let ours = |arguments: &[&str]| {
        let mut command = pair.sandbox.command(pair.sandbox.path("reprepro"));
        // The release files of reprepro have the time of the clock.
        command.args(["-b", "real"]).args(arguments).env_remove("PUBLISH_DATE");
        pair.sandbox.run(command)
    };
    assert_eq!(ours(&["list", "bookworm"]).ok().stdout, real(&["list", "bookworm"]).stdout);
    let said = ours(&["includedeb", "stable", "in/foo_2_amd64.deb", "in/new_1.0_amd64.deb"]).ok();
    assert!(
        !said.stderr.contains("database of reprepro"),
        "it was said by the first command: {}",
        said.stderr
    );
    ours(&["remove", "bookworm", "data"]).ok();
    let list = ours(&["list", "bookworm"]).ok().stdout;
    assert_eq!(
        list,
        "bookworm|main|amd64: foo 2\nbookworm|main|amd64: new 1.0\nbookworm|main|source: src 1.0-1\n"
    );
    ours(&["checkpool"]).ok();
    for mut apt in Client::all(&pair.sandbox) {
        let source = Source::folder(pair.sandbox.path("real")).trusted();
        apt.source(&source.suite("stable"));
        apt.updates();
        assert_eq!(apt.candidate("foo").as_deref(), Some("2"), "{}", apt.name);
        assert!(!apt.download("new").is_empty());
    }
    let published = Published::read(&pair.sandbox.path("real"), "bookworm/snapshots/one");
    assert_eq!(published.indices["main/binary-amd64/Packages"].len(), 2);
}

#[test]
fn what_differs_is_said_once_and_never_quietly() {
    let Some(pair) = Pair::new(
        "Codename: bookworm\nArchitectures: amd64\nComponents: main\nExportOptions: keepunknown\nLog: l\n",
    ) else {
        return;
    };
    pair.packages(&[deb("foo")]);
    pair.run_one("real", &["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]).ok();
    let ours = |arguments: &[&str]| {
        let mut command = pair.sandbox.command(pair.sandbox.path("reprepro"));
        command.args(["-b", "real"]).args(arguments).env_remove("PUBLISH_DATE");
        pair.sandbox.run(command).ok().stderr
    };
    assert_eq!(ours(&["-s", "list", "bookworm"]), "");
    let first = ours(&["list", "bookworm"]);
    for text in [
        "database of reprepro",
        "Do not run reprepro here any more",
        "a newer version replaces",
        "`ExportOptions`",
    ] {
        assert!(first.contains(text), "no `{text}` in:\n{first}");
    }
    assert!(!first.contains("`Log`"), "{first}");
    assert_eq!(ours(&["list", "bookworm"]), "");
}

#[test]
fn the_command_line_of_reprepro_is_found_by_its_name_and_its_words() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: bookworm\nArchitectures: amd64\nComponents: main\n");
    deb("foo").write(sandbox.path("in"));
    sandbox.publish(["-Vb", "archive", "includedeb", "bookworm", "in/foo_1.0_amd64.deb"]).ok();
    let listed = sandbox.publish(["reprepro", "-b", "archive", "list", "bookworm"]).ok().stdout;
    assert_eq!(listed, "bookworm|main|amd64: foo 1.0\n");
    // Our own command of this name.
    assert_eq!(sandbox.publish(["list"]).ok().stdout, "bookworm main amd64 foo 1.0\n");
    assert_eq!(
        sandbox.publish(["-b", "archive", "lsbycomponent", "foo"]).ok().stdout,
        "foo | 1.0 | bookworm | main | amd64\n"
    );
    let help = sandbox.publish(["help", "reprepro"]).ok().stdout;
    assert_eq!(sandbox.publish(["reprepro", "--help"]).ok().stdout, help);
    assert!(help.contains("includedeb CODENAME FILE"), "{help}");
    sandbox.publish(["-V", "nosuchcommand"]).fails(2);
    sandbox.publish(["reprepro", "nosuchcommand"]).fails(1).says(["unknown command `nosuchcommand`"]);
}

#[test]
fn the_hook_for_reprepro_copies_each_change() {
    let Some(pair) = Pair::new(CONF) else { return };
    let hook = pair.sandbox.path("real/conf/to-mirror.sh");
    let mirror = pair.sandbox.path("mirror");
    let text =
        format!("#!/bin/sh\nexec {} outhook {} \"$1\"\n", env!("CARGO_BIN_EXE_publish"), mirror.display());
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(pair.sandbox.path("real/conf/options"), "outhook to-mirror.sh\n").unwrap();
    pair.packages(&[deb("foo").version("1"), deb("foo").version("2"), deb("bar")]);
    let real = |arguments: &[&str]| {
        let mut command = pair.sandbox.command(REAL);
        command.args(["-b", "real"]).args(arguments).env_remove("PUBLISH_DATE");
        pair.sandbox.run(command).ok();
    };
    real(&["includedeb", "bookworm", "in/foo_1_amd64.deb"]);
    assert!(mirror.join("dists/bookworm/Release").exists());
    assert!(!mirror.join("dists/trixie").exists());
    real(&["includedeb", "bookworm", "in/foo_2_amd64.deb"]);
    real(&["includedeb", "trixie", "in/bar_1.0_amd64.deb"]);
    real(&["remove", "trixie", "nothing"]);
    for mut apt in Client::all(&pair.sandbox) {
        apt.source(&Source::folder(&mirror).trusted().suite("bookworm"));
        apt.updates();
        assert_eq!(apt.candidate("foo").as_deref(), Some("2"), "{}", apt.name);
        assert_eq!(apt.download("foo"), deb("foo").version("2").bytes());
    }
    assert!(mirror.join("dists/trixie/Release").exists());
    let nothing: PathBuf = pair.sandbox.path("nothing.outlog");
    fs::write(&nothing, "POOLDELETE\tpool/x.deb\n").unwrap();
    let mut command = pair.sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["outhook", "mirror", "nothing.outlog"]).env("REPREPRO_OUT_DIR", pair.sandbox.path("real"));
    pair.sandbox.run(command).ok().says(["Nothing to do"]);
}

#[test]
fn overrides_are_applied_and_applied_again() {
    let conf = CONF.split("\n\n").next().unwrap().to_owned() + "\nDebOverride: override\n";
    let Some(pair) = Pair::new(&conf) else { return };
    pair.conf("override", "foo Section admin\nfoo Priority important\nlib* Section oldlibs\n");
    pair.packages(&[deb("foo"), deb("libx"), deb("plain")]);
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb", "in/libx_1.0_amd64.deb"]);
    // The options win.
    pair.status(&["-S", "net", "includedeb", "bookworm", "in/plain_1.0_amd64.deb"]);
    pair.same("bookworm");
    pair.conf("override", "foo Section games\nplain Priority extra\n");
    pair.status(&["reoverride", "bookworm"]);
    pair.status(&["reoverride"]);
    pair.same("bookworm");
}

#[test]
fn packages_of_the_installer_are_listed_apart() {
    let conf = CONF.replace("Components: main contrib\n", "Components: main contrib\nUDebComponents: main\n");
    let Some(pair) = Pair::new(&conf) else { return };
    pair.packages(&[deb("foo"), deb("foo-udeb").udeb().source("foo")]);
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.status(&["includeudeb", "bookworm", "in/foo-udeb_1.0_amd64.udeb"]);
    for list in [
        &["list", "bookworm"][..],
        &["-T", "udeb", "list", "bookworm"],
        &["-T", "deb", "list", "bookworm"],
        &["ls", "foo-udeb"],
        &["dumpreferences"],
        &["_listconfidentifiers"],
    ] {
        pair.lists(list);
    }
    pair.same("bookworm");
    pair.status(&["-T", "udeb", "copymatched", "trixie", "bookworm", "*"]);
    pair.lists(&["list", "trixie"]);
    pair.status(&["-T", "udeb", "removematched", "bookworm", "*"]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
}

#[test]
fn sizes_and_the_lists_of_the_pool_are_printed() {
    let conf = CONF.replace("Codename: trixie\n", "Codename: trixie\nTracking: minimal\n");
    let Some(pair) = Pair::new(&conf) else { return };
    pair.packages(&[deb("foo").version("1"), deb("foo").version("2"), deb("data").architecture("all")]);
    pair.lists(&["sizes"]);
    pair.run(&["includedeb", "bookworm", "in/foo_1_amd64.deb", "in/data_1.0_all.deb"]);
    pair.run(&["includedeb", "trixie", "in/foo_2_amd64.deb", "in/data_1.0_all.deb"]);
    pair.run(&["gensnapshot", "bookworm", "one"]);
    pair.run(&["--keepunreferencedfiles", "remove", "bookworm", "foo"]);
    for list in [
        &["sizes"][..],
        &["sizes", "bookworm"],
        &["sizes", "trixie", "bookworm"],
        &["sizes", "nosuch"],
        &["dumpreferences"],
        &["_listmd5sums"],
        &["_versioncompare", "1:1", "2"],
        &["_versioncompare", "1.0", "1.0-0"],
        &["_versioncompare", "1~a", "1"],
        &["__extractcontrol", "in/foo_1_amd64.deb"],
        &["__extractfilelist", "in/foo_1_amd64.deb"],
    ] {
        pair.lists(list);
    }
    let listed = pair.run_one("ours", &["_listchecksums"]).ok().stdout;
    assert!(listed.contains("pool/main/d/data/data_1.0_all.deb :2:"), "{listed}");
    let dumped = pair.run_one("ours", &["_dumpcontents", "trixie|main|amd64"]).ok().stdout;
    assert!(dumped.starts_with("'data' -> 'Package: data\n"), "{dumped}");
}

#[test]
fn components_and_architectures_that_vanish_are_given_up() {
    let conf = "Codename: bookworm\nArchitectures: amd64 i386 source\nComponents: main contrib\nUDebComponents: main\n";
    let Some(pair) = Pair::new(conf) else { return };
    pair.packages(&[
        deb("foo"),
        deb("foo").architecture("i386"),
        deb("bar").architecture("all").field("Section", "contrib/x"),
        deb("inst").udeb(),
    ]);
    source("src").write(pair.sandbox.path("in"));
    let files = ["in/foo_1.0_amd64.deb", "in/foo_1.0_i386.deb", "in/bar_1.0_all.deb"];
    pair.run(&[&["includedeb", "bookworm"], &files[..]].concat());
    pair.run(&["includeudeb", "bookworm", "in/inst_1.0_amd64.udeb"]);
    pair.source("bookworm", "in/src_1.0-1.dsc");
    pair.conf("distributions", "Codename: bookworm\nArchitectures: amd64\nComponents: main\n");
    // Nothing is lost without the option.
    pair.run_one("ours", &["clearvanished"])
        .ok()
        .says(["There are still packages in `bookworm|contrib|amd64`"]);
    assert_eq!(pair.run_one("ours", &["list", "bookworm"]).ok().stdout.lines().count(), 6);
    pair.status(&["--delete", "clearvanished"]);
    pair.lists(&["list", "bookworm"]);
    pair.lists(&["dumpreferences"]);
    pair.run(&["export"]);
    let release = fs::read_to_string(pair.sandbox.path("ours/dists/bookworm/Release")).unwrap();
    assert!(
        release.contains("\nComponents: main\n") && release.contains("\nArchitectures: amd64\n"),
        "{release}"
    );
}

#[test]
fn only_the_named_files_are_deleted() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: bookworm\nArchitectures: amd64\nComponents: main\nKeepFor: 0\n");
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    for name in ["one", "two", "stays"] {
        deb(name).write(sandbox.path("in"));
        run(&["includedeb", "bookworm", &format!("in/{name}_1.0_amd64.deb")]).ok();
    }
    run(&["remove", "bookworm", "one", "two"]).ok();
    let path = |name: &str| format!("pool/main/{}/{name}/{name}_1.0_amd64.deb", &name[..1]);
    run(&["deleteifunreferenced", &path("one"), &path("stays")]).ok();
    assert!(!sandbox.archive(path("one")).exists());
    assert!(sandbox.archive(path("two")).exists() && sandbox.archive(path("stays")).exists());
    run(&["deleteifunreferenced", "pool/nosuch.deb"]).fails(249);
    run(&["deleteifunreferenced"]).ok();
    assert!(sandbox.archive(path("two")).exists());
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_package_is_included_in_two_components() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.packages(&[deb("foo")]);
    pair.status(&["includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.status(&["-C", "contrib", "includedeb", "bookworm", "in/foo_1.0_amd64.deb"]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    pair.run_one("ours", &["check"]).ok();
    pair.status(&["-C", "main", "remove", "bookworm", "foo"]);
    pair.same("bookworm");
}

#[test]
fn a_suite_without_indices_in_its_configuration_has_those_of_reprepro() {
    let sandbox = Sandbox::new();
    let conf = "Codename: bookworm\nArchitectures: amd64\nComponents: main\nContents: yes\nPDiffs: yes\n";
    sandbox.configure(conf);
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat()).ok();
    let add = |name: &str| {
        deb(name).write(sandbox.path("in"));
        run(&["includedeb", "bookworm", &format!("in/{name}_1.0_amd64.deb")]);
    };
    let has_xz = || sandbox.archive("dists/bookworm/main/binary-amd64/Packages.xz").exists();
    for name in ["one", "two", "three"] {
        add(name);
    }
    assert!(!has_xz() && sandbox.archive("dists/bookworm/main/binary-amd64/Packages.gz").exists());
    // Our own words add the other form, and it stays.
    deb("four").write(sandbox.incoming());
    sandbox.publish(["add", "incoming/four_1.0_amd64.deb"]).ok();
    assert!(has_xz());
    add("five");
    let listed = sandbox.read("dists/bookworm/Release");
    assert!(has_xz() && listed.contains(" main/binary-amd64/Packages.xz\n"), "{listed}");
    sandbox.publish(["check"]).ok();
}
