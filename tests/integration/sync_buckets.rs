//! `publish sync` to real servers, and real apt reading directly from the container, or from a cache in front of it.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use publish::store::Store;

use crate::{
    apt_client::{Client, Source},
    buckets::open,
    deb_builder::deb,
    sandbox::{Output, Sandbox},
    servers::{self, Bucket},
};

/// Names and versions with characters that apt encodes and that are hard for servers.
fn archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("lab-g++").version("1:12.2~3+b1").write(sandbox.incoming());
    deb("hello").version("2.0~rc1+b1").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    sandbox
}

impl Bucket {
    /// The location of the archive: within a folder of the bucket, so that prefixes are tested too.
    pub(crate) fn place(&self) -> String {
        format!("{}/apt", self.location)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/apt", self.public)
    }

    pub(crate) fn archive(&self) -> Store {
        open(&self.place(), &self.environment()).unwrap()
    }

    /// Runs `publish` with the variables of this server, at a time.
    pub(crate) fn publish(
        &self,
        sandbox: &Sandbox,
        clock: &str,
        arguments: &[&str],
    ) -> crate::sandbox::Outcome {
        let mut variables: Vec<(&str, &str)> =
            self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.push(("PUBLISH_DATE", clock));
        sandbox.publish_with(&variables, arguments)
    }

    fn sync(&self, sandbox: &Sandbox, more: &[&str]) -> Output {
        let place = self.place();
        self.publish(sandbox, crate::sandbox::CLOCK, &[&["sync", &place], more].concat()).ok()
    }
}

/// Checks the public headers of the files of an archive.
fn headers_are_those_of_their_kind(bucket: &Bucket) {
    let immutable = "public, max-age=31536000, immutable";
    let short = "public, max-age=60, must-revalidate";
    let by_hash = fs_names(bucket, "by-hash");
    let generation = fs_names(bucket, "generations");
    for (path, kind, cache) in [
        (
            "pool/main/l/lab-g%2b%2b/lab-g%2b%2b_12.2%7e3%2bb1_amd64.deb",
            "application/vnd.debian.binary-package",
            immutable,
        ),
        (&by_hash, "application/octet-stream", immutable),
        (&generation, "text/plain; charset=utf-8", immutable),
        ("dists/stable/InRelease", "text/plain; charset=utf-8", short),
        ("dists/stable/Release", "text/plain; charset=utf-8", short),
        ("dists/stable/Release.gpg", "application/pgp-signature", short),
        ("dists/stable/main/binary-amd64/Packages.xz", "application/x-xz", short),
        ("dists/stable/main/binary-amd64/Packages.gz", "application/gzip", short),
        ("archive-key.asc", "application/pgp-keys", short),
    ] {
        let answer = bucket.get(&format!("apt/{path}"));
        let context = format!("{} {path}", bucket.server);
        assert_eq!(answer.status, 200, "{context}");
        assert_eq!(answer.header("content-type"), Some(kind), "{context}");
        assert_eq!(answer.header("cache-control"), Some(cache), "{context}");
        assert_eq!(answer.header("content-encoding"), None, "{context}");
    }
}

/// A path in the bucket that contains a text, as listed by the store.
fn fs_names(bucket: &Bucket, part: &str) -> String {
    let mut paths = paths(bucket);
    paths.retain(|path| path.contains(part) && !path.contains("Release.gpg"));
    paths.swap_remove(0)
}

/// Everything in the bucket, except the object used to probe conditional writes.
pub(crate) fn paths(bucket: &Bucket) -> Vec<String> {
    use futures::TryStreamExt as _;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found =
        runtime.block_on(bucket.archive().walk("").map_ok(|found| found.path).try_collect::<Vec<_>>());
    let mut found = found.unwrap();
    found.retain(|path| path != ".publish/probe");
    found.sort();
    found
}

fn a_client_reads_it(bucket: &Bucket, sandbox: &Sandbox) {
    for mut apt in Client::all(sandbox) {
        apt.source(&Source::at(&bucket.url()).signed_by(sandbox.archive("archive-key.asc")));
        apt.updates();
        let context = format!("{} by {}", bucket.server, apt.name);
        assert_eq!(apt.candidate("lab-g++").as_deref(), Some("1:12.2~3+b1"), "{context}");
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0~rc1+b1"), "{context}");
        for (package, file) in [
            ("lab-g++", "lab-g++_12.2~3+b1_amd64.deb"),
            ("hello", "hello_2.0~rc1+b1_amd64.deb"),
            ("hello-doc", "hello-doc_1.0_all.deb"),
        ] {
            assert_eq!(apt.download(package), fs::read(sandbox.incoming().join(file)).unwrap(), "{context}");
        }
    }
}

/// The whole test on one server.
fn story(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = archive();
    let carried = sandbox.tree().paths_with("");
    // Private files.
    for (path, text) in [
        ("conf/distributions", "Codename: stable\nComponents: main\n"),
        ("db/packages.db", "db"),
        ("signing-key.asc", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"),
        ("pool/main/h/hello/stray_1_amd64.deb", "no index names it"),
        ("pool/.publish-1.tmp", "half a file"),
    ] {
        fs::create_dir_all(sandbox.archive(path).parent().unwrap()).unwrap();
        fs::write(sandbox.archive(path), text).unwrap();
    }
    let url = bucket.url();
    let said = bucket.sync(&sandbox, &["--public-url", &url]);
    said.says(["Published suite `stable`"]);
    assert!(said.stdout.contains(&format!("URIs: {url}\nSuites: stable\n")), "{}", said.stdout);
    // With a URL, the sources and the keys for clients are at the root.
    let is_for_clients = |path: &String| path.ends_with(".sources") || path.ends_with("-archive-keyring.pgp");
    let (for_clients, copied): (Vec<_>, Vec<_>) = paths(&bucket).into_iter().partition(is_for_clients);
    assert_eq!((for_clients.len(), copied), (2, carried), "{}", bucket.server);
    headers_are_those_of_their_kind(&bucket);
    a_client_reads_it(&bucket, &sandbox);
    bucket.sync(&sandbox, &["-v"]).says(["Nothing to do", "0 of them listings"]);

    // Damaged and lost files are sent again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (lost, changed) =
        ("pool/main/h/hello/hello_2.0~rc1+b1_amd64.deb", "dists/stable/main/binary-amd64/Packages.xz");
    runtime.block_on(async {
        let store = bucket.archive();
        store.delete(lost).await.unwrap();
        store.replace(changed, "nonsense".into()).await.unwrap();
    });
    bucket
        .sync(&sandbox, &["--verify", "-v"])
        .says([&format!("wrote {lost}")[..], &format!("wrote {changed}")]);
    headers_are_those_of_their_kind(&bucket);
    assert_eq!(
        bucket.get("apt/pool/main/h/hello/hello_2.0%7erc1%2bb1_amd64.deb").header("cache-control"),
        Some("public, max-age=31536000, immutable"),
        "{}: what was repaired",
        bucket.server
    );
    a_client_reads_it(&bucket, &sandbox);
    // The bucket is a full archive, like the folder.
    let place = bucket.place();
    bucket.publish(&sandbox, crate::sandbox::CLOCK, &["-a", &place, "check"]).ok();

    // Files that clients read a moment ago are kept; others are deleted, as by `prune`.
    sandbox.publish(["remove", "hello-doc"]).ok();
    let delete = ["sync", &place, "--delete", "--keep-generations", "1"];
    bucket.publish(&sandbox, crate::sandbox::CLOCK, &delete).ok().says(["Published suite"]);
    let gone = "pool/main/h/hello-doc/hello-doc_1.0_all.deb".to_owned();
    assert!(paths(&bucket).contains(&gone), "{}", bucket.server);
    assert!(!paths(&bucket).iter().any(|path| path.starts_with(".publish/")), "{}", bucket.server);
}

#[test]
fn moto_serves_it() {
    story(servers::moto());
}

#[test]
fn radosgw_serves_it() {
    story(servers::rgw());
}

#[test]
fn azurite_serves_it() {
    story(servers::azure());
}

#[test]
fn the_double_of_googles_storage_serves_it() {
    story(servers::gcs());
}

#[test]
fn swift_serves_it() {
    story(servers::swift());
}

#[test]
fn swift_serves_it_with_keystone() {
    story(servers::keystone());
}

#[test]
fn a_container_of_swift_is_made_and_opened_on_request() {
    let Some(mut bucket) = servers::swift() else { return };
    let sandbox = archive();
    // A container that does not exist yet.
    let made = format!("{}-made", bucket.name);
    bucket.public = bucket.public.replace(&bucket.name, &made);
    bucket.location = format!("swift://{made}");
    let place = format!("{}?read=public", bucket.place());
    bucket.publish(&sandbox, crate::sandbox::CLOCK, &["sync", &place]).ok();
    a_client_reads_it(&bucket, &sandbox);
}

/// Versions are published repeatedly behind a cache, while clients read continuously.
fn rounds_behind_a_cache(bucket: Option<Bucket>) {
    const ROUNDS: u64 = 8;
    let Some(bucket) = bucket else { return };
    let sandbox = archive();
    bucket.sync(&sandbox, &[]);
    let Some(cdn) = servers::cdn(&bucket.url()) else { return };
    let (over, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let clock = |round: u64| (crate::sandbox::CLOCK.parse::<u64>().unwrap() + round * 60).to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Stops the clients even if the test panics.
            struct Over<'a>(&'a AtomicBool);
            impl Drop for Over<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let _over = Over(&over);
            for round in 1..=ROUNDS {
                deb("moving").version(&format!("{round}.0")).write(sandbox.path("round"));
                let file = sandbox.path("round").join(format!("moving_{round}.0_amd64.deb"));
                sandbox
                    .publish_with(&[("PUBLISH_DATE", &clock(round))], ["add".as_ref(), file.as_os_str()])
                    .ok();
                if round % 3 == 0 {
                    let gone = format!("moving={}.0", round - 1);
                    sandbox.publish_with(&[("PUBLISH_DATE", &clock(round))], ["remove", &gone]).ok();
                }
                let place = bucket.place();
                bucket.publish(&sandbox, &clock(round), &["sync", &place]).ok();
                std::thread::sleep(Duration::from_millis(700));
            }
        });
        for mut apt in Client::all(&sandbox) {
            let source = Source::at(cdn.url()).signed_by(sandbox.archive("archive-key.asc"));
            let (over, reads) = (&over, &reads);
            scope.spawn(move || {
                apt.source(&source);
                while !over.load(Ordering::Relaxed) {
                    apt.updates();
                    // Every file of the index exists, however old the cached index is.
                    if let Some(version) = apt.candidate("moving") {
                        assert!(!apt.download(&format!("moving={version}")).is_empty());
                    }
                    apt.download("lab-g++");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(reads.load(Ordering::Relaxed) >= 4, "the clients hardly read");
    let log = cdn.log();
    assert!(log.iter().any(|line| line.starts_with("HIT 200") && line.contains("InRelease")), "{log:#?}");
    // Optional files that apt may request exist as well.
    let missing: Vec<&String> =
        log.iter().filter(|line| line.contains(" 404 ") && !line.contains("i18n")).collect();
    assert_eq!(missing, [&""; 0], "{log:#?}");
}

#[test]
fn behind_a_cache_no_round_shows_a_mismatch() {
    rounds_behind_a_cache(servers::moto());
}

#[test]
fn behind_a_cache_of_swift_no_round_shows_a_mismatch() {
    rounds_behind_a_cache(servers::swift());
}

/// A purge is visible at once; without it, only after the time for which the cache may keep the files.
#[test]
fn a_purge_shows_the_new_suite_at_once() {
    let Some(bucket) = servers::rgw() else { return };
    let sandbox = archive();
    bucket.sync(&sandbox, &[]);
    let Some(cdn) = servers::cdn(&bucket.url()) else { return };
    if let Some(mut apt) = Client::debian_12(&sandbox) {
        apt.source(&Source::at(cdn.url()).signed_by(sandbox.archive("archive-key.asc")));
        apt.updates();
        let publish = |version: &str, minutes: u64, destination: &str| {
            let file = deb("fresh").version(version).write(sandbox.path("more"));
            let clock = (crate::sandbox::CLOCK.parse::<u64>().unwrap() + minutes * 60).to_string();
            let clocked = [("PUBLISH_DATE", clock.as_str())];
            sandbox.publish_with(&clocked, ["add".as_ref(), file.as_os_str()]).ok();
            bucket.publish(&sandbox, &clock, &["sync", destination]).ok();
            apt.updates();
            apt.candidate("fresh")
        };
        // Timestamps of servers have a resolution of a second, and apt requests only newer files.
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(publish("1", 1, &bucket.place()), None, "the cache still has the old pointer");
        fs::create_dir_all(sandbox.archive("conf")).unwrap();
        // Purging an nginx means deleting its files.
        let destinations = format!(
            "Name: cdn\nLocation: {}\nPublic-Url: {}\nPurge:\n !while read url; do echo \"$url\"; done > purged; find {} -type f -delete\n",
            bucket.place(),
            cdn.url(),
            cdn.cache().display()
        );
        fs::write(sandbox.archive("conf/destinations"), destinations).unwrap();
        assert_eq!(publish("2", 2, "cdn").as_deref(), Some("2"));
        let purged = fs::read_to_string(sandbox.path("purged")).unwrap();
        assert!(purged.contains(&format!("{}/dists/stable/InRelease\n", cdn.url())), "{purged}");
    }
}

#[test]
fn cache_settings_of_suites_are_synced() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = Sandbox::signed();
    let suite = |name: &str, more: &str| format!("Codename: {name}\nComponents: main\n{more}\n");
    let both = suite("stable", "IndexCacheControl: max-age=7\nPoolCacheControl: max-age=77\n");
    sandbox.configure(&both);
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    bucket.sync(&sandbox, &[]);
    let cache_control =
        |path: &str| bucket.get(&format!("apt/{path}")).header("cache-control").map(str::to_owned);
    assert_eq!(cache_control("dists/stable/InRelease").as_deref(), Some("max-age=7"));
    assert_eq!(cache_control("pool/main/h/hello/hello_1.0_amd64.deb").as_deref(), Some("max-age=77"));
    // If another suite has a different setting, no header is right for both.
    sandbox.configure(&format!("{both}\n{}", suite("testing", "IndexCacheControl: max-age=8\n")));
    deb("other").write(sandbox.path("more"));
    let later = [("PUBLISH_DATE", "1748739600")];
    sandbox.publish_with(&later, ["add", "--suite", "stable", "more"]).ok();
    bucket
        .sync(&sandbox, &[])
        .says(["suites differ in `IndexCacheControl`", "suites differ in `PoolCacheControl`"]);
    assert_eq!(
        cache_control("dists/stable/InRelease").as_deref(),
        Some("public, max-age=60, must-revalidate")
    );
}
