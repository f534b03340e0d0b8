//! The `.sources` stanza for a client (deb822 format of sources.list(5)).

use super::{failure::Failure, session::Session};
use crate::{
    archive::{CommitReport, KEY_FILE},
    names::Suite,
    signing::{Error, Keyring},
    store::Location,
};

/// What a client has to know of a suite.
pub(super) struct Client<'a> {
    /// Where it reads the archive, if that is not where it is kept.
    pub public_url: Option<&'a str>,
    /// The suite.
    pub suite: &'a Suite,
    /// Its components.
    pub components: &'a [String],
    /// Whether it is signed.
    pub signed: bool,
}

/// Stands for the address of a bucket, which only its owner knows: a domain of one's own, a CDN, the service's.
pub(super) const UNKNOWN: &str = "https://PUBLIC-URL";

/// The stanza that lets apt read a suite from where it is; `keys` are those at the root of the archive.
pub(super) fn stanza(location: &Location, client: &Client<'_>, keys: &Keyring) -> Result<String, Error> {
    let uri = uri(client.public_url, location);
    let folder = location.folder().filter(|_| client.public_url.is_none());
    let trust = match folder {
        _ if !client.signed => "Trusted: yes".to_owned(),
        // A command signs, whose key is not known here.
        _ if keys.is_empty() => "Signed-By: /etc/apt/keyrings/PUBLIC-KEY.asc".to_owned(),
        Some(folder) => {
            let path = folder.join(KEY_FILE).display().to_string();
            // apt would take a path with blanks for several words.
            if path.contains([' ', '\t', ',']) { inline(keys)? } else { format!("Signed-By: {path}") }
        }
        None => inline(keys)?,
    };
    let (suite, components) = (client.suite, client.components.join(" "));
    Ok(format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{trust}\n"))
}

/// The stanza that lets apt read suites by a keyring that is installed on the client; all have the same components.
#[must_use]
pub(super) fn stanza_by_keyring(
    location: &Location,
    suites: &[&Suite],
    components: &[String],
    path: &str,
) -> String {
    let suites = suites.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let (uri, components) = (uri(None, location), components.join(" "));
    format!("Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: {components}\nSigned-By: {path}\n")
}

/// Where clients read the archive.
fn uri(public_url: Option<&str>, location: &Location) -> String {
    match (public_url, location) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Location::Folder(path)) => format!("file:{}", encode(&path.display().to_string())),
        (None, _) => UNKNOWN.to_owned(),
    }
}

/// Tells how clients read a suite that was just published for the first time.
pub(super) fn tell_first(
    session: &Session<'_>,
    outcome: &CommitReport,
    keys: &Keyring,
) -> Result<(), Failure> {
    if !outcome.first || !outcome.published || session.ui.json() || session.ui.quiet() {
        return Ok(());
    }
    session
        .ui
        .say("\nClients read it with this in /etc/apt/sources.list.d/, as a file that ends in `.sources`:\n");
    let client = Client {
        public_url: None,
        suite: &outcome.suite,
        components: &outcome.components,
        signed: outcome.signed,
    };
    session.ui.data(stanza(&session.location, &client, keys)?.as_bytes());
    Ok(())
}

/// The keys themselves, which a client then needs not fetch.
fn inline(keys: &Keyring) -> Result<String, Error> {
    let armored = keys.armored()?;
    let text = String::from_utf8_lossy(&armored);
    let lines =
        text.lines().map(|line| if line.is_empty() { "\n .".to_owned() } else { format!("\n {line}") });
    Ok(format!("Signed-By:{}", lines.collect::<String>()))
}

/// Blanks part the words of a stanza, and apt decodes `%`.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20")
}
