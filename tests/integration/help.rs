//! Every help page, as a user reads it.

use std::{fmt::Write as _, fs};

use crate::sandbox::{Sandbox, is_installed, skipped};

/// The names of the commands in a help page.
fn commands(page: &str) -> Vec<String> {
    let lines = page.lines().skip_while(|line| *line != "Commands:").skip(1);
    let entries = lines.take_while(|line| !line.is_empty());
    // A description that is wrapped is indented further.
    let names = entries.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.filter_map(|rest| rest.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

/// A page without the options that all commands share; the page of `publish` itself has them.
fn own(page: &str) -> String {
    let global = |paragraph: &&str| !paragraph.starts_with("Global options:");
    let (before, after) = page.split_once("Global options:").unwrap_or((page, ""));
    let after =
        after.split("\n\n").filter(global).skip_while(|paragraph| !paragraph.starts_with("Examples:"));
    format!("{before}{}", after.collect::<Vec<_>>().join("\n\n"))
}

fn pages(sandbox: &Sandbox, command: &[&str], text: &mut String) {
    let page = sandbox.publish(command.iter().chain(&["--help"])).ok().stdout;
    let shown = if command.is_empty() { page.clone() } else { own(&page) };
    let _ = writeln!(text, "$ publish {}\n{}\n", [command, &["--help"]].concat().join(" "), shown.trim_end());
    for name in commands(&page).iter().filter(|name| command.is_empty() || *name != "help") {
        pages(sandbox, &[command, &[name.as_str()]].concat(), text);
    }
}

#[test]
fn every_help_page_is_the_one_that_was_reviewed() {
    let mut text = String::new();
    pages(&Sandbox::new(), &[], &mut text);
    assert!(text.contains("$ publish key rotate --help"), "{text}");
    insta::assert_snapshot!("pages", text);
}

/// reprepro's `-V` is `--verbose`: a command after it would not run.
#[test]
fn a_command_after_the_version_option_is_an_error() {
    let sandbox = Sandbox::new();
    for alone in ["-V", "--version"] {
        assert!(sandbox.publish([alone]).ok().stdout.starts_with("publish "));
    }
    for command in [
        &["-V", "add", "x.deb"][..],
        &["-V", "--archive", "a", "list"],
        &["--archive", "a", "-V", "list"],
        &["-V", "-V"],
        &["-VV"],
        &["-Vb", "a", "list"],
        &["--version", "list"],
        &["--json", "-V"],
        &["-v", "-V"],
    ] {
        let said = sandbox.publish(command).fails(2);
        said.says(["hint: ", "--verbose"]);
    }
}

/// Runs the check for every page, of each command and in both lengths.
fn each_page(sandbox: &Sandbox, command: &[&str], check: &mut impl FnMut(&[&str], &str)) {
    for option in ["-h", "--help"] {
        let page = sandbox.publish(command.iter().chain(&[option])).ok().stdout;
        check(&[command, &[option]].concat(), &page);
        if option == "--help" {
            for name in commands(&page).iter().filter(|name| command.is_empty() || *name != "help") {
                each_page(sandbox, &[command, &[name.as_str()]].concat(), check);
            }
        }
    }
}

/// The options of a command come first; those of all commands are on the page of `publish`.
#[test]
fn no_page_is_more_than_half_global_options() {
    let sandbox = Sandbox::new();
    let mut pages = 0;
    each_page(&sandbox, &[], &mut |command, page| {
        pages += 1;
        let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
        let global = page.split("\n\n").skip_while(|part| !part.starts_with("Global options:"));
        let global: usize = global.take_while(|part| !part.starts_with("Examples:")).map(lines).sum();
        // That of reprepro is a topic.
        assert!(global > 0 || command[0] == "reprepro", "{command:?}: {page}");
        assert!(global * 2 <= lines(page), "{command:?}: {global} of {} lines\n{page}", lines(page));
    });
    assert!(pages > 50, "{pages}");
    let root = sandbox.publish(["--help"]).ok().stdout;
    for option in [
        "--config",
        "--sign-with",
        "--trust-existing",
        "--allow-releaseinfo-change",
        "--allow-expired",
        "--date",
        "--json",
    ] {
        assert!(root.contains(&format!("{option} ")) || root.contains(&format!("{option}\n")), "{option}");
    }
}

/// Every command and every topic has a page, and the two judges of man pages accept all of them.
#[test]
fn every_man_page_is_well_formed() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("man");
    sandbox.publish(["man", folder.to_str().unwrap()]).ok();
    let mut expected = Vec::new();
    each_page(&sandbox, &[], &mut |command, _| {
        let command = &command[..command.len() - 1];
        expected.push(format!("man1/{}.1", [&["publish"], command].concat().join("-")));
    });
    expected.extend(
        ["man5/publish-distributions.5", "man5/publish-destinations.5", "man7/publish-keys.7"]
            .map(str::to_owned),
    );
    for page in &expected {
        assert!(folder.join(page).exists(), "{page}");
    }
    let pages = sandbox.ask("find", [folder.to_str().unwrap(), "-type", "f"]);
    let pages: Vec<&str> = pages.lines().map(|path| path.strip_prefix("[SANDBOX]/").unwrap()).collect();
    assert!(pages.len() > 40, "{pages:?}");
    for (program, arguments) in [
        ("mandoc", &["-Tlint", "-W", "warning"][..]),
        ("man", &["--warnings", "--local-file", "-Tutf8", "--ditroff"]),
    ] {
        if !is_installed(program) {
            skipped(&format!("{program} is not installed"));
            continue;
        }
        for page in &pages {
            let mut command = sandbox.command(program);
            command.args(arguments).arg(page);
            let said = sandbox.run(command);
            let said = format!("{}{}", if program == "man" { "" } else { &said.stdout }, said.stderr);
            // The date would be that of the build; builds are reproducible.
            let faults: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
            assert!(faults.is_empty(), "{program} {page}: {faults:#?}");
        }
    }
    if !is_installed("man") {
        return;
    }
    let shown = sandbox.ask("man", ["--local-file", "man/man5/publish-distributions.5"]);
    assert!(shown.contains("SignWith"), "{shown}");
}

/// Mistyped names of suites, packages and fields, and words of other tools, have a hint with the one that was meant.
#[test]
fn a_mistyped_word_names_the_one_that_was_meant() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponants: main\nComponents: main\nOrigin: Example\n");
    crate::deb_builder::deb("hello").source("whole (1.0)").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok().says(["`Componants`", "did you mean `Components`?"]);
    sandbox.publish(["add", "incoming", "--suite", "stabel"]).fails(1).says(["did you mean `stable`?"]);
    sandbox.publish(["list", "--suite", "stabel"]).fails(1).says(["did you mean `stable`?"]);
    sandbox.publish(["show", "helo"]).fails(1).says(["did you mean `hello`?"]);
    sandbox.publish(["remove", "helo"]).fails(1).says(["did you mean `hello`?"]);
    sandbox.publish(["remove", "--source", "whol"]).fails(1).says(["did you mean `whole`?"]);
    sandbox.publish(["remove", "completely-different"]).fails(1).says(["publish list"]);
    let copy = ["copy", "helo", "--from", "stable", "--to", "testing", "--new-suite"];
    sandbox.publish(copy).fails(1).says(["did you mean `hello`?"]);
    for (word, ours) in
        [("push", "sync"), ("upload", "add"), ("publish", "add"), ("repo", "add"), ("rm", "remove")]
    {
        let said = sandbox.publish([word, "x"]).fails(2);
        said.says([&*format!("there is no command `{word}`"), &*format!("did you mean `publish {ours}`?")]);
        let json = sandbox.publish(["--json", word, "x"]).fails(2).stdout;
        assert!(json.contains("\"usage\"") && json.contains(&format!("`publish {ours}`")), "{json}");
    }
    for (words, hint) in [
        (&["lst"][..], "did you mean `publish list`? see `publish help list`"),
        (&["key", "rotat"], "did you mean `publish key rotate`? see `publish help key rotate`"),
        (&["frob"], "list the commands with `publish --help`"),
        (&["key", "frob"], "list the commands with `publish key --help`"),
        (&["--archive", "x", "includedeb", "stable", "a.deb"], "such as `publish -b FOLDER includedeb …`"),
    ] {
        sandbox.publish(words).fails(2).says([hint]);
    }
    // Help about the word of another tool, and an option that is cut.
    sandbox.publish(["help", "upload"]).fails(2).says(["did you mean `publish help add`?"]);
    let said = sandbox.publish(["list", "--arch", "amd64"]).fails(2);
    assert!(
        said.stderr.contains("'--architecture'") && !said.stderr.contains("--archive"),
        "{}",
        said.stderr
    );
    fs::write(sandbox.archive("conf/destinations"), "Name: cdn\nLocation: ./copy\nSuits: stable\n").unwrap();
    sandbox.publish(["sync", "cdn"]).ok().says(["did you mean `Suites`?"]);
    // Also where the field is needed.
    fs::write(sandbox.archive("conf/destinations"), "Name: cdn\nLocatoin: ./copy\n").unwrap();
    sandbox.publish(["sync", "cdn"]).fails(1).says(["`Locatoin` is unknown; did you mean `Location`?"]);
    sandbox.configure("Codename: stable\nComponets: main\n");
    sandbox.publish(["list"]).fails(1).says(["`Componets` is unknown; did you mean `Components`?"]);
}
