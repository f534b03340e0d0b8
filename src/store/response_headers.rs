//! The caching headers of a web server's response: how long caches keep a file, and whether they may transform it.

use std::time::Duration;

use reqwest::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, LAST_MODIFIED,
};

/// The caching headers of a response; `None` for those that were not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseHeaders {
    /// `Cache-Control`: all values, because there may be several headers.
    pub cache_control: Option<String>,
    /// The lifetime from `Expires`; zero if that is past or not a date.
    pub expires_in: Option<Duration>,
    /// `Age`: the time since a cache fetched the file.
    pub age: Option<Duration>,
    /// `Content-Encoding`, except `identity`, which has no effect.
    pub content_encoding: Option<String>,
    /// Whether its validators (`ETag`, `Last-Modified`) identify the file.
    pub(crate) is_settled: bool,
}

/// A file that changed so recently may change again without new validators: those of many servers are made of the
/// second of the change and the size.
const UNSETTLED: Duration = Duration::from_secs(2);

impl ResponseHeaders {
    /// Reads the headers of a response.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let time = |name| all(headers, name).and_then(|text| httpdate::parse_http_date(&text).ok());
        let expires_in = headers.contains_key(EXPIRES).then(|| {
            let (until, now) = (time(EXPIRES), time(DATE));
            until.zip(now).and_then(|(until, now)| until.duration_since(now).ok()).unwrap_or_default()
        });
        let age = all(headers, AGE).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let encoding = all(headers, CONTENT_ENCODING).map(|text| text.trim().to_owned());
        let is_settled = if headers.contains_key(LAST_MODIFIED) {
            let times = time(DATE).zip(time(LAST_MODIFIED));
            times.is_some_and(|(now, changed)| now.duration_since(changed).is_ok_and(|age| age >= UNSETTLED))
        } else {
            all(headers, ETAG).is_some_and(|tag| tag.starts_with('"'))
        };
        Self {
            is_settled,
            cache_control: all(headers, CACHE_CONTROL),
            expires_in,
            age,
            content_encoding: encoding
                .filter(|text| !text.is_empty() && !text.eq_ignore_ascii_case("identity")),
        }
    }
}

/// Returns the values of a header, joined as if sent in one line.
fn all(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(lines: &[(&'static str, &'static str)]) -> ResponseHeaders {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        ResponseHeaders::of(&headers)
    }

    #[test]
    fn validators_identify_a_file_that_has_not_just_changed() {
        let changed = ("last-modified", "Sun, 01 Jun 2025 00:00:00 GMT");
        let at = |date| served(&[("etag", "\"a\""), changed, ("date", date)]).is_settled;
        assert!(!at("Sun, 01 Jun 2025 00:00:01 GMT") && at("Sun, 01 Jun 2025 00:00:02 GMT"));
        assert!(!served(&[("etag", "\"a\""), changed]).is_settled, "the server has no clock");
        assert!(served(&[("etag", "\"a\"")]).is_settled && !served(&[("etag", "W/\"a\"")]).is_settled);
    }

    #[test]
    fn headers_are_read_as_caches_read_them() {
        assert_eq!(served(&[]), ResponseHeaders::default());
        let two = served(&[("cache-control", "public"), ("cache-control", "max-age=60"), ("age", "7")]);
        assert_eq!(two.cache_control.as_deref(), Some("public, max-age=60"));
        assert_eq!(two.age, Some(Duration::from_secs(7)));
        assert_eq!(served(&[("content-encoding", "gzip")]).content_encoding.as_deref(), Some("gzip"));
        assert_eq!(served(&[("content-encoding", "Identity")]).content_encoding, None);
        let now = ("date", "Sun, 01 Jun 2025 00:00:00 GMT");
        let hour = served(&[now, ("expires", "Sun, 01 Jun 2025 01:00:00 GMT")]);
        assert_eq!(hour.expires_in, Some(Duration::from_secs(3600)));
        for past in ["Sat, 31 May 2025 00:00:00 GMT", "0", "-1"] {
            assert_eq!(served(&[now, ("expires", past)]).expires_in, Some(Duration::ZERO), "{past}");
        }
    }
}
