//! Tests of `publish key rotate`: another key takes over, and clients that upgrade in time notice nothing.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    apt_client::{Client, Source},
    deb_builder::deb,
    sandbox::{CLOCK, Outcome, Sandbox, fixture, is_root, skipped},
    servers,
};

const DAY: u64 = 24 * 60 * 60;
const KEYRING: &str = "usr/share/keyrings/example-archive-keyring.gpg";
/// The key in `fixtures/keys/test.asc`, with which every test begins.
const OLD: &str = "BFC1A23D36AB2A68CF4B91ADD96D3E00B6033669";
const SECOND: &str = "0D2EAFB7B77E97C3107DC552CF75B75F44D45214";

/// A stanza of a suite that is signed with a key of `fixtures/`.
fn stanza(suite: &str, key: &str, more: &str) -> String {
    let key = fixture(&format!("keys/{key}.asc"));
    let key = key.display();
    format!(
        "Codename: {suite}\nComponents: main\nArchitectures: amd64\nOrigin: Example\nSignWith: {key}\n{more}\n"
    )
}

/// An archive of these suites with one package each.
fn archive(stanzas: &[String]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(&stanzas.concat());
    deb("hello").write(sandbox.incoming());
    for text in stanzas {
        let suite = text.lines().next().unwrap().strip_prefix("Codename: ").unwrap();
        sandbox.publish(["add", "incoming", "--suite", suite]).ok();
    }
    sandbox
}

fn stable() -> Sandbox {
    archive(&[stanza("stable", "test", "")])
}

/// Runs `key rotate` a minute after all else; the new key never expires, so that the tests do not either.
fn rotate(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let expires: &[&str] = if more.iter().any(|word| ["--to", "--finish"].contains(word)) {
        &[]
    } else {
        &["--expires", "never"]
    };
    sandbox.publish_after(60, &[&["key", "rotate"], expires, more].concat())
}

fn finish(sandbox: &Sandbox, seconds: u64, more: &[&str]) -> Outcome {
    sandbox.publish_after(seconds, &[&["key", "rotate", "--finish"], more].concat())
}

/// The words of `SignWith:` of each suite.
fn sign_with(sandbox: &Sandbox) -> Vec<Vec<String>> {
    let text = sandbox.read("conf/distributions");
    let lines = text.lines().filter_map(|line| line.strip_prefix("SignWith: "));
    lines.map(|line| line.split_whitespace().map(ToOwned::to_owned).collect()).collect()
}

/// The fingerprint of the only key created by the test.
fn made(sandbox: &Sandbox) -> String {
    let files: Vec<String> = key_files(sandbox);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].strip_suffix(".asc").unwrap().to_owned()
}

fn key_files(sandbox: &Sandbox) -> Vec<String> {
    let Ok(folder) = fs::read_dir(sandbox.path("config/publish/keys")) else { return Vec::new() };
    let mut names: Vec<String> =
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The keys, of all known ones, whose signatures on a file of the archive gpgv accepts.
fn signers(sandbox: &Sandbox, suite: &str) -> Vec<String> {
    let ring = sandbox.path("everybody.gpg");
    let mut keys: Vec<PathBuf> =
        ["test", "second"].map(|name| fixture(&format!("keys/{name}.pub.asc"))).into();
    keys.extend(key_files(sandbox).iter().map(|name| sandbox.path("config/publish/keys").join(name)));
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_publish"));
    command.args(["key", "export", "--binary", "-o"]).arg(&ring).args(&keys);
    sandbox.run(command).ok();
    let mut command = sandbox.command("gpgv");
    command.args(["--status-fd", "1", "--keyring"]).arg(&ring);
    command.arg(sandbox.archive(format!("dists/{suite}/InRelease")));
    let said = sandbox.run(command).ok().stdout;
    let mut signers: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    signers.sort();
    signers
}

fn sorted(keys: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.sort();
    keys
}

/// The keys that the archive publishes for clients.
fn client_keys(sandbox: &Sandbox) -> Vec<String> {
    let file = sandbox.archive("archive-key.asc");
    let said = sandbox.publish(["--json", "key", "show", file.to_str().unwrap()]).ok().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let keys = said["keys"].as_array().unwrap().iter();
    let keys: Vec<&str> = keys.map(|key| key["fingerprint"].as_str().unwrap()).collect();
    sorted(&keys)
}

#[test]
fn clients_follow_from_one_key_to_the_next() {
    let sandbox = stable();
    let source = || Source::folder(sandbox.archive(""));
    let mut followers = Client::all(&sandbox);
    let mut idle = Client::all(&sandbox);
    for apt in followers.iter_mut().chain(&mut idle) {
        apt.source(&source().signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
    }
    rotate(&sandbox, &[])
        .ok()
        .says(["Next, once clients have the new key, from 2025-07-02 on: publish key rotate --finish"]);
    let new = made(&sandbox);
    assert_eq!(signers(&sandbox, "stable"), sorted(&[OLD, &new]));
    assert_eq!(client_keys(&sandbox), sorted(&[OLD, &new]));
    sandbox.publish(["key", "export", &new, "-o", "new.asc"]).ok();

    // While both keys sign, every client can verify: with the old key, the new one, or both.
    for apt in followers.iter().chain(&idle) {
        apt.updates();
        assert_eq!(apt.candidate("example-archive-keyring").as_deref(), Some("2025.06.01"), "{}", apt.name);
    }
    let mut fresh = Client::all(&sandbox);
    for apt in &mut fresh {
        apt.source(&source().signed_by(sandbox.path("new.asc")));
        apt.updates();
    }
    if !is_root() {
        return skipped("an installation needs root");
    }
    for apt in &mut followers {
        apt.install(&["example-archive-keyring"]).ok();
        apt.source_by_keyring(&source(), KEYRING);
        apt.updates();
    }
    deb("hello").version("2.0").write(sandbox.path("more"));
    sandbox.publish_after(DAY, &["add", "more"]).ok();
    assert_eq!(signers(&sandbox, "stable"), sorted(&[OLD, &new]), "every command signs with both");

    let before = sandbox.tree();
    finish(&sandbox, 30 * DAY + 59, &[])
        .fails(1)
        .says(["only since 2025-06-01", "run it again on 2025-07-02"]);
    assert_eq!(sandbox.tree(), before);
    let said = finish(&sandbox, 30 * DAY + 60, &[]).ok();
    said.says([
        &format!("The old key {OLD} is no longer used; its secret part is in "),
        "keys/test.asc: delete it",
    ]);
    assert_eq!(signers(&sandbox, "stable"), sorted(&[&new]));
    assert_eq!(client_keys(&sandbox), sorted(&[&new]));
    sandbox.publish_after(30 * DAY + 60, &["check"]).ok();

    for apt in followers.iter().chain(&fresh) {
        apt.updates();
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0"), "{}", apt.name);
        assert_eq!(apt.candidate("example-archive-keyring").as_deref(), Some("2025.07.01"), "{}", apt.name);
    }
    for apt in &followers {
        apt.install(&["example-archive-keyring"]).ok();
        apt.forgets();
        apt.updates();
    }
    for apt in &idle {
        // apt 2 prints only the end of the fingerprint.
        apt.update().fails(100).says([&new[24..], "InRelease"]);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let sandbox = stable();
    sandbox.publish(["snapshot", "1.0"]).ok();
    let before = sandbox.tree();
    let said = rotate(&sandbox, &["-n"]).ok().stderr;
    insta::assert_snapshot!(said.replace(fixture("").to_str().unwrap(), "FIXTURES/"), @r"
    warning: other users can read the secret key `FIXTURES/keys/test.asc`: run `chmod 600` on it
    Would generate a new key, which never expires
    Would write `SignWith: FIXTURES/keys/test.asc NEW` for suite `stable`
    Would sign with both keys: `stable`, `stable/snapshots/1.0`
    Would publish example-archive-keyring 2025.06.01 with both keys
    Clients whose `Signed-By:` names its keyring only need to upgrade; all others must install it first

    Clients that use only a snapshot do not get the package: give them archive-key.asc

    Next, once clients have the new key, from 2025-07-02 on: publish key rotate --finish
    ");
    let said = rotate(&sandbox, &["-n", "--json"]).ok().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["step"], &said["dry_run"]), (&"begun".into(), &true.into()));
    assert_eq!(said["rotations"][0]["new_fingerprints"], Value::Array(Vec::new()), "there is no such key");
    assert_eq!(sandbox.tree(), before);
    assert_eq!(key_files(&sandbox), [""; 0]);
}

/// A job that checks a change has no secrets; the archive has the public keys.
#[test]
fn a_dry_run_needs_no_secret_key() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!(
        "Codename: stable\nComponents: main\nArchitectures: amd64\nOrigin: Example\nSignWith: {OLD}\n"
    ));
    let (keys, away) = (sandbox.path("config/publish/keys"), sandbox.path("away"));
    fs::create_dir_all(&keys).unwrap();
    fs::copy(fixture("keys/test.asc"), keys.join(format!("{OLD}.asc"))).unwrap();
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let without_keys = |plan: &dyn Fn() -> Outcome| {
        fs::rename(&keys, &away).unwrap();
        let before = sandbox.tree();
        let said = plan().ok();
        assert_eq!(sandbox.tree(), before);
        assert!(!keys.exists(), "nothing is stored");
        fs::rename(&away, &keys).unwrap();
        said
    };
    let said = without_keys(&|| rotate(&sandbox, &["-n"]));
    said.says(["Would sign with both keys: `stable`", "Would publish example-archive-keyring"]);
    rotate(&sandbox, &[]).ok();
    let month = 32 * 24 * 60 * 60;
    let said = without_keys(&|| finish(&sandbox, month, &["-n"]));
    said.says([&*format!("The old key {OLD} would no longer be used")]);
    finish(&sandbox, month, &[]).ok();
}

#[test]
fn every_suite_and_snapshot_of_the_key_changes_and_no_other() {
    let suites = [stanza("one", "test", ""), stanza("two", "test", ""), stanza("other", "second", "")];
    let sandbox = archive(&suites);
    sandbox.publish(["snapshot", "1.0", "--suite", "two"]).ok();
    // Configured, but not published yet.
    let text = format!("# mine\n\n{}# the end\n{}", suites.concat(), stanza("later", "test", "# later\n"));
    sandbox.configure(&text);
    let all = ["one", "two", "two/snapshots/1.0"];
    let selected = ["--suite", "one", "--suite", "two", "--suite", "later"];
    let said = rotate(&sandbox, &[&["--json"], &selected[..]].concat()).ok().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let new = made(&sandbox);
    assert_eq!(said["rotations"][0]["old_fingerprints"][0], OLD);
    assert_eq!(said["rotations"][2]["new_fingerprints"][0], *new);
    assert_eq!((&said["since"], &said["finish"]), (&"2025-06-01".into(), &"2025-07-02".into()));
    let old = fixture("keys/test.asc").display().to_string();
    assert_eq!(sandbox.read("conf/distributions"), text.replace(&old, &format!("{old} {new}")));
    for suite in all {
        assert_eq!(signers(&sandbox, suite), sorted(&[OLD, &new]), "{suite}");
    }
    assert_eq!(signers(&sandbox, "other"), [SECOND]);
    assert_eq!(client_keys(&sandbox), sorted(&[OLD, &new, SECOND]));
    // The running rotation continues, and the other key does not change.
    let before = sandbox.tree();
    let said = rotate(&sandbox, &[]).ok();
    said.says(["The key rotation is in progress since 2025-06-01: both keys sign\n"]);
    assert_eq!(sandbox.tree(), before);
    assert_eq!(made(&sandbox), new);

    finish(&sandbox, 31 * DAY, &[]).ok();
    assert_eq!(sandbox.read("conf/distributions"), text.replace(&old, &new));
    for suite in all {
        assert_eq!(signers(&sandbox, suite), sorted(&[&new]), "{suite}");
    }
    assert_eq!(client_keys(&sandbox), sorted(&[&new, SECOND]));
    let before = sandbox.tree();
    finish(&sandbox, 32 * DAY, &[]).ok().says(["Nothing to do: no key rotation is in progress"]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish_after(32 * DAY, &["check"]).ok();
}

/// A copy of the archive and the keys, to restore the files that a killed run would have left.
struct Copy<'a> {
    sandbox: &'a Sandbox,
    name: &'static str,
}

impl<'a> Copy<'a> {
    fn of(sandbox: &'a Sandbox, name: &'static str) -> Self {
        fs::create_dir_all(sandbox.path("config")).unwrap();
        let copy = format!("mkdir {name} && cp -a archive config {name}/");
        sandbox.ask("sh", ["-c", &copy]);
        Self { sandbox, name }
    }

    /// Restores some of these paths.
    fn back(&self, paths: &[&str]) {
        for path in paths {
            let copy =
                format!("rm -rf {path} && {{ test ! -e {0}/{path} || cp -a {0}/{path} {path}; }}", self.name);
            self.sandbox.ask("sh", ["-c", &copy]);
        }
    }
}

const PUBLISHED: [&str; 3] = ["archive/dists", "archive/pool", "archive/archive-key.asc"];

#[test]
fn a_killed_run_is_resumed_from_any_step() {
    let sandbox = archive(&[stanza("one", "test", ""), stanza("two", "test", "")]);
    sandbox.publish(["snapshot", "1.0", "--suite", "one"]).ok();
    let before = Copy::of(&sandbox, "before");
    rotate(&sandbox, &[]).ok();
    let new = made(&sandbox);
    let both = Copy::of(&sandbox, "both");
    let key = sandbox.path(format!("config/publish/keys/{new}.asc"));
    let pending = sandbox.path(format!("config/publish/keys/{OLD}.next.asc"));
    let is_done = |keys: &[&str]| {
        assert_eq!(made(&sandbox), new, "no second key");
        for suite in ["one", "two", "one/snapshots/1.0"] {
            assert_eq!(signers(&sandbox, suite), sorted(keys), "{suite}");
        }
        assert_eq!(client_keys(&sandbox), sorted(keys));
        assert!(
            sign_with(&sandbox).iter().all(|words| words.len() == keys.len()),
            "{:?}",
            sign_with(&sandbox)
        );
        let listed = sandbox.publish(["list", "example-archive-keyring"]).ok().stdout;
        assert_eq!(listed.lines().count(), if keys.len() == 2 { 2 } else { 4 }, "{listed}");
        sandbox.publish_after(40 * DAY, &["check"]).ok();
    };
    is_done(&[OLD, &new]);

    // The key file has its first name, and nothing else was done.
    before.back(&["archive"]);
    fs::rename(&key, &pending).unwrap();
    sandbox.publish_after(60, &["key", "rotate", "-n"]).ok().says([format!("The new key is {new}").as_str()]);
    rotate(&sandbox, &[]).ok();
    is_done(&[OLD, &new]);
    // Both names exist.
    before.back(&["archive"]);
    fs::copy(&key, &pending).unwrap();
    rotate(&sandbox, &[]).ok();
    is_done(&[OLD, &new]);
    // Only the configuration was written.
    before.back(&PUBLISHED);
    fs::copy(&key, &pending).unwrap();
    rotate(&sandbox, &[]).ok().says(["both keys sign; interrupted steps were completed"]);
    is_done(&[OLD, &new]);
    // As if one of two configuration files was written.
    let text = sandbox.read("conf/distributions");
    before.back(&PUBLISHED);
    sandbox.configure(&text.replacen(&format!(" {new}"), "", 1));
    rotate(&sandbox, &[]).ok();
    is_done(&[OLD, &new]);
    // Only one of two suites was published, a week ago.
    before.back(&["archive/dists/two", "archive/archive-key.asc"]);
    sandbox.publish_after(7 * DAY, &["key", "rotate"]).ok().says(["interrupted steps were completed"]);
    is_done(&[OLD, &new]);
    // All steps but the last.
    both.back(&["archive"]);
    before.back(&["archive/archive-key.asc"]);
    rotate(&sandbox, &[]).ok();
    is_done(&[OLD, &new]);

    // The second step resumes the same way, and only after all suites are signed with both keys.
    both.back(&["archive"]);
    before.back(&["archive/dists/one/snapshots"]);
    finish(&sandbox, 31 * DAY, &[]).fails(1).says([
        "suite `one/snapshots/1.0` is not yet signed with the new key",
        "sign it with both keys: `publish key rotate`",
    ]);
    before.back(&PUBLISHED);
    finish(&sandbox, 31 * DAY, &["--after", "0d"]).fails(1).says(["is not yet signed with the new key"]);
    both.back(&["archive"]);
    finish(&sandbox, 31 * DAY, &[]).ok();
    is_done(&[&new]);
    let text = sandbox.read("conf/distributions");
    // Only the configuration was written.
    both.back(&PUBLISHED);
    rotate(&sandbox, &[]).fails(1).says(["is signed by other keys than `SignWith:` names", "--finish"]);
    finish(&sandbox, 32 * DAY, &[])
        .ok()
        .says(["The key rotation is finished: interrupted steps were completed"]);
    is_done(&[&new]);
    // One of two configuration files was written.
    both.back(&PUBLISHED);
    let old = fixture("keys/test.asc").display().to_string();
    sandbox.configure(&text.replacen(&format!(": {new}"), &format!(": {old} {new}"), 1));
    finish(&sandbox, 32 * DAY, &[]).ok();
    is_done(&[&new]);
    // Only one of two suites was published.
    both.back(&["archive/dists/two", "archive/archive-key.asc"]);
    finish(&sandbox, 33 * DAY, &[]).ok();
    is_done(&[&new]);
}

/// The last possible failure: the key file was written, but the configuration cannot be replaced.
#[test]
fn a_saved_key_is_reused() {
    if !is_root() {
        return skipped("a folder where others may not replace files needs root");
    }
    let sandbox = stable();
    let conf = sandbox.archive("conf/distributions");
    let text = sandbox.read("conf/distributions");
    // A copy, for a user without access to the folder of the fixtures.
    sandbox.ask("cp", [fixture("keys/test.asc").as_os_str(), sandbox.path("key.asc").as_os_str()]);
    let line = text.lines().find(|line| line.starts_with("SignWith")).unwrap();
    sandbox.configure(&text.replace(line, &format!("SignWith: {}", sandbox.path("key.asc").display())));
    let archive = sandbox.archive("");
    sandbox.ask("chmod", ["-R".as_ref(), "a+rwX".as_ref(), archive.as_os_str()]);
    sandbox.ask("chmod", ["1777".as_ref(), conf.parent().unwrap().as_os_str()]);
    let keys = || {
        let folder = fs::read_dir(sandbox.path("nobody/publish/keys")).unwrap();
        let mut names: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_by_key(|name| !name.contains(".next."));
        names
    };
    let before = sandbox.tree();
    let rotate = ["key", "rotate", "--expires", "never"];
    let said = sandbox.publish_unprivileged(rotate).fails(1);
    let [pending, new] = &keys()[..] else { panic!("{:?}", keys()) };
    assert_eq!(*pending, format!("{OLD}.next.asc"));
    let new = new.strip_suffix(".asc").unwrap();
    said.says(["cannot write `", "hint: write `SignWith: ", &format!("key.asc {new}` there by hand")]);
    assert_eq!(sandbox.tree(), before);
    sandbox.publish_unprivileged(rotate).fails(1).says([new]);
    assert_eq!(keys().len(), 2);
    sandbox.ask("chmod", ["0777".as_ref(), conf.parent().unwrap().as_os_str()]);
    sandbox.publish_unprivileged(rotate).ok().says([new]);
    assert_eq!(keys(), [format!("{new}.asc")]);
    assert_eq!(sign_with(&sandbox)[0][1], new);
    assert_eq!(client_keys(&sandbox), sorted(&[OLD, new]));
}

/// `Signed-By` in a `Release` that expires: apt then requires these keys for the next generation, if a client has no
/// `Signed-By` of its own.
#[test]
fn keys_that_clients_demand_must_admit_the_new_one() {
    let more = format!("ValidFor: 3y\nSigned-By: {OLD}\n");
    let sandbox = archive(&[stanza("stable", "test", &more)]);
    let source = || Source::folder(sandbox.archive(""));
    rotate(&sandbox, &[])
        .ok()
        .says(["warning: `Signed-By` in the release file of suite `stable` does not list the new key"]);
    let new = made(&sandbox);
    fs::copy(sandbox.archive("archive-key.asc"), sandbox.path("both.asc")).unwrap();
    let clients = || {
        let mut clients = Client::all(&sandbox);
        for apt in &mut clients {
            apt.source(&source());
            apt.trusts(&sandbox.path("both.asc"));
            apt.update().ok();
        }
        clients
    };
    let demanding = clients();
    let said = finish(&sandbox, 31 * DAY, &[]).fails(1);
    said.says(["`Signed-By` of suite `stable` does not list the new key", &format!("hint: add `{new}`")]);
    let before = Copy::of(&sandbox, "before");
    let text = sandbox.read("conf/distributions");
    sandbox.configure(&text.replace(&format!("Signed-By: {OLD}"), &format!("Signed-By: {OLD}, {new}")));
    deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish_after(31 * DAY, &["add", "incoming"]).ok();
    for apt in &demanding {
        apt.update().ok();
    }
    finish(&sandbox, 32 * DAY, &[]).ok();
    for apt in &demanding {
        apt.update().ok();
        assert_eq!(apt.candidate("hello").as_deref(), Some("2.0"), "{}", apt.name);
    }
    // The check is needed: if it is bypassed, every client stops accepting the archive.
    before.back(&["archive"]);
    let surprised = clients();
    let text =
        sandbox.read("conf/distributions").replace(&format!("{}, ", fixture("keys/test.asc").display()), "");
    sandbox.configure(&text.replace(&format!("{} {new}", fixture("keys/test.asc").display()), &new));
    sandbox.publish_after(33 * DAY, &["refresh", "--force"]).ok();
    for apt in &surprised {
        apt.update().fails(100).says(["stable InRelease"]);
    }
}

#[test]
fn an_expired_old_key_ends_the_waiting_period() {
    let sandbox = Sandbox::new();
    sandbox.publish(["key", "generate", "--name", "Old", "--expires", "40d", "-o", "old.asc"]).ok();
    let old = sandbox.path("old.asc");
    let conf = stanza("stable", "test", "")
        .replace(fixture("keys/test.asc").to_str().unwrap(), old.to_str().unwrap());
    sandbox.configure(&conf);
    deb("hello").write(sandbox.incoming());
    let add = ["add", "incoming"];
    sandbox.publish(add).ok();
    sandbox.publish_after(20 * DAY, &add).ok().says([
        "expires on 2025-07-11",
        "hint: see how to replace it with `publish --archive [SANDBOX]/archive doctor`",
    ]);
    let said = sandbox.publish_after(20 * DAY, &["key", "rotate", "--expires", "never"]).ok();
    said.says(["Next, once clients have the new key, from 2025-07-11 on"]);
    finish(&sandbox, 39 * DAY, &[]).fails(1).says(["only since 2025-06-21"]);
    sandbox.publish_after(41 * DAY, &add).fails(1).says(["expired"]);
    finish(&sandbox, 41 * DAY, &[]).ok();
    deb("hello").version("2.0").write(sandbox.incoming());
    sandbox.publish_after(41 * DAY, &add).ok();
    assert_eq!(client_keys(&sandbox), [made(&sandbox)]);
    sandbox.publish_after(41 * DAY, &["check"]).ok();
}

#[test]
fn a_compromised_key_is_removed_at_once() {
    let sandbox = stable();
    rotate(&sandbox, &[]).ok();
    let said = finish(&sandbox, 120, &[]).fails(1);
    said.says(["if the old key is compromised, add `--after 0d`"]);
    let said = finish(&sandbox, 120, &["--after", "0d"]).ok();
    said.says([
        "warning: clients of suite `stable` have been able to get the new key only since 2025-06-01",
        "clients without it now refuse the archive",
    ]);
    assert_eq!(signers(&sandbox, "stable"), [made(&sandbox)]);
}

#[test]
fn a_given_key_takes_over() {
    let sandbox = stable();
    let second = fixture("keys/second.asc");
    rotate(&sandbox, &["--to", second.to_str().unwrap()]).ok().says([format!(
        "The new key is {}",
        second.display()
    )
    .as_str()]);
    assert_eq!(signers(&sandbox, "stable"), sorted(&[OLD, SECOND]));
    assert_eq!(sign_with(&sandbox)[0][1], second.display().to_string());
    rotate(&sandbox, &["--to", second.to_str().unwrap()]).ok().says(["is in progress"]);
    let said = rotate(&sandbox, &["--to", fixture("keys/test.asc").to_str().unwrap()]).fails(1);
    said.says(["suite `stable` is already rotating to the key 0D2EAFB7B77E97C3107DC552CF75B75F44D45214"]);
    // The remaining key can be named as well: this reverts a mistake and keeps the old key.
    finish(&sandbox, 31 * DAY, &["--to", fixture("keys/test.asc").to_str().unwrap()]).ok();
    assert_eq!(signers(&sandbox, "stable"), [OLD]);

    // A key of gpg, identified by its fingerprint in the keyring.
    let mut gpg = sandbox.command("gpg");
    gpg.args(["--batch", "--quiet", "--passphrase", "", "--faked-system-time", "20250101T000000!"]);
    gpg.args(["--quick-generate-key", "Release <r@example.org>", "ed25519", "sign", "never"]);
    sandbox.run(gpg).ok();
    sandbox.publish_after(32 * DAY, &["key", "rotate", "--to", "r@example.org"]).ok();
    let word = sign_with(&sandbox)[0][1].clone();
    assert!(word.len() == 40 && client_keys(&sandbox).contains(&word), "{word}");
    finish(&sandbox, 63 * DAY, &[]).ok();
    assert_eq!(client_keys(&sandbox), [word]);
    sandbox.publish_now(&["check"]).ok();
}

/// Clients had the key before, and lost it when they upgraded to a package without it.
#[test]
fn a_returning_key_has_a_new_waiting_period() {
    let sandbox = stable();
    sandbox.publish(["key", "package"]).ok();
    rotate(&sandbox, &[]).ok();
    finish(&sandbox, 31 * DAY, &[]).ok();
    let back = fixture("keys/test.asc").display().to_string();
    sandbox.publish_after(40 * DAY, &["key", "rotate", "--to", &back]).ok().says(["from 2025-08-10 on"]);
    let said = finish(&sandbox, 41 * DAY, &["--to", &back]).fails(1);
    said.says(["have been able to get the new key only since 2025-07-11"]);
    finish(&sandbox, 71 * DAY, &["--to", &back]).ok();
    assert_eq!(signers(&sandbox, "stable"), [OLD]);
}

#[test]
fn an_unusable_new_key_is_reported_before_the_old_one_is_dropped() {
    let sandbox = stable();
    let protected = fixture("keys/protected.asc").display().to_string();
    let clock = CLOCK.parse::<u64>().unwrap();
    let run = |clock: u64, passphrase: &str, more: &[&str]| {
        let environment = [("PUBLISH_DATE", &clock.to_string()[..]), ("PUBLISH_PASSPHRASE", passphrase)];
        sandbox.publish_with(&environment, [&["key", "rotate"], more].concat())
    };
    run(clock, "correct horse", &["--to", &protected]).ok();
    let before = sandbox.tree();
    for more in [&["--finish"][..], &["--finish", "--dry-run"]] {
        run(clock + 31 * DAY, "wrong", more).fails(1).says(["the passphrase does not open the key"]);
        assert_eq!(sandbox.tree(), before);
        assert_eq!(sign_with(&sandbox)[0].len(), 2);
    }
    run(clock + 31 * DAY, "correct horse", &["--finish"]).ok();
    assert_eq!(sign_with(&sandbox)[0], [protected]);
}

/// Clients with the other package would lose access in the end.
#[test]
fn packages_of_several_names_are_distinguished() {
    let sandbox = archive(&[stanza("one", "test", ""), stanza("two", "second", "")]);
    for name in ["one", "two"] {
        sandbox.publish(["key", "package", "--suite", name, "--name", name]).ok();
    }
    rotate(&sandbox, &[]).fails(1).says([
        "several packages contain its keys: `one-archive-keyring`, `two-archive-keyring`",
        "hint: select the suites of one of them with `--suite`",
    ]);
    let said = rotate(&sandbox, &["--name", "one", "--dry-run"]).ok();
    said.says([
        "warning: suite `two` also has `two-archive-keyring`, which is not updated",
        "only by installing `one-archive-keyring`",
    ]);
    sandbox
        .publish(["key", "package", "--name", "one", "--dry-run"])
        .ok()
        .says(["warning: suite `two` also has"]);
    for name in ["one", "two"] {
        let said = rotate(&sandbox, &["--suite", name]).ok();
        said.says([format!("+ {name}-archive-keyring").as_str()]);
        assert!(!said.stderr.contains("is not updated"), "{}", said.stderr);
    }
}

#[test]
fn each_key_has_one_successor() {
    let sandbox = archive(&[stanza("one", "test", ""), stanza("two", "second", "")]);
    rotate(&sandbox, &[]).ok();
    let words = sign_with(&sandbox);
    assert_eq!(
        key_files(&sandbox),
        sorted(&[&format!("{}.asc", words[0][1]), &format!("{}.asc", words[1][1])])
    );
    assert_eq!(signers(&sandbox, "one"), sorted(&[OLD, &words[0][1]]));
    assert_eq!(signers(&sandbox, "two"), sorted(&[SECOND, &words[1][1]]));
    assert_eq!(client_keys(&sandbox).len(), 4);
    finish(&sandbox, 31 * DAY, &["--suite", "two"]).ok();
    assert_eq!(signers(&sandbox, "two"), sorted(&[&words[1][1]]));
    // One rotation is running, the other is complete: no new one starts.
    rotate(&sandbox, &[]).ok().says(["is in progress since 2025-06-01"]);
    assert_eq!(key_files(&sandbox).len(), 2);
    finish(&sandbox, 31 * DAY, &[]).ok();
    assert_eq!(client_keys(&sandbox), sorted(&[&words[0][1], &words[1][1]]));
    sandbox.publish_after(31 * DAY, &["check"]).ok();
}

#[test]
fn suites_may_change_one_after_the_other() {
    let sandbox = archive(&[stanza("one", "test", ""), stanza("two", "test", "")]);
    rotate(&sandbox, &["--suite", "one"]).ok();
    let new = made(&sandbox);
    assert_eq!(signers(&sandbox, "two"), [OLD]);
    // The same key takes over, and the clients of this suite have their own waiting period.
    sandbox.publish_after(20 * DAY, &["key", "rotate", "--suite", "two"]).ok();
    assert_eq!((made(&sandbox), signers(&sandbox, "two")), (new.clone(), sorted(&[OLD, &new])));
    let said = finish(&sandbox, 31 * DAY, &[]).fails(1);
    said.says([
        "clients of suite `two` have been able to get the new key only since 2025-06-21",
        "on 2025-07-21",
    ]);
    finish(&sandbox, 31 * DAY, &["--suite", "one"]).ok();
    assert_eq!(signers(&sandbox, "one"), sorted(&[&new]));
    assert_eq!(client_keys(&sandbox), sorted(&[OLD, &new]), "one suite still needs it");
    finish(&sandbox, 50 * DAY, &[]).ok();
    assert_eq!(signers(&sandbox, "two"), sorted(&[&new]));
    assert_eq!(client_keys(&sandbox), [new]);
    sandbox.publish_after(50 * DAY, &["check"]).ok();
}

#[test]
fn the_last_key_listed_must_be_the_newest() {
    let sandbox = stable();
    rotate(&sandbox, &[]).ok();
    let new = made(&sandbox);
    let old = fixture("keys/test.asc").display().to_string();
    let text = sandbox.read("conf/distributions");
    sandbox.configure(&text.replace(&format!("{old} {new}"), &format!("{new} {old}")));
    finish(&sandbox, 31 * DAY, &[])
        .fails(1)
        .says(["the last key of suite `stable` is not the newest one", "`--to KEY`"]);
    finish(&sandbox, 31 * DAY, &["--to", &new]).ok();
    assert_eq!(signers(&sandbox, "stable"), [new]);
}

#[test]
fn unsupported_rotations_have_a_hint() {
    let refused = |sandbox: &Sandbox, arguments: &[&str], texts: &[&str]| {
        let (before, keys) = (sandbox.tree(), key_files(sandbox));
        rotate(sandbox, arguments).fails(1).says(texts.iter().copied());
        assert_eq!((sandbox.tree(), key_files(sandbox)), (before, keys));
    };
    let by_hand = "hint: rotate by hand: run `publish refresh --force`";
    let signed = Sandbox::signed();
    deb("hello").write(signed.incoming());
    signed.publish(["add", "incoming"]).ok();
    refused(&signed, &[], &["the key is named outside the configuration", by_hand]);
    let sandbox = Sandbox::new();
    refused(&sandbox, &[], &["there is no configuration", by_hand]);
    sandbox.configure("Codename: stable\nComponents: main\n");
    refused(&sandbox, &[], &["no suite has `SignWith:`"]);

    let sandbox = archive(&[stanza("one", "test", ""), stanza("two", "test", "")]);
    refused(&sandbox, &["--suite", "three"], &["no suite `three` is configured; there are: `one`, `two`"]);
    refused(&sandbox, &["--to", "no/such.asc"], &["there is no key file"]);
    refused(
        &sandbox,
        &["--to", "0123456789ABCDEF0123456789ABCDEF01234567"],
        &["0123456789ABCDEF0123456789ABCDEF01234567"],
    );
    refused(&sandbox, &["--to", fixture("keys/expired.asc").to_str().unwrap()], &["expired"]);
    refused(&sandbox, &["--to", fixture("keys/second.pub.asc").to_str().unwrap()], &["secret"]);
    refused(&sandbox, &["--to", "!sign.sh"], &["a command signs alone"]);
    rotate(&sandbox, &["--to", fixture("keys/test.asc").to_str().unwrap()]).fails(2).says(["already signs"]);
    sandbox.publish(["key", "rotate", "--after", "3d"]).fails(2).says(["--finish"]);
    rotate(&sandbox, &["--after", "3d"]).fails(2).says(["cannot be used with"]);
    finish(&sandbox, 60, &[]).ok().says(["Nothing to do: no key rotation is in progress"]);
    let conf = sandbox.archive("conf/distributions");
    let text = sandbox.read("conf/distributions");
    sandbox.ask("chmod", ["a-w".as_ref(), conf.as_os_str()]);
    refused(
        &sandbox,
        &[],
        &[
            "conf/distributions` is read-only",
            "hint: write `SignWith: ",
            " NEW` (create NEW with `publish key generate`)",
        ],
    );
    sandbox.ask("chmod", ["u+w".as_ref(), conf.as_os_str()]);
    sandbox.configure(&text.replacen("Architectures", "ReadOnly: yes\nArchitectures", 1));
    refused(
        &sandbox,
        &[],
        &["suite `one` cannot be re-signed: it has `ReadOnly: yes`", "select other suites with `--suite`"],
    );
    sandbox.configure(&text.replacen("SignWith: ", "SignWith: !", 1));
    refused(&sandbox, &[], &["suite `one` is signed by the command"]);
    // Both suites include it, and only one is meant.
    let line = text.lines().find(|line| line.starts_with("SignWith")).unwrap();
    fs::write(sandbox.archive("conf/key"), format!("{line}\n")).unwrap();
    sandbox.configure(&text.replace(line, "!include: key"));
    refused(&sandbox, &["--suite", "one"], &["conf/key` line 1", "suite `two` shares this field"]);
    rotate(&sandbox, &[]).ok();
    assert_eq!(sandbox.read("conf/key"), format!("{line} {}\n", made(&sandbox)));
    assert_eq!(signers(&sandbox, "two").len(), 2);

    let sandbox = archive(&[stanza("stable", "test", "").replace("Origin: Example\n", "")]);
    refused(&sandbox, &[], &["the suites have no `Origin`", "--name NAME"]);
    rotate(&sandbox, &["--name", "mine"]).ok();
    finish(&sandbox, 31 * DAY, &[]).ok().says(["mine-archive-keyring 2025.07.02 all"]);
}

/// A rotation of a suite that cannot be published leaves no key and no line in the configuration.
#[test]
fn an_unpublishable_suite_is_reported_before_any_change() {
    let sandbox = stable();
    let text = sandbox.read("conf/distributions");
    sandbox.configure(&text.replace("Origin: Example", "Origin: Another"));
    let before = sandbox.tree();
    for more in [&["--dry-run"][..], &[]] {
        rotate(&sandbox, more).fails(1).says(["`Origin` changes from `Example` to `Another`"]);
        assert_eq!((sandbox.tree(), key_files(&sandbox)), (before.clone(), Vec::new()));
    }
    let pointer = sandbox.read("dists/stable/InRelease");
    sandbox.configure(&text);
    fs::write(sandbox.archive("dists/stable/InRelease"), pointer.replace("Example", "Exemple")).unwrap();
    let before = sandbox.tree();
    rotate(&sandbox, &[]).fails(1);
    assert_eq!((sandbox.tree(), key_files(&sandbox)), (before, Vec::new()));
}

#[test]
fn an_old_key_that_cannot_sign_is_reported_before_any_change() {
    let sandbox = Sandbox::new();
    sandbox.configure(&stanza("stable", "expired", ""));
    rotate(&sandbox, &[]).fails(1).says(["expired"]);
    assert_eq!(key_files(&sandbox), [""; 0]);
    assert_eq!(sign_with(&sandbox)[0].len(), 1);
}

/// A job that gets its key by argument needs both; with the old key alone it warns and removes nothing.
#[test]
fn a_job_with_keys_in_its_environment_needs_both() {
    let sandbox = stable();
    rotate(&sandbox, &[]).ok();
    let new = made(&sandbox);
    let old_key = fs::read_to_string(fixture("keys/test.asc")).unwrap();
    let new_key = sandbox.path(format!("config/publish/keys/{new}.asc"));
    let both = old_key.clone() + &fs::read_to_string(&new_key).unwrap();
    let job = |clock: u64, keys: &str, name: &str| {
        let file = deb(name).write(sandbox.path("job"));
        let clock = (CLOCK.parse::<u64>().unwrap() + clock).to_string();
        let environment = [("PUBLISH_DATE", &clock[..]), ("PUBLISH_SIGNING_KEY", keys)];
        sandbox.publish_with(&environment, ["add", file.to_str().unwrap()]).ok()
    };
    let said = job(120, &both, "one");
    assert!(!said.stderr.contains("warning: `SignWith:`"), "{}", said.stderr);
    assert_eq!(signers(&sandbox, "stable"), sorted(&[OLD, &new]));
    // The new key is moved away.
    fs::rename(&new_key, sandbox.path("elsewhere.asc")).unwrap();
    job(180, &old_key, "two").says([
        "warning: `SignWith:` of suite `stable` names 2 keys, but only 1 signs",
        "must name every key",
    ]);
    assert_eq!(signers(&sandbox, "stable"), [OLD]);
    assert_eq!(client_keys(&sandbox), sorted(&[OLD, &new]));
    // It does not replace the package of the clients by one without the new key either.
    let clock = (CLOCK.parse::<u64>().unwrap() + 200).to_string();
    let environment = [("PUBLISH_DATE", &clock[..]), ("PUBLISH_SIGNING_KEY", &old_key)];
    let said = sandbox.publish_with(&environment, ["key", "package", "--json"]).ok().stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["fingerprints"].as_array().unwrap().len(), 2, "{said}");
    assert_eq!(said["suites"], Value::Array(Vec::new()), "it is published already");
    // The next run with both keys repairs this.
    fs::rename(sandbox.path("elsewhere.asc"), &new_key).unwrap();
    sandbox.publish_after(240, &["key", "rotate"]).ok();
    assert_eq!(signers(&sandbox, "stable"), sorted(&[OLD, &new]));
}

#[test]
fn an_archive_in_a_bucket() {
    let Some(bucket) = servers::moto() else { return };
    let sandbox = Sandbox::new();
    let conf = sandbox.path("distributions");
    let text = stanza("stable", "test", "");
    fs::write(&conf, &text).unwrap();
    deb("hello").write(sandbox.incoming());
    let place = bucket.place();
    let run = |seconds: u64, arguments: &[&str]| {
        let clock = (CLOCK.parse::<u64>().unwrap() + seconds).to_string();
        let all = [&["-a", &place, "--config", conf.to_str().unwrap()], arguments].concat();
        bucket.publish(&sandbox, &clock, &all)
    };
    run(0, &["add", "incoming"]).ok();
    run(5, &["snapshot", "1.0"]).ok();
    let source = || Source::at(&bucket.url());
    let mut clients = Client::all(&sandbox);
    for apt in &mut clients {
        apt.source(&source().signed_by(fixture("keys/test.pub.asc")));
        apt.updates();
    }
    run(10, &["key", "rotate", "--expires", "never"]).ok();
    let new = made(&sandbox);
    for apt in &clients {
        apt.updates();
    }
    run(20, &["key", "rotate"]).ok().says(["is in progress since 2025-06-01: both keys sign\n"]);
    run(29 * DAY, &["key", "rotate", "--finish"]).fails(1).says(["run it again on 2025-07-02"]);
    run(31 * DAY, &["key", "rotate", "--finish"]).ok();
    assert!(!fs::read_to_string(&conf).unwrap().contains("test.asc"));
    run(31 * DAY, &["check"]).ok();
    run(31 * DAY, &["key", "export", "-o", "new.asc"]).ok();
    assert!(sandbox.ask("gpg", ["--show-keys", "new.asc"]).contains(&new));
    for apt in &mut clients {
        assert_ne!(apt.update().status, Some(0), "{}: the old key signs nothing", apt.name);
        for suite in ["stable", "stable/snapshots/1.0"] {
            apt.source(&source().suite(suite).signed_by(sandbox.path("new.asc")));
            apt.updates();
        }
    }
}
