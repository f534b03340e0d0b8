//! How a signing key is replaced, as commands that can be pasted.

use std::{env, path::Path};

use super::{given_keys::SIGNING_KEY_FILE, text::shell_word};

/// The commands that replace the keys of an archive.
#[derive(Debug)]
pub(super) struct Replacement {
    /// The commands, in their order.
    pub commands: Vec<String>,
    /// The rest, to be done later, as a sentence.
    pub later: Option<String>,
}

/// The rotation of a key that no configuration names.
pub(super) const ROTATE_BY_HAND: &str = "rotate by hand: run `publish refresh --force` and `publish key package` with `--sign-with OLD --sign-with NEW`, and \
     use both in every other command; once clients have the package, run the same two with `--sign-with NEW`";

impl Replacement {
    /// Without a configuration the new key is made in the folder `keys`, and signs beside the old one, which `sign_with` or a
    /// variable names. `publish` is the beginning of a command for this archive, and `name` an option of `key package`.
    pub(super) fn by_hand(publish: &str, sign_with: &[String], keys: Option<&Path>, name: &str) -> Self {
        let file = || Some(vec![env::var(SIGNING_KEY_FILE).ok()?]);
        let old = if sign_with.is_empty() { file() } else { Some(sign_with.to_vec()) };
        let (Some(old), Some(keys)) = (old, keys) else {
            // A secret in a variable has no name that a command could use.
            return Self {
                commands: vec!["publish key generate".to_owned()],
                later: Some(ROTATE_BY_HAND.to_owned()),
            };
        };
        let names =
            ["next.asc".to_owned()].into_iter().chain((2..).map(|number| format!("next-{number}.asc")));
        // A key file is never overwritten.
        let free = names.map(|name| keys.join(name)).find(|path| !path.exists());
        let new = free.map(|path| shell_word(&path.display().to_string())).unwrap_or_default();
        let old: String =
            old.iter().flat_map(|word| [" --sign-with ".to_owned(), shell_word(word)]).collect();
        let with_both = format!("{publish}{old} --sign-with {new}");
        Self {
            commands: vec![
                format!("publish key generate --output {new}"),
                format!("{with_both} refresh --force"),
                format!("{with_both} key package{name}"),
            ],
            later: Some(format!(
                "use both keys in every other command; once clients have the package, run the last two with `--sign-with {new}` only"
            )),
        }
    }

    /// One line for each command, and one for the rest.
    pub(super) fn lines(&self) -> String {
        self.commands.iter().chain(&self.later).map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
