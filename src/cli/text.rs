//! Text from outside as it may be printed: no control characters reach a terminal, and no secrets any output.

use std::{fmt::Write as _, path::Path};

use super::secrets;
use crate::redact::{is_secret_name, redact};

pub(super) use super::shell::shell_word;

/// The shortest secret that is masked wherever it occurs; a shorter one is likely to be part of other words.
const SHORTEST: usize = 8;

/// Variables with secrets whose names do not show it.
const OTHER_VARIABLES: &[&str] = &["ST_KEY", "AZURE_STORAGE_CONNECTION_STRING", "GOOGLE_SERVICE_ACCOUNT_KEY"];

/// A variable with the path of a file, whose name looks like that of a secret; a path that leads nowhere must be shown.
const PATH_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

/// The secrets in the environment.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Reads the environment of this process.
    pub(super) fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let Self(mut secrets) = Self::of(variables);
        secrets.extend(secrets::of_process());
        Self::with(secrets)
    }

    /// The given secrets; a short one is likely to be part of other words.
    pub(super) fn with(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| secret.len() >= SHORTEST);
        // A secret may contain another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    fn of(variables: impl Iterator<Item = (String, String)>) -> Self {
        let is_secret = |name: &str| OTHER_VARIABLES.contains(&name) || is_secret_name(name);
        let secrets = variables
            .filter(|(name, _)| is_secret(name))
            .map(|(name, value)| (name, value.trim().to_owned()))
            .filter(|(name, value)| !(is_file(value) || name == PATH_VARIABLE && is_path(value)))
            .map(|(_, value)| value)
            .collect();
        Self::with(secrets)
    }

    /// Masks the secrets in a text, and everything else that is recognizable as one.
    pub(super) fn masked(&self, text: &str) -> String {
        let known = |text: String, secret: &String| text.replace(&**secret, "***");
        redact(&self.0.iter().fold(text.to_owned(), known))
    }
}

/// Whether a value is the path of a file, which is shown.
fn is_file(value: &str) -> bool {
    let path = Path::new(value);
    path.is_absolute() && path.exists()
}

/// Whether a value may only be a path: not the credentials themselves.
fn is_path(value: &str) -> bool {
    value.starts_with(['/', '.', '~']) && !value.contains(['{', '\n'])
}

/// Renders rows as lines: in columns for a person, else with one blank between the fields, which `cut` and `awk` read.
pub(super) fn columns<R: AsRef<[String]>>(rows: &[R], aligned: bool) -> String {
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let width = |at: usize| {
        let fields = rows.iter().filter_map(|row| row.as_ref().get(at));
        if aligned && at + 1 < columns { fields.map(|field| field.chars().count()).max() } else { None }
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        for (at, (field, width)) in row.as_ref().iter().zip(&widths).enumerate() {
            let (gap, width) = (if at + 1 < columns { ' ' } else { '\n' }, *width);
            // Writing to a string cannot fail.
            let _ = write!(text, "{field:width$}{gap}");
        }
    }
    text
}

/// Escapes foreign text for one line of a terminal.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Whether a character controls a terminal: also the bidirectional controls, which make a text look like another, and the
/// line separators.
pub(super) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_environment_are_masked_wherever_they_occur() {
        let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let secrets = Secrets::of(
            [
                ("AWS_SECRET_ACCESS_KEY", "hush-hush/1"),
                ("ST_KEY", "hush-hush/12\n"),
                ("OS_PASSWORD", "short"),
                ("PATH", "/usr/bin:/bin"),
                ("MY_TOKEN", "/etc/passwd"),
            ]
            .into_iter()
            .map(variable),
        );
        assert_eq!(secrets.masked("a hush-hush/12 b hush-hush/1c"), "a *** b ***c");
        for text in ["short", "/usr/bin:/bin", "/etc/passwd"] {
            assert_eq!(secrets.masked(text), text);
        }
        assert_eq!(secrets.masked("https://me:hush@h"), "https://me:***@h");
    }

    #[test]
    fn columns_are_aligned_for_a_person_alone() {
        let rows = [["a", "bcd", "e"], ["fgé", "h", "ij"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows, false), "a bcd e\nfgé h ij\n");
        assert_eq!(columns(&rows, true), "a   bcd e\nfgé h   ij\n");
        assert_eq!(columns::<[String; 1]>(&[], true), "");
    }

    #[test]
    fn control_characters_are_escaped() {
        let hostile = "a\u{1b}]0;x\u{7}\r\n\t\u{9b}1m\u{202e}\u{7f}\u{2028}z";
        assert_eq!(plain(hostile), r"a\u{1b}]0;x\u{7}\r\n\t\u{9b}1m\u{202e}\u{7f}\u{2028}z");
        assert_eq!(plain("Größe \u{1f600} `x`"), "Größe \u{1f600} `x`");
    }
}
