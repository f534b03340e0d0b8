//! Relationships, and dpkg and apt as the second opinion.

use std::{
    path::Path,
    process::{Command, Output},
};

use proptest::prelude::*;

use super::*;
use crate::deb::NewDeb;

/// Values of `Depends`: the ones that dpkg reads, those that it refuses, and those at which apt stops as well.
const GOOD: [&str; 31] = [
    "",
    "foo",
    "foo (>= 1.0)",
    "foo(>=1)",
    "foo( >= 1 )",
    "foo (1.0)",
    "foo (> 1)",
    "foo (< 1)",
    "foo (<< 1)",
    "foo (<= 1)",
    "foo (>> 1)",
    "foo\t\t(>=\t1)",
    "foo (>=\n 1\n )",
    "foo\n , bar",
    "foo:any",
    "foo:amd64 (>= 1)",
    "foo:native | bar",
    "Foo",
    "foo_bar",
    "f",
    "0ad",
    "foo.",
    "foo, bar.",
    "foo (>= 1), bar (<< 2) | baz",
    "foo (=1:1.0-1~x+y)",
    "foo (>= 1:1:1)",
    "foo (>= 1-1-1), foo (>= 1+)",
    "foo (= 1)",
    "foo (=10)",
    "foo (=1), bar",
    "foo (1),bar",
];
const BAD: [&str; 57] = [
    "\n foo",
    "\n foo,\n bar (>= 1)",
    "foo,",
    "foo |",
    "foo (>= 1.0),",
    "foo;bar",
    "${shlibs:Depends}",
    "foo, ${misc:Depends}",
    "foo (>= ${v})",
    "foo (>= v1.0)",
    "foo (>= 1_0)",
    "foo (>= 1.0-)",
    "foo (>= :1)",
    "foo (>= 1:)",
    "foo (>= 0:)",
    "foo (>= a:1)",
    "foo (>= -1:1)",
    "foo (>= 1.0:2)",
    "foo (>= 99999999999:1)",
    "foo (>= 1,2)",
    "foo (>= ~1)",
    "foo (>= .1)",
    "foo (>= +1)",
    "foo (>= 1^2)",
    "foo (= *)",
    "foo (>= é)",
    "foo (>= 1 0)",
    "foo ((>= 1)",
    "foo (== 1)",
    "foo (=> 1)",
    "foo (<<< 1)",
    "foo (>>= 1)",
    "foo (<> 1)",
    "foo (~ 1)",
    "foo (! 1)",
    "foo (!= 1)",
    "foo:",
    "foo:a_b",
    "foo:any:any",
    ":any",
    "+foo",
    "-foo",
    ".foo",
    "_foo",
    "@foo",
    "foo~",
    "fo@o",
    "foo#bar",
    "foo\"bar",
    "foo/bar",
    "foo*",
    "foo%20",
    "f=oo",
    "foo=1",
    "foo{x}",
    "é",
    "foo\u{1}",
];
const STOPS_APT: [&str; 52] = [
    "foo (= )",
    "foo (=)",
    "foo (>=)",
    "foo (>= ), bar",
    "foo ()",
    "()",
    "(foo)",
    "foo (",
    "foo (>=",
    "foo (>= 1.0",
    "foo >= 1.0",
    "foo bar",
    "foo and bar",
    "foo & bar",
    "foo\n bar",
    "foo\n .\n bar",
    "foo,,bar",
    ",foo",
    ",",
    "|",
    "foo, ,bar",
    "foo, , bar",
    "| foo",
    "foo || bar",
    "foo | , bar",
    "foo [amd64]",
    "foo [!amd64]",
    "foo [amd64",
    "foo ]",
    "foo <!nocheck>",
    "foo <a",
    "foo (>= 1) [amd64]",
    "foo (>= 1) <x>",
    "foo (>= 1))",
    "foo (>= 1)bar",
    "foo (>= 1) bar",
    "foo (>= 1) (<< 2)",
    "foo: any",
    "foo :any",
    "foo)",
    "f)oo",
    "foo]",
    "foo[amd64]",
    "foo<a",
    "foo>=1",
    "<<",
    "foo é",
    "foo (=1)",
    "foo (1)",
    "foo (10)",
    "foo (=a)",
    "bar, foo (>1)",
];

fn control(field: &str, value: &str) -> String {
    let head = "Package: aa\nVersion: 1\nArchitecture: all\nMaintainer: b <b@c>\n";
    format!("{head}{field}: {value}\nDescription: d\n")
}

fn ours(field: &str, value: &str) -> Result<Vec<Remark>, BadRelationship> {
    check(control(field, value).as_bytes())
}

fn run(command: &mut Command) -> Output {
    command.env("LC_ALL", "C.UTF-8").output().expect("dpkg and apt are needed for this test")
}

/// Whether the real dpkg unpacks a package with this field, in a root of its own.
fn dpkg_reads(folder: &Path, field: &str, value: &str) -> bool {
    let root = folder.join("root");
    let _ = std::fs::remove_dir_all(&root);
    for part in ["info", "updates", "triggers"] {
        std::fs::create_dir_all(root.join("var/lib/dpkg").join(part)).unwrap();
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let deb = folder.join("aa.deb");
    let control = control(field, value);
    std::fs::write(&deb, NewDeb { control: &control, files: &[], time: 0 }.render().unwrap()).unwrap();
    let force = "--force-not-root,bad-path,depends,architecture";
    let mut dpkg = Command::new("dpkg");
    let output = run(dpkg.arg(format!("--root={}", root.display())).args([force, "--unpack"]).arg(&deb));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || said.contains("parsing file"), "{value}: {said}");
    output.status.success()
}

/// Whether the real apt reads a list of packages with this field.
fn apt_reads_it(folder: &Path, field: &str, value: &str) -> bool {
    let root = folder.join("apt");
    std::fs::create_dir_all(root.join("lists/partial")).unwrap();
    std::fs::write(
        root.join("status"),
        control(field, value).replace("Version", "Status: install ok installed\nVersion"),
    )
    .unwrap();
    std::fs::write(root.join("config"), "").unwrap();
    let mut apt = Command::new("apt-cache");
    apt.env("APT_CONFIG", root.join("config"));
    for option in [
        format!("Dir={}", root.display()),
        format!("Dir::State::status={}", root.join("status").display()),
        format!("Dir::State::lists={}", root.join("lists").display()),
        "Dir::Cache::pkgcache=".to_owned(),
        "Dir::Cache::srcpkgcache=".to_owned(),
    ] {
        apt.args(["-o", &option]);
    }
    let output = run(apt.arg("stats"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || said.contains("roblem parsing"), "{value}: {said}");
    output.status.success()
}

/// Compares our verdict with those of dpkg and apt.
fn compare(folder: &Path, field: &str, value: &str) {
    let ours = ours(field, value);
    let dpkg = dpkg_reads(folder, field, value);
    let apt = apt_reads_it(folder, field, value);
    assert_eq!(ours.is_ok(), dpkg && apt, "{field}: {value:?}: {ours:?}, dpkg {dpkg}, apt {apt}");
    assert_eq!(ours.is_err_and(|bad| bad.stops_apt), !apt, "{field}: {value:?}, apt {apt}");
}

#[test]
fn dpkg_and_apt_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (values, reads, apt) in [(&GOOD[..], true, true), (&BAD, false, true), (&STOPS_APT, false, false)] {
        for value in values {
            let ours = ours("Depends", value);
            assert_eq!(ours.is_ok(), reads, "{value:?}: {ours:?}");
            assert_eq!(ours.is_err_and(|bad| bad.stops_apt), !apt, "{value:?}");
            compare(folder.path(), "Depends", value);
        }
    }
}

#[test]
fn every_field_is_read_as_dpkg_and_apt_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let values =
        ["", "foo (= )", "foo (>= 1)", "foo (= 1)", "a | b", "foo,", "${x}", "foo:any", "Foo", "\n foo"];
    for (field, kind) in FIELDS {
        for value in values {
            if kind == Kind::Informative {
                // It is only a remark.
                assert!(dpkg_reads(folder.path(), field, value), "{field}: {value}");
                ours(field, value).unwrap();
            } else if !["Recommended", "Optional"].contains(&field) {
                compare(folder.path(), field, value);
            } else {
                // Only dpkg knows the obsolete names.
                assert_eq!(
                    ours(field, value).is_ok(),
                    dpkg_reads(folder.path(), field, value),
                    "{field}: {value}"
                );
            }
        }
    }
}

#[test]
fn the_field_and_the_place_are_named() {
    for (field, value, says) in [
        (
            "Depends",
            "a, b (= ), c",
            "field `Depends`, part 2, at `b (= ), c`: there is no version in the parentheses; apt stops at it and reads no package at all",
        ),
        ("depends", "a | b,", "field `Depends`, part 3: a package name is missing"),
        (
            "Recommends",
            "a b",
            "field `Recommends`, part 1, at `a b`: `b` where `,` or `|` is expected; apt stops at it and reads no package at all",
        ),
        (
            "Depends",
            "a, ${shlibs:Depends}, c",
            "field `Depends`, part 2, at `${shlibs:Depends}, c`: the variable `${shlibs:Depends}` was not replaced by the build",
        ),
        (
            "Conflicts",
            "a | b",
            "field `Conflicts`, part 1, at `a | b`: alternatives (`|`) are not allowed in this field",
        ),
        (
            "Provides",
            "",
            "field `Provides`, part 1: the field is empty; apt stops at it and reads no package at all",
        ),
        (
            "Depends",
            "a (>= v1)",
            "field `Depends`, part 1, at `a (>= v1)`: version `v1` is not allowed: the upstream version must start with a digit (deb-version(7))",
        ),
        (
            "Depends",
            "a [amd64]",
            "field `Depends`, part 1, at `a [amd64]`: the restriction `[amd64]` is only allowed in source packages; apt stops at it and reads no package at all",
        ),
    ] {
        assert_eq!(ours(field, value).unwrap_err().to_string(), says);
    }
    let spaced = check(b"Package: a\nDepends \t: b (= )\n").unwrap_err();
    assert_eq!(spaced.fault, Fault::NoVersion);
}

#[test]
fn readable_and_still_remarkable() {
    assert_eq!(ours("Provides", "a (>= 1)").unwrap(), [Remark::NotExact]);
    assert_eq!(ours("Depends", "a (> 1)").unwrap(), [Remark::Obsolete { field: "Depends", operator: '>' }]);
    let said = ours("Built-Using", "a (= 1), ${x}").unwrap();
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "field `Built-Using`, part 2, at `${x}`: the variable `${x}` was not replaced by the build; dpkg and apt ignore the field"
        ]
    );
    assert_eq!(ours("Depends", "a, b | c (= 1)").unwrap(), []);
    assert_eq!(ours("X-Depends", "a (= )").unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dpkg_and_apt_say_the_same_of_anything(
        value in proptest::collection::vec(
            prop_oneof!["a", "b1", "A", ":any", ",", "\\|", " ", "\\(", "\\)", "= ", ">= ", "<<", "1", "1:2-3", "\\[x\\]", "\\$\\{v\\}"],
            0..9,
        ),
        field in prop_oneof!["Depends", "Provides", "Breaks"],
    ) {
        let folder = tempfile::tempdir().unwrap();
        compare(folder.path(), &field, value.concat().trim());
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = check(&[b"Depends: ", &bytes[..]].concat());
        let _ = check(&bytes);
    }
}

#[test]
fn build_dependencies_have_restrictions() {
    for good in [
        "debhelper-compat (= 13), libfoo-dev (>= 1.0) [amd64 !i386] <!nocheck> <cross>, a | b [linux-any]",
        "python3:any, gcc:native (>= 4:12),",
        "a[amd64]<!nocheck>",
        "",
    ] {
        assert_eq!(bad_build_field(format!("Build-Depends: {good}\n").as_bytes()), None, "{good}");
    }
    for bad in ["a b", "foo [amd64", "foo <!x", "a | | b", "a,,b", "foo (>= )", "foo (>= 1", "[amd64]"] {
        let text = format!("Source: x\nBuild-Depends: a\nBuild-Conflicts-Indep: {bad}\n");
        let found = bad_build_field(text.as_bytes()).map(|bad| bad.field);
        assert_eq!(found, Some("Build-Conflicts-Indep"), "{bad}");
    }
    // A binary package has none of these.
    assert!(check(b"Depends: foo [amd64]\n").is_err());
}
