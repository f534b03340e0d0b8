//! Exit statuses: 2 for an invalid command line, 5 for a store or a network that is out of reach.

use crate::{
    deb_builder::deb,
    sandbox::{Outcome, Sandbox},
    web::Web,
};

#[test]
fn invalid_values_are_usage_errors() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    for arguments in [
        &["prune", "--older-than", "foo"][..],
        &["serve", "--listen", "foo"],
        &["serve", "--listen", "127.0.0.1"],
        &["serve", "--listen", ":80"],
        &["serve", "--listen", "127.0.0.1:99999"],
        &["serve", "--listen", "127.0.0.1:+80"],
        &["serve", "--listen", "::1:80"],
        &["serve", "--listen", "[::x]:80"],
        &["key", "generate", "--expires", "soon", "--output", "key.asc"],
        &["key", "generate", "--expires", "2000-01-01", "--output", "key.asc"],
        &["-a", "s3:/bucket", "list"],
        &["-a", "s3://b", "list"],
        &["-a", "https://", "list"],
        &["-a", "http://127.0.0.1:1", "list"],
        &["-a", "http://127.0.0.1:1", "sync", "./there"],
        &["check", "http://127.0.0.1:1"],
        &["check", "--origin", "ftp://x"],
        &["sync", "http://127.0.0.1:1"],
        &["sync", "./there", "--suite", "a b"],
        &["add", "incoming", "--suite", "../x"],
        &["copy", "hello", "--from", "stable", "--to", "stable"],
        &["diff", "stable@x@y"],
        &["diff", "stable", "--with", "ftp://x"],
        &["sync", "--all", "./there"],
    ] {
        let said = sandbox.publish(arguments.iter().copied()).fails(2);
        assert!(said.stderr.starts_with("error: "), "{arguments:?}: {}", said.stderr);
        let json = sandbox.publish([&["--json"], arguments].concat()).fails(2);
        let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        let error = &json["errors"][0];
        assert_eq!(
            (&json["status"], &error["kind"], &error["retry"]),
            (&2.into(), &"usage".into(), &false.into())
        );
    }
}

/// The command ends with 5, and says in JSON that the same command may succeed later.
#[track_caller]
fn is_out_of_reach(outcome: Outcome) {
    let said = outcome.fails(5);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["status"], 5);
    for error in json["errors"].as_array().unwrap() {
        assert_eq!((&error["kind"], &error["retry"]), (&"store".into(), &true.into()), "{error}");
    }
}

#[test]
fn a_store_out_of_reach_has_a_status_of_its_own() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    sandbox.publish(["add", "incoming"]).ok();
    let refused = "s3://bucket?endpoint=http://127.0.0.1:1";
    for arguments in [
        &["-a", refused, "list"][..],
        &["-a", refused, "add", "incoming"],
        &["-a", refused, "check"],
        &["-a", "s3://bucket?endpoint=https://nowhere.invalid", "list"],
        &["sync", refused],
        &["check", "http://127.0.0.1:1", "--suite", "stable"],
        &["-a", "http://nowhere.invalid", "list", "--suite", "stable"],
        &["-a", "http://127.0.0.1:1", "sync", "./there", "--suite", "stable"],
    ] {
        is_out_of_reach(sandbox.publish_with(&keys, [&["--json"], arguments].concat()));
    }
    // Errors that a retry does not help.
    sandbox.publish(["-a", "s3://bucket", "list"]).fails(1).says(["there are no credentials"]);
    sandbox.publish(["-a", "missing", "list"]).fails(1);
}

#[test]
fn server_errors_after_retries_are_out_of_reach_and_refusals_are_not() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    for (status, code) in
        [("503 Busy", 5), ("429 Slow", 5), ("501 Never", 1), ("403 No", 1), ("407 Login", 1)]
    {
        let web = Web::with(sandbox.archive(""), move |request, reply| {
            if request.contains("hello_1.0_amd64") {
                reply.says(status);
            }
        });
        let said = sandbox.publish(["-a", &web.url, "sync", "./there", "--suite", "stable"]).fails(code);
        said.says(["cannot copy `pool/main/h/hello/hello_1.0_amd64.deb`", &status[..3]]);
    }
    let web = Web::with(sandbox.archive(""), |_, reply| reply.says("407 Proxy Authentication Required"));
    let said = sandbox.publish(["check", &web.url, "--suite", "stable"]).fails(1);
    said.says(["the proxy refuses the request (407)", "https_proxy"]);
}
