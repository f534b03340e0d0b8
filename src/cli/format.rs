//! The language of `list --format` and of reprepro's `--list-format`: `${field}`, `${field;length}`, `${$property}` and
//! escapes.

use std::fmt::Write as _;

use super::text::plain;
use crate::{dists::Entry, stanza::Stanza};

/// A parsed format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A field or, after a `$`, a property; filled to this width: on the right, or on the left if it is negative.
    Field {
        name: String,
        width: i64,
    },
}

/// A wider field is no column that a person reads, and must not exhaust the memory.
const WIDEST: i64 = 10_000;

impl Format {
    /// Parses a format. Every text is one: an unfinished field stands for itself.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((inside, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')) {
                let (name, width) = inside.split_once(';').unwrap_or((inside, ""));
                let width = width.trim().parse().unwrap_or(0);
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Field {
                    name: name.to_ascii_lowercase(),
                    width: i64::clamp(width, -WIDEST, WIDEST),
                });
                rest = after;
                continue;
            }
            rest = &rest[first.len_utf8()..];
            if first != '\\' {
                plain.push(first);
                continue;
            }
            let Some(escaped) = rest.chars().next() else { break };
            rest = &rest[escaped.len_utf8()..];
            plain.push(match escaped {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                other => other,
            });
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// Renders the values of fields and of properties; their names are in lower case.
    pub(super) fn with(&self, value: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Field { name, width } => {
                    // Lines of a field that is asked for stay lines; nothing else may control a terminal.
                    let value = value(name);
                    let lines = value.trim_start_matches('\n').split('\n').map(plain);
                    let value = lines.collect::<Vec<_>>().join("\n");
                    let length = usize::try_from(width.unsigned_abs()).unwrap_or_default();
                    let cut: String =
                        value.chars().take(if length == 0 { usize::MAX } else { length }).collect();
                    let _ = if *width < 0 {
                        write!(text, "{cut:>length$}")
                    } else {
                        write!(text, "{cut:<length$}")
                    };
                }
            }
        }
        text
    }
}

/// The value of a property of the package itself, or of a field of its stanza; empty without one.
pub(super) fn value_of(entry: &Entry, name: &str) -> String {
    let path = || entry.main_file().and_then(|file| file.path.as_deref()).unwrap_or_default();
    match name {
        "$source" => entry.source().name.to_owned(),
        "$sourceversion" => entry.source().version.to_owned(),
        "$basename" => path().rsplit('/').next().unwrap_or_default().to_owned(),
        "$filekey" => path().to_owned(),
        "package" => entry.name.to_string(),
        "version" => entry.version.to_string(),
        field => {
            let stanza = Stanza::parse(&entry.stanza).ok();
            let text = stanza.as_ref().and_then(|stanza| stanza.text_of(field));
            // A list of files begins on a line of its own.
            text.map(|text| text.trim_start().to_owned()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_rendered_as_by_reprepro() {
        let value = |name: &str| match name {
            "package" => "hello".to_owned(),
            "$type" => "deb".to_owned(),
            "lines" => "\none\n two".to_owned(),
            "control" => "\u{1b}[1m".to_owned(),
            _ => String::new(),
        };
        for (format, expected) in [
            ("${package}\\n", "hello\n"),
            ("${Package}|${$type}", "hello|deb"),
            ("${package;8}|", "hello   |"),
            ("${package;-8}|", "   hello|"),
            ("${package;2}|${package;-2}", "he|he"),
            ("${nosuch} $x \\$ \\\\ \\q\\t.", " $x $ \\ q\t."),
            ("${package", "${package"),
            ("${ package }|${lines}|${control}", "|one\n two|\\u{1b}[1m"),
            ("\\", ""),
            ("", ""),
        ] {
            assert_eq!(Format::parse(format).with(value), expected, "{format}");
        }
    }
}
