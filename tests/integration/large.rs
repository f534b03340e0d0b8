//! An index of several blocks: every reader must read all of it, in every form.

use std::fs;

use crate::{
    apt_client::{Client, Source},
    deb_builder::{Pack, deb},
    sandbox::{Sandbox, sha256},
};

const PACKAGES: usize = 2200;

/// Deterministic text that barely compresses.
fn noise(seed: usize) -> String {
    let blocks = (0..32).map(|count| sha256(format!("{seed} {count}").as_bytes()));
    blocks.fold(String::new(), |text, block| text + "\n " + &block)
}

/// An archive whose `Packages` has about 5 MB, so that it is split into several blocks.
fn large_archive() -> Sandbox {
    let sandbox = Sandbox::signed();
    for number in 0..PACKAGES {
        let description = format!("package number {number}{}", noise(number));
        deb(&format!("package-{number:05}"))
            .compression(Pack::None)
            .field("Description", &description)
            .write(sandbox.incoming());
    }
    sandbox.publish(["-q", "add", "incoming"]).ok();
    sandbox
}

/// Checks that every form of the index holds the same text; returns the number of blocks of the `.xz`.
fn readers_agree(sandbox: &Sandbox) -> usize {
    let index = "dists/stable/main/binary-amd64/Packages";
    let plain = sha256(&fs::read(sandbox.archive(index)).unwrap());
    for (program, form) in
        [("xz -dc", ".xz"), ("busybox xzcat", ".xz"), ("gzip -dc", ".gz"), ("busybox zcat", ".gz")]
    {
        let file = sandbox.archive(format!("{index}{form}"));
        let said = sandbox.ask("sh", ["-c", &format!("{program} < '{}' | sha256sum", file.display())]);
        assert!(said.starts_with(&plain), "{program}: {said}");
    }
    let python = "import sys, gzip, lzma, hashlib\n\
        for opener, form in ((gzip.open, '.gz'), (lzma.open, '.xz')):\n\
        \x20   print(hashlib.sha256(opener(sys.argv[1] + form).read()).hexdigest())";
    let file = sandbox.archive(index);
    let said = sandbox.ask("python3", ["-c".as_ref(), python.as_ref(), file.as_os_str()]);
    assert_eq!(said.matches(&plain).count(), 2, "{said}");

    let file = sandbox.archive(format!("{index}.xz"));
    let said = sandbox.ask("xz", ["--robot".as_ref(), "--list".as_ref(), file.as_os_str()]);
    let totals: Vec<&str> = said.lines().find(|line| line.starts_with("file")).unwrap().split('\t').collect();
    assert_eq!(totals[1], "1", "one stream, or apt refuses it: {said}");
    totals[2].parse().unwrap()
}

#[test]
fn every_reader_reads_every_block() {
    let sandbox = large_archive();
    assert!(readers_agree(&sandbox) >= 3);
    for form in ["xz", "gz"] {
        for mut apt in Client::all(&sandbox) {
            apt.option("Acquire::CompressionTypes::Order", form);
            apt.source(&Source::folder(sandbox.archive("")).signed_by(sandbox.archive("archive-key.asc")));
            apt.updates();
            let names = apt.run("apt-cache", ["pkgnames", "package-"]).ok().stdout;
            assert_eq!(names.lines().count(), PACKAGES, "{} {form}", apt.name);
            assert_eq!(apt.candidate("package-02199").as_deref(), Some("1.0"), "{} {form}", apt.name);
        }
    }
    // After an edit in the middle, all readers still agree.
    deb("package-01500").version("2.0").write(sandbox.incoming());
    sandbox.publish(["add", "incoming/package-01500_2.0_amd64.deb"]).ok();
    sandbox.publish(["remove", "package-00007", "package-02000"]).ok();
    assert!(readers_agree(&sandbox) >= 3);
    sandbox.publish(["check"]).ok();
}
