//! A compare-and-swap that can be believed, on every server: who decides there, and that nothing written is ever lost.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use publish::store::{Cache, Decides, Error, Store};
use tempfile::TempDir;

use crate::{
    buckets,
    publisher::{folder, memory},
    servers::Bucket,
};

/// What the probe leaves behind.
const PROBE: &str = ".publish/probe";
/// So long it is remembered.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The bucket's store, with one of its variables said otherwise.
fn with(bucket: &Bucket, name: &str, value: &str) -> Store {
    let known = bucket.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let environment = known.chain([(name.to_owned(), value.to_owned())]).collect();
    buckets::open(&bucket.location, &environment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_store_is_believed_as_far_as_it_deserves() {
    let place = TempDir::with_prefix("publish-test-").unwrap();
    for store in [memory(), folder(place.path())] {
        assert_eq!(store.decides().await.unwrap(), Decides::Natively);
        assert_eq!(store.requests().total, 0, "nothing is asked");
    }
    for (make, decides, first, again) in [
        // Written, refused, and refused with two kinds of stale tags; the next one need not write it.
        (buckets::moto as fn() -> Option<Bucket>, Decides::Natively, 4, 3),
        (buckets::rgw, Decides::Natively, 4, 3),
        (buckets::azure, Decides::Natively, 3, 2),
        (buckets::gcs, Decides::Natively, 3, 2),
        // Never refused.
        (buckets::ignoring, Decides::ByLease, 3, 3),
        // Where it is known.
        (buckets::swift, Decides::ByLease, 0, 0),
    ] {
        let Some(bucket) = make() else { continue };
        for requests in [first, again] {
            let store = bucket.store();
            assert_eq!(store.decides().await.unwrap(), decides, "{}", bucket.server);
            assert_eq!(store.requests().total, requests, "{}", bucket.server);
            // Clones know it too.
            assert_eq!(store.clone().decides().await.unwrap(), decides);
            assert_eq!(store.requests().total, requests);
        }
        let (_, objects) = bucket.store().list(".publish").await.unwrap();
        let left = if first == 0 { vec![] } else { vec!["probe"] };
        assert_eq!(objects, left, "{}", bucket.server);
        assert_eq!(bucket.store().list("").await.unwrap().1, [""; 0], "nothing else is touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_find_it_out_at_once() {
    for make in [buckets::moto as fn() -> Option<Bucket>, buckets::rgw, buckets::azure, buckets::gcs] {
        let Some(bucket) = make() else { continue };
        let probes = (0..8).map(|_| {
            let store = bucket.store();
            tokio::spawn(async move { store.decides().await.unwrap() })
        });
        for probe in probes.collect::<Vec<_>>() {
            assert_eq!(probe.await.unwrap(), Decides::Natively, "{}", bucket.server);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_out_is_remembered_for_a_server_and_a_location() {
    let (Some(moto), Some(ignoring)) = (buckets::moto(), buckets::ignoring()) else { return };
    let place = TempDir::with_prefix("publish-test-").unwrap();
    let cached = |store: Store| store.with_cache(Some(Cache::new(place.path(), 1 << 20)));
    for (bucket, decides, first) in [(&moto, Decides::Natively, 4), (&ignoring, Decides::ByLease, 3)] {
        for requests in [first, 0] {
            let store = cached(bucket.store());
            assert_eq!(store.decides().await.unwrap(), decides);
            assert_eq!(store.requests().total, requests);
        }
    }
    // The same name on another server is another bucket.
    let store = cached(with(&moto, "AWS_ENDPOINT_URL_S3", &ignoring.endpoint));
    assert_eq!(store.decides().await.unwrap(), Decides::ByLease);
    // Believed for a week.
    let long_ago = SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap() - WEEK;
    for entry in walkdir::WalkDir::new(place.path()).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            fs::File::options().write(true).open(entry.path()).unwrap().set_modified(long_ago).unwrap();
        }
    }
    let store = cached(moto.store());
    store.decides().await.unwrap();
    assert_eq!(store.requests().total, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_the_probe_is_no_verdict() {
    let Some(bucket) = buckets::rgw() else { return };
    let store = with(&bucket, "AWS_SECRET_ACCESS_KEY", "wrong");
    let error = store.decides().await.unwrap_err();
    assert!(matches!(&error, Error::Failed { path, .. } if path == PROBE), "{error:?}");
}

/// apt asks `If-Modified-Since`, to the second.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_revisions_are_of_one_second() {
    let swaps = buckets::each().chain(buckets::ignoring()).map(|bucket| async move {
        let store = bucket.store();
        store.swap("pointer", "0".into(), None).await.unwrap();
        let mut times = Vec::new();
        for number in 1..=3 {
            let there = store.read("pointer").await.unwrap().unwrap();
            times.push(store.found("pointer").await.unwrap().unwrap().modified);
            store.swap("pointer", number.to_string().into(), Some(&there.revision)).await.unwrap();
        }
        times.push(store.found("pointer").await.unwrap().unwrap().modified);
        let seconds = times.iter().map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        let seconds: Vec<u64> = seconds.collect();
        assert!(seconds.is_sorted_by(|a, b| a < b), "{}: {seconds:?}", bucket.server);
    });
    futures::future::join_all(swaps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_of_the_servers_is_noticed() {
    for bucket in buckets::each() {
        let store = bucket.store();
        let now = || SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(store.clock_ahead(now() + hour), None, "nothing is known yet");
        assert!(store.read("absent").await.unwrap().is_none());
        assert_eq!(store.clock_ahead(now()), None, "{}", bucket.server);
        assert_eq!(store.clock_ahead(now() - hour), None);
        let ahead = store.clock_ahead(now() + hour).unwrap();
        assert!(ahead >= hour && ahead < hour + Duration::from_secs(60), "{}: {ahead:?}", bucket.server);
    }
    assert_eq!(memory().clock_ahead(SystemTime::UNIX_EPOCH), None);
}
