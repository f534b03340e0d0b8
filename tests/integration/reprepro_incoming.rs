//! Uploads under reprepro's commands: `include` and `processincoming`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    deb_builder::deb,
    reprepro_pair::{CONF, Pair},
    source_builder::source,
    upload_builder::upload,
};

/// Writes an upload of `hello` 1.0-1 into a folder; returns the path of its description.
fn hello(folder: &Path, distribution: &str) -> PathBuf {
    source("hello").write(folder);
    deb("hello").version("1.0-1").write(folder);
    deb("hello-data").version("1.0-1").architecture("all").source("hello").write(folder);
    let file = upload(folder).distribution(distribution).write();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("Binary: hello\n", "Binary: hello hello-data\n")).unwrap();
    file
}

#[test]
fn uploads_are_included_whole_or_not_at_all() {
    let Some(pair) = Pair::new(CONF) else { return };
    let file = hello(&pair.sandbox.path("up"), "stable");
    let file = file.to_str().unwrap();
    pair.status(&["include", "trixie", file]);
    pair.status(&["include", "bookworm", "up/gone.changes"]);
    pair.status(&["-T", "deb", "include", "bookworm", file]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["remove", "bookworm", "hello", "hello-data"]);
    pair.status(&["-A", "i386|source", "include", "bookworm", file]);
    pair.status(&["-A", "amd64|source", "include", "bookworm", file]);
    pair.lists(&["list", "bookworm"]);
    pair.status(&["include", "stable", file]);
    pair.status(&["include", "stable", file]);
    pair.lists(&["list", "bookworm"]);
    pair.same("bookworm");
    pair.status(&["--ignore=wrongdistribution", "-C", "contrib", "include", "trixie", file]);
    pair.lists(&["list", "trixie"]);
    pair.same("trixie");
    // A file that differs from its description.
    let damaged = hello(&pair.sandbox.path("damaged"), "bookworm");
    deb("hello-data").version("1.0-1").architecture("all").payload("x").write(pair.sandbox.path("damaged"));
    pair.status(&["removesrc", "bookworm", "hello"]);
    pair.run(&["include", "bookworm", damaged.to_str().unwrap()]);
    pair.lists(&["list", "bookworm"]);
    // The files of an upload are deleted, and with the option twice its description.
    for (base, options, left) in [("once", &["--delete"][..], 1), ("twice", &["--delete", "--delete"], 0)] {
        let file = hello(&pair.sandbox.path(base), "bookworm");
        pair.run_one("ours", &[options, &["include", "bookworm", file.to_str().unwrap()]].concat()).ok();
        pair.run_one("ours", &["removesrc", "bookworm", "hello"]).ok();
        assert_eq!(fs::read_dir(pair.sandbox.path(base)).unwrap().count(), left, "{base}");
    }
}

#[test]
fn a_queue_of_uploads_is_processed_by_its_rules() {
    let Some(pair) = Pair::new(CONF) else { return };
    pair.conf(
        "incoming",
        "Name: default\nIncomingDir: incoming\nTempDir: tmp\nAllow: stable unstable>testing\nCleanup: on_deny\n\n\
         Name: strict\nIncomingDir: incoming\nTempDir: tmp\nAllow: bookworm\nCleanup: on_error\n",
    );
    let queue = |name: &str, distribution: &str, damage: &str| {
        for base in ["real", "ours"] {
            let folder = pair.sandbox.path(base).join("incoming");
            fs::create_dir_all(pair.sandbox.path(base).join("tmp")).unwrap();
            let one = pair.sandbox.path(format!("{base}-{name}"));
            deb(name).write(&one);
            let file = upload(&one).distribution(distribution).write();
            let text = fs::read_to_string(&file).unwrap();
            let text = text.replace("Source: hello\n", &format!("Source: {name}\n"));
            let text = text.replace("Version: 1.0-1\n", "Version: 1.0\n");
            let text = text.replace("Binary: hello\n", &format!("Binary: {name}\n"));
            let text = text.replace("Architecture: source amd64 all\n", "Architecture: amd64\n");
            fs::write(&file, text).unwrap();
            let binary = one.join(format!("{name}_1.0_amd64.deb"));
            match damage {
                "cut" => fs::write(&binary, "x").unwrap(),
                "missing" => fs::remove_file(&binary).unwrap(),
                _ => {}
            }
            fs::create_dir_all(&folder).unwrap();
            fs::rename(&file, folder.join(format!("{name}.changes"))).unwrap();
            for entry in fs::read_dir(&one).unwrap() {
                let entry = entry.unwrap();
                fs::rename(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
    };
    let left = |base: &str| {
        let entries = fs::read_dir(pair.sandbox.path(base).join("incoming")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let process = |arguments: &[&str]| {
        pair.status(&[&["processincoming"], arguments].concat());
        assert_eq!(left("ours"), left("real"), "{arguments:?}");
        for suite in ["bookworm", "trixie"] {
            pair.lists(&["list", suite]);
        }
    };
    queue("one", "stable", "");
    queue("two", "unstable", "");
    queue("three", "experimental", "");
    process(&["default", "one.changes"]);
    process(&["default"]);
    process(&["default"]);
    process(&["nosuch"]);
    process(&["default", "gone.changes"]);
    queue("four", "bookworm", "cut");
    process(&["strict"]);
    queue("five", "bookworm", "missing");
    process(&["strict"]);
    pair.status(&["export"]);
    pair.same("bookworm");
    pair.same("trixie");
}
