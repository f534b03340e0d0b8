use super::*;
use crate::stanza::Stanza;

const FOO: &str = "Package: foo\nVersion: 1:1.0-1\nSection: net\nDepends: bar\n";
const DOC: &str = "Package: libdoc\nVersion: 10\nProvides: doc-base, manual (= 2)\nSource: doc (9)\nSection: contrib/doc\nX-Long: a\n";

fn selected(formula: &str) -> String {
    selected_by(&Formula::parse(formula).unwrap_or_else(|error| panic!("{error}")))
}

fn selected_by(formula: &Formula) -> String {
    let of = |text: &str, subject: [&str; 5]| {
        let stanza = Stanza::parse(text.as_bytes()).unwrap();
        let [version, source, source_version, architecture, component] = subject;
        let subject = Subject {
            stanza: &stanza,
            version,
            source,
            source_version,
            architecture,
            component,
            kind: "deb",
        };
        formula.selects(&subject)
    };
    let foo = of(FOO, ["1:1.0-1", "foo", "1:1.0-1", "amd64", "main"]);
    let doc = of(DOC, ["10", "doc", "9", "amd64", "contrib"]);
    [(foo, "foo"), (doc, "doc")]
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| *name)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn formulas_select_as_in_reprepro() {
    for (formula, expected) in [
        ("Package (== foo)", "foo"),
        ("package(==foo )", "foo"),
        (" Package ( = foo ) ", "foo"),
        ("Package (!= foo)", "doc"),
        ("Package (>> foo)", "doc"),
        ("Package (>= foo)", "foo doc"),
        ("Package (> foo)", "foo doc"),
        ("Package (<< foo)", ""),
        ("Package (% [fg]o*)", "foo"),
        ("Package (!% fo*)", "doc"),
        ("Depends", "foo"),
        ("!Depends", "doc"),
        ("! ( Depends | X-Long )", ""),
        ("((Depends))", "foo"),
        ("Depends | X-Long, Section (== net)", "foo"),
        ("Section (== net), Depends | X-Long", "foo"),
        ("(Section (== net), Depends) | X-Long", "foo doc"),
        // A field that does not exist differs from everything, and is in no order.
        ("X-Long (!= b)", "foo doc"),
        ("X-Long (!% b*)", "foo doc"),
        ("X-Long (<< b)", "doc"),
        ("$Version (>= 1:0)", "foo"),
        ("Version (>> 1:0)", "foo"),
        ("$Version (<< 1:1.0)", "doc"),
        ("$Version (% 1*)", "foo doc"),
        ("$version (== 10)", "doc"),
        ("$Source (== doc)", "doc"),
        ("$SourceVersion (<< 10)", "doc"),
        ("$Architecture (== amd64)", "foo doc"),
        ("$Component (== contrib)", "doc"),
        ("$PackageType (== deb)", "foo doc"),
        ("$Type (== udeb)", ""),
    ] {
        assert_eq!(selected(formula), expected, "{formula}");
    }
}

#[test]
fn queries_have_the_forms_of_aptly() {
    for (query, expected) in [
        ("foo", "foo"),
        ("foo | libdoc", "foo doc"),
        ("foo (>= 1:0.9)", "foo"),
        ("foo (>> 1:1.0-1)", ""),
        ("foo (1:1.0-1)", "foo"),
        ("foo {amd64}", "foo"),
        ("foo (>= 1:0.9) {i386}", ""),
        ("foo_1:1.0-1_amd64", "foo"),
        ("foo_2_amd64 | !foo", "doc"),
        ("'foo'", "foo"),
        ("\"foo\" (>= '1:0.9')", "foo"),
        ("Name (= 'foo') | Name (% \"lib*\")", "foo doc"),
        ("Version (>= 5)", "foo doc"),
        ("$Version (<< '1:0')", "doc"),
        ("manual", "doc"),
        ("manual (>= 1)", ""),
        ("Name (= foo)", "foo"),
        ("Name (\"foo\")", "foo"),
        ("Name ('foo') | libdoc", "foo doc"),
        ("foo ('1:1.0-1')", "foo"),
        ("Section (\"net\")", "foo"),
        ("Name (% lib*)", "doc"),
        ("Section (net)", "foo"),
        ("$Source (doc), $Architecture (amd64)", "doc"),
        ("$Version (>= 1:0)", "foo"),
        // Names of fields may be written in small letters, as in reprepro.
        ("section (== net)", "foo"),
        ("x-long", "doc"),
        ("Depends, !X-Long", "foo"),
    ] {
        let formula = Formula::parse_query(query).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(selected_by(&formula), expected, "{query}");
    }
    for (bad, expected) in [
        ("Name (~ ^lib)", "regular expression"),
        ("foo (~ 1)", "regular expression"),
        ("foo {amd64", "expected `}` at character 6"),
        ("foo 'bar", "expected `,` or `|`"),
        ("Name (= 'foo)", "expected `'` at the end"),
        ("Name (= 'foo' x)", "expected `)`"),
        ("Name ('foo' x)", "expected `)`"),
        ("Name (\"foo)", "expected `\"` at the end"),
        ("foo (>= a b)", "version `a b` is not allowed"),
        ("foo_a b_amd64", "at character"),
    ] {
        let error = Formula::parse_query(bad).unwrap_err().to_string();
        assert!(says(&error, expected), "{bad}: {error}");
        assert!(Formula::parse(bad).is_err() || bad.contains("foo"), "{bad}");
    }
}

/// Whether an error says this; `WHY at character AT` names both.
fn says(error: &str, expected: &str) -> bool {
    match expected.split_once(" at character ") {
        Some((why, at)) => error.contains(why) && error.contains(&format!("at character {at}: ")),
        None => error.contains(expected),
    }
}

#[test]
fn errors_name_the_place() {
    for (bad, expected) in [
        ("", "expected the name of a field, found the end at character 1"),
        ("Depends ,", "found the end at character 10"),
        (", Depends", "found `,` at character 1"),
        ("Depends || Section", "found `|` at character 10"),
        ("Depends Section", "expected `,` or `|` at character 9"),
        ("(Depends", "expected `)` at character 9"),
        ("Depends)", "unexpected `)` at character 8"),
        ("()", "found `)` at character 2"),
        ("Package ()", "expected one of `==`"),
        ("Package (==", "expected a value and `)` at character 12"),
        ("Package (== )", "expected a value at character 13"),
        ("Package (=== foo)", "expected a value"),
        ("Package (<> foo)", "expected a value"),
        ("Package (foo)", "expected one of `==`"),
        ("Package (== x (y))", "unexpected `)`"),
        ("$Version", "`$Version` always exists"),
        ("$Nothing (== x)", "`$Nothing` is unknown; there are `$Version`, `$Source`"),
        ("$Version (<< foo bar)", "version `foo bar` is not allowed"),
        ("Grüße (== x), (", "found the end at character 16"),
    ] {
        let error = Formula::parse(bad).unwrap_err().to_string();
        assert!(says(&error, expected), "{bad}: {error}");
    }
    for deep in ["(", "!"] {
        assert!(Formula::parse(&deep.repeat(100_000)).unwrap_err().to_string().contains("nested"));
    }
}
