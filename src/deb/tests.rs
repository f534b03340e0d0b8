//! Packages made by hand, good and hostile, and dpkg as the second opinion.

use std::{fmt::Write as _, io, path::Path, process::Command};

use proptest::prelude::*;

use super::*;
use crate::{compression::tests::encode, names::Component, pool::PoolPath, stanza::ErrorKind};

const CONTROL: &str = "\
Package: acpi
Version: 1:1.7-1.3
Architecture: amd64
Maintainer: José Núñez <jose@example.org>
Installed-Size: 47
X-Unknown-Field:   three blanks before
Section: utils
Description: displays information on ACPI devices
 Attempts to replicate the functionality of the 'old' apm command.
 .
   * indented — and kept
";

/// One member of an `ar` archive, padded.
fn member(name: &str, contents: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, contents.len()).into_bytes();
    bytes.extend_from_slice(contents);
    if contents.len() % 2 == 1 {
        bytes.push(b'\n');
    }
    bytes
}

fn ar(members: &[Vec<u8>]) -> Vec<u8> {
    [b"!<arch>\n".to_vec(), members.concat()].concat()
}

/// One entry of a tar archive; its header is made by hand so that it may be wrong.
fn entry(path: &str, kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", contents.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[156] = kind;
    if matches!(kind, b'1' | b'2') {
        header[157..164].copy_from_slice(b"md5sums");
    }
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn seal(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn control_tar(text: &[u8]) -> Vec<u8> {
    tar(&[
        entry("./", b'5', b""),
        entry("./md5sums", b'0', b"d41d8cd98f00b204e9800998ecf8427e  usr/bin/acpi\n"),
        entry("./control", b'0', text),
    ])
}

fn format() -> Vec<u8> {
    member("debian-binary", b"2.0\n")
}

fn data() -> Vec<u8> {
    member("data.tar.xz", b"never looked into, of odd length.")
}

fn control_member(format: Compression, tar: &[u8]) -> Vec<u8> {
    member(&format!("control.tar{}", format.extension()), &encode(format, tar))
}

/// A small package with this control file; other modules make their packages with it too.
pub(crate) fn deb_of(text: &[u8]) -> Vec<u8> {
    deb_with(Compression::Gzip, &control_tar(text))
}

fn deb_with(compression: Compression, tar: &[u8]) -> Vec<u8> {
    ar(&[format(), control_member(compression, tar), data()])
}

fn read(bytes: &[u8]) -> Result<BinaryPackage, Error> {
    BinaryPackage::read(bytes)
}

/// The error with its causes, as a user would see it; every one comes with a hint.
fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).map(|package| package.file_name()).unwrap_err();
    assert!(error.hint().is_some(), "no hint for: {error}");
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap();
        cause = error.source();
    }
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    text
}

/// A reader that gives a byte at a time, and is interrupted in between.
struct Dripping<'a>(&'a [u8], bool);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = out.len().min(1);
        self.0.read(&mut out[..count])
    }
}

#[test]
fn one_pass_gives_everything() {
    let bytes = deb_of(CONTROL.as_bytes());
    let package = read(&bytes).unwrap();
    assert_eq!(package.name().as_str(), "acpi");
    assert_eq!(package.version().as_str(), "1:1.7-1.3");
    assert_eq!(package.architecture().as_str(), "amd64");
    assert_eq!(package.source().as_str(), "acpi");
    assert_eq!(package.section(), Some("utils"));
    assert_eq!(*package.digests(), Digests::of(&bytes));
    assert_eq!(package.control(), CONTROL.as_bytes());
    assert_eq!(package.field("x-unknown-field"), Some(&b"three blanks before"[..]));
    assert_eq!(package.file_name(), "acpi_1.7-1.3_amd64.deb");
    assert_eq!(package.control_for_index(), CONTROL.as_bytes());
    assert_eq!(package.warnings(), []);
}

#[test]
fn every_compression_and_every_way_to_read() {
    for compression in Compression::ALL {
        let bytes = deb_with(compression, &control_tar(CONTROL.as_bytes()));
        let package = read(&bytes).unwrap();
        assert_eq!(package.control(), CONTROL.as_bytes(), "{compression:?}");
        let dripping = BinaryPackage::read(Dripping(&bytes, false)).unwrap();
        assert_eq!(dripping.control(), CONTROL.as_bytes());
        assert_eq!(dripping.digests(), package.digests());
    }
}

#[test]
fn a_package_larger_than_the_buffer() {
    let filler: Vec<u8> = (0..1_000_001_u32).map(|n| n.to_le_bytes()[1]).collect();
    let bytes = ar(&[
        format(),
        member("_before", &filler[..300_001]),
        control_member(Compression::Gzip, &control_tar(CONTROL.as_bytes())),
        member("data.tar", &filler),
    ]);
    let package = read(&bytes).unwrap();
    assert_eq!(*package.digests(), Digests::of(&bytes));
}

#[test]
fn what_deb5_allows_around_the_members() {
    let tar = control_tar(CONTROL.as_bytes());
    let control = control_member(Compression::Xz, &tar);
    let mut blank = format();
    blank[8 + 8..8 + 40].fill(b' ');
    let good = [
        // Names that end in a slash, as GNU ar writes them.
        ar(&[
            member("debian-binary/", b"2.0\n"),
            member("control.tar.gz/", &encode(Compression::Gzip, &tar)),
            member("data.tar.lzma/", b""),
        ]),
        // Members for others, before, between and after; what follows the data.
        ar(&[
            format(),
            member("_one", b"1"),
            control.clone(),
            member("_two", b""),
            data(),
            member("_gpgorigin", b"x"),
            member("later", b"y"),
            member("//", b"9999999999"),
            member("/99999", b""),
        ]),
        // Blank fields in a header; a minor version and further lines to come.
        ar(&[blank, control.clone(), data()]),
        ar(&[member("debian-binary", b"2.17\nmore\n"), control.clone(), data()]),
        // Data of any kind, even of a kind to come.
        ar(&[format(), control.clone(), member("data.tar", b"x")]),
        ar(&[format(), control.clone(), member("data.tar.zst", b"x")]),
        ar(&[format(), control, member("data.tar.new", b"x")]),
    ];
    for (number, bytes) in good.iter().enumerate() {
        assert_eq!(read(bytes).unwrap().control(), CONTROL.as_bytes(), "{number}");
    }
}

#[test]
fn the_pad_byte_at_the_end_may_be_missing() {
    let bytes = deb_of(CONTROL.as_bytes());
    let bytes = bytes.strip_suffix(b"\n").unwrap();
    assert_eq!(*read(bytes).unwrap().digests(), Digests::of(bytes));
}

#[test]
fn a_container_made_by_the_ar_crate() {
    let mut builder = ::ar::Builder::new(Vec::new());
    let tar = encode(Compression::Zstd, &control_tar(CONTROL.as_bytes()));
    for (name, contents) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar.zst", &tar), ("data.tar", b"odd")]
    {
        let header = ::ar::Header::new(name.into(), contents.len() as u64);
        builder.append(&header, contents).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    assert_eq!(read(&bytes).unwrap().control(), CONTROL.as_bytes());
}

#[test]
fn a_tar_made_by_the_tar_crate() {
    for long in [false, true] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, contents: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            builder.append_data(&mut header, path, contents).unwrap();
        };
        if long {
            add(&format!("templates/{}", "long".repeat(60)), b"x");
        }
        add("control", CONTROL.as_bytes());
        add("postinst", b"#!/bin/sh\n");
        let tar = builder.into_inner().unwrap();
        assert_eq!(read(&deb_with(Compression::Xz, &tar)).unwrap().control(), CONTROL.as_bytes());
    }
}

#[test]
fn the_end_of_the_tar_may_be_missing_or_long() {
    let whole = control_tar(CONTROL.as_bytes());
    let bare = &whole[..whole.len() - 1024];
    for zeros in [0, 512, 1024, 9216] {
        let tar = [bare, &vec![0; zeros]].concat();
        assert!(read(&deb_with(Compression::Gzip, &tar)).is_ok(), "{zeros}");
    }
}

#[test]
fn empty_lines_around_the_stanza_do_not_count() {
    let bare = CONTROL.trim_end();
    for text in [bare.to_owned(), format!("\n\n{bare}\n"), format!("{bare}\n\n\n")] {
        assert_eq!(read(&deb_of(text.as_bytes())).unwrap().control(), CONTROL.as_bytes());
    }
}

#[test]
fn bytes_that_are_not_utf8_are_kept_and_named() {
    let text = b"Package: acpi\nVersion: 1\nArchitecture: all\nMaintainer: Jos\xe9\nDescription: x\n \xff\n";
    let package = read(&deb_of(text)).unwrap();
    assert_eq!(package.control(), text);
    assert_eq!(package.control_for_index(), &text[..]);
    let field = |name: &str| Warning::NotUtf8 { field: name.into() };
    assert_eq!(package.warnings(), [field("Maintainer"), field("Description")]);
    assert_eq!(
        package.warnings()[0].to_string(),
        "field `Maintainer` is not UTF-8; its bytes are published as they are"
    );
}

#[test]
fn fields_of_the_index_are_left_out_of_it() {
    let text = "Package: acpi\nsize: 5\nVersion: 1\nFilename: ../../etc/passwd\nMD5Sum: x\n y\nSHA1:\nArchitecture: all\nSHA256: 0\nSizes: 7\nSha512: 1\n";
    let package = read(&deb_of(text.as_bytes())).unwrap();
    assert_eq!(package.control(), text.as_bytes());
    assert_eq!(package.control_for_index(), &b"Package: acpi\nVersion: 1\nArchitecture: all\nSizes: 7\n"[..]);
    let [warning] = &package.warnings()[..] else { panic!("one warning") };
    assert_eq!(
        warning.to_string(),
        "omitted, because the index sets them: `size`, `Filename`, `MD5Sum`, `SHA1`, `SHA256`, `Sha512`"
    );
}

#[test]
fn sources_and_places() {
    let place = |fields: &str| {
        let text = format!("{fields}\nVersion: 2:2.0~rc1+b1-3\nArchitecture: all\n");
        let package = read(&deb_of(text.as_bytes())).unwrap();
        let path = PoolPath::of(&Component::parse("main").unwrap(), &package);
        assert_eq!(PoolPath::parse(path.as_str()).unwrap(), path);
        path.to_string()
    };
    assert_eq!(place("Package: g++"), "pool/main/g/g++/g++_2.0~rc1+b1-3_all.deb");
    assert_eq!(
        place("Package: foo\nSource: libfoo (1.2-3)"),
        "pool/main/libf/libfoo/foo_2.0~rc1+b1-3_all.deb"
    );
    assert_eq!(place("Package: libfoo1\nSource: foo"), "pool/main/f/foo/libfoo1_2.0~rc1+b1-3_all.deb");
    assert_eq!(place("Package: lib"), "pool/main/l/lib/lib_2.0~rc1+b1-3_all.deb");
    assert_eq!(place("Package: libx\nSource:"), "pool/main/libx/libx/libx_2.0~rc1+b1-3_all.deb");
}

#[test]
fn a_package_takes_little_memory() {
    assert!(size_of::<BinaryPackage>() <= 176, "{}", size_of::<BinaryPackage>());
}

#[test]
fn refuses_what_is_no_package() {
    for (bytes, says) in [
        (&b""[..], "the file is empty"),
        (&[0; 700], "the file starts with only zeros"),
        (b"\n<!DOCTYPE html><html>", "it looks like a web page or the answer of a server"),
        (b"<?xml version=\"1.0\"?><Error/>", "it looks like a web page or the answer of a server"),
        (b"\xed\xab\xee\xdb\x03\x00 rpm", "it looks like a package for rpm"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer file"),
        (b"Format: 3.0 (quilt)\n", "it looks like a `.dsc`, `.changes` or `.buildinfo` file"),
        (b"0.939000\n1234\n", "it looks like a package of the format before 1995"),
        (b"\x1f\x8b\x08", "it looks like a gzip file"),
        (b"!<thin>\n", "it does not start like an `ar` archive"),
        (b"x", "it does not start like an `ar` archive"),
    ] {
        assert_eq!(refusal(bytes), format!("not a Debian package: {says}"));
    }
    assert_eq!(refusal(&control_tar(b"A: b\n")), "not a Debian package: it looks like a tar archive");
}

#[test]
fn refuses_other_members() {
    let control = control_member(Compression::Gzip, &control_tar(CONTROL.as_bytes()));
    for (members, says) in [
        (vec![], "an `ar` archive without members"),
        (
            vec![member("lib.o/", b"")],
            "the first member is `lib.o`, not `debian-binary`: an `ar` archive, but not a Debian package",
        ),
        (
            vec![member("_x", b""), format()],
            "the first member is `_x`, not `debian-binary`: an `ar` archive, but not a Debian package",
        ),
        (
            vec![control.clone(), format(), data()],
            "the first member is `control.tar.gz`, not `debian-binary`: an `ar` archive, but not a Debian package",
        ),
        (vec![member("debian-binary", b"3.0\n")], "the package format is `3.0`, but only 2.x is supported"),
        (vec![member("debian-binary", b"2.0")], "the package format is `2.0`, but only 2.x is supported"),
        (vec![member("debian-binary", b"2.\n")], "the package format is `2.`, but only 2.x is supported"),
        (vec![member("debian-binary", b"2.x\n")], "the package format is `2.x`, but only 2.x is supported"),
        (vec![member("debian-binary", b"")], "the package format is ``, but only 2.x is supported"),
        (vec![format()], "no member `control.tar`"),
        (vec![format(), member("_x", b"")], "no member `control.tar`"),
        (vec![format(), data(), control.clone()], "`data.tar.xz` is in the place of `control.tar`"),
        (vec![format(), member("readme", b"")], "`readme` is in the place of `control.tar`"),
        (vec![format(), member("control.tar.lz4", b"")], "the compression of `control.tar.lz4` is not known"),
        (vec![format(), control.clone()], "no member `data.tar`"),
        (
            vec![format(), control.clone(), control.clone(), data()],
            "a second control member, `control.tar.gz`",
        ),
        (vec![format(), control.clone(), member("readme", b"")], "`readme` is in the place of `data.tar`"),
        (
            vec![format(), control.clone(), data(), control.clone()],
            "a second control member, `control.tar.gz`",
        ),
        (
            vec![format(), control.clone(), data(), member("control.tar/", b"")],
            "a second control member, `control.tar`",
        ),
        (vec![format(), control, data(), data()], "a second data member, `data.tar.xz`"),
    ] {
        assert_eq!(refusal(&ar(&members)), says);
    }
}

#[test]
fn refuses_damaged_headers() {
    let good = deb_of(CONTROL.as_bytes());
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        refusal(&bad)
    };
    // The second header stands behind the magic, the first header and `2.0\n`.
    let second = 8 + 60 + 4;
    assert_eq!(with(second + 58, b"xx"), "the file is damaged at byte 72: a member header is missing");
    for size in [
        &b"          "[..],
        b"-1        ",
        b"12x       ",
        b"1 2       ",
        b" 1        ",
        b"\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(
            with(second + 48, size),
            "the file is damaged at byte 72: the size of a member is not a number"
        );
    }
    assert!(with(second + 48, b"9999999999").contains("data after the end of the compressed stream"));
}

#[test]
fn says_where_a_file_was_cut() {
    let good = ar(&[format(), control_member(Compression::Xz, &control_tar(CONTROL.as_bytes())), data()]);
    let cut = |length: usize| refusal(&good[..length]);
    assert_eq!(cut(5), "the file ends early, after 5 bytes: within the signature of an `ar` archive");
    assert_eq!(cut(8), "an `ar` archive without members");
    assert_eq!(cut(50), "the file ends early, after 50 bytes: in the header of a member");
    assert_eq!(cut(70), "the file ends early, after 70 bytes: `debian-binary` is missing 2 bytes");
    assert_eq!(cut(72), "no member `control.tar`");
    assert!(cut(200).starts_with("the file ends early, after 200 bytes: `control.tar.xz` is missing "));
    assert!(cut(good.len() - 11).ends_with("`data.tar.xz` is missing 10 bytes"));
}

/// Whatever is cut off, the loss is noticed; only the padding at the very end may go.
#[test]
fn cut_at_every_byte() {
    for compression in Compression::ALL {
        let good = ar(&[
            format(),
            control_member(compression, &tar(&[entry("control", b'0', CONTROL.as_bytes())])),
            data(),
        ]);
        for end in 0..good.len() - 1 {
            let error = read(&good[..end]).map(|package| package.file_name()).unwrap_err();
            assert!(error.hint().is_some(), "{end}");
        }
        assert!(read(&good[..good.len() - 1]).is_ok());
    }
}

#[test]
fn a_control_member_that_ends_inside_its_stream() {
    let tar = control_tar(CONTROL.as_bytes());
    for compression in Compression::ALL {
        let packed = encode(compression, &tar);
        // A plain tar may lack its end.
        let cuts: &[usize] =
            if compression == Compression::Plain { &[1025, 1400, 1700] } else { &[1, 2, 4, 8, 20, 100] };
        for cut in cuts {
            let name = format!("control.tar{}", compression.extension());
            let text = refusal(&ar(&[format(), member(&name, &packed[..packed.len() - cut]), data()]));
            let says = [
                "the control member cannot be decompressed: ",
                "the control member contains no readable tar archive: ",
            ];
            assert!(says.iter().any(|start| text.starts_with(start)), "{compression:?}: {text}");
        }
        if compression != Compression::Plain {
            for more in [&b"\0"[..], &packed] {
                let name = format!("control.tar{}", compression.extension());
                let bytes = ar(&[format(), member(&name, &[&packed, more].concat()), data()]);
                assert_eq!(
                    refusal(&bytes),
                    "the control member cannot be decompressed: data after the end of the compressed stream"
                );
            }
        }
    }
    let junk = ar(&[format(), member("control.tar.gz", b"not gzip at all"), data()]);
    assert!(refusal(&junk).starts_with("the control member cannot be decompressed: "));
    let junk = ar(&[format(), member("control.tar", &[7; 1024]), data()]);
    assert!(refusal(&junk).starts_with("the control member contains no readable tar archive: "));
}

#[test]
fn refuses_control_archives_that_readers_unpack_differently() {
    let good = || entry("control", b'0', CONTROL.as_bytes());
    let other = || entry("./control", b'0', b"Package: other\n");
    let odd =
        |path: &str| format!("the path `{path}` is outside the archive, or readers resolve it differently");
    let pax = |records: &str| entry("pax", b'x', records.as_bytes());
    for (entries, says) in [
        (vec![], "no file `control`".to_owned()),
        (vec![entry("md5sums", b'0', b"")], "no file `control`".into()),
        (vec![entry("x/control", b'0', b"A: b\n")], "no file `control`".into()),
        (vec![good(), other()], "two files `control`; readers differ in which one they use".into()),
        (
            vec![good(), entry("control", b'2', b"")],
            "two files `control`; readers differ in which one they use".into(),
        ),
        (vec![entry("./control", b'2', b"")], "`control` is not a regular file".into()),
        (vec![entry("./control", b'1', b"")], "`control` is not a regular file".into()),
        (vec![entry("control/", b'5', b"")], "`control` is not a regular file".into()),
        (vec![entry("control", b'6', b"")], "`control` is not a regular file".into()),
        (vec![entry("control", b'7', CONTROL.as_bytes())], "`control` is not a regular file".into()),
        (vec![good(), entry("../control", b'0', b"")], odd("../control")),
        (vec![good(), entry("x/../control", b'0', b"")], odd("x/../control")),
        (vec![good(), entry("../../etc/cron.d/x", b'0', b"")], odd("../../etc/cron.d/x")),
        (vec![entry("/control", b'0', b"")], odd("/control")),
        (vec![entry(".//control", b'0', b"")], odd(".//control")),
        (vec![entry("././control", b'0', b"")], odd("././control")),
        (vec![entry("x", b'2', b""), good(), entry("x/control", b'0', b"")], odd("x/control")),
        (vec![good(), pax("20 path=other\n")], String::new()),
        (
            vec![good(), pax("16 path=control\n"), entry("x", b'0', b"A: b\n")],
            "two files `control`; readers differ in which one they use".into(),
        ),
        (
            vec![good(), pax("10 path=x\n16 path=control\n"), entry("x", b'0', b"")],
            "an extension header that readers interpret differently".into(),
        ),
        (
            vec![good(), pax("10 size=1\n10 size=4\n"), entry("x", b'0', b"")],
            "an extension header that readers interpret differently".into(),
        ),
        (
            vec![good(), pax("27 GNU.sparse.name=control\n"), entry("x", b'0', b"")],
            "an extension header that readers interpret differently".into(),
        ),
        (
            vec![entry("g", b'g', b"16 path=control\n"), good()],
            "an extension header that readers interpret differently".into(),
        ),
        (vec![good(), entry("L", b'L', b"control\0")], String::new()),
        (vec![vec![0; 512], good()], "data after the end of the archive".into()),
        (vec![good(), vec![0; 1024], other()], "data after the end of the archive".into()),
    ] {
        let text = refusal(&deb_with(Compression::Gzip, &tar(&entries)));
        if says.is_empty() {
            assert!(text.starts_with("the control member contains no readable tar archive: "), "{text}");
        } else {
            assert_eq!(text, format!("in the control archive: {says}"));
        }
    }
}

#[test]
fn limits_what_a_control_archive_unpacks_to() {
    let long = [CONTROL.as_bytes(), &b" x\n".repeat(1 << 19)].concat();
    assert_eq!(refusal(&deb_of(&long)), "in the control archive: `control` is longer than 1 MiB");
    let room = [CONTROL.as_bytes(), &b" x\n".repeat(1 << 18)].concat();
    assert_eq!(read(&deb_of(&room)).unwrap().control().len(), room.len());
    // A file, and zeros behind the end, both far larger than the package.
    let bomb = vec![0; 65 << 20];
    let control = || entry("control", b'0', CONTROL.as_bytes());
    for tar in
        [tar(&[control(), entry("bomb", b'0', &bomb)]), [control(), vec![0; 1024], bomb.clone()].concat()]
    {
        assert_eq!(
            refusal(&deb_with(Compression::Zstd, &tar)),
            "in the control archive: it unpacks to more than 64 MiB"
        );
    }
    // A size in the header that is not in the archive must not be allocated.
    let mut lies = entry("control", b'0', b"");
    lies[124..136].copy_from_slice(b"77777777777\0");
    let mut header: [u8; 512] = lies[..512].try_into().unwrap();
    seal(&mut header);
    assert_eq!(
        refusal(&deb_with(Compression::Gzip, &header)),
        "in the control archive: `control` is longer than 1 MiB"
    );
}

#[test]
fn refuses_control_files_that_cannot_be_published() {
    for (text, says) in [
        ("", "in the control file: line 1: no field"),
        ("\n\n", "in the control file: line 1: no field"),
        ("Version: 1\nArchitecture: all\n", "the control file has no field `Package`, or an empty one"),
        ("Package: ab\nArchitecture: all\n", "the control file has no field `Version`, or an empty one"),
        ("Package: ab\nVersion: 1\n", "the control file has no field `Architecture`, or an empty one"),
        (
            "Package:\nVersion: 1\nArchitecture: all\n",
            "the control file has no field `Package`, or an empty one",
        ),
        (
            "Package: ab\nVersion: \t\nArchitecture: all\n",
            "the control file has no field `Version`, or an empty one",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture:\n",
            "the control file has no field `Architecture`, or an empty one",
        ),
        (
            "Package: ../x\nVersion: 1\nArchitecture: all\n",
            "in field `Package` of the control file: package name `../x` is not allowed: only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1)",
        ),
        (
            "Package: ab\n cd\nVersion: 1\nArchitecture: all\n",
            "in field `Package` of the control file: package name `ab\\n cd` is not allowed: only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1)",
        ),
        (
            "Package: ab\nVersion: 1/../2\nArchitecture: all\n",
            "in field `Version` of the control file: version `1/../2` is not allowed: only letters, digits, `.`, `+`, `-` and `~` are allowed (Debian Policy 5.6.12)",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: any\n",
            "in field `Architecture` of the control file: architecture `any` is not allowed: a binary package is built for one architecture, or for `all`",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\nSource: ../..\n",
            "in field `Source` of the control file: package name `../..` is not allowed: only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1)",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\nSource: cd 1.0\n",
            "in field `Source` of the control file: expected `NAME` or `NAME (VERSION)`, found `cd 1.0`",
        ),
        (
            "Package: ab\nVersion: 1\nversion: 2\nArchitecture: all\n",
            "in the control file: line 3: field `version` occurs twice",
        ),
        (
            "Package: ab\r\nVersion: 1\r\n",
            "in the control file: line 1: a control character (0x0d); lines must end in a newline alone",
        ),
        (
            "\u{feff}Package: ab\n",
            "in the control file: line 1: a byte order mark; the file must be plain UTF-8",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\n\nPackage: cd\n",
            "in the control file: line 5: a second stanza; only one is allowed here",
        ),
        (
            "Package: ab\n  \nVersion: 1\n",
            "in the control file: line 2: a line of only blanks inside a field",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\nPackage-Type: udeb\n",
            "packages of type `udeb` are not supported yet",
        ),
    ] {
        assert_eq!(refusal(&deb_of(text.as_bytes())), says);
    }
    let bytes = deb_of(b"Package: ab\nVersion: 1\nArchitecture: \xe9\n");
    assert_eq!(refusal(&bytes), "in field `Architecture` of the control file: the value is not UTF-8");
    let long = format!("Package: ab\nVersion: 1.{}\nArchitecture: all\n", "0".repeat(250));
    assert!(
        refusal(&deb_of(long.as_bytes())).ends_with("would be longer than a file name may be (255 bytes)")
    );
    assert!(read(&deb_of(b"Package: ab\nVersion: 1\nArchitecture: all\nPackage-Type: deb\n")).is_ok());
    let error = read(&deb_of(b"A: b\r\n")).unwrap_err();
    assert!(matches!(error, Error::Stanza(ref error) if error.kind == ErrorKind::ControlCharacter(b'\r')));
    assert!(error.hint().unwrap().contains("Unix line ends"));
}

#[test]
fn an_error_of_the_reader_is_passed_on() {
    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("the disk is on fire")),
                count => Ok(count),
            }
        }
    }
    let good = deb_of(CONTROL.as_bytes());
    for end in [0, 4, 8, 30, 70, 72, 150, 300, good.len() - 5, good.len()] {
        let error = BinaryPackage::read(Broken(&good[..end])).unwrap_err();
        let Error::Read(cause) = error else { panic!("{end}: {error}") };
        assert_eq!(cause.to_string(), "the disk is on fire");
    }
}

/// Flips every bit of a small package in turn: what comes out is a package or a refusal, never a panic.
#[test]
fn every_flipped_bit() {
    for compression in Compression::ALL {
        let good = deb_with(
            compression,
            &tar(&[entry("control", b'0', b"Package: ab\nVersion: 1\nArchitecture: all\n")]),
        );
        let mut bytes = good.clone();
        // All zeros inside a plain tar are alike.
        let step = if compression == Compression::Plain { 7 } else { 1 };
        for bit in (0..good.len() * 8).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(package) = read(&bytes) {
                assert_eq!(*package.digests(), Digests::of(&bytes));
                PoolPath::parse(PoolPath::of(&Component::parse("main").unwrap(), &package).as_str()).unwrap();
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[b"!<arch>\n", &bytes[..]].concat());
        let _ = read(&deb_of(&bytes));
        let _ = read(&deb_with(Compression::Plain, &bytes));
        let _ = read(&ar(&[format(), member("control.tar.xz", &bytes), data()]));
    }

    #[test]
    fn any_damage_never_panics(
        which in 0..Compression::ALL.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = deb_with(Compression::ALL[which], &control_tar(CONTROL.as_bytes()));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(package) = read(&bytes) {
            prop_assert_eq!(*package.digests(), Digests::of(&bytes));
        }
    }

    #[test]
    fn any_fields_are_kept(
        values in proptest::collection::vec("[ -~é—]{0,30}(\n [!-~é][ -~]{0,20}){0,3}", 0..12),
    ) {
        let mut text = "Package: ab\nVersion: 1\nArchitecture: all\n".to_owned();
        for (number, value) in values.iter().enumerate() {
            writeln!(text, "X-{number}:{value}").unwrap();
        }
        let package = read(&deb_of(text.as_bytes())).unwrap();
        prop_assert_eq!(package.control(), text.as_bytes());
        prop_assert_eq!(package.control_for_index(), text.as_bytes());
        prop_assert_eq!(package.warnings(), []);
    }
}

/// The output of a command, or `None` where it fails.
fn output(command: &mut Command) -> Option<Vec<u8>> {
    let output = command.env("LC_ALL", "C.UTF-8").output().expect("dpkg is needed for this test");
    output.status.success().then_some(output.stdout)
}

fn dpkg_fields(file: &Path, fields: &[&str]) -> Option<Vec<u8>> {
    output(Command::new("dpkg-deb").arg("-f").arg(file).args(fields))
}

#[test]
fn reads_what_dpkg_deb_builds() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    std::fs::create_dir_all(tree.join("usr/share/doc/acpi")).unwrap();
    std::fs::write(tree.join("DEBIAN/control"), CONTROL).unwrap();
    std::fs::write(tree.join("DEBIAN/conffiles"), "").unwrap();
    std::fs::write(tree.join("usr/share/doc/acpi/copyright"), "free\n").unwrap();
    for compression in ["gzip", "xz", "zstd", "none"] {
        for uniform in ["--uniform-compression", "--no-uniform-compression"] {
            let file = folder.path().join("out.deb");
            let mut build = Command::new("dpkg-deb");
            build.arg(format!("-Z{compression}")).args([uniform, "--root-owner-group", "--build"]);
            output(build.arg(&tree).arg(&file)).expect("dpkg-deb builds it");
            let package = BinaryPackage::read(std::fs::File::open(&file).unwrap()).unwrap();
            assert_eq!(*package.digests(), Digests::of(&std::fs::read(&file).unwrap()));
            assert_eq!(package.control(), CONTROL.as_bytes(), "{compression}");
            for field in Stanza::parse(package.control()).unwrap().fields() {
                let dpkg = dpkg_fields(&file, &[field.name]).unwrap();
                assert_eq!(dpkg, [field.value, b"\n"].concat(), "{compression} {}", field.name);
            }
        }
    }
}

/// What dpkg reads in these is what we read; what dpkg refuses, we may read only where deb(5) allows it.
#[test]
fn agrees_with_dpkg() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.deb");
    let whole = control_tar(CONTROL.as_bytes());
    let gz = || control_member(Compression::Gzip, &whole);
    let slash = ar(&[
        member("debian-binary/", b"2.0\n"),
        member("control.tar.xz/", &encode(Compression::Xz, &whole)),
        member("data.tar.xz/", b""),
    ]);
    let extra = ar(&[format(), member("_x", b"1"), gz(), member("_y", b""), data(), member("z", b"")]);
    let minor = ar(&[member("debian-binary", b"2.1\n"), gz(), data()]);
    let no_end = deb_with(Compression::Gzip, &whole[..whole.len() - 1024]);
    let latin = deb_of(b"Package: ab\nVersion: 1\nArchitecture: all\nMaintainer: Jos\xe9\n");
    let dot = deb_with(Compression::Gzip, &tar(&[entry("control", b'0', CONTROL.as_bytes())]));
    let mut all = vec![slash, extra, minor, no_end, latin, dot];
    all.extend(Compression::ALL.map(|compression| deb_with(compression, &whole)));
    let mut read_by_dpkg = 0;
    for (number, bytes) in all.iter().enumerate() {
        std::fs::write(&file, bytes).unwrap();
        let ours = read(bytes).unwrap();
        if let Some(theirs) = dpkg_fields(&file, &[]) {
            assert_eq!(ours.control(), theirs, "{number}");
            read_by_dpkg += 1;
        }
    }
    // All but .bz2 and .lzma, which dpkg 1.21 no longer reads as a control member.
    assert_eq!(read_by_dpkg, all.len() - 2);
}
