//! The secrets that the command line and the environment give for keys, in the words in which messages may contain them.

use std::env;

use crate::signing::looks_secret;

/// The variable that contains the passphrase.
pub(super) const PASSPHRASE: &str = "PUBLISH_PASSPHRASE";

/// The secrets in the arguments and the variables of this process.
pub(super) fn of_process() -> Vec<String> {
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let variables = env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    of(arguments, variables)
}

fn of(
    arguments: impl Iterator<Item = String>,
    variables: impl Iterator<Item = (String, String)>,
) -> Vec<String> {
    let mut words = Vec::new();
    for argument in arguments {
        // `--option=VALUE`; base64 ends in `=` as well.
        let value = argument.split_once('=').filter(|(option, _)| option.starts_with('-'));
        for text in [Some(argument.as_str()), value.map(|(_, value)| value)].into_iter().flatten() {
            if looks_secret(text) {
                words.extend(parts(text));
            }
        }
    }
    for (name, value) in variables.filter(|(name, _)| name.starts_with("PUBLISH_")) {
        if name == PASSPHRASE {
            words.push(value.trim().to_owned());
        } else if looks_secret(&value) {
            words.extend(parts(&value));
        }
    }
    words
}

/// The words of a secret: a message may escape its line ends.
fn parts(secret: &str) -> Vec<String> {
    let lines = secret.replace("\\r", "\n").replace("\\n", "\n");
    let words = lines.split(|c: char| c.is_whitespace() || c.is_control() || "\"'".contains(c));
    words.filter(|word| !["-----BEGIN", "BLOCK-----"].contains(word)).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::text::Secrets;

    #[test]
    fn secrets_are_masked_however_they_are_quoted() {
        let key = "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgEZZIAgBYJKwYBBAHaRw8BAQdA\nAAECAwQFBgcICQ==\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n";
        let variables = [
            ("PUBLISH_SIGN_WITH", key),
            ("PUBLISH_PASSPHRASE", "correct horse\n"),
            ("PUBLISH_ARCHIVE", "/srv/an-archive-of-a-long-name"),
        ];
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let base64 = "bFNGRVpaSUFnQllKS3dZQkJBSGFSdzhCQVFkQWJGTkZSVnBhU1VGblFsbEtTM2RaUWtKQlNHRg";
        let arguments = [format!("--sign-with={base64}"), "add".to_owned()];
        let secrets = Secrets::with(of(arguments.into_iter(), variables));
        for text in [key.to_owned(), key.escape_debug().to_string(), format!("a {base64}: \"correct horse\"")]
        {
            let masked = secrets.masked(&text);
            for word in ["lFgEZZIA", "AAECAwQF", base64, "correct horse"] {
                assert!(!masked.contains(word), "{masked}");
            }
        }
        let text = "cannot add `/srv/an-archive-of-a-long-name`";
        assert_eq!(secrets.masked(text), text);
        // A key that looks like an option with a value, because base64 ends in `=`.
        for key in [key.to_owned(), key.replace('\n', "\\n")] {
            let secrets = Secrets::with(of([key.clone()].into_iter(), std::iter::empty()));
            assert!(!secrets.masked(&key).contains("lFgEZZIA"));
        }
    }
}
