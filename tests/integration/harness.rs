//! Tests of the test clients: archives made by Debian's own tools must pass, damaged ones must fail.
//!
//! Nothing here runs `publish`; a failure here is a fault of the test bed.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::{Pack, deb, pack},
    sandbox::{Sandbox, fixture, is_root, sha256, skipped},
    web::Web,
};

/// An unsigned archive with `packages` in suite `stable`, made by apt-ftparchive.
fn archive_by_apt_ftparchive(sandbox: &Sandbox) {
    let index = "dists/stable/main/binary-amd64";
    fs::create_dir_all(sandbox.archive(index)).unwrap();
    let script = format!(
        "cd archive && apt-ftparchive packages pool >{index}/Packages && gzip -9nk {index}/Packages && \
         apt-ftparchive -o APT::FTPArchive::Release::Suite=stable \
         -o APT::FTPArchive::Release::Components=main -o APT::FTPArchive::Release::Architectures=amd64 \
         -o APT::FTPArchive::Release::Acquire-By-Hash=yes \
         release dists/stable >../Release && mv ../Release dists/stable/Release && \
         cd {index} && for f in Packages Packages.gz; do for n in 256 512; do \
         mkdir -p by-hash/SHA$n && cp $f by-hash/SHA$n/$(sha${{n}}sum <$f | cut -d' ' -f1); done; done"
    );
    sandbox.ask("sh", ["-ec", &script]);
}

#[test]
fn both_clients_read_an_archive_of_apt_ftparchive() {
    let sandbox = Sandbox::new();
    deb("hello").version("1:2.0~rc1+b1").write(sandbox.archive("pool/h"));
    let all = deb("hello-doc").architecture("all");
    all.write(sandbox.archive("pool/h"));
    fs::copy(fixture("debs/acpi_1.7-1.2_amd64.deb"), sandbox.archive("pool/acpi.deb")).unwrap();
    archive_by_apt_ftparchive(&sandbox);
    let web = Web::of(sandbox.archive(""));

    for mut apt in Client::all(&sandbox) {
        for source in [Source::folder(sandbox.archive("")), Source::at(&web.url)] {
            apt.source(&source.trusted());
            apt.updates();
            assert_eq!(apt.candidate("hello").as_deref(), Some("1:2.0~rc1+b1"), "{}", apt.name);
            assert_eq!(apt.versions("hello"), ["1:2.0~rc1+b1"]);
            assert_eq!(apt.candidate("nothing-of-the-kind"), None);
            assert_eq!(apt.download("hello-doc"), all.bytes());
        }
        if is_root() {
            apt.install(&["hello", "hello-doc", "acpi"]).ok();
            assert!(apt.has("usr/share/doc/hello/README"), "{}", apt.name);
            assert!(apt.has("usr/bin/acpi"), "{}", apt.name);
        } else {
            skipped("an installation needs root");
        }
    }
}

#[test]
fn both_clients_honour_acquire_by_hash() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.archive("pool"));
    archive_by_apt_ftparchive(&sandbox);
    let web = Web::of(sandbox.archive(""));
    for (by_hash, wanted) in [("force", true), ("no", false)] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::By-Hash", by_hash);
            apt.source(&Source::at(&web.url).trusted());
            apt.updates();
            let asked = web.requests();
            let index: Vec<_> = asked.iter().filter(|path| path.contains("binary-amd64")).collect();
            assert!(!index.is_empty(), "{asked:?}");
            for path in index {
                assert_eq!(path.contains("/by-hash/"), wanted, "{}: {asked:?}", apt.name);
            }
        }
    }
}

#[test]
fn both_clients_refuse_damaged_archives() {
    let sandbox = Sandbox::new();
    let hello = deb("hello").write(sandbox.archive("pool"));
    archive_by_apt_ftparchive(&sandbox);
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")));
        assert_ne!(apt.update().status, Some(0), "{}: unsigned, and not trusted", apt.name);

        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        let sound = fs::read(&hello).unwrap();
        let mut bad = sound.clone();
        bad[100] ^= 1;
        fs::write(&hello, bad).unwrap();
        assert_ne!(apt.try_download("hello").status, Some(0), "{}: other bytes", apt.name);
        fs::write(&hello, sound).unwrap();
    }

    // Another client, because the first one may keep its list.
    let packages = sandbox.archive("dists/stable/main/binary-amd64/Packages");
    let text = fs::read_to_string(&packages).unwrap().replace("hello", "hallo");
    for path in sandbox.tree().paths_with("binary-amd64/") {
        let packed = fs::read(sandbox.archive(&path)).unwrap().starts_with(&[0x1f, 0x8b]);
        let bytes = pack(if packed { Pack::Gzip } else { Pack::None }, text.as_bytes());
        fs::write(sandbox.archive(path), bytes).unwrap();
    }
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        assert_ne!(apt.update().status, Some(0), "{}: another index", apt.name);
    }
}

#[test]
fn dpkg_reads_every_package_that_the_builder_makes() {
    let sandbox = Sandbox::new();
    for compression in [Pack::None, Pack::Gzip, Pack::Xz, Pack::Zstd, Pack::Bzip2, Pack::Lzma] {
        let made = deb("hello")
            .version("1:2.0~rc1")
            .source("greetings (1.9)")
            .field("X-Foo", "bar")
            .compression(compression)
            .payload(format!("packed with {compression:?}\n"));
        let path = made.write(sandbox.incoming());
        assert_eq!(path, sandbox.incoming().join("hello_2.0~rc1_amd64.deb"));
        assert_eq!(made.bytes(), made.bytes(), "the same calls give the same bytes");
        let ask = |option: &str| sandbox.ask("dpkg-deb", [option.as_ref(), path.as_os_str()]);
        assert_eq!(ask("-f"), made.stanza());
        assert!(ask("-c").contains("./usr/share/doc/hello/README"), "{compression:?}");
    }
}

#[test]
fn dpkg_reads_every_fixture() {
    let sandbox = Sandbox::new();
    let mut packages = Vec::new();
    for entry in fs::read_dir(fixture("debs")).unwrap() {
        let path = entry.unwrap().path();
        let stanza = sandbox.ask("dpkg-deb", ["-f".as_ref(), path.as_os_str()]);
        assert!(stanza.starts_with("Package: "), "{}: {stanza}", path.display());
        packages.push(path);
    }
    assert!(packages.len() >= 11, "{packages:?}");
}

#[test]
fn trees_see_every_change() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.archive("dists/a/by-hash/SHA256")).unwrap();
    fs::write(sandbox.archive("dists/a/Release"), "one").unwrap();
    fs::write(sandbox.archive(format!("dists/a/by-hash/SHA256/{}", sha256(b"x"))), "x").unwrap();
    let before = sandbox.tree();
    assert_eq!(before, sandbox.tree());
    insta::assert_snapshot!(before.names(), @r"
    dists/a/Release
    dists/a/by-hash/SHA256/[SHA256]
    ");
    fs::write(sandbox.archive("dists/a/Release"), "two").unwrap();
    assert_ne!(before, sandbox.tree());
    sandbox.tree().keeps(&before, &["Release"]);
}
