//! What can go wrong with keys and signatures.

use std::{io, path::PathBuf};

/// Why an archive cannot be signed, or a key not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key file or one of our own temporary files cannot be read or written.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// What was being done: `read`, `write`, …
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no key file at this place.
    #[error("there is no key file `{}`", path.display())]
    NoKeyFile {
        /// The place.
        path: PathBuf,
    },
    /// No key was named at all.
    #[error("no signing key is given")]
    NoKeys,
    /// A text that names no key.
    #[error("`{}` names no signing key: {why}", text.escape_debug())]
    NotASource {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A command signs everything or nothing.
    #[error("the signing command `{}` cannot be mixed with other keys", command.display())]
    CommandAmongKeys {
        /// The command.
        command: PathBuf,
    },
    /// Nobody here knows what a command signs with.
    #[error("the key of the signing command `{}` is not known here", command.display())]
    KeyOfCommand {
        /// The command.
        command: PathBuf,
    },
    /// There is no home to keep a key in.
    #[error("there is no folder to keep the key in: neither XDG_CONFIG_HOME nor HOME is set")]
    NoKeyFolder,
    /// The bytes are no key.
    #[error("`{origin}` holds no OpenPGP key")]
    NotAKey {
        /// Where the bytes come from.
        origin: String,
    },
    /// The secret part is not there.
    #[error("`{origin}` holds only the public part of a key{}", detail.map(|text| format!(": {text}")).unwrap_or_default())]
    PublicOnly {
        /// Where the key comes from.
        origin: String,
        /// What is missing, if only a part is.
        detail: Option<&'static str>,
    },
    /// The key is protected and no passphrase was given.
    #[error("the key in `{origin}` is protected by a passphrase, and none is given")]
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
    /// The key may not sign, or not now.
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
        /// What the system says.
        source: io::Error,
    },
    /// `gpg` has no secret key of that name.
    #[error("gpg has no usable secret key {}", if key.is_empty() { "at all".to_owned() } else { format!("for `{key}`") })]
    NoGpgKey {
        /// The name, empty for the default key.
        key: String,
        /// What gpg says.
        said: String,
    },
    /// A name that fits several keys of gpg.
    #[error("`{key}` names {} secret keys of gpg: {}", fingerprints.len(), fingerprints.join(", "))]
    Ambiguous {
        /// The name.
        key: String,
        /// All usable keys that it fits.
        fingerprints: Vec<String>,
    },
    /// `gpg` failed.
    #[error("gpg could not {doing}: {said}")]
    Gpg {
        /// What it should do.
        doing: String,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// A signing command did not do what it must.
    #[error("the signing command `{}` {what}", command.display())]
    Command {
        /// The command.
        command: PathBuf,
        /// What it did instead.
        what: String,
    },
    /// A Release whose two signed forms would not have the same text.
    #[error("the Release cannot be signed: line {line} {why}")]
    Unsignable {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A signature that was just made does not verify.
    #[error("the new {form} does not verify with the key {fingerprint}: {why}")]
    SelfCheck {
        /// `InRelease` or `Release.gpg`.
        form: &'static str,
        /// The key that should have signed, or what signed instead.
        fingerprint: String,
        /// The reason.
        why: String,
    },
    /// A date or duration that is none.
    #[error("`{}` is no expiry: {why}", text.escape_debug())]
    Expiry {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name that cannot stand on a key.
    #[error("`{}` cannot be the name on a key: {why}", name.escape_debug())]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key file that should be written is there already.
    #[error("the key file `{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The library for signatures refuses for a reason of its own.
    #[error("cannot {doing}: {said}")]
    OpenPgp {
        /// What was being done.
        doing: &'static str,
        /// What the library says.
        said: String,
    },
    /// A signature is not believed.
    #[error(transparent)]
    Distrust(#[from] Distrust),
}

/// Why a certificate may not sign an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its time is over.
    #[error("it expired on {on}")]
    Expired {
        /// The day.
        on: String,
    },
    /// Its time has not come.
    #[error("it was made on {from}, which is still to come")]
    NotYet {
        /// The day.
        from: String,
    },
    /// Its owner took it back.
    #[error("it is revoked ({why})")]
    Revoked {
        /// The reason that its owner gave.
        why: String,
    },
    /// No part of it may sign data.
    #[error("no part of it is for signing")]
    NoSigningKey,
    /// apt would not believe it.
    #[error("apt refuses it: {why}")]
    Unfit {
        /// The reason.
        why: String,
    },
}

/// Why a signature over a Release is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// Not the frame of a clear-signed message.
    #[error("it is no clear-signed message: {why}")]
    Frame {
        /// What is wrong.
        why: String,
    },
    /// Text and signature do not belong together.
    #[error("it is damaged: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// Nobody we know has signed it.
    #[error("it is signed only by keys that are not configured here: {}", signers.join(", "))]
    UnknownSigners {
        /// Fingerprints or key ids, as the signatures name them.
        signers: Vec<String>,
    },
    /// Known keys have signed it, but their signatures do not count.
    #[error("no signature on it counts: {}", reasons.join("; "))]
    NotBelieved {
        /// One reason for each signature of a known key.
        reasons: Vec<String>,
    },
}

/// Something that the owner of a key should know, although it signs.
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
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}
