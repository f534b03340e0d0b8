//! The proxies of the environment, and which of them a request takes.

use std::{fmt, sync::Arc};

use hyper_util::client::proxy::matcher::Matcher;
use object_store::client::{HttpError, HttpRequest};
use reqwest::{NoProxy, Proxy};

use super::environment::Environment;

/// The element before an error body that names the proxy which may have answered.
pub(super) const VIA_PROXY: &str = "ViaProxy";

/// The reason why no client can be created.
#[derive(Debug)]
pub(super) struct Unusable(pub(super) String);

/// The proxies that the usual variables set.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    proxies: Vec<Proxy>,
    rules: Vec<(&'static str, Arc<Matcher>)>,
}

/// The proxy of a request.
#[derive(Debug, Clone)]
pub(super) struct ViaProxy {
    variable: &'static str,
    /// Host and port, without a login. `None` without a port: it may be something else, such as a password.
    address: Option<String>,
    /// Whether the proxy reads the request, and may answer it itself; TLS goes through a tunnel.
    pub(super) may_answer: bool,
}

impl fmt::Display for ViaProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "`{address}` (`{}`)", self.variable),
            None => write!(f, "in `{}`", self.variable),
        }
    }
}

/// The error of a connection that takes a proxy.
#[derive(Debug, thiserror::Error)]
#[error("its proxy is {via}")]
pub(super) struct ProxyError {
    pub(super) via: ViaProxy,
    pub(super) source: HttpError,
}

impl Proxies {
    /// Returns the proxies set by the usual variables.
    pub(super) fn of(environment: &Environment) -> Result<Self, Unusable> {
        let no = environment.first_of(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        let without = NoProxy::from_string(no);
        let mut set = Self::default();
        for (scheme, names, make) in [
            (
                Some("https"),
                &["https_proxy", "HTTPS_PROXY"][..],
                Proxy::https as fn(String) -> reqwest::Result<Proxy>,
            ),
            // Not HTTP_PROXY: in a CGI script that is a header of the client.
            (Some("http"), &["http_proxy"], Proxy::http),
            (None, &["all_proxy", "ALL_PROXY"], Proxy::all),
        ] {
            let found = names.iter().find_map(|name| Some((*name, environment.get(name)?)));
            let Some((name, url)) = found else { continue };
            // No error has the value: it may contain a password.
            let known = |url: &str| ["http", "https"].iter().any(|scheme| url.eq_ignore_ascii_case(scheme));
            if let Some((other, _)) = url.split_once("://").filter(|(scheme, _)| !known(scheme)) {
                if scheme.is_none() && !set.rules.is_empty() {
                    // Desktops set it beside those that can be used.
                    continue;
                }
                return Err(Unusable(format!(
                    "the proxy in {name} has the scheme `{}`: only `http` and `https` are supported",
                    other.escape_debug()
                )));
            }
            let bad = |_| {
                Unusable(format!("{name} is not the URL of a proxy, such as `http://proxy.example.org:3128`"))
            };
            set.proxies.push(make(url.to_owned()).map_err(bad)?.no_proxy(without.clone()));
            // As reqwest does it.
            let rule = Matcher::builder().no(no);
            let rule = match scheme {
                Some("https") => rule.https(url),
                Some(_) => rule.http(url),
                None => rule.all(url),
            };
            set.rules.push((name, Arc::new(rule.build())));
        }
        Ok(set)
    }

    /// Sets the proxies of a client, and no others.
    pub(super) fn set(&self, client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        self.proxies.iter().cloned().fold(client.no_proxy(), reqwest::ClientBuilder::proxy)
    }

    /// Returns the proxy that a request takes.
    pub(super) fn of_request(&self, request: &HttpRequest) -> Option<ViaProxy> {
        self.rules.iter().find_map(|(variable, rule)| {
            let proxy = rule.intercept(request.uri())?;
            let (host, port) = (proxy.uri().host(), proxy.uri().port());
            let address = host.zip(port).map(|(host, port)| format!("{host}:{port}"));
            let may_answer = request.uri().scheme_str() == Some("http");
            Some(ViaProxy { variable, address, may_answer })
        })
    }
}

impl fmt::Debug for Proxies {
    /// Omits the addresses: they may have a login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|(variable, _)| variable)).finish()
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Proxies, String> {
        let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Proxies::of(&all.collect()).map_err(|unusable| unusable.0)
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_by_its_variable() {
        for (name, value, why) in [
            ("HTTPS_PROXY", "http://me:hush@bad host", "HTTPS_PROXY is not the URL of a proxy"),
            ("http_proxy", "http://", "http_proxy is not the URL of a proxy"),
            ("all_proxy", "socks5://127.0.0.1:9", "the proxy in all_proxy has the scheme `socks5`"),
        ] {
            let said = read(&[(name, value)]).unwrap_err();
            assert!(said.contains(why) && !said.contains("hush"), "{said}");
        }
        let both = read(&[("HTTPS_PROXY", "127.0.0.1:3128"), ("all_proxy", "socks5://127.0.0.1:9")]).unwrap();
        assert_eq!(format!("{both:?}"), "[\"HTTPS_PROXY\"]");
        let cgi = read(&[("HTTP_PROXY", "http://x")]).unwrap();
        assert!(cgi.rules.is_empty(), "it may be a header of a CGI script");
    }

    #[test]
    fn the_proxy_of_a_request_is_named_without_its_login() {
        let all = read(&[
            ("http_proxy", "http://me:hush@proxy.example.org:3128/"),
            ("ALL_PROXY", "other.example.org"),
            ("no_proxy", "deb.example.org,.local"),
        ])
        .unwrap();
        for (url, expected) in [
            ("http://example.org/x", Some("`proxy.example.org:3128` (`http_proxy`)")),
            ("https://example.org/x", Some("in `ALL_PROXY`")),
            ("http://deb.example.org/x", None),
            ("https://a.local/x", None),
        ] {
            let request = HttpRequest::new(HttpRequestBody::empty());
            let (mut head, body) = request.into_parts();
            head.uri = url.parse().unwrap();
            let via = all.of_request(&HttpRequest::from_parts(head, body));
            assert_eq!(via.map(|via| via.to_string()).as_deref(), expected, "{url}");
        }
    }
}
