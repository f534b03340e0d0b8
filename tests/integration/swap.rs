//! A reliable compare-and-swap on every server: its capabilities, and that no write is ever lost.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use futures::TryStreamExt as _;
use publish::{
    digest::Digests,
    store::{Cache, ConditionalWrites, Content, Error, LeaseTimes, Put, Store},
};
use tempfile::TempDir;

use crate::{
    buckets::{self, QUICK},
    faults::{Faults, Side},
    publisher::{folder, memory},
    servers::Bucket,
};

/// The object that the probe leaves behind.
const PROBE: &str = ".publish/probe";
/// The folder of the claims.
const CLAIMS: &str = ".publish/claims";
/// How long a probe result is cached.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The bucket's store, with one variable replaced.
fn with(bucket: &Bucket, name: &str, value: &str) -> Store {
    let known = bucket.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let environment = known.chain([(name.to_owned(), value.to_owned())]).collect();
    buckets::open(&bucket.location, &environment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_detects_the_capability_of_each_store() {
    let place = TempDir::with_prefix("publish-test-").unwrap();
    for store in [memory(), folder(place.path())] {
        assert_eq!(store.conditional_writes().await.unwrap(), ConditionalWrites::Native);
        assert_eq!(store.requests().total, 0, "nothing is asked");
    }
    for (make, decides, first, again) in [
        // Written, refused, and refused with two kinds of stale tags; the next probe need not write it.
        (buckets::moto as fn() -> Option<Bucket>, ConditionalWrites::Native, 4, 3),
        (buckets::rgw, ConditionalWrites::Native, 4, 3),
        (buckets::azure, ConditionalWrites::Native, 3, 2),
        (buckets::gcs, ConditionalWrites::Native, 3, 2),
        // Never refused.
        (buckets::ignoring, ConditionalWrites::Lease, 3, 3),
        // Known without a probe.
        (buckets::swift, ConditionalWrites::Lease, 0, 0),
    ] {
        let Some(bucket) = make() else { continue };
        for requests in [first, again] {
            let store = bucket.store();
            assert_eq!(store.conditional_writes().await.unwrap(), decides, "{}", bucket.server);
            assert_eq!(store.requests().total, requests, "{}", bucket.server);
            // Clones share the result.
            assert_eq!(store.clone().conditional_writes().await.unwrap(), decides);
            assert_eq!(store.requests().total, requests);
        }
        let (_, objects) = bucket.store().list(".publish").await.unwrap();
        let left = if first == 0 { vec![] } else { vec!["probe"] };
        assert_eq!(objects, left, "{}", bucket.server);
        assert_eq!(bucket.store().list("").await.unwrap().1, [""; 0], "nothing else is touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_probes_agree() {
    for make in [buckets::moto as fn() -> Option<Bucket>, buckets::rgw, buckets::azure, buckets::gcs] {
        let Some(bucket) = make() else { continue };
        let probes = (0..8).map(|_| {
            let store = bucket.store();
            tokio::spawn(async move { store.conditional_writes().await.unwrap() })
        });
        for probe in probes.collect::<Vec<_>>() {
            assert_eq!(probe.await.unwrap(), ConditionalWrites::Native, "{}", bucket.server);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_is_cached_per_server_and_location() {
    let (Some(moto), Some(ignoring)) = (buckets::moto(), buckets::ignoring()) else { return };
    let place = TempDir::with_prefix("publish-test-").unwrap();
    let cached = |store: Store| store.with_cache(Some(Cache::new(place.path(), 1 << 20)));
    for (bucket, decides, first) in
        [(&moto, ConditionalWrites::Native, 4), (&ignoring, ConditionalWrites::Lease, 3)]
    {
        for requests in [first, 0] {
            let store = cached(bucket.store());
            assert_eq!(store.conditional_writes().await.unwrap(), decides);
            assert_eq!(store.requests().total, requests);
        }
    }
    // The same name on another server is another bucket.
    let store = cached(with(&moto, "AWS_ENDPOINT_URL_S3", &ignoring.endpoint));
    assert_eq!(store.conditional_writes().await.unwrap(), ConditionalWrites::Lease);
    // The result is valid for a week.
    let long_ago = SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap() - WEEK;
    for entry in walkdir::WalkDir::new(place.path()).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            fs::File::options().write(true).open(entry.path()).unwrap().set_modified(long_ago).unwrap();
        }
    }
    let store = cached(moto.store());
    store.conditional_writes().await.unwrap();
    assert_eq!(store.requests().total, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_probe_has_no_result() {
    let Some(bucket) = buckets::rgw() else { return };
    let store = with(&bucket, "AWS_SECRET_ACCESS_KEY", "wrong");
    let error = store.conditional_writes().await.unwrap_err();
    assert!(matches!(&error, Error::Failed { path, .. } if path == PROBE), "{error:?}");
}

/// apt sends `If-Modified-Since`, with a resolution of a second.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_revisions_have_the_same_second() {
    let swaps = buckets::each().chain(buckets::ignoring()).map(|bucket| async move {
        let store = bucket.store();
        store.swap("pointer", "0".into(), None).await.unwrap();
        let mut times = Vec::new();
        for number in 1..=3 {
            let there = store.read("pointer", publish::store::Limit::mebibytes(64)).await.unwrap().unwrap();
            times.push(store.head("pointer").await.unwrap().unwrap().modified);
            store.swap("pointer", number.to_string().into(), Some(&there.revision)).await.unwrap();
        }
        times.push(store.head("pointer").await.unwrap().unwrap().modified);
        let seconds = times.iter().map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        let seconds: Vec<u64> = seconds.collect();
        assert!(seconds.is_sorted_by(|a, b| a < b), "{}: {seconds:?}", bucket.server);
    });
    futures::future::join_all(swaps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_to_the_clock_of_a_server_is_known() {
    for bucket in buckets::each() {
        let store = bucket.store();
        let now = || SystemTime::UNIX_EPOCH + SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(store.clock_difference(now() + hour), None, "nothing is known yet");
        assert!(store.read("absent", publish::store::Limit::mebibytes(64)).await.unwrap().is_none());
        for (is_ahead, local) in [(true, now() + hour), (false, now() - hour)] {
            let (ahead, difference) = store.clock_difference(local).unwrap();
            assert_eq!(ahead, is_ahead, "{}", bucket.server);
            let off = difference.abs_diff(hour);
            assert!(off < Duration::from_secs(60), "{}: {difference:?}", bucket.server);
        }
    }
    assert_eq!(memory().clock_difference(SystemTime::UNIX_EPOCH), None);
}

/// Increments a number, with retries until it succeeds.
async fn add(store: &Store, who: usize, times: usize) {
    for time in 0..times {
        loop {
            let there = store.read("number", publish::store::Limit::mebibytes(64)).await.unwrap();
            let text = there.as_ref().map_or("0".into(), |there| String::from_utf8_lossy(&there.bytes));
            let number: usize = text.split(' ').next().unwrap().parse().unwrap();
            // Unique bytes, because a writer that reads its own bytes takes them for its own write.
            let bytes = format!("{} {who} {time}", number + 1);
            match store.swap("number", bytes.into(), there.as_ref().map(|there| &there.revision)).await {
                Ok(()) => break,
                Err(Error::Conflict { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

/// Eight independent stores increment one number.
async fn no_increment_is_lost(bucket: Bucket, times: usize) {
    const WRITERS: usize = 8;
    let writers = (0..WRITERS).map(|who| {
        let store = bucket.store().with_lease_times(QUICK);
        tokio::spawn(async move { add(&store, who, times).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let store = bucket.store();
    let number = store.read("number", publish::store::Limit::mebibytes(64)).await.unwrap().unwrap().bytes;
    let number = String::from_utf8_lossy(&number).into_owned();
    assert_eq!(number.split(' ').next().unwrap(), (WRITERS * times).to_string(), "{}", bucket.server);
    let left: Vec<_> = store.walk(CLAIMS).try_collect().await.unwrap();
    assert_eq!(left, [], "{}", bucket.server);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_increments_none_is_lost() {
    let on_each = buckets::each().chain(buckets::ignoring()).map(|bucket| no_increment_is_lost(bucket, 5));
    futures::future::join_all(on_each).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_holder_blocks_others_until_its_claim_expires() {
    let times = LeaseTimes { length: Duration::from_secs(4), ..QUICK };
    let on_each = [(buckets::swift(), 0), (buckets::ignoring(), 3)].map(|(bucket, probing)| async move {
        let Some(bucket) = bucket else { return };
        let store = || bucket.store().with_lease_times(times);
        // After its claim, before the pointer.
        let (faults, gate) = Faults::wait(probing + 2, Side::Before);
        let dying = faults.on(store());
        let holder = tokio::spawn(async move { dying.swap("pointer", "dead".into(), None).await });
        gate.reached().await;
        holder.abort();
        assert!(holder.await.unwrap_err().is_cancelled());
        let claims: Vec<_> = store().walk(CLAIMS).try_collect().await.unwrap();
        assert_eq!(claims.len(), 1, "{}", bucket.server);

        store().swap("pointer", "alive".into(), None).await.unwrap();
        assert_eq!(
            store().read("pointer", publish::store::Limit::mebibytes(64)).await.unwrap().unwrap().bytes,
            "alive"
        );
        let written = store().head("pointer").await.unwrap().unwrap().modified;
        assert!(written > claims[0].modified + times.length, "{}", bucket.server);
        // It removed the claim of the dead holder.
        assert_eq!(store().walk(CLAIMS).try_collect::<Vec<_>>().await.unwrap(), [], "{}", bucket.server);
    });
    futures::future::join_all(on_each).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_conflicting_creations_fails() {
    for (bucket, probing, first_wins) in [(buckets::swift(), 0, true), (buckets::ignoring(), 3, false)] {
        let Some(bucket) = bucket else { continue };
        // Both have read, and found no object.
        let (faults, first_gate) = Faults::wait(probing + 1, Side::After);
        let first = faults.on(bucket.store());
        let (faults, second_gate) = Faults::wait(probing + 1, Side::Before);
        let second = faults.on(bucket.store());
        let content = |text: &'static str| Content::Bytes(text.into(), Digests::of(text.as_bytes()));
        let (one, two) = (content("one"), content("two"));
        // The second has read before the first writes.
        let second = tokio::spawn(async move { second.put_new("a", &two).await });
        second_gate.reached().await;
        let first = tokio::spawn(async move { first.put_new("a", &one).await });
        first_gate.reached().await;
        second_gate.open();
        let second = second.await.unwrap();
        first_gate.open();
        let first = first.await.unwrap();
        let (won, lost) = if first_wins { (first, second) } else { (second, first) };
        assert_eq!(won.unwrap(), Put::Created, "{}", bucket.server);
        assert!(matches!(lost, Err(Error::Occupied { .. })), "{}: {lost:?}", bucket.server);
    }
}
