//! Commands compose: lists of files, states, suites, locations and patterns have one spelling everywhere, and output is as
//! scripts read it.

use std::fs;

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture},
};

/// Runs a line of a shell, with the program as `publish`.
fn shell(sandbox: &Sandbox, line: &str) -> Outcome {
    let mut command = sandbox.command("bash");
    let line = format!("publish() {{ '{}' \"$@\"; }}; {line}", env!("CARGO_BIN_EXE_publish"));
    command.args(["-ec", &line]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
    sandbox.run(command)
}

/// `stable` with `one` in its first generation and `two` besides in the next, and `testing` with `other`.
fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nSignWith: no\n\nCodename: testing\nComponents: main\nSignWith: no\n");
    deb("one").write(sandbox.path("first"));
    deb("two").architecture("all").write(sandbox.path("second"));
    deb("other").write(sandbox.path("third"));
    sandbox.publish_after(0, &["add", "-s", "stable", "first"]).ok();
    sandbox.publish_after(60, &["add", "-s", "stable", "second"]).ok();
    sandbox.publish_after(60, &["add", "-s", "testing", "third"]).ok();
    sandbox
}

fn names(listed: &str) -> Vec<&str> {
    listed.lines().map(|line| line.split(' ').nth(3).unwrap()).collect()
}

#[test]
fn names_of_files_come_from_a_list() {
    let sandbox = Sandbox::new();
    for name in ["one", "two", "three", "four"] {
        deb(name).write(sandbox.path("with a blank"));
    }
    shell(&sandbox, "find 'with a blank' -name 'o*.deb' | publish add -").ok();
    shell(&sandbox, "find 'with a blank' -name 'tw*.deb' -print0 | publish add -0 -").ok();
    shell(&sandbox, "find 'with a blank' -name 'th*.deb' >list; publish add --files-from list").ok();
    shell(&sandbox, "find \"$PWD/with a blank\" -name 'f*' -print0 | publish add --null --files-from -").ok();
    assert_eq!(names(&sandbox.publish(["list"]).ok().stdout), ["four", "one", "three", "two"]);
    // A list that is empty, or of the other form, and options that contradict each other.
    shell(&sandbox, "publish add - </dev/null").fails(1).says(["the list of files is empty"]);
    shell(&sandbox, "find . -name '*.deb' -print0 | publish add -").fails(2).says(["hint: add `--null`"]);
    shell(&sandbox, "publish add --files-from missing").fails(1).says(["`missing`", "No such file"]);
    shell(&sandbox, "publish add -0 'with a blank'").fails(2).says(["--files-from"]);
    shell(&sandbox, "publish add - --files-from - </dev/null").fails(2).says(["only once"]);
    shell(&sandbox, "echo none.deb | publish add -").fails(1).says(["`none.deb`"]);
    shell(&sandbox, "publish add").fails(2);
}

#[test]
fn every_command_that_reads_a_state_takes_it_beside_the_suite() {
    let sandbox = archive();
    let listed = |state: &str| sandbox.publish(["list", "--suite", state]).ok().stdout;
    assert_eq!(names(&listed("stable@1")), ["one"]);
    assert_eq!(names(&listed("stable@0")), ["one", "two"]);
    let log = sandbox.publish(["log", "stable@1"]).ok().stdout;
    let state = log.lines().next().unwrap().to_owned();
    assert!(state.starts_with("stable@20250601T000000Z-") && !log.contains("now"), "{log}");
    assert_eq!(names(&listed(&state)), ["one"]);
    assert_eq!(sandbox.publish(["log", "-s", &state]).ok().stdout, log);
    assert!(sandbox.publish(["show", "one", "-s", &state]).ok().stdout.starts_with("Package: one\n"));
    sandbox.publish(["show", "two", "-s", &state]).fails(1).says(["`two` is not published"]);
    assert_eq!(sandbox.publish(["diff", "-s", &state]).ok().stdout, "+ two 1.0 all (main)\n");
    assert_eq!(
        sandbox.publish(["diff", "--suite", "stable@0", &state]).ok().stdout,
        "- two 1.0 all (main)\n"
    );
    // A state of a suite of this archive, and of another one.
    let later = |arguments: &[&str]| sandbox.publish_after(120, arguments);
    later(&["copy", "two", "--from", "stable@1", "--to", "testing"]).fails(1).says(["`two`"]);
    later(&["copy", "one", "--from", "stable@1", "--to", "testing"]).ok();
    let from = format!("{}#{state}", sandbox.archive("").display());
    let pull =
        ["-a", "./other", "pull", "stable", "--from", &from, "--all", "--trust-existing", "--new-suite"];
    later(&pull).ok();
    assert_eq!(names(&sandbox.publish(["-a", "./other", "list"]).ok().stdout), ["one"]);
    later(&["rollback", &state]).ok().says(["- two 1.0 all (main)"]);
    // The content that was rolled back is one copy away.
    sandbox.publish_after(180, &["copy", "two", "--from", "stable@1", "--to", "stable"]).ok();
    sandbox.publish_after(240, &["rollback", "-s", "stable@1", "--dry-run"]).ok().says(["- two 1.0 all"]);
    sandbox.publish(["rollback", "stable", "--to", "1", "--dry-run"]).ok();
    sandbox.publish(["rollback", "stable@1", "--to", "1"]).fails(2).says(["`--to`"]);
    // apt has no folder for a state, but one for a snapshot of it.
    let snapshot = ["snapshot", "then", "--suite", state.as_str()];
    sandbox.publish_after(300, &snapshot).ok().says(["stable/snapshots/then"]);
    assert_eq!(names(&listed("stable/snapshots/then")), ["one"]);
    sandbox.publish(["snapshot", "--list", "--suite", &state]).fails(2);
    sandbox.publish(["client", &state]).fails(2).says(["publish snapshot NAME --suite stable@2025"]);
    for command in [&["list", "-s"][..], &["log"], &["rollback", "-n"], &["diff"], &["show", "one", "-s"]] {
        let unknown = |state| [command, &[state]].concat();
        sandbox.publish(unknown("stable@99")).fails(1).says(["no generation `99`", "publish log"]);
        sandbox.publish(unknown("stable@")).fails(2);
        sandbox.publish(unknown("stable@../x")).fails(2);
    }
    // Commands that change a suite, or check it.
    for command in [&["remove", "one", "-s"][..], &["export"], &["drop", "-n"], &["check", "-s"]] {
        let said = sandbox.publish([command, &["stable@1"]].concat()).fails(2);
        said.says(["`stable@1` is a generation", "`stable`"]);
    }
}

/// The suite of the commands that look at more than one: the downloads of its packages, and its keys.
#[test]
fn a_suite_limits_what_is_counted_and_which_keys_are_shown() {
    let sandbox = archive();
    let line = |file: &str| {
        format!(
            "192.0.2.1 - - [01/Nov/2026:10:00:00 +0000] \"GET /apt/{file} HTTP/1.1\" 200 100 \"-\" \"x\"\n"
        )
    };
    let files = sandbox.tree().paths_with(".deb");
    let log: String = files.iter().map(|file| line(file)).chain([line("pool/no/no_1_all.deb")]).collect();
    fs::write(sandbox.path("access.log"), log).unwrap();
    let counted = |suites: &[&str]| {
        let options = suites.iter().flat_map(|suite| ["-s", suite]);
        sandbox.publish(["stats", "--by", "package", "access.log"].into_iter().chain(options)).ok().stdout
    };
    assert_eq!(counted(&[]), "no 1 0\none 1 0\nother 1 0\ntwo 1 0\n");
    assert_eq!(counted(&["stable"]), "one 1 0\ntwo 1 0\n");
    assert_eq!(counted(&["stable@1"]), "one 1 0\n");
    assert_eq!(counted(&["stable@1", "testing"]), "one 1 0\nother 1 0\n");
    sandbox
        .publish(["stats", "-s", "stabel", "access.log"])
        .fails(1)
        .says(["no suite `stabel`", "did you mean `stable`?"]);
    sandbox
        .publish(["--archive", "./none", "stats", "-s", "stable", "access.log"])
        .fails(1)
        .says(["no archive"]);

    // Keys: as configured, else as published, also where the archive is only read.
    let keys = |name: &str| fixture(name).display().to_string();
    let (first, second) = (keys("keys/test.asc"), keys("keys/second.asc"));
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main\nOrigin: Example\nSignWith: {first}\n\nCodename: testing\nComponents: main\nSignWith: {second}\n\nCodename: open\nComponents: main\n"
    ));
    sandbox.publish(["export", "--trust-existing", "--allow-releaseinfo-change"]).ok();
    let shown = |arguments: &[&str]| {
        let said = sandbox.publish([&["key", "show", "--json"], arguments].concat()).ok().stdout;
        let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
        let keys = shown["keys"].as_array().unwrap().iter();
        keys.map(|key| key["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, other) = (shown(&[&first]), shown(&[&second]));
    assert_eq!(shown(&["-s", "stable"]), one);
    assert_eq!(shown(&["-s", "testing"]), other);
    assert_eq!(shown(&["-s", "testing", "-s", "stable"]).len(), 2);
    sandbox.publish(["key", "show", "-s", "open"]).fails(1).says(["suite `open` is not signed"]);
    sandbox.publish(["key", "show", "-s", "stabel"]).fails(1).says(["no suite `stabel`"]);
    sandbox.publish(["key", "show", "-s", "stable", &first]).fails(2);
    let server = sandbox.serve();
    assert_eq!(shown(&["--archive", &server.url, "-s", "testing"]), other);
    let export = ["key", "export", "--binary", "-o", "testing.pgp", "-s", "testing"];
    sandbox.publish(["--archive", &server.url].iter().chain(&export)).ok();
    assert_eq!(shown(&["testing.pgp"]), other);

    // A new key has the name of its suite, and the next step is printed for it.
    let generated =
        |suite: &str, file: &str| sandbox.publish(["key", "generate", "-s", suite, "-o", file]).ok();
    let said = generated("stable", "stable.asc");
    said.says([
        "  name        Example\n",
        "Suite `stable` is signed with another key",
        "key rotate --suite stable --to [SANDBOX]/stable.asc\n",
    ]);
    generated("open", "open.asc")
        .says(["  name        APT archive\n", "stanza of suite `open` in conf/distributions:\n  SignWith: "]);
    sandbox
        .publish(["key", "generate", "-s", "stabel", "-o", "none.asc"])
        .fails(1)
        .says(["did you mean `stable`?"]);
    let root = sandbox.path("").display().to_string();
    let next = said.stderr.lines().find_map(|line| line.strip_prefix("  publish ")).unwrap();
    shell(&sandbox, &format!("publish {}", next.replace("[SANDBOX]", root.trim_end_matches('/')))).ok();
    assert_eq!(shown(&["-s", "stable"]).len(), 2);
    assert_eq!(shown(&["-s", "testing"]), other);
}

#[test]
fn every_command_takes_its_suite_as_an_option_too() {
    let sandbox = archive();
    for command in [
        &["rollback", "-n"][..],
        &["log"],
        &["export", "-n"],
        &["client"],
        &["drop", "-n"],
        &["diff", "stable@1"],
    ] {
        sandbox.publish([command, &["-s", "stable"]].concat()).ok();
        if command[0] != "diff" {
            sandbox.publish([command, &["stable", "--suite", "stable"]].concat()).fails(2);
        }
    }
    let from = sandbox.archive("").display().to_string() + "#testing";
    let pull = ["pull", "-s", "stable", "--from", &from, "--trust-existing", "-n"];
    sandbox.publish(pull.iter().chain(&["other"])).ok().says(["+ other 1.0 amd64"]);
    sandbox.publish(pull.iter().chain(&["--all"])).ok().says(["+ other 1.0 amd64"]);
    sandbox.publish(pull).fails(2).says(["no package given"]);
    sandbox.publish(pull.iter().chain(&["--all", "other"])).fails(2).says(["leave out `other`"]);
    sandbox.publish(["copy", "one", "--from", "stable", "-s", "testing", "-n"]).ok().says(["+ one"]);
    sandbox.publish(["drop"]).fails(2).says(["SUITE"]);
}

#[test]
fn names_of_destinations_are_locations() {
    let sandbox = archive();
    let conf = "Name: cdn\nLocation: ./copy\nPublic-Url: https://cdn.example.org/apt/\n\nName: odd\nLocation: s3:/x\n";
    fs::write(sandbox.archive("conf/destinations"), conf).unwrap();
    sandbox.publish(["sync", "cdn"]).ok();
    // Beside the configuration, in the archive, or in the current folder.
    sandbox.publish_after(120, &["check", "cdn"]).ok();
    sandbox.publish_after(120, &["check", "--origin", "cdn"]).ok().says(["fresh"]);
    sandbox.publish(["diff", "stable", "--with", "cdn"]).ok().says(["No package differs"]);
    let config = sandbox.archive("conf/distributions").display().to_string();
    let named = |arguments: &[&str]| {
        sandbox.publish([&["--archive", "cdn", "--config", &config], arguments].concat())
    };
    assert_eq!(names(&named(&["list", "-s", "stable"]).ok().stdout), ["one", "two"]);
    named(&["log", "stable"]).ok();
    let sources = named(&["client", "stable", "--sources"]).ok().stdout;
    assert!(sources.contains("URIs: https://cdn.example.org/apt\n"), "{sources}");
    let pull = ["-a", "./new", "--config", &config, "pull", "testing", "--new-suite", "--trust-existing"];
    sandbox.publish(pull.iter().chain(&["--from", "cdn#stable", "one", "-n"])).ok().says(["+ one"]);
    // A mistyped name is an error that names the one that was meant, and never a new folder.
    let before = fs::read_dir(sandbox.path("")).unwrap().count();
    for command in [
        &["sync", "cnd"][..],
        &["check", "cnd"],
        &["check", "--origin", "cnd"],
        &["diff", "stable", "--with", "cnd"],
        &["pull", "stable", "--from", "cnd", "--all"],
        &["--archive", "cnd", "--config", &config, "list"],
        &["--archive", "cnd", "--config", &config, "add", "first"],
    ] {
        sandbox.publish(command).fails(1).says(["there is no destination `cnd`", "did you mean `cdn`?"]);
    }
    sandbox.publish(["sync", "odd"]).fails(2).says(["in destination `odd`", "two slashes"]);
    for location in ["s3:/x", "gs:x", "htps://example.org", "S3//x", "gcs://x/y"] {
        for command in [&["add", "first"][..], &["list"]] {
            sandbox.publish([&["-a", location], command].concat()).fails(2).says([location]);
        }
        sandbox.publish(["sync", location]).fails(2);
    }
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), before);
    // The folder of that name is one with a path; `copy` is about one archive.
    sandbox.publish(["-a", "./copy", "list"]).ok();
    let said = sandbox.publish(["copy", "one", "--from", "cdn", "--to", "testing"]).fails(2);
    said.says(["hint: publish pull testing --from cdn one"]);
}

#[test]
fn lists_are_filtered_and_formatted() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main extra\nSignWith: no\n");
    for (name, version, architecture) in
        [("a", "1.0", "amd64"), ("a", "1.0~rc1", "amd64"), ("a", "0.9", "arm64"), ("lib-b", "2:1", "all")]
    {
        deb(name).version(version).architecture(architecture).write(sandbox.incoming());
    }
    deb("c").version("3").write(sandbox.path("extra"));
    sandbox.publish(["add", "incoming"]).ok();
    sandbox.publish(["add", "extra", "--component", "extra"]).ok();
    let listed = |arguments: &[&str]| {
        let format = ["list", "--format", "${package}=${version}/${$architecture}"];
        let said = sandbox.publish([&format, arguments].concat()).ok().stdout;
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join(" ")
    };
    assert_eq!(listed(&["--latest", "a"]), "a=0.9/arm64 a=1.0/amd64");
    assert_eq!(listed(&["--component", "extra"]), "c=3/amd64");
    assert_eq!(listed(&["--architecture", "all", "--architecture", "arm64"]), "a=0.9/arm64 lib-b=2:1/amd64");
    assert_eq!(listed(&["a=1.0~rc1", "lib*"]), "a=1.0~rc1/amd64 lib-b=2:1/amd64");
    sandbox.publish(["list", "nothing", "a"]).ok().says(["No package matches `nothing`"]);
    let said = sandbox.publish(["list", "c", "--format", "${$suite}\\t${package;4}|${$basename}"]).ok();
    assert_eq!(said.stdout, "stable\tc   |c_3_amd64.deb\n");
    sandbox.publish(["list", "--format", "${$nothing}"]).fails(2).says(["`${$component}`"]);
    // No padding for scripts: each line splits at single blanks.
    let plain = sandbox.publish(["list"]).ok().stdout;
    assert!(plain.contains("stable extra amd64 c 3\n") && !plain.contains("  "), "{plain}");
    let mut command = sandbox.command("script");
    command.args(["-qec", concat!(env!("CARGO_BIN_EXE_publish"), " list"), "/dev/null"]);
    command.env("PUBLISH_ARCHIVE", sandbox.archive(""));
    let aligned = sandbox.run(command).ok().stdout.replace("\r\n", "\n");
    assert!(aligned.contains("stable extra amd64 c     3\n"), "{aligned}");
    assert!(sandbox.publish(["show", "a", "lib*"]).ok().stdout.matches("Package: ").count() == 4);
    let said = sandbox.publish(["show", "a=7", "lib*", "none"]).fails(1);
    said.says(["`a=7` is not published", "published versions: 0.9, 1.0, 1.0~rc1", "`none` is not published"]);
}

/// Spans have one grammar, also those of keys, and a wrong one names it.
#[test]
fn spans_are_the_same_everywhere() {
    let sandbox = archive();
    for (command, option) in [
        (&["prune", "-n"][..], "--older-than"),
        (&["prune", "-n"], "--keep-for"),
        (&["refresh", "-n"], "--within"),
        (&["sync", "./copy", "-n", "--delete"], "--keep-for"),
        (&["key", "generate"], "--expires"),
    ] {
        for (at, span) in ["12h", "7d", "2w", "1m", "1y", "1y 6m"].into_iter().enumerate() {
            let output = format!("{at}.asc");
            let output = if command[0] == "key" { vec!["--output", &output] } else { Vec::new() };
            sandbox.publish([command, &[option, span], &output].concat()).ok();
        }
        for wrong in ["7", "3q", "d", "1.5d", "soon"] {
            let said = sandbox.publish([command, &[option, wrong]].concat()).fails(2);
            said.says(["`12h`, `7d`, `2w`, `1m` or `1y`"]);
        }
    }
}

/// On a terminal of forty columns each frame is one line, and the first one has the numbers of its phase.
#[test]
fn progress_fits_a_narrow_terminal() {
    let sandbox = Sandbox::new();
    for number in 0..300 {
        deb(&format!("package-{number}")).write(sandbox.incoming());
    }
    let line = concat!("stty rows 20 cols 40; exec ", env!("CARGO_BIN_EXE_publish"), " add incoming");
    let mut command = sandbox.command("script");
    command
        .args(["-qec", line, "/dev/null"])
        .env("PUBLISH_ARCHIVE", sandbox.archive(""))
        .env("TERM", "xterm");
    let shown = sandbox.run(command).ok().stdout;
    let frames: Vec<&str> = shown.split(['\r', '\n', '\u{1b}']).filter(|part| part.contains('/')).collect();
    assert!(frames.iter().any(|frame| frame.contains("/300")), "{shown:?}");
    for frame in frames.iter().filter(|frame| frame.contains("left")) {
        assert!(frame.trim_start_matches("[2K").chars().count() <= 40, "{frame:?}");
        assert!(!frame.contains("0/0"), "{frame:?}");
    }
}
