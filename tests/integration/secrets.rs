//! Passwords and tokens are planted wherever a user may write them; no output of any command contains one.

use std::fs;

use crate::{deb_builder::deb, sandbox::Sandbox};

/// The planted secret.
const SECRET: &str = "hUsH77hUsH77";

/// Locations that contain the secret; none of them is valid or reachable.
fn locations() -> Vec<String> {
    [
        "https://me:SECRET@127.0.0.1:1/x",
        "https://SECRET@127.0.0.1:1/x",
        "https://me:a/SECRET@127.0.0.1:1/x",
        "https:/me:SECRET@127.0.0.1:1/x",
        "http:me:SECRET@127.0.0.1:1/x",
        "HTTPS:/me:SECRET@127.0.0.1:1/x",
        "me:SECRET@127.0.0.1:1/x",
        "ftp://me:SECRET@127.0.0.1/x",
        "http://127.0.0.1:1/x?sig=SECRET",
        "http://127.0.0.1:1/x?X-Amz-Signature=SECRET&X-Amz-Date=1",
        "http://127.0.0.1:1/x?token=SECRET",
        "s3://bucket?secret_access_key=SECRET",
        "s3://me:SECRET@bucket/x",
        "s3://bucket/x?endpoint=http://me:SECRET@127.0.0.1:1",
        "az://container/x?sig=SECRET",
        "az://container/x?endpoint=http://127.0.0.1:1/?sig=SECRET",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET==",
        "swift://me:SECRET@container",
    ]
    .map(|text| text.replace("SECRET", SECRET))
    .to_vec()
}

/// Runs a command with each form of output.
#[track_caller]
fn hides(sandbox: &Sandbox, environment: &[(&str, &str)], command: &[&str]) {
    for form in [&["--verbose"][..], &["--json"]] {
        let said = sandbox.publish_with(environment, [form, command].concat());
        let shown = format!("{}{}", said.stdout, said.stderr);
        assert!(!shown.contains(SECRET), "{said}");
    }
}

fn archive() -> Sandbox {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

#[test]
fn locations_with_secrets() {
    let sandbox = archive();
    for location in locations() {
        for command in [
            &["--archive", &location, "list"][..],
            &["--archive", &location, "add", "incoming"],
            &["--archive", &location, "prune", "--dry-run"],
            &["check", &location, "--suite", "stable"],
            &["check", "--origin", &location],
            &["diff", "stable", "--with", &location],
            &["sync", &location, "--dry-run"],
            &["sync", "./far", "--public-url", &location],
            &["add", &location],
            &["list", &location],
            &["--config", &location, "list"],
            &["--bogus", &location],
            &["prune", "--keep-for", &location],
        ] {
            hides(&sandbox, &[("https_proxy", "http://127.0.0.1:1")], command);
        }
    }
}

#[test]
fn configured_destinations_with_secrets() {
    let sandbox = archive();
    fs::create_dir_all(sandbox.archive("conf")).unwrap();
    let destination = |text: &str| {
        let text = text.replace("SECRET", SECRET);
        fs::write(sandbox.archive("conf/destinations"), format!("Name: far\n{text}\n")).unwrap();
        hides(&sandbox, &[], &["sync", "far"]);
    };
    for location in locations() {
        destination(&format!("Location: {location}"));
        destination(&format!("Location: ./far\nPublic-Url: {location}"));
        destination(&format!("Location: ./far\nKeepFor: {location}"));
    }
    let mut number = 0;
    for purge in [
        "!curl -H 'Fastly-Key: SECRET' -u me:SECRET https://me:SECRET@127.0.0.1:1; exit 1",
        "!KEY=SECRET false",
        "!purge-program-that-does-not-exist SECRET",
        "!echo 'Authorization: Bearer SECRET' >&2; exit 1",
        "!true SECRET",
    ] {
        number += 1;
        destination(&format!("Location: ./far{number}\nPublic-Url: https://example.org\nPurge:\n {purge}"));
    }
}

#[test]
fn secrets_in_the_environment() {
    let sandbox = archive();
    let url = format!("http://me:{SECRET}@127.0.0.1:1");
    let connection = format!("DefaultEndpointsProtocol=http;AccountName=a;AccountKey={SECRET}");
    let secret = ("PUBLISH_PASSPHRASE", SECRET);
    for (environment, location) in [
        (
            &[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ENDPOINT_URL", &url)][..],
            "s3://bucket",
        ),
        (&[("AWS_SECRET_ACCESS_KEY", SECRET)], "s3://bucket"),
        (&[("AZURE_STORAGE_CONNECTION_STRING", &connection), secret], "az://container?endpoint=x"),
        (&[("AZURE_STORAGE_CONNECTION_STRING", SECRET)], "az://container"),
        (
            &[
                ("AZURE_STORAGE_ACCOUNT_NAME", "a"),
                ("AZURE_STORAGE_ACCOUNT_KEY", SECRET),
                ("AZURE_STORAGE_ENDPOINT", &url),
            ],
            "az://container",
        ),
        (&[("GOOGLE_SERVICE_ACCOUNT_KEY", SECRET)], "gs://bucket"),
        (&[("ST_AUTH", &url), ("ST_USER", "u"), ("ST_KEY", SECRET)], "swift://container"),
        (
            &[("OS_AUTH_URL", &url), ("OS_USERNAME", "u"), ("OS_PASSWORD", SECRET), ("OS_PROJECT_NAME", "p")],
            "swift://container",
        ),
        (&[("https_proxy", &url), ("http_proxy", &url)], "./archive"),
        (&[("https_proxy", SECRET)], "https://example.org"),
        (&[("https_proxy", &url)], "https://example.org"),
    ] {
        hides(&sandbox, environment, &["--archive", location, "check", "--suite", "stable"]);
    }
}

/// A note is public.
#[test]
fn a_secret_in_the_url_of_a_job_is_not_stored() {
    let sandbox = archive();
    deb("other").write(sandbox.incoming());
    let url = format!("https://ci:{SECRET}@ci.example.org/jobs/1");
    let job = [("GITLAB_CI", "true"), ("CI_JOB_URL", &url)];
    hides(&sandbox, &job, &["add", "incoming"]);
    hides(&sandbox, &[], &["log"]);
    let found = sandbox.run({
        let mut command = sandbox.command("grep");
        command.args(["-r".as_ref(), SECRET.as_ref(), sandbox.archive("").as_os_str()]);
        command
    });
    assert_eq!(found.status, Some(1), "{found}");
    let said = sandbox.publish(["log"]).ok();
    assert!(said.stdout.contains("https://ci:***@ci.example.org/jobs/1"), "{}", said.stdout);
}
