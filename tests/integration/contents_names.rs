//! `Contents` beyond one index a component: of the installer's packages, and where clients before 2012 look for it.

use std::{collections::BTreeSet, fs, io::Read as _, path::PathBuf};

use publish::compression::Compression;

use crate::{deb_builder::deb, sandbox::Sandbox, servers, sync_buckets::paths};

fn text(file: &[u8]) -> String {
    let mut text = String::new();
    Compression::Gzip.index_decoder(file).unwrap().read_to_string(&mut text).unwrap();
    text.split_inclusive('\n')
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        .collect()
}

fn configure(sandbox: &Sandbox, fields: &str) {
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main contrib\nArchitectures: amd64 i386\n{fields}\n"
    ));
}

fn add(sandbox: &Sandbox, component: &str, file: PathBuf) {
    let add = ["add", "--component", component].map(std::ffi::OsString::from);
    sandbox.publish(add.into_iter().chain([file.into_os_string()])).ok();
}

#[test]
fn old_clients_find_the_index_of_the_first_component() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "Contents: .gz .");
    add(&sandbox, "main", deb("one").write(sandbox.incoming()));
    add(&sandbox, "contrib", deb("two").write(sandbox.incoming()));
    let root = sandbox.archive("dists/stable");
    let links = || -> BTreeSet<String> {
        let entries = fs::read_dir(&root).unwrap().flatten();
        let links = entries.filter(|entry| entry.path().is_symlink());
        links
            .map(|entry| {
                let target = fs::read_link(entry.path()).unwrap();
                format!("{} {}", entry.file_name().display(), target.display())
            })
            .collect()
    };
    let all = [
        "Contents-amd64 main/Contents-amd64",
        "Contents-amd64.gz main/Contents-amd64.gz",
        "Contents-i386 main/Contents-i386",
        "Contents-i386.gz main/Contents-i386.gz",
    ];
    assert_eq!(links().iter().collect::<Vec<_>>(), all);
    let old = || text(&fs::read(root.join("Contents-amd64.gz")).unwrap());
    assert_eq!(old(), "usr/share/doc/one/README misc/one\n");
    add(&sandbox, "main", deb("late").write(sandbox.incoming()));
    assert!(old().contains("misc/late"), "a link is never stale");
    assert!(!sandbox.read("dists/stable/Release").contains(" Contents-"));
    // A lost one is made again, and one that leads elsewhere stays.
    fs::remove_file(root.join("Contents-i386")).unwrap();
    fs::remove_file(root.join("Contents-i386.gz")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", root.join("Contents-i386.gz")).unwrap();
    sandbox.publish_after(60, &["export"]).ok().says(["nothing to do"]);
    assert!(links().contains(all[2]) && links().contains("Contents-i386.gz ../elsewhere"));
    fs::remove_file(root.join("Contents-i386.gz")).unwrap();
    sandbox.publish_after(120, &["check"]).ok();
    sandbox.publish_after(120, &["prune"]).ok();
    sandbox.publish_after(120, &["sync", "./there"]).ok();
    sandbox.publish_after(120, &["--archive", "there", "check"]).ok();
    // One index for all components replaces the link, and not its target.
    configure(&sandbox, "Contents: all");
    sandbox.publish_after(180, &["export"]).ok();
    assert!(links().iter().all(|link| !link.contains(".gz")), "{:?}", links());
    assert!(old().contains("misc/two") && old().contains("misc/one"));
    let of_main = text(&fs::read(root.join("main/Contents-amd64.gz")).unwrap());
    assert!(!of_main.contains("misc/two"), "{of_main}");
    sandbox.publish_after(240, &["check"]).ok();

    let sandbox = Sandbox::new();
    configure(&sandbox, "Contents: compatsymlink");
    add(&sandbox, "contrib", deb("two").write(sandbox.incoming()));
    let old = sandbox.archive("dists/stable/Contents-amd64.gz");
    assert!(old.is_symlink());
    configure(&sandbox, "Contents: nocompatsymlink");
    sandbox.publish_after(60, &["export"]).ok();
    assert!(!old.is_symlink());
    add(&sandbox, "contrib", deb("three").write(sandbox.incoming()));
    assert!(!old.exists());
    sandbox.publish_after(120, &["check"]).ok();
}

#[test]
fn a_form_that_the_first_component_no_longer_has_is_not_that_of_another_one() {
    let sandbox = Sandbox::new();
    configure(&sandbox, "Contents: .gz .xz");
    add(&sandbox, "main", deb("one").write(sandbox.incoming()));
    add(&sandbox, "contrib", deb("two").write(sandbox.incoming()));
    let target = |name: &str| fs::read_link(sandbox.archive("dists/stable").join(name)).ok();
    assert_eq!(target("Contents-amd64.xz").unwrap(), PathBuf::from("main/Contents-amd64.xz"));
    configure(&sandbox, "Contents: .gz");
    add(&sandbox, "main", deb("late").write(sandbox.incoming()));
    assert!(sandbox.read("dists/stable/Release").contains(" contrib/Contents-amd64.xz\n"));
    assert_eq!(target("Contents-amd64.gz").unwrap(), PathBuf::from("main/Contents-amd64.gz"));
    assert_eq!(target("Contents-amd64.xz"), None);
    sandbox.publish(["check"]).ok();
}

#[test]
fn a_bucket_has_copies_where_they_are_asked_for() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = Sandbox::new();
    let conf = sandbox.path("distributions");
    let mut clock: u64 = crate::sandbox::CLOCK.parse().unwrap();
    let mut add = |name: &str, contents: &str| {
        let fields =
            format!("Codename: stable\nComponents: main\nArchitectures: amd64\nContents: {contents}\n");
        fs::write(&conf, fields).unwrap();
        let file = deb(name).write(sandbox.incoming());
        clock += 10;
        let (place, clock) = (bucket.place(), clock.to_string());
        let add = ["-a", &place, "--config", conf.to_str().unwrap(), "add", file.to_str().unwrap()];
        bucket.publish(&sandbox, &clock, &add).ok();
    };
    add("one", ".gz");
    let is_there = || paths(&bucket).iter().any(|path| path == "dists/stable/Contents-amd64.gz");
    assert!(!is_there());
    for name in ["two", "three"] {
        add(name, "compatsymlink");
        assert!(is_there());
        let files = ["Contents-amd64.gz", "main/Contents-amd64.gz"]
            .map(|path| bucket.get(&format!("apt/dists/stable/{path}")).body);
        assert!(text(&files[0]).contains(&format!("misc/{name}")) && files[0] == files[1]);
    }
}

#[test]
fn packages_of_the_installer_have_an_index_of_their_own() {
    let sandbox = Sandbox::new();
    let udeb = |name: &str, version: &str| {
        let file = format!("lib/{name}");
        deb(name).udeb().version(version).installs(&file).write(sandbox.incoming())
    };
    configure(&sandbox, "UDebComponents: main\nContents: udebs .gz");
    add(&sandbox, "main", udeb("disk", "1"));
    add(&sandbox, "main", deb("disk").version("1").write(sandbox.incoming()));
    let of = |path: &str| text(&fs::read(sandbox.archive("dists/stable").join(path)).unwrap());
    let lines = |path: &str| of(path).lines().map(str::to_owned).collect::<Vec<_>>();
    let doc = "usr/share/doc/disk/README";
    let [disk, of_deb] = ["debian-installer/disk", "misc/disk"];
    assert_eq!(lines("main/Contents-udeb-amd64.gz"), [format!("lib/disk {disk}"), format!("{doc} {disk}")]);
    assert_eq!(lines("main/Contents-amd64.gz"), [format!("{doc} {of_deb}")]);
    assert!(!sandbox.read("dists/stable/Release").contains("contrib/Contents-udeb"));
    // Carried on by edits.
    add(&sandbox, "main", udeb("disk", "2"));
    add(&sandbox, "main", udeb("net", "1"));
    sandbox.publish_after(60, &["remove", "disk=1"]).ok();
    let text = of("main/Contents-udeb-amd64.gz");
    assert_eq!(text.lines().count(), 4, "{text}");
    assert_eq!(of("main/Contents-amd64.gz"), "");
    sandbox.publish_after(120, &["check"]).ok();
    sandbox.publish_after(120, &["sync", "./there"]).ok();
    assert!(sandbox.path("there/dists/stable/main/Contents-udeb-amd64.gz").exists());
    // Named components turn it on, and none turns it off.
    configure(&sandbox, "UDebComponents: main\nContents: nodebs\nContentsUComponents: main");
    sandbox.publish_after(180, &["export"]).ok();
    assert!(sandbox.read("dists/stable/Release").contains("main/Contents-udeb-amd64.gz"));
    assert!(!sandbox.read("dists/stable/Release").contains("main/Contents-amd64"));
    configure(&sandbox, "UDebComponents: main\nContents: udebs\nContentsUComponents:");
    sandbox.publish_after(240, &["export"]).ok();
    assert!(!sandbox.read("dists/stable/Release").contains("Contents-udeb"));
    sandbox.publish_after(300, &["check"]).ok();
}

/// reprepro lists `uContents-ARCH` if the index of the installer is one for all components.
#[test]
fn the_index_of_the_installer_that_reprepro_makes_is_carried_on() {
    for is_configured in [true, false] {
        let sandbox = Sandbox::new();
        configure(&sandbox, "UDebComponents: main\nContents: udebs allcomponents");
        let udeb = |name: &str| deb(name).udeb().installs(&format!("lib/{name}")).write(sandbox.incoming());
        for (command, file) in
            [("includeudeb", udeb("disk")), ("includedeb", deb("tool").write(sandbox.incoming()))]
        {
            let mut reprepro = sandbox.command("reprepro");
            reprepro
                .args(["--silent", "-b"])
                .arg(sandbox.archive(""))
                .args(["-C", "main", command, "stable"])
                .arg(file);
            sandbox.run(reprepro).ok();
        }
        let of = || text(&fs::read(sandbox.archive("dists/stable/uContents-amd64.gz")).unwrap());
        assert!(
            of().contains("lib/disk ")
                && sandbox.read("dists/stable/Release").contains(" uContents-amd64.gz\n")
        );
        if !is_configured {
            fs::remove_dir_all(sandbox.archive("conf")).unwrap();
        }
        sandbox.publish_after(60, &["add", "--component", "main", udeb("net").to_str().unwrap()]).ok();
        assert!(of().contains("lib/disk ") && of().contains("lib/net "), "{}", of());
        sandbox.publish_after(120, &["remove", "disk"]).ok();
        assert!(!of().contains("lib/disk ") && of().contains("lib/net "), "{}", of());
        // Each listed file is the one that is listed.
        assert!(sandbox.read("dists/stable/Release").contains(" uContents-amd64.gz\n"));
        assert!(!sandbox.read("dists/stable/Release").contains("Contents-udeb"));
        // reprepro knows no other clock than that of the machine.
        sandbox.publish_now(&["check"]).ok();
    }
}
