//! Hints for unusable keys and untrusted signatures.

use std::io;

use crate::signing::{Distrust, Error, KeyWarning, Refusal, SIGNING_KEY_VARIABLE};

/// Returns what the user can do about an error.
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::NoKeyFile { .. } => {
            "create a key with `publish key generate`; name a gpg key by its fingerprint".to_owned()
        }
        Error::NoKeys => {
            "name a key with `--sign-with KEY`, in PUBLISH_SIGNING_KEY, or in `SignWith:` in conf/distributions"
                .to_owned()
        }
        Error::SecretAsName => format!(
            "pass the key itself in {SIGNING_KEY_VARIABLE}, or its file in PUBLISH_SIGNING_KEY_FILE; `--sign-with`, \
             PUBLISH_SIGN_WITH and `SignWith:` take a fingerprint, a file or a gpg key"
        ),
        Error::CommandAmongKeys { .. } => {
            "use either one command or keys in `SignWith:`, not both".to_owned()
        }
        Error::KeyOfCommand { .. } => {
            "name the key itself: `publish key show FINGERPRINT` or `publish key export FINGERPRINT`".to_owned()
        }
        Error::NoKeyFolder => "name the file with `--output FILE`".to_owned(),
        Error::NotAKey { origin } if origin == SIGNING_KEY_VARIABLE => format!(
            "{origin} must contain the whole secret key: armored, from the BEGIN line to the END line, or in base64, as \
             `gpg --export-secret-keys KEY | base64` prints it; pass the name of a file in PUBLISH_SIGNING_KEY_FILE"
        ),
        Error::NotAKey { .. } => "export a key with `gpg --export --armor KEY > key.asc`; to sign with it, export its secret part with `gpg --export-secret-keys`".to_owned(),
        Error::PublicOnly { .. } => {
            "export the secret key with `gpg --export-secret-keys --armor KEY > key.asc`, or name the key by its \
             fingerprint to sign with gpg"
                .to_owned()
        }
        Error::PassphraseMissing { .. } => {
            "set PUBLISH_PASSPHRASE to the passphrase, or PUBLISH_PASSPHRASE_FILE to the name of a file that \
             contains it"
                .to_owned()
        }
        Error::WrongPassphrase { .. } => {
            "check PUBLISH_PASSPHRASE, or the file that PUBLISH_PASSPHRASE_FILE names".to_owned()
        }
        Error::Refused { refusal, fingerprint, .. } => of_refusal(refusal, fingerprint),
        Error::Program { program, source } if source.kind() == io::ErrorKind::NotFound => {
            if program.file_name().is_some_and(|name| name == "gpg") {
                "install gnupg, or sign with a secret key file, which needs no gpg".to_owned()
            } else {
                "a relative path is resolved from the folder of conf/distributions".to_owned()
            }
        }
        Error::NoGpgKey { .. } => {
            "list the keys of this user with `gpg --list-secret-keys`; GNUPGHOME selects another keyring".to_owned()
        }
        Error::NoPublicKey { .. } => {
            "import it with `gpg --import FILE`, or name a file with the public key; GNUPGHOME selects another keyring"
                .to_owned()
        }
        Error::Ambiguous { .. } => "use the full fingerprint".to_owned(),
        Error::Gpg { message, .. } if is_wrong_passphrase(message) => {
            "check PUBLISH_PASSPHRASE, or the file that PUBLISH_PASSPHRASE_FILE names".to_owned()
        }
        Error::Gpg { message, .. } if is_prompt(message) => {
            "gpg cannot prompt here: set PUBLISH_PASSPHRASE to the passphrase, or PUBLISH_PASSPHRASE_FILE to the name of a \
             file that contains it, or unlock the key in gpg-agent first"
                .to_owned()
        }
        Error::Command { .. } => {
            "the command gets three arguments: the file to sign, and the paths of InRelease and Release.gpg to write"
                .to_owned()
        }
        Error::Expiry { .. } => "use `3y`, `18m`, `90d`, a date such as 2030-01-31, or `never`".to_owned(),
        Error::Name { .. } => "use a name and an address, such as `Example archive <packages@example.org>`".to_owned(),
        Error::Exists { .. } => "a key file is never overwritten: name another one with `--output FILE`".to_owned(),
        Error::Distrust(distrust) => of_distrust(distrust).to_owned(),
        _ => return None,
    };
    Some(hint)
}

/// Returns what the user can do about a warning of a key, which `replace` replaces.
pub(in crate::cli) fn of_warning(warning: &KeyWarning, replace: impl FnOnce() -> String) -> Option<String> {
    let hint = match warning {
        KeyWarning::Expires { .. } => replace(),
        KeyWarning::FewerKeys { .. } => format!(
            "`--sign-with` and {SIGNING_KEY_VARIABLE} override `SignWith:`, and must name every key during a key rotation"
        ),
        KeyWarning::UnknownKey { .. } => {
            "add a file with it to `TrustedKeys:` in conf/distributions".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

/// Whether gpg got a passphrase that does not open the key.
fn is_wrong_passphrase(message: &str) -> bool {
    message.contains("Bad passphrase") || message.contains("bad passphrase")
}

/// Whether gpg failed because it could not ask for a passphrase.
fn is_prompt(message: &str) -> bool {
    let message = message.to_lowercase();
    ["passphrase", "pinentry", "inappropriate ioctl", "operation cancelled", "no tty", "timeout"]
        .iter()
        .any(|cause| message.contains(cause))
}

fn of_refusal(refusal: &Refusal, fingerprint: &str) -> String {
    let hint = match refusal {
        Refusal::Expired { subkey: Some(subkey), .. } => {
            return format!(
                "extend the subkey in gpg with `gpg --quick-set-expire {fingerprint} 3y {subkey}`, then export the key again \
                 with `gpg --export-secret-keys --armor {fingerprint}`; clients need the new public key"
            );
        }
        Refusal::Expired { .. } => {
            "extend a gpg key with `gpg --quick-set-expire FINGERPRINT 3y` (clients need the new public key), or create a \
             new key with `publish key generate`"
        }
        Refusal::NotYet { .. } => "check the clock of this machine, and PUBLISH_DATE",
        Refusal::Revoked { .. } => {
            "create a new key with `publish key generate`; clients need its public part"
        }
        Refusal::Incomplete => {
            "export the whole key with `gpg --export-secret-keys --armor FINGERPRINT`; a variable needs all of its lines, from BEGIN to END"
        }
        Refusal::NoSigningKey => "use a key whose primary key or a subkey has the signing flag",
        Refusal::Unverifiable { .. } => {
            "RSA and Ed25519 work everywhere: create a new key with `publish key generate`"
        }
        Refusal::Unfit { .. } => {
            "show whether apt accepts a key with `publish key show`; create a key that every apt accepts with `publish key generate`"
        }
    };
    hint.replace("FINGERPRINT", fingerprint)
}

/// Hint for a source whose key has expired.
pub(super) const EXPIRED_KEY: &str = "clients refuse it as well: get a copy of the key with a later expiry from its publisher and name it with `--keyring FILE`; extend a key of your own in gpg with `gpg --quick-set-expire FINGERPRINT 3y`; if the source is correct as it is, copy it once with `--trust-existing`";

fn of_distrust(distrust: &Distrust) -> &'static str {
    match distrust {
        Distrust::UnknownSigners { .. } => {
            "sign with the key that signed the archive before, or adopt it once with `--trust-existing`"
        }
        Distrust::Frame { .. } | Distrust::Damaged { .. } => {
            "it was changed by something other than a publisher: restore it with `publish check --repair`"
        }
        Distrust::NotBelieved { .. } => {
            "adopt the archive once with `--trust-existing`; the next commit signs it with the current key"
        }
        Distrust::KeyExpired { .. } => EXPIRED_KEY,
        Distrust::Unverifiable { .. } => {
            "verify it with `gpgv --keyring ./KEYS.gpg InRelease`; if its signature is good, adopt the archive once with `--trust-existing`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_variable_that_is_to_be_set() {
        let origin = || "key.asc".to_owned();
        let message = hint(&Error::PassphraseMissing { origin: origin() }).unwrap();
        assert!(message.contains("PUBLISH_PASSPHRASE_FILE"), "{message}");
        let (doing, text) = ("sign".to_owned(), "gpg: signing failed: Bad passphrase".to_owned());
        let message = hint(&Error::Gpg { doing, message: text }).unwrap();
        assert!(message.contains("check PUBLISH_PASSPHRASE"), "{message}");
        for text in [
            "gpg: signing failed: No pinentry",
            "gpg: signing failed: Inappropriate ioctl for device",
            "gpg: signing failed: Operation cancelled",
            "gpg: signing failed: Timeout",
            "gpg: Sorry, no terminal at all requested - can't get input; no tty",
        ] {
            let message = hint(&Error::Gpg { doing: "sign".to_owned(), message: text.to_owned() }).unwrap();
            assert!(message.contains("PUBLISH_PASSPHRASE_FILE"), "{message}");
        }
        let (origin, fingerprint) = (origin(), "AAAA".to_owned());
        let refusal = Refusal::Expired { on: "2021-01-01".to_owned(), subkey: Some("BBBB".to_owned()) };
        let error = Error::Refused { origin, fingerprint, refusal };
        assert!(error.to_string().contains("its signing subkey BBBB expired on 2021-01-01"), "{error}");
        assert!(hint(&error).unwrap().contains("--quick-set-expire AAAA 3y BBBB`"));
        let message = hint(&Error::NotAKey { origin: SIGNING_KEY_VARIABLE.to_owned() }).unwrap();
        assert!(message.contains("base64"), "{message}");
        let message = hint(&Error::KeyOfCommand { command: "/usr/bin/sign".into() }).unwrap();
        assert!(message.contains("publish key export"), "{message}");
    }
}
