//! Every help page, as a user reads it.

use std::fmt::Write as _;

use crate::sandbox::Sandbox;

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
