//! Every command on a bucket that is the archive itself: a job has only its location, credentials and a key.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Output, Sandbox, fixture},
    servers::{self, Bucket},
    sync_buckets::paths,
};

/// A job: it runs `publish` on the bucket and has no archive of its own.
struct Job<'a> {
    bucket: &'a Bucket,
    sandbox: &'a Sandbox,
}

impl Job<'_> {
    fn run(&self, seconds: u64, arguments: &[&str]) -> crate::sandbox::Outcome {
        let clock = crate::sandbox::CLOCK.parse::<u64>().unwrap() + seconds;
        let place = self.bucket.place();
        self.bucket.publish(self.sandbox, &clock.to_string(), &[&["-a", &place], arguments].concat())
    }

    fn ok(&self, seconds: u64, arguments: &[&str]) -> Output {
        self.run(seconds, arguments).ok()
    }
}

fn story(bucket: Option<Bucket>) {
    let Some(bucket) = bucket else { return };
    let sandbox = Sandbox::signed();
    let job = Job { bucket: &bucket, sandbox: &sandbox };
    deb("lab-g++").version("1:12.2~3+b1").write(sandbox.incoming());
    let one = deb("hello").version("1.0").write(sandbox.path("more"));
    let two = deb("hello").version("2.0~rc1+b1").write(sandbox.path("more"));

    // The bucket is empty, and reading creates nothing.
    job.run(0, &["list"]).fails(1).says(["there is no archive in"]);
    job.ok(0, &["add", "-n", "incoming"]).says(["Would add 1 package", "nothing was written"]);
    assert_eq!(paths(&bucket), [""; 0], "{}", bucket.server);

    job.ok(0, &["add", "incoming", one.to_str().unwrap()])
        .says(["Added 2 packages", "Published suite `stable`"]);
    job.ok(10, &["add", two.to_str().unwrap()]).says(["Published suite"]);
    job.ok(10, &["add", two.to_str().unwrap()])
        .says(["already published in suite `stable`, with the same bytes", "Nothing to do"]);
    let other = deb("hello").version("1.0").payload("other").write_as(sandbox.path("other/hello.deb"));
    job.run(20, &["add", other.to_str().unwrap()]).fails(1).says(["is published with other contents"]);
    assert_eq!(job.ok(20, &["list"]).stdout.lines().count(), 3);
    assert!(job.ok(20, &["show", "hello=2.0~rc1+b1"]).stdout.contains("Version: 2.0~rc1+b1\n"));
    job.ok(20, &["check"]).says(["no faults"]);

    let key = fixture("keys/test.pub.asc");
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::at(&bucket.url()).signed_by(key.clone()));
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0~rc1+b1", "1.0"], "{} by {}", bucket.server, apt.name);
        assert_eq!(apt.download("hello=1.0"), fs::read(&one).unwrap());
        // The next generation is seen immediately, although the timestamps of servers have a resolution of a second.
        job.ok(30, &["remove", "hello=1.0"]).says(["Removed 1 package"]);
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0~rc1+b1"], "{} by {}", bucket.server, apt.name);
        job.ok(40, &["add", one.to_str().unwrap()]);
        apt.updates();
        assert_eq!(apt.versions("hello"), ["2.0~rc1+b1", "1.0"], "{} by {}", bucket.server, apt.name);
    }

    // Headers from the configuration, which need not be in the bucket.
    let conf = sandbox.path("distributions");
    let text = "Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 1\nIndexCacheControl: max-age=7\nPoolCacheControl: max-age=77\n";
    fs::write(&conf, text).unwrap();
    let three = deb("hello").version("3.0").write(sandbox.path("more"));
    let add = ["--config", conf.to_str().unwrap(), "add", three.to_str().unwrap()];
    job.ok(50, &add).says(["Added 1 package", "Removed 2 packages"]);
    for (path, cache) in
        [("dists/stable/InRelease", "max-age=7"), ("pool/main/h/hello/hello_3.0_amd64.deb", "max-age=77")]
    {
        let answer = bucket.get(&format!("apt/{path}"));
        assert_eq!(answer.header("cache-control"), Some(cache), "{} {path}", bucket.server);
    }

    // Leftovers of a killed publisher, and lost files.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = bucket.archive();
    for path in
        ["dists/stable/InRelease", "dists/stable/Release", "dists/stable/main/binary-amd64/Packages.gz"]
    {
        runtime.block_on(store.delete(path)).unwrap();
    }
    job.run(60, &["add", one.to_str().unwrap()]).fails(1).says(["no `InRelease`", "--repair"]);
    job.run(60, &["check"]).fails(4);
    job.ok(60, &["check", "--repair"]).says(["Repaired dists/stable/InRelease", "no faults"]);
    job.ok(60, &["prune"]).says(["Nothing to delete"]);
    job.ok(60, &["check"]);
    // No locks or claims are left.
    let mut left = paths(&bucket);
    left.retain(|path| path.starts_with(".publish/"));
    assert_eq!(left, [""; 0], "{}", bucket.server);
}

#[test]
fn moto_is_an_archive() {
    story(servers::moto());
}

#[test]
fn radosgw_is_an_archive() {
    story(servers::rgw());
}

#[test]
fn azurite_is_an_archive() {
    story(servers::azure());
}

#[test]
fn the_double_of_googles_storage_is_an_archive() {
    story(servers::gcs());
}

#[test]
fn swift_is_an_archive() {
    story(servers::swift());
}
