//! The text of the `control` file.

use super::*;

#[test]
fn empty_lines_around_the_stanza_do_not_count() {
    let bare = CONTROL.trim_end();
    for text in [format!("{bare}\n "), format!("\n\n{bare}\n"), format!("{bare}\n\n\n")] {
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
    let text = "Package: acpi\nsize: 5\nVersion: 1\nFilename: ../../etc/passwd\nMD5Sum:\n y\nSHA1:\nArchitecture: all\nSHA256: 0\nSizes: 7\nSha512: 1\n";
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
    assert_eq!(place("Package: libx\nSource: MyApp"), "pool/main/libx/libx/libx_2.0~rc1+b1-3_all.deb");
    assert_eq!(place("Package: libx\nSource: ../.."), "pool/main/libx/libx/libx_2.0~rc1+b1-3_all.deb");
    assert_eq!(place("Package: a_b\nSource: cd"), "pool/main/c/cd/a_b_2.0~rc1+b1-3_all.deb");
    assert_eq!(place("Package: libx\nSource:"), "pool/main/libx/libx/libx_2.0~rc1+b1-3_all.deb");
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
            "Package: ab\nVersion: 1\nArchitecture:\nDescription: c\n",
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
            "Package: ab\nVersion: 1\nversion: 2\nArchitecture: all\n",
            "in the control file: line 3: field `version` occurs twice",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\nDescription: a\0b\n",
            "in the control file: line 4: a control character (0x00); lines must end in a newline alone",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all",
            "in the control file: line 3: the last line does not end in a newline",
        ),
        (
            "Package: ab\nVersion: 1\nArchitecture: all\nDescription:\n",
            "in the control file: line 4: field `Description` is empty, and dpkg does not read an empty field at the end of the file",
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
}

#[test]
fn refuses_fields_that_dpkg_refuses() {
    let text = |architecture: &str, field: &str| {
        format!("Package: ab\nVersion: 1\nArchitecture: {architecture}\n{field}\nDescription: c\n")
    };
    for (architecture, field, says) in [
        (
            "all",
            "Package-Type: udeb",
            "the control file has `Package-Type: udeb`, and the file name ends in `.deb`",
        ),
        (
            "all",
            "Package-Type: DDEB",
            "the control file has `Package-Type: ddeb`, and the file name ends in `.deb`",
        ),
        (
            "all",
            "Package-Type: rpm",
            "packages of type `rpm` are not known: expected `deb`, `udeb` or `ddeb`",
        ),
        (
            "amd64",
            "Section: contrib/debian-installer",
            "the control file has `Section: contrib/debian-installer`, and the file name ends in `.deb`",
        ),
        (
            "amd64",
            "Architecture-Variant: arm64v9",
            "`Architecture-Variant: arm64v9` is not a variant of `amd64`",
        ),
        ("all", "Architecture-Variant: allv3", "`Architecture-Variant: allv3` is not a variant of `all`"),
        (
            "amd64",
            "Architecture-Variant: ../x",
            "in field `Architecture-Variant` of the control file: architecture `../x` is not allowed: only lower case letters, digits and `-` are allowed",
        ),
        (
            "all",
            "Status: install ok installed",
            "in field `Status` of the control file: dpkg refuses it in a package: it belongs to the records of installed packages",
        ),
        (
            "all",
            "Config-Version: 1",
            "in field `Config-Version` of the control file: dpkg refuses it in a package: it belongs to the records of installed packages",
        ),
        (
            "amd64",
            "Multi-Arch: yes",
            "in field `Multi-Arch` of the control file: `yes` is not `no`, `same`, `foreign` or `allowed`",
        ),
        (
            "all",
            "Multi-Arch: Same",
            "in field `Multi-Arch` of the control file: `same` is not possible with `Architecture: all`",
        ),
        ("all", "Essential: maybe", "in field `Essential` of the control file: `maybe` is not `yes` or `no`"),
        ("all", "Protected: 1", "in field `Protected` of the control file: `1` is not `yes` or `no`"),
        (
            "all",
            "Conffiles: /etc/x",
            "in field `Conffiles` of the control file: expected one file with its MD5 in each line after the first; dpkg stops at `/etc/x`",
        ),
        (
            "all",
            "package-revision: 2",
            "in field `Package-Revision` of the control file: dpkg appends it to the version, which apt then reads differently, or dpkg not at all",
        ),
        (
            "all",
            "Size: 1 2\nFilename: x",
            "in field `Size` of the control file: dpkg requires as many words as in `Filename`",
        ),
        (
            "all",
            "Depends: a, b (= )",
            "in the control file: field `Depends`, part 2, at `b (= )`: there is no version in the parentheses; apt stops at it and reads no package at all",
        ),
        (
            "all",
            "Provides:",
            "in the control file: field `Provides`, part 1: the field is empty; apt stops at it and reads no package at all",
        ),
    ] {
        assert_eq!(refusal(&deb_of(text(architecture, field).as_bytes())), says);
    }
    for field in [
        "Multi-Arch: same",
        "Multi-Arch:",
        "Essential: Yes",
        "Protected:",
        "Package-Type: deb",
        "Conffiles:\n /etc/x 0123",
        "Depends:",
        "X-Status: good",
        "Priority: any",
        "Installed-Size: big",
    ] {
        assert_eq!(read(&deb_of(text("amd64", field).as_bytes())).unwrap().warnings(), [], "{field}");
    }
}

#[test]
fn accepts_what_dpkg_and_apt_accept_and_says_what_is_odd() {
    for (text, index, warnings) in [
        (
            "Package: a_b\r\nVersion : 1\r\nArchitecture: all\r\nSource: MyApp\r\nDescription: x\r\n long\r\n",
            "Package: a_b\nVersion: 1\nArchitecture: all\nSource: MyApp\nDescription: x\n long\n",
            &[
                "carriage returns at the ends of lines, blanks before `:`, fields whose names begin with `#` and a mark of the end of the file are omitted from the index",
                "the name `a_b` is unusual: only lower case letters, digits, `+`, `-` and `.` are allowed (Debian Policy 5.6.1); dpkg and apt accept it, some tools do not",
                "`Source: MyApp` is not the name of a source package; the path in the pool is that of the package name",
            ][..],
        ),
        (
            "Package: a\nVersion: 1\nArchitecture: all\nMulti-Arch: Foreign\nProvides: b (>= 1)\nDescription: x\n a\x0cb\rc\n ",
            "Package: a\nVersion: 1\nArchitecture: all\nMulti-Arch: Foreign\nProvides: b (>= 1)\nDescription: x\n a\x0cb\rc\n",
            &[
                "field `Description` has control characters, which some tools read as the end of a line",
                "the name `a` is unusual: it must have at least two characters (Debian Policy 5.6.1); dpkg and apt accept it, some tools do not",
                "apt does not know `Multi-Arch: Foreign`, and warns about it on every client",
                "field `Provides`: only `=` is meaningful before a version; dpkg and apt warn about others",
            ],
        ),
    ] {
        let package = read(&deb_of(text.as_bytes())).unwrap();
        assert_eq!(String::from_utf8_lossy(package.control()), index);
        let said: Vec<String> = package.warnings().iter().map(ToString::to_string).collect();
        assert_eq!(said, warnings);
    }
}

#[test]
fn a_stanza_of_an_index_has_a_name_a_version_and_an_architecture_that_clients_read() {
    let stanza = |name: &str, version: &str, architecture: &str| {
        let text = format!("Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nSize: 1\n");
        check_stanza(text.as_bytes()).map_err(|bad| bad.to_string())
    };
    for (name, architecture) in
        [("zz", "amd64"), ("Foo_Bar", "all"), ("a", "amd64v3"), ("0ad", "kfreebsd-i386")]
    {
        assert_eq!(stanza(name, "1:2-3", architecture), Ok(()));
    }
    for (name, version, architecture, field) in [
        ("z z", "1", "amd64", "Package"),
        ("", "1", "amd64", "Package"),
        ("-z", "1", "amd64", "Package"),
        ("z~z", "1", "amd64", "Package"),
        ("zz", "", "amd64", "Version"),
        ("zz", "1 2", "amd64", "Version"),
        ("zz", "1", "", "Architecture"),
        ("zz", "1", "amd64 i386", "Architecture"),
        ("zz", "1", "x86_64", "Architecture"),
        ("zz", "1", "any", "Architecture"),
    ] {
        let bad = stanza(name, version, architecture).unwrap_err();
        assert!(bad.starts_with(&format!("field `{field}`: ")), "{name} {version} {architecture}: {bad}");
    }
}
