//! Azure Blob Storage, with the variables of Azure's own tools
//! (<https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string>).

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};

use super::{
    credentials_file,
    opened::{Objects, OpenError},
};
use crate::store::{
    environment::Environment,
    http::Http,
    location::{self, Bucket},
};

/// The account and key of every emulator; both are published.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The settings of an account, merged from all sources.
#[derive(Debug, Default, PartialEq, Eq)]
struct Account {
    name: Option<String>,
    key: Option<String>,
    sas: Option<String>,
    endpoint: Option<String>,
}

pub(super) fn open(bucket: &Bucket, environment: &Environment, http: Http) -> Result<Objects, OpenError> {
    let variable = |name| environment.get(name).map(ToOwned::to_owned);
    let mut account = match environment.get("AZURE_STORAGE_CONNECTION_STRING") {
        Some(text) => Account::parse(text)?,
        None => Account::default(),
    };
    let set = |to: &mut Option<String>, value: Option<String>| *to = value.or(to.take());
    if variable("AZURE_STORAGE_USE_EMULATOR").is_some_and(|value| ["1", "true"].contains(&&value[..])) {
        account = Account::emulator();
    }
    let names = ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"];
    set(&mut account.name, environment.first_of(&names).map(ToOwned::to_owned));
    set(&mut account.name, bucket.options.get("account").cloned());
    let keys = ["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCESS_KEY"];
    set(&mut account.key, environment.first_of(&keys).map(ToOwned::to_owned));
    set(&mut account.sas, variable("AZURE_STORAGE_SAS_TOKEN"));
    set(&mut account.endpoint, variable("AZURE_STORAGE_ENDPOINT"));
    set(&mut account.endpoint, bucket.options.get("endpoint").cloned());
    let Some(name) = account.name else {
        return Err(OpenError { why: "no storage account is set".into(), hint: None });
    };
    let endpoint = account.endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    http.require_roots(endpoint.as_deref())?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(&bucket.name)
        .with_account(name)
        .with_http_connector(http)
        .with_client_options(Http::options(endpoint.as_deref()))
        .with_retry(Http::retry());
    if let Some(endpoint) = &endpoint {
        location::check_endpoint(endpoint)
            .map_err(|why| OpenError::new(why, "correct AZURE_STORAGE_ENDPOINT, or the connection string"))?;
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(key) = account.key {
        let variable = keys.into_iter().find(|name| environment.get(name).is_some());
        check_key(&key, variable.unwrap_or("AccountKey in AZURE_STORAGE_CONNECTION_STRING"))?;
        builder = builder.with_access_key(key);
    } else if let Some(sas) = account.sas {
        if sas.trim_start_matches('?').split('&').any(|part| !part.contains('=')) {
            let why = "the shared access signature is not a list of `name=value` pairs separated by `&`";
            return Err(OpenError::new(why, "copy it from the portal unchanged, to AZURE_STORAGE_SAS_TOKEN"));
        }
        builder = builder.with_config(Key::SasKey, sas);
    } else {
        // The client tries them in this order: a federated token, a secret, the managed identity of this machine.
        for (key, name) in [
            (Key::ClientId, "AZURE_CLIENT_ID"),
            (Key::ClientSecret, "AZURE_CLIENT_SECRET"),
            (Key::AuthorityId, "AZURE_TENANT_ID"),
            (Key::AuthorityHost, "AZURE_AUTHORITY_HOST"),
            (Key::FederatedTokenFile, "AZURE_FEDERATED_TOKEN_FILE"),
            (Key::MsiEndpoint, "IDENTITY_ENDPOINT"),
        ] {
            if let Some(value) = environment.get(name) {
                if name == "AZURE_FEDERATED_TOKEN_FILE" {
                    credentials_file::check(value, name)?;
                }
                builder = builder.with_config(key, value);
            }
        }
    }
    Ok((Arc::new(builder.build()?), endpoint))
}

/// Checks that a key is in base64, as all keys of accounts are; the error does not contain it.
fn check_key(key: &str, of: &str) -> Result<(), OpenError> {
    if STANDARD.decode(key).is_ok() {
        return Ok(());
    }
    let why = format!("{of} is not the key of an account: it is not in base64");
    Err(OpenError::new(why, "copy it from the portal unchanged"))
}

impl Account {
    fn emulator() -> Self {
        Self {
            name: Some(EMULATOR_ACCOUNT.to_owned()),
            key: Some(EMULATOR_KEY.to_owned()),
            sas: None,
            endpoint: Some(format!("http://127.0.0.1:10000/{EMULATOR_ACCOUNT}")),
        }
    }

    /// Parses a connection string, as the portal prints it.
    fn parse(text: &str) -> Result<Self, OpenError> {
        let mut fields = BTreeMap::new();
        for field in text.split(';').filter(|field| !field.trim().is_empty()) {
            let Some((key, value)) = field.split_once('=') else {
                // Does not print the value: it is a secret.
                let why =
                    "AZURE_STORAGE_CONNECTION_STRING is not a list of `Name=Value` pairs separated by `;`";
                return Err(OpenError::new(why, "copy it from the portal unchanged"));
            };
            fields.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        let mut get = |key: &str| fields.remove(key).filter(|value| !value.is_empty());
        if get("usedevelopmentstorage").as_deref() == Some("true") {
            return Ok(Self::emulator());
        }
        let name = get("accountname");
        let scheme = get("defaultendpointsprotocol").unwrap_or_else(|| "https".to_owned());
        let of_suffix = get("endpointsuffix")
            .and_then(|suffix| Some(format!("{scheme}://{}.blob.{suffix}", name.as_ref()?)));
        let endpoint = get("blobendpoint").or(of_suffix);
        // A connection string with a shared access signature has only the endpoint; its host begins with the account
        // name.
        let of_host =
            || endpoint.as_ref()?.split_once("://")?.1.split_once(".blob.").map(|(name, _)| name.to_owned());
        let name = name.or_else(of_host);
        Ok(Self { name, key: get("accountkey"), sas: get("sharedaccesssignature"), endpoint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(text: &str) -> Account {
        Account::parse(text).map_err(|error| error.why).unwrap()
    }

    #[test]
    fn connection_strings_of_each_kind() {
        let text = |value: &str| Some(value.to_owned());
        assert_eq!(
            account(
                "DefaultEndpointsProtocol=https;AccountName=apt;AccountKey=a+b/c==;EndpointSuffix=core.windows.net"
            ),
            Account {
                name: text("apt"),
                key: text("a+b/c=="),
                sas: None,
                endpoint: text("https://apt.blob.core.windows.net"),
            }
        );
        assert_eq!(
            account("BlobEndpoint=https://apt.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D;"),
            Account {
                name: text("apt"),
                key: None,
                sas: text("sv=1&sig=a%3D"),
                endpoint: text("https://apt.blob.core.windows.net/"),
            }
        );
        assert_eq!(account("UseDevelopmentStorage=true"), Account::emulator());
        for key in ["a!", "abc"] {
            let why = check_key(key, "AZURE_STORAGE_KEY").map_err(|error| error.why).unwrap_err();
            assert!(why.starts_with("AZURE_STORAGE_KEY is not") && !why.contains(key), "{why}");
        }
        assert!(check_key(EMULATOR_KEY, "x").is_ok());
        assert!(Account::parse("secret").is_err_and(|error| !error.why.contains("secret")));
    }
}
