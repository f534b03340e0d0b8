//! Tests of `publish list`.

use crate::{
    deb_builder::deb,
    diff::adopt_all_kinds,
    sandbox::{Sandbox, fixture},
};

#[test]
fn every_package_is_a_line() {
    let sandbox = Sandbox::new();
    sandbox.publish(["add".as_ref(), fixture("debs").as_os_str()]).ok();
    let said = sandbox.publish(["list"]).ok();
    insta::assert_snapshot!(said.stdout, @r"
    stable main amd64 acpi 1.7-1.2
    stable main all libjs-inherits 2.0.4-6
    stable main amd64 librust-tinyvec-macros-dev 0.1.0-1+b1
    stable main all node-stream-shift 1.0.1+~1.0.0-1
    stable main amd64 php-msgpack 1:2.2.0~rc2-3
    stable main all sample-bz2 1.0
    stable main all sample-gz 1.0
    stable main all sample-lzma 1.0
    stable main all sample-none 1.0
    stable main all sample-xz 1.0
    stable main all sample-zst 1.0
    ");
    let said = sandbox.publish(["list", "*-?ata*"]).ok();
    assert_eq!(said.stdout, "");
    said.says(["No package matches `*-?ata*`"]);
    // reprepro lists a suite so.
    let said = sandbox.publish(["list", "stable"]).ok();
    assert_eq!(said.stdout, "");
    said.says(["No package matches `stable`; for the suite of that name: `publish list --suite stable`"]);
    let said = sandbox.publish(["list", "sample-?z"]).ok();
    assert_eq!(said.stdout.lines().count(), 2, "{}", said.stdout);
}

#[test]
fn a_package_for_all_is_listed_once() {
    let sandbox = Sandbox::new();
    deb("doc").architecture("all").write(sandbox.incoming());
    deb("hello").write(sandbox.incoming());
    deb("hello").architecture("arm64").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let said = sandbox.publish(["list"]).ok();
    assert_eq!(said.stdout.lines().filter(|line| line.contains(" doc ")).count(), 1, "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 3, "{}", said.stdout);
}

#[test]
fn an_empty_folder_is_no_archive() {
    let sandbox = Sandbox::new();
    sandbox.publish(["list"]).fails(1).says(["there is no archive", "hint: "]);
}

/// A failed write, such as to a full disk, must be an error at once.
#[test]
fn a_write_error_is_a_failure_and_a_closed_pipe_is_not() {
    let sandbox = Sandbox::new();
    sandbox.publish(["add".as_ref(), fixture("debs").as_os_str()]).ok();
    let shell = |line: &str| {
        let mut command = sandbox.command("sh");
        command.args(["-c", line, env!("CARGO_BIN_EXE_publish")]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
        sandbox.run(command)
    };
    shell("\"$0\" list > /dev/full").fails(1).says(["standard output", "No space left"]);
    shell("\"$0\" --json check > /dev/full").fails(1).says(["standard output"]);
    let said = shell("{ \"$0\" list; echo $? >&2; } | head -n 1").ok();
    assert_eq!((said.stdout.lines().count(), &*said.stderr), (1, "0\n"));
}

/// reprepro creates such a link for `Suite`.
#[test]
fn a_link_to_a_suite_is_not_another_suite() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "--suite", "bookworm", "incoming"]).ok();
    std::os::unix::fs::symlink("bookworm", sandbox.archive("dists/stable")).unwrap();
    std::os::unix::fs::symlink("bookworm", sandbox.archive("dists/a-link")).unwrap();
    let said = sandbox.publish(["list"]).ok();
    assert_eq!(said.stdout, "bookworm main amd64 hello 1.0\n");
    // The link can be named, and `--suite` is not needed.
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok().says(["to suite `bookworm`"]);
    assert_eq!(sandbox.publish(["list", "--suite", "stable"]).ok().stdout.lines().count(), 2);
}

#[test]
fn sources_and_packages_of_the_installer_are_listed() {
    let sandbox = Sandbox::new();
    adopt_all_kinds(&sandbox, "stable", &[]);
    insta::assert_snapshot!(sandbox.publish(["list"]).ok().stdout, @r"
    stable main amd64 foo 1.0
    stable main|debian-installer amd64 foo 1.0
    stable main source foo 1.0
    ");
    let said = sandbox.publish(["list", "--json"]).ok().stdout;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let shown: Vec<_> =
        said["packages"].as_array().unwrap().iter().map(|row| (&row["index"], &row["path"])).collect();
    let expected =
        [("packages", "pool/foo.deb"), ("installer", "pool/foo.udeb"), ("sources", "pool/foo/foo.dsc")];
    assert!(
        shown
            .iter()
            .zip(expected)
            .all(|(&(index, file), expected)| (index, file) == (&expected.0.into(), &expected.1.into())),
        "{said}"
    );
    assert_eq!(shown.len(), expected.len());
}

/// One language for both: each formula selects the same packages as reprepro's `listfilter`, or is refused by both.
#[test]
fn formulas_select_as_reprepro_does() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64\n");
    let packages = [
        deb("foo").field("Section", "net").field("Depends", "bar"),
        deb("bar").version("1.0~rc1").field("Section", "libs").field("Priority", "extra"),
        deb("libbaz2").version("2:0.5").field("Section", "libs").field("Source", "baz (2:0.4)"),
        deb("doc").version("10").architecture("all").field("Section", "contrib/doc").field("X-Long", "a"),
    ];
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["-b"]).arg(sandbox.archive("")).args(["-P", "optional", "includedeb", "stable"]);
    for package in packages {
        reprepro.arg(package.write(sandbox.incoming()));
    }
    sandbox.run(reprepro).ok();
    let mut refused = 0;
    for formula in [
        "Package (== foo)",
        "package(==foo ) | Package (== bar)",
        "Package (!= foo), Package (>= doc)",
        "Package (<< foo)",
        "Package (% [bf]*)",
        "Package (!% *[!o])",
        "Depends",
        "!Depends",
        "!Section (== libs), !Section (== net)",
        "(Depends | Section (== libs)), Priority (== extra)",
        "Section (== net) | Section (== libs), Priority",
        "X-Long (!= b)",
        "X-Long (<< b)",
        "Version (>> 1:0)",
        "$Version (>= 1.0)",
        "$Version (% 1*)",
        "$Source (% b*)",
        "$SourceVersion (<< 2:0.5)",
        "$Architecture (== amd64)",
        "$Component (== contrib)",
        "$PackageType (== deb)",
        "Depends Section",
        "Depends |, Section",
        "(Depends",
        "Depends)",
        "()",
        "Package (==",
        "Package (~ foo)",
        "$Version",
        "",
    ] {
        let mut reprepro = sandbox.command("reprepro");
        reprepro.arg("-b").arg(sandbox.archive("")).args(["listfilter", "stable", formula]);
        let theirs = sandbox.run(reprepro);
        let ours = sandbox.publish(["list", "--filter", formula]);
        if theirs.status != Some(0) {
            ours.fails(2).says(["is not a formula", "at character"]);
            refused += 1;
            continue;
        }
        let words = |text: &str| {
            let lines = text.lines().map(|line| {
                let words: Vec<&str> = line.split_whitespace().rev().take(2).collect();
                words.join(" ")
            });
            let mut lines: Vec<String> = lines.collect();
            lines.sort();
            lines
        };
        assert_eq!(words(&ours.ok().stdout), words(&theirs.ok().stdout), "{formula}");
    }
    assert_eq!(refused, 9);
}
