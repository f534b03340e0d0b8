//! The errors of keys and signatures.

use std::{io, path::PathBuf};

/// Why an archive cannot be signed, or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key file or one of our own temporary files cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// The operation: `read`, `write`, …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The key file does not exist.
    #[error("there is no key file `{}`", path.display())]
    NoKeyFile {
        /// The path.
        path: PathBuf,
    },
    /// No key was given.
    #[error("no signing key is given")]
    NoKeys,
    /// A text that does not name a key.
    #[error("`{}` names no signing key: {why}", text.escape_debug())]
    NotASource {
        /// The text.
        text: String,
        /// The problem.
        why: &'static str,
    },
    /// A secret key where the name of a key belongs. It is not part of the message.
    #[error("the name of the signing key is a secret key itself, which is not printed here")]
    SecretAsName,
    /// A signing command cannot be combined with other keys.
    #[error("the signing command `{}` cannot be combined with other keys", command.display())]
    CommandAmongKeys {
        /// The command.
        command: PathBuf,
    },
    /// The key of a signing command is unknown.
    #[error("the key of the signing command `{}` is not known here", command.display())]
    KeyOfCommand {
        /// The command.
        command: PathBuf,
    },
    /// No home folder to store a key in.
    #[error("there is no folder to keep the key in: neither XDG_CONFIG_HOME nor HOME is set")]
    NoKeyFolder,
    /// The bytes are not a key.
    #[error("`{origin}` contains no OpenPGP key")]
    NotAKey {
        /// Where the bytes come from.
        origin: String,
    },
    /// The secret part is missing.
    #[error("`{origin}` contains only the public part of a key{}", detail.map(|text| format!(": {text}")).unwrap_or_default())]
    PublicOnly {
        /// Where the key comes from.
        origin: String,
        /// The missing part, if it is only one.
        detail: Option<&'static str>,
    },
    /// The key is encrypted and no passphrase was given.
    #[error("the key in `{origin}` is protected by a passphrase, but none is given")]
    PassphraseMissing {
        /// Where the key comes from.
        origin: String,
    },
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key in `{origin}`")]
    WrongPassphrase {
        /// Where the key comes from.
        origin: String,
    },
    /// The key cannot sign, or cannot sign now.
    #[error("the key {fingerprint} from `{origin}` cannot sign: {refusal}")]
    Refused {
        /// Where the key comes from.
        origin: String,
        /// The certificate.
        fingerprint: String,
        /// The reason.
        refusal: Refusal,
    },
    /// `gpg` is not installed, or does not start.
    #[error("cannot run `{}`", program.display())]
    Program {
        /// The program or the signing command.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `gpg` has no secret key of that name.
    #[error("gpg has no usable secret key {}", if key.is_empty() { "at all".to_owned() } else { format!("for `{key}`") })]
    NoGpgKey {
        /// The name, empty for the default key.
        key: String,
        /// The output of gpg.
        message: String,
    },
    /// `gpg` has no key with that fingerprint or id.
    #[error("no public key with the id `{key}` is known")]
    NoPublicKey {
        /// The fingerprint or id.
        key: String,
    },
    /// A name that matches several keys of gpg.
    #[error("`{key}` names {} secret keys of gpg: {}", fingerprints.len(), fingerprints.join(", "))]
    Ambiguous {
        /// The name.
        key: String,
        /// All usable keys that match.
        fingerprints: Vec<String>,
    },
    /// `gpg` failed.
    #[error("gpg could not {doing}: {message}")]
    Gpg {
        /// The operation.
        doing: String,
        /// The end of its standard error.
        message: String,
    },
    /// A signing command failed.
    #[error("the signing command `{}` {what}", command.display())]
    Command {
        /// The command.
        command: PathBuf,
        /// The failure.
        what: String,
    },
    /// A Release that cannot be clear-signed without changing its text.
    #[error("the Release cannot be signed: line {line} {why}")]
    Unsignable {
        /// The line, counted from 1.
        line: usize,
        /// The problem.
        why: &'static str,
    },
    /// A new signature does not verify.
    #[error("the new {form} does not verify with the key {fingerprint}: {why}")]
    SelfCheck {
        /// `InRelease` or `Release.gpg`.
        form: &'static str,
        /// The expected key, or the key that signed instead.
        fingerprint: String,
        /// The reason.
        why: String,
    },
    /// An invalid date or duration.
    #[error("`{}` is not an expiry: {why}", text.escape_debug())]
    Expiry {
        /// The text.
        text: String,
        /// The problem.
        why: &'static str,
    },
    /// A name that cannot be used as the user ID of a key.
    #[error("`{}` cannot be the name on a key: {why}", name.escape_debug())]
    Name {
        /// The name.
        name: String,
        /// The problem.
        why: &'static str,
    },
    /// The key file already exists.
    #[error("the key file `{}` already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The `OpenPGP` library refuses an operation.
    #[error("cannot {doing}: {message}")]
    OpenPgp {
        /// The operation.
        doing: &'static str,
        /// The message of the library.
        message: String,
    },
    /// A signature is not trusted.
    #[error(transparent)]
    Distrust(#[from] Distrust),
}

impl Error {
    /// Whether a key or its passphrase is not on this machine, and may be on another.
    #[must_use]
    pub fn is_missing_key(&self) -> bool {
        matches!(
            self,
            Self::NoKeyFile { .. }
                | Self::File { .. }
                | Self::NoKeys
                | Self::NoKeyFolder
                | Self::PublicOnly { .. }
                | Self::PassphraseMissing { .. }
                | Self::NoGpgKey { .. }
                | Self::NoPublicKey { .. }
                | Self::Program { .. }
        )
    }
}

/// Why a certificate cannot sign an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has expired.
    #[error("{} expired on {on}", subkey.as_ref().map_or("it".to_owned(), |key| format!("its signing subkey {key}")))]
    Expired {
        /// The day.
        on: String,
        /// The fingerprint of the signing subkey, if only that has expired.
        subkey: Option<String>,
    },
    /// It is not valid yet.
    #[error("it was made on {from}, which is in the future")]
    NotYet {
        /// The day.
        from: String,
    },
    /// It was revoked.
    #[error("it is revoked ({why})")]
    Revoked {
        /// The reason for its revocation.
        why: String,
    },
    /// It has no self-signature, without which nothing is known about its keys.
    #[error("a part of it is missing: it has no self-signature")]
    Incomplete,
    /// None of its keys is for signing.
    #[error("none of its keys can sign")]
    NoSigningKey,
    /// This build cannot compute with it, and so never signs with it.
    #[error("{why}")]
    Unverifiable {
        /// The curve or the algorithm.
        why: String,
    },
    /// apt would not accept it.
    #[error("apt refuses it: {why}")]
    Unfit {
        /// The reason.
        why: String,
    },
}

/// Why a signature over a Release is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// It is not a clear-signed message.
    #[error("it is not a clear-signed message: {why}")]
    Frame {
        /// The problem.
        why: String,
    },
    /// Text and signature do not match.
    #[error("it is damaged: {why}")]
    Damaged {
        /// The problem.
        why: String,
    },
    /// It is signed by unknown keys only.
    #[error("it is signed only by keys that are not configured here: {}", signers.join(", "))]
    UnknownSigners {
        /// Fingerprints or key ids, as in the signatures.
        signers: Vec<String>,
    },
    /// Known keys have signed it, but their signatures are not valid.
    #[error("none of its signatures is valid: {}", reasons.join("; "))]
    NotBelieved {
        /// One reason for each signature of a known key.
        reasons: Vec<String>,
    },
    /// Its key has expired since it signed, so that clients refuse it.
    #[error("the key {key} that signed it has expired on {on}")]
    KeyExpired {
        /// The fingerprint of the key that signed.
        key: String,
        /// The day.
        on: String,
    },
    /// Known keys have signed it, and this build cannot compute with one of them at least.
    #[error("none of its signatures can be verified here: {}", reasons.join("; "))]
    Unverifiable {
        /// One reason for each signature of a known key.
        reasons: Vec<String>,
    },
}

/// A warning for the owner of a key that still signs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyWarning {
    /// It expires soon.
    #[error("the key {fingerprint} expires on {on}: clients will refuse the archive then")]
    Expires {
        /// The certificate.
        fingerprint: String,
        /// The day.
        on: String,
    },
    /// Fewer keys sign a suite than its configuration names.
    #[error("`SignWith:` of suite `{suite}` names {configured} keys, but only {given} signs")]
    FewerKeys {
        /// The suite.
        suite: String,
        /// The number of configured keys.
        configured: usize,
        /// The number of keys that sign.
        given: usize,
    },
    /// The public key of a signing command is unknown, so that no later command can verify the suite.
    #[error("the public key of the signing command `{}` is unknown, so later commands cannot verify the suite", command.display())]
    UnknownKey {
        /// The command.
        command: PathBuf,
    },
    /// Any other warning.
    #[error("{0}")]
    Other(String),
}
