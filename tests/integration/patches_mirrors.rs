//! Programs between an archive with patches and its clients: debmirror and apt-mirror of Debian.

use std::{fs, path::Path, time::Duration};

use crate::{
    apt_client::Client,
    patches::{Archive, INDEX, LIST, clients, has_the_index},
    sandbox::{Sandbox, is_installed, skipped},
    web::Web,
};

/// Changes of every kind, one commit each.
const COMMITS: [fn(&mut Archive); 4] = [
    |archive| archive.add_one("aa", "1.0", "The first one."),
    |archive| archive.add_one("dd", "1.0-2", "A newer one, and Überall: ä, 中文"),
    |archive| drop(archive.run(&["remove", "cc", "ff"]).ok()),
    |archive| drop(archive.run(&["rollback"]).ok()),
];

/// Commits in another second than the last time: programs ask only for files that were modified since.
fn commits(archive: &mut Archive, change: fn(&mut Archive)) {
    std::thread::sleep(Duration::from_millis(1100));
    change(archive);
}

/// The mirror has the published index, in both compressed forms.
#[track_caller]
fn has_the_indices(archive: &Archive, mirror: &Path) {
    for (program, ending) in [("gzip", "gz"), ("xz", "xz")] {
        let file = mirror.join(format!("{INDEX}.{ending}"));
        let text = archive.sandbox.ask(program, ["-dc".as_ref(), file.as_os_str()]);
        assert_eq!(text, archive.sandbox.read(INDEX), "{ending}");
    }
}

/// Clients of the mirror get the published index, whichever part of the patches the mirror has.
#[track_caller]
fn serves(archive: &Archive, clients: &[Client<'_>]) {
    for client in clients {
        client.update().ok();
        has_the_index(client, archive);
    }
}

/// debmirror reads only SHA-1 digests of patches, which a list of ours does not have. So it says that the text it makes is
/// not the right one, and downloads the indices, as it does where an archive has no patches.
fn debmirror_follows(mode: &str) {
    if !is_installed("debmirror") {
        return skipped("no debmirror on this machine");
    }
    let mut archive = Archive::new("PDiffs: yes\n");
    // It asks for `//dists`, which `publish serve` refuses and most web servers accept.
    let server = Web::of(archive.sandbox.archive(""));
    let mirror = archive.sandbox.path("debmirror");
    let web = Web::of(&mirror);
    let sandbox = Sandbox::new();
    let clients = clients(&sandbox, &web.url);
    let mirrors = |archive: &Archive| {
        let mut command = archive.sandbox.command("debmirror");
        command.args(["--method=http", "--root=/", "--dist=stable", "--section=main", "--arch=amd64"]);
        command.args(["--nosource", "--no-check-gpg", "--ignore-release-gpg", "--verbose"]);
        command
            .arg(format!("--host={}", server.url.trim_start_matches("http://")))
            .arg(format!("--diff={mode}"))
            .arg(&mirror);
        let said = archive.sandbox.run(command).ok().stdout;
        assert!(said.contains(&format!("Pdiff mode: {mode}")), "{said}");
        assert!(said.contains("Packages.diff/Index... ok"), "{said}");
        has_the_indices(archive, &mirror);
        let own = fs::read_to_string(mirror.join(".temp").join(INDEX)).unwrap();
        assert_eq!(own, archive.sandbox.read(INDEX));
        assert_eq!(mirror.join(LIST).exists(), mode == "mirror");
        serves(archive, &clients);
    };
    archive.add_one("bc", "1.0", "One more, so that there are patches.");
    mirrors(&archive);
    for change in COMMITS {
        change(&mut archive);
        mirrors(&archive);
    }
}

#[test]
fn debmirror_has_the_index_after_each_commit() {
    debmirror_follows("use");
}

#[test]
fn debmirror_copies_the_list_of_patches_and_clients_of_the_mirror_get_the_index() {
    debmirror_follows("mirror");
}

#[test]
fn clients_of_apt_mirror_follow_each_commit() {
    if !is_installed("apt-mirror") {
        return skipped("no apt-mirror on this machine");
    }
    let mut archive = Archive::new("PDiffs: yes\n");
    let server = archive.sandbox.serve();
    let base = archive.sandbox.path("apt-mirror");
    let config = archive.sandbox.path("mirror.list");
    // It finds no files below a URL with a port, so the archive is its proxy.
    let text = format!(
        "set base_path {}\nset nthreads 2\nset run_postmirror 0\nset use_proxy on\nset http_proxy {}\n\
         deb-amd64 http://archive.test stable main\n",
        base.display(),
        server.address()
    );
    fs::write(&config, text).unwrap();
    let mirror = base.join("mirror/archive.test");
    let web = Web::of(&mirror);
    let sandbox = Sandbox::new();
    let clients = clients(&sandbox, &web.url);
    let mirrors = |archive: &Archive| {
        let said = archive.sandbox.ask("apt-mirror", [&config]);
        assert!(said.contains("will be downloaded into archive"), "{said}");
        has_the_indices(archive, &mirror);
        serves(archive, &clients);
        for client in &clients {
            assert!(!client.download("bb").is_empty(), "{}", client.name);
        }
    };
    archive.add_one("bc", "1.0", "One more, so that there are patches.");
    mirrors(&archive);
    for change in COMMITS {
        commits(&mut archive, change);
        mirrors(&archive);
    }
}
