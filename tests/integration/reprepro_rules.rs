//! Tests of `update` and `pull` of reprepro's command line: the real reprepro and this program follow the same rules on the
//! same upstreams.

use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _};

use crate::{
    deb_builder::{DebBuilder, deb},
    reprepro_pair::Pair,
    sandbox::{Sandbox, fixture},
    source_builder::source,
    web::Web,
};

/// Publishes packages in an archive beside the two repositories, as upstream does.
fn upstream(sandbox: &Sandbox, place: &str, suite: &str, component: &str, packages: &[DebBuilder]) {
    let key = fixture("keys/second.asc");
    let conf = sandbox.path(place).join("conf");
    fs::create_dir_all(&conf).unwrap();
    let suites = ["sid", "one", "star/updates"];
    let stanza =
        |name: &str| format!("Codename: {name}\nComponents: main contrib\nArchitectures: amd64 i386\n");
    fs::write(conf.join("distributions"), suites.map(stanza).join("\n")).unwrap();
    let base =
        ["--archive", place, "--sign-with", key.to_str().unwrap(), "add", "--suite", suite, "--new-suite"];
    for package in packages {
        let file = package.write(sandbox.incoming());
        sandbox.publish([&base[..], &["--component", component, file.to_str().unwrap()]].concat()).ok();
    }
}

fn rule(name: &str, more: &str) -> String {
    format!("Name: {name}\nMethod: file:[UP]\nVerifyRelease: blindtrust\n{more}\n")
}

/// Both repositories with these rules; `[UP]` is the folder of the upstream.
fn pair(distributions: &str, rules: &[String]) -> Option<Pair> {
    let pair = Pair::new(distributions)?;
    let up = pair.sandbox.path("up").display().to_string();
    pair.conf("updates", &rules.join("\n").replace("[UP]", &up));
    Some(pair)
}

fn suite(name: &str, more: &str) -> String {
    format!("Codename: {name}\nArchitectures: amd64 i386 source\nComponents: main contrib\n{more}\n")
}

fn write(pair: &Pair, package: &DebBuilder) -> String {
    package.write(pair.sandbox.incoming()).display().to_string()
}

#[test]
fn newer_packages_come_and_others_stay_or_go() {
    let text = [suite("keep", "Update: up"), suite("exact", "Update: - up")].join("\n");
    let Some(pair) = pair(&text, &[rule("up", "Suite: sid\nComponents: main\nArchitectures: amd64 i386")])
    else {
        return;
    };
    let packages = [
        deb("foo").version("1.0"),
        deb("bar").version("2"),
        deb("all").architecture("all"),
        deb("foo").version("1.0").architecture("i386"),
    ];
    upstream(&pair.sandbox, "up", "sid", "main", &packages);
    for package in [deb("foo").version("3.0"), deb("bar").version("1"), deb("gone")] {
        let file = write(&pair, &package);
        for suite in ["keep", "exact"] {
            pair.run(&["includedeb", suite, &file]);
        }
    }
    pair.lists(&["checkupdate"]);
    pair.lists(&["dumpupdate"]);
    let update = |pair: &Pair| {
        pair.run(&["update"]);
        for suite in ["keep", "exact"] {
            pair.lists(&["list", suite]);
            pair.same(suite);
        }
    };
    update(&pair);
    upstream(&pair.sandbox, "up", "sid", "main", &[deb("foo").version("4"), deb("new")]);
    pair.run(&["-A", "i386", "update", "exact"]);
    pair.lists(&["list", "exact"]);
    update(&pair);
    pair.run(&["predelete", "exact"]);
    update(&pair);
    pair.status(&["update", "nosuch"]);
}

#[test]
fn filters_and_lists_decide() {
    let names = ["install", "upgradeonly", "supersede", "deinstall", "warning", "hold", "exactly", "never"];
    for version in ["1", "2", "3"] {
        let text =
            [suite("a", "Update: up"), suite("b", "Update: - up"), suite("c", "Update: up")].join("\n");
        let more = "Suite: sid\nComponents: main\nArchitectures: amd64\nFilterList: deinstall list";
        let Some(pair) = pair(&text, &[rule("up", more)]) else { return };
        let list: Vec<String> = names
            .iter()
            .map(|name| match *name {
                "exactly" => "exactly = 2".to_owned(),
                "never" => "never = 5".to_owned(),
                action => format!("{action} {action}"),
            })
            .collect();
        pair.conf("list", &format!("{}\n", list.join("\n")));
        let offered: Vec<DebBuilder> = names.iter().map(|name| deb(name).version("2")).collect();
        upstream(&pair.sandbox, "up", "sid", "main", &offered);
        for name in names {
            let file = write(&pair, &deb(name).version(version));
            pair.run(&["includedeb", "a", &file]);
            pair.run(&["includedeb", "b", &file]);
        }
        pair.lists(&["dumpupdate"]);
        pair.run(&["update"]);
        for suite in ["a", "b", "c"] {
            pair.lists(&["list", suite]);
        }
    }
    // The action that fails changes nothing.
    let more = "Suite: sid\nComponents: main\nArchitectures: amd64\nFilterList: install list";
    let Some(pair) = pair(&suite("a", "Update: up"), &[rule("up", more)]) else { return };
    pair.conf("list", "bad error\n");
    upstream(&pair.sandbox, "up", "sid", "main", &[deb("bad"), deb("good")]);
    assert!(pair.run(&["update"]).ours.status != Some(0));
    pair.lists(&["list", "a"]);
}

#[test]
fn rules_map_components_and_are_tried_in_their_order() {
    let text = [
        "Codename: mapped\nArchitectures: amd64 i386\nComponents: all other\nUpdate: mapped\n",
        "Codename: order\nArchitectures: amd64\nComponents: main\nUpdate: one - two one\n",
        "Codename: star\nArchitectures: amd64\nComponents: main\nUpdate: star\n",
        "Codename: lang\nArchitectures: i386\nComponents: main\nUpdate: other-architecture\n",
    ];
    let rules = [
        rule("base", "Suite: sid"),
        "Name: mapped\nFrom: base\nComponents: main>all contrib>other\n".to_owned(),
        "Name: one\nFrom: base\nSuite: one\n".to_owned(),
        "Name: two\nFrom: base\nFilterFormula: Package (!= bar)\n".to_owned(),
        "Name: star\nFrom: base\nSuite: */updates\n".to_owned(),
        "Name: other-architecture\nFrom: base\nComponents: main\nArchitectures: amd64>i386\n\
         FilterFormula: Architecture (== all)\n"
            .to_owned(),
    ];
    let Some(pair) = pair(&text.join("\n"), &rules) else { return };
    let main = [deb("foo").version("2"), deb("bar").version("2"), deb("doc").architecture("all")];
    upstream(&pair.sandbox, "up", "sid", "main", &main);
    upstream(&pair.sandbox, "up", "sid", "main", &[deb("foo").architecture("i386")]);
    upstream(&pair.sandbox, "up", "sid", "contrib", &[deb("extra")]);
    upstream(
        &pair.sandbox,
        "up",
        "one",
        "main",
        &[deb("foo").version("3"), deb("bar").version("1"), deb("rest")],
    );
    upstream(&pair.sandbox, "up", "star/updates", "main", &[deb("fix")]);
    for package in [deb("foo").version("9"), deb("bar").version("9")] {
        pair.run(&["includedeb", "order", &write(&pair, &package)]);
    }
    pair.lists(&["dumpupdate"]);
    pair.run(&["update"]);
    for suite in ["mapped", "order", "star", "lang"] {
        pair.lists(&["list", suite]);
    }
}

#[test]
fn flat_archives_and_hooks() {
    let text = [
        "Codename: flat\nArchitectures: amd64 i386\nComponents: main cran\nUpdate: flat\n",
        "Codename: bare\nArchitectures: amd64\nComponents: cran\nUpdate: bare\n",
        "Codename: file\nArchitectures: amd64\nComponents: main\nUpdate: file\n",
        "Codename: shell\nArchitectures: amd64\nComponents: main\nUpdate: shell\n",
    ];
    let rules = [
        rule("flat", "Suite: sub\nFlat: cran"),
        "Name: bare\nMethod: copy:[UP]\nSuite: bare/\nFlat: cran\nIgnoreRelease: yes\n".to_owned(),
        rule("file", "Suite: sid\nListHook: [UP]/hook"),
        rule(
            "shell",
            "Suite: sid\nListShellHook: sed -e \"s/^Section: .*/Section: $REPREPRO_FILTER_CODENAME/\"",
        ),
    ];
    let Some(pair) = pair(&text.join("\n"), &rules) else { return };
    let sandbox = &pair.sandbox;
    let packages = ["foo", "bar"].map(|name| deb(name).field("Section", "utils"));
    upstream(sandbox, "up", "sid", "main", &packages);
    fs::write(
        sandbox.path("up/hook"),
        "#!/bin/sh\nsed -e 's/^Section: .*/Section: hooked/' <\"$1\" >\"$2\"\n",
    )
    .unwrap();
    fs::set_permissions(sandbox.path("up/hook"), fs::Permissions::from_mode(0o755)).unwrap();
    for folder in ["sub", "bare"] {
        fs::create_dir_all(sandbox.path("up").join(folder)).unwrap();
        let mut index = String::new();
        for package in [deb("foo"), deb("foo").architecture("i386"), deb("doc").architecture("all")] {
            package.write(sandbox.path("up").join(folder));
            let bytes = package.bytes();
            let (size, sha256, name) = (bytes.len(), crate::sandbox::sha256(&bytes), package.file_name());
            let md5 = sandbox.ask("md5sum", [sandbox.path("up").join(folder).join(&name)]);
            let md5 = md5.split_whitespace().next().unwrap();
            write!(
                index,
                "{}Filename: ./{folder}/{name}\nSize: {size}\nMD5sum: {md5}\nSHA256: {sha256}\n\n",
                package.stanza()
            )
            .unwrap();
        }
        fs::write(sandbox.path("up").join(folder).join("Packages"), &index).unwrap();
        let sha256 = crate::sandbox::sha256(index.as_bytes());
        let release =
            format!("Date: Sun, 01 Jan 2023 00:00:00 UTC\nSHA256:\n {sha256} {} Packages\n", index.len());
        if folder == "sub" {
            fs::write(sandbox.path("up/sub/Release"), release).unwrap();
        }
    }
    pair.run(&["update"]);
    for suite in ["flat", "bare", "file", "shell"] {
        pair.lists(&["list", suite]);
        pair.same(suite);
    }
    for base in ["real", "ours"] {
        let read = |suite: &str| {
            let path = sandbox.path(format!("{base}/dists/{suite}/main/binary-amd64/Packages"));
            fs::read_to_string(path).unwrap()
        };
        assert!(read("file").contains("Section: hooked") && read("shell").contains("Section: shell"));
    }
}

#[test]
fn suites_of_one_archive_take_packages_of_each_other() {
    let udebs = "UDebComponents: main";
    let text = [
        suite("stable", &format!("{udebs}\nPull: some")),
        suite("testing", udebs),
        "Codename: exact\nArchitectures: amd64 source\nComponents: main\nPull: - sources\n".to_owned(),
    ];
    let Some(pair) = Pair::new(&text.join("\n")) else { return };
    let rules = "Name: some\nFrom: testing\nComponents: main\nArchitectures: amd64 source\n\n\
                 Name: sources\nFrom: testing\nFilterSrcList: deinstall list\n";
    pair.conf("pulls", rules);
    pair.conf("list", "foo install\n");
    for package in [
        deb("foo").version("2"),
        deb("foo").version("2").architecture("i386"),
        deb("doc").architecture("all"),
    ] {
        pair.run(&["includedeb", "testing", &write(&pair, &package)]);
    }
    pair.run(&["-C", "contrib", "includedeb", "testing", &write(&pair, &deb("extra"))]);
    pair.run(&["includeudeb", "testing", &write(&pair, &deb("inst").udeb())]);
    let dsc = source("foo").version("2").write(pair.sandbox.incoming()).display().to_string();
    pair.run(&["-S", "misc", "-P", "optional", "includedsc", "testing", &dsc]);
    for package in [deb("foo").version("3"), deb("gone")] {
        pair.run(&["includedeb", "exact", &write(&pair, &package)]);
    }
    pair.lists(&["dumppull"]);
    pair.run(&["pull"]);
    for suite in ["stable", "exact", "testing"] {
        pair.lists(&["list", suite]);
        pair.same(suite);
    }
    pair.lists(&["dumppull"]);
    pair.run(&["pull", "nosuch"]);
}

#[test]
fn options_restrict_what_is_taken() {
    let text = [suite("keep", "Update: up"), suite("exact", "Update: - up")].join("\n");
    let Some(pair) = pair(&text, &[rule("up", "Suite: sid\nComponents: main\nArchitectures: amd64")]) else {
        return;
    };
    let new = [
        deb("foo").version("2"),
        deb("libfoo").version("2").source("foo"),
        deb("bar").version("2"),
        deb("new").version("3").source("foo (2)"),
    ];
    upstream(&pair.sandbox, "up", "sid", "main", &new);
    fs::write(pair.sandbox.path("list"), "bar install\nfoo hold\n").unwrap();
    let list = pair.sandbox.path("list").display().to_string();
    for options in [
        &["--restrict", "bar"][..],
        &["--restrict", "foo=1"],
        &["--restrict-bin", "libfoo"],
        &["--restrict-src=foo=2"],
        &["--restrict", "bar", "--restrict-bin=foo"],
        &["--restrict-file-src", &list],
    ] {
        for package in [deb("foo").version("1"), deb("bar").version("1"), deb("gone")] {
            let file = write(&pair, &package);
            for suite in ["keep", "exact"] {
                pair.run(&["includedeb", suite, &file]);
            }
        }
        pair.lists(&[options, &["--noskipold", "dumpupdate"]].concat());
        pair.run(&[options, &["--noskipold", "update"]].concat());
        for suite in ["keep", "exact"] {
            pair.lists(&["list", suite]);
            pair.run(&["removematched", suite, "*"]);
        }
    }
    pair.run(&["--restrict", "bar", "list", "keep"]);
}

/// reprepro warns of a source that it does not verify, and takes its packages; this program does not.
#[test]
fn a_source_is_verified_before_anything_changes() {
    let text = [suite("one", "Update: good"), suite("two", "Update: bad")].join("\n");
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    let updates = |two: &str| {
        let up = sandbox.path("up");
        let one = rule("good", "Suite: sid\nComponents: main\nArchitectures: amd64");
        let two = format!(
            "Name: bad\nMethod: file:[UP]\nSuite: sid\nComponents: main\nArchitectures: amd64\n{two}\n"
        );
        let text = [one, two].join("\n").replace("[UP]", up.to_str().unwrap());
        fs::write(sandbox.archive("conf/updates"), text).unwrap();
    };
    sandbox.configure(&text);
    upstream(&sandbox, "up", "sid", "main", &[deb("foo")]);
    let import = |key: &str| {
        let mut command = sandbox.command("gpg");
        command.args(["--batch", "--quiet", "--import"]).arg(fixture(key));
        sandbox.run(command).ok();
    };
    import("keys/second.pub.asc");
    import("keys/test.pub.asc");
    let listed = || run(&["list", "two"]).ok().stdout;
    let fingerprint = |key: &str| {
        let mut command = sandbox.command("gpg");
        command.args(["--batch", "--with-colons", "--show-keys"]).arg(fixture(key));
        let shown = sandbox.run(command).ok().stdout;
        let line = shown.lines().find(|line| line.starts_with("fpr:")).unwrap().to_owned();
        line.trim_end_matches(':').rsplit(':').next().unwrap().to_owned()
    };
    let (signer, other) = (fingerprint("keys/second.pub.asc"), fingerprint("keys/test.pub.asc"));
    let unknown = ["cannot use the key `0123", "no public key with the id `0123", "gpg --import FILE"];
    for (field, status, says) in [
        (String::new(), 255, &["names no key in `VerifyRelease`"][..]),
        (format!("VerifyRelease: {other}"), 250, &["is not trusted", "in `VerifyRelease` of the rule"]),
        ("VerifyRelease: 0123456789ABCDEF".to_owned(), 249, &unknown),
    ] {
        updates(&field);
        let before = sandbox.tree();
        run(&["update"]).fails(status).says(says.iter().copied());
        assert_eq!(sandbox.tree().paths_with("dists/"), before.paths_with("dists/"));
    }
    updates(&format!("VerifyRelease: {other}|{}!", &signer[24..]));
    run(&["update"]).ok();
    assert_eq!(listed(), "two|main|amd64: foo 1.0\n");
}

/// Runs gpg with the keys of a sandbox.
fn gpg(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let mut command = sandbox.command("gpg");
    command.args(["--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"]);
    command.args(arguments);
    sandbox.run(command).ok().stdout
}

/// `+` is for subkeys; `!` with the option is for a key that has expired or was revoked.
#[test]
fn a_key_of_a_source_counts_as_the_rule_names_it() {
    let sandbox = Sandbox::new();
    sandbox.configure(&suite("one", "Update: up"));
    upstream(&sandbox, "up", "sid", "main", &[deb("foo")]);
    gpg(&sandbox, &["--quick-gen-key", "up@example.org", "ed25519", "sign", "0"]);
    let keys = || -> Vec<String> {
        let shown = gpg(&sandbox, &["--with-colons", "--list-keys", "up@example.org"]);
        let lines = shown.lines().filter(|line| line.starts_with("fpr:"));
        lines.map(|line| line.split(':').nth(9).unwrap().to_owned()).collect()
    };
    gpg(&sandbox, &["--quick-add-key", &keys()[0], "ed25519", "sign", "0"]);
    let (primary, subkey) = (keys()[0][24..].to_owned(), keys()[1][24..].to_owned());
    let sign = |key: &str| {
        let file = |name: &str| sandbox.path("up/dists/sid").join(name).display().to_string();
        let words = ["--local-user", &format!("{key}!"), "--clearsign", "--output", &file("InRelease")];
        gpg(&sandbox, &[&words[..], &[&file("Release")]].concat());
    };
    let update = |key: &str, options: &[&str]| {
        let text = format!(
            "Name: up\nMethod: file:{}\nSuite: sid\nComponents: main\nArchitectures: amd64\nVerifyRelease: {key}\n",
            sandbox.path("up").display()
        );
        fs::write(sandbox.archive("conf/updates"), text).unwrap();
        sandbox.publish_now(&[&["reprepro", "-b", "archive"], options, &["update"]].concat())
    };
    sign(&subkey);
    update(&primary, &[]).fails(250).says(["with `+` for its subkeys"]);
    update(&format!("{primary}+"), &[]).ok();
    update(&subkey, &[]).ok();
    sign(&primary);
    update(&subkey, &[]).fails(250).says(["is signed only by keys"]);
    update(&primary, &[]).ok();
    let revocation = sandbox.path("revocation");
    let made = sandbox.path("gnupg/openpgp-revocs.d").join(format!("{}.rev", keys()[0]));
    let text = fs::read_to_string(made).unwrap();
    fs::write(&revocation, text.replace("\n:-", "\n-")).unwrap();
    gpg(&sandbox, &["--import", revocation.to_str().unwrap()]);
    let both = ["--ignore=revokedkey"];
    update(&primary, &both).fails(250).says(["revoked", "`VerifyRelease: KEY!`"]);
    update(&format!("{primary}!"), &[]).fails(250).says(["`--ignore=revokedkey`"]);
    update(&format!("{primary}!"), &both).ok();
    let expired = fixture("keys/expired.asc");
    gpg(&sandbox, &["--import", fixture("keys/expired.pub.asc").to_str().unwrap()]);
    let file = deb("bar").write(sandbox.incoming());
    let words = ["-a", "up", "--trust-existing", "--sign-with", expired.to_str().unwrap(), "add"];
    let words = [&words[..], &["--suite", "sid", "--component", "main", file.to_str().unwrap()]].concat();
    sandbox.publish_with(&[("PUBLISH_DATE", "1590969600")], words).ok();
    let shown = gpg(&sandbox, &["--with-colons", "--show-keys", expired.to_str().unwrap()]);
    let line = shown.lines().find(|line| line.starts_with("fpr:")).unwrap();
    let key = line.split(':').nth(9).unwrap();
    let both = ["--ignore=expiredkey"];
    update(key, &both).fails(250).says(["has expired on 2021-01-01", "`VerifyRelease: KEY!`"]);
    update(&format!("{key}!"), &[]).fails(250).says(["`--ignore=expiredkey`"]);
    update(&format!("{key}!"), &both).ok();
}

#[test]
fn a_fault_of_a_rule_is_named_with_its_remedy() {
    let text = suite("one", "Update: up").replace("Components: main", "Components: zz main");
    let Some(pair) = pair(&text, &[rule("up", "Suite: sid")]) else { return };
    upstream(&pair.sandbox, "up", "sid", "main", &[deb("foo")]);
    let ours = |options: &[&str]| {
        let call = [&["reprepro", "-b", "ours"], options, &["update"]].concat();
        pair.sandbox.publish(call)
    };
    let said = ours(&[]).fails(254);
    said.says(["which the release file there does not list", "`Components` and `Architectures` of the rule"]);
    pair.conf("distributions", &suite("one", "Update: up"));
    let up = pair.sandbox.path("up").display().to_string();
    pair.conf("updates", &rule("up", "Suite: sid\nArchitectures: amd64\nBogus: yes").replace("[UP]", &up));
    pair.status(&["update"]);
    pair.run(&["--ignore=unknownfield", "update"]);
    pair.lists(&["list", "one"]);
    // The statuses, which scripts compare.
    for (update, change) in [
        ("up", "ListHook: /bin/false"),
        ("up", "ListHook: /bin/cp\nListShellHook: cat"),
        ("up", "Components: zz>main"),
        ("nosuch", ""),
    ] {
        pair.conf("distributions", &suite("one", &format!("Update: {update}")));
        let change = format!("Suite: sid\nArchitectures: amd64\n{change}");
        pair.conf("updates", &rule("up", change.trim_end()).replace("[UP]", &up));
        pair.status(&["--noskipold", "update"]);
    }
}

#[test]
fn a_source_on_the_web_is_read_once() {
    let sandbox = Sandbox::new();
    upstream(&sandbox, "up", "sid", "main", &[deb("foo"), deb("bar")]);
    let web = Web::of(sandbox.path("up"));
    let one = "Architectures: amd64\nComponents: main\nUpdate: up\n";
    sandbox.configure(&format!("Codename: one\n{one}\nCodename: two\n{one}"));
    let text = format!("Name: up\nMethod: {}\nSuite: sid\nVerifyRelease: blindtrust\n", web.url);
    fs::write(sandbox.archive("conf/updates"), text).unwrap();
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    run(&["checkupdate"]).ok();
    assert!(!web.requests().iter().any(|request| request.contains(".deb")));
    run(&["update"]).ok();
    let requests = web.requests();
    let debs = requests.iter().filter(|request| request.contains(".deb")).count();
    assert_eq!(debs, 2, "{requests:?}");
    run(&["update"]).ok().says(["Nothing to do"]);
    assert!(!web.requests().iter().any(|request| request.contains(".deb")));
    sandbox.publish(["check"]).ok();
}

#[test]
fn another_location_is_read_where_the_first_is_out_of_reach() {
    let sandbox = Sandbox::new();
    upstream(&sandbox, "up", "sid", "main", &[deb("foo")]);
    sandbox.configure("Codename: one\nArchitectures: amd64\nComponents: main\nUpdate: up\n");
    let up = sandbox.path("up").display().to_string();
    // No server listens on this port.
    let text = format!(
        "Name: up\nMethod: http://127.0.0.1:1/\nFallback: file:{up}\nSuite: sid\nVerifyRelease: blindtrust\n\
         Config: Acquire::http::Proxy=x\nIgnoreHashes: md5\nGetInRelease: no\nDownloadListsAs: .gz\n"
    );
    fs::write(sandbox.archive("conf/updates"), &text).unwrap();
    let run = |arguments: &[&str]| sandbox.publish([&["reprepro", "-b", "archive"], arguments].concat());
    run(&["update"]).ok().says([
        "`Config` has no effect",
        "`IgnoreHashes` has no effect",
        "`GetInRelease` has no effect",
        "`DownloadListsAs` has no effect",
        "`Method` is out of reach, so `Fallback` is read",
    ]);
    assert_eq!(run(&["list", "one"]).ok().stdout, "one|main|amd64: foo 1.0\n");
    // A source that answers is not replaced: its fault is named.
    let text = text.replace("http://127.0.0.1:1/", &format!("file:{up}/nowhere"));
    fs::write(sandbox.archive("conf/updates"), text).unwrap();
    run(&["update"]).fails(255).says(["there is no suite `sid`"]);
}

/// The files of another component of the source are those of the component that takes them.
#[test]
fn files_are_planned_in_the_component_of_the_suite() {
    let text = suite("map", "Update: up");
    let Some(pair) = pair(&text, &[rule("up", "Suite: sid\nComponents: contrib>main\nArchitectures: amd64")])
    else {
        return;
    };
    upstream(&pair.sandbox, "up", "sid", "contrib", &[deb("foo"), deb("doc").architecture("all")]);
    pair.lists(&["checkupdate"]);
    pair.run(&["update"]);
    pair.lists(&["list", "map"]);
    pair.same("map");
}

#[test]
fn an_index_that_a_mirror_leaves_out_is_named_as_such() {
    let text = suite("part", "Update: up");
    let rules = [rule("up", "Suite: sid\nArchitectures: amd64").replace("[UP]", "[UP]/../part")];
    let Some(pair) = pair(&text, &rules) else { return };
    let sandbox = &pair.sandbox;
    upstream(sandbox, "up", "sid", "main", &[deb("foo")]);
    upstream(sandbox, "up", "sid", "contrib", &[deb("bar")]);
    let (from, to) = ("up", "./part");
    sandbox.publish(["-a", from, "sync", to, "--suite", "sid", "--trust-existing", "-c", "main"]).ok();
    let said = pair.one("ours", &["update"]);
    said.fails(254)
        .says(["contrib/binary-amd64/Packages`, which the mirror there leaves out", "`Components`"]);
}
