//! The README and the help topics: every example in them runs, every command and field is named, links lead somewhere.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use crate::{
    deb_builder::deb,
    sandbox::{CLOCK, Sandbox, fixture},
    source_builder::source,
    upload_builder::upload,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the guide, with its name.
fn topics() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(root().join("src/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() > 10, "{}", found.len());
    found
}

/// A block of code: its language and its lines.
struct Block {
    language: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(language) if !is_inside => {
                assert_ne!(language, "", "a block without a language: rustdoc would compile it");
                blocks.push(Block { language: language.to_owned(), text: String::new() });
                is_inside = true;
            }
            Some(_) => is_inside = false,
            None if is_inside => {
                let _ = writeln!(blocks.last_mut().unwrap().text, "{line}");
            }
            None => {}
        }
    }
    blocks
}

/// A machine on which examples run: the paths and addresses in them are those of a sandbox.
struct Machine {
    sandbox: Sandbox,
    /// The web server of the bucket.
    web: crate::sandbox::Server,
    clock: u64,
}

impl Machine {
    /// A machine without an archive; `archive` is the bucket of the examples.
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let bin = sandbox.path("bin");
        for folder in ["bin", "srv", "etc/apt/sources.list.d", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(sandbox.path(folder)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_publish"), bin.join("publish")).unwrap();
        let script = |name: &str, text: &str| {
            let path = sandbox.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/bash\nset -eu\n{text}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        // `cargo run … -- WORDS` is `publish WORDS`; the tests do not build the program again.
        script(
            "bin/cargo",
            "[ \"$1\" != run ] || { while [ \"$1\" != -- ]; do shift; done; shift; exec publish \"$@\"; }",
        );
        script("bin/make", "[ \"$*\" = deb ]");
        script("tests/run", "");
        let apt = format!(
            "exec /usr/bin/apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts={0}/etc/apt/sources.list.d \
             -o Dir::State::Lists={0}/lists -o Dir::Cache={0}/cache -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
             -o APT::Update::Error-Mode=any \"$@\"",
            sandbox.path("").display()
        );
        script("bin/apt-get", &apt);
        symlink(root().join("fixtures"), sandbox.path("fixtures")).unwrap();
        fs::copy(fixture("keys/test.asc"), sandbox.path("key.asc")).unwrap();
        fs::copy(fixture("keys/test.pub.asc"), sandbox.path("debian.asc")).unwrap();
        let build = sandbox.path("build");
        fs::create_dir(&build).unwrap();
        deb("hello").version("2.10-3").source("hello (2.10-3)").write(&build);
        let web = sandbox.serve();
        Self { sandbox, web, clock: CLOCK.parse().unwrap() }
    }

    /// The same, with files for examples and this configuration in /srv/apt and in the bucket. These suites have packages.
    fn with(distributions: &str, filled: &[&str]) -> Self {
        let mut machine = Self::new();
        let sandbox = &machine.sandbox;
        let here = sandbox.path("");
        let hello = "hello_2.10-3_amd64.deb";
        fs::create_dir(sandbox.path("uploads")).unwrap();
        for folder in [&here, &sandbox.path("uploads")] {
            fs::copy(sandbox.path("build").join(hello), folder.join(hello)).unwrap();
        }
        let changes = upload(sandbox.path("uploads")).version("2.10-3").write();
        fs::copy(&changes, here.join("hello_2.10-3_amd64.changes")).unwrap();
        deb("hello").version("2.0").write(&here);
        source("hello").version("2.10-3").write(&here);
        deb("hello").version("2.10-2").write(sandbox.path("earlier"));
        deb("libfoo1").source("foo (1.2-3)").version("1.2-3").write(sandbox.path("earlier"));
        source("foo").version("1.2-3").write(sandbox.path("earlier"));
        fs::create_dir_all(sandbox.path("etc/apt/keyrings")).unwrap();
        fs::copy(fixture("keys/test.pub.asc"), sandbox.path("etc/apt/keyrings/example.asc")).unwrap();
        for archive in ["srv/apt", "archive"] {
            fs::create_dir_all(sandbox.path(archive).join("conf")).unwrap();
            fs::write(sandbox.path(archive).join("conf/distributions"), distributions).unwrap();
        }
        for archive in ["srv/apt", "archive"] {
            for suite in filled {
                machine.runs(&format!("publish --archive {archive} add --suite {suite} earlier"));
            }
        }
        machine
    }

    /// The text of an example with the paths and addresses of this machine.
    fn here(&self, text: &str) -> String {
        let path = |relative: &str| self.sandbox.path(relative).display().to_string();
        let (bucket, web) = (path("archive"), self.web.url.trim_end_matches('/').to_owned());
        let mut text = text.to_owned();
        while let Some(at) = text.find("'s3://") {
            let end = text[at + 1..].find('\'').unwrap() + at + 2;
            text.replace_range(at..end, &bucket);
        }
        for (there, here) in [
            ("s3://packages.example.org/apt", &bucket),
            ("https://packages.example.org/apt", &web),
            ("https://deb.example.org/apt", &web),
            ("https://deb.example.org/debian", &web),
            ("--archive ./archive", &format!("--archive {}", path("another"))),
            ("/srv/apt", &path("srv/apt")),
            ("/etc/apt", &path("etc/apt")),
            ("/usr/local/bin", &path("bin")),
            ("/usr/bin/publish", &path("bin/publish")),
        ] {
            text = text.replace(there, here);
        }
        text
    }

    /// Runs a script; returns its output with the paths of the example.
    #[track_caller]
    fn runs(&mut self, script: &str) -> String {
        // Commits follow each other.
        self.clock += 60;
        let mut shell = self.sandbox.command("bash");
        shell
            .args(["-c", &format!("set -eu; exec 2>&1; {}", self.here(script))])
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.sandbox.path("bin").display()))
            .env("PUBLISH_DATE", self.clock.to_string())
            .env("PUBLISH_ARCHIVE", self.sandbox.path("srv/apt"))
            .envs([
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_ACTOR", "alice"),
                ("GITHUB_REPOSITORY", "example/hello"),
            ])
            .envs([
                ("GITHUB_RUN_ID", "42"),
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REF_NAME", "v1"),
            ]);
        let output = self.sandbox.run(shell).ok().stdout;
        output.replace("[SANDBOX]/archive", "s3://packages.example.org/apt").replace("[SANDBOX]", "")
    }

    /// Runs every example of a text, in its order.
    fn follows(&mut self, name: &str, text: &str) {
        for Block { language, text } in blocks(text) {
            let context = format!("{name}: {language}\n{text}");
            match &*language {
                "sh" => match text.find("# 30 days later").and_then(|at| text[..at].rfind('\n')) {
                    None => drop(self.runs(&text)),
                    Some(at) => {
                        self.runs(&text[..at]);
                        self.clock += 31 * 24 * 60 * 60;
                        self.runs(&text[at..]);
                    }
                },
                "console" => self.shows(&text, &context),
                "crontab" => {
                    for line in text.lines() {
                        let command = line.split_whitespace().skip(5).collect::<Vec<_>>().join(" ");
                        self.runs(&command);
                    }
                }
                "yaml" => {
                    let steps: Vec<&str> = text
                        .lines()
                        .filter_map(|line| line.split_once("run: "))
                        .map(|(_, run)| run)
                        .collect();
                    assert!(!steps.is_empty(), "{context}");
                    for step in steps {
                        self.runs(&format!("export PUBLISH_SIGNING_KEY=\"$(cat key.asc)\"\n{step}"));
                    }
                }
                "json" => drop(serde_json::from_str::<serde_json::Value>(&text).expect(&context)),
                // They have tests of their own, or name archives of others.
                "debcontrol" | "uploaders" | "nginx" | "text" => {}
                _ => panic!("{context}: no example of this language is run"),
            }
        }
    }

    /// Runs the lines that begin with `$`; the output is that of the example, where `…` is any text.
    fn shows(&mut self, text: &str, context: &str) {
        let mut calls: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            match (line.strip_prefix("$ "), calls.last_mut()) {
                (Some(command), _) => calls.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    let _ = writeln!(output, "{line}");
                }
                (None, None) => panic!("{context}: output without a command"),
            }
        }
        for (command, expected) in calls {
            let output = self.runs(&command);
            if expected.is_empty() {
                continue;
            }
            let mut rest = output.trim_end();
            for (at, part) in expected.trim_end().split('…').enumerate() {
                let found = rest.find(part).filter(|&found| at > 0 || found == 0);
                let found = found
                    .unwrap_or_else(|| panic!("{context}\n{part:?} is missing in {rest:?} of\n{output}"));
                rest = &rest[found + part.len()..];
            }
            assert!(rest.is_empty() || expected.trim_end().ends_with('…'), "{context}\nalso printed: {rest}");
        }
    }
}

fn suites(names: &[&str]) -> String {
    let key = fixture("keys/test.asc");
    let suite = |name: &&str| {
        let key = key.display();
        format!("Codename: {name}\nComponents: main contrib\nOrigin: Example\nSignWith: {key}\n")
    };
    names.iter().map(suite).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_of_the_readme_runs() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() <= 250, "{}", text.lines().count());
    Machine::new().follows("README", &text);
}

#[test]
fn every_example_of_the_topics_runs() {
    for (name, text) in topics() {
        let (names, filled): (&[&str], &[&str]) = match &*name {
            "packages" => (&["stable", "testing"], &["testing"]),
            "states" => (&["stable", "testing"], &["stable", "testing"]),
            "reprepro" => (&["bookworm"], &[]),
            "archive" => (&[], &[]),
            _ => (&["stable"], &["stable"]),
        };
        let mut machine =
            if names.is_empty() { Machine::new() } else { Machine::with(&suites(names), filled) };
        if name == "states" {
            let message = "--message 'the release of June'";
            machine.runs(&format!("publish add --suite stable hello_2.10-3_amd64.deb {message}"));
        }
        machine.follows(&name, &text);
    }
}

/// Examples of configuration have no field that is unknown.
#[test]
fn every_example_of_a_configuration_is_read() {
    let mut seen = BTreeSet::new();
    for (name, text) in topics() {
        for Block { language, text } in blocks(&text) {
            let sandbox = Sandbox::new();
            let said = match &*language {
                "debcontrol" if text.starts_with("Codename:") => {
                    let key = fixture("keys/test.asc").display().to_string();
                    sandbox.configure(&text.replace("9F2C0A…", &key));
                    deb("hello").write(sandbox.incoming());
                    sandbox.publish(["add", "incoming", "--dry-run"]).ok()
                }
                "debcontrol" => {
                    sandbox.configure(&suites(&["bookworm", "trixie"]));
                    let text = text.replace("s3://packages.example.org/apt", "./copy");
                    fs::write(sandbox.archive("conf/destinations"), text).unwrap();
                    deb("hello").write(sandbox.incoming());
                    for suite in ["bookworm", "trixie"] {
                        sandbox.publish(["add", "--suite", suite, "incoming"]).ok();
                    }
                    sandbox.publish(["sync", "cdn", "--dry-run"]).ok()
                }
                "uploaders" => {
                    sandbox.configure(&format!("{}Uploaders: uploaders\n", suites(&["stable"])));
                    fs::write(sandbox.archive("conf/uploaders"), text).unwrap();
                    deb("hello").version("1.0-1").write(sandbox.incoming());
                    let changes = upload(sandbox.incoming()).write();
                    // The list is read, and no rule of it allows an upload without a signature.
                    let said = sandbox.publish(["add", changes.to_str().unwrap()]).fails(1);
                    said.says(["does not allow it"]);
                    said
                }
                _ => continue,
            };
            // The fixture is a checkout, which others can read.
            let is_warning = |line: &&str| line.contains("warning") && !line.contains("chmod 600");
            let warning = said.stderr.lines().find(is_warning);
            assert_eq!(warning, None, "{name}: {}", said.stderr);
            seen.insert(language);
        }
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}

/// A program that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx with the configuration of the guide and of the README: clients get all they need, and nothing else.
#[test]
fn an_archive_behind_nginx_hides_its_configuration() {
    let Some(program) = crate::servers::variable("PUBLISH_TEST_NGINX") else { return };
    let machine = Machine::with(&suites(&["stable"]), &["stable"]);
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let serving = fs::read_to_string(root().join("src/guide/serving.md")).unwrap();
    for (text, has_headers) in [(readme, false), (serving, true)] {
        let block = blocks(&text).into_iter().find(|block| block.language == "nginx").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::TempDir::with_prefix("publish-test-").unwrap();
        let path = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};"))
            .concat();
        let server = machine.here(&block.text).replace("listen 80", &format!("listen 127.0.0.1:{port}"));
        let user = if crate::sandbox::is_root() { "user root;" } else { "" };
        let config = format!(
            "{user} daemon off; master_process off; pid {path}/pid; error_log {path}/error.log; events {{}}
             http {{ access_log off; {temporary} {server} }}"
        );
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let nginx = std::process::Command::new(&program)
            .args(["-c", &format!("{path}/nginx.conf"), "-e", &format!("{path}/error.log")])
            .spawn()
            .unwrap();
        let _nginx = Running(nginx);
        let sandbox = &machine.sandbox;
        let get = |file: &str| {
            let url = format!("http://127.0.0.1:{port}/{file}");
            let arguments = [
                "-s",
                "--path-as-is",
                "--retry",
                "9",
                "--retry-connrefused",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                &url,
            ];
            sandbox.ask("curl", arguments)
        };
        assert_eq!(get("dists/stable/InRelease"), "200");
        for (path, status) in crate::serve::ODD_PATHS {
            assert_eq!(get(path.strip_prefix('/').unwrap()), status.to_string(), "{path}");
        }
        fs::create_dir_all(sandbox.path("srv/apt/.publish")).unwrap();
        fs::write(sandbox.path("srv/apt/.publish/probe"), "x").unwrap();
        for hidden in ["conf/distributions", "conf/", ".publish/probe", ".publish-lock"] {
            assert_eq!(get(hidden), "404", "{hidden}");
        }
        let url = format!("http://127.0.0.1:{port}");
        let key = fixture("keys/test.pub.asc").display().to_string();
        let said = sandbox.publish_after(3600, &["check", &url, "--suite", "stable", "--keyring", &key]).ok();
        assert_eq!(
            !said.stderr.contains("without `Cache-Control`"),
            has_headers,
            "{}{}",
            said.stdout,
            said.stderr
        );
    }
}

/// The paths behind links of the README, relative to it.
#[test]
fn links_of_the_readme_lead_to_files() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let links: Vec<PathBuf> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .filter(|link| !link.contains("://"))
        .map(PathBuf::from)
        .collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(root().join(&link).exists(), "{}", link.display());
    }
}

/// Each topic of `publish help` is mentioned where others point to it, and every reference is a topic.
#[test]
fn references_name_topics() {
    let sandbox = Sandbox::new();
    let listed = sandbox.publish(["help"]).ok().stdout;
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut references = BTreeSet::new();
    let all = topics();
    for text in all.iter().map(|(_, text)| text).chain([&readme]) {
        let words =
            text.split("publish help ").skip(1).filter_map(|rest| rest.split([' ', '`', '\n']).next());
        references.extend(
            words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-')).map(str::to_owned),
        );
    }
    for name in references {
        assert!(listed.contains(&format!("\n  {name} ")), "{name}");
    }
    for (name, _) in &all {
        assert!(listed.contains(&format!("\n  {name} ")), "{name}");
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
        assert_ne!(sandbox.publish(["help", name]).ok().stdout, "");
    }
}

/// Every variable that the program reads is in the topic.
#[test]
fn every_variable_is_documented() {
    let text = fs::read_to_string(root().join("src/guide/environment.md")).unwrap();
    let mut files = Vec::new();
    crate::house::source_files(&root().join("src"), &mut files);
    let mut seen = BTreeSet::new();
    for file in files {
        let code = fs::read_to_string(file).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        for word in code.split('"').skip(1).step_by(2) {
            let is_name = word.strip_prefix("PUBLISH_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
            });
            // Those of the build and of the tests are for developers.
            if is_name && word != "PUBLISH_COMMIT" && !word.starts_with("PUBLISH_TEST") {
                assert!(text.contains(&format!("`{word}`")), "{word}");
                seen.insert(word.to_owned());
            }
        }
    }
    assert!(seen.len() > 6, "{seen:?}");
}

#[test]
fn an_unknown_topic_names_a_near_one() {
    let sandbox = Sandbox::new();
    sandbox.publish(["help", "kyes"]).fails(2).says(["`kyes`", "publish help keys"]);
    sandbox.publish(["help", "rolback"]).fails(2).says(["publish help rollback"]);
    sandbox.publish(["help", "quux"]).fails(2).says(["list the topics with `publish help`"]);
    let rotate = sandbox.publish(["help", "key", "rotate"]).ok().stdout;
    assert_eq!(rotate, sandbox.publish(["key", "rotate", "--help"]).ok().stdout);
}
