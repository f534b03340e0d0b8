//! The contract of every store, whatever its kind.

use std::{
    collections::BTreeSet,
    fs,
    io::{Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{Attribute, ObjectStoreExt as _};
use publish::{
    archive::{Archive, Trust},
    digest::Digests,
    store::{
        ConditionalWrites, Content, Error, FileStamp, Headers, Limit, Put, Revision, Service, Store,
        StoredObject,
    },
};
use tempfile::TempDir;
use tokio::sync::Barrier;

use crate::{
    buckets::{self, QUICK},
    faults::{Faults, SIDES, Side},
    publisher::{folder, memory},
    servers,
};

/// The upper bound for the objects of these tests.
const LIMIT: Limit = Limit::mebibytes(64);

/// More than one part, and not a multiple of the part size.
const LARGE: usize = (20 << 20) + 7;
/// The part size.
const PART: usize = 8 << 20;

/// Runs a test on a new store of each kind: local ones, and one on every available server.
async fn on_each<F: Future<Output = ()>>(test: impl Fn(Store, PathBuf) -> F) {
    on_each_here(&test).await;
    // Concurrently: most of the time is spent waiting.
    let on_servers = buckets::each().chain(buckets::ignoring()).map(|bucket| {
        let place = TempDir::with_prefix("publish-test-").unwrap();
        let done = test(bucket.store().with_lease_times(QUICK), place.path().to_owned());
        async move {
            done.await;
            drop(place);
        }
    });
    futures::future::join_all(on_servers).await;
}

/// Runs a test on a new store of each kind that needs no server.
async fn on_each_here<F: Future<Output = ()>>(test: impl Fn(Store, PathBuf) -> F) {
    for make in [|_: &Path| memory(), |path: &Path| folder(path.join("store"))] {
        let place = TempDir::with_prefix("publish-test-").unwrap();
        let store = make(place.path());
        test(store.clone(), place.path().to_owned()).await;
        if let Some(folder) = store.location().folder().filter(|folder| folder.exists()) {
            let left: Vec<_> = walkdir::WalkDir::new(folder)
                .into_iter()
                .map(|entry| entry.unwrap().into_path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "tmp"))
                .collect();
            assert!(left.is_empty(), "unfinished: {left:?}");
        }
    }
}

fn bytes(text: &str) -> Content {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let digests = Digests::of(&bytes);
    Content::Bytes(bytes, digests)
}

fn file(path: &Path, text: &[u8]) -> Content {
    fs::write(path, text).unwrap();
    let stamp = FileStamp::of(&fs::metadata(path).unwrap());
    Content::file(path.to_owned(), Digests::of(text), stamp)
}

/// Bytes in which no two parts are the same.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..size).map(|_| next()).collect()
}

async fn text(store: &Store, path: &str) -> Option<String> {
    let object = store.read(path, LIMIT).await.unwrap()?;
    Some(String::from_utf8(object.bytes.to_vec()).unwrap())
}

/// Whether the `ETag` is a digest of the bytes: for S3, and so for the double of Google's.
fn tags_are_digests(store: &Store) -> bool {
    store.location().bucket().is_some_and(|bucket| bucket.service != Service::Azure)
}

async fn revision(store: &Store, path: &str) -> Revision {
    store.read(path, LIMIT).await.unwrap().unwrap().revision
}

#[tokio::test(flavor = "multi_thread")]
async fn immutable_objects_are_created_once() {
    on_each(|store, place| async move {
        let small = [bytes("one"), file(&place.join("small"), b"one")];
        for (at, content) in small.iter().enumerate() {
            let path = format!("a/b{at}/c");
            assert_eq!(store.check_put(&path, content.digests()).await.unwrap(), None);
            assert_eq!(store.put_new(&path, content).await.unwrap(), Put::Created);
            assert_eq!(store.put_new(&path, content).await.unwrap(), Put::Present);
            assert_eq!(store.check_put(&path, content.digests()).await.unwrap(), Some(Put::Present));
            // Of the same size, too: sizes alone prove nothing.
            for other in [bytes("two"), bytes("three"), bytes("")] {
                match store.put_new(&path, &other).await.unwrap_err() {
                    Error::Occupied { path: named, size, there, new } => {
                        assert_eq!(
                            (named.as_str(), size, *new),
                            (path.as_str(), content.digests().size, *other.digests())
                        );
                        // An object of another size is not read.
                        let read = (other.digests().size == size).then_some(*content.digests());
                        assert_eq!(there.map(|there| *there), read);
                    }
                    error => panic!("{error}"),
                }
                assert!(matches!(store.check_put(&path, other.digests()).await, Err(Error::Occupied { .. })));
            }
            assert_eq!(text(&store, &path).await.as_deref(), Some("one"));
        }
        let empty = bytes("");
        assert_eq!(store.put_new("empty", &empty).await.unwrap(), Put::Created);
        assert_eq!(store.put_new("empty", &empty).await.unwrap(), Put::Present);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_sent_in_parts() {
    let sound = noise(LARGE);
    let mut other = sound.clone();
    other[LARGE - 1] ^= 1;
    for size in [LARGE, 2 * PART] {
        on_each(|store, place| {
            let (sound, other) = (&sound[..size], &other[LARGE - size..]);
            async move {
                let content = file(&place.join("large"), sound);
                let faults = Faults::none();
                let store = faults.on(store);
                assert_eq!(store.put_new("pool/large", &content).await.unwrap(), Put::Created);
                assert!(faults.largest() <= PART, "{} bytes at once", faults.largest());
                let parts = faults.writes().iter().filter(|write| write.verb == "part").count();
                // A folder copies the file itself; a bucket gets it in parts.
                let folder = store.location().folder().is_some();
                assert_eq!(parts, if folder { 0 } else { size.div_ceil(PART) });
                assert_eq!(store.digests("pool/large", LIMIT).await.unwrap(), Some(*content.digests()));
                assert_eq!(store.size("pool/large").await.unwrap(), Some(size as u64));
                assert_eq!(store.put_new("pool/large", &content).await.unwrap(), Put::Present);
                let other = file(&place.join("other"), other);
                assert!(matches!(store.put_new("pool/large", &other).await, Err(Error::Occupied { .. })));
                assert_eq!(store.digests("pool/large", LIMIT).await.unwrap(), Some(*content.digests()));
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_exists_completely_or_not_at_all() {
    let large = noise(2 * PART + 7);
    on_each_here(|store, place| {
        let content = file(&place.join("large"), &large);
        async move {
            let faults = Faults::none();
            faults.on(store.clone()).put_new("pool/sample", &content).await.unwrap();
            let writes: Vec<_> = faults.writes().iter().map(|write| write.verb).collect();
            match store.location().folder() {
                Some(_) => assert_eq!(writes, ["create"]),
                None => assert_eq!(writes, ["begin", "part", "part", "part", "end"]),
            }
            for (number, verb) in writes.iter().enumerate() {
                for side in SIDES {
                    let path = format!("pool/{number}{side:?}");
                    let failing = Faults::fail(number + 1, side).on(store.clone());
                    let error = failing.put_new(&path, &content).await.unwrap_err();
                    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
                    let ended = matches!(*verb, "end" | "create") && side == Side::After;
                    let there = store.digests(&path, LIMIT).await.unwrap();
                    assert_eq!(there, ended.then_some(*content.digests()), "{side:?} {verb}");
                    let again = store.put_new(&path, &content).await.unwrap();
                    assert_eq!(again, if ended { Put::Present } else { Put::Created });
                }
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_since_it_was_read_is_not_written() {
    on_each_here(|store, place| async move {
        for size in [3, LARGE, 2 * PART] {
            let old = noise(size);
            let path = place.join("source");
            let changes: [fn(&Path); 4] = [
                |path| {
                    let mut file = fs::File::options().write(true).open(path).unwrap();
                    file.seek(std::io::SeekFrom::End(-1)).unwrap();
                    file.write_all(b"!").unwrap();
                },
                |path| fs::File::options().append(true).open(path).unwrap().write_all(b"more").unwrap(),
                |path| fs::File::options().write(true).open(path).unwrap().set_len(2).unwrap(),
                // Other bytes of the same size under the same name.
                |path| {
                    let size = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
                    fs::write(path.with_extension("new"), vec![b'x'; size]).unwrap();
                    fs::rename(path.with_extension("new"), path).unwrap();
                },
            ];
            for change in changes {
                let content = file(&path, &old);
                // Within one tick of the kernel's clock, a write does not change the mtime.
                std::thread::sleep(std::time::Duration::from_millis(10));
                change(&path);
                let error = store.put_new("pool/file", &content).await.unwrap_err();
                assert!(matches!(error, Error::Changed { .. }), "{error:?}");
                assert_eq!(store.size("pool/file").await.unwrap(), None);
            }
            let content = file(&path, &old);
            fs::remove_file(&path).unwrap();
            assert!(matches!(store.put_new("pool/file", &content).await, Err(Error::Source { .. })));
            assert_eq!(store.size("pool/file").await.unwrap(), None);
        }
        assert_eq!(store.list("pool").await.unwrap(), (vec![], vec![]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_replaced_and_copied() {
    on_each(|store, _| async move {
        for value in ["one", "a longer one", ""] {
            store.replace("dists/alias", value.to_owned().into()).await.unwrap();
            assert_eq!(text(&store, "dists/alias").await.as_deref(), Some(value));
        }
        store.replace("from", "from".into()).await.unwrap();
        for to in ["dists/alias", "new/folder/copy"] {
            store.copy("from", to).await.unwrap();
            assert_eq!(text(&store, to).await.as_deref(), Some("from"));
        }
        // A copy is an independent object.
        store.replace("from", "other".into()).await.unwrap();
        assert_eq!(text(&store, "dists/alias").await.as_deref(), Some("from"));
        store.copy("absent", "dists/alias").await.unwrap_err();
        assert_eq!(text(&store, "dists/alias").await.as_deref(), Some("from"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_needs_the_revision_that_was_read() {
    on_each(|store, _| async move {
        let path = "dists/stable/InRelease";
        let conflict = |result| assert!(matches!(result, Err(Error::Conflict { .. })), "{result:?}");
        store.swap(path, "one".into(), None).await.unwrap();
        let one = revision(&store, path).await;
        conflict(store.swap(path, "other".into(), None).await);
        assert_eq!(revision(&store, path).await, one, "a lost race changes nothing");

        store.swap(path, "two".into(), Some(&one)).await.unwrap();
        let two = revision(&store, path).await;
        assert_ne!(one, two);
        conflict(store.swap(path, "three".into(), Some(&one)).await);
        assert_eq!(text(&store, path).await.as_deref(), Some("two"));
        // The object has the wanted bytes: the response of the first attempt may have been lost.
        store.swap(path, "two".into(), Some(&one)).await.unwrap();
        assert_eq!(revision(&store, path).await, two);

        // Restoring the same bytes creates another revision.
        store.swap(path, "one".into(), Some(&two)).await.unwrap();
        if !tags_are_digests(&store) {
            assert_ne!(revision(&store, path).await, one);
        }
        conflict(store.swap(path, "four".into(), Some(&two)).await);

        store.delete(path).await.unwrap();
        conflict(store.swap(path, "five".into(), Some(&two)).await);
        assert_eq!(store.read(path, LIMIT).await.unwrap().map(|object| object.bytes), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_swaps_on_one_revision_one_wins() {
    on_each(|store, _| async move {
        let path = "dists/stable/InRelease";
        let mut expected = None;
        // No two revisions on a server have the same second.
        let rounds = if store.is_local() { 20 } else { 5 };
        for round in 0..rounds {
            let barrier = Arc::new(Barrier::new(16));
            let swaps = (0..16).map(|number| {
                let (store, barrier, expected) = (store.clone(), Arc::clone(&barrier), expected.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    let bytes = format!("{round} {number}");
                    match store.swap(path, bytes.clone().into(), expected.as_ref()).await {
                        Ok(()) => Some(bytes),
                        Err(Error::Conflict { .. }) => None,
                        Err(error) => panic!("{error:?}"),
                    }
                })
            });
            let mut winners = Vec::new();
            for swap in swaps.collect::<Vec<_>>() {
                winners.extend(swap.await.unwrap());
            }
            let now = text(&store, path).await;
            assert_eq!(winners.len(), 1, "round {round}: {winners:?}, and there is {now:?}");
            assert_eq!(now.as_ref(), winners.first());
            expected = Some(revision(&store, path).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_create_one_object_one_wins() {
    on_each(|store, place| async move {
        // Measured: several writers may get a success.
        if store.conditional_writes().await.unwrap() == ConditionalWrites::Lease {
            return;
        }
        for round in 0..5 {
            let path = format!("pool/{round}");
            let barrier = Arc::new(Barrier::new(8));
            let puts = (0..8).map(|number| {
                let (store, barrier, path) = (store.clone(), Arc::clone(&barrier), path.clone());
                let content =
                    file(&place.join(format!("{number}")), format!("bytes {}", number / 2).as_bytes());
                tokio::spawn(async move {
                    barrier.wait().await;
                    store.put_new(&path, &content).await
                })
            });
            let (mut created, mut present, mut occupied) = (0, 0, 0);
            for put in puts.collect::<Vec<_>>() {
                match put.await.unwrap() {
                    Ok(Put::Created) => created += 1,
                    Ok(Put::Present) => present += 1,
                    Err(Error::Occupied { .. }) => occupied += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert_eq!((created, present, occupied), (1, 1, 6));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_can_be_deleted() {
    on_each(|store, _| async move {
        store.delete("a/b").await.unwrap();
        store.replace("a/b", "one".into()).await.unwrap();
        store.delete("a/c").await.unwrap();
        store.delete("a/b").await.unwrap();
        store.delete("a/b").await.unwrap();
        assert!(store.read("a/b", LIMIT).await.unwrap().is_none());
        assert_eq!(store.size("a/b").await.unwrap(), None);
        assert_eq!(store.digests("a/b", LIMIT).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_survives() {
    let names = [
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
    ];
    on_each(|store, _| async move {
        for name in names {
            let path = format!("pool/~é+:%/{name}");
            assert_eq!(store.put_new(&path, &bytes(name)).await.unwrap(), Put::Created, "{name}");
            assert_eq!(text(&store, &path).await.as_deref(), Some(name));
            assert_eq!(store.size(&path).await.unwrap(), Some(name.len() as u64), "{name}");
            store.copy(&path, &format!("copy/{name}")).await.unwrap();
            store.swap(&format!("swap/{name}"), "one".into(), None).await.unwrap();
            let now = revision(&store, &format!("swap/{name}")).await;
            store.swap(&format!("swap/{name}"), "two".into(), Some(&now)).await.unwrap();
        }
        let all: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        for folder in ["pool/~é+:%", "copy", "swap"] {
            let (folders, objects) = store.list(folder).await.unwrap();
            assert_eq!((folders.len(), BTreeSet::from_iter(objects)), (0, all.clone()), "{folder}");
        }
        assert_eq!(store.list("pool").await.unwrap(), (vec!["~é+:%".to_owned()], vec![]));
        if let Some(folder) = store.location().folder() {
            // A web server must find them under their own names.
            for name in names {
                assert_eq!(fs::read(folder.join("pool/~é+:%").join(name)).unwrap(), name.as_bytes());
            }
        }
        for name in names {
            store.delete(&format!("copy/{name}")).await.unwrap();
        }
        assert_eq!(store.list("copy").await.unwrap().1, [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_has_the_direct_children() {
    on_each(|store, _| async move {
        assert_eq!(store.list("dists").await.unwrap(), (vec![], vec![]));
        for path in ["dists/b/Release", "dists/a/main/x", "dists/z", "dists/ab", "distsx/no", "top"] {
            store.replace(path, path.to_owned().into()).await.unwrap();
        }
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(store.list("dists").await.unwrap(), (owned(&["a", "b"]), owned(&["ab", "z"])));
        assert_eq!(store.list("dists/a").await.unwrap(), (owned(&["main"]), vec![]));
        assert_eq!(store.list("").await.unwrap(), (owned(&["dists", "distsx"]), owned(&["top"])));
        // A part of the path is an object.
        assert!(store.read("dists/z/below", LIMIT).await.unwrap().is_none());
        assert_eq!(store.size("dists/z/below").await.unwrap(), None);
        assert!(store.read("dists/a", LIMIT).await.unwrap().is_none(), "a folder is no object");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_escapes_the_store() {
    on_each(|store, place| async move {
        fs::write(place.join("secret"), "no").unwrap();
        for path in ["../secret", "a/../../secret", "a/./b", "a//b/../c", "a\0b"] {
            let read = store.read(path, LIMIT).await;
            assert!(matches!(read, Err(Error::BadPath { .. })), "{path:?}: {read:?}");
            assert!(store.replace(path, "x".into()).await.is_err(), "{path:?}");
        }
        assert_eq!(fs::read(place.join("secret")).unwrap(), b"no");
    })
    .await;
}

/// apt sends `If-Modified-Since`, with a resolution of a second.
#[tokio::test(flavor = "multi_thread")]
async fn two_swaps_in_one_second_have_times_of_different_seconds() {
    let place = TempDir::with_prefix("publish-test-").unwrap();
    let store = folder(place.path());
    store.swap("pointer", "0".into(), None).await.unwrap();
    let mut last = fs::metadata(place.path().join("pointer")).unwrap().mtime();
    for number in 1..6 {
        let now = revision(&store, "pointer").await;
        store.swap("pointer", number.to_string().into(), Some(&now)).await.unwrap();
        let next = fs::metadata(place.path().join("pointer")).unwrap().mtime();
        assert!(next > last, "{next} is not after {last}");
        last = next;
    }
}

/// The `Cache-Control` and `Content-Type` of an object.
async fn headers(store: &Store, path: &str) -> (String, String) {
    let got = store.objects().get(&object_store::path::Path::parse(path).unwrap()).await.unwrap();
    let header =
        |attribute| got.attributes.get(&attribute).map(|value| value.as_ref().to_owned()).unwrap_or_default();
    assert_eq!(header(Attribute::ContentEncoding), "", "{path}");
    (header(Attribute::CacheControl), header(Attribute::ContentType))
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_distinguish_mutable_files() {
    let large = noise(LARGE);
    on_each(|store, place| {
        let large = file(&place.join("large"), &large);
        async move {
            let store = store.with_headers(Headers {
                immutable: "max-age=1000, immutable".to_owned(),
                mutable: "max-age=7".to_owned(),
                content_type: |path| if path.contains(".deb") { "application/x-a" } else { "text/x-b" },
            });
            store.put_new("new.deb", &bytes("x")).await.unwrap();
            store.put_new("large.deb", &large).await.unwrap();
            store.replace("replaced", "x".into()).await.unwrap();
            store.replace_with("replaced.deb", &large).await.unwrap();
            store.swap("swapped", "x".into(), None).await.unwrap();
            let now = revision(&store, "swapped").await;
            store.swap("swapped", "y".into(), Some(&now)).await.unwrap();
            store.copy("new.deb", "copied").await.unwrap();
            store.copy("large.deb", "copied.deb").await.unwrap();
            assert_eq!(store.digests("copied.deb", LIMIT).await.unwrap(), Some(*large.digests()));
            assert_eq!(store.digests("replaced.deb", LIMIT).await.unwrap(), Some(*large.digests()));
            if store.location().folder().is_some() {
                return;
            }
            for (path, cache, kind) in [
                ("new.deb", "max-age=1000, immutable", "application/x-a"),
                ("large.deb", "max-age=1000, immutable", "application/x-a"),
                ("replaced", "max-age=7", "text/x-b"),
                ("replaced.deb", "max-age=7", "application/x-a"),
                ("swapped", "max-age=7", "text/x-b"),
                ("copied", "max-age=7", "text/x-b"),
                ("copied.deb", "max-age=7", "application/x-a"),
            ] {
                let found = headers(&store, path).await;
                assert_eq!((&found.0[..], &found.1[..]), (cache, kind), "{path} on {}", store.location());
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_gives_its_files_their_types() {
    let archive = Archive::new(memory(), Trust::unsigned());
    archive.store().put_new("pool/a.deb", &bytes("x")).await.unwrap();
    archive.store().replace("dists/stable/Release", "x".into()).await.unwrap();
    assert_eq!(
        headers(archive.store(), "pool/a.deb").await,
        ("public, max-age=31536000, immutable".into(), "application/vnd.debian.binary-package".into())
    );
    assert_eq!(
        headers(archive.store(), "dists/stable/Release").await,
        ("public, max-age=60, must-revalidate".into(), "text/plain; charset=utf-8".into())
    );
}

/// More than a page of S3 and of Google, which is 1,000.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_finds_everything_on_all_pages() {
    const MANY: usize = 1_003;
    on_each(|store, _| async move {
        let names: BTreeSet<String> =
            (0..MANY).map(|number| format!("pool/{}/a~{number}+b:é%.deb", number % 7)).collect();
        let puts = names.iter().cloned().chain(["poolx/no".to_owned(), "top".to_owned()]).map(|path| {
            let store = store.clone();
            async move { store.put_new(&path, &bytes(&path)).await.unwrap() }
        });
        futures::stream::iter(puts).buffer_unordered(16).collect::<Vec<_>>().await;

        let before = store.requests();
        let found: Vec<StoredObject> = store.walk("pool").try_collect().await.unwrap();
        let listings = store.requests().listings - before.listings;
        let service = store.location().bucket().map(|bucket| bucket.service);
        // Azure's page holds 5,000.
        let pages = if matches!(service, Some(Service::S3 | Service::Gcs)) { 2 } else { 1 };
        assert_eq!((listings, store.requests().total - before.total), (pages, pages));
        assert_eq!(found.len(), MANY);
        assert_eq!(found.iter().map(|found| found.path.clone()).collect::<BTreeSet<_>>(), names);
        for found in &found {
            assert_eq!(found.size, found.path.len() as u64);
            let digests = Digests::of(found.path.as_bytes());
            let has_md5 = matches!(service, Some(Service::S3 | Service::Gcs | Service::Swift));
            assert_eq!(found.md5, has_md5.then_some(digests.md5));
            assert_eq!(found.matches_checksum(&digests), has_md5);
            let age = found.modified.elapsed().unwrap_or_default();
            assert!(age.as_secs() < 3_600, "{age:?}");
        }
        let (_, below) = store.list("pool/3").await.unwrap();
        assert_eq!(below.len(), MANY.div_ceil(7) - usize::from(3 >= MANY % 7));
        let mut all: Vec<StoredObject> = store.walk("").try_collect().await.unwrap();
        all.retain(|found| !found.path.starts_with(".publish/"));
        assert_eq!(all.len(), MANY + 2);
        assert_eq!(store.walk("nothing/there").try_collect::<Vec<_>>().await.unwrap(), []);

        let one = store.head("top").await.unwrap().unwrap();
        assert_eq!((&one.path[..], one.size), ("top", 3));
        assert_eq!(store.head("nothing").await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_do_not_break_a_listing() {
    for bucket in [buckets::moto(), buckets::rgw()] {
        let Some(bucket) = bucket else { continue };
        let store = bucket.store();
        store.replace("pool/sound", "x".into()).await.unwrap();
        for foreign in ["pool//x", "pool/marker/", "//x", "pool/a//b"] {
            let url = format!("{}/{}/a/b~c/{foreign}", bucket.endpoint, bucket.name);
            assert_eq!(servers::s3_request("PUT", &url, &["Content-Type: text/plain"], b"x").status, 200);
        }
        let found: Vec<String> = store.walk("").map_ok(|found| found.path).try_collect().await.unwrap();
        assert_eq!(found, ["pool/sound"], "{}", bucket.server);
        let folders = vec!["a".to_owned(), "marker".to_owned()];
        assert_eq!(
            store.list("pool").await.unwrap(),
            (folders, vec!["sound".to_owned()]),
            "{}",
            bucket.server
        );
        assert_eq!(store.list("").await.unwrap(), (vec!["pool".to_owned()], vec![]), "{}", bucket.server);
    }
}

/// Size and `ETag` suffice to detect an identical object; and every request is counted.
#[tokio::test(flavor = "multi_thread")]
async fn an_identical_object_is_not_read() {
    for bucket in buckets::each() {
        let store = bucket.store();
        assert_eq!(store.requests().total, 0, "opening asks for nothing");
        // The capabilities are probed once.
        store.conditional_writes().await.unwrap();
        let before = store.requests().total;
        let asked = |store: &Store| (store.requests().total - before, store.requests().listings);
        store.put_new("a", &bytes("one")).await.unwrap();
        // Swift needs a token, and a request that detects the service.
        let more = if bucket.server == "Swift" { 2 } else { 0 };
        let asked = |store: &Store| (asked(store).0 - more, asked(store).1);
        assert_eq!(asked(&store), (1, 0));
        // Refused, then compared.
        assert_eq!(store.put_new("a", &bytes("one")).await.unwrap(), Put::Present);
        assert_eq!(asked(&store), (3, 0), "{}", bucket.server);
        assert_eq!(store.check_put("a", bytes("one").digests()).await.unwrap(), Some(Put::Present));
        assert_eq!(asked(&store), (4, 0));
        // It differs, so it is read for the error.
        assert!(matches!(store.put_new("a", &bytes("two")).await, Err(Error::Occupied { .. })));
        assert_eq!(asked(&store), (7, 0));
        store.read("a", LIMIT).await.unwrap();
        store.size("a").await.unwrap();
        store.clone().list("").await.unwrap();
        assert_eq!(asked(&store), (10, 1));
    }
    // For local stores, each call is counted.
    let store = memory();
    store.replace("a", "x".into()).await.unwrap();
    store.read("a", LIMIT).await.unwrap();
    store.list("").await.unwrap();
    assert_eq!((store.requests().total, store.requests().listings), (3, 1));
}

/// Three parts in flight and one being read, however slow the store is.
#[tokio::test(flavor = "multi_thread")]
async fn few_parts_are_in_memory_at_once() {
    let place = TempDir::with_prefix("publish-test-").unwrap();
    let content = file(&place.path().join("large"), &noise(7 * PART + 1));
    let faults = Faults::none();
    let store = faults.on(memory());
    store.put_new("large", &content).await.unwrap();
    assert_eq!(faults.writes().iter().filter(|write| write.verb == "part").count(), 8);
    assert!((2..=3).contains(&faults.most_parts()), "{}", faults.most_parts());
    assert_eq!(store.digests("large", LIMIT).await.unwrap(), Some(*content.digests()));
    store.copy("large", "copy").await.unwrap();
    assert!((2..=3).contains(&faults.most_parts()), "{}", faults.most_parts());
    assert_eq!(store.digests("copy", LIMIT).await.unwrap(), Some(*content.digests()));
}

/// The completion of an upload is retried if its response is lost, and then the upload no longer exists.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_completed_twice_exists() {
    let place = TempDir::with_prefix("publish-test-").unwrap();
    let content = file(&place.path().join("large"), &noise(LARGE));
    let store = Faults::gone_after(5).on(memory());
    assert_eq!(store.put_new("large", &content).await.unwrap(), Put::Present);
    assert_eq!(store.digests("large", LIMIT).await.unwrap(), Some(*content.digests()));
    // If the upload itself was lost, the object does not exist.
    let store = Faults::gone_after(2).on(memory());
    assert!(matches!(store.put_new("large", &content).await, Err(Error::Failed { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_may_be_deleted_during_a_read() {
    let large = noise(LARGE);
    on_each(|store, place| {
        let large = file(&place.join("large"), &large);
        async move {
            store.put_new("large", &large).await.unwrap();
            let objects = store.objects();
            let began = objects.get(&object_store::path::Path::from("large")).await.unwrap();
            let now = revision(&store, "large").await;
            store.delete("large").await.unwrap();
            // Complete or an error: a truncated body must not look like an object.
            if let Ok(read) = began.bytes().await {
                assert_eq!(Digests::of(&read), *large.digests());
            }
            assert_eq!(store.head("large").await.unwrap(), None);
            assert_eq!(store.digests("large", LIMIT).await.unwrap(), None);
            store.copy("large", "copy").await.unwrap_err();
            assert_eq!(store.head("copy").await.unwrap(), None);
            let swapped = store.swap("large", "x".into(), Some(&now)).await;
            assert!(matches!(swapped, Err(Error::Conflict { .. })), "{swapped:?}");
            assert_eq!(store.put_new("large", &large).await.unwrap(), Put::Created);
        }
    })
    .await;
}
