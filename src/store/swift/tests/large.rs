//! Large objects in segments.

use object_store::{
    Attribute, Attributes, Error as ObjectError, GetOptions, MultipartUpload, PutMultipartOptions, PutResult,
};
use reqwest::{Method, header::HeaderValue};

use super::*;

async fn upload(swift: &Swift, at: &str, parts: &[&[u8]]) -> PutResult {
    let mut upload = swift.put_multipart(&path(at)).await.unwrap();
    send(&mut upload, parts).await;
    upload.complete().await.unwrap()
}

async fn send(upload: &mut Box<dyn MultipartUpload>, parts: &[&[u8]]) {
    // All in flight at once: their order is that of the calls.
    let sent: Vec<_> = parts.iter().map(|part| upload.put_part(part.to_vec().into())).collect();
    futures::future::try_join_all(sent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_megabytes_in_parts() {
    let Some(server) = server() else { return };
    let bytes = noise(20 << 20);
    let parts: Vec<_> = bytes.chunks(8 << 20).collect();
    let swift = Opening::new(&server).option("read", "public").open();
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "application/vnd.debian.binary-package"),
        (Attribute::CacheControl, "public, max-age=31536000, immutable"),
    ]);
    let options = PutMultipartOptions { attributes: attributes.clone(), ..PutMultipartOptions::default() };
    let at = path("pool/large+~.deb");
    let mut upload = swift.put_multipart_opts(&at, options).await.unwrap();
    send(&mut upload, &parts).await;
    assert!(matches!(swift.head(&at).await, Err(ObjectError::NotFound { .. })), "nothing is to be seen yet");
    assert_eq!(names(&swift, None).await, [""; 0]);
    assert_eq!(segments(&swift).await.len(), 3);
    let result = upload.complete().await.unwrap();

    assert_eq!(names(&swift, None).await, ["pool/large+~.deb"]);
    let found = swift.get(&at).await.unwrap();
    assert_eq!((found.meta.size, &found.attributes), (20 << 20, &attributes));
    assert_eq!(found.meta.e_tag, result.e_tag);
    assert!(result.e_tag.as_ref().unwrap().ends_with("-large"), "it is no MD5 of the bytes: {result:?}");
    assert!(found.bytes().await.unwrap() == bytes);
    let range = swift.get_range(&at, (8 << 20) - 5..(8 << 20) + 5).await.unwrap();
    assert_eq!(range, bytes[(8 << 20) - 5..(8 << 20) + 5]);
    let listed = swift.list_with_delimiter(Some(&path("pool"))).await.unwrap().objects.remove(0);
    assert_eq!((listed.size, listed.e_tag), (20 << 20, result.e_tag.clone()));
    swift.get_opts(&at, GetOptions::new().with_if_match(result.e_tag.clone())).await.unwrap();
    let same = swift.get_opts(&at, GetOptions::new().with_if_none_match(result.e_tag)).await;
    assert!(matches!(same, Err(ObjectError::NotModified { .. })));
    // Readers of the object read its segments.
    let (status, read) = anonymous(&swift, "pool/large%2b%7e.deb").await;
    assert!(status == 200 && read == bytes, "{status}");

    // A copy is one object.
    swift.copy(&at, &path("copy")).await.unwrap();
    assert!(!swift.head(&path("copy")).await.unwrap().e_tag.unwrap().ends_with("-large"));
    swift.delete(&at).await.unwrap();
    assert_eq!(segments(&swift).await, [""; 0]);
    assert!(get(&swift, "copy").await == bytes);
}

#[tokio::test]
async fn segments_have_the_readers_of_their_container() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    // Made public with another tool, including listings; the segments get no listings.
    let make = Request::new(Method::PUT, &swift.0.container, "")
        .header("x-container-read", HeaderValue::from_static(".r:*,.rlistings"));
    raw(&swift, make).await;
    upload(&swift, "a", &[b"one", b"two"]).await;
    assert_eq!(anonymous(&swift, "a").await, (200, "onetwo".into()));
    let head = raw(&swift, Request::new(Method::HEAD, &swift.0.segments, "")).await;
    assert_eq!(head.header("x-container-read"), Some(".r:*"));

    let private = Opening::new(&server).open();
    upload(&private, "a", &[b"one", b"two"]).await;
    assert_eq!(anonymous(&private, "a").await.0, 401);
    let head = raw(&private, Request::new(Method::HEAD, &private.0.segments, "")).await;
    assert_eq!(head.header("x-container-read"), None);
    // A private container becomes public together with its segments.
    let container = private.0.container.clone();
    let public = Opening { container, ..Opening::new(&server) }.option("read", "public").open();
    put(&public, "b", "x").await;
    assert_eq!(anonymous(&private, "a").await, (200, "onetwo".into()));
}

#[tokio::test]
async fn a_manifest_of_manifests() {
    let Some(server) = server() else { return };
    let limits = Limits { manifest: 2, ..Limits::default() };
    let swift = Opening { limits, ..Opening::new(&server) }.open();
    let parts = [&b"one "[..], b"two ", b"three ", b"four ", b"five "];
    upload(&swift, "a", &parts).await;
    assert_eq!(get(&swift, "a").await, "one two three four five ");
    assert_eq!(segments(&swift).await.len(), 5 + 3 + 2);
    upload(&swift, "a", &parts[..3]).await;
    assert_eq!(get(&swift, "a").await, "one two three ");
    assert_eq!(segments(&swift).await.len(), 3 + 2, "those of the old one are gone");
    swift.delete(&path("a")).await.unwrap();
    assert_eq!(segments(&swift).await, [""; 0]);
}

#[tokio::test]
async fn one_upload_in_the_place_of_another() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    upload(&swift, "a/b", &[b"below"]).await;
    upload(&swift, "a", &[b"one ", b"", b"two"]).await;
    let before = segments(&swift).await;
    assert_eq!(before.len(), 3, "an empty part is none");
    upload(&swift, "a", &[b"three"]).await;
    assert_eq!(get(&swift, "a").await, "three");
    assert_eq!(segments(&swift).await.len(), 2);
    assert_eq!(get(&swift, "a/b").await, "below");
    // An upload without parts is an empty object.
    upload(&swift, "empty", &[]).await;
    assert_eq!(get(&swift, "empty").await, "");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let Some(server) = server() else { return };
    let swift = Opening::new(&server).open();
    put(&swift, "a", "old").await;
    let mut upload = swift.put_multipart(&path("a")).await.unwrap();
    send(&mut upload, &[b"one", b"two"]).await;
    // A part that was never sent is missing from the whole.
    drop(upload.put_part("three".into()));
    assert!(upload.complete().await.is_err());
    assert_eq!(segments(&swift).await.len(), 2);
    upload.abort().await.unwrap();
    assert_eq!(segments(&swift).await, [""; 0]);
    assert_eq!(get(&swift, "a").await, "old");
}
