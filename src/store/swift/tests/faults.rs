//! Server errors and broken connections.

use super::{
    super::Error,
    proxy::{Act, Proxy, Seen},
    *,
};

/// Starts a proxy in front of a container with one object.
async fn behind(
    server: &str,
    decide: impl Fn(&Seen, &[Seen]) -> Act + Send + Sync + 'static,
) -> (Proxy, Opening) {
    let direct = Opening::new(server);
    put(&direct.open(), "a", noise(100_000)).await;
    let proxy = Proxy::start(server, decide).await;
    let opening = Opening { container: direct.container, ..Opening::new(server) };
    let storage = format!("{}/v1/AUTH_test", proxy.url);
    (proxy, opening.set("OS_STORAGE_URL", &storage))
}

fn refuse(status: u16) -> Act {
    Act::Answer(status, vec![], "<html><h1>Sorry</h1><p>not now</p></html>".into())
}

#[tokio::test]
async fn transient_errors_are_retried() {
    let Some(server) = server() else { return };
    for status in [408, 429, 498, 500, 502, 503, 504] {
        let (proxy, opening) = behind(&server, move |_, before| match before.len() {
            0..3 => refuse(status),
            _ => Act::Pass,
        })
        .await;
        assert_eq!(get(&opening.open(), "a").await, noise(100_000), "{status}");
        assert_eq!(proxy.seen().len(), 4);
    }
}

#[tokio::test]
async fn permanent_errors_are_reported_at_once() {
    let Some(server) = server() else { return };
    for (status, tries) in [(400, 1), (409, 1), (501, 1), (507, 1), (503, 6)] {
        let (proxy, opening) = behind(&server, move |_, _| refuse(status)).await;
        let swift = opening.open();
        let error = swift.put(&path("b"), "one".into()).await.unwrap_err();
        let text = cause(&error).to_string();
        assert!(text.contains(&status.to_string()) && text.contains("Sorry not now"), "{text}");
        assert!(text.contains(&format!("`{}/b`", opening.container)), "{text}");
        assert_eq!(proxy.seen().len(), tries, "{status}");
        assert_eq!(swift.requests().total, tries as u64 + 1, "every try is counted, and the login");
        assert_eq!(matches!(cause(&error), Error::Full { .. }), status == 507);
    }
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let Some(server) = server() else { return };
    let (_proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Answer(429, vec![("retry-after", "1".into())], String::new()),
        _ => Act::Pass,
    })
    .await;
    let began = Instant::now();
    get(&opening.open(), "a").await;
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_lost_response_is_retried() {
    let Some(server) = server() else { return };
    let (proxy, opening) = behind(&server, |_, before| match before.len() {
        0..2 => Act::Swallow,
        _ => Act::Pass,
    })
    .await;
    let swift = opening.open();
    swift.put(&path("b"), noise(300_000).into()).await.unwrap();
    assert_eq!(proxy.seen().len(), 3);
    assert_eq!(get(&swift, "b").await, noise(300_000));
}

#[tokio::test]
async fn a_broken_read_is_resumed() {
    let Some(server) = server() else { return };
    let (proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Cut(10_000),
        1 => Act::Cut(50_000),
        _ => Act::Pass,
    })
    .await;
    let swift = opening.open();
    assert_eq!(get(&swift, "a").await, noise(100_000));
    let ranges: Vec<_> = proxy.seen().iter().map(|seen| seen.headers.get("range").cloned()).collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[1].as_ref().unwrap(), "bytes=10000-99999");
    assert_eq!(ranges[2].as_ref().unwrap(), "bytes=60000-99999");
    assert!(proxy.seen()[1..].iter().all(|seen| seen.headers.contains_key("if-match")));

    // The same for a range.
    let (_proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Cut(10),
        _ => Act::Pass,
    })
    .await;
    assert_eq!(opening.open().get_range(&path("a"), 1000..2000).await.unwrap(), noise(100_000)[1000..2000]);
}

#[tokio::test]
async fn two_objects_are_never_mixed() {
    let Some(server) = server() else { return };
    let (_proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Cut(10_000),
        _ => Act::Pass,
    })
    .await;
    let found = opening.open().get(&path("a")).await.unwrap();
    let direct = Opening { container: opening.container.clone(), ..Opening::new(&server) };
    put(&direct.open(), "a", "another").await;
    let error = found.bytes().await.unwrap_err();
    assert!(matches!(cause(&error), Error::Truncated { got: 10_000, size: 100_000, .. }), "{error:?}");
    assert!(error.to_string().contains("replaced"), "{error}");
}

#[tokio::test]
async fn a_broken_listing_is_retried() {
    let Some(server) = server() else { return };
    let (proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Cut(20),
        _ => Act::Pass,
    })
    .await;
    assert_eq!(names(&opening.open(), None).await, ["a"]);
    assert_eq!(proxy.seen().len(), 2);
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let Some(server) = server() else { return };
    let (proxy, opening) = behind(&server, |_, before| match before.len() {
        0 => Act::Hang,
        _ => Act::Pass,
    })
    .await;
    let retry = RetryPolicy { silence: Duration::from_secs(3), ..short_pauses() };
    let swift = Opening { retry, ..opening }.open();
    assert_eq!(get(&swift, "a").await, noise(100_000));
    assert_eq!(proxy.seen().len(), 2);
}
