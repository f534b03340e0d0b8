//! dpkg as the second opinion.

use std::{path::Path, process::Command};

use super::*;

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

/// We read the same as dpkg in these; a file that dpkg refuses, we may read only where deb(5) allows it.
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
    all.extend(CONTROL_FORMATS.map(|compression| deb_with(compression, &whole)));
    let mut read_by_dpkg = 0;
    for (number, bytes) in all.iter().enumerate() {
        std::fs::write(&file, bytes).unwrap();
        let ours = read(bytes).unwrap();
        if let Some(theirs) = dpkg_fields(&file, &[]) {
            assert_eq!(ours.control(), theirs, "{number}");
            read_by_dpkg += 1;
        }
    }
    assert_eq!(read_by_dpkg, all.len());
}
