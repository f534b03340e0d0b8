//! `Translations: en`: long descriptions in `i18n/Translation-en`, as apt shows them.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Output, Sandbox},
};

const TRANSLATION: &str = "dists/stable/main/i18n/Translation-en.gz";
const LONG: &str = "package made for a test\n Nobody needs it.\n .\n It is small.\n";

fn configure(sandbox: &Sandbox, fields: &str) {
    let suite = |name: &str| format!("Codename: {name}\nComponents: main\nArchitectures: amd64 arm64\n");
    sandbox.configure(&format!("{}{fields}\n{}", suite("stable"), suite("next")));
}

fn add(sandbox: &Sandbox, package: &crate::deb_builder::DebBuilder) -> Output {
    let file = package.write(sandbox.incoming());
    let add = ["add".as_ref(), "--suite".as_ref(), "stable".as_ref(), file.as_os_str()];
    sandbox.publish(add).ok()
}

fn packages(sandbox: &Sandbox, suite: &str) -> String {
    sandbox.read(format!("dists/{suite}/main/binary-amd64/Packages"))
}

fn translation(sandbox: &Sandbox) -> String {
    sandbox.ask("gzip", ["-dc".as_ref(), sandbox.archive(TRANSLATION).as_os_str()])
}

/// `apt-cache show` prints the long description of a package.
fn apt_shows(sandbox: &Sandbox, package: &str, text: &str) {
    for mut apt in Client::all(sandbox) {
        apt.option("Acquire::Languages", "en");
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        let shown = apt.run("apt-cache", ["show", package]).ok().stdout;
        assert!(shown.contains(text), "{}: {shown}", apt.name);
    }
}

#[test]
fn long_descriptions_are_in_the_translation_where_that_is_configured() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "Translations: en\n");
    add(&sandbox, &deb("one"));
    add(&sandbox, &deb("short").field("Description", "one line alone"));
    add(&sandbox, &deb("doc").architecture("all"));
    let index = packages(&sandbox, "stable");
    assert!(index.contains("Description: package made for a test\nDescription-md5: "), "{index}");
    assert!(!index.contains("Nobody needs it") && index.contains("Description: one line alone\n"), "{index}");
    let text = translation(&sandbox);
    assert_eq!(text.matches(&format!("Description-en: {LONG}\n")).count(), 2, "{text}");
    apt_shows(&sandbox, "one", "Nobody needs it.");
    // A second architecture and another version with the same text; the text stays as long as one of them needs it.
    add(&sandbox, &deb("one").architecture("arm64"));
    add(&sandbox, &deb("one").version("2").field("Description", "other\n more of it"));
    sandbox.publish_after(60, &["remove", "--suite", "stable", "--architecture", "amd64", "one=1.0"]).ok();
    assert_eq!(translation(&sandbox).matches("Package: one\n").count(), 2);
    sandbox.publish_after(60, &["remove", "--suite", "stable", "one=1.0"]).ok();
    let text = translation(&sandbox);
    assert!(text.matches("Package: one\n").count() == 1 && text.contains("more of it"), "{text}");
    // Copied to a suite without translations, a package has its description again.
    sandbox.publish_after(120, &["copy", "one", "doc", "--from", "stable", "--to", "next"]).ok();
    let copied = packages(&sandbox, "next");
    assert!(
        copied.contains(&format!("Description: {LONG}")) && !copied.contains("Description-md5"),
        "{copied}"
    );
    assert!(!sandbox.read("dists/next/Release").contains("i18n"));
    sandbox.publish_after(120, &["check"]).ok();
    sandbox.publish_after(180, &["remove", "--suite", "stable", "one", "doc"]).ok();
    assert_eq!(translation(&sandbox), "");
}

#[test]
fn export_moves_the_descriptions_of_all_packages() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "");
    for name in ["one", "two"] {
        add(&sandbox, &deb(name));
    }
    let before = packages(&sandbox, "stable");
    configure(&sandbox, "Translations: en\nContents: .gz\n");
    sandbox.publish_after(60, &["export", "stable"]).ok();
    assert!(!packages(&sandbox, "stable").contains("Nobody needs"));
    assert_eq!(translation(&sandbox).matches("Nobody needs it.").count(), 2);
    apt_shows(&sandbox, "two", "Nobody needs it.");
    sandbox.publish_after(60, &["export", "stable"]).ok().says(["nothing to do"]);
    configure(&sandbox, "");
    sandbox.publish_after(120, &["export", "stable"]).ok();
    assert_eq!(packages(&sandbox, "stable"), before);
    assert!(!sandbox.read("dists/stable/Release").contains("i18n"));
    apt_shows(&sandbox, "two", "Nobody needs it.");
    sandbox.publish_after(120, &["check"]).ok();
    configure(&sandbox, "Translations: de\n");
    sandbox.publish(["export"]).fails(1).says(["field `Translations` is `de`; expected `en` or `no`"]);
    assert!(fs::exists(sandbox.archive("dists/stable/Release")).unwrap());
}

#[test]
fn packages_that_move_to_the_archive_suite_keep_their_descriptions() {
    for (fields, in_stanza) in [("", true), ("Translations: en\n", false)] {
        for by_limit in [true, false] {
            let sandbox = Sandbox::new();
            let limit = if by_limit { "Limit: 1\n" } else { "" };
            let suite = |name: &str| format!("Codename: {name}\nComponents: main\nArchitectures: amd64\n");
            let stable = format!("{}Translations: en\nArchive: old\n{limit}", suite("stable"));
            sandbox.configure(&format!("{stable}\n{}{fields}\n{}", suite("old"), suite("next")));
            add(&sandbox, &deb("one"));
            add(&sandbox, &deb("one").version("2").field("Description", "other\n more of it"));
            if !by_limit {
                sandbox.publish_after(60, &["prune", "--keep", "1", "--suite", "stable"]).ok();
            }
            let moved = packages(&sandbox, "old");
            assert!(moved.contains("Version: 1.0\n"), "{moved}");
            assert_eq!(moved.contains(&format!("Description: {LONG}")), in_stanza, "{moved}");
            for mut apt in Client::all(&sandbox) {
                apt.option("Acquire::Languages", "en");
                apt.source(&Source::folder(sandbox.archive("")).trusted().suite("old"));
                apt.updates();
                let shown = apt.run("apt-cache", ["show", "one"]).ok().stdout;
                assert!(shown.contains("Nobody needs it."), "{}: {shown}", apt.name);
            }
            sandbox.publish_after(120, &["copy", "one", "--from", "old", "--to", "next"]).ok();
            assert!(packages(&sandbox, "next").contains(&format!("Description: {LONG}")));
            sandbox.publish_after(120, &["check"]).ok();
        }
    }
}

#[test]
fn an_index_that_leaves_the_suite_takes_its_descriptions_along() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nTranslations: en\n");
    add(&sandbox, &deb("doc").architecture("all"));
    add(&sandbox, &deb("one"));
    let names = || {
        let text = translation(&sandbox);
        let names = text.lines().filter_map(|line| line.strip_prefix("Package: "));
        names.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["doc", "one"]);
    sandbox.publish_after(60, &["remove", "doc"]).ok().says(["architecture `all` is no longer configured"]);
    assert_eq!(names(), ["one"]);
    // An architecture that is left with its last package, in an edit that changes no other index.
    add(&sandbox, &deb("two").architecture("arm64"));
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nTranslations: en\n");
    sandbox
        .publish_after(120, &["remove", "two"])
        .ok()
        .says(["architecture `arm64` is no longer configured"]);
    assert_eq!(names(), ["one"]);
    sandbox.publish_after(120, &["check"]).ok();
}

#[test]
fn a_lost_translation_is_made_again_from_the_packages() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "Translations: en\nContents: .gz\n");
    add(&sandbox, &deb("one"));
    add(&sandbox, &deb("two").field("Description", "other\n more of it"));
    let whole = translation(&sandbox);
    let lose = || fs::remove_dir_all(sandbox.archive("dists/stable/main/i18n")).unwrap();
    lose();
    let checked = |seconds, fault: &str| {
        let found = sandbox.publish_after(seconds, &["check"]).fails(4);
        assert!(found.stdout.contains(fault), "{}", found.stdout);
        found.says(["hint: write what is made from the packages again with `publish export stable`"]);
    };
    checked(60, "i18n/Translation-en: it is listed but missing in every compression");
    // By an export, and by an edit of another package.
    sandbox.publish_after(60, &["export", "stable"]).ok();
    assert_eq!(translation(&sandbox), whole);
    lose();
    add(&sandbox, &deb("three").field("Description", "third\n and last"));
    assert_eq!(translation(&sandbox).matches("Description-en: ").count(), 3);
    apt_shows(&sandbox, "two", "more of it");
    sandbox.publish_after(120, &["check"]).ok();
    // A copy has its description all the same.
    lose();
    sandbox.publish_after(180, &["copy", "two", "--from", "stable", "--to", "next"]).ok();
    assert!(packages(&sandbox, "next").contains("\n more of it"));
    // The description of a package whose file is damaged cannot be had.
    fs::write(sandbox.archive("pool/main/t/two/two_1.0_amd64.deb"), "damaged").unwrap();
    sandbox
        .publish_after(240, &["export", "stable"])
        .ok()
        .says(["`Translation-en` lacks the description of `two` 1.0: its file in the pool is damaged"]);
    checked(300, "it does not have the description of `two` 1.0");
    // Without translations the descriptions are in `Packages`.
    add(&sandbox, &deb("two").version("2"));
    lose();
    configure(&sandbox, "");
    sandbox.publish_after(360, &["export", "stable"]).ok();
    assert!(packages(&sandbox, "stable").contains("\n and last"));
}
