//! An index in blocks, edited a hundred times: every real reader must find all of it.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use publish::digest::Digests;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    publisher::{Publisher, folder},
    sandbox::{Sandbox, fixture, is_root, sha256, skipped},
    web::Web,
};

/// Enough packages for several blocks.
const PACKAGES: u32 = 4_000;

/// An archive of another tool with only the index, because the readers here need no more.
fn large() -> Sandbox {
    let sandbox = Sandbox::signed();
    let mut packages = String::new();
    for number in 0..PACKAGES {
        let name = format!("package{number:05}");
        let digests = Digests::of(name.as_bytes());
        let words = (0..20).fold(String::new(), |mut words, word| {
            let _ = write!(words, " {}", &sha256(format!("{name} {word}").as_bytes())[..20]);
            words
        });
        let _ = write!(
            packages,
            "Package: {name}\nVersion: 1.{number}\nArchitecture: amd64\nPriority: optional\nMaintainer: A \
             <a@example.org>\nFilename: pool/main/p/{name}/{name}_1.{number}_amd64.deb\nSize: {}\nMD5sum: {}\nSHA256: {}\nDescription:{words}\n\n",
            digests.size, digests.md5, digests.sha256
        );
    }
    sandbox.adopt_index(&packages);
    sandbox
}

#[test]
fn every_reader_finds_all_of_an_index_that_was_edited_a_hundred_times() {
    let sandbox = large();
    let file = deb("first").write(sandbox.incoming());
    sandbox.publish(["--trust-existing".as_ref(), "add".as_ref(), file.as_os_str()]).ok();
    let mut expected: BTreeSet<String> = (0..PACKAGES).map(|number| format!("package{number:05}")).collect();
    expected.insert("first".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = folder(sandbox.archive(""));
    for edit in 0..100_u32 {
        // Pseudorandom positions, the same in each run.
        let at = (edit.wrapping_mul(2_654_435_761) >> 8) % PACKAGES;
        let publisher = Publisher::on(store.clone()).later(u64::from(edit)).with_zst();
        if edit % 3 == 0 {
            let gone = format!("package{at:05}");
            runtime.block_on(publisher.remove(&gone)).unwrap();
            expected.remove(&gone);
        } else {
            let name = format!("package{at:05}-{edit}");
            let file = deb(&name).write(sandbox.path("more"));
            runtime.block_on(publisher.add(&[file])).unwrap();
            expected.insert(name);
        }
    }
    let index = sandbox.archive("dists/stable/main/binary-amd64/Packages");
    let plain = fs::read_to_string(&index).unwrap();
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.strip_prefix("Package: ").map(ToOwned::to_owned)).collect()
    };
    assert_eq!(names(&plain), expected);

    // Decompressors.
    let [gz, xz, zst] = ["gz", "xz", "zst"].map(|form| format!("{}.{form}", index.display()));
    let python = |module: &str| {
        format!("import {module}, sys; sys.stdout.buffer.write({module}.open(sys.argv[1]).read())")
    };
    for (program, arguments) in [
        ("gzip", vec!["-dc", &gz]),
        ("xz", vec!["-dc", &xz]),
        ("zstd", vec!["-dc", &zst]),
        ("busybox", vec!["gunzip", "-c", &gz]),
        ("busybox", vec!["unxz", "-c", &xz]),
        ("python3", vec!["-c", &python("gzip"), &gz]),
        ("python3", vec!["-c", &python("lzma"), &xz]),
    ] {
        assert!(sandbox.ask(program, &arguments) == plain, "{program} {arguments:?}");
    }

    // Clients: each form separately.
    for form in ["xz", "gz", "zst", "uncompressed"] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::CompressionTypes::Order", form);
            apt.source(&Source::folder(sandbox.archive("")).signed_by(fixture("keys/test.pub.asc")));
            apt.updates();
            let seen = apt.run("apt-cache", ["pkgnames"]).ok().stdout;
            let seen: BTreeSet<String> =
                seen.lines().filter(|name| expected.contains(*name)).map(ToOwned::to_owned).collect();
            assert!(seen == expected, "{} {form}: {} of {}", apt.name, seen.len(), expected.len());
        }
    }

    mirrored_by_reprepro(&sandbox, &expected);
    mirrored_by_aptly(&sandbox, expected.len());
    installed_by_debootstrap(&sandbox, &expected);
}

/// reprepro prints the packages that it would mirror.
fn mirrored_by_reprepro(sandbox: &Sandbox, expected: &BTreeSet<String>) {
    let conf = sandbox.path("mirror/conf");
    fs::create_dir_all(&conf).unwrap();
    let suite = "Codename: stable\nComponents: main\nArchitectures: amd64\nUpdate: all\n";
    fs::write(conf.join("distributions"), suite).unwrap();
    for form in [".xz", ".gz"] {
        let source = format!(
            "Name: all\nMethod: file:{}\nSuite: stable\nComponents: main\nArchitectures: amd64\nVerifyRelease: \
             blindtrust\nDownloadListsAs: {form}\n",
            sandbox.archive("").display()
        );
        fs::write(conf.join("updates"), source).unwrap();
        let _ = fs::remove_dir_all(sandbox.path("mirror/lists"));
        let said = sandbox.ask("reprepro", ["-b", "mirror", "dumpupdate", "stable"]);
        let seen: BTreeSet<String> = said
            .lines()
            .filter_map(|line| Some(line.strip_prefix("add '")?.split_once('\'')?.0.to_owned()))
            .collect();
        assert!(seen == *expected, "reprepro {form}: {} of {}", seen.len(), expected.len());
    }
}

/// The suite with only one form of its index, for readers that choose among them.
fn with_only(sandbox: &Sandbox, form: &str) -> PathBuf {
    let folder = sandbox.path(format!("only{form}"));
    let index = format!("main/binary-amd64/Packages{form}");
    fs::create_dir_all(folder.join("dists/stable/main/binary-amd64")).unwrap();
    fs::copy(sandbox.archive("dists/stable").join(&index), folder.join("dists/stable").join(&index)).unwrap();
    let release = fs::read_to_string(sandbox.archive("dists/stable/Release")).unwrap();
    let is_other = |line: &&str| line.contains("Packages") && !line.ends_with(&index);
    let lines: Vec<&str> = release.lines().filter(|line| !is_other(line)).collect();
    let release = lines.join("\n") + "\n";
    fs::write(folder.join("dists/stable/Release"), release).unwrap();
    folder
}

/// aptly reads only over HTTP, and prints the number of packages before it applies a filter.
fn mirrored_by_aptly(sandbox: &Sandbox, expected: usize) {
    for form in [".xz", ".gz"] {
        let web = Web::of(with_only(sandbox, form));
        let configuration = sandbox.path(format!("aptly{form}.conf"));
        let root = sandbox.path(format!("aptly{form}"));
        let text = serde_json::json!({ "rootDir": root, "architectures": ["amd64"] });
        fs::write(&configuration, text.to_string()).unwrap();
        let aptly = |arguments: &[&str]| {
            let config = format!("-config={}", configuration.display());
            sandbox.ask("aptly", [&[config.as_str(), "mirror"], arguments].concat())
        };
        aptly(&[
            "create",
            "-ignore-signatures",
            "-filter=Name (= none-at-all)",
            "all",
            &web.url,
            "stable",
            "main",
        ]);
        let said = aptly(&["update", "-ignore-signatures", "all"]);
        assert!(said.contains(&format!("Packages filtered: {expected} -> 0.")), "aptly {form}: {said}");
    }
}

/// debootstrap prints the packages that it would install, with a script that selects all.
fn installed_by_debootstrap(sandbox: &Sandbox, expected: &BTreeSet<String>) {
    if !is_root() {
        skipped("debootstrap works for root alone");
        return;
    }
    let script = sandbox.path("everything");
    let text = "mirror_style release\ndownload_style apt\nfinddebs_style from-indices\nvariants -\n\
                work_out_debs() { required=\"$(get_debs Priority: optional)\"; base=\"\"; }\n";
    fs::write(&script, text).unwrap();
    for form in [".xz", ".gz"] {
        let target = sandbox.path(format!("root{form}"));
        let mirror = format!("file://{}", with_only(sandbox, form).display());
        let (target, script) = (target.to_str().unwrap(), script.to_str().unwrap());
        let arguments =
            ["--no-check-gpg", "--print-debs", "--arch", "amd64", "stable", target, &mirror, script];
        let said = sandbox.ask("debootstrap", arguments);
        let seen: BTreeSet<String> = said.split_whitespace().map(ToOwned::to_owned).collect();
        assert!(seen == *expected, "debootstrap {form}: {} of {}", seen.len(), expected.len());
    }
}
