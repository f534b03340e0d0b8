//! Version 1 (Swift's tempauth): user and key in request headers; token and URL in response headers.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};

use super::{
    request::send,
    session::{Session, address, given_address, need, token},
};
use crate::store::{
    environment::Environment,
    swift::{error::Error, wire::Wire},
};

const LOGIN: &str = "a login of version 1";

/// The credentials of a version 1 login.
pub(super) struct Account {
    url: String,
    headers: HeaderMap,
}

impl Account {
    pub(super) fn from_environment(url: &str, environment: &Environment) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        for (name, variable) in [("x-auth-user", "ST_USER"), ("x-auth-key", "ST_KEY")] {
            let text = need(environment, LOGIN, &[variable])?;
            let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Error::BadValue {
                name: variable.into(),
                value: "…".into(),
                why: "it has a control character".into(),
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self { url: address("ST_AUTH", url)?, headers })
    }

    pub(super) async fn log_in(&self, wire: &Wire) -> Result<Session, Error> {
        let answer = send(wire, Method::GET, &self.url, self.headers.clone(), Bytes::new()).await?;
        let header = |name: &str| {
            answer.header(name).ok_or_else(|| Error::Login {
                url: self.url.clone(),
                why: format!("the answer has no `{name}`; is this the address of a login of version 1?"),
            })
        };
        let cdn = match answer.header("X-CDN-Management-Url") {
            Some(text) => Some(given_address(&self.url, text)?),
            None => None,
        };
        Ok(Session {
            token: token(&self.url, header("X-Auth-Token")?)?,
            storage: given_address(&self.url, header("X-Storage-Url")?)?,
            cdn,
            life: answer
                .header("X-Auth-Token-Expires")
                .and_then(|text| text.parse().ok())
                .map(Duration::from_secs),
        })
    }
}
