//! The URLs under which caches may hold a file.

use std::collections::HashSet;

use crate::store::{BY_APT, encoded};

/// Characters that other clients and proxies encode as well.
const BY_OTHERS: &[u8] = b"+~:";

/// The URLs of files below a public address: each as written and as clients encode it, without duplicates.
///
/// Caches key a file by the requested URL, and most treat `%2b` and `+` as different.
#[must_use]
pub fn urls(public_url: &str, paths: &[String]) -> Vec<String> {
    let base = public_url.trim_end_matches('/');
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for path in paths {
        for also in [&b""[..], BY_APT, BY_OTHERS] {
            let url = format!("{base}/{}", encoded(path.trim_start_matches('/'), also));
            if seen.insert(url.clone()) {
                all.push(url);
            }
        }
    }
    all
}

/// The host with its port, and the path of a URL as written: a parser could change its encoding.
pub(super) fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: &str, paths: &[&str]) -> Vec<String> {
        urls(base, &paths.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn an_ordinary_path_has_one_address() {
        for base in ["https://example.org/apt", "https://example.org/apt/", "https://example.org/apt//"] {
            assert_eq!(
                of(base, &["dists/stable/InRelease", "/dists/stable/InRelease"]),
                ["https://example.org/apt/dists/stable/InRelease"]
            );
        }
        assert_eq!(of("https://example.org", &["x"]), ["https://example.org/x"]);
        assert_eq!(of("https://example.org", &[]), [""; 0]);
    }

    #[test]
    fn characters_that_clients_encode_give_several_urls() {
        assert_eq!(
            of("https://example.org/~me/", &["pool/g++_1.0~rc1.deb", "pool/plain"]),
            [
                "https://example.org/~me/pool/g++_1.0~rc1.deb",
                "https://example.org/~me/pool/g%2b%2b_1.0%7erc1.deb",
                "https://example.org/~me/pool/plain",
            ]
        );
        assert_eq!(of("http://h", &["a+b:c"]), ["http://h/a+b:c", "http://h/a%2bb:c", "http://h/a%2bb%3ac"]);
        assert_eq!(of("http://h", &["a:c"]), ["http://h/a:c", "http://h/a%3ac"]);
    }

    #[test]
    fn characters_that_no_url_may_contain_are_always_encoded() {
        assert_eq!(of("http://h", &["a b%3a?#\"<\n"]), ["http://h/a%20b%253a%3f%23%22%3c%0a"]);
        assert_eq!(of("http://h", &["é+"]), ["http://h/%c3%a9+", "http://h/%c3%a9%2b"]);
    }

    #[test]
    fn an_address_is_taken_apart_as_it_is_written() {
        assert_eq!(host_and_path("https://h:8080/a%2bb~/../c"), ("h:8080", "/a%2bb~/../c"));
        assert_eq!(host_and_path("https://h"), ("h", "/"));
        assert_eq!(host_and_path("h/x"), ("h", "/x"));
    }
}
