//! Requests to an account, with its token; concurrent requests share one login.

use std::{fmt::Write, time::Duration};

use bytes::Bytes;
use reqwest::{
    Method, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::{sync::Mutex, time::Instant};

use super::{
    auth::{Login, Session},
    error::Error,
    wire::{Answer, Outgoing, Wire},
};

/// A request to an account.
#[derive(Clone)]
pub(super) struct Request {
    method: Method,
    place: Place,
    /// The encoded path below the account's URL.
    path: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Bytes,
    listing: bool,
    stream: bool,
    slow: bool,
}

/// The service of the account that a request is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Storage,
    Cdn,
}

impl Request {
    /// Builds a request for an object or, with an empty key, for its container.
    pub(super) fn new(method: Method, container: &str, key: &str) -> Self {
        let slash = if key.is_empty() { "" } else { "/" };
        Self {
            method,
            place: Place::Storage,
            path: format!("/{}{slash}{}", encoded(container), encoded(key)),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            listing: false,
            stream: false,
            slow: false,
        }
    }

    /// Builds a request for the account itself.
    pub(super) fn account(method: Method) -> Self {
        Self { path: String::new(), ..Self::new(method, "", "") }
    }

    pub(super) fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    pub(super) fn headers(mut self, headers: &HeaderMap) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
    }

    pub(super) fn body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// Marks the request as a listing, for the counter.
    pub(super) fn listing(self) -> Self {
        Self { listing: true, ..self }
    }

    /// Leaves the body of a successful response as a stream.
    pub(super) fn stream(self) -> Self {
        Self { stream: true, ..self }
    }

    /// Marks the request as slow: the server works for long before it responds.
    pub(super) fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    fn outgoing(&self, session: &Session) -> Result<Outgoing, Error> {
        let root = match self.place {
            Place::Storage => &session.storage,
            Place::Cdn => session.cdn.as_ref().ok_or(Error::NoCdn)?,
        };
        let mut text = format!("{root}{}", self.path);
        for (number, (name, value)) in self.query.iter().enumerate() {
            text.push(if number == 0 { '?' } else { '&' });
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(&encoded(value));
            }
        }
        let url = Url::parse(&text)
            .map_err(|error| Error::InvalidResponse { object: text.clone(), why: error.to_string() })?;
        let mut headers = self.headers.clone();
        headers.insert("x-auth-token", session.token.clone());
        Ok(Outgoing {
            method: self.method.clone(),
            url,
            headers,
            body: self.body.clone(),
            listing: self.listing,
            stream: self.stream,
            slow: self.slow,
        })
    }
}

/// A client of one account.
pub(super) struct Client {
    pub(super) wire: Wire,
    login: Login,
    state: Mutex<State>,
}

/// The login state; the holder of the lock logs in for all others.
#[derive(Default)]
struct State {
    session: Option<Numbered>,
    /// A rejected key is reported to all waiters instead of tried by each: some servers lock such users out.
    refused: Option<Error>,
    logins: u64,
}

#[derive(Clone)]
struct Numbered {
    session: std::sync::Arc<Session>,
    /// Tells one login from the next: a server may return the same token again.
    number: u64,
    renew: Option<Instant>,
}

impl Client {
    pub(super) fn new(wire: Wire, login: Login) -> Self {
        Self { wire, login, state: Mutex::default() }
    }

    /// Sends a request; an expired token is renewed once.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let first = self.session(None).await?;
        let answer = self.ask(request, &first.session).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let second = self.session(Some(first.number)).await?;
        self.ask(request, &second.session).await
    }

    /// Sends a request to the storage itself, whose clock counts, not that of the login server.
    async fn ask(&self, request: &Request, session: &Session) -> Result<Answer, Error> {
        let answer = self.wire.send(&request.outgoing(session)?).await?;
        self.wire.watch.clock.observe_headers(&answer.headers);
        Ok(answer)
    }

    /// Returns whether the account has a CDN.
    pub(super) async fn has_cdn(&self) -> Result<bool, Error> {
        Ok(self.session(None).await?.session.cdn.is_some())
    }

    /// Returns the URL of the account.
    #[cfg(test)]
    pub(super) async fn storage(&self) -> Result<String, Error> {
        Ok(self.session(None).await?.session.storage.clone())
    }

    /// Returns a session newer than `spent`.
    async fn session(&self, spent: Option<u64>) -> Result<Numbered, Error> {
        let mut state = self.state.lock().await;
        if let Some(known) = &state.session {
            let fresh = known.renew.is_none_or(|renew| Instant::now() < renew);
            if fresh && spent.is_none_or(|spent| spent < known.number) {
                return Ok(known.clone());
            }
        }
        if let Some(error) = &state.refused {
            return Err(error.clone());
        }
        let began = Instant::now();
        let session = match self.login.log_in(&self.wire).await {
            Ok(session) => session,
            Err(error) => {
                if matches!(error, Error::WrongKey { .. }) {
                    state.refused = Some(error.clone());
                }
                return Err(error);
            }
        };
        state.logins += 1;
        let renew = session.life.and_then(|life| began.checked_add(life.saturating_sub(margin(life))));
        let known = Numbered { session: session.into(), number: state.logins, renew };
        state.session = Some(known.clone());
        Ok(known)
    }
}

/// Returns how long before its end a token is renewed. A server that returns the same token while it is valid leaves
/// little time.
fn margin(life: Duration) -> Duration {
    (life / 4).min(Duration::from_secs(60))
}

/// Percent-encodes a name, except unreserved characters and the slash.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                // Writing to a string never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Decodes a name encoded by [`encoded`]; returns it unchanged if the result is not UTF-8.
pub(super) fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        // `from_str_radix` would accept a sign.
        let pair = pair.filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(value) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(encoded("pool/g++_1:2.0~rc1%3a é"), "pool/g%2B%2B_1%3A2.0~rc1%253a%20%C3%A9");
        for name in ["", "a/b", "g++_1:2.0~rc1%3a é", "%", "100%_sure", "%zz", "?#&="] {
            assert_eq!(decoded(&encoded(name)), name);
        }
        assert_eq!(decoded("a%2"), "a%2");
        assert_eq!(decoded("%é"), "%é");
        assert_eq!(decoded("%+1"), "%+1");
    }

    #[test]
    fn a_short_life_has_a_short_margin() {
        assert_eq!(margin(Duration::from_secs(86_400)), Duration::from_secs(60));
        assert_eq!(margin(Duration::from_secs(4)), Duration::from_secs(1));
    }
}
