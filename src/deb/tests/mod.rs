//! Packages made by hand, good and hostile, and dpkg as the second opinion.

mod container;
mod control_archive;
mod control_file;
mod dpkg;

use std::{fmt::Write as _, io};

use proptest::prelude::*;

use super::*;
use crate::{
    compression::{Compression, tests::encode},
    names::Component,
    pool::PoolPath,
};

/// The formats that dpkg reads as a control member.
const CONTROL_FORMATS: [Compression; 4] =
    [Compression::Plain, Compression::Gzip, Compression::Xz, Compression::Zstd];

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
    for compression in CONTROL_FORMATS {
        let bytes = deb_with(compression, &control_tar(CONTROL.as_bytes()));
        let package = read(&bytes).unwrap();
        assert_eq!(package.control(), CONTROL.as_bytes(), "{compression:?}");
        let dripping = BinaryPackage::read(Dripping(&bytes, false)).unwrap();
        assert_eq!(dripping.control(), CONTROL.as_bytes());
        assert_eq!(dripping.digests(), package.digests());
    }
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
    for compression in CONTROL_FORMATS {
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
        which in 0..CONTROL_FORMATS.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = deb_with(CONTROL_FORMATS[which], &control_tar(CONTROL.as_bytes()));
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
        text.push_str("Description: c\n");
        let package = read(&deb_of(text.as_bytes())).unwrap();
        prop_assert_eq!(package.control(), text.as_bytes());
        prop_assert_eq!(package.control_for_index(), text.as_bytes());
        prop_assert_eq!(package.warnings(), []);
    }
}
