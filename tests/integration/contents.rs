//! `Contents`: the files of packages, as apt-file and apt-ftparchive see them, carried on by every command.

use std::{fs, io::Read as _, path::Path};

use publish::compression::Compression;

use crate::{
    apt_client::{Client, Source},
    deb_builder::{Pack, deb},
    sandbox::{Sandbox, age, skipped},
};

const CONTENTS: &str = "dists/stable/main/Contents-amd64.gz";
const COMMANDS: &str = "dists/stable/main/cnf/Commands-amd64.xz";

fn unpack(file: &[u8], compression: Compression) -> String {
    let mut text = String::new();
    compression.index_decoder(file).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// The lines of an index, with single blanks.
fn lines(sandbox: &Sandbox, path: &str) -> Vec<String> {
    let text = unpack(&fs::read(sandbox.archive(path)).unwrap(), Compression::Gzip);
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn add(sandbox: &Sandbox, options: &[&str], files: &[std::path::PathBuf]) -> crate::sandbox::Outcome {
    let files = files.iter().map(|file| file.as_os_str().to_owned());
    sandbox.publish(["add"].iter().chain(options).map(|text| (*text).into()).chain(files))
}

/// The indices are those of all packages, read from their files again.
#[track_caller]
fn is_true(sandbox: &Sandbox) {
    let fresh = Sandbox::new();
    let pool = sandbox.archive("pool");
    let listed = sandbox.publish(["list", "--suite", "stable"]).ok().stdout;
    let packages = sandbox.read("dists/stable/main/binary-amd64/Packages");
    let files: Vec<_> = packages.lines().filter_map(|line| line.strip_prefix("Filename: pool/")).collect();
    let made = if files.is_empty() {
        Vec::new()
    } else {
        let files: Vec<_> = files.iter().map(|file| pool.join(file)).collect();
        add(&fresh, &["--contents"], &files).ok();
        lines(&fresh, CONTENTS)
    };
    assert_eq!(lines(sandbox, CONTENTS), made, "{listed}");
    sandbox.publish_after(600, &["check"]).ok();
}

#[test]
fn an_export_writes_lost_indices_again() {
    let sandbox = Sandbox::new();
    let file = deb("hello").installs("usr/bin/hello").write(sandbox.incoming());
    add(&sandbox, &["--contents"], &[file]).ok();
    let before = [CONTENTS, COMMANDS].map(|path| fs::read(sandbox.archive(path)).unwrap());
    for entry in fs::read_dir(sandbox.archive("dists/stable/main")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("Contents") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    for folder in ["by-hash", "cnf"] {
        fs::remove_dir_all(sandbox.archive("dists/stable/main").join(folder)).unwrap();
    }
    let found = sandbox.publish_after(60, &["check"]).fails(4);
    for lost in ["Contents-amd64: it is listed but missing", "cnf/Commands-amd64: it is listed but missing"] {
        assert!(found.stdout.contains(lost), "{}", found.stdout);
    }
    found.says(["`publish export stable`"]);
    sandbox.publish_after(60, &["export", "stable"]).ok().says(["Published suite `stable` as configured"]);
    assert_eq!([CONTENTS, COMMANDS].map(|path| fs::read(sandbox.archive(path)).unwrap()), before);
    is_true(&sandbox);
}

#[test]
fn every_command_keeps_the_index_of_files_true() {
    let sandbox = Sandbox::new();
    let in_bin =
        |name: &str, version: &str| deb(name).version(version).installs(&format!("usr/bin/{name}-{version}"));
    let files = [
        in_bin("hello", "1").installs("usr/bin/hello").write(sandbox.incoming()),
        in_bin("other", "1")
            .installs("usr/bin/hello")
            .field("Section", "contrib/net")
            .write(sandbox.incoming()),
        deb("data").architecture("all").write(sandbox.incoming()),
    ];
    add(&sandbox, &["--contents"], &files).ok();
    assert_eq!(
        lines(&sandbox, CONTENTS),
        [
            "usr/bin/hello misc/hello,contrib/net/other",
            "usr/bin/hello-1 misc/hello",
            "usr/bin/other-1 contrib/net/other",
            "usr/share/doc/data/README misc/data",
            "usr/share/doc/hello/README misc/hello",
            "usr/share/doc/other/README contrib/net/other",
        ]
    );
    is_true(&sandbox);
    // The suite has the index now, so no option is needed.
    add(&sandbox, &[], &[in_bin("hello", "2").write(sandbox.incoming())]).ok();
    assert!(lines(&sandbox, CONTENTS).contains(&"usr/bin/hello-2 misc/hello".to_owned()));
    is_true(&sandbox);
    let lists = || fs::read_dir(sandbox.archive(".publish/contents")).unwrap().count();
    assert_eq!(lists(), 4);
    // An architecture that begins has the packages for all architectures.
    add(&sandbox, &[], &[deb("hello").version("2").architecture("arm64").write(sandbox.incoming())]).ok();
    assert_eq!(
        lines(&sandbox, "dists/stable/main/Contents-arm64.gz"),
        ["usr/share/doc/data/README misc/data", "usr/share/doc/hello/README misc/hello"]
    );
    // One of two versions: the lists of both are known without the packages.
    for file in ["hello_1_amd64.deb", "hello_2_amd64.deb"] {
        fs::rename(sandbox.archive("pool/main/h/hello").join(file), sandbox.path(file)).unwrap();
    }
    sandbox.publish(["remove", "hello=1"]).ok();
    for file in ["hello_1_amd64.deb", "hello_2_amd64.deb"] {
        fs::rename(sandbox.path(file), sandbox.archive("pool/main/h/hello").join(file)).unwrap();
    }
    is_true(&sandbox);
    assert!(!lines(&sandbox, CONTENTS).iter().any(|line| line.contains("hello-1")));
    let (changed, before) = (lines(&sandbox, CONTENTS), ["usr/bin/hello-1 misc/hello"]);
    sandbox.publish_after(60, &["rollback"]).ok();
    assert!(before.iter().all(|line| lines(&sandbox, CONTENTS).contains(&(*line).to_owned())));
    is_true(&sandbox);
    sandbox.publish_after(120, &["snapshot", "one"]).ok();
    sandbox.publish_after(180, &["remove", "hello=1"]).ok();
    assert_eq!(lines(&sandbox, CONTENTS), changed);
    let kept = lines(&sandbox, "dists/stable/snapshots/one/main/Contents-amd64.gz");
    assert!(kept.contains(&"usr/bin/hello-1 misc/hello".to_owned()));
    // Copied into a suite that has an index, and into one that is configured to have none.
    sandbox.configure(
        "Codename: stable\nComponents: main\nArchitectures: amd64 arm64\n\nCodename: next\nComponents: main\n\
         Architectures: amd64 arm64\nContents: .gz .xz\n\nCodename: plain\nComponents: main\nArchitectures: amd64 arm64\n",
    );
    sandbox.publish_after(240, &["copy", "hello", "--from", "stable", "--to", "next"]).ok();
    sandbox.publish_after(240, &["copy", "hello", "--from", "stable", "--to", "plain"]).ok();
    assert_eq!(
        lines(&sandbox, "dists/next/main/Contents-amd64.gz"),
        ["usr/bin/hello-2 misc/hello", "usr/share/doc/hello/README misc/hello"]
    );
    assert!(sandbox.archive("dists/next/main/Contents-amd64.xz").exists());
    assert!(!sandbox.read("dists/plain/Release").contains("Contents"));
    // The store that is synced has the indices, and not the lists.
    sandbox.publish_after(300, &["sync", "./there"]).ok();
    assert!(sandbox.path("there").join(CONTENTS).exists());
    assert!(!sandbox.path("there/.publish/contents").exists());
    sandbox.publish_after(300, &["check"]).ok();
    sandbox.publish_after(300, &["remove", "--suite", "stable", "hello", "other", "data"]).ok();
    assert_eq!(lines(&sandbox, CONTENTS), [""; 0]);
    sandbox.publish_after(300, &["check"]).ok();
}

#[test]
fn the_lists_of_deleted_packages_are_deleted() {
    let sandbox = Sandbox::new();
    let files = [deb("gone").write(sandbox.incoming()), deb("kept").write(sandbox.incoming())];
    add(&sandbox, &["--contents"], &files).ok();
    sandbox.publish_after(60, &["remove", "gone"]).ok();
    let lists = sandbox.archive(".publish/contents");
    fs::write(lists.join("odd"), "x").unwrap();
    age(&sandbox.archive(""), 30);
    let prune = |keep: &str| {
        sandbox.publish_after(120, &["prune", "--keep-generations", keep, "--keep-for", "1h"]).ok();
    };
    prune("5");
    assert_eq!(fs::read_dir(&lists).unwrap().count(), 2, "a retained generation has the package");
    age(&sandbox.archive(""), 30);
    prune("1");
    let left: Vec<_> = fs::read_dir(&lists).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    // Lost lists are read from the packages again.
    fs::remove_dir_all(&lists).unwrap();
    add(&sandbox, &[], &[deb("kept").version("2").write(sandbox.incoming())]).ok();
    sandbox.publish(["remove", "kept=1.0"]).ok();
    is_true(&sandbox);
}

#[test]
fn check_compares_the_index_with_the_lists_of_the_packages() {
    let sandbox = Sandbox::new();
    let files = [
        deb("one").installs("usr/bin/one").installs("usr/bin/other").write(sandbox.incoming()),
        deb("two").installs("usr/bin/two").write(sandbox.incoming()),
    ];
    add(&sandbox, &["--contents"], &files).ok();
    sandbox.publish_after(60, &["check"]).ok().says(["no faults"]);
    // Another index with the same packages, as a faulty version might write it.
    let text = unpack(&fs::read(sandbox.archive(CONTENTS)).unwrap(), Compression::Gzip);
    let publishes = |lines: &[&str], more: &str| {
        let fits = |line: &&str| !lines.iter().any(|part| line.contains(part));
        let text: String = text.lines().filter(fits).flat_map(|line| [line, "\n"]).collect();
        fs::write(sandbox.path("made"), text + more).unwrap();
        sandbox.publish(["attach", "--detach", "main/Contents-amd64"]).ok();
        sandbox.publish(["attach", "made", "--as", "main/Contents-amd64", "--compress", "gz"]).ok();
        sandbox.publish_after(60, &["check"])
    };
    publishes(&[], "").ok();
    let said = publishes(&["usr/bin/o"], "").fails(4).stdout;
    assert!(said.contains("it does not list `usr/bin/one` of `misc/one`, nor 1 more of its files"), "{said}");
    assert!(!said.contains("misc/two"), "{said}");
    let line = format!("zz{}    misc/two\n", "\t".repeat(7));
    let said = publishes(&[], &line).fails(4).stdout;
    assert!(said.contains("it lists files that `misc/two` does not have"), "{said}");
}

/// A list in the store has no signature, so a false one adds no line.
#[test]
fn a_forged_list_adds_no_line() {
    let sandbox = Sandbox::new();
    let files = [deb("one").write(sandbox.incoming()), deb("one").version("2").write(sandbox.incoming())];
    add(&sandbox, &["--contents"], &files).ok();
    let forged = crate::deb_builder::pack(Pack::Gzip, b"usr/bin/sudo\n");
    for file in fs::read_dir(sandbox.archive(".publish/contents")).unwrap() {
        fs::write(file.unwrap().path(), &forged).unwrap();
    }
    sandbox.publish(["remove", "one=1.0"]).ok();
    assert!(!lines(&sandbox, CONTENTS).iter().any(|line| line.contains("sudo")));
    // One that is no list is read from the package again.
    add(&sandbox, &[], &[deb("one").version("3").write(sandbox.incoming())]).ok();
    for file in fs::read_dir(sandbox.archive(".publish/contents")).unwrap() {
        fs::write(file.unwrap().path(), "no list").unwrap();
    }
    sandbox.publish(["remove", "one=2"]).ok();
    assert_eq!(lines(&sandbox, CONTENTS), ["usr/share/doc/one/README misc/one"]);
}

/// The same lines with the packages of each in order; apt-ftparchive writes the first, and then the others backwards.
fn sorted(contents: &str) -> String {
    let line = |line: &str| {
        let at = line.rfind([' ', '\t']).unwrap() + 1;
        let mut packages: Vec<&str> = line[at..].split(',').collect();
        packages.sort_unstable();
        format!("{}{}\n", &line[..at], packages.join(","))
    };
    contents.lines().map(line).collect()
}

#[test]
fn the_lines_are_those_of_apt_ftparchive() {
    let sandbox = Sandbox::new();
    let mut files = Vec::new();
    for (number, pack) in
        [Pack::None, Pack::Gzip, Pack::Xz, Pack::Zstd, Pack::Bzip2, Pack::Lzma].into_iter().enumerate()
    {
        let name = format!("package-{number}");
        let built = deb(&name)
            .compression(pack)
            .installs("usr/share/shared")
            .installs(&format!("usr/lib/{}", "x".repeat(60)));
        files.push(
            built
                .installs(&format!("usr/bin/{name} with blanks"))
                .installs("usr/share/ümläut")
                .write(sandbox.incoming()),
        );
    }
    add(&sandbox, &["--contents"], &files).ok();
    // It writes the section only if it reads `Packages`.
    let text = unpack(&fs::read(sandbox.archive(CONTENTS)).unwrap(), Compression::Gzip);
    let made = sandbox.ask("apt-ftparchive", ["contents".as_ref(), sandbox.archive("pool").as_os_str()]);
    assert_eq!(text.replace("misc/", ""), sorted(&made));
    // The same bytes with sections.
    let config = format!(
        "Dir {{ ArchiveDir \"{}\"; CacheDir \"{}\"; }};\nDefault::Contents::Compress \".\";\nTree \"dists/stable\" {{ \
         Sections \"main\"; Architectures \"amd64\"; Directory \"pool\"; Contents \"made\"; Packages \"made-packages\"; }};\n",
        sandbox.archive("").display(),
        sandbox.path("home").display()
    );
    fs::write(sandbox.path("generate.conf"), config).unwrap();
    sandbox.ask("apt-ftparchive", ["-qq", "generate", "generate.conf"]);
    assert_eq!(text, sorted(&sandbox.read("made")));
}

#[test]
fn apt_file_finds_the_package_of_a_file() {
    if !Path::new("/usr/bin/apt-file").exists() {
        return skipped("no apt-file on this machine");
    }
    let sandbox = Sandbox::new();
    let files = [
        deb("hello").installs("usr/bin/greets").write(sandbox.incoming()),
        deb("tool").architecture("all").installs("usr/bin/tool with blanks").write(sandbox.incoming()),
    ];
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nContents: .xz\n");
    add(&sandbox, &[], &files).ok();
    let Some(mut apt) = Client::debian_12(&sandbox) else { return };
    fs::copy("/etc/apt/apt.conf.d/50apt-file.conf", apt.root().join("etc/apt/apt.conf.d/50apt-file.conf"))
        .unwrap();
    apt.source(&Source::folder(sandbox.archive("")).trusted());
    apt.updates();
    let search = |pattern: &str| apt.run("apt-file", ["search", pattern]).ok().stdout;
    assert_eq!(search("bin/greets"), "hello: /usr/bin/greets\n");
    assert_eq!(search("bin/tool"), "tool: /usr/bin/tool with blanks\n");
    assert_eq!(apt.run("apt-file", ["list", "hello"]).ok().stdout.lines().count(), 2);
    add(&sandbox, &[], &[deb("late").installs("usr/bin/late").write(sandbox.incoming())]).ok();
    sandbox.publish_after(60, &["remove", "hello"]).ok();
    apt.run("apt-file", ["update"]).ok();
    assert_eq!(search("bin/late"), "late: /usr/bin/late\n");
    assert!(apt.run("apt-file", ["search", "bin/greets"]).stdout.is_empty());
}

/// One stanza for each package with commands: those of its newest version.
#[test]
fn commands_are_listed_for_command_not_found() {
    let sandbox = Sandbox::new();
    let commands = |path: &str| unpack(&fs::read(sandbox.archive(path)).unwrap(), Compression::Xz);
    let files = [
        deb("tool").installs("usr/bin/tool").installs("usr/sbin/toold").write(sandbox.incoming()),
        deb("games").architecture("all").installs("usr/games/play").write(sandbox.incoming()),
        deb("none").write(sandbox.incoming()),
    ];
    add(&sandbox, &["--contents"], &files).ok();
    let header = "suite: stable\ncomponent: main\narch: amd64\n\n";
    let games = "name: games\nversion: 1.0\ncommands: play\n\n";
    assert_eq!(
        commands(COMMANDS),
        format!("{header}{games}name: tool\nversion: 1.0\ncommands: tool,toold\n\n")
    );
    let newer = deb("tool").version("2").installs("usr/bin/tool2").write(sandbox.incoming());
    add(&sandbox, &[], &[newer]).ok();
    assert_eq!(commands(COMMANDS), format!("{header}{games}name: tool\nversion: 2\ncommands: tool2\n\n"));
    sandbox.publish_after(60, &["remove", "tool=2"]).ok();
    let first = format!("{header}{games}name: tool\nversion: 1.0\ncommands: tool,toold\n\n");
    assert_eq!(commands(COMMANDS), first);
    // An older version is not listed, so the index stays as it is.
    let older = deb("tool").version("0.9").installs("usr/bin/tool").write(sandbox.incoming());
    add(&sandbox, &[], &[older]).ok();
    sandbox.publish_after(90, &["remove", "tool=0.9"]).ok();
    assert_eq!(commands(COMMANDS), first);
    assert!(sandbox.read("dists/stable/Release").contains("cnf/Commands-amd64"));
    sandbox.publish_after(60, &["remove", "tool", "games"]).ok();
    assert_eq!(commands(COMMANDS), header);
    let configure = |fields: &str| {
        sandbox.configure(&format!("Codename: stable\nComponents: main\nArchitectures: amd64\n{fields}\n"));
    };
    configure("Contents: .gz\nCommands: no");
    sandbox.publish_after(120, &["export"]).ok();
    assert!(!sandbox.read("dists/stable/Release").contains("Commands"));
    configure("Contents: nodebs\nCommands: yes");
    add(&sandbox, &[], &[deb("late").installs("usr/bin/late").write(sandbox.incoming())]).ok();
    assert_eq!(commands(COMMANDS), format!("{header}name: late\nversion: 1.0\ncommands: late\n\n"));
    assert!(!sandbox.read("dists/stable/Release").contains("Contents"));
    sandbox.publish_after(240, &["check"]).ok();
}

fn tar(entries: &[(&str, u8, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, size) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o644);
        header.set_size(*size);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + usize::try_from(size.next_multiple_of(512)).unwrap(), b'x');
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn odd_paths_have_a_defined_form() {
    let sandbox = Sandbox::new();
    let entries = [
        ("./", b'5', 0),
        ("/usr/bin/absolute", b'0', 3),
        ("././usr//bin/./dots", b'0', 0),
        ("usr/bin/link", b'2', 0),
        ("./usr/bin/hard", b'1', 0),
        ("./usr/bin/old-folder/", b'0', 0),
        ("./dev/null", b'3', 0),
        ("./usr/../up", b'0', 0),
        ("./usr/bin/blank ", b'0', 0),
        ("./usr/bin/twice", b'0', 0),
        ("./usr/bin/twice", b'0', 0),
        ("././@LongLink", b'L', 202),
        ("./usr/cut", b'0', 1),
    ];
    let mut bytes = tar(&entries);
    let name = [b"./usr/", "l".repeat(195).as_bytes(), b"\0"].concat();
    let at = bytes.windows(11).position(|window| window == b"././@LongLi").unwrap() + 512;
    bytes[at..at + name.len()].copy_from_slice(&name);
    let said = add(&sandbox, &["--contents"], &[deb("odd").data(bytes).write(sandbox.incoming())]).ok();
    said.says(["`Contents` does not list 2 paths of `odd` 1.0 amd64, which an index cannot express"]);
    let found = lines(&sandbox, CONTENTS);
    let paths: Vec<&str> = found.iter().map(|line| line.strip_suffix(" misc/odd").unwrap()).collect();
    let long = format!("usr/{}", "l".repeat(195));
    assert_eq!(
        paths,
        [
            "dev/null",
            "usr/bin/absolute",
            "usr/bin/dots",
            "usr/bin/hard",
            "usr/bin/link",
            "usr/bin/twice",
            &long
        ]
    );
    is_true(&sandbox);
}

#[test]
fn a_package_that_dpkg_cannot_unpack_is_refused_and_others_are_published() {
    let sandbox = Sandbox::new();
    let whole = tar(&[("./usr/bin/a", b'0', 2000)]);
    let mut damaged = whole.clone();
    damaged[3] ^= 1;
    for (name, data, says) in [
        ("newline", tar(&[("./usr/bin/a\nb", b'0', 0)]), "the path `./usr/bin/a\\nb` has a newline"),
        ("pax", tar(&[("./PaxHeaders/a", b'x', 30), ("./a", b'0', 0)]), "an entry of type `x`"),
        ("checksum", damaged, "a header has a wrong checksum"),
        ("junk", b"junk".repeat(300), "a header has"),
        ("header", whole[..300].to_vec(), "it ends in the middle of a header"),
        ("file", whole[..1024].to_vec(), "it ends in the middle of a file"),
    ] {
        let file = deb(name).data(data).write(sandbox.incoming());
        let before = sandbox.tree();
        add(&sandbox, &["--contents"], std::slice::from_ref(&file))
            .fails(1)
            .says(["dpkg cannot unpack it", says]);
        assert_eq!(sandbox.tree(), before, "{name}");
    }
    let mut packed = deb("stream").bytes();
    let length = packed.len();
    packed[length - 6] ^= 1;
    let file = sandbox.incoming().join("stream.deb");
    fs::write(&file, packed).unwrap();
    add(&sandbox, &["--contents"], &[file]).fails(1).says(["the data member cannot be decompressed"]);
    // Archives that dpkg unpacks are published, and what cannot be listed is said.
    let names: Vec<u8> = (0..1200)
        .flat_map(|_| {
            tar(&[("././@LongLink", b'L', 60 << 10), ("./a", b'0', 0)])[..1024 + (60 << 10)].to_vec()
        })
        .collect();
    let unique: Vec<u8> = {
        let mut bytes = names;
        let step = 1024 + (60 << 10);
        for number in 0..1200 {
            let text = format!("{number:06}");
            bytes[number * step + 512..number * step + 518].copy_from_slice(text.as_bytes());
        }
        bytes
    };
    let files = [
        deb("empty").data(b"").write(sandbox.incoming()),
        deb("names").data(unique).write(sandbox.incoming()),
        deb("fine").write(sandbox.incoming()),
    ];
    let said = add(&sandbox, &["--contents"], &files).ok();
    said.says(["`Contents` does not list the files of `names` 1.0 amd64: the data archive has more than 64 MiB of paths"]);
    assert_eq!(lines(&sandbox, CONTENTS), ["usr/share/doc/fine/README misc/fine"]);
}

#[test]
fn an_index_is_made_from_the_pool_when_it_is_asked_for() {
    let sandbox = Sandbox::new();
    let files = [
        deb("one").write(sandbox.incoming()),
        deb("lost").write(sandbox.incoming()),
        deb("bad").write(sandbox.incoming()),
    ];
    add(&sandbox, &[], &files).ok();
    fs::remove_file(sandbox.archive("pool/main/l/lost/lost_1.0_amd64.deb")).unwrap();
    fs::write(sandbox.archive("pool/main/b/bad/bad_1.0_amd64.deb"), "damaged").unwrap();
    let said = sandbox.publish_after(60, &["export", "--contents"]).ok();
    said.says([
        "`Contents` does not list the files of `lost` 1.0 amd64: its file is missing in the pool",
        "`Contents` does not list the files of `bad` 1.0 amd64: its file in the pool is damaged",
    ]);
    assert_eq!(lines(&sandbox, CONTENTS), ["usr/share/doc/one/README misc/one"]);
    sandbox.publish_after(60, &["export", "--contents"]).ok().says(["nothing to do"]);
    // As configured, in other forms and for all components, and then no longer.
    let configure = |value: &str| {
        sandbox.configure(&format!(
            "Codename: stable\nComponents: main\nArchitectures: amd64\nContents: {value}\n"
        ));
    };
    configure("all .xz");
    sandbox.publish_after(120, &["export"]).ok();
    let release = sandbox.read("dists/stable/Release");
    for path in
        ["main/Contents-amd64\n", "main/Contents-amd64.xz\n", " Contents-amd64\n", " Contents-amd64.xz\n"]
    {
        assert!(release.contains(path), "{path}: {release}");
    }
    assert!(!release.contains("Contents-amd64.gz"));
    add(&sandbox, &[], &[deb("two").write(sandbox.incoming())]).ok();
    for path in ["main/Contents-amd64.xz", "Contents-amd64.xz"] {
        let file = fs::read(sandbox.archive("dists/stable").join(path)).unwrap();
        assert!(unpack(&file, Compression::Xz).contains("misc/two"), "{path}");
    }
    configure("nodebs");
    sandbox.publish_after(180, &["export"]).ok();
    assert!(!sandbox.read("dists/stable/Release").contains("Contents"));
}
