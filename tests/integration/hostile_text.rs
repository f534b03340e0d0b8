//! Foreign text with control characters: none of them reaches a terminal, from any command.

use std::fs;

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture},
    web::Web,
};

/// Sets the title of a terminal, in the 7-bit and in the 8-bit form; clears the line; reverses the text.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{9b}2K\r\u{202e}\u{7f}";

/// A terminal obeys no character of this text.
#[track_caller]
fn is_harmless(text: &str, of: &str) {
    let obeyed = |c: &char| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c);
    assert_eq!(text.chars().find(obeyed), None, "{of}:\n{text:?}");
}

/// Both outputs are harmless and contain the text in its escaped form.
#[track_caller]
fn escapes(said: &Outcome) {
    let shown = said.to_string();
    is_harmless(&said.stdout, &shown);
    is_harmless(&said.stderr, &shown);
    assert!(
        said.stdout.contains("owned") || said.stderr.contains("owned"),
        "the hostile text is not shown at all: {shown}"
    );
}

/// An adopted archive with hostile fields in its index and its release file.
fn hostile_archive() -> Sandbox {
    let sandbox = Sandbox::new();
    let stanza = |name: &str, version: &str, more: &str| {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: x{HOSTILE}\n\
             Filename: pool/{name}.deb\nSize: 5\nSHA256: {}\nDescription: d{HOSTILE}\n{more}\n",
            "1".repeat(64)
        )
        .replace('\r', "")
    };
    sandbox.adopt_index(&format!("{}{}", stanza("fine", "1", ""), stanza("odd", &format!("2{HOSTILE}"), "")));
    let release = sandbox.read("dists/stable/Release");
    // Other control characters are no `Release` file.
    let hostile = "\u{202e}owned";
    fs::write(
        sandbox.archive("dists/stable/Release"),
        release.replace("Codename: stable\n", &format!("Codename: other{hostile}\nOrigin: {hostile}\n")),
    )
    .unwrap();
    sandbox
}

#[test]
fn fields_of_an_adopted_index() {
    let sandbox = hostile_archive();
    for command in [
        &["list"][..],
        &["list", "odd"],
        &["show", "odd=1"],
        &["diff", "stable", "--with", "./other"],
        &["check"],
        &["--json", "list"],
        &["--json", "show", "odd"],
        &["--json", "check"],
        &["remove", "odd=1"],
    ] {
        fs::create_dir_all(sandbox.path("other/dists/stable")).unwrap();
        fs::write(
            sandbox.path("other/dists/stable/Release"),
            "Codename: stable\nDate: Sun, 01 Jan 2023 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n",
        )
        .unwrap();
        let said = sandbox.publish(command);
        escapes(&said);
    }
}

/// Scripts get the stanza as it is published; a terminal gets it escaped.
#[test]
fn a_stanza_is_escaped_on_a_terminal_only() {
    let sandbox = hostile_archive();
    let piped = sandbox.publish(["show", "odd"]).ok();
    assert!(piped.stdout.contains("\u{1b}]0;owned\u{7}"), "{piped:?}");
    let mut command = sandbox.command("script");
    command
        .args(["-qec", concat!(env!("CARGO_BIN_EXE_publish"), " show odd"), "/dev/null"])
        .env("PUBLISH_ARCHIVE", sandbox.archive(""));
    let shown = sandbox.run(command).ok().stdout.replace("\r\n", "\n");
    is_harmless(&shown, "a terminal");
    assert!(shown.contains(r"Description: d\u{1b}]0;owned\u{7}\u{9b}2K"), "{shown}");
}

#[test]
fn names_of_files_and_arguments() {
    let sandbox = Sandbox::new();
    let file = sandbox.incoming().join(format!("a{HOSTILE}\nerror: b.deb"));
    fs::write(&file, "no package").unwrap();
    let hostile = format!("x{HOSTILE}");
    let said = sandbox.publish(["add", "incoming"]);
    escapes(&said);
    // A line break in a name begins no line.
    assert_eq!(said.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
    deb("hello").write(sandbox.path("sound"));
    sandbox.publish(["add", "sound"]).ok();
    for command in [
        &["add", &hostile][..],
        &["list", &hostile],
        &["show", &hostile],
        &["remove", &hostile],
        &["list", "--suite", &hostile],
        &["log", &hostile],
        &["rollback", "--to", &hostile],
        &["copy", &hostile, "--from", "stable", "--to", "stable"],
        &["copy", &hostile, "--from", "stable", "--to", "testing"],
        &["diff", "stable", &hostile],
        &["sync", &hostile, "--include", &hostile],
        &["key", "show", &hostile],
        &["key", "generate", "--name", &hostile],
        &["snapshot", &hostile],
        &["--config", &hostile, "list"],
        &["--archive", &hostile, "list"],
        &[&hostile],
        &["prune", &format!("--{hostile}")],
        &["prune", "--keep", &hostile],
    ] {
        for command in [command.to_vec(), [&["--json"], command].concat()] {
            let said = sandbox.publish(&command);
            is_harmless(&said.stdout, &said.to_string());
            is_harmless(&said.stderr, &said.to_string());
        }
    }
}

#[test]
fn configuration_and_the_output_of_other_programs() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let hostile = HOSTILE.replace('\r', "");
    for field in [format!("Bogus{hostile}: x"), format!("Limit: {hostile}"), format!("Archive: {hostile}")] {
        sandbox.configure(&format!("Codename: stable\nComponents: main\n{field}\n"));
        let said = sandbox.publish(["add", "incoming"]);
        is_harmless(&said.stderr, &said.to_string());
    }
    let sign = sandbox.path("sign");
    fs::write(&sign, format!("#!/bin/sh\nprintf '%s\\n' '{hostile}' second >&2\nexit 1\n")).unwrap();
    sandbox.ask("chmod", ["755".as_ref(), sign.as_os_str()]);
    sandbox.configure(&format!("Codename: stable\nComponents: main\nSignWith: !{}\n", sign.display()));
    let said = sandbox.publish(["add", "incoming"]);
    escapes(&said);
    said.fails(1);
}

#[test]
fn the_answers_of_a_server() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let web = Web::with(sandbox.archive(""), |request, reply| {
        if request.ends_with("/Release") {
            reply.says("403 Forbidden");
            reply.body = HOSTILE.into();
        } else if request.ends_with("InRelease") {
            reply.header("Cache-Control: max-age=x\u{1b}]0;owned\u{7}");
        }
    });
    let key = fixture("keys/test.asc");
    for json in [&[][..], &["--json"]] {
        let command = [json, &["check", &web.url, "--suite", "stable", "--keyring", key.to_str().unwrap()]];
        let said = sandbox.publish(command.concat());
        is_harmless(&said.stdout, &said.to_string());
        is_harmless(&said.stderr, &said.to_string());
    }
}

#[test]
fn messages_in_the_log() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let job = [
        ("GITLAB_CI", "true"),
        ("CI_JOB_URL", "https://ci.example.org/\u{1b}]0;owned\u{7}"),
        ("GITLAB_USER_LOGIN", "\u{9b}2K"),
    ];
    sandbox.publish_with(&job, ["add", "incoming", "--message", HOSTILE]).ok();
    for command in [&["log"][..], &["--json", "log"]] {
        escapes(&sandbox.publish(command));
    }
}
