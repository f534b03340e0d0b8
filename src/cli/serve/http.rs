//! Parses requests and selects responses: pure decisions, no store and no socket.
//!
//! Rules: RFC 9110 (methods; 13, conditional requests; 14, ranges) and RFC 3986 2.1 (percent-encoding). The client that
//! matters is apt: it encodes `+` and `~` in lower case, asks again with `If-Modified-Since`, and resumes a download
//! with `Range` and a date in `If-Range`.

use std::{
    fmt::Write as _,
    ops::Range,
    time::{Duration, SystemTime},
};

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderName},
};
use object_store::{ObjectMeta, path::Path};

use crate::{
    dists::layout::{self, ArchivePath},
    suite::public_files,
};

/// The target of a path, if it exists.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file of the archive, or a folder that was requested without its final `/`.
    File(Path),
    /// A file beside `dists/`, to be shown only if its contents are harmless.
    RootFile(Path),
    /// A folder of the archive.
    Folder(Path),
    /// The folder above `dists/`.
    Root,
}

/// Reads the path of a request, still encoded. The error is the status to answer with.
pub(super) fn target(encoded: &str) -> Result<Target, StatusCode> {
    let decoded = decode(encoded).and_then(|path| resolve(&path)).ok_or(StatusCode::BAD_REQUEST)?;
    if decoded == "/" {
        return Ok(Target::Root);
    }
    // `parse` refuses control characters, and again empty parts, `.` and `..`.
    let path = Path::parse(&decoded).map_err(|_| StatusCode::BAD_REQUEST)?;
    if !is_part_of_archive(&path) {
        return Err(StatusCode::NOT_FOUND);
    }
    if let ArchivePath::PageFile(_) = ArchivePath::of(path.as_ref()) {
        return if decoded.ends_with('/') { Err(StatusCode::NOT_FOUND) } else { Ok(Target::File(path)) };
    }
    let is_root_file = path.parts().next().is_none_or(|first| !is_tree(first.as_ref()));
    match (is_root_file, decoded.ends_with('/')) {
        (false, false) => Ok(Target::File(path)),
        (false, true) => Ok(Target::Folder(path)),
        (true, false) => Ok(Target::RootFile(path)),
        (true, true) => Err(StatusCode::NOT_FOUND),
    }
}

/// Whether a path, by its name, belongs to what a published archive consists of.
pub(super) fn is_part_of_archive(path: &Path) -> bool {
    match ArchivePath::of(path.as_ref()) {
        ArchivePath::RootFile(name) => is_tree(name) || public_files::may_be_shown(name),
        kind => kind.is_public(),
    }
}

fn is_tree(first: &str) -> bool {
    layout::TREES.contains(&first)
}

/// Undoes percent-encoding; `None` if an escape is broken or the result is not UTF-8.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Merges slashes and resolves `.` and `..`, as nginx and Apache do: apt requests `/debian//dists/` for
/// `URIs: http://host/debian//`, and `/./pool/` for `Filename: ./pool/`. `None` if the path is not absolute or leaves the root.
///
/// The path is decoded already, so `%2e%2e%2f` gains nothing.
fn resolve(decoded: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut is_folder = true;
    for part in decoded.strip_prefix('/')?.split('/') {
        is_folder = matches!(part, "" | "." | "..");
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    let end = if is_folder && !parts.is_empty() { "/" } else { "" };
    Some(format!("/{}{end}", parts.join("/")))
}

/// One part of a path, percent-encoded as apt does it; the result means the same in every place of a URL.
pub(super) fn encode(part: &str) -> String {
    part.bytes().fold(String::with_capacity(part.len()), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02x}");
        }
        url
    })
}

/// The address of a folder, with its final `/`.
pub(super) fn folder_url(path: &Path) -> String {
    path.as_ref().split('/').fold(String::from("/"), |url, part| url + &encode(part) + "/")
}

/// The metadata of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Validators {
    /// The number of bytes.
    pub(super) size: u64,
    /// The entity tag, in quotes.
    pub(super) e_tag: Option<String>,
    /// The time of the last change in whole seconds, which is all that HTTP can say.
    pub(super) last_modified: SystemTime,
}

impl Validators {
    /// Takes them from what a store says of an object.
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        // The years that an HTTP date can name end with 9999.
        let seconds = u64::try_from(meta.last_modified.timestamp()).unwrap_or(0).min(253_402_300_799);
        let e_tag = meta
            .e_tag
            .as_ref()
            .map(|tag| if tag.ends_with('"') { tag.clone() } else { format!("\"{tag}\"") });
        Self { size: meta.size, e_tag, last_modified: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) }
    }

    /// The value of `Last-Modified`.
    pub(super) fn http_date(&self) -> String {
        httpdate::fmt_http_date(self.last_modified)
    }

    fn matches(&self, header: &str, weakly: bool) -> bool {
        let opaque = |tag: &str| {
            let tag = tag.trim();
            match tag.strip_prefix("W/") {
                Some(tag) if weakly => Some(tag.to_owned()),
                Some(_) => None,
                None => Some(tag.to_owned()),
            }
        };
        // The tags of the stores have no comma in them.
        header.trim() == "*"
            || self
                .e_tag
                .as_deref()
                .and_then(opaque)
                .is_some_and(|ours| header.split(',').any(|theirs| opaque(theirs).as_ref() == Some(&ours)))
    }
}

/// The response for an existing file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// 200 with all of it.
    Whole,
    /// 206 with some of it; never empty.
    Part(Range<u64>),
    /// 304: the client has it.
    NotModified,
    /// 412: the client meant another one.
    PreconditionFailed,
    /// 416: there are no such bytes.
    Unsatisfiable,
}

/// Decides about a request for an existing file, in the order of RFC 9110 13.2.2.
pub(super) fn decide(method: &Method, headers: &HeaderMap, file: &Validators) -> Decision {
    if let Some(tags) = text(headers, &header::IF_MATCH) {
        if !file.matches(tags, false) {
            return Decision::PreconditionFailed;
        }
    } else if date(headers, &header::IF_UNMODIFIED_SINCE).is_some_and(|date| file.last_modified > date) {
        return Decision::PreconditionFailed;
    }
    if let Some(tags) = text(headers, &header::IF_NONE_MATCH) {
        if file.matches(tags, true) {
            return Decision::NotModified;
        }
    } else if date(headers, &header::IF_MODIFIED_SINCE).is_some_and(|date| file.last_modified <= date) {
        return Decision::NotModified;
    }
    if method != Method::GET || headers.get_all(header::RANGE).iter().count() > 1 {
        return Decision::Whole;
    }
    let Some(range) = text(headers, &header::RANGE).and_then(ByteRange::parse) else {
        return Decision::Whole;
    };
    if let Some(condition) = text(headers, &header::IF_RANGE) {
        let is_same = match httpdate::parse_http_date(condition) {
            Ok(date) => file.last_modified == date,
            Err(_) => condition.trim() != "*" && file.matches(condition, false),
        };
        if !is_same {
            return Decision::Whole;
        }
    }
    range.within(file.size).map_or(Decision::Unsatisfiable, Decision::Part)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

/// One range of bytes, as it was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteRange {
    /// From the first to the last byte, both included; without a last one: to the end.
    From(u64, Option<u64>),
    /// A number of bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// Reads the value of `Range`. `None` means that it is to be ignored, and the whole file sent: several ranges at
    /// once, which a server may ignore and apt never asks for, another unit than bytes, or nonsense.
    fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.trim().split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (number(first), number(last)) {
            (None, Some(count)) if first.is_empty() => Some(Self::Last(count)),
            (Some(first), None) if last.is_empty() => Some(Self::From(first, None)),
            (Some(first), Some(last)) if first <= last => Some(Self::From(first, Some(last))),
            _ => None,
        }
    }

    /// The bytes of a file of this size that are in the range; `None` if there are none.
    fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.map_or(size, |last| size.min(last.saturating_add(1))),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// A decimal number; one too large for any file becomes the largest there is.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// How long a file may be kept by a cache: for good where the name fixes the contents.
pub(super) fn cache_control(path: &Path) -> &'static str {
    if ArchivePath::of(path.as_ref()).is_immutable() {
        "public, max-age=31536000, immutable"
    } else {
        "max-age=60, must-revalidate"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn file(text: &str) -> Target {
        Target::File(path(text))
    }

    #[test]
    fn escapes_of_apt_are_undone() {
        assert_eq!(
            target("/pool/main/h/hello/hello_1.0%7erc1%2bb1_amd64.deb"),
            Ok(file("pool/main/h/hello/hello_1.0~rc1+b1_amd64.deb"))
        );
        assert_eq!(target("/pool/a%3Ab%25%C3%a9"), Ok(file("pool/a:b%é")));
        // A `+` in a path is a plus sign, and an escape is undone once.
        assert_eq!(target("/pool/a+b"), Ok(file("pool/a+b")));
        assert_eq!(target("/pool/%252b"), Ok(file("pool/%2b")));
    }

    #[test]
    fn targets_of_paths() {
        assert_eq!(target("/"), Ok(Target::Root));
        assert_eq!(target("/dists"), Ok(file("dists")));
        assert_eq!(target("/dists/"), Ok(Target::Folder(path("dists"))));
        assert_eq!(target("/key.asc"), Ok(Target::RootFile(path("key.asc"))));
        assert_eq!(target("/index.html"), Ok(Target::RootFile(path("index.html"))));
    }

    #[test]
    fn slashes_are_merged_and_dots_resolved_after_decoding() {
        let stable = path("dists/stable");
        for odd in
            ["//dists/stable", "/dists//stable", "/%2fdists/./stable", "/./pool/../dists/x/%2e%2e/stable"]
        {
            assert_eq!(target(odd), Ok(Target::File(stable.clone())), "{odd}");
        }
        for odd in ["/dists/stable//", "/dists/stable/.", "//dists/stable/x/..", "/dists/stable%2f%2F"] {
            assert_eq!(target(odd), Ok(Target::Folder(stable.clone())), "{odd}");
        }
        for odd in ["//", "/.", "/./", "/dists/.."] {
            assert_eq!(target(odd), Ok(Target::Root), "{odd}");
        }
        assert_eq!(target("//key.asc"), Ok(Target::RootFile(path("key.asc"))));
    }

    #[test]
    fn broken_paths_are_refused() {
        for bad in [
            "",
            "*",
            "dists",
            "./dists",
            "/..",
            "/dists/../..",
            "/dists/%2e%2e/%2e%2E/x",
            "/dists%2f..%2f..",
            "//../dists",
            "/pool/%00",
            "/pool/a%0ab",
            "/pool/%",
            "/pool/%4",
            "/pool/%zz",
            "/pool/%+4",
            "/pool/%ff",
            "/pool/%c3/%a9",
        ] {
            assert_eq!(target(bad), Err(StatusCode::BAD_REQUEST), "{bad}");
        }
    }

    #[test]
    fn files_that_are_not_of_the_archive_are_not_found() {
        for hidden in [
            "/conf/distributions",
            "/conf/",
            "//conf/distributions",
            "/dists/../conf/distributions",
            "/dists/%2e%2e/conf/distributions",
            "/dists/.%2E/conf",
            "/dists%2f..%2fconf",
            "/pool/x/...",
            "/db/packages.db",
            "/lists",
            "/.git/config",
            "/pool/.hidden",
            "/pool/.hidden/x.deb",
            "/dists/stable/.lock",
            "/%2egit",
            "/Dists/stable",
            "/dists.old/x",
            "/keys/secret.asc",
            "/key.asc/",
            "/key.txt",
            "/pool/x.deb#",
            "/pool/x.deb%231",
        ] {
            let found = target(hidden);
            let is_fragment = hidden == "/pool/x.deb#";
            assert_eq!(found == Err(StatusCode::NOT_FOUND), !is_fragment, "{hidden}: {found:?}");
        }
    }

    #[test]
    fn addresses_come_back() {
        let name = "pool/a b/ü~+:%#?\"&\\";
        let url = folder_url(&path(name));
        assert_eq!(url, "/pool/a%20b/%c3%bc%7e%2b%3a%25%23%3f%22%26%5c/");
        assert_eq!(target(&url), Ok(Target::Folder(path(name))));
    }

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn decided(headers: &[(&str, &str)]) -> Decision {
        decided_for(&Method::GET, headers)
    }

    fn decided_for(method: &Method, headers: &[(&str, &str)]) -> Decision {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let file = Validators {
            size: 1000,
            e_tag: Some("\"abc\"".to_owned()),
            last_modified: httpdate::parse_http_date(MODIFIED).unwrap(),
        };
        decide(method, &map, &file)
    }

    #[test]
    fn conditions() {
        use Decision::{NotModified, PreconditionFailed, Whole};
        for (name, value, expected) in [
            ("if-modified-since", BEFORE, Whole),
            ("if-modified-since", MODIFIED, NotModified),
            ("if-modified-since", AFTER, NotModified),
            ("if-modified-since", "yesterday", Whole),
            ("if-none-match", "\"abc\"", NotModified),
            ("if-none-match", "W/\"abc\"", NotModified),
            ("if-none-match", "\"x\", \"abc\"", NotModified),
            ("if-none-match", "*", NotModified),
            ("if-none-match", "\"x\"", Whole),
            ("if-match", "\"abc\"", Whole),
            ("if-match", "*", Whole),
            ("if-match", "W/\"abc\"", PreconditionFailed),
            ("if-match", "\"x\"", PreconditionFailed),
            ("if-unmodified-since", BEFORE, PreconditionFailed),
            ("if-unmodified-since", MODIFIED, Whole),
        ] {
            assert_eq!(decided(&[(name, value)]), expected, "{name}: {value}");
            assert_eq!(decided_for(&Method::HEAD, &[(name, value)]), expected, "HEAD {name}: {value}");
        }
        // Tags decide where there are tags: the date would say 304.
        assert_eq!(decided(&[("if-none-match", "\"x\""), ("if-modified-since", AFTER)]), Whole);
        assert_eq!(decided(&[("if-none-match", "*"), ("range", "bytes=0-1")]), NotModified);
    }

    #[test]
    fn ranges() {
        use Decision::{Part, Unsatisfiable, Whole};
        for (range, expected) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=10-19", Part(10..20)),
            ("bytes=990-5000", Part(990..1000)),
            ("bytes=990-", Part(990..1000)),
            ("bytes=0-", Part(0..1000)),
            ("bytes=-1", Part(999..1000)),
            ("bytes=-5000", Part(0..1000)),
            ("Bytes=0-99999999999999999999999", Part(0..1000)),
            ("bytes=1000-", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-1,5-6", Whole),
            ("bytes=5-1", Whole),
            ("bytes=-", Whole),
            ("bytes=a-", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=--1", Whole),
            ("bytes", Whole),
            ("lines=1-2", Whole),
        ] {
            assert_eq!(decided(&[("range", range)]), expected, "{range}");
        }
        assert_eq!(decided_for(&Method::HEAD, &[("range", "bytes=0-1")]), Whole);
        assert_eq!(decided(&[("range", "bytes=0-1"), ("range", "bytes=4-5")]), Whole);
        assert_eq!(ByteRange::Last(5).within(0), None, "an empty file has no last bytes");
    }

    #[test]
    fn a_range_of_the_file_that_the_client_knows() {
        use Decision::{Part, Whole};
        for (condition, expected) in [
            (MODIFIED, Part(5..1000)),
            (BEFORE, Whole),
            (AFTER, Whole),
            ("\"abc\"", Part(5..1000)),
            ("\"x\"", Whole),
            ("W/\"abc\"", Whole),
            ("*", Whole),
        ] {
            let decision = decided(&[("range", "bytes=5-"), ("if-range", condition)]);
            assert_eq!(decision, expected, "{condition}");
        }
    }

    #[test]
    fn validators_of_stores_become_http_validators() {
        let meta = |e_tag: &str, last_modified: SystemTime| ObjectMeta {
            location: path("pool/x.deb"),
            last_modified: last_modified.into(),
            size: 1,
            e_tag: Some(e_tag.to_owned()),
            version: None,
        };
        let modified = httpdate::parse_http_date(MODIFIED).unwrap();
        let file = Validators::of(&meta("0", modified + Duration::from_millis(999)));
        assert_eq!(file.e_tag.as_deref(), Some("\"0\""), "memory has no quotes");
        assert_eq!(file.http_date(), MODIFIED);
        for quoted in ["\"0\"", "W/\"0\""] {
            assert_eq!(Validators::of(&meta(quoted, modified)).e_tag.as_deref(), Some(quoted));
        }
        let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Validators::of(&meta("0", early)).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn cache_control_of_immutable_and_mutable_files() {
        assert!(cache_control(&path("pool/main/h/hello/hello_1_amd64.deb")).contains("immutable"));
        assert!(!cache_control(&path("dists/stable/InRelease")).contains("immutable"));
    }
}
