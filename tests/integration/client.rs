//! `publish client`, and the files for clients at the root of an archive: a real apt installs by them.

use std::fs;

use crate::{
    apt_client::Client,
    deb_builder::deb,
    sandbox::{CLOCK, Sandbox},
    web::Web,
};

fn config(url: &str, suites: &[(&str, &str)]) -> String {
    let stanza = |(name, components): &(&str, &str)| {
        format!(
            "Codename: {name}\nComponents: {components}\nArchitectures: amd64\nLabel: Example, Inc.\nPublic-Url: {url}\n\n"
        )
    };
    suites.iter().map(stanza).collect()
}

fn archive(url: &str) -> Sandbox {
    let sandbox = Sandbox::signed();
    sandbox.configure(&config(url, &[("stable", "main"), ("testing", "main")]));
    deb("hello").write(sandbox.incoming());
    for suite in ["stable", "testing"] {
        sandbox.publish(["add", "incoming", "--suite", suite]).ok();
    }
    sandbox
}

/// Runs a script as root of a client.
fn run(apt: &Client<'_>, script: &str) -> crate::sandbox::Outcome {
    // The first client is this machine's apt with a root of its own.
    let script = match apt.name {
        "Debian 12" => script.replace("/etc/apt", apt.root().join("etc/apt").to_str().unwrap()),
        _ => script.to_owned(),
    };
    fs::create_dir_all(apt.root().join("etc/apt/sources.list.d")).unwrap();
    fs::write(apt.root().join("tmp/script"), script).unwrap();
    apt.run("sh", ["./script"])
}

#[test]
fn a_real_apt_installs_by_the_script() {
    let sandbox = archive("http://127.0.0.1:9");
    let web = Web::of(sandbox.archive(""));
    let script = sandbox.publish(["client", "--public-url", &web.url]).ok().stdout;
    assert_eq!(sandbox.publish_with(&[("PUBLISH_PUBLIC_URL", &web.url)], ["client"]).ok().stdout, script);
    for apt in Client::all(&sandbox) {
        let said = run(&apt, &script).ok();
        assert!(!said.stdout.contains("W:") && !said.stderr.contains("W:"), "{}{}", said.stdout, said.stderr);
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
        assert!(apt.has("etc/apt/keyrings/example-inc.asc"), "{}", apt.name);
        // A key that is not the one of the script is not installed.
        fs::remove_file(apt.root().join("etc/apt/keyrings/example-inc.asc")).unwrap();
        fs::write(sandbox.archive("archive-key.asc"), "another key").unwrap();
        run(&apt, &script).fails(1).says(["the key of the archive has changed"]);
        assert!(!apt.has("etc/apt/keyrings/example-inc.asc"), "{}", apt.name);
        sandbox.publish(["check", "--repair"]).ok();
    }
}

#[test]
fn a_real_apt_reads_the_other_forms_and_the_file_of_the_archive() {
    let sandbox = archive("http://127.0.0.1:9");
    let web = Web::of(sandbox.archive(""));
    let client = |form| sandbox.publish(["client", "--public-url", &web.url, "stable", form]).ok().stdout;
    let key = sandbox.read("archive-key.asc");
    for apt in Client::all(&sandbox) {
        let folder = apt.root().join("etc/apt");
        fs::create_dir_all(folder.join("keyrings")).unwrap();
        fs::write(folder.join("keyrings/example-inc.asc"), &key).unwrap();
        apt.stanza(&client("--sources"));
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
        apt.forgets();
        // As published at the root, for the URL of the test.
        let file = sandbox.read("example-inc.sources").replace("http://127.0.0.1:9", &web.url);
        let own_root = |text: String| match apt.name {
            "Debian 12" => text.replace("/etc/apt", folder.to_str().unwrap()),
            _ => text,
        };
        apt.stanza(&own_root(file));
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
        apt.forgets();
        fs::remove_file(folder.join("sources.list.d/archive.sources")).unwrap();
        fs::write(folder.join("sources.list"), own_root(client("--one-line"))).unwrap();
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("1.0"), "{}", apt.name);
    }
}

#[test]
fn the_root_of_an_archive_has_the_files_for_clients() {
    let sandbox = archive("https://packages.example.org/apt/");
    insta::assert_snapshot!(sandbox.read("example-inc.sources"), @r"
    # Written by publish for /etc/apt/sources.list.d/; changes are overwritten.
    Types: deb
    URIs: https://packages.example.org/apt
    Suites: stable testing
    Components: main
    Signed-By: /etc/apt/keyrings/example-inc.asc
    ");
    let binary = fs::read(sandbox.archive("example-inc-archive-keyring.pgp")).unwrap();
    let shown = sandbox.ask("gpg", ["--show-keys", "--with-colons", "archive/archive-key.asc"]);
    let of_binary =
        sandbox.ask("gpg", ["--show-keys", "--with-colons", "archive/example-inc-archive-keyring.pgp"]);
    assert_eq!((shown, binary.starts_with(b"-")), (of_binary, false));

    // A commit that changes neither suites nor keys writes neither file.
    let before = sandbox.tree();
    deb("world").write(sandbox.incoming());
    sandbox.publish(["add", "incoming", "--suite", "stable"]).ok();
    let files = ["example-inc.sources", "example-inc-archive-keyring.pgp"];
    let same = |path: &str| fs::metadata(sandbox.archive(path)).unwrap().modified().unwrap();
    sandbox.tree().keeps(&before, &["dists/"]);
    let times = files.map(same);
    sandbox.publish(["remove", "world", "--suite", "stable"]).ok();
    assert_eq!(files.map(same), times);

    // A component more; a suite less; a lost file.
    let both = [("stable", "main contrib"), ("testing", "main")];
    sandbox.configure(&config("https://packages.example.org/apt", &both));
    deb("extra").field("Section", "contrib/net").write(sandbox.path("extra"));
    sandbox.publish(["add", "extra", "--suite", "stable"]).ok();
    let text = sandbox.read("example-inc.sources");
    assert!(text.contains("Suites: stable\nComponents: main contrib\n"), "{text}");
    assert!(text.contains("Suites: testing\nComponents: main\n"), "{text}");
    sandbox.publish(["drop", "testing", "--yes"]).ok();
    assert!(!sandbox.read("example-inc.sources").contains("testing"));
    let before = sandbox.tree();
    for file in files {
        fs::remove_file(sandbox.archive(file)).unwrap();
    }
    sandbox.publish(["check", "--repair"]).ok().says(["Repaired example-inc.sources"]);
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn files_of_the_owner_are_left_alone() {
    let sandbox = Sandbox::signed();
    sandbox.configure(&config("https://example.org", &[("stable", "main")]));
    let own = "Types: deb\nURIs: https://user:password@example.org\n";
    fs::write(sandbox.archive("example-inc.sources"), own).unwrap();
    fs::write(sandbox.archive("example-inc-archive-keyring.pgp"), "mine").unwrap();
    deb("hello").write(sandbox.incoming());
    let said = sandbox.publish(["add", "incoming"]).ok();
    said.says([
        "`example-inc.sources` was not written by publish",
        "`example-inc-archive-keyring.pgp` was not",
    ]);
    assert_eq!(sandbox.read("example-inc.sources"), own);
    assert_eq!(sandbox.read("example-inc-archive-keyring.pgp"), "mine");
}

#[test]
fn without_a_url_no_file_is_written_and_the_folder_is_the_source() {
    let sandbox = Sandbox::signed();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    assert_eq!(sandbox.tree().paths_with(".sources"), [""; 0]);
    insta::assert_snapshot!(sandbox.publish(["client"]).ok().stdout, @r"
    #!/bin/sh
    # Adds an archive to this machine; run as root.
    set -eu
    cat >/etc/apt/sources.list.d/archive.sources <<'END'
    Types: deb
    URIs: file:[SANDBOX]/archive
    Suites: stable
    Components: main
    Signed-By: [SANDBOX]/archive/archive-key.asc
    END
    chmod 0644 /etc/apt/sources.list.d/archive.sources
    apt-get update
    ");
    sandbox.publish(["client", "nothing"]).fails(1).says(["there is no suite `nothing`"]);
    sandbox.publish(["client", "--public-url", "https://u:p@x"]).fails(2);
    sandbox.publish_with(&[("PUBLISH_PUBLIC_URL", "x")], ["client"]).fails(2).says(["PUBLISH_PUBLIC_URL"]);
}

#[test]
fn an_archive_on_the_web_is_its_own_url() {
    let sandbox = archive("https://elsewhere.example.org");
    let web = Web::of(sandbox.archive(""));
    let client = |arguments: &[&str]| {
        let all = [&["--archive", &web.url, "client"], arguments].concat();
        sandbox.publish(all).ok().stdout
    };
    let text = client(&["--suite", "stable", "--one-line"]);
    let line = format!("deb [signed-by=/etc/apt/keyrings/example-inc.asc] {} stable main\n", web.url);
    assert_eq!(text, line);
    // Without a key in the archive: a known one is in the script, an unknown one is asked for.
    fs::remove_file(sandbox.archive("archive-key.asc")).unwrap();
    assert!(client(&["stable"]).contains("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
    let unknown = ["--archive", &web.url, "client", "stable"];
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(unknown);
    sandbox.run(command).fails(1).says(["publishes no `archive-key.asc`", "--sign-with KEY"]);
}

#[test]
fn an_upload_prints_one_stanza_for_all_suites_and_so_does_a_sync() {
    let sandbox = archive("https://packages.example.org");
    let synced = sandbox.publish(["sync", "./there", "--public-url", "https://cdn.example.org"]).ok();
    let said = format!("{}{}", synced.stdout, synced.stderr);
    assert_eq!(synced.stdout.matches("Types: deb").count(), 1, "{said}");
    assert!(said.contains("URIs: https://cdn.example.org\nSuites: stable testing\n"), "{said}");
    let file = fs::read_to_string(sandbox.path("there/example-inc.sources")).unwrap();
    assert!(file.contains("URIs: https://cdn.example.org\nSuites: stable testing\n"), "{file}");
    assert!(sandbox.path("there/example-inc-archive-keyring.pgp").exists());
    let time = CLOCK.parse::<u64>().unwrap() + 60;
    let later = [("PUBLISH_DATE", &*time.to_string())];
    let again = sandbox.publish_with(&later, ["sync", "./there"]).ok();
    assert!(again.stderr.contains("Nothing to do"), "{}", again.stderr);
}
