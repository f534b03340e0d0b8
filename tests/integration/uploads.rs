//! Uploads: a `.changes` file is published whole or not at all, in the suites that it names.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{Outcome, Sandbox, Tree, age, fixture},
    source_builder::source,
    upload_builder::{UploadBuilder, upload},
};

const PLAIN: &str = "dists/stable/main/binary-amd64/Packages";

fn add(sandbox: &Sandbox, file: impl AsRef<Path>, more: &[&str]) -> Outcome {
    let arguments = ["add"].iter().chain(more).map(OsStr::new);
    sandbox.publish(arguments.chain([file.as_ref().as_os_str()]))
}

/// A whole upload of source `hello` in the folder `incoming`: source, packages, the record and the log of the build.
fn hello(sandbox: &Sandbox) -> UploadBuilder {
    let folder = sandbox.incoming();
    source("hello").write(&folder);
    deb("hello").version("1.0-1").write(&folder);
    deb("hello-data").version("1.0-1").architecture("all").source("hello").write(&folder);
    deb("hello-udeb").udeb().version("1.0-1").source("hello").write(&folder);
    fs::write(folder.join("hello_1.0-1_amd64.buildinfo"), "Format: 1.0\n").unwrap();
    fs::write(folder.join("hello_1.0-1_amd64.log"), "built\n").unwrap();
    upload(folder)
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn an_upload_is_published_with_its_sections_and_apt_reads_it() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: trixie\nSuite: stable\nComponents: main contrib\n");
    let changes = hello(&sandbox).section("contrib/net").write();
    let said = add(&sandbox, &changes, &["--dry-run"]).ok();
    said.says(["Would add 4 packages to suite `trixie`", "+ hello 1.0-1 source (contrib)"]);
    assert_eq!(sandbox.tree().paths_with("dists"), [""; 0]);
    add(&sandbox, &changes, &[]).ok().says(["+ hello-udeb 1.0-1 amd64 (contrib|debian-installer)"]);
    let index = sandbox.read("dists/trixie/contrib/binary-amd64/Packages");
    assert_eq!(index.matches("\nSection: contrib/net\nPriority: extra\n").count(), 2, "{index}");
    let sources = sandbox.read("dists/trixie/contrib/source/Sources");
    assert!(
        sources.contains("\nSection: contrib/net\n") && sources.contains("\nPriority: extra\n"),
        "{sources}"
    );
    add(&sandbox, &changes, &[]).ok().says(["already", "Nothing to do"]);
    assert_eq!(sandbox.tree().paths_with(".changes"), [""; 0]);
    assert_eq!(sandbox.tree().paths_with(".buildinfo"), [""; 0]);
    sandbox.publish(["check"]).ok();
    for mut apt in Client::all(&sandbox) {
        apt.source(&Source::folder(sandbox.archive("")).trusted().suite("trixie").components("contrib"));
        apt.updates();
        let said = apt.run("apt-cache", ["show", "hello"]).ok();
        assert!(said.stdout.contains("Section: contrib/net"), "{}", said.stdout);
    }
}

#[test]
fn what_is_not_whole_is_not_published() {
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 12] = [
        ("`hello_1.0-1_amd64.deb`, which it lists, is not in the same folder", |folder, _| {
            fs::remove_file(folder.join("hello_1.0-1_amd64.deb")).unwrap();
        }),
        ("which it lists, is not in the same folder", |folder, _| {
            fs::remove_file(folder.join("hello_1.0-1_amd64.buildinfo")).unwrap();
        }),
        ("cannot be read", |folder, _| {
            fs::remove_file(folder.join("hello_1.0-1_amd64.log")).unwrap();
            fs::create_dir(folder.join("hello_1.0-1_amd64.log")).unwrap();
        }),
        ("has 7 bytes, and it is listed with 6 bytes", |folder, _| {
            fs::write(folder.join("hello_1.0-1_amd64.log"), "builtt\n").unwrap();
        }),
        ("has SHA256 ", |folder, _| fs::write(folder.join("hello_1.0-1_amd64.log"), "Built\n").unwrap()),
        ("is not allowed", |_, file| edit(file, "hello_1.0-1_amd64.log", "../hello_1.0-1_amd64.log")),
        ("is not allowed", |_, file| edit(file, "hello_1.0-1_amd64.log", "/etc/passwd")),
        ("has the source `hello`, and the `.changes` file has `other`", |_, file| {
            edit(file, "Source: hello", "Source: other");
        }),
        ("has the version `1.0-1`, and the `.changes` file has `2`", |_, file| {
            edit(file, "Version: 1.0-1", "Version: 2");
        }),
        ("has the architecture `amd64`", |_, file| edit(file, "source amd64 all", "source all")),
        ("no field `Distribution`", |_, file| edit(file, "Distribution: stable\n", "")),
        ("has more than", |_, file| fs::write(file, vec![b'x'; 9 << 20]).unwrap()),
    ];
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    for (text, change) in changes {
        fs::remove_dir_all(sandbox.incoming()).unwrap();
        fs::create_dir(sandbox.incoming()).unwrap();
        let file = hello(&sandbox).write();
        change(&sandbox.incoming(), &file);
        add(&sandbox, &file, &[]).fails(1).says([text]);
        assert_eq!(sandbox.tree(), before, "{text}");
    }
    // A file that is no package, and one of a source package without its description.
    for (name, bytes, text) in [
        ("hello_1.0-1_all.deb", "no package", "not a Debian package"),
        ("hello_2.orig.tar.gz", "x", "no `.dsc` file"),
    ] {
        let folder = sandbox.path("bad");
        let _ = fs::remove_dir_all(&folder);
        deb("hello").version("1.0-1").write(&folder);
        fs::write(folder.join(name), bytes).unwrap();
        add(&sandbox, upload(folder).write(), &[]).fails(1).says([text]);
        assert_eq!(sandbox.tree(), before, "{text}");
    }
    let file = deb("other").write(sandbox.path("other"));
    sandbox
        .publish(["add".as_ref(), file.as_os_str(), sandbox.incoming().join("x.changes").as_os_str()])
        .fails(2)
        .says(["is not a `.changes` file"]);
}

#[test]
fn each_package_is_built_from_the_version_of_the_source_that_it_names() {
    let sandbox = Sandbox::new();
    let before = sandbox.tree();
    let uploaded = |version: &str, source: &str, line: &str| {
        let folder = sandbox.path(format!("{version}-{line}"));
        let package = deb("hello").version(version);
        let package = if source.is_empty() { package } else { package.source(source) };
        package.write(&folder);
        let file = upload(&folder).version(version).write();
        edit(&file, "Source: hello", &format!("Source: {line}"));
        file
    };
    let other = uploaded("1-1", "", "hello");
    edit(&other, "Version: 1-1", "Version: 2-1");
    for file in [
        other,
        uploaded("5", "hello (1.0-2)", "hello"),
        uploaded("5", "hello (1.0-2)", "hello (1.0-1)"),
        uploaded("1-1+b1", "hello (1-1)", "hello"),
    ] {
        add(&sandbox, &file, &[])
            .fails(1)
            .says(["has the source version `", "and the `.changes` file has `"]);
        assert_eq!(sandbox.tree(), before, "{}", file.display());
    }
    // Built again without a new source, and a package with a version of its own.
    for file in [
        uploaded("1-1+b1", "hello (1-1)", "hello (1-1)"),
        uploaded("2:7", "hello (1:3)", "hello (1:3)"),
        uploaded("9", "", "hello"),
    ] {
        add(&sandbox, &file, &[]).ok().says(["Added 1 package"]);
    }
    let own = uploaded("5:12", "hello (1.0-2)", "hello");
    edit(&own, "Version: 5:12", "Version: 1.0-2");
    add(&sandbox, &own, &[]).ok().says(["Added 1 package"]);
}

#[test]
fn the_suites_are_those_that_it_names_or_the_one_on_the_command_line() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: one\nSuite: stable\nComponents: main\n\nCodename: two\nComponents: main\nAlsoAcceptFor: testing\n\n\
         Codename: binaries\nComponents: main\nArchitectures: amd64\nUDebComponents: main\n",
    );
    let before = sandbox.tree();
    let upload = hello(&sandbox);
    add(&sandbox, upload.distribution("stable nowhere").write(), &[])
        .fails(1)
        .says(["there is no suite `nowhere`"]);
    assert_eq!(sandbox.tree(), before);
    // Refused in the second suite: nothing is published in the first.
    add(&sandbox, hello(&sandbox).distribution("stable binaries").write(), &[])
        .fails(1)
        .says(["architecture `source` is not one of the suite's"]);
    assert_eq!(sandbox.tree().paths_with("dists"), [""; 0]);
    let both = hello(&sandbox).distribution("stable testing").write();
    let said = add(&sandbox, &both, &["--json"]).ok();
    assert_eq!(said.stdout.matches(r#""suite": ""#).count(), 2, "{}", said.stdout);
    assert_eq!(sandbox.read("dists/one/main/source/Sources"), sandbox.read("dists/two/main/source/Sources"));
    let other = Sandbox::new();
    let file = hello(&other).distribution("UNRELEASED").write();
    add(&other, file, &["--suite", "sid"]).ok().says(["Added 4 packages to suite `sid`"]);
}

#[test]
fn records_stay_as_long_as_their_packages() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable\nComponents: main\nTracking: minimal includechanges includebuildinfos includelogs\n",
    );
    let records = || sandbox.tree().paths_with("pool/main/h/hello/hello_1.0-1_");
    add(&sandbox, hello(&sandbox).write(), &[]).ok();
    let kept = [
        "pool/main/h/hello/hello_1.0-1_amd64.buildinfo",
        "pool/main/h/hello/hello_1.0-1_amd64.deb",
        "pool/main/h/hello/hello_1.0-1_amd64.log",
        "pool/main/h/hello/hello_1.0-1_source+amd64+all.changes",
    ];
    assert_eq!(records(), kept);
    let prune = || {
        age(&sandbox.archive(""), 9);
        sandbox.publish(["prune", "--keep-generations", "1"]).ok()
    };
    prune();
    assert_eq!(records(), kept);
    // A file of the same version in the pool of another tool stays too, and one without packages goes.
    fs::write(sandbox.archive("pool/main/h/hello/hello_0.9_amd64.buildinfo"), "old").unwrap();
    fs::write(sandbox.archive("pool/main/h/hello/notes.log"), "mine").unwrap();
    sandbox.publish(["remove", "hello-data"]).ok();
    prune();
    assert_eq!(records(), kept);
    assert!(!sandbox.tree().has("pool/main/h/hello/hello_0.9_amd64.buildinfo"));
    sandbox.publish(["remove", "--source", "hello"]).ok();
    prune();
    assert_eq!(sandbox.tree().paths_with("pool/"), ["pool/main/h/hello/notes.log"]);
    sandbox.publish(["check"]).ok();

    let other = Sandbox::new();
    add(&other, hello(&other).write(), &["--keep-buildinfo"]).ok();
    assert_eq!(other.tree().paths_with("hello_1.0-1_amd64.").len(), 2);
    // No index lists them, so a copy gets them on request only.
    let records = |copy: &str| Tree::read(&other.path(copy)).paths_with("buildinfo").len();
    other.publish(["sync", "./copy"]).ok();
    assert_eq!(records("copy"), 0);
    other.publish(["sync", "./copy", "--include", "*.buildinfo"]).ok().says(["Sent 1 object"]);
    assert_eq!(records("copy"), 1);
    // Other bytes under its name are refused, whole.
    let before = other.tree();
    fs::write(other.incoming().join("hello_1.0-1_amd64.buildinfo"), "Format: 2.0\n").unwrap();
    add(&other, upload(other.incoming()).write(), &["--keep-buildinfo"]).fails(1).says(["buildinfo"]);
    assert_eq!(other.tree(), before);
}

#[test]
fn records_stay_where_a_package_has_another_version_than_its_source() {
    let sandbox = Sandbox::new();
    sandbox.configure(
        "Codename: stable\nComponents: main\nTracking: minimal includechanges includebuildinfos\n",
    );
    deb("hello-cc").version("5:12").source("hello (1:1.200)").write(sandbox.incoming());
    fs::write(sandbox.incoming().join("hello_1.200_amd64.buildinfo"), "Format: 1.0\n").unwrap();
    add(&sandbox, upload(sandbox.incoming()).version("1:1.200").write(), &[]).ok();
    let records = || sandbox.tree().paths_with("pool/main/h/hello/hello_1");
    let prune = || {
        age(&sandbox.archive(""), 9);
        sandbox.publish(["prune", "--keep-generations", "1"]).ok();
    };
    prune();
    assert_eq!(records().len(), 2, "{:?}", sandbox.tree().paths_with("pool/"));
    sandbox.publish(["remove", "hello-cc"]).ok();
    prune();
    assert_eq!(records(), [""; 0]);
}

#[test]
fn the_list_of_uploaders_decides_by_the_signature() {
    let sandbox = Sandbox::new();
    let key = fixture("keys/test.asc");
    let configure = |list: &str| {
        sandbox.configure(&format!(
            "Codename: stable\nComponents: main\nUploaders: uploaders\nUploaderKeys: {}\n",
            key.display()
        ));
        fs::write(sandbox.archive("conf/uploaders"), list).unwrap();
    };
    configure("allow * by unsigned\n");
    let unsigned = hello(&sandbox).write();
    add(&sandbox, &unsigned, &["--dry-run"]).ok();
    let signed = hello(&sandbox).sign(&sandbox);
    let said = add(&sandbox, &signed, &["--dry-run"]).fails(1);
    said.says(["does not allow it for suite `stable`: it is signed by ", "allow * by key KEYID"]);
    let fingerprint = said.stderr.split("it is signed by ").nth(1).unwrap();
    let fingerprint: String = fingerprint.chars().take_while(char::is_ascii_hexdigit).collect();
    for (list, allowed) in [
        (format!("allow * by key {fingerprint}+\n"), true),
        (format!("group team add {fingerprint}+\nallow source 'h*' by group team\n"), true),
        ("allow * by any key\n".to_owned(), true),
        ("allow sections 'net' and binaries contain 'hello' by any key\n".to_owned(), true),
        ("allow architectures 'amd64'|'all' by any key\n".to_owned(), false),
        ("allow distribution 'testing' by any key\n".to_owned(), false),
        (format!("allow source 'other' by key {fingerprint}\n"), false),
        ("allow * by key 0123456789ABCDEF\n".to_owned(), false),
        ("# nothing\n".to_owned(), false),
    ] {
        configure(&list);
        let said = add(&sandbox, &signed, &["--dry-run"]);
        if allowed {
            said.ok();
        } else {
            said.fails(1).says(["does not allow it"]);
        }
    }
    configure("allow * by any key\n");
    let before = sandbox.tree();
    // Changed after it was signed.
    let text = fs::read_to_string(&signed).unwrap();
    fs::write(&signed, text.replace("Urgency: low", "Urgency: high")).unwrap();
    add(&sandbox, &signed, &[]).fails(1).says(["its signature is not valid"]);
    assert_eq!(sandbox.tree(), before);
    add(&sandbox, unsigned_again(&sandbox), &[]).fails(1).says(["it has no signature"]);
    configure("allow * for all\n");
    add(&sandbox, unsigned_again(&sandbox), &[]).fails(1).says(["uploaders` line 1"]);

    // Without a list, the keys decide.
    let other = Sandbox::new();
    let signed = hello(&other).sign(&other);
    let stranger = fixture("keys/expired.asc");
    let with = |key: &Path, file: &Path| {
        other.publish(["add".as_ref(), "--uploader-key".as_ref(), key.as_os_str(), file.as_os_str()])
    };
    with(&stranger, &signed).fails(1).says(["its signature is not valid"]);
    with(&key, &signed).ok().says(["Added 4 packages"]);
    with(&key, &unsigned_again(&other)).fails(1).says(["it has no signature"]);
}

fn unsigned_again(sandbox: &Sandbox) -> PathBuf {
    upload(sandbox.incoming()).write()
}

#[test]
fn reprepro_publishes_the_same_upload_in_the_same_places() {
    let sandbox = Sandbox::new();
    let conf = "Codename: stable\nComponents: main\nArchitectures: amd64 source\nUDebComponents: main\n\
                Tracking: minimal includechanges includebuildinfos\n";
    sandbox.configure(conf);
    let changes = hello(&sandbox).write();
    add(&sandbox, &changes, &[]).ok();
    let theirs = sandbox.path("theirs");
    fs::create_dir_all(theirs.join("conf")).unwrap();
    fs::write(theirs.join("conf/distributions"), conf).unwrap();
    let mut reprepro = sandbox.command("reprepro");
    reprepro.args(["--silent", "--ignore=surprisingbinary", "-b"]).arg(&theirs);
    sandbox
        .run({
            reprepro.args(["include", "stable"]).arg(&changes);
            reprepro
        })
        .ok();
    let pool = |root: &Path| -> Vec<PathBuf> {
        let files = walkdir::WalkDir::new(root.join("pool")).sort_by_file_name().into_iter();
        let files = files.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
        files.map(|entry| entry.path().strip_prefix(root).unwrap().to_owned()).collect()
    };
    assert_eq!(pool(&sandbox.archive("")), pool(&theirs));
    let stanza = |root: &Path| {
        let text = fs::read_to_string(root.join(PLAIN)).unwrap();
        let mut lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
        lines.retain(|line| {
            ["Package", "Section", "Priority", "Filename"].iter().any(|name| line.starts_with(name))
        });
        lines.sort();
        lines
    };
    assert_eq!(stanza(&sandbox.archive("")), stanza(&theirs));
}
