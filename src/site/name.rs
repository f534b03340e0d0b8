//! The name of an archive as part of the names of files: `NAME.sources`, `NAME-archive-keyring.pgp`.
//!
//! It is the `Label` of the suites, else their `Origin`, else the host of the URL, in lower case, with `-` for every run of
//! characters that are not letters, digits or `.`. apt ignores files in sources.list.d with other characters.

/// The name of an archive without a label, an origin and a URL.
pub(super) const DEFAULT: &str = "archive";

/// Stands for a URL that only the owner of a bucket knows: a custom domain, a CDN, or that of the service.
pub const UNKNOWN_URL: &str = "https://PUBLIC-URL";

/// The maximal length, so that every file system takes the names of files.
const LONGEST: usize = 40;

/// Returns the name of an archive: from the first of these texts that has a letter or a digit.
#[must_use]
pub fn archive_name<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    texts.into_iter().find_map(safe)
}

/// Returns the name of an archive without a label and an origin.
pub(crate) fn of_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    safe(rest.split('/').next()?)
}

fn safe(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.trim().to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            // `..` would be the folder above.
            '.' if name.ends_with(|c: char| c.is_ascii_alphanumeric()) => name.push(c),
            _ if name.ends_with(['-', '.']) || name.is_empty() => {}
            _ => name.push('-'),
        }
        if name.len() == LONGEST {
            break;
        }
    }
    let name = name.trim_matches(['-', '.']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The file at the root with the stanzas for clients.
pub(crate) fn sources_file(name: &str) -> String {
    format!("{name}.sources")
}

/// The file at the root with the binary public keys.
pub(crate) fn keyring_file(name: &str) -> String {
    format!("{name}-archive-keyring.pgp")
}

/// The file of the public keys on a client.
#[must_use]
pub fn installed_key(name: &str) -> String {
    format!("/etc/apt/keyrings/{name}.asc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_the_names_of_files() {
        for (text, name) in [
            ("Example, Inc.", Some("example-inc")),
            ("packages.example.org:8080", Some("packages.example.org-8080")),
            ("  ..//../etc/passwd", Some("etc-passwd")),
            ("a..b", Some("a.b")),
            ("C++ & Söhne", Some("c-s-hne")),
            ("日本", None),
            ("", None),
        ] {
            assert_eq!(safe(text).as_deref(), name, "{text}");
        }
        let long = safe(&"a b".repeat(40)).unwrap();
        assert!(long.len() <= LONGEST && !long.ends_with('-'), "{long}");
    }

    #[test]
    fn the_first_text_with_a_letter_decides() {
        assert_eq!(archive_name(["", "***", "Label", "Origin"]).as_deref(), Some("label"));
        assert_eq!(of_url("https://deb.example.org/apt").as_deref(), Some("deb.example.org"));
        assert_eq!(of_url("nothing"), None);
    }
}
