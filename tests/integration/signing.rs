//! Signing, verified by the programs that clients use: `gpgv`, as apt 2 runs it, and `gpg` for foreign keys.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use publish::signing::{
    Distrust, Error, GeneratedKey, Gpg, KeySource, KeyWarning, Keyring, Level, NewKey, Passphrase, READERS,
    Refusal, SignedRelease, SigningKeys, parse_expiry, unverified_text,
};
use sequoia_openpgp::{
    Cert, KeyHandle,
    cert::{CertBuilder, CertParser, CertRevocationBuilder},
    parse::{
        Parse as _,
        stream::{
            DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationHelper, VerifierBuilder,
        },
    },
    policy::StandardPolicy,
    serialize::SerializeInto as _,
    types::{KeyFlags, ReasonForRevocation},
};
use tempfile::TempDir;

const RELEASE: &[u8] =
    b"Origin: Example\nSuite: stable\nDate: Wed, 01 Jan 2025 00:00:00 UTC\nSHA256:\n 00 1 main/x\n";

fn day(text: &str) -> SystemTime {
    parse_expiry(text, SystemTime::UNIX_EPOCH).unwrap().unwrap()
}

/// The day of most of these tests.
fn today() -> SystemTime {
    day("2025-01-01")
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys").join(name)
}

fn file(name: &str) -> KeySource {
    let nowhere = Path::new("/nowhere");
    KeySource::parse(fixture(name).to_str().unwrap(), nowhere, nowhere).unwrap()
}

fn open(sources: &[KeySource]) -> Result<SigningKeys, Error> {
    SigningKeys::open(sources, None, today())
}

fn key(created: &str, expires: Option<&str>) -> GeneratedKey {
    let (created, expires) = (day(created), expires.map(day));
    let name = "Some key <key@example.org>";
    let mut new = NewKey::new(name, created);
    new.expires = expires;
    new.generate().unwrap()
}

fn source(bytes: impl Into<Vec<u8>>) -> KeySource {
    KeySource::secret("a test", bytes)
}

fn gpg(name: &str) -> KeySource {
    KeySource::Gpg(name.to_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Verifies both forms with the given keys and both verifiers of apt, and compares gpgv's output with the Release.
#[track_caller]
fn apt_accepts(signed: &SignedRelease, certificates: &Keyring, signatures: usize) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("ring.gpg"), certificates.binary().unwrap()).unwrap();
    fs::write(path("Release"), &signed.release).unwrap();
    fs::write(path("InRelease"), &signed.in_release).unwrap();
    fs::write(path("Release.gpg"), &signed.release_gpg).unwrap();
    let gpgv = |arguments: &[&str]| {
        let mut command = Command::new("gpgv");
        command.current_dir(folder.path()).args(["--keyring", "./ring.gpg", "--status-fd", "2"]);
        let output = command.args(arguments).output().expect("gpgv is installed");
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert_eq!(said.matches("] VALIDSIG").count(), signatures, "{said}");
    };
    gpgv(&["--output", "text", "InRelease"]);
    assert_eq!(text(&fs::read(path("text")).unwrap()), text(&signed.release));
    gpgv(&["Release.gpg", "Release"]);
    sqv_accepts(signed, certificates, signatures);
}

/// The status lines of gpgv for `Release.gpg`, as apt 2 reads them.
fn gpgv_says(signed: &SignedRelease, certificates: &Keyring) -> String {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("ring.gpg"), certificates.binary().unwrap()).unwrap();
    fs::write(path("Release"), &signed.release).unwrap();
    fs::write(path("Release.gpg"), &signed.release_gpg).unwrap();
    let mut command = Command::new("gpgv");
    command.current_dir(folder.path()).args(["--keyring", "./ring.gpg", "--status-fd", "1"]);
    text(&command.args(["Release.gpg", "Release"]).output().expect("gpgv is installed").stdout)
}

/// Verifies both forms as apt 3 does: `sqv` is this library, and apt passes it the extracted text of `InRelease`.
#[track_caller]
fn sqv_accepts(signed: &SignedRelease, certificates: &Keyring, signatures: usize) {
    struct Reader(Vec<Cert>, usize);
    impl VerificationHelper for Reader {
        fn get_certs(&mut self, _: &[KeyHandle]) -> sequoia_openpgp::Result<Vec<Cert>> {
            Ok(self.0.clone())
        }
        fn check(&mut self, structure: MessageStructure) -> sequoia_openpgp::Result<()> {
            for layer in structure {
                let MessageLayer::SignatureGroup { results } = layer else { panic!("an odd layer") };
                self.1 += results.into_iter().flatten().count();
            }
            Ok(())
        }
    }
    let binary = certificates.binary().unwrap();
    let certs = CertParser::from_bytes(&binary).unwrap();
    let certs: Vec<Cert> = certs.map(Result::unwrap).collect();
    let reader = || Reader(certs.clone(), 0);
    let policy = StandardPolicy::new();

    let mut verifier = VerifierBuilder::from_bytes(&signed.in_release[..])
        .unwrap()
        .with_policy(&policy, None, reader())
        .unwrap();
    let mut text = Vec::new();
    verifier.read_to_end(&mut text).unwrap();
    assert_eq!(verifier.helper_ref().1, signatures);
    assert_eq!(text, signed.release.strip_suffix(b"\n").unwrap());

    let position = memchr::memmem::rfind(&signed.in_release, b"-----BEGIN PGP SIGNATURE").unwrap();
    for (signature, bytes) in
        [(&signed.in_release[position..], &text[..]), (&signed.release_gpg, &signed.release)]
    {
        let builder = DetachedVerifierBuilder::from_bytes(signature).unwrap();
        let mut verifier = builder.with_policy(&policy, None, reader()).unwrap();
        verifier.verify_bytes(bytes).unwrap();
        assert_eq!(verifier.helper_ref().1, signatures);
    }
}

/// A temporary home of gpg.
struct GpgHome(TempDir);

impl GpgHome {
    fn new() -> Self {
        Self(TempDir::with_prefix("gpg").unwrap())
    }

    fn gpg(&self) -> Gpg {
        Gpg { home: Some(self.0.path().to_owned()), ..Gpg::default() }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--no-tty", "--pinentry-mode", "loopback", "--homedir"]).arg(self.0.path());
        // The keys must be older than the day of these tests.
        command.args(["--faked-system-time", "20240101T000000"]);
        let output = command.args(arguments).output().expect("gpg is installed");
        assert!(output.status.success(), "{}", text(&output.stderr));
        output
    }

    fn make(&self, name: &str, algorithm: &str, more: &[&str]) -> String {
        let mut arguments = vec!["--status-fd", "1"];
        arguments.extend(more);
        if !more.contains(&"--passphrase") {
            arguments.extend(["--passphrase", ""]);
        }
        arguments.extend(["--quick-gen-key", name, algorithm, "default", "never"]);
        let said = text(&self.run(&arguments).stdout);
        let line = said.lines().find(|line| line.contains("KEY_CREATED")).unwrap();
        line.split(' ').nth(3).unwrap().to_owned()
    }

    fn secret(&self, name: &str) -> Vec<u8> {
        self.run(&["--passphrase", "", "--armor", "--export-secret-keys", name]).stdout
    }

    fn open(&self, sources: &[KeySource], passphrase: Option<&str>) -> Result<SigningKeys, Error> {
        let passphrase = passphrase.map(Passphrase::new);
        SigningKeys::open_with(sources, passphrase.as_ref(), today(), &self.gpg())
    }

    /// Stops the agent, which caches passphrases.
    fn forget(&self) {
        let mut gpgconf = Command::new("gpgconf");
        let _ = gpgconf.arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).output();
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        self.forget();
    }
}

// ---- signatures that gpgv accepts

#[test]
fn apt_accepts_what_a_key_file_signs() {
    let keys = open(&[file("test.asc")]).unwrap();
    let signed = keys.sign(RELEASE, today()).unwrap();
    apt_accepts(&signed, keys.certificates(), 1);
    assert_eq!(signed.release, RELEASE);
    // No empty line before the signature, and nothing after it.
    assert!(text(&signed.in_release).contains("main/x\n-----BEGIN PGP SIGNATURE-----\n"));
    assert!(signed.in_release.ends_with(b"-----END PGP SIGNATURE-----\n"));
}

#[test]
fn apt_accepts_a_new_key_and_the_key_says_nothing_secret() {
    let new = key("2024-12-31", Some("2034-12-31"));
    let keys = open(&[source(new.secret())]).unwrap();
    apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
    assert_eq!(keys.primary_fingerprint(), Some(new.fingerprint.clone()));

    let public = text(&new.public.armored().unwrap());
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "{public}");
    for bytes in [new.public.armored().unwrap(), keys.certificates().binary().unwrap()] {
        assert!(!Cert::from_bytes(&bytes).unwrap().is_tsk());
    }
    let debug = format!("{new:?} {keys:?} {:?} {:?}", source(new.secret()), Passphrase::new("horse"));
    assert!(!debug.contains("horse") && !debug.contains("BEGIN"), "{debug}");
}

#[test]
fn apt_accepts_a_key_behind_a_passphrase() {
    let passphrase = Passphrase::new("correct horse");
    let keys = SigningKeys::open(&[file("protected.asc")], Some(&passphrase), today()).unwrap();
    apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
}

#[test]
fn apt_accepts_two_signatures_in_one_block() {
    let keys = open(&[file("test.asc"), file("second.asc"), file("test.asc")]).unwrap();
    let signed = keys.sign(RELEASE, today()).unwrap();
    apt_accepts(&signed, keys.certificates(), 2);
    assert_eq!(text(&signed.in_release).matches("BEGIN PGP SIGNATURE").count(), 1);
    let verified = keys.certificates().verify_in_release(&signed.in_release, today()).unwrap();
    assert_eq!(verified.signers, keys.certificates().fingerprints());
    assert_eq!(verified.release, RELEASE);

    // Each key alone is enough to verify it.
    let mut one = Keyring::new();
    one.add_bytes("second", &fs::read(fixture("second.pub.asc")).unwrap()).unwrap();
    assert_eq!(one.verify_in_release(&signed.in_release, today()).unwrap().signers.len(), 1);
    assert_eq!(one.verify_detached(RELEASE, &signed.release_gpg, today()).unwrap().signers.len(), 1);
}

#[test]
fn several_keys_may_come_in_one_variable() {
    let both = [fs::read(fixture("test.asc")).unwrap(), fs::read(fixture("second.asc")).unwrap()].concat();
    let keys = open(&[KeySource::secret("PUBLISH_SIGNING_KEY", both)]).unwrap();
    assert_eq!(keys.certificates().fingerprints().len(), 2);
    let binary = Cert::from_file(fixture("test.asc")).unwrap().as_tsk().to_vec().unwrap();
    assert!(open(&[source(binary)]).is_ok());
}

#[test]
fn lines_that_look_like_a_frame_survive() {
    let odd = b"Origin: x\n a\n- b\n--\n-\nFrom me\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n\nx\n\n";
    let keys = open(&[file("test.asc")]).unwrap();
    let signed = keys.sign(odd, today()).unwrap();
    apt_accepts(&signed, keys.certificates(), 1);
    assert_eq!(unverified_text(&signed.in_release).unwrap(), odd);
}

#[test]
fn a_release_that_cannot_be_signed_byte_for_byte_is_refused() {
    let keys = open(&[file("test.asc")]).unwrap();
    for (bytes, why) in [
        (&b"Origin: x \n"[..], "line 1 ends in a blank"),
        (b"Origin: x\nSuite: y", "line 2 does not end in a newline"),
        (b"", "missing"),
    ] {
        let error = keys.sign(bytes, today()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

// ---- gpg

#[test]
fn gpg_signs_together_with_a_key_file() {
    let home = GpgHome::new();
    let fingerprint = home.make("Home <home@example.org>", "ed25519", &[]);
    for name in ["", "home@example.org", &fingerprint[24..], &fingerprint, &format!("{fingerprint}!")] {
        let keys = home.open(&[gpg(name)], None).unwrap();
        assert_eq!(keys.primary_fingerprint().as_ref(), Some(&fingerprint));
        apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
    }
    let keys = home.open(&[file("test.asc"), gpg(&fingerprint), file("second.asc")], None).unwrap();
    let signed = keys.sign(b"Origin: x\n-dash\nFrom me\n", today()).unwrap();
    apt_accepts(&signed, keys.certificates(), 3);
    assert_eq!(text(&signed.release_gpg).matches("BEGIN PGP SIGNATURE").count(), 1);

    let error = home.open(&[gpg("nobody@example.org")], None).unwrap_err();
    assert!(matches!(error, Error::NoGpgKey { .. }), "{error}");
}

#[test]
fn signatures_made_by_gpg_are_read() {
    let home = GpgHome::new();
    let fingerprint = home.make("Home <home@example.org>", "ed25519", &[]);
    let keyring = gpg(&fingerprint).certificates(&home.gpg()).unwrap();
    let release = home.0.path().join("Release");
    let release = release.to_str().unwrap();
    let sign = |how: &[&str]| home.run(&[how, &["--output", "-", release]].concat()).stdout;
    fs::write(release, RELEASE).unwrap();

    let verified = keyring.verify_in_release(&sign(&["--clearsign"]), today()).unwrap();
    assert_eq!((text(&verified.release), verified.signers), (text(RELEASE), vec![fingerprint]));
    for how in [&["--detach-sign"][..], &["--detach-sign", "--armor"], &["--detach-sign", "--textmode"]] {
        assert!(keyring.verify_detached(RELEASE, &sign(how), today()).is_ok(), "{how:?}");
    }
    let weak = sign(&["--digest-algo", "SHA1", "--clearsign"]);
    let error = keyring.verify_in_release(&weak, today()).unwrap_err();
    assert!(matches!(&error, Distrust::NotBelieved { reasons } if reasons[0].contains("SHA1")), "{error}");
    let judged = keyring.judge_in_release(&weak, today()).unwrap();
    for reader in READERS {
        assert!(judged[0].refused_by(reader).unwrap().text.contains("made with SHA1"), "{judged:?}");
    }
}

/// gpgv refuses a key that expired after it signed, and sqv accepts it; the tests of the archive cover both.
#[test]
fn each_client_has_its_own_rules_for_a_signature() {
    let key = key("2024-01-01", Some("2025-06-01"));
    let signed = SigningKeys::open(&[source(key.secret())], None, today()).unwrap();
    let certificates = signed.certificates().clone();
    let signed = signed.sign(RELEASE, today()).unwrap();
    let refused = |keyring: &Keyring, now: &str| {
        let whole = keyring.judge_in_release(&signed.in_release, day(now)).unwrap();
        let apart = keyring.judge_detached(RELEASE, &signed.release_gpg, day(now)).unwrap();
        assert_eq!(whole, apart);
        READERS.map(|reader| whole[0].refused_by(reader).map(|verdict| verdict.text.clone()))
    };
    assert_eq!(refused(&certificates, "2025-01-02"), [None, None]);
    let [gpgv, sqv] = refused(&certificates, "2025-06-02");
    assert!(gpgv.unwrap().contains("expired on 2025-06-01"));
    assert_eq!(sqv, None);
    let [gpgv, sqv] = refused(&Keyring::new(), "2025-01-02");
    assert!(gpgv.unwrap().contains("not among those") && sqv.unwrap().contains("not among those"));
    let other = String::from_utf8(signed.in_release.to_vec()).unwrap().replace("stable", "stapel");
    let judged = certificates.judge_in_release(other.as_bytes(), today()).unwrap();
    assert!(
        READERS.iter().all(|reader| judged[0].refused_by(reader).unwrap().text.contains("does not match"))
    );
}

#[test]
fn an_ambiguous_key_is_refused() {
    let home = GpgHome::new();
    let first = home.make("Home <home@example.org>", "ed25519", &[]);
    let other = home.make("Other <home@example.org>", "ed25519", &[]);
    let error = home.open(&[gpg("home@example.org")], None).unwrap_err();
    assert!(matches!(&error, Error::Ambiguous { fingerprints, .. } if fingerprints.len() == 2), "{error}");
    // The default key is the one that gpg uses.
    assert_eq!(home.open(&[gpg("")], None).unwrap().primary_fingerprint(), Some(first));
    fs::write(home.0.path().join("gpg.conf"), format!("default-key {other}\n")).unwrap();
    assert_eq!(home.open(&[gpg("")], None).unwrap().primary_fingerprint(), Some(other));
}

#[test]
fn gpg_gets_the_passphrase() {
    let home = GpgHome::new();
    home.make("Home <home@example.org>", "ed25519", &["--passphrase", "correct horse"]);
    home.forget();
    let wrong = home.open(&[gpg("")], Some("wrong")).unwrap().sign(RELEASE, today()).unwrap_err();
    assert!(matches!(wrong, Error::Gpg { .. }), "{wrong}");
    home.forget();
    let keys = home.open(&[gpg("")], Some("correct horse")).unwrap();
    apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
}

#[test]
fn a_signing_subkey_signs_where_the_primary_is_elsewhere() {
    let home = GpgHome::new();
    let fingerprint = home.make("Home <home@example.org>", "ed25519", &[]);
    home.run(&["--passphrase", "", "--quick-add-key", &fingerprint, "ed25519", "sign", "never"]);
    let subkeys = home.run(&["--passphrase", "", "--export-secret-subkeys", &fingerprint]).stdout;
    for keys in [open(&[source(subkeys)]).unwrap(), home.open(&[gpg("")], None).unwrap()] {
        apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
        assert!(keys.certificates().reports(today())[0].signing_subkey.is_some());
    }
}

#[test]
fn weak_keys_are_refused_with_their_reason() {
    let home = GpgHome::new();
    home.make("short@example.org", "rsa1024", &[]);
    home.make("sha@example.org", "ed25519", &["--cert-digest-algo", "SHA1"]);
    for (name, expected) in
        [("short@example.org", "RSA with 1024 bits"), ("sha@example.org", "self-signature uses SHA1")]
    {
        for source in [source(home.secret(name)), gpg(name)] {
            match home.open(&[source], None).unwrap_err() {
                Error::Refused { refusal: Refusal::Unfit { why }, .. } => {
                    assert!(why.contains(expected), "{why}");
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn rsa_signs_with_a_note() {
    let home = GpgHome::new();
    home.make("rsa@example.org", "rsa2048", &[]);
    let keys = home.open(&[source(home.secret("rsa@example.org"))], None).unwrap();
    apt_accepts(&keys.sign(RELEASE, today()).unwrap(), keys.certificates(), 1);
    let warnings: String = keys.warnings(today()).iter().map(ToString::to_string).collect();
    assert!(warnings.contains("3072 bits"), "{warnings}");
    assert_eq!(cfg!(feature = "crypto-rust"), warnings.contains("depends on the secret"), "{warnings}");
    // apt 3 sets the limit in February 2030.
    let levels = |now| {
        let report = &keys.certificates().reports(day(now))[0];
        assert_eq!(report.algorithm, "rsa2048");
        report.verdicts.iter().map(|verdict| verdict.level).collect::<Vec<_>>()
    };
    assert_eq!(levels("2025-01-01"), [Level::Ok, Level::Warn, Level::Ok, Level::Ok]);
    assert_eq!(levels("2029-06-01"), [Level::Ok, Level::Warn, Level::Ok, Level::Warn]);
    assert_eq!(levels("2030-06-01"), [Level::Ok, Level::Warn, Level::Refused]);
}

// ---- commands

#[cfg(unix)]
fn command(folder: &Path, script: &str) -> KeySource {
    // Written by another process: a file that is open for writing cannot be run, and programs started by other tests
    // briefly inherit the open file.
    let script = format!("#!/bin/sh\nset -e\n{script}\n");
    let mut write = Command::new("sh");
    write.args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""]).arg(folder.join("sign")).arg(script);
    assert!(write.status().unwrap().success());
    KeySource::parse("! sign", folder, folder).unwrap()
}

#[cfg(unix)]
#[test]
fn a_command_signs_as_reprepro_would_let_it() {
    let home = GpgHome::new();
    let fingerprint = home.make("Home <home@example.org>", "ed25519", &[]);
    let folder = TempDir::new().unwrap();
    let run = format!("gpg --batch --homedir '{}' --armor --output", home.0.path().display());
    let script = format!("test $# = 3\n{run} \"$2\" --clearsign \"$1\"\n{run} \"$3\" --detach-sign \"$1\"");
    let keys = open(&[command(folder.path(), &script)]).unwrap();
    assert!(keys.certificates().is_empty());
    assert_eq!(keys.primary_fingerprint(), None);
    let signed = keys.sign(RELEASE, today()).unwrap();
    apt_accepts(&signed, &gpg(&fingerprint).certificates(&home.gpg()).unwrap(), 1);
    assert_eq!(unverified_text(&signed.in_release).unwrap(), RELEASE);
}

#[cfg(unix)]
#[test]
fn a_command_that_does_less_is_refused() {
    let why = |script: &str| {
        let folder = TempDir::new().unwrap();
        open(&[command(folder.path(), script)]).unwrap().sign(RELEASE, today()).unwrap_err().to_string()
    };
    let frame = "-----BEGIN PGP SIGNED MESSAGE-----\\n\\nx\\n-----BEGIN PGP SIGNATURE-----\\n-----END PGP SIGNATURE-----\\n";
    for (script, expected) in [
        ("echo no luck >&2; exit 3".to_owned(), "no luck"),
        ("true".to_owned(), "wrote no InRelease"),
        ("cp \"$1\" \"$2\"".to_owned(), "wrote no Release.gpg"),
        ("cp \"$1\" \"$2\"; cp \"$1\" \"$3\"".to_owned(), "not a clear-signed message"),
        (format!("printf -- '{frame}' > \"$2\"; cp \"$1\" \"$3\""), "differs from the Release"),
    ] {
        let why = why(&script);
        assert!(why.contains(expected), "{why}");
    }
    let folder = TempDir::new().unwrap();
    let error = open(&[file("test.asc"), command(folder.path(), "true")]).unwrap_err();
    assert!(matches!(error, Error::CommandAmongKeys { .. }), "{error}");
    let missing =
        open(&[KeySource::Command("/nowhere/sign".into())]).unwrap().sign(RELEASE, today()).unwrap_err();
    assert!(matches!(missing, Error::Program { .. }), "{missing}");
}

// ---- keys that are refused

#[test]
fn each_error_of_a_key_file_has_its_own_text() {
    let refused = |name: &str, passphrase: Option<&str>, now: &str| {
        let passphrase = passphrase.map(Passphrase::new);
        SigningKeys::open(&[file(name)], passphrase.as_ref(), day(now)).unwrap_err()
    };
    let error = refused("protected.asc", Some("wrong horse"), "2025-01-01");
    assert!(matches!(error, Error::WrongPassphrase { .. }), "{error}");
    let error = refused("protected.asc", None, "2025-01-01");
    assert!(matches!(error, Error::PassphraseMissing { .. }), "{error}");
    let error = refused("test.pub.asc", None, "2025-01-01");
    assert!(matches!(error, Error::PublicOnly { .. }), "{error}");
    let error = refused("expired.asc", None, "2025-01-01");
    assert!(error.to_string().contains("it expired on 2021-01-01"), "{error}");
    assert!(matches!(error, Error::Refused { refusal: Refusal::Expired { .. }, .. }));
    let error = refused("test.asc", None, "2023-01-01");
    assert!(matches!(error, Error::Refused { refusal: Refusal::NotYet { .. }, .. }), "{error}");
    for garbage in [&b""[..], b"hello", b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n", &[0x99; 300]] {
        let error = open(&[source(garbage)]).unwrap_err();
        assert!(matches!(error, Error::NotAKey { .. }), "{error}");
    }
    let one_line = text(&fs::read(fixture("test.asc")).unwrap()).replace('\n', " ");
    open(&[KeySource::secret("PUBLISH_SIGNING_KEY", one_line)]).unwrap();
    assert!(matches!(open(&[]), Err(Error::NoKeys)));
}

#[test]
fn a_key_without_the_right_to_sign_is_refused() {
    let (cert, _) = CertBuilder::new()
        .set_creation_time(day("2024-01-01"))
        .set_primary_key_flags(KeyFlags::empty().set_certification())
        .add_userid("certifies only")
        .generate()
        .unwrap();
    let error = open(&[source(cert.as_tsk().to_vec().unwrap())]).unwrap_err();
    assert!(matches!(error, Error::Refused { refusal: Refusal::NoSigningKey, .. }), "{error}");
}

/// A fixture, revoked by its owner on a day.
fn revoked(reason: ReasonForRevocation, on: &str) -> Vec<u8> {
    let cert = Cert::from_file(fixture("test.asc")).unwrap();
    let mut pair = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let revocation = CertRevocationBuilder::new()
        .set_reason_for_revocation(reason, b"")
        .unwrap()
        .set_signature_creation_time(day(on))
        .unwrap()
        .build(&mut pair, &cert, None)
        .unwrap();
    let (cert, _) = cert.insert_packets([revocation]).unwrap();
    cert.as_tsk().to_vec().unwrap()
}

#[test]
fn a_revoked_key_signs_nothing_more_and_a_stolen_one_never_did() {
    let signed = SigningKeys::open(&[file("test.asc")], None, day("2024-03-01")).unwrap();
    let signed = signed.sign(RELEASE, day("2024-03-01")).unwrap();
    for (reason, on, believed) in [
        (ReasonForRevocation::KeyCompromised, "2024-06-01", false),
        (ReasonForRevocation::Unspecified, "2024-06-01", false),
        (ReasonForRevocation::KeyRetired, "2024-06-01", true),
        (ReasonForRevocation::KeyRetired, "2024-02-01", false),
    ] {
        let revoked = revoked(reason, on);
        let error = open(&[source(&revoked[..])]).unwrap_err();
        assert!(matches!(error, Error::Refused { refusal: Refusal::Revoked { .. }, .. }), "{error}");
        let mut keyring = Keyring::new();
        keyring.add_bytes("a test", &revoked).unwrap();
        let outcome = keyring.verify_in_release(&signed.in_release, today());
        assert_eq!(outcome.is_ok(), believed, "{reason} {on}: {outcome:?}");
        // gpgv honours any revocation, sqv the same ones as we do.
        let judged = keyring.judge_in_release(&signed.in_release, today()).unwrap();
        let refused = READERS.map(|reader| judged[0].refused_by(reader).is_some());
        assert_eq!(refused, [true, !believed], "{reason} {on}: {judged:?}");
        assert!(gpgv_says(&signed, &keyring).contains("] REVKEYSIG"));
        // The revocation is kept although an older copy of the key is added.
        keyring.add_bytes("a test", &fs::read(fixture("test.pub.asc")).unwrap()).unwrap();
        assert_eq!(keyring.fingerprints().len(), 1);
        assert_eq!(keyring.verify_detached(RELEASE, &signed.release_gpg, today()).is_ok(), believed);
    }
}

// ---- trusted signers

#[test]
fn the_owner_of_an_expired_key_is_not_locked_out() {
    let new = key("2024-01-01", Some("2024-07-01"));
    let keys = SigningKeys::open(&[source(new.secret())], None, day("2024-06-01")).unwrap();
    let signed = keys.sign(RELEASE, day("2024-06-01")).unwrap();
    assert!(keys.certificates().verify_in_release(&signed.in_release, today()).is_ok());
    let error = open(&[source(new.secret())]).unwrap_err();
    assert!(matches!(error, Error::Refused { refusal: Refusal::Expired { .. }, .. }), "{error}");
    // A signature dated after the expiry is invalid.
    let error = keys.sign(RELEASE, day("2024-08-01")).unwrap_err();
    assert!(
        matches!(&error, Error::SelfCheck { why, .. } if why.contains("expired on 2024-07-01")),
        "{error}"
    );
    // The clock of another publisher may be ahead.
    assert!(keys.certificates().verify_in_release(&signed.in_release, day("2024-05-31")).is_ok());
}

#[test]
fn the_owner_of_an_extended_key_is_not_locked_out() {
    let home = GpgHome::new();
    let fingerprint = home.make("Home <home@example.org>", "ed25519", &[]);
    home.run(&["--passphrase", "", "--quick-set-expire", &fingerprint, "2024-07-01"]);
    let release = home.0.path().join("Release");
    fs::write(&release, RELEASE).unwrap();
    let june = ["--faked-system-time", "20240601T000000"];
    let sign = ["--passphrase", "", "--output", "-", "--clearsign", release.to_str().unwrap()];
    let signed = home.run(&[&june[..], &sign].concat()).stdout;

    // gpg replaces the self-signature, so the new one is younger than the signature on the archive.
    let later = ["--faked-system-time", "20240615T000000"];
    let extend = ["--passphrase", "", "--quick-set-expire", &fingerprint, "2030-01-01"];
    home.run(&[&later[..], &extend].concat());
    let keyring = gpg(&fingerprint).certificates(&home.gpg()).unwrap();
    assert_eq!(keyring.reports(today())[0].expires.as_deref(), Some("2030-01-01"));
    assert!(keyring.reports(day("2024-06-02"))[0].expires.is_none(), "the old self-signature is gone");
    keyring.verify_in_release(&signed, today()).unwrap();
}

#[test]
fn a_tampered_in_release_is_refused() {
    let keys = open(&[file("test.asc")]).unwrap();
    let signed = keys.sign(RELEASE, today()).unwrap();
    let message = text(&signed.in_release);
    let verify = |message: &str| keys.certificates().verify_in_release(message.as_bytes(), today());
    assert!(verify(&message).is_ok());

    let error = verify(&message.replace("stable", "unstable")).unwrap_err();
    assert!(matches!(error, Distrust::Damaged { .. }), "{error}");
    // Trailing blanks of a line are not signed, so they must not be returned.
    assert_eq!(verify(&message.replace("stable\n", "stable \t\n")).unwrap().release, RELEASE);
    for (message, expected) in [
        (format!("Origin: evil\n\n{message}"), "before the line"),
        (format!("{message}Origin: evil\n"), "after the line"),
        (format!("{message}{message}"), "after the line"),
        (text(RELEASE), "does not start with"),
        (message.replace("Origin: ", "Origin:\r"), "carriage return"),
    ] {
        let error = verify(&message).unwrap_err();
        assert!(matches!(&error, Distrust::Frame { why } if why.contains(expected)), "{error}");
        assert!(unverified_text(message.as_bytes()).is_err());
    }

    // The signature of another text, and every kind of damage to the right one.
    let other = text(&keys.sign(b"Origin: other\n", today()).unwrap().in_release);
    let signature = other.split_once("-----BEGIN PGP SIGNATURE").unwrap().1;
    let body = message.split_once("-----BEGIN PGP SIGNATURE").unwrap().0;
    let error = verify(&format!("{body}-----BEGIN PGP SIGNATURE{signature}")).unwrap_err();
    assert!(matches!(error, Distrust::Damaged { .. }), "{error}");
    let error =
        keys.certificates().verify_detached(b"Origin: evil\n", &signed.release_gpg, today()).unwrap_err();
    assert!(matches!(error, Distrust::Damaged { .. }), "{error}");
    for position in (body.len()..message.len() - 1).step_by(5) {
        let mut bytes = signed.in_release.to_vec();
        bytes[position] ^= 1;
        // The flipped bit may be irrelevant, as in the checksum of the armour; then the text is the same.
        if let Ok(verified) = keys.certificates().verify_in_release(&bytes, today()) {
            assert_eq!(verified.release, RELEASE);
        }
        assert!(keys.certificates().verify_in_release(&bytes[..position], today()).is_err());
    }
}

#[test]
fn an_unknown_signer_is_named() {
    let stranger = open(&[file("second.asc")]).unwrap();
    let signed = stranger.sign(RELEASE, today()).unwrap();
    let keys = open(&[file("test.asc")]).unwrap();
    let expected = stranger.certificates().fingerprints();
    for outcome in [
        keys.certificates().verify_in_release(&signed.in_release, today()),
        keys.certificates().verify_detached(RELEASE, &signed.release_gpg, today()),
        Keyring::new().verify_in_release(&signed.in_release, today()),
    ] {
        assert_eq!(outcome, Err(Distrust::UnknownSigners { signers: expected.clone() }));
    }
}

// ---- reports about keys

#[test]
fn a_key_is_reported_as_clients_see_it() {
    let mut keyring = Keyring::new();
    for name in ["test.asc", "expired.asc"] {
        keyring.merge(&file(name).certificates(&Gpg::default()).unwrap());
    }
    let reports = keyring.reports(today());
    assert_eq!(reports[0].algorithm, "ed25519");
    assert_eq!(reports[0].created, "2024-01-01");
    assert_eq!(reports[0].level(), Level::Ok);
    assert!(reports[0].verdicts.iter().all(|verdict| verdict.level == Level::Ok), "{:?}", reports[0]);
    assert_eq!(reports[1].expires.as_deref(), Some("2021-01-01"));
    assert_eq!(reports[1].days_left, Some(-1461));
    assert_eq!(reports[1].level(), Level::Refused);
}

#[test]
fn the_expiry_of_a_key_is_reported_a_month_before() {
    let keys = open(&[source(key("2024-01-01", Some("2025-06-01")).secret())]).unwrap();
    assert!(keys.warnings(day("2025-04-01")).is_empty());
    let warnings = keys.warnings(day("2025-05-10"));
    assert!(matches!(&warnings[..], [KeyWarning::Expires { on, .. }] if on == "2025-06-01"), "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn a_readable_key_file_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("key.asc");
    fs::copy(fixture("test.asc"), &path).unwrap();
    let warnings = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        open(&[KeySource::parse("key.asc", folder.path(), folder.path()).unwrap()]).unwrap().warnings(today())
    };
    assert!(warnings(0o600).is_empty());
    assert!(warnings(0o640)[0].to_string().contains("chmod 600"));
}

#[test]
fn a_generated_key_has_the_requested_expiry() {
    let created = today() + Duration::from_secs(12_345);
    let expires = parse_expiry("3y", created).unwrap();
    let mut new = NewKey::new("A", created);
    new.expires = expires;
    let new = new.generate().unwrap();
    let cert = Cert::from_bytes(new.secret()).unwrap();
    let policy = StandardPolicy::new();
    let valid = cert.with_policy(&policy, created).unwrap();
    assert_eq!(valid.primary_key().key_expiration_time(), expires);
    assert_eq!(new.expires, Some(day("2028-01-01") + Duration::from_secs(12_345)));
}

#[test]
fn open_keys_can_be_sent_to_another_thread() {
    fn goes<T: Send + Sync>() {}
    goes::<SigningKeys>();
    goes::<Keyring>();
    goes::<KeySource>();
    goes::<Error>();
}

/// Creates `fixtures/keys` (run with `--ignored`; existing files do not change).
#[test]
#[ignore = "writes the fixtures that the other tests read"]
fn make_the_fixtures() {
    let passphrase = Passphrase::new("correct horse");
    for (file, created, expires, passphrase) in [
        ("test", "2024-01-01", None, None),
        ("second", "2024-01-01", None, None),
        ("protected", "2024-01-01", None, Some(&passphrase)),
        ("expired", "2020-01-01", Some("2021-01-01"), None),
    ] {
        let path = fixture(&format!("{file}.asc"));
        if path.exists() {
            continue;
        }
        let name = format!("publish fixture {file} <{file}@example.org>");
        let mut new = NewKey::new(&name, day(created));
        (new.expires, new.passphrase) = (expires.map(day), passphrase);
        let new = new.generate().unwrap();
        new.write_secret(&path).unwrap();
        fs::write(fixture(&format!("{file}.pub.asc")), new.public.armored().unwrap()).unwrap();
    }
}
