//! Selects the login method that the environment configures.

use super::{
    catalogue::Choice,
    session::{Session, address},
    v1, v2, v3,
};
use crate::store::{
    environment::Environment,
    swift::{error::Error, wire::Wire},
};

/// Rackspace's login endpoint.
const RACKSPACE: &str = "https://identity.api.rackspacecloud.com/v2.0";

/// Credentials, and the choice of endpoint.
pub(crate) struct Login {
    way: AuthMethod,
    choice: Choice,
    /// Overrides the URL that the login returns.
    storage: Option<String>,
}

enum AuthMethod {
    V1(v1::Account),
    V2(v2::Account),
    V3(v3::Account),
}

impl Login {
    /// Reads the configuration from the environment.
    pub(crate) fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let choice = Choice::from_environment(environment)?;
        let storage = match environment.get("OS_STORAGE_URL") {
            Some(url) => Some(address("OS_STORAGE_URL", url)?),
            None => None,
        };
        Ok(Self { way: AuthMethod::from_environment(environment)?, choice, storage })
    }

    /// Logs in.
    pub(crate) async fn log_in(&self, wire: &Wire) -> Result<Session, Error> {
        // With an explicit storage URL, the catalogue need not contain one.
        let find = self.storage.is_none();
        let mut session = match &self.way {
            AuthMethod::V1(account) => account.log_in(wire).await?,
            AuthMethod::V2(account) => account.log_in(wire, &self.choice, find).await?,
            AuthMethod::V3(account) => account.log_in(wire, &self.choice, find).await?,
        };
        if let Some(storage) = &self.storage {
            session.storage.clone_from(storage);
        }
        Ok(session)
    }
}

impl AuthMethod {
    fn from_environment(environment: &Environment) -> Result<Self, Error> {
        if let Some(url) = environment.get("ST_AUTH") {
            return v1::Account::from_environment(url, environment).map(Self::V1);
        }
        let api_key = environment.first_of(&["OS_API_KEY", "RACKSPACE_API_KEY"]).is_some();
        let url = match environment.get("OS_AUTH_URL") {
            Some(url) => address("OS_AUTH_URL", url)?,
            None if environment.get("RACKSPACE_USERNAME").is_some()
                || environment.get("RACKSPACE_API_KEY").is_some() =>
            {
                RACKSPACE.into()
            }
            None => return Err(Error::NoCredentials),
        };
        let (root, of_url) = match url.rsplit_once('/') {
            Some((root, "v2.0")) => (root, Some(2)),
            Some((root, "v3")) => (root, Some(3)),
            _ => (url.as_str(), None),
        };
        let said = match environment.get("OS_IDENTITY_API_VERSION") {
            None => None,
            Some("2" | "2.0") => Some(2),
            Some("3") => Some(3),
            Some(other) => {
                return Err(Error::BadValue {
                    name: "OS_IDENTITY_API_VERSION".into(),
                    value: other.into(),
                    why: "it is 2 or 3; for version 1, set ST_AUTH, ST_USER and ST_KEY".into(),
                });
            }
        };
        match said.or(of_url).unwrap_or(if api_key { 2 } else { 3 }) {
            2 => v2::Account::from_environment(&format!("{root}/v2.0"), environment).map(Self::V2),
            _ => v3::Account::from_environment(&format!("{root}/v3"), environment).map(Self::V3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(variables: &[(&str, &str)]) -> Result<AuthMethod, Error> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        AuthMethod::from_environment(&environment)
    }

    #[test]
    fn the_variables_select_the_login_method() {
        let v1 = way(&[("ST_AUTH", "https://a/auth/v1.0"), ("ST_USER", "u"), ("ST_KEY", "k")]);
        assert!(matches!(v1, Ok(AuthMethod::V1(_))));
        let v3 = [("OS_USERNAME", "u"), ("OS_PASSWORD", "p"), ("OS_PROJECT_NAME", "x")];
        for url in ["https://a:5000", "https://a:5000/", "https://a/identity/v3", "https://a/identity/v3/"] {
            let v3 = way(&[&v3[..], &[("OS_AUTH_URL", url)]].concat());
            assert!(matches!(v3, Ok(AuthMethod::V3(_))), "{url}");
        }
        let v2 = way(&[&v3[..], &[("OS_AUTH_URL", "https://a/v2.0")]].concat());
        assert!(matches!(v2, Ok(AuthMethod::V2(_))));
        let said =
            way(&[&v3[..], &[("OS_AUTH_URL", "https://a/v3"), ("OS_IDENTITY_API_VERSION", "2")]].concat());
        assert!(matches!(said, Ok(AuthMethod::V2(_))));
        let key = way(&[("OS_AUTH_URL", "https://a"), ("OS_USERNAME", "u"), ("OS_API_KEY", "k")]);
        assert!(matches!(key, Ok(AuthMethod::V2(_))));
        let rackspace = way(&[("RACKSPACE_USERNAME", "u"), ("RACKSPACE_API_KEY", "k")]);
        assert!(matches!(rackspace, Ok(AuthMethod::V2(_))));
    }

    #[test]
    fn a_missing_variable_is_named() {
        let text = |variables: &[(&str, &str)]| match way(variables) {
            Ok(_) => panic!("{variables:?}"),
            Err(error) => (error.to_string(), error.hint().unwrap_or_default()),
        };
        let (_, hint) = text(&[]);
        for name in ["ST_AUTH", "ST_USER", "ST_KEY", "OS_AUTH_URL", "OS_PASSWORD", "OS_PROJECT_NAME"] {
            assert!(hint.contains(name), "{hint}");
        }
        for name in ["OS_APPLICATION_CREDENTIAL_ID", "OS_TENANT_NAME", "RACKSPACE_API_KEY", "OS_REGION_NAME"]
        {
            assert!(hint.contains(name), "{hint}");
        }
        let (error, _) = text(&[("ST_AUTH", "https://a/auth/v1.0"), ("ST_USER", "u")]);
        assert_eq!(error, "a login of version 1 needs `ST_KEY`, which is not set");
        let (error, _) =
            text(&[("OS_AUTH_URL", "https://a/v3"), ("OS_USERNAME", "u"), ("OS_PROJECT_NAME", "p")]);
        assert!(error.contains("`OS_PASSWORD`"), "{error}");
        let (error, _) = text(&[("OS_AUTH_URL", "keystone.example.org")]);
        assert!(error.contains("`OS_AUTH_URL` cannot be `keystone.example.org`"), "{error}");
        let (error, _) = text(&[("RACKSPACE_USERNAME", "u")]);
        assert!(error.contains("`OS_PASSWORD`") || error.contains("`RACKSPACE_API_KEY`"), "{error}");
    }
}
