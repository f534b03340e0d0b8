//! The GitHub action and the GitLab template: their scripts run as on a runner.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, fixture, is_installed, skipped},
    upload_builder::upload,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A runner with `publish` in its search path, and packages in `build`.
fn runner() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_publish"), sandbox.path("bin/publish")).unwrap();
    deb("hello").version("1.0").write(sandbox.path("build"));
    deb("with-blank").write_as(sandbox.path("build/a name.deb"));
    sandbox
}

/// The secret key as CI systems keep it.
fn key() -> String {
    fs::read_to_string(fixture("keys/test.asc")).unwrap()
}

/// The outcome of a step of the action.
struct Step {
    outcome: Outcome,
    outputs: BTreeMap<String, String>,
    summary: String,
}

/// Runs the script of the action with these variables.
fn action(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Step {
    let (output, summary) = (sandbox.path("output"), sandbox.path("summary"));
    for file in [&output, &summary] {
        fs::write(file, "").unwrap();
    }
    let mut command = sandbox.command(root().join(".github/actions/publish/publish"));
    let defaults = defaults();
    command
        .envs(defaults.iter().map(|(name, value)| (name, value)))
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()))
        .env("INPUT_ARCHIVE", sandbox.archive(""))
        .env("GITHUB_OUTPUT", &output)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_EVENT_NAME", "push")
        .envs(variables.iter().copied());
    let outcome = sandbox.run(command);
    let text = fs::read_to_string(output).unwrap();
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        } else {
            let (name, value) = line.split_once('=').unwrap();
            outputs.insert(name.to_owned(), value.to_owned());
        }
    }
    Step { outcome, outputs, summary: fs::read_to_string(summary).unwrap() }
}

/// The variables that action.yml sets, with the defaults of its inputs. Every input has one, and the script reads it.
fn defaults() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(".github/actions/publish/action.yml")).unwrap();
    let script = fs::read_to_string(root().join(".github/actions/publish/publish")).unwrap();
    let (inputs, rest) = text.split_once("\noutputs:").unwrap();
    let mut found = Vec::new();
    for line in inputs.lines().skip_while(|line| *line != "inputs:").skip(1) {
        if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) {
            let name = name.trim_end_matches(':');
            let variable = format!("INPUT_{}", name.to_uppercase().replace('-', "_"));
            assert!(rest.contains(&format!("{variable}: ${{{{ inputs.{name} }}}}")), "{name}");
            assert!(script.contains(&variable), "{name}");
            found.push((variable, String::new()));
        } else if let Some(value) = line.trim().strip_prefix("default: ") {
            found.last_mut().unwrap().1 = value.replace("${{ github.ref_name }}", "v1.0");
        }
    }
    assert!(found.len() > 8, "{found:?}");
    found
}

fn has_tools() -> bool {
    let all = is_installed("jq");
    if !all {
        skipped("jq is not installed");
    }
    all
}

#[test]
fn the_action_publishes_and_reports() {
    if !has_tools() {
        return;
    }
    let sandbox = runner();
    let files = "\n  build/*.deb  \n# a comment\nbuild/a name.deb\n";
    let done = action(&sandbox, &[("INPUT_FILES", files), ("INPUT_SIGNING_KEY", &key())]);
    let said = done.outcome.ok();
    assert_eq!(done.outputs["planned"], "false");
    assert!(done.outputs["state"].starts_with("stable@20250601T"), "{:?}", done.outputs);
    let sources = &done.outputs["sources"];
    assert_eq!(*sources, client(&sandbox));
    for line in ["Types: deb", "Suites: stable", "Components: main", "Signed-By: "] {
        assert!(sources.contains(line), "{sources}");
    }
    for text in ["### Published suite `stable`", "| + | `hello` | `1.0` | amd64 | main |", "`with-blank`"] {
        assert!(done.summary.contains(text), "{}", done.summary);
    }
    assert!(!said.stdout.contains("PRIVATE KEY"), "{}", said.stdout);
    // The message is the reference of the run.
    sandbox.publish(["log"]).ok().stdout.contains("v1.0").then_some(()).expect("a message");
    sandbox.publish(["check", "--keyring", fixture("keys/test.pub.asc").to_str().unwrap()]).ok();

    let again = action(&sandbox, &[("INPUT_FILES", "build"), ("INPUT_SIGNING_KEY", &key())]);
    again.outcome.ok();
    assert!(again.summary.contains("Nothing to do."), "{}", again.summary);
    assert_eq!(again.outputs["state"], "");
    assert_eq!(again.outputs["sources"], client(&sandbox));
    // The URL of the configuration, and that of the input, which clients use too.
    sandbox.configure("Codename: stable\nComponents: main\nPublic-Url: https://conf.example.org/apt\n");
    let again = action(&sandbox, &[("INPUT_FILES", "build"), ("INPUT_SIGNING_KEY", &key())]);
    let sources = &again.outputs["sources"];
    assert!(sources.contains("URIs: https://conf.example.org/apt\n"), "{sources}");
    assert!(sources.contains(" -----BEGIN PGP PUBLIC KEY BLOCK-----"), "{sources}");
    let key = key();
    let url = ("INPUT_PUBLIC_URL", "https://given.example.org/apt");
    let again = action(&sandbox, &[("INPUT_FILES", "build"), ("INPUT_SIGNING_KEY", &*key), url]);
    let sources = &again.outputs["sources"];
    assert!(sources.contains("URIs: https://given.example.org/apt\n"), "{sources}");
}

/// The stanza that `publish client` prints.
fn client(sandbox: &Sandbox) -> String {
    let said = sandbox.publish(["client", "--sources"]).ok().stdout;
    let root = sandbox.path("").display().to_string();
    said.trim_end().replace("[SANDBOX]", root.trim_end_matches('/'))
}

#[test]
fn the_action_plans_in_a_pull_request() {
    if !has_tools() {
        return;
    }
    let sandbox = runner();
    deb("old").write(sandbox.incoming());
    sandbox.publish(["add", "incoming", "--sign-with", fixture("keys/test.asc").to_str().unwrap()]).ok();
    let before = sandbox.tree();
    let web = sandbox.serve();
    // Of a fork: no secrets, and the archive is read where clients read it. Empty secrets are no error.
    let planned = action(
        &sandbox,
        &[
            ("GITHUB_EVENT_NAME", "pull_request"),
            ("INPUT_FILES", "build/*.deb"),
            ("INPUT_ARCHIVE", "s3://not-accessible/apt"),
            ("INPUT_PUBLIC_URL", &web.url),
            ("INPUT_DRY_RUN", "false"),
        ],
    );
    planned.outcome.ok();
    let uri = format!("URIs: {}\n", web.url);
    assert!(planned.outputs["sources"].contains(&uri), "{:?}", planned.outputs);
    assert_eq!(planned.outputs["planned"], "true");
    assert!(planned.summary.contains("### Plan for suite `stable`"), "{}", planned.summary);
    assert!(planned.summary.contains("| + | `hello` |"), "{}", planned.summary);
    // Of the project itself, with secrets.
    let request = [("GITHUB_EVENT_NAME", "pull_request"), ("INPUT_FILES", "build")];
    let planned = action(&sandbox, &[&request[..], &[("INPUT_SIGNING_KEY", &*key())]].concat());
    planned.outcome.ok();
    assert_eq!(planned.outputs["planned"], "true");
    assert!(sandbox.tree() == before, "a plan changed the archive");
    let done = action(
        &sandbox,
        &[&request[..], &[("INPUT_SIGNING_KEY", &*key()), ("INPUT_DRY_RUN", "false")]].concat(),
    );
    done.outcome.ok();
    assert_eq!(done.outputs["planned"], "false");
}

#[test]
fn the_action_annotates_errors() {
    if !has_tools() {
        return;
    }
    let sandbox = runner();
    let key = key();
    let with = |files: &str, more: &[(&str, &str)]| {
        action(&sandbox, &[&[("INPUT_FILES", files), ("INPUT_SIGNING_KEY", &*key)], more].concat()).outcome
    };
    let error = |outcome: Outcome, status: i32, texts: &[&str]| {
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        let line = outcome.stdout.lines().find(|line| line.starts_with("::error title=publish"));
        let line = line.unwrap_or_else(|| panic!("{outcome:?}"));
        for text in texts {
            assert!(line.contains(text), "{line}");
        }
    };
    error(with("build/*.rpm", &[]), 2, &["no file matches `build/*.rpm`"]);
    error(with("\n\n", &[]), 2, &["names no file"]);
    error(with("build", &[("INPUT_DRY_RUN", "yes")]), 2, &["`auto`"]);
    error(with("build", &[("INPUT_ARCHIVE", "")]), 2, &["`archive`"]);
    error(with("build", &[("INPUT_SIGNING_KEY", "no key")]), 1, &[]);
    // One that cannot run, and one that is killed, print no JSON.
    error(with("build", &[("INPUT_PROGRAM", "publish-missing")]), 127, &["`publish-missing`", "status 127"]);
    fs::write(sandbox.path("bin/killed"), "#!/bin/sh\nkill -9 $$\n").unwrap();
    fs::set_permissions(sandbox.path("bin/killed"), fs::Permissions::from_mode(0o755)).unwrap();
    error(with("build", &[("INPUT_PROGRAM", "killed")]), 137, &["status 137"]);
    // The file is named, and no character of its name or of the text ends the annotation early.
    fs::write(sandbox.path("build/100%,a:b.deb"), "no package").unwrap();
    let broken = with("build/100%,a:b.deb", &[]);
    error(broken, 1, &[",file=build/100%25%2Ca%3Ab.deb::", "%0Ahint: "]);
    assert!(!sandbox.archive("dists").exists());
    // Text of packages is no command: all of it is within `stop-commands`.
    let said = with("build/a name.deb", &[]).ok().stdout;
    let token =
        said.lines().find_map(|line| line.strip_prefix("::stop-commands::")).expect("a token").to_owned();
    assert_eq!(said.lines().last(), Some(&*format!("::{token}::")), "{said}");
}

/// The script of the GitLab template, and its variables.
fn template() -> (String, Vec<(String, String)>) {
    let text = fs::read_to_string(root().join(".gitlab/publish.yml")).unwrap();
    let (before, after) = text.split_once("  script:\n    - |\n").unwrap();
    let lines = after.lines().take_while(|line| line.starts_with("      ") || line.is_empty());
    let script: Vec<&str> = lines.map(|line| line.strip_prefix("      ").unwrap_or(line)).collect();
    let variables = before.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        let value = value.trim_matches('"').replace("$CI_COMMIT_REF_NAME", "v1.0");
        name.starts_with("PUBLISH_").then(|| (name.to_owned(), value))
    });
    (script.join("\n"), variables.collect())
}

fn gitlab(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Outcome {
    let (script, defaults) = template();
    assert_eq!(defaults.len(), 5, "{defaults:?}");
    let mut command = sandbox.command("sh");
    command
        .args(["-c", &script])
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()))
        .envs(defaults)
        .env("PUBLISH_ARCHIVE", sandbox.archive(""))
        .envs(variables.iter().copied());
    sandbox.run(command)
}

#[test]
fn the_template_publishes_and_plans() {
    let sandbox = runner();
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).unwrap();
    let files = "build/*.deb\nbuild/a name.deb";
    gitlab(&sandbox, &[("PUBLISH_FILES", files), ("PUBLISH_SIGNING_KEY", &key())]).ok();
    assert!(read("publish.env").starts_with("PUBLISH_STATE=stable@20250601T"), "{}", read("publish.env"));
    assert!(read("client.sources").contains("Suites: stable"), "{}", read("client.sources"));
    assert!(sandbox.publish(["log"]).ok().stdout.contains("v1.0"));
    deb("next").write(sandbox.path("next"));
    let key = key();
    let next = [("PUBLISH_FILES", "next"), ("PUBLISH_SIGNING_KEY", &*key)];
    gitlab(&sandbox, &next).ok();
    assert_eq!(read("client.sources").trim_end(), client(&sandbox), "also after the first publish");
    let before = sandbox.tree();
    for value in ["True", "yes"] {
        let refused = gitlab(&sandbox, &[&next[..], &[("PUBLISH_DRY_RUN", value)]].concat());
        refused.fails(2).says(["PUBLISH_DRY_RUN is 'auto', 'true' or 'false'"]);
    }
    let web = sandbox.serve();
    deb("more").write(sandbox.path("build"));
    let request = [
        ("CI_MERGE_REQUEST_IID", "7"),
        ("PUBLISH_FILES", "build"),
        ("PUBLISH_SIGNING_KEY", ""),
        ("PUBLISH_ARCHIVE", "s3://not-accessible/apt"),
        ("PUBLISH_PUBLIC_URL", &web.url),
        ("PUBLISH_SUITE", "stable"),
    ];
    gitlab(&sandbox, &request).ok().says(["more"]);
    assert_eq!(read("publish.env"), "");
    gitlab(
        &sandbox,
        &[("CI_MERGE_REQUEST_IID", "7"), ("PUBLISH_FILES", "build"), ("PUBLISH_SIGNING_KEY", &*key)],
    )
    .ok();
    assert!(sandbox.tree() == before, "a plan changed the archive");
    gitlab(&sandbox, &[("PUBLISH_FILES", "build/*.rpm")]).fails(2).says(["no file matches 'build/*.rpm'"]);
}

/// Uploads name their suites: later jobs and clients get those, and not all of the archive.
#[test]
fn the_template_reports_the_suites_of_the_files() {
    let sandbox = runner();
    let suites = ["stable", "testing", "other"].map(|suite| format!("Codename: {suite}\nComponents: main\n"));
    sandbox.configure(&suites.join("\n"));
    let key = key();
    let run = |files: &str, more: &[(&str, &str)]| {
        gitlab(&sandbox, &[&[("PUBLISH_FILES", files), ("PUBLISH_SIGNING_KEY", &key)], more].concat()).ok();
        ["publish.env", "client.sources"].map(|name| fs::read_to_string(sandbox.path(name)).unwrap())
    };
    run("build", &[("PUBLISH_SUITE", "other")]);
    for suite in ["stable", "testing"] {
        let folder = sandbox.path(suite);
        deb("uploaded").version("1.0-1").field("Source", "hello").write(&folder);
        upload(&folder).distribution(suite).write();
    }
    let [states, sources] = run("testing/*.changes", &[]);
    assert!(states.starts_with("PUBLISH_STATE=testing@2025") && !states.contains(' '), "{states}");
    assert!(sources.contains("\nSuites: testing\n"), "{sources}");
    // Published already, and one that is not.
    let [states, sources] = run("testing/*.changes\nstable/*.changes", &[]);
    assert!(states.starts_with("PUBLISH_STATE=stable@2025") && states.contains(" testing@2025"), "{states}");
    assert!(sources.contains("\nSuites: stable testing\n"), "{sources}");
    let [states, sources] = run("testing/*.changes", &[("PUBLISH_DRY_RUN", "true")]);
    assert_eq!(states, "");
    assert!(sources.contains("\nSuites: testing\n"), "{sources}");
}

/// The files of the pipelines are shell that bash and sh accept, and every path in them exists.
#[test]
fn the_scripts_parse() {
    let sandbox = Sandbox::new();
    let script: PathBuf = root().join(".github/actions/publish/publish");
    sandbox.ask("bash", ["-n", script.to_str().unwrap()]);
    sandbox.ask("sh", ["-n", "-c", &template().0]);
    let action = fs::read_to_string(root().join(".github/actions/publish/action.yml")).unwrap();
    assert!(action.contains("run: '\"$GITHUB_ACTION_PATH/publish\"'"), "{action}");
}
