//! The number of requests to a destination, counted on the wire: one more package in an archive of 60,000.

use std::{fmt::Write as _, fs};

use publish::{
    digest::Digests,
    store::{Cache, ConditionalWrites},
};

use crate::{buckets, deb_builder::deb, publisher::folder, sandbox::Sandbox};

const PACKAGES: usize = 60_000;

/// An archive with too many packages to build for a test: the index lists files that do not exist here, which a sync to
/// a destination with them does not read.
fn large_archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
    let mut packages = String::new();
    for number in 0..PACKAGES {
        let name = format!("package{number:05}");
        let digests = Digests::of(name.as_bytes());
        let _ = write!(
            packages,
            "Package: {name}\nVersion: 1.{number}\nArchitecture: amd64\nMaintainer: A <a@example.org>\n\
             Description: number {number} of many\nFilename: pool/main/p/{name}/{name}_1.{number}_amd64.deb\n\
             Size: {}\nMD5sum: {}\nSHA256: {}\n\n",
            digests.size, digests.md5, digests.sha256
        );
    }
    sandbox.adopt_index(&packages);
    sandbox
}

#[tokio::test]
async fn one_package_more_in_sixty_thousand_takes_few_requests() {
    let Some(bucket) = buckets::moto() else { return };
    let sandbox = large_archive();
    let first = deb("first").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), "--trust-existing".as_ref(), first.as_os_str()]).ok();
    // The bucket serves this generation.
    let home = [("HOME".to_owned(), sandbox.path("home").display().to_string())];
    let destination = bucket.store().with_cache(Cache::of(&home.into_iter().collect()));
    // The capabilities of the store are probed once a week; that is not counted here.
    assert_eq!(destination.conditional_writes().await.unwrap(), ConditionalWrites::Native);
    destination.copy(".publish/probe", ".publish/copy").await.unwrap();
    for path in sandbox.tree().paths_with("") {
        if !path.starts_with("conf/") {
            let bytes = folder(sandbox.archive(""))
                .read(&path, publish::store::Limit::mebibytes(64))
                .await
                .unwrap()
                .unwrap()
                .bytes;
            destination.replace(&path, bytes).await.unwrap();
        }
    }
    let variables: Vec<(&str, &str)> =
        bucket.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let sync = |more: &[&str]| {
        let arguments = [&["sync", &bucket.location], more].concat();
        sandbox.publish_with(&variables, arguments).ok()
    };
    // No key is configured, so one request reads the keys that the destination publishes; one looks for the record of a
    // copy of a part, until this machine knows that the copy is whole.
    sync(&["-v"]).says(["Nothing to do", "Sent 5 requests to the destination, 0 of them listings"]);

    let second = deb("second").write(sandbox.incoming());
    let clock = [("PUBLISH_DATE", "1748736060")];
    sandbox.publish_with(&clock, ["add".as_ref(), second.as_os_str()]).ok();
    let said: serde_json::Value = serde_json::from_str(&sync(&["--json"]).stdout).unwrap();
    let said = &said["destinations"][0];
    let requests = &said["requests"];
    // Patches take three more: the patch, and the list of patches under its digest and its name.
    assert!(requests["total"].as_u64().unwrap() <= 16 + 3, "{requests}");
    // That of the records of other names, which are beside the generations; nothing else there is listed.
    assert_eq!(requests["listings"], 1);
    // The packages, the first one added, and the key.
    assert_eq!(said["there"], PACKAGES + 2);
    let reader = bucket.store();
    assert_eq!(
        reader
            .read("dists/stable/InRelease", publish::store::Limit::mebibytes(64))
            .await
            .unwrap()
            .unwrap()
            .bytes,
        fs::read(sandbox.archive("dists/stable/InRelease")).unwrap()
    );
    assert!(reader.size("pool/main/s/second/second_1.0_amd64.deb").await.unwrap().is_some());
}
