//! The `.sources` stanza for a client (deb822 format of sources.list(5)).

use super::{failure::Failure, session::Session};
use crate::{
    archive::{Change, CommitReport, KEY_FILE},
    names::Suite,
    package_type::PackageType,
    signing::{Error, Keyring},
    store::Location,
};

/// The suite that a client reads.
pub(super) struct Client<'a> {
    /// The URL for clients, if it differs from the location.
    pub public_url: Option<&'a str>,
    /// The suite.
    pub suite: &'a Suite,
    /// Its components.
    pub components: &'a [String],
    /// Whether it is signed.
    pub signed: bool,
    /// Whether it has source packages.
    pub has_sources: bool,
}

/// Placeholder for the URL of a bucket, which only its owner knows: a custom domain, a CDN, or that of the service.
pub(super) const UNKNOWN: &str = "https://PUBLIC-URL";

/// Renders the stanza for a suite; `keys` are those at the root of the archive.
pub(super) fn stanza(location: &Location, client: &Client<'_>, keys: &Keyring) -> Result<String, Error> {
    let uri = uri(client.public_url, location);
    let folder = location.folder().filter(|_| client.public_url.is_none());
    let trust = match folder {
        _ if !client.signed => "Trusted: yes".to_owned(),
        // A command signs, and its key is unknown here.
        _ if keys.is_empty() => "Signed-By: /etc/apt/keyrings/PUBLIC-KEY.asc".to_owned(),
        Some(folder) => {
            let path = folder.join(KEY_FILE).display().to_string();
            // apt splits the value at spaces.
            if path.contains([' ', '\t', ',']) { inline(keys)? } else { format!("Signed-By: {path}") }
        }
        None => inline(keys)?,
    };
    let (suite, components) = (client.suite, of_packages(client.components));
    let types = if client.has_sources { "deb deb-src" } else { "deb" };
    Ok(format!("Types: {types}\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{trust}\n"))
}

/// Renders the stanza for suites with the same components and a keyring that is installed on the client.
#[must_use]
pub(super) fn stanza_by_keyring(
    location: &Location,
    suites: &[&Suite],
    components: &[String],
    path: &str,
) -> String {
    let suites = suites.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let (uri, components) = (uri(None, location), of_packages(components));
    format!("Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: {components}\nSigned-By: {path}\n")
}

/// The components of ordinary packages: debug symbols (`main/debug`) are for users who ask for them.
fn of_packages(components: &[String]) -> String {
    let names = components.iter().map(String::as_str).filter(|name| PackageType::of_folder(name).is_none());
    names.collect::<Vec<_>>().join(" ")
}

/// Returns the URI for clients.
fn uri(public_url: Option<&str>, location: &Location) -> String {
    match (public_url, location) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Location::Folder(path)) => format!("file:{}", encode(&path.display().to_string())),
        (None, _) => UNKNOWN.to_owned(),
    }
}

/// Prints the stanza of a suite that was published for the first time.
pub(super) fn print_first(
    session: &Session<'_>,
    outcome: &CommitReport,
    keys: &Keyring,
) -> Result<(), Failure> {
    if !outcome.first || !outcome.published || session.ui.json() || session.ui.quiet() {
        return Ok(());
    }
    session.ui.say("\nOn clients, save this as a `.sources` file in /etc/apt/sources.list.d/:\n");
    let client = Client {
        public_url: None,
        suite: &outcome.suite,
        components: &outcome.components,
        signed: outcome.signed,
        has_sources: outcome.added.iter().any(Change::is_source),
    };
    session.ui.stanza(&stanza(&session.location, &client, keys)?);
    Ok(())
}

/// Embeds the keys, so that a client need not download them.
fn inline(keys: &Keyring) -> Result<String, Error> {
    let armored = keys.armored()?;
    let text = String::from_utf8_lossy(&armored);
    let lines =
        text.lines().map(|line| if line.is_empty() { "\n .".to_owned() } else { format!("\n {line}") });
    Ok(format!("Signed-By:{}", lines.collect::<String>()))
}

/// Encodes spaces, which separate the values of a stanza, and `%`, which apt decodes.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20")
}
