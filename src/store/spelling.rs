//! The spelling of a path in a URL.
//!
//! Servers and caches may treat two spellings of one path as different files. apt percent-encodes, in lower case, what a
//! URL cannot contain, and `+` and `~` too (`pkgAcquire::URIEncode`), because S3 once decoded a `+` as a space; it sends
//! the base URL as its user wrote it.

use std::fmt::Write as _;

/// Characters that apt encodes although it need not.
pub(crate) const BY_APT: &[u8] = b"+~";

/// Percent-encodes, in lower case, the characters that are never valid in a URL path (RFC 3986, 3.3), and `more`.
pub(crate) fn encoded(path: &str, more: &[u8]) -> String {
    encode(path.bytes(), more)
}

fn encode(path: impl Iterator<Item = u8>, more: &[u8]) -> String {
    let mut encoded = String::new();
    for byte in path {
        let is_valid = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        if is_valid && !more.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    encoded
}

/// Spells the part of a URL after the path of its base as apt does; `None` if the URL does not begin with the base.
pub(super) fn as_apt(url: &str, base: &str) -> Option<String> {
    let after_scheme = url.find("://")? + 3;
    let path = after_scheme + url[after_scheme..].find('/')?;
    let below = url[path..].strip_prefix(base)?;
    let base = &url[..url.len() - below.len()];
    Some(format!("{base}{}", encode(decoded(below), BY_APT)))
}

/// Decodes percent-encoding.
pub(crate) fn decoded_text(text: &str) -> String {
    String::from_utf8_lossy(&decoded(text).collect::<Vec<u8>>()).into_owned()
}

/// Decodes percent-encoding.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let mut ahead = bytes.clone();
        let mut value = || Some(digit(ahead.next()?)? * 16 + digit(ahead.next()?)?);
        let value = if byte == b'%' { value() } else { None };
        let Some(value) = value else { return Some(byte) };
        bytes.nth(1);
        u8::try_from(value).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of apt 2.6, from the log of a web server.
    #[test]
    fn paths_are_spelled_as_by_apt() {
        for (path, spelled) in [
            ("dists/s~t+u/InRelease", "dists/s%7et%2bu/InRelease"),
            ("pool/a~b+c.deb", "pool/a%7eb%2bc.deb"),
            ("pool/a:b.deb", "pool/a:b.deb"),
            ("pool/a=b&c,d;e'f(g)@h!i$j*k", "pool/a=b&c,d;e'f(g)@h!i$j*k"),
            ("pool/a%b.deb", "pool/a%25b.deb"),
            ("pool/é.deb", "pool/%c3%a9.deb"),
            ("pool/a b", "pool/a%20b"),
        ] {
            assert_eq!(encoded(path, BY_APT), spelled);
            // As `object_store` encodes it, and under a base that is left as it is.
            for (url, base) in [("http://h:1/", ""), ("https://h/ba~se+x/", "/ba~se+x")] {
                let mut parsed = reqwest::Url::parse(url).unwrap();
                parsed.path_segments_mut().unwrap().pop_if_empty().extend(path.split('/'));
                assert_eq!(as_apt(parsed.as_str(), base).unwrap(), format!("{url}{spelled}"));
            }
        }
        assert_eq!(as_apt("http://h/other/x", "/base"), None);
        assert_eq!(as_apt("http://h/%zz%", "").as_deref(), Some("http://h/%25zz%25"));
    }
}
