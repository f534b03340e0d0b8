//! Version 3, the current Keystone: a password with a project, or an application credential.

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
    swift::{error::Error, wire::Wire},
};

const PASSWORD: &str = "a login with a password at Keystone v3";
const CREDENTIAL: &str = "a login with an application credential at Keystone v3";

/// The credentials of a version 3 login.
pub(super) struct Account {
    url: String,
    body: Value,
}

#[derive(Deserialize)]
struct Reply {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    expires_at: Option<String>,
    issued_at: Option<String>,
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    interface: String,
    region: Option<String>,
    region_id: Option<String>,
    url: String,
}

impl Account {
    pub(super) fn from_environment(url: &str, environment: &Environment) -> Result<Self, Error> {
        let credential = ["OS_APPLICATION_CREDENTIAL_ID", "OS_APPLICATION_CREDENTIAL_NAME"];
        let auth = if environment.first_of(&credential).is_some() {
            credential_of(environment)?
        } else {
            password_of(environment)?
        };
        Ok(Self { url: format!("{url}/auth/tokens"), body: json!({ "auth": auth }) })
    }

    pub(super) async fn log_in(&self, wire: &Wire, choice: &Choice, storage: bool) -> Result<Session, Error> {
        let answer = post(wire, &self.url, &self.body).await?;
        let login = |why: String| Error::Login { url: self.url.clone(), why };
        let reply: Reply = serde_json::from_slice(&answer.body).map_err(|error| login(error.to_string()))?;
        let text = answer
            .header("X-Subject-Token")
            .ok_or_else(|| login("the answer has no `X-Subject-Token`".into()))?;
        let catalogue = reply.token.catalogue();
        Ok(Session {
            token: token(&self.url, text)?,
            storage: if storage { catalogue.storage(&self.url, choice)? } else { String::new() },
            cdn: catalogue.cdn(&self.url, choice)?,
            life: reply.token.life(),
        })
    }
}

fn credential_of(environment: &Environment) -> Result<Value, Error> {
    let secret = need(environment, CREDENTIAL, &["OS_APPLICATION_CREDENTIAL_SECRET"])?;
    let credential = if let Some(id) = environment.get("OS_APPLICATION_CREDENTIAL_ID") {
        json!({ "id": id, "secret": secret })
    } else {
        let name = need(environment, CREDENTIAL, &["OS_APPLICATION_CREDENTIAL_NAME"])?;
        json!({ "name": name, "secret": secret, "user": user_of(environment, CREDENTIAL)? })
    };
    // An application credential already belongs to one project.
    Ok(json!({
        "identity": { "methods": ["application_credential"], "application_credential": credential },
    }))
}

fn password_of(environment: &Environment) -> Result<Value, Error> {
    let mut user = user_of(environment, PASSWORD)?;
    user["password"] = need(environment, PASSWORD, &["OS_PASSWORD"])?.into();
    let project = if let Some(id) = environment.first_of(&["OS_PROJECT_ID", "OS_TENANT_ID"]) {
        json!({ "id": id })
    } else {
        let name = need(environment, PASSWORD, &["OS_PROJECT_NAME", "OS_TENANT_NAME"])?;
        let domain = domain_of(environment, "OS_PROJECT_DOMAIN_ID", "OS_PROJECT_DOMAIN_NAME")
            .unwrap_or_else(|| user_domain_of(environment));
        json!({ "name": name, "domain": domain })
    };
    Ok(json!({
        "identity": { "methods": ["password"], "password": { "user": user } },
        "scope": { "project": project },
    }))
}

fn user_of(environment: &Environment, way: &'static str) -> Result<Value, Error> {
    if let Some(id) = environment.get("OS_USER_ID") {
        return Ok(json!({ "id": id }));
    }
    let name = need(environment, way, &["OS_USERNAME"])?;
    Ok(json!({ "name": name, "domain": user_domain_of(environment) }))
}

fn user_domain_of(environment: &Environment) -> Value {
    domain_of(environment, "OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME")
        .unwrap_or_else(|| json!({ "id": "default" }))
}

fn domain_of(environment: &Environment, id: &str, name: &str) -> Option<Value> {
    let by_id = environment.get(id).map(|id| json!({ "id": id }));
    by_id.or_else(|| environment.get(name).map(|name| json!({ "name": name })))
}

impl Token {
    fn catalogue(&self) -> Catalogue {
        let endpoint = |service: &Service, address: &Address| Endpoint {
            service: service.kind.clone(),
            region: address.region.clone().or_else(|| address.region_id.clone()).unwrap_or_default(),
            interface: address.interface.clone(),
            url: address.url.clone(),
        };
        let all = self.catalog.iter();
        let all =
            all.flat_map(|service| service.endpoints.iter().map(move |address| endpoint(service, address)));
        Catalogue(all.collect())
    }

    /// Both times are the server's, because the local clock may be wrong.
    fn life(&self) -> Option<Duration> {
        let time = |text: &Option<String>| -> Option<SystemTime> {
            let time: jiff::Timestamp = text.as_ref()?.parse().ok()?;
            Some(time.into())
        };
        time(&self.expires_at)?.duration_since(time(&self.issued_at)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(variables: &[(&str, &str)]) -> Result<Value, Error> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Account::from_environment("https://a/v3", &variables.collect()).map(|account| account.body)
    }

    #[test]
    fn names_need_domains_and_identifiers_do_not() {
        let names = [
            ("OS_USERNAME", "u"),
            ("OS_PASSWORD", "p"),
            ("OS_PROJECT_NAME", "x"),
            ("OS_USER_DOMAIN_NAME", "d"),
        ];
        let user = json!({ "name": "u", "domain": { "name": "d" }, "password": "p" });
        let wanted = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": { "name": "x", "domain": { "name": "d" } } },
        } });
        assert_eq!(body(&names).unwrap(), wanted);
        let ids = [("OS_USER_ID", "1"), ("OS_PASSWORD", "p"), ("OS_PROJECT_ID", "2")];
        let wanted = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": { "id": "1", "password": "p" } } },
            "scope": { "project": { "id": "2" } },
        } });
        assert_eq!(body(&ids).unwrap(), wanted);
    }

    #[test]
    fn an_application_credential_has_no_scope() {
        let id = [("OS_APPLICATION_CREDENTIAL_ID", "1"), ("OS_APPLICATION_CREDENTIAL_SECRET", "s")];
        let wanted = json!({ "auth": { "identity": {
            "methods": ["application_credential"],
            "application_credential": { "id": "1", "secret": "s" },
        } } });
        assert_eq!(body(&id).unwrap(), wanted);
        let name = [("OS_APPLICATION_CREDENTIAL_NAME", "n"), ("OS_APPLICATION_CREDENTIAL_SECRET", "s")];
        let error = body(&name).unwrap_err().to_string();
        assert!(error.contains("`OS_USERNAME`"), "a name is one of a user's: {error}");
    }
}
