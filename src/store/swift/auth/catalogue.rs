//! The service catalogue, which a login returns: the services of an account and their endpoints.

use std::collections::BTreeSet;

use super::session::given_address;
use crate::store::{environment::Environment, swift::error::Error};

/// The type of the object storage service.
pub(super) const STORAGE: &str = "object-store";
/// The type of Cloud Files' CDN management service.
pub(super) const CDN: &str = "rax:object-cdn";

/// The choice among several endpoints.
pub(super) struct Choice {
    region: Option<String>,
    /// `public`, `internal` or `admin`.
    interface: String,
}

impl Choice {
    pub(super) fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let wanted = environment.first_of(&["OS_INTERFACE", "OS_ENDPOINT_TYPE"]).unwrap_or("public");
        let interface = wanted.strip_suffix("URL").unwrap_or(wanted);
        if !matches!(interface, "public" | "internal" | "admin") {
            return Err(Error::BadValue {
                name: "OS_INTERFACE".into(),
                value: wanted.into(),
                why: "it is public, internal or admin".into(),
            });
        }
        Ok(Self {
            region: environment.get("OS_REGION_NAME").map(ToOwned::to_owned),
            interface: interface.to_owned(),
        })
    }
}

/// One endpoint of one service.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) interface: String,
    pub(super) url: String,
}

/// All endpoints.
pub(super) struct Catalogue(pub(super) Vec<Endpoint>);

impl Catalogue {
    /// Returns the endpoint of the object storage.
    pub(super) fn storage(&self, login: &str, choice: &Choice) -> Result<String, Error> {
        let fits = |endpoint: &&Endpoint| {
            endpoint.service == STORAGE
                && endpoint.interface == choice.interface
                && choice.region.as_ref().is_none_or(|region| same_region(region, &endpoint.region))
        };
        let found: Vec<&Endpoint> = self.0.iter().filter(fits).collect();
        let regions: BTreeSet<&str> = found.iter().map(|endpoint| endpoint.region.as_str()).collect();
        match (found.first(), regions.len()) {
            (None, _) => Err(self.missing(choice)),
            (Some(endpoint), 1) => given_address(login, &endpoint.url),
            _ => Err(Error::ManyRegions { service: STORAGE, regions: quoted(regions) }),
        }
    }

    /// Returns the endpoint of the CDN management, if there is one; it has only the public interface.
    pub(super) fn cdn(&self, login: &str, choice: &Choice) -> Result<Option<String>, Error> {
        let fits = |endpoint: &&Endpoint| {
            endpoint.service == CDN
                && endpoint.interface == "public"
                && choice.region.as_ref().is_none_or(|region| same_region(region, &endpoint.region))
        };
        self.0.iter().find(fits).map(|endpoint| given_address(login, &endpoint.url)).transpose()
    }

    fn missing(&self, choice: &Choice) -> Error {
        let all = self.0.iter().filter(|endpoint| endpoint.service == STORAGE);
        let there: BTreeSet<_> =
            all.map(|endpoint| format!("{} in {}", endpoint.interface, endpoint.region)).collect();
        let services: BTreeSet<_> = self.0.iter().map(|endpoint| endpoint.service.as_str()).collect();
        let there = if !there.is_empty() {
            there.into_iter().collect::<Vec<_>>().join(", ")
        } else if services.is_empty() {
            "none; the login may need a project".into()
        } else {
            format!("only {}", quoted(services))
        };
        let region =
            choice.region.as_ref().map(|region| format!(" in region `{region}`")).unwrap_or_default();
        Error::NoEndpoint {
            service: STORAGE,
            wanted: format!("with interface `{}`{region}", choice.interface),
            there,
        }
    }
}

/// Rackspace writes region names in upper or lower case.
fn same_region(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let endpoint = |service: &str, region: &str, interface: &str| Endpoint {
            service: service.into(),
            region: region.into(),
            interface: interface.into(),
            url: format!("https://{interface}.{region}.example.org/v1/AUTH_x/"),
        };
        Catalogue(vec![
            endpoint("compute", "DFW", "public"),
            endpoint(STORAGE, "DFW", "public"),
            endpoint(STORAGE, "DFW", "internal"),
            endpoint(STORAGE, "ORD", "public"),
            endpoint(CDN, "DFW", "public"),
            endpoint(CDN, "ORD", "public"),
        ])
    }

    fn choice(region: Option<&str>, interface: &str) -> Choice {
        let variables = [("OS_REGION_NAME", region.unwrap_or("")), ("OS_INTERFACE", interface)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Choice::from_environment(&variables.into_iter().collect()).unwrap()
    }

    #[test]
    fn region_and_interface_choose() {
        let storage = |region, interface| catalogue().storage("x", &choice(region, interface));
        assert_eq!(storage(Some("ORD"), "").unwrap(), "https://public.ORD.example.org/v1/AUTH_x");
        assert_eq!(
            storage(Some("dfw"), "internalURL").unwrap(),
            "https://internal.DFW.example.org/v1/AUTH_x"
        );
        // Only one region has it, so no choice is needed.
        assert_eq!(storage(None, "internal").unwrap(), "https://internal.DFW.example.org/v1/AUTH_x");
        let cdn = catalogue().cdn("x", &choice(Some("ORD"), "internal")).unwrap();
        assert_eq!(cdn.as_deref(), Some("https://public.ORD.example.org/v1/AUTH_x"));
    }

    #[test]
    fn an_impossible_choice_lists_the_alternatives() {
        let text =
            |region, interface| catalogue().storage("x", &choice(region, interface)).unwrap_err().to_string();
        assert_eq!(text(None, "public"), "the account has `object-store` in several regions: `DFW`, `ORD`");
        assert_eq!(
            text(Some("LON"), "public"),
            "the account has no service `object-store` with interface `public` in region `LON`; there is internal in DFW, public in DFW, public in ORD"
        );
        let none = Catalogue(Vec::new()).storage("x", &choice(None, "public")).unwrap_err().to_string();
        assert!(none.contains("project"), "{none}");
        let bad = [("OS_INTERFACE".to_owned(), "private".to_owned())];
        assert!(Choice::from_environment(&bad.into_iter().collect()).is_err());
    }
}
