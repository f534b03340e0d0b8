//! Which packages come in: dpkg and apt decide, and the verdicts of reprepro and aptly are recorded beside ours.

use std::{fs, path::Path};

use crate::{
    apt_client::{Client, Source},
    deb_builder::{DebBuilder, Pack, deb, pack},
    sandbox::{Sandbox, skipped},
};

/// The verdict of `publish add` on a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ours {
    /// It adds it without a word.
    Adds,
    /// It adds it with a warning.
    Warns,
    /// It refuses it.
    Refuses,
}
use Ours::{Adds, Refuses, Warns};

/// The verdict of a tool: it accepts the package (`true`) or not.
struct Row {
    name: &'static str,
    bytes: Vec<u8>,
    /// `dpkg-deb --field`, `dpkg --unpack`, `apt-get update` with its stanza, `reprepro includedeb`, `aptly repo add`.
    tools: [bool; 5],
    ours: Ours,
}

fn row(name: &'static str, bytes: impl Into<Vec<u8>>, tools: [u8; 5], ours: Ours) -> Row {
    Row { name, bytes: bytes.into(), tools: tools.map(|tool| tool == 1), ours }
}

fn text(from: &str, to: &str) -> Vec<u8> {
    let stanza = sample().stanza();
    assert!(stanza.contains(from), "{stanza}");
    sample().control_text(stanza.replacen(from, to, 1)).bytes()
}

fn sample() -> DebBuilder {
    deb("sample")
}

fn field(name: &str, value: &str) -> Vec<u8> {
    sample().field(name, value).bytes()
}

/// The sample with other members for control and data.
fn members(control: (&str, Vec<u8>), data: (&str, Vec<u8>)) -> Vec<u8> {
    let bare = sample().without_member("control.tar").without_member("data.tar");
    bare.member(control.0, control.1).member(data.0, data.1).bytes()
}

/// A tar archive of these entries.
fn tar(entries: &[(tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (kind, path, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A zstd frame without a window descriptor, as `zstd --long` writes it of a file: zeros, in blocks of one repeated byte.
fn in_one_segment(size: u32) -> Vec<u8> {
    let mut frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0], &size.to_le_bytes()[..]].concat();
    let mut left = size;
    while left > 0 {
        let block = left.min(128 << 10);
        left -= block;
        let header = block << 3 | 1 << 1 | u32::from(left == 0);
        frame.extend([&header.to_le_bytes()[..3], &[0]].concat());
    }
    frame
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let control = tar(&[(tar::EntryType::Regular, "control", sample().stanza().as_bytes())]);
    let global: &[u8] = b"52 comment=0123456789abcdef0123456789abcdef01234567\n";
    let with_global = tar(&[
        (tar::EntryType::XGlobalHeader, "pax_global_header", global),
        (tar::EntryType::Regular, "control", sample().stanza().as_bytes()),
    ]);
    let gzip = |bytes: &[u8]| pack(Pack::Gzip, bytes);
    let good_control = || ("control.tar.gz", gzip(&control));
    let empty = tar(&[]);
    let data = |name: &'static str, bytes: Vec<u8>| members(good_control(), (name, bytes));
    let with_control =
        |name: &'static str, bytes: Vec<u8>| members((name, bytes), ("data.tar.gz", gzip(&empty)));
    let with_member = |name: &str, bytes: &[u8]| {
        let entries = [("control", sample().stanza().into_bytes()), (name, bytes.to_vec())];
        let entries = entries.each_ref().map(|(name, bytes)| (tar::EntryType::Regular, *name, &bytes[..]));
        with_control("control.tar.gz", gzip(&tar(&entries)))
    };
    // A header of tar that has a path as it is.
    let renamed = |path: &str| {
        let mut bytes = control.clone();
        let mut header = tar::Header::from_byte_slice(&bytes[..512]).clone();
        let name = &mut header.as_mut_bytes()[..100];
        name.fill(0);
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes
    };
    let noise: Vec<u8> = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let full = tar(&[(tar::EntryType::Regular, "usr/x", &noise)]);
    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    let many = [gzip(&control[..700]), gzip(&control[700..])].concat();
    vec![
        row("sound", sample().bytes(), [1, 1, 1, 1, 1], Adds),
        row("data.tar.lz4", data("data.tar.lz4", b"x".to_vec()), [1, 0, 1, 1, 1], Refuses),
        row("data.tar.br", data("data.tar.br", b"x".to_vec()), [1, 0, 1, 1, 1], Refuses),
        row("data.tar", data("data.tar", empty.clone()), [1, 1, 1, 1, 1], Adds),
        row("data.tar.xz", data("data.tar.xz", pack(Pack::Xz, &empty)), [1, 1, 1, 1, 1], Adds),
        row("data.tar.bz2", data("data.tar.bz2", pack(Pack::Bzip2, &empty)), [1, 1, 1, 1, 1], Adds),
        row("data.tar.lzma", data("data.tar.lzma", pack(Pack::Lzma, &empty)), [1, 1, 1, 1, 1], Adds),
        row(
            "control.tar.bz2",
            with_control("control.tar.bz2", pack(Pack::Bzip2, &control)),
            [0, 0, 1, 1, 0],
            Refuses,
        ),
        row(
            "control.tar.lzma",
            with_control("control.tar.lzma", pack(Pack::Lzma, &control)),
            [0, 0, 1, 1, 0],
            Refuses,
        ),
        row("control.tar", with_control("control.tar", control.clone()), [1, 1, 1, 1, 1], Adds),
        row("gzip members", with_control("control.tar.gz", many), [1, 1, 1, 1, 1], Adds),
        row("global header", with_control("control.tar.gz", gzip(&with_global)), [1, 1, 1, 1, 1], Adds),
        row("newline at the end", [sample().bytes(), b"\n".to_vec()].concat(), [1, 1, 1, 1, 1], Adds),
        row("conffiles", with_member("conffiles", b"etc/x\n"), [1, 0, 1, 1, 1], Refuses),
        row("conffiles without an end", with_member("conffiles", b"/etc/x"), [1, 0, 1, 1, 1], Refuses),
        row("sound conffiles", with_member("conffiles", b"/etc/x\n"), [1, 1, 1, 1, 1], Adds),
        row("triggers", with_member("triggers", b"bogus x\n"), [1, 0, 1, 1, 1], Refuses),
        row("sound triggers", with_member("triggers", b"interest-noawait /x\n"), [1, 1, 1, 1, 1], Adds),
        row("other compression", data("data.tar.gz", pack(Pack::Xz, &empty)), [1, 0, 1, 1, 1], Refuses),
        row("Description-md5", field("Description-md5", "zz"), [1, 1, 0, 1, 1], Refuses),
        row("Multi-Arch: yes", field("Multi-Arch", "yes"), [1, 0, 0, 1, 1], Refuses),
        row("Multi-Arch: Foreign", field("Multi-Arch", "Foreign"), [1, 1, 0, 1, 1], Warns),
        row("Multi-Arch: foreign", field("Multi-Arch", "foreign"), [1, 1, 1, 1, 1], Adds),
        row(
            "all, Multi-Arch: same",
            sample().architecture("all").field("Multi-Arch", "same").bytes(),
            [1, 0, 0, 1, 1],
            Refuses,
        ),
        row("Essential: maybe", field("Essential", "maybe"), [1, 0, 0, 1, 1], Refuses),
        row(
            "field Conffiles",
            field("Conffiles", "\n /etc/x 0123\n /y 0 remove-on-upgrade"),
            [1, 1, 1, 1, 1],
            Adds,
        ),
        row("path without a slash", field("Conffiles", "\n  etc/x  0 obsolete "), [1, 1, 1, 1, 1], Adds),
        row("no MD5", field("Conffiles", "\n /etc/x"), [1, 0, 1, 1, 1], Refuses),
        row("a flag for the MD5", field("Conffiles", "\n /x 0\n /etc/x obsolete"), [1, 0, 1, 1, 1], Refuses),
        row(
            "two flags only",
            field("Conffiles", "\n /x obsolete remove-on-upgrade"),
            [1, 0, 1, 1, 1],
            Refuses,
        ),
        row("tab before the path", field("Conffiles", "\n\t/etc/x 0123"), [1, 0, 1, 1, 1], Refuses),
        row("tab after the path", field("Conffiles", "\n /etc/x\t0123"), [1, 0, 1, 1, 1], Refuses),
        row("root as a conffile", field("Conffiles", "\n /./ 0123"), [1, 0, 1, 1, 1], Refuses),
        row("file in the first line", field("Conffiles", "/etc/x 0123"), [1, 0, 1, 1, 1], Refuses),
        // dpkg writes the version `1.0-a b` into its records, and cannot read them again.
        row("Revision", field("Revision", "a b"), [1, 1, 1, 1, 1], Refuses),
        row("Package_Revision", field("Package_Revision", "2"), [1, 1, 1, 1, 1], Refuses),
        row("Status", field("Status", "install ok installed"), [1, 0, 1, 1, 1], Refuses),
        row("variable", field("Depends", "${shlibs:Depends}"), [1, 0, 1, 1, 1], Refuses),
        row("no version", field("Depends", "a (= )"), [1, 0, 0, 1, 1], Refuses),
        row("comma at the end", field("Depends", "a,"), [1, 0, 1, 1, 1], Refuses),
        row("restriction", field("Depends", "a [amd64]"), [1, 0, 0, 1, 1], Refuses),
        row("empty Provides", field("Provides", ""), [1, 1, 0, 1, 1], Refuses),
        row("empty Depends", field("Depends", ""), [1, 1, 1, 1, 1], Adds),
        row("bad Built-Using", field("Built-Using", "a (= )"), [1, 1, 1, 1, 1], Warns),
        row("no final newline", text("It is small.\n", "It is small."), [1, 0, 1, 1, 1], Refuses),
        row("blank at the end", text("It is small.\n", "It is small.\n "), [1, 1, 1, 1, 1], Adds),
        row("underscore", deb("sam_ple").bytes(), [1, 1, 1, 0, 1], Warns),
        // dpkg stores the name in lower case, so apt would offer the package again and again.
        row("upper case", deb("Sample").bytes(), [1, 1, 1, 0, 1], Refuses),
        row("odd Source", field("Source", "MyApp"), [1, 1, 1, 0, 1], Warns),
        row("carriage returns", text("\n It is", "\r\n It is"), [1, 1, 1, 1, 1], Warns),
        row("form feed", text("It is", "It\x0cis"), [1, 1, 1, 1, 1], Warns),
        row("blank before the colon", text("Priority:", "Priority :"), [1, 1, 1, 0, 1], Warns),
        row("NUL", text("It is", "It\0is"), [1, 1, 1, 0, 1], Refuses),
        row("data after the members", [sample().bytes(), vec![b'x'; 70]].concat(), [1, 1, 1, 1, 1], Warns),
        row(
            "half a header after the members",
            [sample().bytes(), b"_gpgorigin".to_vec()].concat(),
            [1, 1, 1, 1, 1],
            Warns,
        ),
        row("second data", sample().member("data.tar.gz", gzip(&empty)).bytes(), [1, 1, 1, 1, 1], Refuses),
        row(
            "data after gzip",
            with_control("control.tar.gz", [gzip(&control), b"junk".to_vec()].concat()),
            [1, 1, 1, 0, 1],
            Warns,
        ),
        row(
            "data after xz",
            with_control("control.tar.xz", [pack(Pack::Xz, &control), b"junk".to_vec()].concat()),
            [1, 1, 1, 1, 1],
            Warns,
        ),
        row(
            "data after the archive",
            with_control("control.tar.gz", gzip(&[&control[..], &[b'x'; 512]].concat())),
            [1, 1, 1, 1, 1],
            Warns,
        ),
        row(
            "entry after the archive",
            with_control("control.tar.gz", gzip(&[&control[..], &control].concat())),
            [1, 1, 1, 1, 1],
            Refuses,
        ),
        row("/control", with_control("control.tar.gz", gzip(&renamed("/control"))), [1, 1, 1, 0, 0], Warns),
        row(
            ".//control",
            with_control("control.tar.gz", gzip(&renamed(".//control"))),
            [1, 1, 1, 0, 0],
            Warns,
        ),
        row("field of a comment", text("Priority:", "#note: x\nPriority:"), [1, 1, 1, 1, 1], Warns),
        row("comment", text("Priority:", "# note\nPriority:"), [1, 0, 1, 1, 0], Refuses),
        row("field of one character", field("X", "y"), [1, 0, 1, 1, 1], Refuses),
        row("end of an MS-DOS file", text("It is small.\n", "It is small.\n\x1a"), [1, 1, 1, 1, 0], Warns),
        row("cut gzip data", data("data.tar.gz", cut(gzip(&full))), [1, 0, 1, 1, 1], Refuses),
        row("cut xz data", data("data.tar.xz", cut(pack(Pack::Xz, &full))), [1, 0, 1, 1, 1], Refuses),
        row("cut zstd data", data("data.tar.zst", cut(pack(Pack::Zstd, &full))), [1, 0, 1, 1, 1], Refuses),
        row("cut bzip2 data", data("data.tar.bz2", cut(pack(Pack::Bzip2, &full))), [1, 0, 1, 1, 1], Refuses),
        row("empty plain data", data("data.tar", Vec::new()), [1, 1, 1, 1, 1], Adds),
        row("empty gzip data", data("data.tar.gz", Vec::new()), [1, 1, 1, 1, 1], Adds),
        // dpkg-deb runs for ever at empty zstd data.
        row("empty xz data", data("data.tar.xz", Vec::new()), [1, 0, 1, 1, 1], Refuses),
        row("empty bzip2 data", data("data.tar.bz2", Vec::new()), [1, 0, 1, 1, 1], Refuses),
        row("zstd of 128 MiB", data("data.tar.zst", in_one_segment(128 << 20)), [1, 1, 1, 1, 1], Adds),
        row(
            "zstd of more than 128 MiB",
            data("data.tar.zst", in_one_segment((128 << 20) + 512)),
            [1, 0, 1, 1, 1],
            Refuses,
        ),
        row("cut plain data", data("data.tar", cut(full.clone())), [1, 0, 1, 1, 1], Refuses),
        row("variant", field("Architecture-Variant", "amd64v3"), [1, 1, 1, 1, 1], Adds),
        row("udeb", field("Section", "debian-installer"), [1, 1, 1, 1, 1], Refuses),
    ]
}

/// Whether a program succeeds on a file.
fn accepts(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> bool {
    let mut command = sandbox.command(program);
    command.args(arguments);
    sandbox.run(command).status == Some(0)
}

fn dpkg_unpacks(sandbox: &Sandbox, file: &str) -> bool {
    let root = sandbox.path("dpkg");
    let _ = fs::remove_dir_all(&root);
    for part in ["info", "updates", "triggers"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(part)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let root = format!("--root={}", root.display());
    accepts(sandbox, "dpkg", &[&root, "--force-not-root,bad-path,depends,architecture", "--unpack", file])
}

/// Whether apt reads an index with the stanza of a package as it is in the .deb, without a warning.
fn apt_reads(sandbox: &Sandbox, client: &Client<'_>, row: &Row, file: &str) -> bool {
    let tar = sandbox.path("control");
    let _ = fs::remove_dir_all(&tar);
    if !accepts(sandbox, "dpkg-deb", &["--control", file, "control"]) {
        // Of a package that dpkg-deb does not open, apt sees a sound stanza.
        return true;
    }
    let mut stanza = fs::read(tar.join("control")).unwrap();
    while stanza.ends_with(b"\n") || stanza.ends_with(b" ") {
        stanza.pop();
    }
    let digest = crate::sandbox::sha256(&row.bytes);
    stanza.extend(format!("\nFilename: sample.deb\nSize: {}\nSHA256: {digest}\n", row.bytes.len()).bytes());
    fs::write(sandbox.path("flat/Packages"), stanza).unwrap();
    client.forgets();
    let outcome = client.update();
    outcome.status == Some(0) && !outcome.stderr.contains("W:") && !outcome.stdout.contains("W:")
}

#[test]
fn dpkg_and_apt_decide() {
    let sandbox = Sandbox::new();
    let mut client = Client::debian_12(&sandbox);
    if let Some(client) = &mut client {
        fs::create_dir(sandbox.path("flat")).unwrap();
        client.source(&Source::folder(sandbox.path("flat")).suite("./").components("").trusted());
    }
    let mut wrong = Vec::new();
    for row in rows() {
        let file = sandbox.path("sample.deb");
        fs::write(&file, &row.bytes).unwrap();
        let file = file.to_str().unwrap();
        let [fields, unpacks, apt, ..] = row.tools;
        let mut tools = vec![
            ("dpkg-deb", fields, accepts(&sandbox, "dpkg-deb", &["--field", file])),
            ("dpkg", unpacks, dpkg_unpacks(&sandbox, file)),
        ];
        if let Some(client) = &client {
            tools.push(("apt", apt, apt_reads(&sandbox, client, &row, file)));
        }
        for (tool, expected, found) in tools {
            if expected != found {
                wrong.push(format!("{}: {tool}: expected {expected}, found {found}", row.name));
            }
        }
        let archive = sandbox.path("rules");
        let _ = fs::remove_dir_all(&archive);
        let outcome =
            sandbox.publish(["--archive".as_ref(), archive.as_os_str(), "add".as_ref(), file.as_ref()]);
        let ours = match (outcome.status, outcome.stderr.contains("warning: `")) {
            (Some(0), false) => Adds,
            (Some(0), true) => Warns,
            _ => Refuses,
        };
        if ours != row.ours {
            wrong.push(format!("{}: expected {:?}, found {ours:?}: {outcome}", row.name, row.ours));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The verdicts of the peers, which are not ours: they publish most of what dpkg cannot unpack.
#[test]
fn packages_that_other_tools_publish() {
    let sandbox = Sandbox::new();
    if !["/usr/bin/reprepro", "/usr/bin/aptly"].iter().all(|tool| Path::new(tool).exists()) {
        skipped("reprepro or aptly is not installed");
        return;
    }
    fs::create_dir_all(sandbox.path("reprepro/conf")).unwrap();
    let conf = "Codename: stable\nComponents: main\nArchitectures: amd64\n";
    fs::write(sandbox.path("reprepro/conf/distributions"), conf).unwrap();
    fs::create_dir(sandbox.path("aptly")).unwrap();
    let root = format!("{{\"rootDir\":\"{}\"}}", sandbox.path("aptly").display());
    fs::write(sandbox.path("aptly.conf"), root).unwrap();
    let mut wrong = Vec::new();
    for (number, row) in rows().iter().enumerate() {
        let file = sandbox.path("sample.deb");
        fs::write(&file, &row.bytes).unwrap();
        let file = file.to_str().unwrap();
        let [.., reprepro, aptly] = row.tools;
        for part in ["db", "pool", "dists"] {
            let _ = fs::remove_dir_all(sandbox.path("reprepro").join(part));
        }
        let found = accepts(&sandbox, "reprepro", &["-b", "reprepro", "includedeb", "stable", file]);
        if found != reprepro {
            wrong.push(format!("{}: reprepro: expected {reprepro}, found {found}", row.name));
        }
        let repo = format!("r{number}");
        sandbox.ask("aptly", ["-config=aptly.conf", "repo", "create", &repo]);
        let found = accepts(&sandbox, "aptly", &["-config=aptly.conf", "repo", "add", &repo, file]);
        if found != aptly {
            wrong.push(format!("{}: aptly: expected {aptly}, found {found}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One that another tool published stops apt; `check` finds it, and `copy` does not spread it.
#[test]
fn a_published_package_that_stops_apt_is_found_and_not_copied() {
    let sandbox = Sandbox::new();
    let packages = |bad: &str| {
        let mut text = String::new();
        for name in ["bad", "fine"] {
            let builder = deb(name).field("Depends", if name == "bad" { bad } else { "a (>= 1), b | c" });
            let path = format!("pool/main/{}/{name}/{name}_1.0_amd64.deb", &name[..1]);
            builder.write_as(sandbox.archive(&path));
            let bytes = builder.bytes();
            let digest = crate::sandbox::sha256(&bytes);
            let stanza = builder.stanza();
            let file = format!("Filename: {path}\nSize: {}\nSHA256: {digest}\n\n", bytes.len());
            text.extend([stanza, file]);
        }
        text
    };
    for (bad, says, stops_apt) in [
        ("foo (= )", "part 1, at `foo (= )`: there is no version in the parentheses", true),
        ("a, ${misc:Depends}", "part 2, at `${misc:Depends}`: the variable", false),
    ] {
        sandbox.adopt_index(&packages(bad));
        let suite = "Components: main\nArchitectures: amd64\n";
        sandbox.configure(&format!("Codename: stable\n{suite}\nCodename: other\n{suite}"));
        let said = sandbox.publish(["check"]).fails(4);
        let report = format!("{}{}", said.stdout, said.stderr);
        assert!(report.contains("`bad` 1.0 amd64 cannot be installed: field `Depends`"), "{report}");
        assert!(report.contains(says) && !report.contains("`fine`"), "{report}");
        assert_eq!(report.contains("apt stops at it"), stops_apt, "{report}");
        let before = sandbox.tree();
        let copy = |name: &str| sandbox.publish(["copy", "--from", "stable", "--to", "other", name]);
        copy("bad").fails(1).says(["cannot copy `bad 1.0 amd64` from suite `stable`", says]);
        copy("*").fails(1).says(["cannot copy `bad 1.0 amd64` from suite `stable`", says]);
        assert_eq!(sandbox.tree(), before);
    }
}

/// A package that `add` refuses is found by `check` in the indices of other tools, and not spread by `copy`.
#[test]
fn fields_that_stop_clients_are_found_and_not_copied() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(70_000);
    for (field, value) in [
        ("Multi-Arch", "yes"),
        ("Essential", "maybe"),
        ("Status", "install ok installed"),
        ("Description-md5", "zz"),
        ("Section", &long),
        ("Depends", &long),
    ] {
        let builder = deb("bad").field(field, value);
        sandbox
            .publish(["add".as_ref(), builder.write(sandbox.incoming()).as_os_str()])
            .fails(1)
            .says([field]);
        let path = "pool/main/b/bad/bad_1.0_amd64.deb";
        builder.write_as(sandbox.archive(path));
        let (bytes, stanza) = (builder.bytes(), builder.stanza());
        let digest = crate::sandbox::sha256(&bytes);
        sandbox
            .adopt_index(&format!("{stanza}Filename: {path}\nSize: {}\nSHA256: {digest}\n\n", bytes.len()));
        let suite = "Components: main\nArchitectures: amd64\n";
        sandbox.configure(&format!("Codename: stable\n{suite}\nCodename: other\n{suite}"));
        let said = sandbox.publish(["check"]).fails(4);
        let report = format!("{}{}", said.stdout, said.stderr);
        assert!(
            report.contains(&format!("`bad` 1.0 amd64 cannot be installed: field `{field}`")),
            "{report}"
        );
        sandbox.publish(["copy", "--from", "stable", "--to", "other", "bad"]).fails(1).says([field]);
        fs::remove_dir_all(sandbox.archive("")).unwrap();
    }
}

/// Stanzas that other tools write, with which clients get nothing, or another version than `list` shows.
#[test]
fn stanzas_that_clients_read_differently_are_found_and_not_copied() {
    let sandbox = Sandbox::new();
    let builder = deb("bad");
    let path = "pool/main/b/bad/bad_1.0_amd64.deb";
    let (bytes, stanza) = (builder.bytes(), builder.stanza());
    let digest = crate::sandbox::sha256(&bytes);
    let file = format!("Filename: {path}\nSize: {}\n", bytes.len());
    for (text, says) in [
        (format!("{stanza}Version: 2.0\n{file}SHA256: {digest}\n\n"), "field `Version` occurs twice"),
        (
            format!("{stanza}{file}SHA256: {}\n\n", digest.to_uppercase()),
            "field `SHA256` has upper-case letters",
        ),
        (format!("{stanza}{file}\n"), "`SHA256`"),
    ] {
        builder.write_as(sandbox.archive(path));
        sandbox.adopt_index(&text);
        let suite = "Components: main\nArchitectures: amd64\n";
        sandbox.configure(&format!("Codename: stable\n{suite}\nCodename: other\n{suite}"));
        let said = sandbox.publish(["check"]).fails(4);
        assert!(said.stdout.contains(says), "{}", said.stdout);
        sandbox.publish(["copy", "--from", "stable", "--to", "other", "bad"]).fails(1).says([says]);
        fs::remove_dir_all(sandbox.archive("")).unwrap();
    }
}

#[test]
fn one_version_for_all_and_for_one_architecture() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64 arm64\n");
    let add = |builders: &[DebBuilder]| {
        let files: Vec<_> = builders.iter().map(|builder| builder.write(sandbox.incoming())).collect();
        sandbox.publish(std::iter::once("add".as_ref()).chain(files.iter().map(|file| file.as_os_str())))
    };
    let [for_all, amd64] = [deb("hello").architecture("all"), deb("hello")];
    let both = "would be in one index; apt could install either of them";
    // Given together they are published, with a warning.
    let pair = || [deb("pair"), deb("pair").architecture("all")];
    let note = "`pair` 1.0 all and `pair` 1.0 amd64 are in one index; apt may install either of them";
    add(&pair()).ok().says([note]);
    add(&pair()).ok().says(["already"]);
    add(std::slice::from_ref(&amd64)).ok();
    let before = sandbox.tree();
    add(std::slice::from_ref(&for_all)).fails(1).says([both]);
    assert_eq!(sandbox.tree(), before);
    add(&[deb("hello").architecture("arm64")]).ok();
    add(&[for_all.version("2.0")]).ok();
    add(&[amd64.version("2.0")]).fails(1).says(["`hello` 2.0 amd64 and `hello` 2.0 all", both]);
    add(&[deb("hello").version("3.0"), deb("hello").version("3.0").architecture("arm64")]).ok();
}

/// Each ends at once, and all of them are named.
#[test]
fn missing_files_and_paths_that_are_no_files_are_named() {
    let sandbox = Sandbox::new();
    sandbox.ask("mkfifo", ["pipe.deb", "incoming/pipe.deb"]);
    let _socket = std::os::unix::net::UnixListener::bind(sandbox.path("socket.deb")).unwrap();
    let good = deb("hello").write(sandbox.path("good"));
    let files = ["add", "pipe.deb", "socket.deb", "/dev/zero", "missing1.deb", "missing2.deb"];
    let said =
        sandbox.publish(files.map(AsRef::<std::ffi::OsStr>::as_ref).into_iter().chain([good.as_os_str()]));
    said.fails(1).says([
        "cannot add `pipe.deb`",
        "it is a named pipe, not a file",
        "it is a socket, not a file",
        "cannot add `/dev/zero`",
        "it is a device, not a file",
        "cannot add `missing1.deb`",
        "cannot add `missing2.deb`",
    ]);
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).fails(1).says(["cannot add `incoming/pipe.deb`", "named pipe"]);
    assert_eq!(sandbox.tree().names(), "");
}

#[test]
fn an_architecture_that_no_machine_has_causes_a_warning() {
    let sandbox = Sandbox::new();
    let add = |architecture: &str| {
        let file = deb("hello").architecture(architecture).write(sandbox.incoming());
        sandbox.publish(["add".as_ref(), file.as_os_str()])
    };
    add("noarch").ok().says(["dpkg does not know architecture `noarch`", "`Architecture: all`"]);
    assert!(!add("arm64").ok().stderr.contains("does not know"));
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64 noarch mycpu\n");
    assert!(!add("mycpu").ok().stderr.contains("does not know"));
}

#[test]
fn a_new_version_stays_in_the_component_of_the_package() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main contrib\nArchitectures: amd64 arm64\n");
    let add = |builder: &DebBuilder, more: &[&str]| {
        let file = builder.write(sandbox.incoming());
        let file = file.to_str().unwrap();
        sandbox.publish([&["add"], more, &[file]].concat())
    };
    let versions = |component: &str, architecture: &str| {
        let text = sandbox.read(format!("dists/stable/{component}/binary-{architecture}/Packages"));
        let lines = text.lines().filter_map(|line| line.strip_prefix("Version: "));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    add(&deb("hello"), &["--component", "contrib"]).ok();
    let said = add(&deb("hello").version("2.0"), &[]).ok();
    said.says(["`hello` 2.0 amd64 stays in component `contrib`", "instead of `main`", "`--component main`"]);
    // Other architectures stay beside it, packages for all as well, and the same file is the same package.
    add(&deb("hello").version("2.0").architecture("arm64"), &[]).ok().says(["stays in component `contrib`"]);
    add(&deb("hello").version("3.0").architecture("all"), &[]).ok().says(["stays in component `contrib`"]);
    add(&deb("hello").version("2.0"), &[]).ok().says(["already"]);
    assert_eq!(versions("contrib", "amd64"), ["1.0", "2.0", "3.0"]);
    assert_eq!(versions("contrib", "arm64"), ["2.0", "3.0"]);
    assert!(sandbox.tree().has("pool/contrib/h/hello/hello_3.0_all.deb"));
    let said = add(&deb("hello").version("4.0"), &["--component", "main"]).ok();
    said.says(["`hello` 4.0 amd64 is added to component `main`", "other versions in component `contrib`"]);
    // Now both have it, and the section decides.
    assert!(!add(&deb("hello").version("5.0"), &[]).ok().stderr.contains("stays"));
    assert_eq!(versions("main", "amd64"), ["4.0", "5.0"]);
    assert_eq!(versions("contrib", "amd64"), ["1.0", "2.0", "3.0"]);
    // Its section names the other component.
    add(&deb("world"), &[]).ok();
    let said = add(&deb("world").version("2.0").field("Section", "contrib/net"), &[]).ok();
    said.says(["`world` 2.0 amd64 stays in component `main`", "instead of `contrib`"]);
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_folder_of_builds_with_a_limit_is_added_as_often_as_one_likes() {
    let sandbox = Sandbox::new();
    sandbox.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 2\n");
    let versions = || {
        let text = sandbox.read("dists/stable/main/binary-amd64/Packages");
        text.lines()
            .filter_map(|line| line.strip_prefix("Version: "))
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    for version in ["1.0", "2.0", "3.0", "4.0", "5.0"] {
        deb("hello").version(version).write(sandbox.incoming());
        sandbox.publish(["add", "incoming"]).ok();
    }
    assert_eq!(versions(), ["4.0", "5.0"]);
    let before = sandbox.tree();
    let said = sandbox.publish(["add", "incoming"]).ok();
    said.says(["Skipped 3 packages", "~ hello 3.0 amd64", "Nothing to do"]);
    assert_eq!(sandbox.tree(), before, "and nothing comes into the pool");
    // The files of the folder, as a shell names them.
    let all: Vec<_> = (1..=5).map(|n| format!("incoming/hello_{n}.0_amd64.deb")).collect();
    let named: Vec<&str> = std::iter::once("add").chain(all.iter().map(String::as_str)).collect();
    sandbox.publish(&named).ok().says(["Skipped 3 packages"]);
    // One old file that is named is still an error.
    sandbox.publish(["add", &all[0]]).fails(1).says(["`Limit: 2` keeps newer versions only"]);
    let json = sandbox.publish(["--json", "add", "incoming"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["skipped"].as_array().unwrap().len(), 3);
    assert_eq!(json["skipped"][0]["version"], "1.0");

    let begun = Sandbox::new();
    begun.configure("Codename: stable\nComponents: main\nArchitectures: amd64\nLimit: 2\n");
    for version in ["1.0", "2.0", "3.0", "4.0"] {
        deb("hello").version(version).write(begun.incoming());
    }
    begun
        .publish(["add", "--dry-run", "incoming"])
        .ok()
        .says(["Would add 2 packages", "Would skip 2 packages"]);
    begun.publish(["add", "incoming"]).ok().says(["Added 2 packages", "Skipped 2 packages"]);
    assert_eq!(begun.tree().paths_with("pool/").len(), 2);
    begun.publish(["check"]).ok();
}

#[test]
fn older_versions_of_a_folder_are_left_out_where_that_is_asked_for() {
    let sandbox = Sandbox::new();
    for version in ["2.0", "3.0"] {
        deb("hello").version(version).write(sandbox.incoming());
    }
    sandbox.publish(["add", "--skip-older", "incoming"]).ok().says(["Added 2 packages"]);
    deb("hello").version("1.0").write(sandbox.incoming());
    deb("hello").version("4.0").write(sandbox.incoming());
    let said = sandbox.publish(["add", "--skip-older", "incoming"]).ok();
    said.says(["Added 1 package", "Skipped 1 package", "~ hello 1.0 amd64"]);
    let before = sandbox.tree();
    let said = sandbox.publish(["add", "--skip-older", "incoming/hello_1.0_amd64.deb"]).ok();
    said.says(["Skipped 1 package", "Nothing to do"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish(["add", "--if-newer", "incoming"]).fails(1).says(["`--skip-older`"]);
    sandbox.publish(["add", "--if-newer", "--skip-older", "incoming"]).fails(2);
}
