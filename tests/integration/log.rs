//! Tests of `publish log`.

use std::fs;

use publish::store::Store;

use crate::{
    deb_builder::deb,
    diff::{generations, later, publish},
    faults::{Faults, Side},
    publisher::{Publisher, folder},
    sandbox::{CLOCK, Output, Sandbox, age, fixture},
    servers::{self, Bucket},
    web::Web,
};

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&output.stdout).unwrap()
}

/// The output with shortened fingerprints, and with placeholders for digests, which change with the salt of a
/// signature.
fn brief(said: &Output) -> String {
    let mut text = String::new();
    for line in said.stdout.lines() {
        let line = match line.split_once("Z-") {
            Some((time, rest)) => format!("{time}Z-[HEX]{}", &rest[8..]),
            None => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Four generations: `hello` and `doc`; a newer `hello`; without `doc`; only the older `hello`.
fn four_generations() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    deb("doc").architecture("all").write(sandbox.incoming());
    publish(&sandbox, 0, &["add", "incoming"]);
    let two = deb("hello").version("2.0").write(sandbox.path("more"));
    publish(&sandbox, 60, &["add", two.to_str().unwrap()]);
    publish(&sandbox, 120, &["remove", "doc"]);
    publish(&sandbox, 180, &["remove", "hello=2.0"]);
    sandbox
}

#[test]
fn each_generation_lists_its_changes() {
    let sandbox = four_generations();
    let said = publish(&sandbox, 200, &["log"]);
    insta::assert_snapshot!(brief(&said), @r"
    stable@20250601T000300Z-[HEX] (published now)
    Date: 2025-06-01T00:03:00Z
    Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
      v hello 2.0 -> 1.0 amd64 (main); 1.0 was already published

    stable@20250601T000200Z-[HEX]
    Date: 2025-06-01T00:02:00Z
    Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
      - doc 1.0 all (main)

    stable@20250601T000100Z-[HEX]
    Date: 2025-06-01T00:01:00Z
    Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
      ^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept

    stable@20250601T000000Z-[HEX]
    Date: 2025-06-01T00:00:00Z
    Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
      oldest retained generation: nothing to compare it with
    ");
    let names = generations(&sandbox);
    for name in &names {
        assert!(said.stdout.contains(&format!("stable@{name}")), "{}", said.stdout);
    }
    // The names that it prints are valid arguments of `diff`, with the same result.
    let of_two = format!("stable@{}", names[1]);
    let diff = publish(&sandbox, 200, &["diff", &format!("stable@{}", names[0]), &of_two]).stdout;
    assert_eq!(diff, "^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept\n");
    let said = publish(&sandbox, 200, &["log", "stable", "-n", "2"]);
    assert_eq!(said.stdout.matches("stable@").count(), 2, "{}", said.stdout);
    assert!(!said.stdout.contains("nothing to compare it with"), "{}", said.stdout);
    said.says(["2 older generations not shown: add `--limit"]);
    sandbox.publish(["log", "-n", "0"]).fails(2);
    sandbox.publish(["log", "unstable"]).fails(1).says(["no suite `unstable`"]);
    sandbox.publish(["log", "../stable"]).fails(2);
}

#[test]
fn scripts_get_an_object() {
    let sandbox = four_generations();
    let log = json(&publish(&sandbox, 200, &["log", "--json"]));
    assert_eq!(log["suite"], "stable");
    assert_eq!(log["older"], 0);
    let states = log["generations"].as_array().unwrap();
    assert_eq!(states.len(), 4);
    let names: Vec<&str> = states.iter().rev().map(|state| state["generation"].as_str().unwrap()).collect();
    assert_eq!(names, generations(&sandbox));
    assert_eq!(states[0]["current"], true);
    assert_eq!(states[0]["date"], "2025-06-01T00:03:00Z");
    assert_eq!(states[0]["signature"]["verified"], true);
    let change = &states[0]["changes"]["packages"][0];
    assert_eq!((&change["change"], &change["new"]["version"]), (&"older".into(), &"1.0".into()));
    assert_eq!(states[3]["oldest"], true);
    assert_eq!(states[3]["changes"], serde_json::Value::Null);
    assert_eq!(json(&publish(&sandbox, 200, &["log", "--json", "-n", "1"]))["older"], 3);
}

#[test]
fn the_suite_must_be_known() {
    let sandbox = Sandbox::new();
    sandbox.publish(["log"]).fails(1).says(["there is no archive in"]);
    deb("hello").write(sandbox.incoming());
    sandbox.configure("Codename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64\n\nCodename: trixie\nComponents: main\nArchitectures: amd64\n");
    for suite in ["bookworm", "trixie"] {
        sandbox.publish(["add", "--suite", suite, "incoming"]).ok();
    }
    sandbox.publish(["log"]).fails(2).says(["no suite given", "`bookworm`, `trixie`"]);
    let said = sandbox.publish(["log", "stable"]).ok();
    assert!(said.stdout.starts_with("bookworm@20250601T000000Z-"), "{}", said.stdout);
    assert!(said.stdout.contains("Signed: no\n"), "{}", said.stdout);
}

#[test]
fn known_and_unknown_signers_are_named() {
    let sandbox = four_generations();
    let stranger = || {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
        command.args(["log", "-n", "1"]).env("PUBLISH_ARCHIVE", sandbox.archive(""));
        command
    };
    let said = sandbox.run(stranger()).ok();
    assert!(said.stdout.contains(", not verified: unknown key\n"), "{}", said.stdout);
    let mut other = stranger();
    other.env("PUBLISH_SIGN_WITH", fixture("keys/second.asc"));
    let said = sandbox.run(other).ok();
    assert!(said.stdout.contains(", not verified: unknown key\n"), "{}", said.stdout);
}

#[test]
fn damaged_generations_are_reported_and_the_others_shown() {
    let sandbox = four_generations();
    let names = generations(&sandbox);
    let path = format!("dists/stable/generations/{}/InRelease", names[1]);
    let whole = sandbox.read(&path);
    fs::write(sandbox.archive(&path), whole.replace("main", "evil")).unwrap();
    let said = publish(&sandbox, 200, &["log"]);
    assert_eq!(said.stdout.matches("stable@").count(), 4, "{}", said.stdout);
    assert_eq!(said.stdout.matches("does not match its name").count(), 2);
    assert!(said.stdout.contains("v hello 2.0 -> 1.0"), "{}", said.stdout);
    fs::write(sandbox.archive(&path), whole).unwrap();
    // An index that only old generations reference is missing.
    for path in sandbox.tree().paths_with("/by-hash/") {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    let said = publish(&sandbox, 200, &["log"]);
    assert!(said.stdout.contains("does not match the release file"), "{}", said.stdout);
    assert_eq!(said.stdout.matches("stable@").count(), 4, "{}", said.stdout);
}

#[test]
fn an_archive_of_another_tool_has_one_generation() {
    let sandbox = Sandbox::new();
    sandbox
        .adopt_index("Package: hello\nVersion: 1.0\nArchitecture: amd64\nFilename: pool/h.deb\nSize: 1\n\n");
    let said = publish(&sandbox, 0, &["log"]);
    assert!(said.stdout.contains("Z-") && said.stdout.contains("(published now)"), "{}", said.stdout);
    assert!(said.stdout.contains("nothing to compare it with"), "{}", said.stdout);
    deb("world").write(sandbox.incoming());
    publish(&sandbox, 0, &["add", "incoming"]);
    let said = publish(&sandbox, 0, &["log"]);
    assert!(said.stdout.contains("  + world 1.0 amd64 (main)\n"), "{}", said.stdout);
}

#[test]
fn a_web_server_lists_no_generations() {
    let sandbox = four_generations();
    let web = Web::of(sandbox.archive(""));
    let said = sandbox.publish(["-a", &web.url, "log", "stable"]).fails(1);
    said.says(["a web server has no listing", "hint: "]);
    assert_eq!(web.requests(), [""; 0]);
}

/// Killed, or a lost race, before the swap: its generation exists but was never published.
#[tokio::test]
async fn an_unpublished_generation_is_not_shown() {
    let sandbox = Sandbox::signed();
    let (one, two) = ([deb("one").write(sandbox.incoming())], [deb("two").write(sandbox.incoming())]);
    let store: Store = folder(sandbox.archive(""));
    Publisher::on(store.clone()).add(&one).await.unwrap();
    let faults = Faults::fail(6, Side::Before);
    Publisher::on(faults.on(store.clone())).later(600).add(&two).await.unwrap_err();
    assert_eq!(generations(&sandbox).len(), 2, "the write that failed was not the one after the generation");
    let shown = || publish(&sandbox, 700, &["log"]).stdout;
    assert_eq!(shown().matches("stable@").count(), 1, "{}", shown());
    // Published, but killed before it was recorded: clients saw it, so it is a generation.
    Publisher::on(store).later(60).add(&two).await.unwrap();
    let newest = shown().split_whitespace().next().unwrap().to_owned();
    let mark = format!("dists/stable/generations/{}/published", newest.strip_prefix("stable@").unwrap());
    fs::remove_file(sandbox.archive(mark)).unwrap();
    assert_eq!(shown().matches("stable@").count(), 2, "{}", shown());
    assert!(shown().contains(&format!("{newest} (published now)")), "{}", shown());
}

fn in_a_bucket(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = Sandbox::signed();
    let place = bucket.place();
    let run = |seconds: u64, arguments: &[&str]| {
        let clock = CLOCK.parse::<u64>().unwrap() + seconds;
        bucket.publish(&sandbox, &clock.to_string(), &[&["-a", &place], arguments].concat()).ok()
    };
    for (at, version) in ["1.0", "2.0"].into_iter().enumerate() {
        let file = deb("hello").version(version).write(sandbox.incoming());
        run(60 * at as u64, &["add", "--message", &format!("to {version}"), file.to_str().unwrap()]);
    }
    let said = run(200, &["log"]);
    insta::allow_duplicates! {
        insta::assert_snapshot!(brief(&said), @r"
        stable@20250601T000100Z-[HEX] (published now)
        Date: 2025-06-01T00:01:00Z
        Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
        Message: to 2.0
          ^ hello 1.0 -> 2.0 amd64 (main); 1.0 is kept

        stable@20250601T000000Z-[HEX]
        Date: 2025-06-01T00:00:00Z
        Signed: by BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669, verified
        Message: to 1.0
          oldest retained generation: nothing to compare it with
        ");
    }
}

#[test]
fn moto_has_a_log() {
    in_a_bucket(servers::moto());
}

#[test]
fn radosgw_has_a_log() {
    in_a_bucket(servers::rgw());
}

#[test]
fn many_changes_are_counted_unless_all_are_wanted() {
    let sandbox = Sandbox::new();
    let first = deb("first").write(sandbox.incoming());
    publish(&sandbox, 0, &["add", first.to_str().unwrap()]);
    for number in 10..35 {
        deb(&format!("p{number}")).write(sandbox.path("many"));
    }
    sandbox.publish_with(&[later(60)], ["add", "many"]).ok();
    let brief = publish(&sandbox, 60, &["log"]).stdout;
    assert_eq!(brief.matches("  + p").count(), 20, "{brief}");
    assert!(brief.contains("and 5 differences more: add `--verbose`"), "{brief}");
    assert_eq!(publish(&sandbox, 60, &["log", "-v"]).stdout.matches("  + p").count(), 25);
}

/// A note without its unset fields.
fn known(note: &serde_json::Value) -> serde_json::Value {
    match note.as_object() {
        None => serde_json::Value::Null,
        Some(note) => note.clone().into_iter().filter(|(_, value)| !value.is_null()).collect(),
    }
}

/// The notes of all generations, oldest first.
fn notes(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let log = json(&sandbox.publish(["log", "--json"]).ok());
    log["generations"].as_array().unwrap().iter().rev().map(|state| known(&state["note"])).collect()
}

#[test]
fn a_message_is_shown_unchanged() {
    let sandbox = Sandbox::signed();
    let odd = "first \"line\"\nSigned: by nobody, verified\n\n .\n\ttab \\n ä \u{1b}[31mred\r\u{202e}x \n";
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming", "--message", odd]).ok();
    assert_eq!(notes(&sandbox), [serde_json::json!({ "message": odd })]);
    let said = sandbox.publish(["log"]).ok();
    let text = said.stdout.split_once("verified\n").unwrap().1;
    insta::assert_snapshot!(text, @r#"
    Message: first "line"
             Signed: by nobody, verified

              .
             \ttab \n ä \u{1b}[31mred\r\u{202e}x

      oldest retained generation: nothing to compare it with
    "#);
    assert_eq!(sandbox.tree().paths_with("/note.json").len(), 1);
    // It is stored with the generation, so it is removed with it.
    sandbox.publish(["check"]).ok();
}

#[test]
fn every_command_that_changes_a_suite_takes_a_message() {
    let sandbox = Sandbox::new();
    for version in ["1.0", "2.0", "3.0"] {
        deb("hello").version(version).write(sandbox.incoming());
    }
    sandbox.publish(["add", "-n", "-m", "not yet", "incoming"]).ok();
    assert_eq!(sandbox.tree().paths_with(""), [""; 0]);
    publish(&sandbox, 0, &["add", "-m", "one", "incoming"]);
    publish(&sandbox, 60, &["remove", "--message", "two", "hello=1.0"]);
    publish(&sandbox, 120, &["prune", "--keep", "1", "-m", "three"]);
    // Nothing changes, so there is no generation to annotate.
    publish(&sandbox, 180, &["add", "-m", "four", "incoming/hello_3.0_amd64.deb"]);
    publish(&sandbox, 190, &["rollback", "-m", "back"]);
    publish(&sandbox, 200, &["refresh", "--force", "-m", "again"]);
    publish(&sandbox, 240, &["add", "-m", "", "incoming/hello_1.0_amd64.deb"]);
    let message = |text: &str| serde_json::json!({ "message": text });
    let all = ["one", "two", "three", "back", "again"].map(message);
    assert_eq!(notes(&sandbox), [&all[..], &[serde_json::Value::Null]].concat());
}

#[test]
fn a_ci_job_is_recorded() {
    let sandbox = Sandbox::new();
    let add = |seconds: u64, name: &str, environment: &[(&str, &str)]| {
        let file = deb(name).write(sandbox.incoming());
        let environment = [&[later(seconds)], environment].concat();
        sandbox.publish_with(&environment, ["add".as_ref(), file.as_os_str()]).ok();
    };
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_ACTOR", "alice"),
        ("GITHUB_REPOSITORY", "example/project"),
        ("GITHUB_RUN_ID", "42"),
    ];
    add(0, "one", &github);
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("GITLAB_USER_LOGIN", "bob"),
        ("CI_PROJECT_PATH", "group/project"),
        ("CI_JOB_URL", "https://gitlab.example/group/project/-/jobs/7"),
    ];
    add(60, "two", &gitlab);
    // These variables alone do not make it a job.
    add(120, "three", &github[1..]);
    let notes = notes(&sandbox);
    let url = "https://github.com/example/project/actions/runs/42";
    assert_eq!(notes[0], serde_json::json!({ "by": "alice", "project": "example/project", "job": url }));
    assert_eq!(notes[1]["by"], "bob");
    assert_eq!(notes[2], serde_json::Value::Null);
    let said = sandbox.publish(["log"]).ok().stdout;
    assert!(said.contains(&format!("By: alice, example/project, {url}\n")), "{said}");
    assert!(
        said.contains("By: bob, group/project, https://gitlab.example/group/project/-/jobs/7\n"),
        "{said}"
    );
}

#[test]
fn an_invalid_note_is_omitted() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "-m", "true", "incoming"]).ok();
    let path = sandbox.archive(&sandbox.tree().paths_with("/note.json")[0]);
    for text in [&b"nonsense"[..], b"{\"message\":[1]}", b"\xff", b"[]", b"", &vec![b' '; (1 << 20) + 1]] {
        fs::write(&path, text).unwrap();
        assert_eq!(notes(&sandbox), [serde_json::Value::Null]);
        sandbox.publish(["log"]).ok();
    }
    // Unknown fields, as a later version may add, do not hide the rest.
    fs::write(&path, "{\"message\":\"told\",\"more\":{}}").unwrap();
    assert_eq!(notes(&sandbox), [serde_json::json!({ "message": "told" })]);
}

#[test]
fn a_note_is_deleted_with_its_generation() {
    let sandbox = Sandbox::signed();
    for (at, version) in ["1.0", "2.0", "3.0"].into_iter().enumerate() {
        let file = deb("hello").version(version).write(sandbox.incoming());
        publish(&sandbox, 60 * at as u64, &["add", "-m", version, file.to_str().unwrap()]);
    }
    age(&sandbox.archive(""), 30);
    sandbox.publish(["prune", "--keep-generations", "1"]).ok().says(["Deleted "]);
    assert_eq!(notes(&sandbox), [serde_json::json!({ "message": "3.0" })]);
    assert_eq!(sandbox.tree().paths_with("/generations/").len(), 4);
    publish(&sandbox, 200, &["check"]);
}
