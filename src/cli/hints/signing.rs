//! What to do about a key that cannot be used, and a signature that is not believed.

use std::io;

use crate::signing::{Distrust, Error, Refusal, SIGNING_KEY_VARIABLE};

/// What the user can do about it.
pub(in crate::cli) fn hint(error: &Error) -> Option<String> {
    let hint = match error {
        Error::NoKeyFile { .. } => {
            "`publish key generate` makes a key; a gpg key is named by its fingerprint".to_owned()
        }
        Error::NoKeys => {
            "give one with --sign-with, in PUBLISH_SIGNING_KEY or as SignWith: in conf/distributions"
                .to_owned()
        }
        Error::CommandAmongKeys { .. } => {
            "let the command make all signatures, or name keys only".to_owned()
        }
        Error::KeyOfCommand { .. } => {
            "name the key itself: `publish key show FINGERPRINT`, `publish key export FINGERPRINT`".to_owned()
        }
        Error::NoKeyFolder => "name the file with --output".to_owned(),
        Error::NotAKey { origin } if origin == SIGNING_KEY_VARIABLE => format!(
            "{origin} must hold the armoured secret key with its line breaks, from the BEGIN line to the END line"
        ),
        Error::NotAKey { .. } => "`gpg --export-secret-keys --armor KEY` writes a key file from gpg".to_owned(),
        Error::PublicOnly { .. } => {
            "signing needs the secret part: `gpg --export-secret-keys --armor KEY` writes it, or name the key by \
             its fingerprint to sign through gpg"
                .to_owned()
        }
        Error::PassphraseMissing { .. } => {
            "put the passphrase in PUBLISH_PASSPHRASE, or the name of a file that holds it in \
             PUBLISH_PASSPHRASE_FILE"
                .to_owned()
        }
        Error::WrongPassphrase { .. } => {
            "look at PUBLISH_PASSPHRASE, or at the file that PUBLISH_PASSPHRASE_FILE names".to_owned()
        }
        Error::Refused { refusal, .. } => of_refusal(refusal).to_owned(),
        Error::Program { program, source } if source.kind() == io::ErrorKind::NotFound => {
            if program.file_name().is_some_and(|name| name == "gpg") {
                "install gnupg, or sign with a secret key file, which needs no gpg".to_owned()
            } else {
                "a relative path starts at the folder of conf/distributions".to_owned()
            }
        }
        Error::NoGpgKey { .. } => {
            "`gpg --list-secret-keys` shows the keys of this user; GNUPGHOME names another key ring".to_owned()
        }
        Error::Ambiguous { .. } => "write the whole fingerprint".to_owned(),
        Error::Gpg { said, .. } if said.contains("assphrase") || said.contains("pinentry") => {
            "gpg may not ask here: put the passphrase in PUBLISH_PASSPHRASE, or unlock the key in gpg-agent first"
                .to_owned()
        }
        Error::Command { .. } => {
            "it is run with three arguments: the file to sign, where to write InRelease, where to write Release.gpg"
                .to_owned()
        }
        Error::Expiry { .. } => "write `3y`, `18m`, `90d`, a date such as 2030-01-31, or `never`".to_owned(),
        Error::Name { .. } => "write a name and an address, such as `Example archive <packages@example.org>`".to_owned(),
        Error::Exists { .. } => "a key file is never overwritten: name another with --output".to_owned(),
        Error::Distrust(distrust) => of_distrust(distrust).to_owned(),
        _ => return None,
    };
    Some(hint)
}

fn of_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Expired { .. } => {
            "`gpg --quick-set-expire FINGERPRINT 3y` extends a key of gpg (clients need the new public key); \
             `publish key generate` makes a new one"
        }
        Refusal::NotYet { .. } => "look at the clock of this machine, and at SOURCE_DATE_EPOCH",
        Refusal::Revoked { .. } => "`publish key generate` makes a new key; clients need its public part",
        Refusal::NoSigningKey => "use a key whose primary key or one subkey has the signing flag",
        Refusal::Unfit { .. } => {
            "`publish key show` tells what apt thinks of a key, `publish key generate` makes one that every apt accepts"
        }
    }
}

fn of_distrust(distrust: &Distrust) -> &'static str {
    match distrust {
        Distrust::UnknownSigners { .. } => {
            "if the archive is yours, sign with the key that signed it before; --trust-existing takes it as it is"
        }
        Distrust::Frame { .. } | Distrust::Damaged { .. } => {
            "somebody or something other than a publisher may have changed it"
        }
        Distrust::NotBelieved { .. } => {
            "--trust-existing takes the archive as it is; the next publish signs it with the key of today"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_variable_that_is_to_be_set() {
        let origin = || "key.asc".to_owned();
        let said = hint(&Error::PassphraseMissing { origin: origin() }).unwrap();
        assert!(said.contains("PUBLISH_PASSPHRASE_FILE"), "{said}");
        let (doing, text) = ("sign".to_owned(), "gpg: signing failed: Bad passphrase".to_owned());
        let said = hint(&Error::Gpg { doing, said: text }).unwrap();
        assert!(said.contains("PUBLISH_PASSPHRASE"), "{said}");
        let said = hint(&Error::NotAKey { origin: SIGNING_KEY_VARIABLE.to_owned() }).unwrap();
        assert!(said.contains("line breaks"), "{said}");
        let said = hint(&Error::KeyOfCommand { command: "/usr/bin/sign".into() }).unwrap();
        assert!(said.contains("publish key export"), "{said}");
    }
}
