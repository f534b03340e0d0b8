//! Objects, written and read back.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, Error as ObjectError, GetOptions, PutMode, PutOptions,
    UpdateVersion,
};
use reqwest::{Method, header::HeaderValue};

use super::{
    super::Error,
    proxy::{Act, Proxy},
    *,
};

/// Starts a proxy in front of the storage; the login bypasses it.
async fn through(
    server: &str,
    decide: impl Fn(&proxy::Seen, &[proxy::Seen]) -> Act + Send + Sync + 'static,
) -> (Proxy, Opening) {
    let proxy = Proxy::start(server, decide).await;
    let opening = Opening::new(server).set("OS_STORAGE_URL", &format!("{}/v1/AUTH_test", proxy.url));
    (proxy, opening)
}

#[tokio::test]
async fn the_first_write_makes_the_container() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    let error = swift.head(&path("a")).await.unwrap_err();
    assert!(matches!(error, ObjectError::NotFound { .. }), "{error:?}");
    let error = swift.list(None).try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, ObjectError::NotFound { .. }), "{error:?}");
    assert_eq!(cause(&error).to_string(), format!("there is no container `{}`", swift.0.container));
    let before = swift.requests().total;
    put(&swift, "a", "one").await;
    assert_eq!(swift.requests().total - before, 3, "a refusal, the container, the object again");
    put(&swift, "a", "two").await;
    assert_eq!(swift.requests().total - before, 4);
    assert_eq!(get(&swift, "a").await, "two");
    assert_eq!(anonymous(&swift, "a").await.0, 401, "the container is not public");
}

#[tokio::test]
async fn a_public_container_can_be_read_but_not_listed() {
    let Some(server) = server() else { return };
    let opening = Opening::new(&server).option("read", "public");
    // A container that already exists, with its own readers.
    let there = Opening::new(&server).option("read", "public");
    let make = Request::new(Method::PUT, &there.container, "")
        .header("x-container-read", HeaderValue::from_static("test:reader,.rlistings"));
    raw(&there.open(), make).await;
    for opening in [opening, there] {
        let swift = opening.open();
        put(&swift, "pool/a", "one").await;
        assert_eq!(anonymous(&swift, "pool/a").await, (200, "one".into()));
        assert_eq!(anonymous(&swift, "pool/b").await.0, 404);
        let storage = swift.0.client.storage().await.unwrap();
        let write = http().put(format!("{storage}/{}/x", opening.container)).body("x");
        assert_eq!(write.send().await.unwrap().status().as_u16(), 401);
        let head = raw(&swift, Request::new(Method::HEAD, &opening.container, "")).await;
        let list = head.header("x-container-read").unwrap().to_owned();
        let own = list.contains("test:reader");
        assert_eq!(list, if own { "test:reader,.rlistings,.r:*" } else { ".r:*" });
        assert_eq!(anonymous(&swift, "").await.0, if own { 200 } else { 401 });
        // The next run finds everything as requested, and changes nothing.
        let again = opening.open();
        put(&again, "pool/b", "two").await;
        assert_eq!(again.requests().total, 4, "the login, two looks, the object");
    }
}

#[tokio::test]
async fn attributes_come_back() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "application/vnd.debian.binary-package"),
        (Attribute::CacheControl, "public, max-age=31536000, immutable"),
        (Attribute::ContentLanguage, "en"),
        (Attribute::Metadata("suite".into()), "stable é"),
    ]);
    let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
    let result = swift.put_opts(&path("a"), "one".into(), options).await.unwrap();
    assert_eq!(result.e_tag.as_deref(), Some("f97c5d29941bfb1b2fdab0874906ab82"));
    let found = swift.get(&path("a")).await.unwrap();
    assert_eq!(found.attributes, attributes);
    assert_eq!(found.meta.e_tag, result.e_tag);
    assert_eq!(
        swift.get_opts(&path("a"), GetOptions::new().with_head(true)).await.unwrap().attributes,
        attributes
    );

    // A copy keeps them, unless it gets new ones.
    swift.copy(&path("a"), &path("b")).await.unwrap();
    assert_eq!(swift.get(&path("b")).await.unwrap().attributes, attributes);
    let own = Attributes::from_iter([
        (Attribute::ContentType, "text/plain"),
        (Attribute::CacheControl, "public, max-age=60, must-revalidate"),
    ]);
    let mut options = CopyOptions::new();
    options.extensions.insert(own.clone());
    swift.copy_opts(&path("a"), &path("b"), options).await.unwrap();
    let found = swift.get(&path("b")).await.unwrap();
    assert_eq!(found.attributes, own);
    assert_eq!(found.bytes().await.unwrap(), "one");

    for bad in [Attribute::StorageClass, Attribute::Metadata("a b".into())] {
        let attributes = Attributes::from_iter([(bad, "x")]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        assert!(swift.put_opts(&path("a"), "two".into(), options).await.is_err());
    }
    assert_eq!(get(&swift, "a").await, "one");
}

#[tokio::test]
async fn creating_and_copying_stop_at_what_is_there() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    let at = path("a");
    let create = |text: &'static str| swift.put_opts(&at, text.into(), PutMode::Create.into());
    create("one").await.unwrap();
    let error = create("two").await.unwrap_err();
    assert!(matches!(error, ObjectError::AlreadyExists { .. }), "{error:?}");
    assert_eq!(get(&swift, "a").await, "one");

    // Swift would accept the condition and overwrite all the same.
    let version = UpdateVersion { e_tag: Some("0".repeat(32)), version: None };
    let error = swift.put_opts(&at, "three".into(), PutMode::Update(version).into()).await.unwrap_err();
    assert!(matches!(error, ObjectError::NotImplemented { .. }), "{error:?}");
    assert_eq!(get(&swift, "a").await, "one");

    put(&swift, "b", "two").await;
    let options = || CopyOptions::new().with_mode(CopyMode::Create);
    let error = swift.copy_opts(&path("b"), &at, options()).await.unwrap_err();
    assert!(matches!(error, ObjectError::AlreadyExists { .. }), "{error:?}");
    assert_eq!(get(&swift, "a").await, "one");
    swift.copy_opts(&path("b"), &path("c"), options()).await.unwrap();
    assert_eq!(get(&swift, "c").await, "two");
    let error = swift.copy(&path("absent"), &at).await.unwrap_err();
    assert!(matches!(&error, ObjectError::NotFound { path, .. } if path == "absent"), "{error:?}");
}

#[tokio::test]
async fn ranges_and_conditions() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    put(&swift, "a", "0123456789").await;
    put(&swift, "empty", "").await;
    assert_eq!(get(&swift, "empty").await, "");
    let at = path("a");
    assert_eq!(swift.get_range(&at, 2..5).await.unwrap(), "234");
    assert_eq!(swift.get_range(&at, 8..50).await.unwrap(), "89");
    assert!(swift.get_range(&at, 10..11).await.is_err());
    assert!(swift.get_range(&at, 3..3).await.is_err());
    for (range, wanted) in [
        (object_store::GetRange::Suffix(3), "789"),
        (object_store::GetRange::Suffix(30), "0123456789"),
        (object_store::GetRange::Offset(7), "789"),
    ] {
        let found = swift.get_opts(&at, GetOptions::new().with_range(Some(range))).await.unwrap();
        assert_eq!(found.meta.size, 10);
        assert_eq!(found.bytes().await.unwrap(), wanted);
    }
    let meta = swift.head(&at).await.unwrap();
    let tag = meta.e_tag.clone();
    let other = Some("0".repeat(32));
    for head in [false, true] {
        let get = |options: GetOptions| swift.get_opts(&at, options.with_head(head));
        get(GetOptions::new().with_if_match(tag.clone())).await.unwrap();
        get(GetOptions::new().with_if_none_match(other.clone())).await.unwrap();
        get(GetOptions::new().with_if_unmodified_since(Some(meta.last_modified))).await.unwrap();
        let error = get(GetOptions::new().with_if_match(other.clone())).await.unwrap_err();
        assert!(matches!(error, ObjectError::Precondition { .. }), "{error:?}");
        let error = get(GetOptions::new().with_if_none_match(tag.clone())).await.unwrap_err();
        assert!(matches!(error, ObjectError::NotModified { .. }), "{error:?}");
        let error =
            get(GetOptions::new().with_if_modified_since(Some(meta.last_modified))).await.unwrap_err();
        assert!(matches!(error, ObjectError::NotModified { .. }), "{error:?}");
    }
    let error = swift.get_opts(&at, GetOptions::new().with_version(Some("1"))).await.unwrap_err();
    assert!(matches!(error, ObjectError::NotImplemented { .. }), "{error:?}");
}

#[tokio::test]
async fn every_name_survives() {
    let Some(server) = server() else { return };
    let odd = [
        "libstdc++6_1.0+b1_amd64.deb",
        "hello_2.0~rc1_amd64.deb",
        "hello_1:2.0_amd64.deb",
        "hello_1%3a2.0_amd64.deb",
        "100%_sure",
        "%7E",
        "~",
        "café_1.0.deb",
        "a b",
        "#?&=;,@!$'()*[]",
        "\"<>^`{|}",
    ];
    let swift = Opening { prefix: "deep/~é+:%".into(), ..Opening::new(&server) }.open();
    let mut all = BTreeSet::new();
    for name in odd {
        let at = format!("pool/~é+:%/{name}");
        put(&swift, &at, name).await;
        assert_eq!(get(&swift, &at).await, name);
        let copy = format!("copy/{name}");
        swift.copy(&path(&at), &path(&copy)).await.unwrap();
        assert_eq!(get(&swift, &copy).await, name);
        all.extend([at, copy]);
    }
    let large = format!("large/{}", odd.concat());
    let mut upload = swift.put_multipart(&path(&large)).await.unwrap();
    upload.put_part("large".into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(get(&swift, &large).await, "large");
    all.insert(large);
    assert_eq!(BTreeSet::from_iter(names(&swift, None).await), all);
    let below = swift.list_with_delimiter(Some(&path("pool"))).await.unwrap();
    assert_eq!(below.common_prefixes, [path("pool/~é+:%")]);
    let copies = swift.list_with_delimiter(Some(&path("copy"))).await.unwrap();
    let copies: BTreeSet<_> = copies.objects.iter().map(|meta| meta.location.filename().unwrap()).collect();
    assert_eq!(copies, BTreeSet::from(odd));
    let locations: Vec<_> = all.iter().map(|name| Ok(path(name))).collect();
    let deleted = swift.delete_stream(stream::iter(locations).boxed()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(deleted.len(), all.len());
    assert_eq!(names(&swift, None).await, [""; 0]);
    assert_eq!(segments(&swift).await, [""; 0]);
}

#[tokio::test]
async fn listings_go_past_a_page() {
    let Some(server) = server() else { return };
    for prefix in ["", "apt/debian"] {
        let limits = Limits { page: 3, ..Limits::default() };
        let swift = Opening { limits, prefix: prefix.into(), ..Opening::new(&server) }.open();
        let mut all: Vec<_> = (0..7).map(|number| format!("dists/{number}/Release")).collect();
        all.extend((0..6).map(|number| format!("dists/f{number}")));
        all.push("distsx".into());
        all.push("top".into());
        for name in &all {
            put(&swift, name, name.clone()).await;
        }
        // Names that are no valid paths do not make the listing fail.
        for foreign in ["dists//x", "dists/", "dists/\u{1}"] {
            let key = swift.0.key("") + if prefix.is_empty() { "" } else { "/" } + foreign;
            raw(&swift, Request::new(Method::PUT, &swift.0.container, &key)).await;
        }
        let before = swift.requests().listings;
        assert_eq!(names(&swift, None).await, all);
        assert!(swift.requests().listings - before >= 6);
        assert_eq!(names(&swift, Some("dists")).await, all[..13]);
        assert_eq!(names(&swift, Some("dists/3")).await, all[3..4]);
        assert_eq!(names(&swift, Some("nothing")).await, [""; 0]);
        let after = swift.list_with_offset(Some(&path("dists")), &path(&all[5])).try_collect::<Vec<_>>();
        let after: Vec<_> = after.await.unwrap().into_iter().map(|meta| meta.location.to_string()).collect();
        assert_eq!(after, all[6..13]);
        let found = swift.list_with_delimiter(Some(&path("dists"))).await.unwrap();
        let folders: Vec<_> = found.common_prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(folders, (0..7).map(|number| format!("dists/{number}")).collect::<Vec<_>>());
        assert_eq!(found.objects.len(), 6);
        let listed = found.objects.first().unwrap();
        let head = swift.head(&listed.location).await.unwrap();
        assert_eq!((&listed.e_tag, listed.size), (&head.e_tag, head.size));
        assert!((head.last_modified - listed.last_modified).num_seconds().abs() <= 1);
    }
}

#[tokio::test]
async fn many_are_deleted_in_few_requests() {
    let Some(server) = server() else { return };
    // The most names in one request that a busy machine deletes in time.
    let limits = Limits { delete: 100, ..Limits::default() };
    let swift = Opening { limits, ..Opening::new(&server) }.open();
    put(&swift, "kept", "one").await;
    let all: Vec<_> = (0..150).map(|number| format!("pool/{number:04}+~é")).collect();
    // On both sides of a request boundary; a missing name does not affect the next one.
    let puts = all.iter().skip(80).step_by(2).take(20).map(|name| put(&swift, name, "x"));
    stream::iter(puts).buffer_unordered(4).collect::<Vec<_>>().await;
    let mut upload = swift.put_multipart(&path("pool/0070")).await.unwrap();
    upload.put_part("large".into()).await.unwrap();
    upload.complete().await.unwrap();
    let before = swift.requests().total;
    let mut locations: Vec<_> = all.iter().map(|name| Ok(path(name))).collect();
    locations.push(Ok(path("pool/0070")));
    locations.push(Ok(path("was/never/there")));
    let deleted = swift.delete_stream(stream::iter(locations).boxed()).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(deleted.len(), 152);
    assert_eq!(swift.requests().total - before, 5, "the segments, two of many, and two for the large one");
    assert_eq!(names(&swift, None).await, ["kept"]);
    assert_eq!(segments(&swift).await, [""; 0]);
    let error = swift.delete(&path("pool/0080+~é")).await.unwrap_err();
    assert!(matches!(error, ObjectError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn without_the_middleware_each_is_deleted_by_itself() {
    let Some(server) = server() else { return };
    // The response of an account without the middleware: its metadata was updated.
    let (proxy, opening) = through(&server, |seen, _| {
        if seen.path.contains("?bulk-delete") { Act::Answer(204, vec![], String::new()) } else { Act::Pass }
    })
    .await;
    let swift = opening.open();
    for name in ["a", "b", "c"] {
        put(&swift, name, name).await;
    }
    let locations = ["a", "absent", "c"].map(|name| Ok(path(name)));
    let results: Vec<_> = swift.delete_stream(stream::iter(locations).boxed()).collect().await;
    assert!(matches!(&results[..], [Ok(_), Err(ObjectError::NotFound { .. }), Ok(_)]), "{results:?}");
    assert_eq!(names(&swift, None).await, ["b"]);
    assert!(proxy.seen().iter().any(|seen| seen.path.contains("?bulk-delete")));
}

#[tokio::test]
async fn a_failed_delete_is_named() {
    let Some(server) = server() else { return };
    let container = new_container();
    let errors =
        format!(r#"[["/{container}/a%2Bb", "403 Forbidden"], ["{container}/c", "503 Service Unavailable"]]"#);
    let report =
        format!(r#"{{"Response Status": "400 Bad Request", "Number Deleted": 1, "Errors": {errors}}}"#);
    // No real server rejects one name and accepts another.
    let (_proxy, opening) = through(&server, move |seen, _| {
        if seen.path.contains("?bulk-delete") { Act::Answer(200, vec![], report.clone()) } else { Act::Pass }
    })
    .await;
    let swift = Opening { container, ..opening }.open();
    let locations = ["a+b", "b", "c"].map(|name| Ok(path(name)));
    let results: Vec<_> = swift.delete_stream(stream::iter(locations).boxed()).collect().await;
    match &results[..] {
        [Err(ObjectError::PermissionDenied { path, .. }), Ok(_), Err(error)] => {
            assert_eq!(path, "a+b");
            assert!(cause(error).to_string().contains("503"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_damaged_body_is_sent_again() {
    let Some(server) = server() else { return };
    for (times, works) in [(2, true), (usize::MAX, false)] {
        // The server computes its own MD5 and rejects the body.
        let (proxy, opening) = through(&server, move |seen, before| {
            let damaged = before.iter().filter(|seen| seen.status == 422).count();
            if seen.method == "PUT" && seen.path.ends_with("/a") && damaged < times {
                Act::Damage
            } else {
                Act::Pass
            }
        })
        .await;
        let swift = opening.open();
        raw(&swift, Request::new(Method::PUT, &swift.0.container, "")).await;
        let result = swift.put(&path("a"), "one".into()).await;
        let refused = proxy.answers().iter().filter(|(_, status)| *status == 422).count();
        if works {
            result.unwrap();
            assert_eq!((get(&swift, "a").await, refused), ("one".into(), 2));
        } else {
            let error = result.unwrap_err();
            assert!(matches!(cause(&error), Error::Damaged { .. }), "{error:?}");
            assert_eq!(refused, 3);
            assert_eq!(names(&swift, None).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_full_container_and_a_missing_permission_are_reported() {
    let Some(server) = server() else { return };
    let opening = Opening::new(&server);
    let swift = opening.open();
    let make = Request::new(Method::PUT, &opening.container, "")
        .header("x-container-meta-quota-bytes", HeaderValue::from_static("3"));
    raw(&swift, make).await;
    let error = swift.put(&path("a"), "more than three".into()).await.unwrap_err();
    assert!(matches!(cause(&error), Error::Full { status: 413, .. }), "{error:?}");
    assert!(
        error.to_string().contains(&format!("there is no space for `{}/a`", opening.container)),
        "{error}"
    );

    let container = opening.container.clone();
    let reader =
        Opening { container, ..Opening::new(&server) }.set("ST_USER", "test:reader").set("ST_KEY", "reading");
    let reader = reader.open();
    let error = reader.put(&path("a"), "x".into()).await.unwrap_err();
    assert!(matches!(error, ObjectError::PermissionDenied { .. }), "{error:?}");
    assert!(cause(&error).hint().unwrap().contains("swiftoperator"));
    let error = reader.get(&path("a")).await.unwrap_err();
    assert!(matches!(error, ObjectError::PermissionDenied { .. }), "{error:?}");
}

#[test]
fn nothing_secret_is_shown() {
    let swift =
        Opening { prefix: "/apt/".into(), container: "c".into(), ..Opening::new("http://127.0.0.1:1") }
            .open();
    assert_eq!(format!("{swift} {swift:?}"), "swift://c/apt swift://c/apt");
    let opening = Opening { options: BTreeMap::new(), ..Opening::new("http://127.0.0.1:1") };
    assert!(opening.try_open().is_ok());
}
