//! Archives made by other tools are adopted in place without loss.

use std::{fmt::Write as _, fs, io::Read as _};

use publish::compression::Compression;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Sandbox, sha256},
};

/// Two packages, one of them `Architecture: all`, as input for the other tool.
fn given(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path("given");
    fs::create_dir(&folder).unwrap();
    deb("old").version("1:1.0~rc1").write(&folder);
    deb("old-doc").architecture("all").write(&folder);
    folder
}

/// Adds a package with `publish` and checks that clients see all packages; by-hash also covers the files that existed
/// before.
fn extends_adopted_suite(sandbox: &Sandbox, suite: &str) {
    // The other tool used the system clock, and `Date` never decreases.
    let now = sandbox.ask("date", ["+%s"]);
    let clock = [("PUBLISH_DATE", now.trim())];
    let before = sandbox.tree();
    // Synced unchanged to another store, where clients with by-hash find it too.
    sandbox.publish_with(&clock, ["sync", "./there"]).ok().says(["Published suite"]);
    for mut apt in Client::all(sandbox) {
        apt.option("Acquire::By-Hash", "force");
        apt.source(&Source::folder(sandbox.path("there")).trusted().suite(suite));
        apt.updates();
        assert_eq!(apt.candidate("old").as_deref(), Some("1:1.0~rc1"), "{}", apt.name);
        assert!(!apt.download("old-doc").is_empty());
    }
    sandbox.publish_with(&clock, ["sync", "./there"]).ok().says(["Nothing to do"]);
    let file = deb("new").write(sandbox.incoming());
    sandbox.publish_with(&clock, ["add".as_ref(), file.as_os_str()]).ok().says(["Added 1 package"]);
    let after = sandbox.tree();
    for path in before.paths_with("pool/") {
        assert!(after.has(&path), "{path}");
    }
    sandbox.publish_with(&clock, ["check"]).ok();
    let said = sandbox.publish(["list"]).ok();
    assert_eq!(said.stdout.lines().count(), 3, "{}", said.stdout);
    for by_hash in ["force", "no"] {
        for mut apt in Client::all(sandbox) {
            apt.option("Acquire::By-Hash", by_hash);
            apt.source(&Source::folder(sandbox.archive("")).trusted().suite(suite));
            apt.updates();
            assert_eq!(apt.candidate("old").as_deref(), Some("1:1.0~rc1"), "{} {by_hash}", apt.name);
            for package in ["old", "old-doc", "new"] {
                assert!(!apt.download(package).is_empty(), "{package}");
            }
        }
    }
}

#[test]
fn from_reprepro_with_its_configuration() {
    let sandbox = Sandbox::new();
    let given = given(&sandbox);
    let text =
        "Codename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64 source\nOrigin: Example\n";
    sandbox.configure(text);
    for file in ["old_1.0~rc1_amd64.deb", "old-doc_1.0_all.deb"] {
        let mut reprepro = sandbox.command("reprepro");
        reprepro
            .args(["--silent", "-b"])
            .arg(sandbox.archive(""))
            .args(["includedeb", "bookworm"])
            .arg(given.join(file));
        sandbox.run(reprepro).ok();
    }
    assert!(!sandbox.read("dists/bookworm/Release").contains("Acquire-By-Hash"));
    extends_adopted_suite(&sandbox, "bookworm");
    let release = sandbox.read("dists/bookworm/Release");
    for text in ["Suite: stable\n", "Origin: Example\n", "main/source/Sources.gz\n"] {
        assert!(release.contains(text), "{text}: {release}");
    }
    // The suite name works as well as its codename.
    sandbox.publish(["remove", "--suite", "stable", "new"]).ok();
}

#[test]
fn from_reprepro_without_a_configuration() {
    let sandbox = Sandbox::new();
    let given = given(&sandbox);
    sandbox.configure(
        "Codename: bookworm\nSuite: stable\nComponents: main\nArchitectures: amd64\nContents: .gz\n",
    );
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "-b"]).arg(sandbox.archive("")).args(["includedeb", "bookworm"]);
    reprepro.arg(given.join("old_1.0~rc1_amd64.deb")).arg(given.join("old-doc_1.0_all.deb"));
    sandbox.run(reprepro).ok();
    let mut links = sandbox.command("reprepro");
    links.args(["--silent", "-b"]).arg(sandbox.archive("")).arg("createsymlinks");
    sandbox.run(links).ok();
    fs::remove_dir_all(sandbox.archive("conf")).unwrap();
    extends_adopted_suite(&sandbox, "bookworm");
    let contents = fs::read(sandbox.archive("dists/bookworm/main/Contents-amd64.gz")).unwrap();
    let mut text = String::new();
    Compression::Gzip.index_decoder(&contents[..]).unwrap().read_to_string(&mut text).unwrap();
    for package in ["misc/old\n", "misc/old-doc\n", "misc/new\n"] {
        assert!(text.contains(package), "{package}: {text}");
    }
}

#[test]
fn from_aptly() {
    let sandbox = Sandbox::new();
    let given = given(&sandbox);
    let root = sandbox.path("aptly");
    let config = sandbox.path("aptly.conf");
    let text = format!("{{\"rootDir\": \"{}\", \"architectures\": [\"amd64\"]}}", root.display());
    fs::write(&config, text).unwrap();
    let aptly = |arguments: &[&str]| {
        let mut command = sandbox.command("aptly");
        command.arg(format!("-config={}", config.display())).args(arguments);
        sandbox.run(command).ok()
    };
    aptly(&["repo", "create", "mine"]);
    aptly(&["repo", "add", "mine", given.to_str().unwrap()]);
    aptly(&["publish", "repo", "-skip-signing", "-distribution=stable", "-batch", "mine"]);
    sandbox.ask("cp", ["-a".as_ref(), root.join("public/.").as_os_str(), sandbox.archive("").as_os_str()]);
    extends_adopted_suite(&sandbox, "stable");
    // One for the component and one for the suite, and both are carried on.
    for path in ["main/Contents-amd64.gz", "Contents-amd64.gz"] {
        assert_eq!(files_of(&sandbox, path), FILES, "{path}");
    }
}

/// The paths that an index of files lists after the edit of [`extends_adopted_suite`].
const FILES: [&str; 3] = [
    "usr/share/doc/new/README misc/new",
    "usr/share/doc/old-doc/README misc/old-doc",
    "usr/share/doc/old/README misc/old",
];

/// The lines of an index of files, with single blanks.
fn files_of(sandbox: &Sandbox, path: &str) -> Vec<String> {
    let file = fs::read(sandbox.archive("dists/stable").join(path)).unwrap();
    let mut text = String::new();
    Compression::Gzip.index_decoder(&file[..]).unwrap().read_to_string(&mut text).unwrap();
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Everything that `apt-ftparchive generate` makes for a suite, with these forms of the index of files.
fn generated(forms: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let given = given(&sandbox);
    let config = "Dir { ArchiveDir \".\"; CacheDir \"..\"; };\nDefault { Packages::Compress \". gzip xz\"; Contents::Compress \"FORMS\"; };\n\
        TreeDefault { Directory \"pool\"; };\nTree \"dists/stable\" { Sections \"main\"; Architectures \"amd64\"; };\n";
    fs::write(sandbox.path("generate.conf"), config.replace("FORMS", forms)).unwrap();
    let script = "set -e\ncd \"$1\"\nmkdir -p pool dists/stable/main/binary-amd64 dists/stable/main/i18n\ncp \"$2\"/*.deb pool/\n\
        apt-ftparchive -qq generate ../generate.conf\ncd dists/stable\n\
        apt-ftparchive -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Architectures=amd64 \
        -o APT::FTPArchive::Release::Components=main release . > ../Release\nmv ../Release .";
    let archive = sandbox.archive("");
    sandbox
        .ask("sh", ["-c".as_ref(), script.as_ref(), "sh".as_ref(), archive.as_os_str(), given.as_os_str()]);
    sandbox
}

/// It does not list the uncompressed index of files.
#[test]
fn from_apt_ftparchive_generate() {
    let sandbox = generated("gzip");
    let before = sandbox.read("dists/stable/Release");
    assert!(before.contains(" main/Contents-amd64.gz\n") && !before.contains("Contents-amd64\n"), "{before}");
    extends_adopted_suite(&sandbox, "stable");
    assert_eq!(files_of(&sandbox, "main/Contents-amd64.gz"), FILES);
}

/// An index of files is not stored uncompressed, so that of the other tool must not stay in its place; and the adopted state
/// can be published again, with it.
#[test]
fn the_adopted_state_can_be_rolled_back_to() {
    let sandbox = generated(". gzip");
    let plain = "dists/stable/main/Contents-amd64";
    let before = sandbox.read(plain);
    let new = deb("new").installs("usr/bin/new").write(sandbox.incoming()).display().to_string();
    // The other tool used the system clock.
    let now = sandbox.ask("date", ["+%s"]).trim().parse::<u64>().unwrap();
    let publish = |seconds: u64, arguments: &[&str]| {
        let date = (now + seconds).to_string();
        sandbox.publish_with(&[("PUBLISH_DATE", &*date)], arguments).ok();
    };
    publish(0, &["add", &new]);
    assert!(sandbox.read("dists/stable/Release").contains(" main/Contents-amd64\n"));
    assert!(!sandbox.archive(plain).exists());
    publish(0, &["check"]);
    publish(60, &["rollback"]);
    assert_eq!(sandbox.read(plain), before);
    publish(60, &["check"]);
}

#[test]
fn from_apt_ftparchive() {
    let sandbox = Sandbox::new();
    let given = given(&sandbox);
    let script = "set -e\ncd \"$1\"\nmkdir -p pool dists/stable/main/binary-amd64\ncp \"$2\"/*.deb pool/\n\
        apt-ftparchive packages pool > dists/stable/main/binary-amd64/Packages\ncd dists/stable\n\
        apt-ftparchive -o APT::FTPArchive::Release::Suite=stable -o APT::FTPArchive::Release::Architectures=amd64 \
        -o APT::FTPArchive::Release::Components=main release . > ../Release\nmv ../Release .";
    let archive = sandbox.archive("");
    sandbox
        .ask("sh", ["-c".as_ref(), script.as_ref(), "sh".as_ref(), archive.as_os_str(), given.as_os_str()]);
    extends_adopted_suite(&sandbox, "stable");
}

/// The decompressed text of an index.
fn unpacked(sandbox: &Sandbox, path: &str) -> String {
    let file = fs::read(sandbox.archive(path)).unwrap();
    let mut text = String::new();
    Compression::Xz.index_decoder(&file[..]).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// A large index of another tool whose compressed form lists another digest for a package than the plain form. Clients of
/// the two see different packages, so a change of that very index must not decide between them silently.
#[test]
fn a_compressed_form_that_contradicts_the_plain_one_is_refused() {
    let mut text = String::new();
    for number in 0..9000 {
        let noise = |salt: &str| sha256(format!("{salt}{number}").as_bytes());
        let (maintainer, digest) = (noise("maintainer"), noise("file"));
        let name = format!("package-{number:05}");
        write!(text, "Package: {name}\nVersion: 1\nArchitecture: amd64\nMaintainer: {maintainer}\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {digest}\n\n").unwrap();
    }
    let other = text.replace(&sha256(b"file4500"), &"e".repeat(64));
    let (plain, packed) = ("main/binary-amd64/Packages", "main/binary-amd64/Packages.xz");
    // The blocks of the other text, in the form that `publish` writes.
    let maker = Sandbox::new();
    maker.adopt_index(&other);
    let file = deb("one").write(maker.incoming());
    maker.publish(["add".as_ref(), file.as_os_str()]).ok();
    let foreign = fs::read(maker.archive("dists/stable").join(packed)).unwrap();
    let theirs = unpacked(&maker, &format!("dists/stable/{packed}"));
    let ours = theirs.replace(&"e".repeat(64), &sha256(b"file4500"));
    assert_ne!(theirs, ours);

    let sandbox = Sandbox::new();
    sandbox.adopt_files("stable", &[(plain, ours.as_bytes()), (packed, &foreign)]);
    let file = deb("two").write(sandbox.incoming());
    let before = sandbox.tree();
    let added = sandbox.publish(["add".as_ref(), file.as_os_str()]).fails(1);
    added.says(["have different contents", "main/binary-amd64/Packages.xz"]);
    assert_eq!(sandbox.tree(), before);
    // A form that no client accepts decides nothing, and is written again.
    let sandbox = Sandbox::new();
    sandbox.adopt_files("stable", &[(plain, ours.as_bytes()), (packed, &foreign)]);
    fs::write(sandbox.archive("dists/stable").join(packed), "no index").unwrap();
    sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    let published = unpacked(&sandbox, &format!("dists/stable/{packed}"));
    assert!(published.contains("Package: two\n"));
    assert_eq!(published, sandbox.read(format!("dists/stable/{plain}")));
}

/// An index of source packages that cannot be read stays as it is, with a warning.
#[test]
fn an_index_that_cannot_be_read_is_carried_on_with_a_warning() {
    let sandbox = Sandbox::new();
    let files = [("main/binary-amd64/Packages", &b""[..]), ("main/source/Sources", b"no stanza\n")];
    sandbox.adopt_files("stable", &files);
    let file = deb("new").write(sandbox.incoming());
    let said = sandbox.publish(["add".as_ref(), file.as_os_str()]).ok();
    said.says(["dists/stable/main/source/Sources", "is kept as it is"]);
    assert_eq!(sandbox.read("dists/stable/main/source/Sources"), "no stanza\n");
    // Only once: from now on it is part of an archive of ours.
    let other = deb("other").write(sandbox.incoming());
    let said = sandbox.publish(["add".as_ref(), other.as_os_str()]).ok();
    assert!(!said.stderr.contains("kept as it is"), "{}", said.stderr);
}

/// An adoption loses nothing that is published, also what no client can install.
#[test]
fn packages_that_dpkg_cannot_read_are_carried_on_with_one_warning() {
    let index = "dists/stable/main/binary-amd64/Packages";
    let adopted = || {
        let sandbox = Sandbox::new();
        let mut text = String::new();
        for (name, depends) in [("bad", "foo (= )"), ("fine", "foo (= 1)")] {
            let builder = deb(name).field("Depends", depends);
            let path = format!("pool/main/{}/{name}/{name}_1.0_amd64.deb", &name[..1]);
            builder.write_as(sandbox.archive(&path));
            let (bytes, stanza) = (builder.bytes(), builder.stanza());
            let digest = sha256(&bytes);
            writeln!(text, "{stanza}Filename: {path}\nSize: {}\nSHA256: {digest}\n", bytes.len()).unwrap();
        }
        sandbox.adopt_index(&text);
        sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\n");
        deb("hello").write(sandbox.incoming());
        sandbox
    };
    let warning = "`bad` 1.0 amd64 cannot be installed (field `Depends`, part 1";
    let remedies = ["`publish check`", "`publish remove --suite stable bad=1.0`"];

    let sandbox = adopted();
    let said = sandbox.publish(["add", "incoming"]).ok();
    said.says([warning]).says(remedies);
    assert_eq!(said.stderr.matches("cannot be installed").count(), 1, "{}", said.stderr);
    assert!(sandbox.read(index).contains("Depends: foo (= )\n"));
    sandbox.publish(["check"]).fails(4);
    // Its stanza is not read again: the next commit copies it.
    deb("world").write(sandbox.incoming());
    let said = sandbox.publish_after(60, &["add", "incoming"]).ok();
    assert!(!said.stderr.contains("`bad`"), "{}", said.stderr);
    assert!(sandbox.read(index).contains("Depends: foo (= )\n"));
    sandbox.publish_after(120, &["remove", "--suite", "stable", "bad=1.0"]).ok();
    sandbox.publish_after(120, &["check"]).ok();

    let sandbox = adopted();
    sandbox.publish(["snapshot", "one"]).ok().says([warning]).says(remedies);
    assert!(sandbox.read("dists/stable/snapshots/one/main/binary-amd64/Packages").contains("foo (= )"));

    // A package that the first commit removes is not named.
    let sandbox = adopted();
    let said = sandbox.publish(["remove", "bad"]).ok();
    assert!(!said.stderr.contains("cannot be installed"), "{}", said.stderr);
    sandbox.publish(["check"]).ok();
}
