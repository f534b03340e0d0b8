//! Clients can use the archive, and Debian's own tools agree with its contents.

use std::{collections::BTreeMap, fs};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, fixture, is_root, skipped},
    web::Web,
};

fn signed_archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    deb("hello").version("1:2.0~rc1+b1").write(sandbox.incoming());
    deb("hello-doc").architecture("all").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), "incoming".as_ref(), fixture("debs").as_os_str()]).ok();
    sandbox
}

/// Every operation of a client on an archive.
fn use_it(sandbox: &Sandbox, apt: &mut Client<'_>, source: &Source) {
    apt.source(source);
    apt.updates();
    assert_eq!(apt.candidate("hello").as_deref(), Some("1:2.0~rc1+b1"), "{}", apt.name);
    assert_eq!(
        apt.download("hello"),
        fs::read(sandbox.incoming().join("hello_2.0~rc1+b1_amd64.deb")).unwrap(),
        "{}",
        apt.name
    );
    assert_eq!(
        apt.download("php-msgpack"),
        fs::read(fixture("debs/php-msgpack_1%3a2.2.0~rc2-3_amd64.deb")).unwrap(),
        "{}",
        apt.name
    );
    if is_root() {
        apt.install(&["hello", "hello-doc", "acpi", "node-stream-shift", "sample-zst"]).ok();
        for path in ["usr/share/doc/hello/README", "usr/bin/acpi", "usr/share/doc/sample-zst/README"] {
            assert!(apt.has(path), "{}: {path}", apt.name);
        }
    } else {
        skipped("an installation needs root");
    }
}

#[test]
fn a_signed_archive_in_a_folder() {
    let sandbox = signed_archive();
    for mut apt in Client::all(&sandbox) {
        let source = Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc"));
        use_it(&sandbox, &mut apt, &source);
    }
}

#[test]
fn a_signed_archive_on_a_web_server() {
    let sandbox = signed_archive();
    let web = Web::of(sandbox.archive(""));
    for mut apt in Client::all(&sandbox) {
        let source = Source::at(&web.url).signed_by(sandbox.archive("archive-key.asc"));
        use_it(&sandbox, &mut apt, &source);
    }
}

#[test]
fn an_unsigned_archive_that_is_trusted() {
    let sandbox = Sandbox::new();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")));
        assert_ne!(apt.update().status, Some(0), "{}: nobody vouches for it", apt.name);
        apt.source(&Source::folder(sandbox.archive("")).trusted());
        apt.updates();
        assert_eq!(apt.versions("hello"), ["1.0"], "{}", apt.name);
        if is_root() {
            apt.install(&["hello"]).ok();
        }
    }
}

#[test]
fn the_key_in_the_archive_is_the_public_one() {
    let sandbox = signed_archive();
    let key = sandbox.read("archive-key.asc");
    assert!(key.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{key}");
    assert!(!key.contains("PRIVATE"), "{key}");
}

#[test]
fn a_client_with_another_key_refuses_the_archive() {
    let sandbox = signed_archive();
    for mut apt in Client::all(&sandbox) {
        let source = Source::folder(sandbox.archive("")).signed_by(fixture("keys/second.pub.asc"));
        apt.source(&source);
        let outcome = apt.update();
        assert_ne!(outcome.status, Some(0), "{}: {outcome}", apt.name);
        assert_eq!(apt.candidate("hello"), None, "{}", apt.name);
    }
}

#[test]
fn by_hash_alone_is_enough() {
    let sandbox = signed_archive();
    for path in sandbox.tree().paths_with("binary-amd64/Packages") {
        fs::remove_file(sandbox.archive(path)).unwrap();
    }
    let web = Web::of(sandbox.archive(""));
    for mut apt in Client::all(&sandbox) {
        apt.option("Acquire::By-Hash", "force");
        use_it(&sandbox, &mut apt, &Source::at(&web.url).signed_by(sandbox.archive("archive-key.asc")));
        let asked = web.requests();
        assert!(!asked.iter().any(|path| path.contains("/Packages")), "{}: {asked:?}", apt.name);
    }
}

#[test]
fn plain_names_alone_are_enough() {
    let sandbox = signed_archive();
    fs::remove_dir_all(sandbox.archive("dists/stable/main/binary-amd64/by-hash")).unwrap();
    // And no `InRelease`: old clients read `Release` and `Release.gpg`.
    fs::remove_file(sandbox.archive("dists/stable/InRelease")).unwrap();
    let web = Web::of(sandbox.archive(""));
    for mut apt in Client::all(&sandbox) {
        apt.option("Acquire::By-Hash", "no");
        use_it(&sandbox, &mut apt, &Source::at(&web.url).signed_by(sandbox.archive("archive-key.asc")));
    }
}

#[test]
fn each_compression_alone_is_enough() {
    let sandbox = signed_archive();
    let web = Web::of(sandbox.archive(""));
    for kind in ["xz", "gz"] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::CompressionTypes::Order", kind);
            apt.source(&Source::at(&web.url).signed_by(sandbox.archive("archive-key.asc")));
            apt.option("Acquire::By-Hash", "no");
            apt.updates();
            assert_eq!(apt.versions("hello"), ["1:2.0~rc1+b1"], "{} {kind}", apt.name);
            let asked = web.requests();
            let name = format!("Packages.{kind}");
            assert!(asked.iter().any(|path| path.ends_with(&name)), "{} {kind}: {asked:?}", apt.name);
        }
    }
}

/// A client that read an older generation keeps working while newer ones are published.
#[test]
fn files_of_an_older_generation_can_still_be_fetched() {
    let sandbox = signed_archive();
    let source = || Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc"));
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source());
        apt.updates();
    }
    sandbox.publish(["remove", "hello", "hello-doc"]).ok();
    let file = deb("hello").version("3:0").write(sandbox.incoming());
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    for apt in &clients {
        let wanted = fs::read(sandbox.incoming().join("hello_2.0~rc1+b1_amd64.deb")).unwrap();
        assert_eq!(apt.download("hello"), wanted, "{}", apt.name);
        apt.updates();
        assert_eq!(apt.versions("hello"), ["3:0"], "{}", apt.name);
    }
}

#[test]
fn gpgv_accepts_both_signatures() {
    let sandbox = signed_archive();
    let ring = sandbox.path("ring.gpg");
    let key = sandbox.archive("archive-key.asc");
    sandbox.ask(
        "gpg",
        ["--batch", "-q", "-o"].iter().map(AsRef::as_ref).chain([
            ring.as_os_str(),
            "--dearmor".as_ref(),
            key.as_os_str(),
        ]),
    );
    let suite = sandbox.archive("dists/stable");
    let verify = |files: &[&str]| {
        let mut command = sandbox.command("gpgv");
        command.arg("--keyring").arg(&ring).args(files).current_dir(&suite);
        sandbox.run(command)
    };
    verify(&["InRelease"]).ok().says(["Good signature"]);
    verify(&["Release.gpg", "Release"]).ok().says(["Good signature"]);

    // And both contain the same text.
    let mut command = sandbox.command("gpgv");
    command.arg("--keyring").arg(&ring).args(["--output", "-", "InRelease"]).current_dir(&suite);
    assert_eq!(sandbox.run(command).ok().stdout, sandbox.read("dists/stable/Release"));
}

type Stanza = BTreeMap<String, String>;

/// The stanzas of an index, by name and version; values are unchanged.
fn stanzas(text: &str) -> BTreeMap<(String, String), Stanza> {
    let mut all = BTreeMap::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let mut stanza = Stanza::new();
        let mut last = String::new();
        for line in paragraph.lines() {
            if line.starts_with([' ', '\t']) {
                let value = stanza.get_mut(&last).unwrap();
                value.push('\n');
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(':').unwrap();
                name.clone_into(&mut last);
                let twice = stanza.insert(last.clone(), value.trim().to_owned());
                assert_eq!(twice, None, "{paragraph}");
            }
        }
        let identity = (stanza["Package"].clone(), stanza["Version"].clone());
        assert!(all.insert(identity, stanza).is_none(), "{paragraph}");
    }
    all
}

/// Removes the weak digests, which `publish` need not write.
fn without_weak(mut stanza: Stanza) -> Stanza {
    for name in ["MD5sum", "SHA1", "SHA512"] {
        stanza.remove(name);
    }
    stanza
}

#[test]
fn dpkg_scanpackages_agrees_on_every_field() {
    let sandbox = signed_archive();
    deb("odd")
        .field("X-Vendor-Note", "kept as it is: ümlaut")
        .field("Depends", "hello,\n hello-doc")
        .field("Tag", "role::program")
        .write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let mut command = sandbox.command("dpkg-scanpackages");
    command.args(["-m", "pool"]).current_dir(sandbox.archive(""));
    let theirs = stanzas(&sandbox.run(command).ok().stdout);
    let ours = stanzas(&sandbox.read("dists/stable/main/binary-amd64/Packages"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (identity, stanza) in ours {
        if let Some(md5) = stanza.get("MD5sum") {
            assert_eq!(md5, &theirs[&identity]["MD5sum"]);
        }
        assert_eq!(without_weak(stanza), without_weak(theirs[&identity].clone()));
    }
}

#[test]
fn dpkg_deb_agrees_on_every_field() {
    let sandbox = signed_archive();
    let ours = stanzas(&sandbox.read("dists/stable/main/binary-amd64/Packages"));
    for stanza in ours.into_values() {
        let file = sandbox.archive(&stanza["Filename"]);
        let control = sandbox.ask("dpkg-deb", ["-f".as_ref(), file.as_os_str()]);
        let theirs = stanzas(&control).into_values().next().unwrap();
        assert_eq!(stanza["Size"], fs::metadata(&file).unwrap().len().to_string());
        let of_the_file = ["Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512"];
        let ours: Stanza =
            stanza.into_iter().filter(|(name, _)| !of_the_file.contains(&name.as_str())).collect();
        assert_eq!(ours, theirs, "{}", file.display());
    }
}
