//! The configuration and credentials files that Amazon's tools share
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).

use std::{collections::BTreeMap, path::PathBuf};

use super::opened::OpenError;
use crate::store::environment::Environment;

/// Ways to get credentials that are not supported, by the key in the profile.
const UNSUPPORTED_SOURCES: [&str; 6] =
    ["sso_session", "sso_start_url", "credential_process", "role_arn", "credential_source", "login_session"];

/// A file in INI format: the keys of each section; nested keys as `outer.inner`.
type Ini = BTreeMap<String, BTreeMap<String, String>>;

/// Both files, parsed.
pub(super) struct Profiles {
    config: Ini,
    credentials: Ini,
}

/// The settings of one profile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Profile {
    name: String,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    pub(super) session_token: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) addressing_style: Option<String>,
    pub(super) web_identity_token_file: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) request_checksum_calculation: Option<String>,
    /// An error text if the profile uses an unsupported way to get credentials.
    pub(super) unsupported_source: Option<String>,
}

impl Profiles {
    pub(super) fn read(environment: &Environment) -> Result<Self, OpenError> {
        let read = |variable: &str, name: &str| {
            let named =
                environment.get(variable).map(|path| match (path.strip_prefix("~/"), environment.home()) {
                    (Some(path), Some(home)) => home.join(path),
                    _ => PathBuf::from(path),
                });
            let Some(path) = named.or_else(|| Some(environment.home()?.join(".aws").join(name))) else {
                return Ok(Ini::new());
            };
            let read = crate::regular::read(&path).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
            });
            match read {
                Ok(text) => Ok(parse(&text)),
                // Neither file exists: the credentials may come from another source.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ini::new()),
                Err(error) => Err(OpenError::new(
                    format!("`{}` cannot be read: {error}", path.display()),
                    format!("correct the file, or set {variable} to another"),
                )),
            }
        };
        Ok(Self {
            config: read("AWS_CONFIG_FILE", "config")?,
            credentials: read("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
        })
    }

    /// Returns the profile named by the location or `AWS_PROFILE`, else `default` if it exists.
    pub(super) fn choose(
        &self,
        named: Option<&str>,
        environment: &Environment,
    ) -> Result<Profile, OpenError> {
        let named = named.or_else(|| environment.first_of(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
        let name = named.unwrap_or("default");
        let config = self.config.get(&format!("profile {name}")).or_else(|| {
            // Only `default` may omit the word `profile`.
            (name == "default").then(|| self.config.get("default")).flatten()
        });
        let credentials = self.credentials.get(name);
        if config.is_none() && credentials.is_none() && named.is_some() {
            return Err(OpenError::new(
                format!("there is no profile `{name}`"),
                "add it to ~/.aws/config or ~/.aws/credentials, or set the paths of these files with AWS_CONFIG_FILE and \
                 AWS_SHARED_CREDENTIALS_FILE",
            ));
        }
        let get = |key: &str| {
            let found = credentials.and_then(|keys| keys.get(key)).or_else(|| config?.get(key));
            found.filter(|value| !value.is_empty()).cloned()
        };
        let service = || {
            let services = self.config.get(&format!("services {}", get("services")?))?;
            services.get("s3.endpoint_url").cloned()
        };
        let way = UNSUPPORTED_SOURCES.iter().find(|key| get(key).is_some());
        Ok(Profile {
            name: name.to_owned(),
            access_key_id: get("aws_access_key_id"),
            secret_access_key: get("aws_secret_access_key"),
            session_token: get("aws_session_token"),
            region: get("region"),
            endpoint_url: service().or_else(|| get("s3.endpoint_url")).or_else(|| get("endpoint_url")),
            addressing_style: get("s3.addressing_style"),
            web_identity_token_file: get("web_identity_token_file"),
            role_arn: get("role_arn"),
            request_checksum_calculation: get("request_checksum_calculation"),
            unsupported_source: way.map(|key| {
                format!("profile `{name}` gets its credentials with `{key}`, which is not supported")
            }),
        })
    }
}

impl Profile {
    /// Returns the access key and its secret, if the profile has them.
    pub(super) fn keys(&self) -> Result<Option<(&str, &str)>, OpenError> {
        match (self.access_key_id.as_deref(), self.secret_access_key.as_deref()) {
            (Some(id), Some(secret)) => Ok(Some((id, secret))),
            (None, None) => Ok(None),
            _ => Err(OpenError::new(
                format!("profile `{}` has only half of a key pair", self.name),
                "set both `aws_access_key_id` and `aws_secret_access_key` in it",
            )),
        }
    }
}

/// Parses leniently: lines that cannot be parsed are skipped, as Amazon's tools do.
fn parse(text: &str) -> Ini {
    let mut ini = Ini::new();
    let mut section: Option<String> = None;
    let mut outer = String::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.trim_end().strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or_default();
            // Whitespace between the words and quotes around the name are ignored.
            let words: Vec<&str> = name.split_whitespace().map(|word| word.trim_matches('"')).collect();
            let name = words.join(" ");
            ini.entry(name.clone()).or_default();
            section = Some(name);
            outer.clear();
            continue;
        }
        let (Some(section), Some((key, value))) = (&section, bare.split_once('=')) else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), without_comment(value).trim().to_owned());
        let keys = ini.entry(section.clone()).or_default();
        if line.starts_with([' ', '\t']) {
            if !outer.is_empty() {
                keys.insert(format!("{outer}.{key}"), value);
            }
        } else {
            // Only a key without a value can have nested keys.
            outer = if value.is_empty() { key.clone() } else { String::new() };
            keys.insert(key, value);
        }
    }
    ini
}

/// Returns a value without the comment that follows whitespace and a `#` or `;`.
fn without_comment(value: &str) -> &str {
    let ends = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    &value[..ends.unwrap_or(value.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
# of everybody
[default]
region = eu-central-1
[profile cdn]  ; a comment
region=us-east-2
endpoint_url = https://all.example.org
s3 =
    addressing_style = path
    max_concurrent_requests = 20
output = json
request_checksum_calculation = WHEN_REQUIRED
[ profile   \"quoted\" ]
services = mine
[services mine]
s3 =
  endpoint_url = https://s3.example.org
dynamodb =
  endpoint_url = https://other.example.org
[profile sso]
sso_session = corp
[profile process]
credential_process = /bin/keys
[profile role]
role_arn = arn:aws:iam::1:role/x
source_profile = cdn
[profile identity]
role_arn = arn:aws:iam::1:role/x
web_identity_token_file = /run/token
[cdn]
region = nowhere
";
    const CREDENTIALS: &str = "\
[default]
aws_access_key_id = ID
aws_secret_access_key = SE=CR/ET+
[cdn]
AWS_ACCESS_KEY_ID=CDN # mine
aws_secret_access_key=a#b;c
aws_session_token = TOKEN
[half]
aws_access_key_id = ID
";

    fn choose(named: Option<&str>, variables: &[(&str, &str)]) -> Result<Profile, String> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let profiles = Profiles { config: parse(CONFIG), credentials: parse(CREDENTIALS) };
        profiles.choose(named, &environment).map_err(|error| error.why)
    }

    #[test]
    fn a_profile_merges_both_files() {
        let cdn = choose(Some("cdn"), &[("AWS_PROFILE", "sso")]).unwrap();
        assert_eq!(cdn.keys().ok().flatten(), Some(("CDN", "a#b;c")));
        assert_eq!(cdn.session_token.as_deref(), Some("TOKEN"));
        assert_eq!(cdn.region.as_deref(), Some("us-east-2"));
        assert_eq!(cdn.endpoint_url.as_deref(), Some("https://all.example.org"));
        assert_eq!(cdn.addressing_style.as_deref(), Some("path"));
        assert_eq!(cdn.request_checksum_calculation.as_deref(), Some("WHEN_REQUIRED"));
        assert_eq!(cdn.unsupported_source, None);
        assert_eq!(choose(None, &[("AWS_PROFILE", "cdn")]).unwrap(), cdn);
    }

    #[test]
    fn the_default_profile_is_used_without_a_name() {
        let default = choose(None, &[]).unwrap();
        assert_eq!(default.keys().ok().flatten(), Some(("ID", "SE=CR/ET+")));
        assert_eq!(default.region.as_deref(), Some("eu-central-1"));
        let none = Profiles { config: Ini::new(), credentials: Ini::new() };
        let none = none.choose(None, &Environment::default()).map_err(|error| error.why).unwrap();
        assert_eq!(none, Profile { name: "default".into(), ..Profile::default() });
    }

    #[test]
    fn services_have_endpoints_of_their_own() {
        let quoted = choose(Some("quoted"), &[]).unwrap();
        assert_eq!(quoted.endpoint_url.as_deref(), Some("https://s3.example.org"));
    }

    #[test]
    fn an_unsupported_source_of_credentials_is_named() {
        for (name, part) in [("sso", "sso_session"), ("process", "credential_process"), ("role", "role_arn")]
        {
            let why = choose(Some(name), &[]).unwrap().unsupported_source.unwrap();
            assert!(why.contains(part) && why.contains(name), "{why}");
        }
        let identity = choose(Some("identity"), &[]).unwrap();
        assert_eq!(identity.web_identity_token_file.as_deref(), Some("/run/token"));
        assert!(choose(Some("nobody"), &[]).unwrap_err().contains("no profile `nobody`"));
        assert!(choose(None, &[("AWS_PROFILE", "nobody")]).is_err());
        assert!(choose(Some("half"), &[]).unwrap().keys().is_err());
    }

    #[test]
    fn any_text_can_be_read() {
        for text in ["", "[", "]", "=", "a=b", "[x", "[]\n = \n=", "[a]\n b=c\n\u{feff}", "[a]\nb\n  c = d"] {
            let _ = parse(text);
        }
    }
}
