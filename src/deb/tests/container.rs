//! The members of the `ar` archive.

use super::*;

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
fn variations_that_deb5_allows_around_the_members() {
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
        // Data of every kind that dpkg unpacks.
        ar(&[format(), control.clone(), member("data.tar", b"x")]),
        ar(&[format(), control.clone(), member("data.tar.zst", b"x")]),
        ar(&[format(), control.clone(), member("data.tar.bz2", b"x")]),
        // A stray newline, or a filled block, after the last member.
        [ar(&[format(), control.clone(), data()]), b"\n".to_vec()].concat(),
        [ar(&[format(), control.clone(), member("data.tar", b"odd")]), b"\n\n\0".to_vec()].concat(),
        [ar(&[format(), control, data()]), vec![0; 5000]].concat(),
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
        (
            vec![format(), member("control.tar.lz4", b"")],
            "dpkg does not read the compression of `control.tar.lz4`",
        ),
        (
            vec![format(), member("control.tar.bz2", b""), data()],
            "dpkg does not read the compression of `control.tar.bz2`",
        ),
        (
            vec![format(), member("control.tar.lzma", b""), data()],
            "dpkg does not read the compression of `control.tar.lzma`",
        ),
        (vec![format(), control.clone()], "no member `data.tar`"),
        (
            vec![format(), control.clone(), member("data.tar.lz4", b"")],
            "dpkg does not read the compression of `data.tar.lz4`",
        ),
        (
            vec![format(), control.clone(), member("data.tar.br", b"")],
            "dpkg does not read the compression of `data.tar.br`",
        ),
        (
            vec![format(), control.clone(), member("data.tar.", b"")],
            "dpkg does not read the compression of `data.tar.`",
        ),
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
    assert!(with(second + 48, b"9999999999").contains("the file ends early"));
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
    for compression in CONTROL_FORMATS {
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

/// The verdict of a reader of the headers alone: in one pass over its bytes, and in one that skips.
fn container(bytes: &[u8], length: usize) -> Result<(), String> {
    let mut passed = Container::default();
    bytes.chunks(length).for_each(|piece| passed.pass(piece));
    let passed = passed.finish().map_err(|error| error.to_string());
    let skipped = Container::check(&mut io::Cursor::new(bytes)).map_err(|error| error.to_string());
    assert_eq!(passed, skipped);
    passed
}

#[test]
fn the_headers_alone_tell_a_file_that_is_cut_off() {
    let filler: Vec<u8> = (0..70_001_u32).map(|n| n.to_le_bytes()[1]).collect();
    let control = control_member(Compression::Gzip, &control_tar(CONTROL.as_bytes()));
    let small = ar(&[format(), member("_one", b"1"), control.clone(), data()]);
    for end in 0..small.len() - 1 {
        let expected = refusal(&small[..end]);
        let found = container(&small[..end], 1 + end % 13).unwrap_err();
        // Reading the package notices the loss of the control file first.
        assert!(expected == found || expected.contains("control"), "{end}: {expected}, {found}");
    }
    for tail in [&b""[..], b"\n", &[0; 100], b"junk", &[b'j'; 60], &member("_gpgorigin", b"signature")[..65]]
    {
        for length in [1, 59, 4096] {
            let large = ar(&[format(), control.clone(), member("data.tar", &filler)]);
            assert_eq!(container(&[&large, tail].concat(), length), Ok(()));
            let cut = container(&large[..large.len() - 1000], length).unwrap_err();
            assert!(cut.ends_with("`data.tar` is missing 999 bytes"), "{cut}");
        }
        assert_eq!(container(&[&small, tail].concat(), 7), Ok(()));
    }
    for (members, says) in [
        (vec![member("debian-binary", b"3.0\n")], "the package format is `3.0`, but only 2.x is supported"),
        (vec![member("debian-binary", b"")], "the package format is ``, but only 2.x is supported"),
        (vec![format(), data()], "`data.tar.xz` is in the place of `control.tar`"),
        (vec![format(), control.clone(), member("data.tar.gz", b"BZh9")], "the content of `data.tar.gz`"),
        (vec![format(), control, data(), data()], "a second data member, `data.tar.xz`"),
    ] {
        let bytes = ar(&members);
        let found = container(&bytes, 5).unwrap_err();
        assert!(found.starts_with(says) && found == refusal(&bytes), "{found}, {}", refusal(&bytes));
    }
}

#[test]
fn what_follows_the_last_member_is_ignored_unless_it_is_filler() {
    let good = deb_of(CONTROL.as_bytes());
    let cut = &member("_gpgorigin", b"signature")[..65];
    for (tail, is_odd) in [
        (&b"\n"[..], false),
        (&[0; 100], false),
        (b"junk", true),
        (b"\njunk", true),
        (&[b'j'; 60], true),
        (&vec![b'j'; 300_000], true),
        (&[&[0; 100][..], b"j"].concat(), true),
        (cut, true),
    ] {
        let bytes = [&good, tail].concat();
        let package = read(&bytes).unwrap();
        assert_eq!(package.warnings() == [Warning::Odd(Oddity::AfterMembers)], is_odd);
        assert_eq!(*package.digests(), Digests::of(&bytes));
    }
    let hidden = [good, b"\n".repeat(60), member("control.tar.gz", b"x")].concat();
    assert!(read(&hidden).is_ok(), "no reader looks for a member there");
}
