//! Every login method, and token renewal.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::{
    super::Error,
    proxy::{Act, Proxy},
    *,
};

#[tokio::test]
async fn version_1() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    put(&swift, "a", "one").await;
    assert_eq!(get(&swift, "a").await, "one");
}

#[tokio::test]
async fn a_wrong_key_is_tried_once() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).set("ST_KEY", "wrong").open();
    let target = path("a");
    let all = join_all((0..16).map(|_| swift.get(&target))).await;
    for result in all {
        let error = result.unwrap_err();
        assert!(matches!(error, object_store::Error::Unauthenticated { .. }), "{error:?}");
        let url = format!("{server}/auth/v1.0");
        assert_eq!(cause(&error).to_string(), format!("`{url}` refused the user or key (status 401)"));
        assert!(cause(&error).hint().unwrap().contains("ST_"));
    }
    assert_eq!(swift.requests().total, 1, "servers lock out who tries a wrong key again and again");
}

#[tokio::test]
async fn a_wrong_login_address_is_reported() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).set("ST_AUTH", &format!("{server}/healthcheck")).open();
    let error = swift.get(&path("a")).await.unwrap_err();
    assert!(cause(&error).to_string().contains("has no `X-Auth-Token`"), "{error}");
    let swift = Opening::new("http://127.0.0.1:1").open();
    let error = swift.get(&path("a")).await.unwrap_err();
    assert!(matches!(cause(&error), Error::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_login_serves_all_whose_token_was_refused() {
    let Some(server) = server() else { return };
    // All sixteen requests arrive before the first is rejected.
    let barrier = Arc::new(Barrier::new(16));
    let proxy = Proxy::start(&server, move |seen, before| {
        let earlier = before.iter().filter(|seen| !seen.is_login()).count();
        if seen.is_login() || earlier >= 16 { Act::Pass } else { Act::Together(Arc::clone(&barrier), 401) }
    })
    .await;
    let direct = Opening::new(&server);
    put(&direct.open(), "a", "one").await;
    let opening = Opening { container: direct.container.clone(), ..Opening::new(&proxy.url) };
    let swift = opening.set("OS_STORAGE_URL", &format!("{}/v1/AUTH_test", proxy.url)).open();
    for bytes in join_all((0..16).map(|_| get(&swift, "a"))).await {
        assert_eq!(bytes, "one");
    }
    assert_eq!(proxy.logins(), 2, "one at the start, one for all sixteen");
    let refused = proxy.answers().iter().filter(|(_, status)| *status == 401).count();
    assert_eq!(refused, 16, "all were in flight");
}

#[tokio::test]
async fn a_token_that_the_server_does_not_know_is_replaced_once() {
    let Some(server) = server() else { return };
    for (bad, works) in [(1, true), (2, false)] {
        // The server itself rejects the token, which it never issued.
        let proxy = Proxy::start(&server, move |seen, before| {
            let logins = before.iter().filter(|seen| seen.is_login()).count();
            if seen.is_login() && logins < bad {
                Act::Rewrite("x-auth-token", format!("AUTH_tk{logins}"))
            } else {
                Act::Pass
            }
        })
        .await;
        let storage = format!("{}/v1/AUTH_test", proxy.url);
        let swift = Opening::new(&proxy.url).set("OS_STORAGE_URL", &storage).open();
        // A large body, too, is in flight when the rejection arrives.
        let result = swift.put(&path("a"), noise(8 << 20).into()).await;
        if works {
            result.unwrap();
            assert_eq!(get(&swift, "a").await, noise(8 << 20));
        } else {
            let error = result.unwrap_err();
            assert!(matches!(cause(&error), Error::Token { .. }), "{error:?}");
        }
        assert_eq!(proxy.logins(), 2);
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let Some(server) = server() else { return };
    let proxy = Proxy::start(&server, |seen, _| {
        if seen.is_login() { Act::Rewrite("x-auth-token-expires", "1".into()) } else { Act::Pass }
    })
    .await;
    let storage = format!("{}/v1/AUTH_test", proxy.url);
    let swift = Opening::new(&proxy.url).set("OS_STORAGE_URL", &storage).open();
    put(&swift, "a", "one").await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(get(&swift, "a").await, "one");
    assert!(proxy.logins() >= 2);
    assert!(proxy.answers().iter().all(|(_, status)| *status != 401));
}

/// The variables of a password login at the Keystone of the test run.
fn v3() -> Option<Vec<(String, String)>> {
    let variables = [
        ("OS_AUTH_URL", variable("PUBLISH_TEST_KEYSTONE")?),
        ("OS_USERNAME", variable("PUBLISH_TEST_KEYSTONE_USER")?),
        ("OS_PASSWORD", variable("PUBLISH_TEST_KEYSTONE_PASSWORD")?),
        ("OS_PROJECT_NAME", variable("PUBLISH_TEST_KEYSTONE_PROJECT")?),
        ("OS_USER_DOMAIN_NAME", "Default".into()),
        ("OS_PROJECT_DOMAIN_NAME", "Default".into()),
    ];
    Some(variables.map(|(name, value)| (name.to_owned(), value)).into())
}

#[tokio::test]
async fn version_3_with_a_password() {
    let Some(variables) = v3() else { return };
    let opening = Opening { variables: variables.clone(), ..Opening::new("") };
    let swift = opening.open();
    put(&swift, "a", "one").await;
    assert_eq!(get(&swift, "a").await, "one");
    assert!(swift.0.client.storage().await.unwrap().contains("/v1/KEY_"));

    // The path of the URL and the domains may be omitted.
    let url = variables[0].1.trim_end_matches("/v3").to_owned();
    let mut short: Vec<_> = variables[..4].to_vec();
    short[0].1 = url;
    short.push(("OS_REGION_NAME".into(), "RegionOne".into()));
    short.push(("OS_INTERFACE".into(), "publicURL".into()));
    let opening = Opening { variables: short, container: opening.container, ..Opening::new("") };
    assert_eq!(get(&opening.open(), "a").await, "one");
}

#[tokio::test]
async fn version_3_refuses_what_is_wrong() {
    let Some(variables) = v3() else { return };
    let opening = |name: &str, value: &str| {
        Opening { variables: variables.clone(), ..Opening::new("") }.set(name, value).open()
    };
    let error = opening("OS_PASSWORD", "wrong").get(&path("a")).await.unwrap_err();
    assert!(matches!(cause(&error), Error::WrongKey { .. }), "{error:?}");
    let error = opening("OS_PROJECT_NAME", "another").get(&path("a")).await.unwrap_err();
    assert!(matches!(cause(&error), Error::WrongKey { .. }), "{error:?}");
    let error = opening("OS_REGION_NAME", "Nowhere").get(&path("a")).await.unwrap_err();
    let text = cause(&error).to_string();
    assert!(text.contains("`Nowhere`") && text.contains("public in RegionOne"), "{text}");
    let error = opening("OS_INTERFACE", "internal").get(&path("a")).await.unwrap_err();
    assert!(cause(&error).to_string().contains("interface `internal`"), "{error}");
}

#[tokio::test]
async fn version_3_with_an_application_credential() {
    let Some(variables) = v3() else { return };
    let value = |name: &str| variables.iter().find(|(there, _)| there == name).unwrap().1.clone();
    let url = value("OS_AUTH_URL");
    let http = super::http();
    let user = json!({
        "name": value("OS_USERNAME"), "domain": { "id": "default" }, "password": value("OS_PASSWORD"),
    });
    let project = json!({ "name": value("OS_PROJECT_NAME"), "domain": { "id": "default" } });
    let identity = json!({ "methods": ["password"], "password": { "user": user } });
    let body = json!({ "auth": { "identity": identity, "scope": { "project": project } } });
    let login = http.post(format!("{url}/auth/tokens")).body(body.to_string());
    let login = login.header("content-type", "application/json").send().await.unwrap();
    let token = login.headers()["x-subject-token"].clone();
    let reply: Value = serde_json::from_slice(&login.bytes().await.unwrap()).unwrap();
    let id = reply["token"]["user"]["id"].as_str().unwrap();
    let name = new_container();
    let wanted = json!({ "application_credential": { "name": name, "secret": "sesame" } });
    let mut credential = Err(Value::Null);
    // A Keystone on SQLite sometimes does not find a role that it has just found.
    for _ in 0..10 {
        let ask = http.post(format!("{url}/users/{id}/application_credentials")).body(wanted.to_string());
        let ask = ask.header("content-type", "application/json").header("x-auth-token", token.clone());
        let made: Value = serde_json::from_slice(&ask.send().await.unwrap().bytes().await.unwrap()).unwrap();
        credential = made["application_credential"]["id"].as_str().map(ToOwned::to_owned).ok_or(made);
        if credential.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let credential = credential.unwrap();

    let by_id = [("OS_AUTH_URL", url.as_str()), ("OS_APPLICATION_CREDENTIAL_ID", credential.as_str())];
    let by_name = [
        ("OS_AUTH_URL", url.as_str()),
        ("OS_APPLICATION_CREDENTIAL_NAME", &name),
        ("OS_USERNAME", &value("OS_USERNAME")),
        ("OS_USER_DOMAIN_NAME", "Default"),
    ];
    for variables in [&by_id[..], &by_name[..]] {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let opening = Opening { variables, ..Opening::new("") };
        let swift = opening.set("OS_APPLICATION_CREDENTIAL_SECRET", "sesame").open();
        put(&swift, "a", "one").await;
        assert_eq!(get(&swift, "a").await, "one");
    }
}

/// Requests a token from the real server.
async fn real_token(server: &str) -> String {
    let login = http().get(format!("{server}/auth/v1.0"));
    let login =
        login.header("x-auth-user", "test:tester").header("x-auth-key", "testing").send().await.unwrap();
    login.headers()["x-auth-token"].to_str().unwrap().to_owned()
}

/// A double of Rackspace's login and CDN management in front of the real storage.
async fn rackspace(server: &str, cdn: bool) -> Proxy {
    let token = real_token(server).await;
    Proxy::start(server, move |seen, before| {
        let host = format!("http://{}", seen.headers["host"].to_str().unwrap());
        if seen.path == "/v2.0/tokens" {
            let endpoint = |region: &str, url: String| json!({ "region": region, "publicURL": url });
            let storage = format!("{host}/v1/AUTH_test");
            let mut services = vec![json!({ "type": "object-store", "name": "cloudFiles", "endpoints": [
                endpoint("DFW", storage), endpoint("ORD", "http://127.0.0.1:1/v1/x".into()),
            ] })];
            if cdn {
                let endpoints = [endpoint("DFW", format!("{host}/cdn/v1/Account"))];
                services.push(
                    json!({ "type": "rax:object-cdn", "name": "cloudFilesCDN", "endpoints": endpoints }),
                );
            }
            let token = json!({ "id": token, "expires": "2099-01-01T00:00:00.000Z" });
            let access = json!({ "token": token, "serviceCatalog": services });
            return Act::Answer(200, vec![], json!({ "access": access }).to_string());
        }
        if seen.path.starts_with("/cdn/") {
            let again = before.iter().any(|other| other.path == seen.path);
            let status = match (seen.method.as_str(), again) {
                ("PUT", false) => 201,
                ("PUT", true) => 202,
                _ => 204,
            };
            let headers = vec![
                ("x-cdn-uri", "http://abc.r1.cf1.example.net".to_owned()),
                ("x-cdn-ssl-uri", "https://abc.ssl.cf1.example.net".to_owned()),
            ];
            return Act::Answer(status, headers, String::new());
        }
        Act::Pass
    })
    .await
}

fn key_at(proxy: &Proxy) -> Vec<(String, String)> {
    let variables = [
        ("OS_AUTH_URL", format!("{}/v2.0/", proxy.url)),
        ("OS_USERNAME", "me".into()),
        ("OS_API_KEY", "0abc".into()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into()
}

#[tokio::test]
async fn version_2_with_an_api_key() {
    let Some(server) = server() else { return };
    let proxy = rackspace(&server, false).await;
    let opening = Opening { variables: key_at(&proxy), ..Opening::new("") };
    let error = opening.open().get(&path("a")).await.unwrap_err();
    assert_eq!(cause(&error).to_string(), "the account has `object-store` in several regions: `DFW`, `ORD`");
    let swift = opening.set("OS_REGION_NAME", "DFW").open();
    put(&swift, "a", "one").await;
    assert_eq!(get(&swift, "a").await, "one");
}

#[tokio::test]
async fn the_cdn_is_switched_on_before_the_first_write() {
    let Some(server) = server() else { return };
    let proxy = rackspace(&server, true).await;
    let variables = key_at(&proxy);
    let opening = Opening { variables, ..Opening::new("") }.set("OS_REGION_NAME", "DFW").option("ttl", "900");
    for statuses in [vec![201], vec![202, 204]] {
        let before = proxy.seen().len();
        let swift = opening.open();
        assert!(swift.get(&path("absent")).await.is_err());
        assert_eq!(swift.cdn_addresses(), None, "reading changes nothing");
        put(&swift, "a", "one").await;
        put(&swift, "b", "two").await;
        let cdn: Vec<_> =
            proxy.seen().into_iter().skip(before).filter(|seen| seen.path.starts_with("/cdn/")).collect();
        assert_eq!(cdn.iter().map(|seen| seen.status).collect::<Vec<_>>(), statuses);
        for seen in cdn {
            assert_eq!(seen.path, format!("/cdn/v1/Account/{}", opening.container));
            assert_eq!(
                (seen.headers["x-cdn-enabled"].as_bytes(), seen.headers["x-ttl"].as_bytes()),
                (&b"True"[..], &b"900"[..])
            );
        }
        let addresses = swift.cdn_addresses().unwrap();
        assert_eq!(addresses.http.as_deref(), Some("http://abc.r1.cf1.example.net"));
        assert_eq!(addresses.https.as_deref(), Some("https://abc.ssl.cf1.example.net"));
    }
}

#[tokio::test]
async fn nothing_is_created_without_a_cdn() {
    let Some(server) = server() else { return };
    let opening = Opening::new(&server).option("cdn", "yes").option("read", "public");
    let swift = opening.open();
    let error = swift.put(&path("a"), "one".into()).await.unwrap_err();
    assert!(matches!(cause(&error), Error::NoCdn), "{error:?}");
    let error = swift.list_with_delimiter(None).await.unwrap_err();
    assert!(matches!(cause(&error), Error::NoContainer { .. }), "{error:?}");
}

#[test]
fn a_certificate_file_must_contain_certificates() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("ca.pem");
    for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let opening = Opening::new("https://127.0.0.1:1").set("OS_CACERT", &file.display().to_string());
        match opening.try_open() {
            Err(error) => assert!(error.to_string().contains("OS_CACERT"), "{error}"),
            Ok(_) => panic!("{text:?}"),
        }
    }
}
