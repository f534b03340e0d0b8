//! The options after the `?` of a Swift location.

use std::collections::BTreeMap;

use super::error::Error;

/// The known options.
const KNOWN: &str = "`read=public`, `cdn=yes` and `ttl=SECONDS`";

/// The requested settings of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Objects are public.
    pub(super) public: bool,
    /// The server's CDN serves the objects.
    pub(super) cdn: bool,
    /// The default TTL of the CDN in seconds, for objects without Cache-Control.
    pub(super) ttl: Option<u32>,
}

impl Settings {
    pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut settings = Self::default();
        let mut no_cdn = false;
        for (name, value) in options {
            let bad =
                |why: &str| Error::BadValue { name: name.clone(), value: value.clone(), why: why.into() };
            match (name.as_str(), value.as_str()) {
                ("read", "public") => settings.public = true,
                ("read", _) => {
                    return Err(bad(
                        "the only value is `public`; omit the option to keep the access list of the container",
                    ));
                }
                ("cdn", "yes") => settings.cdn = true,
                ("cdn", "no") => no_cdn = true,
                ("cdn", _) => return Err(bad("it must be `yes` or `no`")),
                ("ttl", text) => match text.parse() {
                    // Cloud Files accepts a quarter of an hour to a year.
                    Ok(seconds @ 900..=31_536_000) => settings.ttl = Some(seconds),
                    _ => return Err(bad("it must be a number of seconds from 900 to 31536000")),
                },
                _ => return Err(Error::UnknownOption { name: name.clone(), known: KNOWN }),
            }
        }
        if settings.ttl.is_some() && no_cdn {
            return Err(Error::BadValue {
                name: "cdn".into(),
                value: "no".into(),
                why:
                    "`ttl` is a time for the CDN; to change what browsers and proxies keep, set Cache-Control"
                        .into(),
            });
        }
        settings.cdn |= settings.ttl.is_some();
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::parse(&options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn unknown_options_are_rejected() {
        assert_eq!(parse(&[]).unwrap(), Settings::default());
        let all = parse(&[("read", "public"), ("ttl", "900")]).unwrap();
        assert_eq!(all, Settings { public: true, cdn: true, ttl: Some(900) });
        let error = parse(&[("colour", "red")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown option `colour` of a Swift location; the options are `read=public`, `cdn=yes` and `ttl=SECONDS`"
        );
        for bad in [[("read", "private")], [("cdn", "1")], [("ttl", "60")], [("ttl", "1h")], [("ttl", "-1")]]
        {
            assert!(matches!(parse(&bad), Err(Error::BadValue { .. })), "{bad:?}");
        }
        assert!(parse(&[("cdn", "no"), ("ttl", "900")]).is_err());
    }
}
