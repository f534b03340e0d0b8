//! The verdicts on signatures are those of the real `gpgv`, as apt 2 runs it, and of the real `sqv`, as apt 3 does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use publish::signing::{Keyring, READERS};

use crate::{
    deb_builder::deb,
    sandbox::{Sandbox, skipped},
};

const OLDER_THAN_ITS_KEY: &str = "from before its key";
const DAY: i64 = 24 * 60 * 60;

/// A folder of gpg with keys and signatures whose times are days relative to now.
struct Gpg<'a> {
    sandbox: &'a Sandbox,
    home: PathBuf,
    now: i64,
}

impl<'a> Gpg<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let home = sandbox.path("home-of-gpg");
        fs::create_dir_all(&home).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&home, mode).unwrap();
        // The real verifiers read the clock of this machine.
        let now = sandbox.ask("date", ["+%s"]).trim().parse().unwrap();
        Self { sandbox, home, now }
    }

    fn run(&self, day: i64, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &self.home).current_dir(&self.home);
        let time = (self.now + day * DAY).to_string();
        let common = [
            "--batch",
            "--quiet",
            "--yes",
            "--ignore-time-conflict",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
        ];
        command.args(common).args(["--passphrase", "", "--faked-system-time", &time]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A key of 400 days ago that expires after so many days, and its fingerprint.
    fn key(&self, name: &str, expires: &str) -> String {
        self.key_of("ed25519", name, expires)
    }

    fn key_of(&self, algorithm: &str, name: &str, expires: &str) -> String {
        let user = format!("{name} <{name}@example.org>");
        self.run(-400, &["--quick-gen-key", &user, algorithm, "sign,cert", expires]);
        let listed = self.run(0, &["--with-colons", "--list-keys", &user]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn sign(&self, key: &str, day: i64) -> Vec<u8> {
        self.run(
            day,
            &["--local-user", key, "--digest-algo", "SHA512", "--output", "-", "--detach-sign", "Release"],
        )
    }

    fn export(&self, key: &str) -> Vec<u8> {
        self.run(0, &["--export", key])
    }
}

impl Drop for Gpg<'_> {
    fn drop(&mut self) {
        let mut stop = Command::new("gpgconf");
        let _ = stop.env("GNUPGHOME", &self.home).args(["--kill", "all"]).output();
    }
}

/// Whether apt 2 accepts a signature; its `gpgv` method looks for these status lines.
fn gpgv_accepts(folder: &Path) -> bool {
    let mut command = Command::new("gpgv");
    command.current_dir(folder).args([
        "--ignore-time-conflict",
        "--status-fd",
        "1",
        "--keyring",
        "./ring.gpg",
    ]);
    let output = command.args(["Release.gpg", "Release"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("[GNUPG:] GOODSIG ")
}

/// The `sqv` of this machine, else that of the Debian 13 that the tests install.
fn sqv() -> Option<Command> {
    if Command::new("sqv").arg("--version").output().is_ok() {
        return Some(Command::new("sqv"));
    }
    let testbed = std::env::var_os("PUBLISH_TESTBED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".testbed"), PathBuf::from);
    let root = testbed.join("debian-13");
    let loader = root.join("lib64/ld-linux-x86-64.so.2");
    let program = root.join("usr/bin/sqv");
    if !program.exists() || !loader.exists() {
        return None;
    }
    let mut command = Command::new(loader);
    command.arg("--library-path").arg(root.join("usr/lib/x86_64-linux-gnu")).arg(program);
    command.env("SEQUOIA_CRYPTO_POLICY", root.join("usr/share/apt/default-sequoia.config"));
    Some(command)
}

/// gpgv of Debian 12 accepts curves that sqv of Debian 13 refuses, and this build can compute with neither of them.
#[test]
fn a_curve_that_only_other_programs_know_has_no_verdict() {
    let sandbox = Sandbox::new();
    let gpg = Gpg::new(&sandbox);
    deb("hello").write(sandbox.incoming());
    sandbox.publish(["add", "incoming"]).ok();
    let folder = sandbox.archive("dists/stable");
    fs::copy(folder.join("Release"), gpg.home.join("Release")).unwrap();
    for curve in ["brainpoolP256r1", "brainpoolP512r1", "secp256k1"] {
        let key = gpg.key_of(curve, curve, "3y");
        let keys = gpg.home.join("ring.gpg");
        fs::write(&keys, gpg.export(&key)).unwrap();
        fs::write(gpg.home.join("Release.gpg"), gpg.sign(&key, 0)).unwrap();
        assert!(gpgv_accepts(&gpg.home), "{curve}");
        fs::copy(gpg.home.join("Release.gpg"), folder.join("Release.gpg")).unwrap();
        let checked = sandbox.publish_now(&["check", "--keyring", keys.to_str().unwrap()]).fails(4);
        checked
            .says(["apt 2 (gpgv) may accept it or not", "`gpgv --keyring ./KEYS.gpg Release.gpg Release`"]);
        assert!(checked.stdout.contains("none of its signatures can be verified here"), "{}", checked.stdout);
        let said = checked.stdout.clone() + &checked.stderr;
        assert!(!said.contains("refuses") && !said.contains("not trusted"), "{curve}: {said}");
        let shown = sandbox.publish_now(&["key", "show", keys.to_str().unwrap()]).ok().stdout;
        assert!(shown.contains("may accept it or not: this build") && !shown.contains("refuses"), "{shown}");
    }
}

#[test]
fn a_verdict_is_that_of_the_real_verifier() {
    let sandbox = Sandbox::new();
    let gpg = Gpg::new(&sandbox);
    let release = b"Suite: stable\n";
    fs::write(gpg.home.join("Release"), release).unwrap();
    let live = gpg.key("live", "3y");
    // They were valid longer when they signed; gpg keeps only the newest self-signature.
    let [over, soon, extended] = ["over", "soon", "extended"].map(|name| gpg.key(name, "3y"));
    let mut cases = vec![
        ("of today", live.clone(), gpg.sign(&live, 0)),
        ("of the past", live.clone(), gpg.sign(&live, -100)),
        ("of the future", live.clone(), gpg.sign(&live, 2)),
        ("of an expired key, from before its end", over.clone(), gpg.sign(&over, -350)),
        ("of an expired key, from after its end", over.clone(), gpg.sign(&over, -200)),
        ("of an expired key, of the future", over.clone(), gpg.sign(&over, 3)),
        ("of a key that expires soon", soon.clone(), gpg.sign(&soon, -10)),
        ("of a key that expires soon, from after its end", soon.clone(), gpg.sign(&soon, 3)),
        ("from before its key was extended", extended.clone(), gpg.sign(&extended, -100)),
    ];
    gpg.run(-399, &["--quick-set-expire", &over, "100d"]);
    gpg.run(-399, &["--quick-set-expire", &soon, "401d"]);
    gpg.run(-1, &["--quick-set-expire", &extended, "5y"]);
    cases.push(("of an extended key", extended.clone(), gpg.sign(&extended, 0)));

    // gpgv may accept it, sqv does not, and this library cannot verify it.
    cases.push((OLDER_THAN_ITS_KEY, live.clone(), gpg.sign(&live, -500)));
    let mut compared = 0;
    for (name, key, signature) in cases {
        let folder = gpg.sandbox.path("case");
        fs::create_dir_all(&folder).unwrap();
        let certificate = gpg.export(&key);
        fs::write(folder.join("ring.gpg"), &certificate).unwrap();
        fs::write(folder.join("Release"), release).unwrap();
        fs::write(folder.join("Release.gpg"), &signature).unwrap();
        let mut keyring = Keyring::new();
        keyring.add_bytes("ring.gpg", &certificate).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(gpg.now.unsigned_abs() + 5);
        let judged = keyring.judge_detached(release, &signature, at).unwrap();
        let [ours_gpgv, ours_sqv] = READERS.map(|reader| judged[0].refused_by(reader));
        let both = name == OLDER_THAN_ITS_KEY || ours_gpgv.is_none() == gpgv_accepts(&folder);
        assert!(both, "gpgv on a signature {name}: {ours_gpgv:?}");
        let Some(mut sqv) = sqv() else { continue };
        let output = sqv
            .current_dir(&folder)
            .args(["--keyring", "ring.gpg", "Release.gpg", "Release"])
            .output()
            .unwrap();
        let theirs = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            ours_sqv.is_none(),
            output.status.success(),
            "sqv on a signature {name}: {ours_sqv:?}, {theirs}"
        );
        compared += 1;
    }
    if compared == 0 {
        skipped("no sqv on this machine and no Debian 13");
    }
}
