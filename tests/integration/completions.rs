//! Completion in real shells: bash, zsh and fish complete commands, options, and the names in the archive at hand.

use std::{fs, os::unix::fs::symlink};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, is_installed, skipped},
};

/// An archive with two suites, and `publish` in the search path.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: bookworm\nComponents: main\n\nCodename: trixie\nComponents: main\n");
    fs::write(sandbox.archive("conf/destinations"), "Name: cdn\nLocation: ./copy\n").unwrap();
    deb("hello").write(sandbox.incoming());
    deb("help-me").source("whole (1.0)").write(sandbox.incoming());
    sandbox.publish(["add", "--suite", "bookworm", "incoming"]).ok();
    fs::create_dir(sandbox.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_publish"), sandbox.path("bin/publish")).unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.publish(["completions", shell]).ok().stdout;
        fs::write(sandbox.path(format!("script.{shell}")), script).unwrap();
    }
    sandbox
}

impl Sandbox {
    /// The candidates that the program offers for the last word.
    fn offers(&self, words: &[&str]) -> Vec<String> {
        let said = self.publish([&["__complete"], words].concat()).ok();
        assert_eq!(said.stderr, "");
        said.stdout.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
    }

    /// Runs a script of a shell, with `publish` in the search path and the archive in the environment.
    fn shell(&self, shell: &str, arguments: &[&str], script: &str) -> String {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        let mut command = self.command(shell);
        command.args(arguments).arg(script).env("PATH", path).env("PUBLISH_ARCHIVE", self.archive(""));
        self.run(command).ok().stdout
    }

    /// Returns the line as bash completes it when Tab is pressed at its end: the current word is replaced by each of these.
    fn bash(&self, line: &str) -> Vec<String> {
        // readline splits words like this; see COMP_WORDBREAKS in bash(1).
        let script = format!(
            "source ./script.bash
             COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}} COMP_WORDS=()
             word=''
             for ((at = 0; at < COMP_POINT; at++)); do
                 c=${{COMP_LINE:at:1}}
                 case $c in
                 ' ') [ -z \"$word\" ] || COMP_WORDS+=(\"$word\"); word='' ;;
                 = | : | @) [ -z \"$word\" ] || COMP_WORDS+=(\"$word\"); word=''; COMP_WORDS+=(\"$c\") ;;
                 *) word+=$c ;;
                 esac
             done
             case $COMP_LINE in *[=:@]) ;; *) COMP_WORDS+=(\"$word\") ;; esac
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             compopt() {{ :; }}
             _publish
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let said = self.shell("bash", &["--norc", "-c"], &script);
        said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

#[test]
fn words_of_the_archive_are_offered() {
    let sandbox = sandbox();
    let generation = sandbox.publish(["--json", "log", "bookworm"]).ok().stdout;
    let generation: serde_json::Value = serde_json::from_str(&generation).unwrap();
    let generation = generation["generations"][0]["generation"].as_str().unwrap_or_default().to_owned();
    assert_eq!(sandbox.offers(&["cop"]), ["copy"]);
    assert_eq!(sandbox.offers(&["key", "ro"]), ["rotate"]);
    assert_eq!(sandbox.offers(&["list", "--sui"]), ["--suite"]);
    assert_eq!(sandbox.offers(&["list", "--suite", ""]), ["bookworm", "trixie"]);
    assert_eq!(sandbox.offers(&["list", "-s", "t"]), ["trixie"]);
    assert_eq!(sandbox.offers(&["list", "--suite=b"]), ["--suite=bookworm"]);
    assert_eq!(sandbox.offers(&["remove", "hel"]), ["hello", "help-me"]);
    assert_eq!(sandbox.offers(&["remove", "hello", "help"]), ["help-me"]);
    assert_eq!(sandbox.offers(&["copy", "--from", "bookworm", "--to", "trixie", "hello"]), ["hello"]);
    assert_eq!(sandbox.offers(&["copy", "--from", "trixie", "--to", "bookworm", "h"]), [""; 0]);
    assert_eq!(sandbox.offers(&["remove", "--source", "w"]), ["whole"]);
    assert_eq!(sandbox.offers(&["drop", "b"]), ["bookworm"]);
    assert_eq!(sandbox.offers(&["diff", "b"]), ["bookworm", "bookworm@"]);
    assert_eq!(sandbox.offers(&["diff", "bookworm@"]), [format!("bookworm@{generation}")]);
    assert_eq!(sandbox.offers(&["rollback", "bookworm", "--to", ""]), [generation]);
    assert_eq!(sandbox.offers(&["sync", "c"]), ["cdn"]);
    assert_eq!(sandbox.offers(&["init", "--algorithm", "rsa"]), ["rsa3072", "rsa4096"]);
    assert_eq!(sandbox.offers(&["help", "exit"]), ["exit-codes"]);
    // Files are the shell's.
    assert_eq!(sandbox.offers(&["add", "inc"]), [""; 0]);
    assert_eq!(sandbox.offers(&["bogus", ""]), [""; 0]);
    // Another archive than that of the environment.
    assert_eq!(sandbox.offers(&["--archive", "./none", "list", "--suite", ""]), [""; 0]);
    assert_eq!(sandbox.offers(&["-a", "http://127.0.0.1:1/", "list", "--suite", ""]), [""; 0]);
    assert_eq!(sandbox.offers(&[]).first().map(String::as_str), Some("init"));
}

#[test]
fn bash_completes() {
    let sandbox = sandbox();
    assert_eq!(sandbox.bash("publish rollb"), ["rollback"]);
    assert_eq!(sandbox.bash("publish list --suite "), ["bookworm", "trixie"]);
    assert_eq!(sandbox.bash("publish list --suite="), ["bookworm", "trixie"]);
    assert_eq!(sandbox.bash("publish list --suite=tr"), ["trixie"]);
    assert_eq!(sandbox.bash("publish remove hel"), ["hello", "help-me"]);
    let [generation] = &sandbox.bash("publish diff bookworm@")[..] else { panic!("one generation") };
    assert!(generation.starts_with("@2025"), "{generation}");
    assert_eq!(sandbox.bash("publish diff bookworm@2"), std::slice::from_ref(generation));
    // No candidate: bash itself completes files.
    assert_eq!(sandbox.bash("publish add inc"), [""; 0]);
    let registered = sandbox.shell("bash", &["--norc", "-c"], "source ./script.bash; complete -p publish");
    assert_eq!(registered, "complete -o bashdefault -o default -F _publish publish\n");
}

#[test]
fn zsh_completes() {
    if !is_installed("zsh") {
        return skipped("zsh is not installed");
    }
    let sandbox = sandbox();
    // The widgets need a terminal, so `_describe` and `_files` are replaced.
    let completes = |words: &str, current: usize| {
        let script = format!(
            "compdef() {{ :; }}; source ./script.zsh
             _describe() {{ print -l -- \"${{(@P)2}}\"; }}; _files() {{ print FILES; }}
             words=({words}); CURRENT={current}; _publish"
        );
        sandbox.shell("zsh", &["-f", "-c"], &script)
    };
    assert_eq!(completes("publish list --suite ''", 4), "bookworm\ntrixie\n");
    assert_eq!(
        completes("publish rollb", 2),
        "rollback:Publish the content of an earlier generation of a suite\n"
    );
    assert_eq!(completes("publish add inc", 3), "FILES\n");
    let script =
        "autoload -U compinit; compinit -u -d ./dump; source ./script.zsh; print -- $_comps[publish]";
    assert_eq!(sandbox.shell("zsh", &["-f", "-c"], script), "_publish\n");
}

#[test]
fn fish_completes() {
    if !is_installed("fish") {
        return skipped("fish is not installed");
    }
    let sandbox = sandbox();
    let completes = |line: &str| {
        sandbox.shell("fish", &["--no-config", "-c"], &format!("source ./script.fish; complete -C '{line}'"))
    };
    assert_eq!(completes("publish list --suite "), "bookworm\ntrixie\n");
    assert_eq!(completes("publish list --suite=tr"), "--suite=trixie\n");
    assert_eq!(
        completes("publish rollb"),
        "rollback\tPublish the content of an earlier generation of a suite\n"
    );
    assert_eq!(completes("publish add inc"), "incoming/\n");
}
