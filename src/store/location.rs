//! Store locations, as users write them.
//!
//! A location contains no secrets: it is printed, logged and stored in configuration files. Credentials come from the
//! [`super::Environment`].

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use crate::{nearest::nearest, redact::redact_location};

/// The location of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A folder, as an absolute path.
    Folder(PathBuf),
    /// A bucket or a container of an object store.
    Bucket(Bucket),
    /// Any web server, by the `http://` or `https://` base URL; read-only.
    Web(String),
    /// The memory of this process, for tests.
    Memory,
}

/// A bucket, and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// The kind of service.
    pub service: Service,
    /// The name of the bucket.
    pub name: String,
    /// The prefix of every key, without a slash at either end; empty for the whole bucket.
    pub prefix: String,
    /// The options after the `?`, such as `endpoint`.
    pub options: BTreeMap<String, String>,
}

/// A kind of object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// Amazon S3, and every compatible service.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// `OpenStack` Swift.
    Swift,
}

/// The reason why a text is not a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a location: {why}")]
pub struct Error {
    text: String,
    why: String,
}

impl Service {
    const ALL: [Self; 4] = [Self::S3, Self::Gcs, Self::Azure, Self::Swift];

    /// Returns the scheme of its locations.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
            Self::Swift => "swift",
        }
    }

    /// Returns the service's own word for a bucket.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::S3 | Self::Gcs => "bucket",
            Self::Azure | Self::Swift => "container",
        }
    }

    /// Returns the names of the options that may follow the `?`.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["endpoint", "profile", "region", "style"],
            Self::Gcs => &["endpoint"],
            Self::Azure => &["account", "endpoint"],
            Self::Swift => &["cdn", "read", "ttl"],
        }
    }

    /// Returns why a text is not a valid bucket name.
    fn refuses(self, name: &str) -> Option<&'static str> {
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = name.as_bytes();
        let of = |more: &[u8]| {
            bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(b))
        };
        let whole = ends(bytes.first()) && ends(bytes.last());
        match self {
            Self::S3 if !of(b".-_") || !whole || name.contains("..") => Some(
                "a bucket's name consists of a-z, 0-9, `-` and `.`, with a letter or a digit at both ends",
            ),
            Self::S3 if !(3..=63).contains(&name.len()) => Some("a bucket's name has 3 to 63 characters"),
            Self::Gcs if !of(b".-_") || !whole => Some(
                "a bucket's name consists of a-z, 0-9, `-`, `_` and `.`, with a letter or a digit at both ends",
            ),
            Self::Gcs if !(3..=222).contains(&name.len()) => Some("a bucket's name has 3 to 222 characters"),
            Self::Azure if name == "$web" || name == "$root" => None,
            Self::Azure if !of(b"-") || !whole || name.contains("--") => Some(
                "a container's name consists of a-z, 0-9 and single `-`, with a letter or a digit at both ends",
            ),
            Self::Azure if !(3..=63).contains(&name.len()) => {
                Some("a container's name has 3 to 63 characters")
            }
            Self::Swift if name.is_empty() || name.len() > 256 => {
                Some("a container's name has 1 to 256 characters")
            }
            _ if name.chars().any(char::is_control) => Some("its name contains a control character"),
            _ => None,
        }
    }
}

impl Location {
    /// Parses `./folder`, `/folder`, `file:///folder`, `s3://`, `gs://`, `az://` and `swift://bucket/prefix`,
    /// `http(s)://host/folder` and `memory:`; relative paths are resolved against `current`.
    pub fn parse(text: &str, current: &Path) -> Result<Self, Error> {
        let fail = |why: &str| Err(Error { text: redact_location(text), why: why.to_owned() });
        if text.is_empty() {
            return fail("it is empty; give a folder such as `./archive`");
        }
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        let path = match text.split_once(':') {
            Some(("file", path)) => match path.strip_prefix("//") {
                None => path,
                Some(path) if path.starts_with('/') => path,
                Some(_) => return fail("write `file:///folder`, with three slashes"),
            },
            Some((scheme, rest))
                if rest.starts_with("//") && scheme.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                let scheme = scheme.to_ascii_lowercase();
                let rest = &rest[2..];
                let found = match &scheme[..] {
                    "http" | "https" => web(&scheme, rest).map(Self::Web),
                    _ => match Service::ALL.into_iter().find(|service| service.scheme() == scheme) {
                        Some(service) => Bucket::parse(service, rest).map(Self::Bucket),
                        None => Err(format!(
                            "the scheme is unknown; {}use a folder, `s3://`, `gs://`, `az://`, `swift://`, or `http(s)://` to read",
                            meant(&scheme)
                                .map(|meant| format!("did you mean `{meant}://`? "))
                                .unwrap_or_default()
                        )),
                    },
                };
                return found.or_else(|why| fail(&why));
            }
            Some((scheme, rest)) if is_mistyped(scheme, rest) => {
                let scheme = meant(scheme).unwrap_or(scheme);
                return fail(&format!("write `{scheme}://…`, with two slashes, or `./…` for a folder"));
            }
            None if text.split_once("//").is_some_and(|(word, _)| is_scheme(word)) => {
                return fail("write `://` after the scheme, or `./…` for a folder");
            }
            _ if has_secret(text) => {
                return fail("it contains a password or a token; write `https://…`, or `./…` for a folder");
            }
            _ => text,
        };
        Ok(Self::Folder(normal(&current.join(path))))
    }

    /// Returns the path, if it is a folder.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// Returns the bucket, if it is one.
    #[must_use]
    pub fn bucket(&self) -> Option<&Bucket> {
        match self {
            Self::Bucket(bucket) => Some(bucket),
            _ => None,
        }
    }
}

impl Bucket {
    /// Parses the part after the `//`.
    fn parse(service: Service, rest: &str) -> Result<Self, String> {
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        if name.is_empty() {
            return Err(format!("write `{}://{}/folder`", service.scheme(), service.noun()));
        }
        if let Some(why) = service.refuses(name) {
            return Err(why.to_owned());
        }
        let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| matches!(*part, "." | "..") || part.chars().any(char::is_control)) {
            return Err("`.`, `..` and control characters cannot be part of a key".to_owned());
        }
        let mut options = BTreeMap::new();
        for option in query.into_iter().flat_map(|query| query.split('&')).filter(|option| !option.is_empty())
        {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if !service.options().contains(&key) {
                let known = service.options().join("`, `");
                return Err(format!(
                    "unknown option `{key}` of `{}://`; the options are `{known}`",
                    service.scheme()
                ));
            }
            if value.is_empty() {
                return Err(format!("option `{key}` has no value; write `?{key}=…`"));
            }
            refuse_value(key, value)?;
            if options.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("option `{key}` is given twice"));
            }
        }
        Ok(Self { service, name: name.to_owned(), prefix: parts.join("/"), options })
    }
}

/// Rejects invalid values of an option.
fn refuse_value(key: &str, value: &str) -> Result<(), String> {
    match key {
        "endpoint" => check_endpoint(value).map_err(|why| format!("option `endpoint`: {why}")),
        "style" if !["path", "virtual"].contains(&value) => {
            Err(format!("option `style` is `path` or `virtual`, not `{value}`"))
        }
        _ => Ok(()),
    }
}

/// Checks that a text is the URL of an endpoint.
pub(super) fn check_endpoint(text: &str) -> Result<(), String> {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return Err(format!("`{}` does not begin with `https://` or `http://`", redact_location(text)));
    };
    web("http", rest).map(drop)
}

/// Parses the part after `http://`.
fn web(scheme: &str, rest: &str) -> Result<String, String> {
    if rest.contains(['?', '#']) {
        return Err("a `?` or a `#` cannot be part of it".to_owned());
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.contains('@') {
        return Err(
            "a location is printed and stored, so it cannot contain a user name or a password".to_owned()
        );
    }
    let path = path.trim_end_matches('/');
    let url =
        if path.is_empty() { format!("{scheme}://{host}") } else { format!("{scheme}://{host}/{path}") };
    match reqwest::Url::parse(&url) {
        Ok(parsed) if parsed.has_host() => Ok(url),
        Ok(_) => Err("it has no host".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a text with a colon is more likely a mistyped URL than the name of a folder.
///
/// As a folder it would be created, and the bucket that was meant would not change.
fn is_mistyped(scheme: &str, rest: &str) -> bool {
    let is_word = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    is_scheme(scheme) || is_word && rest.starts_with('/')
}

fn is_scheme(word: &str) -> bool {
    schemes().any(|scheme| scheme.eq_ignore_ascii_case(word))
}

fn schemes() -> impl Iterator<Item = &'static str> {
    Service::ALL.into_iter().map(Service::scheme).chain(["http", "https"])
}

/// Schemes of other tools, and ours for the same service.
const OTHER_SCHEMES: [(&str, &str); 12] = [
    ("aws", "s3"),
    ("s3a", "s3"),
    ("s3n", "s3"),
    ("minio", "s3"),
    ("r2", "s3"),
    ("gcs", "gs"),
    ("gcp", "gs"),
    ("google", "gs"),
    ("azure", "az"),
    ("azblob", "az"),
    ("abfs", "az"),
    ("wasb", "az"),
];

/// The scheme that was meant by a word that is none.
fn meant(scheme: &str) -> Option<&'static str> {
    let scheme = scheme.to_ascii_lowercase();
    let other = OTHER_SCHEMES.into_iter().find(|(other, _)| *other == scheme);
    other.map(|(_, ours)| ours).or_else(|| nearest(&scheme, schemes()))
}

/// Whether a text without a scheme contains a password, such as `user:password@host` or a connection string.
///
/// As a folder it would be created, and printed on clients.
fn has_secret(text: &str) -> bool {
    !text.starts_with(['.', '/']) && redact_location(text) != text
}

/// Removes `.` and repeated slashes from a path; keeps `..`, which has another meaning after a symbolic link.
fn normal(path: &Path) -> PathBuf {
    path.components().collect()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
            Self::Web(url) => f.write_str(url),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.service.scheme(), self.name)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        for (number, (key, value)) in self.options.iter().enumerate() {
            write!(f, "{}{key}={value}", if number == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, Error> {
        Location::parse(text, Path::new("/here"))
    }

    fn folder(text: &str) -> PathBuf {
        match parse(text) {
            Ok(Location::Folder(path)) => path,
            other => panic!("{other:?}"),
        }
    }

    fn why(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn folders_in_every_spelling() {
        assert_eq!(folder("public"), Path::new("/here/public"));
        assert_eq!(folder("./public/"), Path::new("/here/public"));
        assert_eq!(folder("."), Path::new("/here"));
        assert_eq!(folder("/srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("file:///srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("file:/srv/apt"), Path::new("/srv/apt"));
        assert_eq!(folder("a:b"), Path::new("/here/a:b"));
        assert_eq!(folder("./s3:/apt"), Path::new("/here/s3:/apt"));
    }

    #[test]
    fn buckets_have_one_normal_form() {
        for (text, normal) in [
            ("s3://apt", "s3://apt"),
            ("S3://apt/", "s3://apt"),
            ("s3://apt//debian///stable/", "s3://apt/debian/stable"),
            ("gs://my_bucket.example.org/a b/~c+d", "gs://my_bucket.example.org/a b/~c+d"),
            ("az://$web", "az://$web"),
            ("swift://Größe/x", "swift://Größe/x"),
            ("s3://apt?style=path&region=eu&", "s3://apt?region=eu&style=path"),
            ("s3://apt/x?endpoint=http://127.0.0.1:9000", "s3://apt/x?endpoint=http://127.0.0.1:9000"),
            ("HTTPS://deb.example.org/debian/", "https://deb.example.org/debian"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let location = parse(text).unwrap();
            assert_eq!(location.to_string(), normal);
            assert_eq!(parse(normal).unwrap(), location, "{normal}");
            assert_eq!(location.folder(), None);
        }
        let bucket = parse("s3://apt/a/b?region=eu").unwrap().bucket().unwrap().clone();
        assert_eq!((bucket.service, &bucket.name[..], &bucket.prefix[..]), (Service::S3, "apt", "a/b"));
        assert_eq!(bucket.options["region"], "eu");
    }

    #[test]
    fn invalid_locations_are_rejected_with_a_reason() {
        for (bad, part) in [
            ("", "empty"),
            ("file://srv/apt", "three slashes"),
            ("ftp://example.org/apt", "use a folder"),
            ("s3://", "s3://bucket/folder"),
            ("s3:///apt", "s3://bucket/folder"),
            ("s3://Apt/x", "a-z"),
            ("s3://ab", "3 to 63"),
            ("s3://a..b", "a-z"),
            ("az://a--b", "single `-`"),
            ("az://under_score", "a-z"),
            ("s3://apt/../x", "`..`"),
            ("s3://apt/a\nb", "control"),
            ("s3://apt?regoin=eu", "the options are `endpoint`, `profile`, `region`, `style`"),
            ("s3://apt?region", "no value"),
            ("s3://apt?region=a&region=b", "twice"),
            ("s3://apt?style=host", "`path` or `virtual`"),
            ("s3://apt?endpoint=127.0.0.1:9000", "https://"),
            ("gs://apt?region=eu", "the options are `endpoint`"),
            ("https://", "host"),
            ("s3:/apt/x", "write `s3://…`, with two slashes, or `./…` for a folder"),
            ("S3:apt", "two slashes"),
            ("https:example.org", "two slashes"),
            ("swift:/c/x", "two slashes"),
            ("ftp:/example.org", "two slashes"),
            ("htps://example.org", "did you mean `https://`?"),
            ("htps:/example.org", "write `https://…`"),
            ("swfit://c/x", "did you mean `swift://`?"),
            ("gcs://apt", "did you mean `gs://`?"),
            ("azure:/c/x", "write `az://…`"),
            ("s3//apt/x", "write `://`"),
            ("gs:x", "write `gs://…`"),
            ("me:hush@example.org/apt", "write `https://…`"),
            ("AccountName=a;AccountKey=hush", "a password or a token"),
            ("https://example.org/?a=b", "`?`"),
        ] {
            assert!(why(bad).contains(part), "{bad}: {}", why(bad));
        }
    }

    #[test]
    fn a_password_is_neither_kept_nor_shown() {
        for bad in ["https://me:hush@example.org/apt", "s3://apt?endpoint=http://me:hush@example.org"] {
            assert!(!why(bad).contains("hush"), "{}", why(bad));
            assert!(why(bad).contains("password"), "{}", why(bad));
        }
        for bad in
            ["https:/me:hu/sh@example.org/apt", "http:me:hu/sh@example.org", "s3:/me:hu/sh@example.org"]
        {
            assert!(!why(bad).contains("sh@"), "{}", why(bad));
            assert!(why(bad).contains("example.org"), "{}", why(bad));
        }
    }
}
