//! Version 2: Rackspace, with an API key, and old Keystones, with a password.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    catalogue::{Catalogue, Choice, Endpoint},
    request::post,
    session::{Session, need, token},
};
use crate::store::{
    environment::Environment,
    swift::{
        error::Error,
        wire::{Answer, Wire},
    },
};

const LOGIN: &str = "a login of version 2";

/// The credentials of a version 2 login.
pub(super) struct Account {
    url: String,
    body: Value,
}

#[derive(Deserialize)]
struct Reply {
    access: Access,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    token: Token,
    #[serde(default)]
    service_catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    expires: Option<String>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Addresses>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Addresses {
    region: Option<String>,
    #[serde(rename = "publicURL")]
    public: Option<String>,
    #[serde(rename = "internalURL")]
    internal: Option<String>,
    #[serde(rename = "adminURL")]
    admin: Option<String>,
}

impl Account {
    pub(super) fn from_environment(url: &str, environment: &Environment) -> Result<Self, Error> {
        let user = need(environment, LOGIN, &["OS_USERNAME", "RACKSPACE_USERNAME"])?;
        let key = environment.first_of(&["OS_API_KEY", "RACKSPACE_API_KEY"]);
        let mut auth = if let Some(key) = key {
            json!({ "RAX-KSKEY:apiKeyCredentials": { "username": user, "apiKey": key } })
        } else {
            let password = need(environment, LOGIN, &["OS_PASSWORD"])?;
            json!({ "passwordCredentials": { "username": user, "password": password } })
        };
        let tenant = [
            ("tenantId", environment.first_of(&["OS_TENANT_ID", "OS_PROJECT_ID"])),
            ("tenantName", environment.first_of(&["OS_TENANT_NAME", "OS_PROJECT_NAME"])),
        ];
        if let Some((field, value)) = tenant.into_iter().find_map(|(field, value)| Some((field, value?))) {
            auth[field] = value.into();
        }
        Ok(Self { url: format!("{url}/tokens"), body: json!({ "auth": auth }) })
    }

    pub(super) async fn log_in(&self, wire: &Wire, choice: &Choice, storage: bool) -> Result<Session, Error> {
        let answer = post(wire, &self.url, &self.body).await?;
        let reply: Reply = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Login { url: self.url.clone(), why: error.to_string() })?;
        let catalogue = reply.access.catalogue();
        Ok(Session {
            token: token(&self.url, &reply.access.token.id)?,
            storage: if storage { catalogue.storage(&self.url, choice)? } else { String::new() },
            cdn: catalogue.cdn(&self.url, choice)?,
            life: reply.access.token.life(&answer),
        })
    }
}

impl Access {
    fn catalogue(&self) -> Catalogue {
        let mut endpoints = Vec::new();
        for service in &self.service_catalog {
            for addresses in &service.endpoints {
                let interfaces = [
                    ("public", &addresses.public),
                    ("internal", &addresses.internal),
                    ("admin", &addresses.admin),
                ];
                endpoints.extend(interfaces.into_iter().filter_map(|(interface, url)| {
                    Some(Endpoint {
                        service: service.kind.clone(),
                        region: addresses.region.clone().unwrap_or_default(),
                        interface: interface.to_owned(),
                        url: url.clone()?,
                    })
                }));
            }
        }
        Catalogue(endpoints)
    }
}

impl Token {
    /// Uses the server's clock, because the local one may be wrong.
    fn life(&self, answer: &Answer) -> Option<Duration> {
        let expires: jiff::Timestamp = self.expires.as_ref()?.parse().ok()?;
        let now = httpdate::parse_http_date(answer.header("Date")?).ok()?;
        SystemTime::from(expires).duration_since(now).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(variables: &[(&str, &str)]) -> Value {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Account::from_environment("https://a/v2.0", &variables.collect()).unwrap().body
    }

    #[test]
    fn a_key_takes_precedence_over_a_password() {
        let key =
            body(&[("OS_USERNAME", "u"), ("OS_API_KEY", "k"), ("OS_PASSWORD", "p"), ("OS_TENANT_NAME", "t")]);
        let wanted = json!({ "username": "u", "apiKey": "k" });
        assert_eq!(key, json!({ "auth": { "RAX-KSKEY:apiKeyCredentials": wanted, "tenantName": "t" } }));
        let password = body(&[("OS_USERNAME", "u"), ("OS_PASSWORD", "p"), ("OS_TENANT_ID", "1")]);
        let wanted = json!({ "username": "u", "password": "p" });
        assert_eq!(password, json!({ "auth": { "passwordCredentials": wanted, "tenantId": "1" } }));
    }
}
