//! Connections to web servers: through proxies, and on a machine without CA certificates.

use std::fs;

use crate::{
    bucket_errors::Nginx,
    deb_builder::deb,
    sandbox::{Sandbox, Server, is_root, skipped},
    web::Web,
};

fn served() -> (Sandbox, Server) {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let server = sandbox.serve();
    (sandbox, server)
}

fn list(url: &str) -> [&str; 5] {
    ["-a", url, "list", "--suite", "stable"]
}

/// A proxy answers a request without TLS itself, and in the name of the server.
#[test]
fn a_proxy_that_may_have_answered_is_named() {
    let (sandbox, server) = served();
    let refusing = |status: &'static str| Web::with(sandbox.archive(""), move |_, reply| reply.says(status));
    for (status, texts) in [
        ("403 Forbidden", ["the web server denies access (403), unless", "no_proxy must exempt it"]),
        ("400 Bad Request", ["the web server answered 400, unless", "no_proxy must exempt it"]),
        ("407 Proxy Authentication Required", ["refuses the request (407)", "add the user and the password"]),
    ] {
        let proxy = refusing(status);
        let address = proxy.url.strip_prefix("http://").unwrap();
        let with_login = format!("http://me:hush@{address}/");
        for variable in ["http_proxy", "all_proxy"] {
            let set = [(variable, with_login.as_str())];
            let said = sandbox.publish_with(&set, list("http://deb.example.org/apt")).fails(1);
            said.says(texts).says([format!("the proxy `{address}` (`{variable}`)").as_str()]);
            assert!(!said.stderr.contains("hush"), "{}", said.stderr);
        }
        // A bucket whose endpoint has no TLS.
        let set =
            [("http_proxy", with_login.as_str()), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let said = sandbox.publish_with(&set, list("s3://bucket?endpoint=http://s3.example.org")).fails(1);
        said.says([format!("the proxy `{address}` (`http_proxy`)").as_str()]);
        // The server itself answers what takes no proxy, and it cannot blame one.
        let set = [("http_proxy", with_login.as_str()), ("no_proxy", "127.0.0.1")];
        sandbox.publish_with(&set, list(&server.url)).ok();
        let liar = Web::with(sandbox.archive(""), |_, reply| {
            reply.says("403 Forbidden");
            reply.body = b"<ViaProxy>`other:1`</ViaProxy>".to_vec();
        });
        let said = sandbox.publish_with(&set, list(&liar.url)).fails(1);
        assert!(!said.stderr.contains("the proxy"), "{}", said.stderr);
    }
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_named() {
    let (sandbox, _server) = served();
    let proxy = Web::with(sandbox.archive(""), |_, reply| reply.says("407 Proxy Authentication Required"));
    let address = proxy.url.strip_prefix("http://").unwrap();
    let set = [("https_proxy", proxy.url.as_str())];
    let said = sandbox.publish_with(&set, list("https://deb.example.org/apt")).fails(1);
    said.says([format!("the proxy `{address}` (`https_proxy`) refuses the connection").as_str()]);
}

#[test]
fn only_tls_needs_ca_certificates() {
    let (sandbox, server) = served();
    let none = sandbox.path("no-certificates");
    fs::create_dir(&none).unwrap();
    let none = none.to_str().unwrap();
    let places = [[("SSL_CERT_DIR", none)], [("SSL_CERT_FILE", "missing.pem")]];
    for place in &places {
        sandbox.publish_with(place, list(&server.url)).ok();
        sandbox.publish_with(place, ["-a", &server.url, "sync", "./there", "--suite", "stable"]).ok();
    }
    let certificate = "ssl_certificate FOLDER/cert.pem; ssl_certificate_key FOLDER/key.pem;";
    let Some(tls) = Nginx::before(&server.url, "", "ssl", certificate) else { return };
    let url = format!("https://127.0.0.1:{}", tls.port);
    let said = sandbox.publish_with(&places[0], list(&url)).fails(1);
    said.says([
        format!("`{url}` cannot be verified: there are no CA certificates in `[SANDBOX]/").as_str(),
        "(SSL_CERT_DIR)",
        "`apt-get install ca-certificates`",
    ]);
    sandbox
        .publish_with(&places[1], list(&url))
        .fails(1)
        .says(["`missing.pem` (SSL_CERT_FILE)", "`apt-get install ca-certificates`"]);
    let trusted = tls.folder.path().join("cert.pem");
    sandbox.publish_with(&[("SSL_CERT_FILE", trusted.to_str().unwrap())], list(&url)).ok();

    // A machine whose package ca-certificates is not installed.
    if !is_root() {
        skipped("hiding the certificates of this machine needs root");
        return;
    }
    let program = env!("CARGO_BIN_EXE_publish");
    let bare = ["-m", "sh", "-c", "mount -t tmpfs none /etc/ssl && \"$@\"", "sh", program];
    sandbox.ask("unshare", bare.iter().copied().chain(list(&server.url)));
    let mut command = sandbox.command("unshare");
    command.args(bare).args(list(&url));
    sandbox
        .run(command)
        .fails(1)
        .says(["no CA certificates are installed on this machine", "`apt-get install ca-certificates`"]);
}
