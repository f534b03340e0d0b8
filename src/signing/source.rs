//! The names of keys: the words of `--sign-with` and `SignWith:`.

use std::{
    ffi::OsString,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use sequoia_openpgp::{Cert, crypto::mem::Protected};

use super::{
    error::Error,
    gpg::Gpg,
    keyring::{self, Keyring},
    material,
};

/// The variable that may contain a secret key.
pub const SIGNING_KEY_VARIABLE: &str = "PUBLISH_SIGNING_KEY";

/// A signing key, parsed and read, but not opened yet.
#[derive(Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// A secret key in memory.
    SecretKey {
        /// Its origin for messages: a path, or [`SIGNING_KEY_VARIABLE`].
        origin: String,
        /// The key, armoured or binary.
        bytes: Protected,
        /// Whether other users can read the file.
        exposed: bool,
    },
    /// A key of the user's gpg, by a name that gpg accepts; empty for its default key.
    Gpg(String),
    /// A command that signs.
    Command(PathBuf),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretKey { origin, .. } => {
                f.debug_tuple("SecretKey").field(origin).finish_non_exhaustive()
            }
            Self::Gpg(name) => f.debug_tuple("Gpg").field(name).finish(),
            Self::Command(path) => f.debug_tuple("Command").field(path).finish(),
        }
    }
}

impl KeySource {
    /// A secret key in memory, such as the value of [`SIGNING_KEY_VARIABLE`]: armoured, binary, or in base64, also if
    /// its line ends were changed.
    #[must_use]
    pub fn secret(origin: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = Protected::from(material::restore(bytes.into()));
        Self::SecretKey { origin: origin.into(), bytes, exposed: false }
    }

    /// Whether both are the same secret key in memory.
    #[must_use]
    pub fn has_same_bytes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::SecretKey { bytes, .. }, Self::SecretKey { bytes: others, .. }) => bytes == others,
            _ => false,
        }
    }

    /// Parses a `--sign-with` option, or one word of `SignWith:`.
    ///
    /// Relative paths are resolved against `folder`. A fingerprint is searched in the folder `keys`, unless that is
    /// empty, and then in gpg.
    pub fn parse(text: &str, folder: &Path, keys: &Path) -> Result<Self, Error> {
        let text = text.trim();
        let refused = |why| Err(Error::NotASource { text: text.to_owned(), why });
        if text.is_empty() {
            return refused("it is empty");
        }
        if material::looks_secret(text) && !folder.join(text).is_file() {
            return Err(Error::SecretAsName);
        }
        if text.chars().any(char::is_control) {
            return refused("it contains a control character");
        }
        if let Some(command) = text.strip_prefix('!') {
            let command = command.trim_start();
            if command.is_empty() || command.starts_with('-') {
                return refused("the path of a command must follow the `!`");
            }
            return Ok(Self::Command(command_path(command, folder)));
        }
        if text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("default") {
            return Ok(Self::Gpg(String::new()));
        }
        if let Some(fingerprint) = fingerprint(text) {
            // Never in the current folder, where another user may have put a file.
            if keys.as_os_str().is_empty() {
                return Ok(Self::Gpg(fingerprint));
            }
            let path = keys.join(format!("{fingerprint}.asc"));
            return match Self::file(&path) {
                Err(Error::NoKeyFile { .. }) => Ok(Self::Gpg(fingerprint)),
                read => read,
            };
        }
        let path = expand(text, folder);
        let named_like_a_file = [".asc", ".gpg", ".pgp", ".key"].iter().any(|end| text.ends_with(end));
        if named_like_a_file || text.contains('/') || path.is_file() {
            return Self::file(&path);
        }
        Ok(Self::Gpg(text.to_owned()))
    }

    /// Reads a key file.
    pub fn file(path: &Path) -> Result<Self, Error> {
        let bytes = crate::regular::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => Error::NoKeyFile { path: path.to_owned() },
            _ => Error::File { doing: "read", path: path.to_owned(), source },
        })?;
        Ok(Self::SecretKey {
            origin: path.display().to_string(),
            bytes: Protected::from(material::restore(bytes)),
            exposed: readable_by_others(path),
        })
    }

    /// The certificates that sign, without opening any secret part; those of a command are unknown.
    ///
    /// A name of gpg stands for the certificate whose secret part gpg has. A machine without it has to name the
    /// fingerprint, since anyone can make a key with the same user ID.
    pub fn certificates(&self, gpg: &Gpg) -> Result<Keyring, Error> {
        let mut keyring = Keyring::new();
        match self {
            Self::SecretKey { origin, bytes, .. } => {
                let mut certs = keyring::parse_certs(origin, bytes)?;
                // Public keys beside a secret one do not sign, so clients must not trust them.
                if certs.iter().any(Cert::is_tsk) {
                    certs.retain(Cert::is_tsk);
                }
                keyring.add_all(certs);
            }
            Self::Gpg(name) => keyring.add_all(gpg.certificates(name)?),
            Self::Command(_) => {}
        }
        Ok(keyring)
    }
}

/// The folder where `publish` stores the keys that it generates: `$XDG_CONFIG_HOME/publish/keys`, or
/// `~/.config/publish/keys`.
///
/// `environment` looks up a variable. Returns `None` without a home folder.
pub fn key_folder(environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let configuration = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(configuration.join("publish/keys"))
}

/// Parses a fingerprint in any usual form to forty capital digits.
fn fingerprint(text: &str) -> Option<String> {
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    (digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| digits.to_ascii_uppercase())
}

fn expand(text: &str, folder: &Path) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(text),
    }
}

/// reprepro's prefixes refer to the folders of an archive whose configuration is in `conf`.
fn command_path(text: &str, folder: &Path) -> PathBuf {
    if let Some(rest) = text.strip_prefix("+c/") {
        folder.join(rest)
    } else if let Some(rest) = text.strip_prefix("+b/").or_else(|| text.strip_prefix("+o/")) {
        folder.parent().unwrap_or(folder).join(rest)
    } else if text.starts_with("./") {
        PathBuf::from(text)
    } else {
        expand(text, folder)
    }
}

#[cfg(unix)]
fn readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn readable_by_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "ABD70A9619EAFBC81487A21DA804D8AC32A73FF7";

    fn parse(text: &str) -> String {
        let folder = Path::new("/srv/apt/conf");
        match KeySource::parse(text, folder, Path::new("/nowhere/keys")) {
            Ok(source) => format!("{source:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn words_mean_what_reprepro_means_by_them() {
        assert_eq!(parse("yes"), "Gpg(\"\")");
        assert_eq!(parse("Default"), "Gpg(\"\")");
        assert_eq!(parse("A804D8AC32A73FF7"), "Gpg(\"A804D8AC32A73FF7\")");
        assert_eq!(parse("packages@example.org"), "Gpg(\"packages@example.org\")");
        assert_eq!(parse("A804D8AC32A73FF7!"), "Gpg(\"A804D8AC32A73FF7!\")");
        assert_eq!(parse("! sign.sh"), "Command(\"/srv/apt/conf/sign.sh\")");
        assert_eq!(parse("!/usr/bin/sign"), "Command(\"/usr/bin/sign\")");
        assert_eq!(parse("!+b/sign"), "Command(\"/srv/apt/sign\")");
        assert_eq!(parse("!./sign"), "Command(\"./sign\")");
        assert!(parse("!").contains("must follow"));
        assert!(parse("!-x").contains("must follow"));
        assert!(parse(" ").contains("empty"));
        assert!(parse("-----BEGIN PGP\nx").contains("is a secret key itself"));
        assert!(parse("a\u{1b}b").contains("control character"));
        assert_eq!(parse("key.asc"), "there is no key file `/srv/apt/conf/key.asc`");
        assert_eq!(parse("no/such"), "there is no key file `/srv/apt/conf/no/such`");
    }

    #[test]
    fn a_fingerprint_is_known_in_any_spelling() {
        let grouped = "abd7 0a96 19ea fbc8 1487  a21d a804 d8ac 32a7 3ff7";
        for text in [FINGERPRINT, grouped, &format!("0x{FINGERPRINT}")] {
            assert_eq!(parse(text), format!("Gpg(\"{FINGERPRINT}\")"), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_looked_for_among_our_own_keys_first() {
        let keys = tempfile::tempdir().unwrap();
        fs::write(keys.path().join(format!("{FINGERPRINT}.asc")), "key").unwrap();
        let source = KeySource::parse(FINGERPRINT, keys.path(), keys.path()).unwrap();
        assert!(matches!(source, KeySource::SecretKey { exposed: true, .. }));
        fs::write(keys.path().join("plain"), "key").unwrap();
        let source = KeySource::parse("plain", keys.path(), keys.path()).unwrap();
        assert!(matches!(source, KeySource::SecretKey { .. }));
    }

    #[test]
    fn keys_are_kept_with_the_user_s_configuration() {
        let folder = |variables: &[(&str, &str)]| {
            key_folder(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert_eq!(folder(&[("HOME", "/h")]), Some("/h/.config/publish/keys".into()));
        assert_eq!(folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x/publish/keys".into()));
        assert_eq!(
            folder(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]),
            Some("/h/.config/publish/keys".into())
        );
        assert_eq!(folder(&[]), None);
    }
}
