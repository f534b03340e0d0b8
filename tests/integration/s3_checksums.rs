//! Servers that reject the checksum headers of S3, and answers that are about the bytes or about the region.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use publish::{
    digest::Digests,
    store::{Content, Environment, FileStamp, Store},
};
use tempfile::TempDir;

use crate::{
    buckets::open,
    double::{Double, Said, Seen},
};

/// The objects of a double of S3.
type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

fn error(status: u16, code: &str, message: &str) -> Said {
    Said::new(status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn has_checksum(seen: &Seen) -> bool {
    seen.headers.keys().any(|name| name.as_str().contains("checksum"))
}

/// A double of S3 that rejects some requests.
async fn s3(reject: impl Fn(&Seen) -> Option<Said> + Send + Sync + 'static) -> (Double, Objects) {
    let objects = Objects::default();
    let kept = Arc::clone(&objects);
    let double = Double::new(move |seen| {
        if let Some(said) = reject(seen) {
            return said;
        }
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let mut kept = kept.lock().unwrap();
        match (&seen.method[..], query) {
            ("POST", "delete") => Said::new(
                200,
                "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted></DeleteResult>",
            ),
            ("POST", query) if query.starts_with("uploads") => Said::new(
                200,
                "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>",
            ),
            ("POST", _) => {
                let parts: Vec<String> =
                    kept.keys().filter(|name| name.contains("partNumber")).cloned().collect();
                let whole: Vec<u8> = parts.iter().flat_map(|name| kept.remove(name).unwrap()).collect();
                kept.insert(path.to_owned(), whole);
                Said::new(
                    200,
                    "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>",
                )
            }
            ("PUT", query) => {
                let name = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
                kept.insert(name, seen.body.to_vec());
                Said::new(200, "").with("etag", "\"e\"")
            }
            _ => error(404, "NoSuchKey", "None."),
        }
    });
    (double.await, objects)
}

fn store(double: &Double, more: &[(&str, &str)]) -> Store {
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let variables: Environment =
        keys.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    open(&format!("s3://bkt?endpoint={}&style=path", double.url), &variables).unwrap()
}

/// The texts with which servers reject the headers: Backblaze B2, Cloudflare R2, and the general one of S3.
fn rejections() -> [Said; 3] {
    [
        error(
            400,
            "InvalidArgument",
            "Unsupported header 'x-amz-checksum-sha256' received for this API call.",
        ),
        error(501, "NotImplemented", "Header 'x-amz-checksum-sha256' not implemented"),
        error(501, "NotImplemented", "A header you provided implies functionality that is not implemented."),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_checksums_are_dropped() {
    for said in rejections() {
        let (double, objects) = s3(move |seen| has_checksum(seen).then(|| said.clone())).await;
        let store = store(&double, &[]);
        store.replace("a", "one".into()).await.unwrap();
        let [first, second] = &double.seen()[..] else { panic!("two requests") };
        assert!(has_checksum(first) && !has_checksum(second));
        let signature = second.header("authorization").unwrap();
        assert!(signature.contains("x-amz-content-sha256") && !signature.contains("checksum"), "{signature}");
        assert_ne!(first.header("authorization"), second.header("authorization"));
        // Later requests are sent without them at once.
        store.replace("b", "two".into()).await.unwrap();
        store.delete_all(&["a".into(), "b".into()]).await.unwrap();
        let later = double.seen();
        assert_eq!((later.len(), later.iter().any(has_checksum)), (2, false));
        assert_eq!(objects.lock().unwrap()["/bkt/b"], b"two");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_rejected_on_parts_are_dropped() {
    for said in rejections() {
        let reject = move |seen: &Seen| {
            (seen.target.contains("partNumber=") && has_checksum(seen)).then(|| said.clone())
        };
        let (double, objects) = s3(reject).await;
        let folder = TempDir::with_prefix("publish-test-").unwrap();
        let file = folder.path().join("large");
        let bytes: Vec<u8> = (0..18_u32 << 18).flat_map(u32::to_le_bytes).collect();
        fs::write(&file, &bytes).unwrap();
        let stamp = FileStamp::of(&fs::metadata(&file).unwrap());
        let content = Content::file(file, Digests::of(&bytes), stamp);
        store(&double, &[]).replace_with("large", &content).await.unwrap();
        assert!(objects.lock().unwrap()["/bkt/large"] == bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_can_be_turned_off() {
    let folder = TempDir::with_prefix("publish-test-").unwrap();
    let config = folder.path().join("config");
    fs::write(&config, "[default]\nrequest_checksum_calculation = when_required\n").unwrap();
    let off = ("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED");
    let on = ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported");
    let file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
    for (variables, sent) in
        [(&[][..], true), (&[on], true), (&[off], false), (&[file], false), (&[file, on], true)]
    {
        let (double, _) = s3(|_| None).await;
        let store = store(&double, variables);
        store.replace("a", "one".into()).await.unwrap();
        store.delete_all(&["a".into(), "b".into()]).await.unwrap();
        let seen = double.seen();
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| has_checksum(seen) == sent), "{variables:?}");
    }
    let (double, _) = s3(|_| None).await;
    let variables = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), (off.0, "never")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let error = open(&format!("s3://bkt?endpoint={}", double.url), &variables).err().unwrap();
    assert!(error.hint().unwrap().contains("`when_supported` or `when_required`"), "{error:?}");
}

/// The server understood the checksum: without it, it would store damaged bytes.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_about_the_bytes_is_final() {
    for code in ["BadDigest", "XAmzContentSHA256Mismatch"] {
        let (double, objects) = s3(move |_| Some(error(400, code, "The checksums differ."))).await;
        let failed = store(&double, &[]).replace("a", "one".into()).await.unwrap_err();
        assert!(std::error::Error::source(&failed).unwrap().to_string().contains(code), "{failed:?}");
        assert_eq!(double.seen().len(), 1);
        assert!(objects.lock().unwrap().is_empty());
    }
    // Another cause remains, with or without the headers, so they are sent again next time.
    let (double, _) = s3(|_| Some(error(400, "InvalidArgument", "The key."))).await;
    let store = store(&double, &[]);
    for _ in 0..2 {
        store.replace("a", "one".into()).await.unwrap_err();
        let seen = double.seen();
        assert_eq!(seen.iter().map(has_checksum).collect::<Vec<_>>(), [true, false]);
    }
}

/// Followed, a redirect would turn the write into a read, whose success would count as that of the write.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_follows_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let (double, _) = s3(move |seen| match (&seen.method[..], &seen.target[..]) {
            ("PUT", "/bkt/a") => Some(Said::new(status, "").with("location", "/elsewhere")),
            _ => Some(Said::new(200, "another object").with("etag", "\"e\"")),
        })
        .await;
        let failed = store(&double, &[]).replace("a", "one".into()).await;
        assert!(failed.is_err(), "{status}");
        assert_eq!(double.seen().len(), 1, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_of_an_answer_is_named() {
    let region = |said: Said| said.with("x-amz-bucket-region", "eu-west-1");
    let malformed = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The region is wrong; expecting \
                     'eu-west-1'</Message><Region>eu-west-1</Region></Error>";
    let endpoint = "<Error><Code>PermanentRedirect</Code><Message>Use the endpoint.</Message>\
                    <Endpoint>bkt.s3.eu-west-1.amazonaws.com</Endpoint></Error>";
    let answers = [
        region(Said::new(301, "")),
        region(Said::new(400, "")),
        region(Said::new(400, malformed)),
        region(Said::new(301, endpoint)),
    ];
    for said in answers {
        let (double, _) = s3(move |_| Some(said.clone())).await;
        let store = store(&double, &[]);
        for failed in [
            store.size("a").await.unwrap_err(),
            store.read("a", publish::store::Limit::mebibytes(1)).await.unwrap_err(),
            store.replace("a", "one".into()).await.unwrap_err(),
            store.list("").await.unwrap_err(),
        ] {
            let cause = std::error::Error::source(&failed).unwrap().to_string();
            assert!(cause.contains("is in another region, `eu-west-1`"), "{cause}");
            let hint = "set the region with `?region=eu-west-1` or AWS_REGION=eu-west-1";
            assert_eq!(failed.hint().as_deref(), Some(hint));
            assert!(!failed.is_transient());
        }
    }
}
