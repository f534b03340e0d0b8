//! The tar archive in the control member.

use super::*;

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
        let deb = deb_with(Compression::Xz, &tar);
        if long {
            // dpkg stops at the folder.
            assert!(refusal(&deb).contains("is in a folder"));
        } else {
            assert_eq!(read(&deb).unwrap().control(), CONTROL.as_bytes());
        }
    }
}

/// dpkg-deb(1) and dpkg read names of up to 100 bytes there.
#[test]
fn a_name_in_the_control_archive_may_have_100_bytes() {
    for (length, is_good) in [(51, true), (100, true), (101, false)] {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, contents) in [("control", CONTROL.as_bytes()), (&*"n".repeat(length), b"x")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            builder.append_data(&mut header, path, contents).unwrap();
        }
        let deb = deb_with(Compression::Gzip, &builder.into_inner().unwrap());
        assert_eq!(read(&deb).is_ok(), is_good, "{length}");
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
fn a_control_member_that_ends_inside_its_stream() {
    let tar = control_tar(CONTROL.as_bytes());
    for compression in CONTROL_FORMATS {
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
            let more = if compression == Compression::Zstd { &packed[..] } else { b"junk" };
            for more in [more, b"\0junk"] {
                let name = format!("control.tar{}", compression.extension());
                let bytes = ar(&[format(), member(&name, &[&packed, more].concat()), data()]);
                // dpkg stops at the end.
                assert_eq!(read(&bytes).unwrap().warnings(), [Warning::Odd(Oddity::AfterControl)]);
                let whole = [control_tar(CONTROL.as_bytes())].concat();
                let open = encode(compression, &whole[..whole.len() - 1024]);
                let bytes = ar(&[format(), member(&name, &[&open, more].concat()), data()]);
                // Other readers go on with the next stream, where there may be another `control`.
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
        (
            vec![entry("x/control", b'0', b"A: b\n")],
            "`x/control` is in a folder or not a regular file; dpkg does not unpack the package".into(),
        ),
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
        (vec![entry("control/", b'0', b"")], odd("control/")),
        (
            vec![good(), entry("/control", b'0', b"A: b\n")],
            "two files `control`; readers differ in which one they use".into(),
        ),
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
        (
            vec![entry("g", b'g', b"14 comment=ab\n10 size=1\n"), good()],
            "an extension header that readers interpret differently".into(),
        ),
        (
            vec![entry("g", b'g', &b"14 comment=ab\n".repeat(5000)), good()],
            "an extension header that readers interpret differently".into(),
        ),
        (vec![entry("g", b'g', b"99 comment"), good()], String::new()),
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
    assert_eq!(refusal(&deb_of(&long)), "in the control archive: a file in it is longer than 1 MiB");
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
        "in the control archive: a file in it is longer than 1 MiB"
    );
}

/// As `git archive` and parallel compressors write it.
#[test]
fn a_global_header_and_several_gzip_members() {
    let global = entry("pax_global_header", b'g', b"52 comment=0123456789abcdef0123456789abcdef01234567\n");
    let tar = tar(&[global, entry("./control", b'0', CONTROL.as_bytes())]);
    assert_eq!(read(&deb_with(Compression::Gzip, &tar)).unwrap().control(), CONTROL.as_bytes());
    let (head, tail) = tar.split_at(700);
    let packed = [encode(Compression::Gzip, head), encode(Compression::Gzip, tail), vec![0; 9]].concat();
    let bytes = ar(&[format(), member("control.tar.gz", &packed), data()]);
    assert_eq!(read(&bytes).unwrap().control(), CONTROL.as_bytes());
}

#[test]
fn what_follows_the_archive_and_other_paths_of_control_are_odd() {
    let good = |path: &str| entry(path, b'0', CONTROL.as_bytes());
    for (entries, odd) in [
        (vec![good("/control")], Oddity::ControlPath),
        (vec![good(".//control")], Oddity::ControlPath),
        (vec![good("././control")], Oddity::ControlPath),
        (vec![good("control"), vec![0; 1024], vec![b'x'; 700]], Oddity::AfterControl),
        (vec![good("control"), vec![0; 512], vec![0; 20 << 10], vec![b'x'; 512]], Oddity::AfterControl),
    ] {
        let package = read(&deb_with(Compression::Xz, &tar(&entries))).unwrap();
        assert_eq!(package.warnings(), [Warning::Odd(odd)]);
        assert_eq!(package.control(), CONTROL.as_bytes());
    }
}
