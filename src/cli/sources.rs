//! The `.sources` stanza for a client, after a suite was published for the first time.

use std::fmt::Write as _;

use super::{failure::Failure, session::Session};
use crate::{
    archive::{Change, ClientSuite, CommitReport, KEY_FILE, inline, stanzas},
    names::Suite,
    signing::{Error, Keyring},
    store::Location,
};

pub(super) use crate::archive::UNKNOWN_URL as UNKNOWN;

/// Renders the stanza for suites, with the keys in it unless the client can read them from a folder.
pub(super) fn with_keys(
    location: &Location,
    public_url: Option<&str>,
    suites: &[ClientSuite],
    keys: &Keyring,
) -> Result<String, Error> {
    let by_path = location.folder().filter(|_| public_url.is_none()).and_then(|_| key_in_folder(location));
    let signed_by = match by_path {
        // A command signs, and its key is unknown here.
        _ if keys.is_empty() => "/etc/apt/keyrings/PUBLIC-KEY.asc".to_owned(),
        Some(path) => path,
        None => inline(&keys.armored()?),
    };
    Ok(stanzas(&uri(public_url, location), suites, &signed_by))
}

/// The file of the keys of an archive in a folder, if apt can name it: it splits the value at spaces.
pub(super) fn key_in_folder(location: &Location) -> Option<String> {
    let path = location.folder()?.join(KEY_FILE).display().to_string();
    (!path.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',')).then_some(path)
}

/// Renders the stanza for suites with the same components and a keyring that is installed on the client.
#[must_use]
pub(super) fn stanza_by_keyring(
    location: &Location,
    public_url: Option<&str>,
    suites: &[&Suite],
    components: &[String],
    path: &str,
) -> String {
    let suites: Vec<_> =
        suites.iter().map(|suite| ClientSuite::new(suite, components, true, false)).collect();
    stanzas(&uri(public_url, location), &suites, path)
}

/// Returns the URI for clients.
pub(super) fn uri(public_url: Option<&str>, location: &Location) -> String {
    match (public_url, location) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Location::Folder(path)) => format!("file:{}", encode(&path.display().to_string())),
        (None, _) => UNKNOWN.to_owned(),
    }
}

/// Prints one stanza for the suites that were published for the first time.
pub(super) fn print_first<'a>(
    session: &Session<'_>,
    outcomes: impl IntoIterator<Item = &'a CommitReport>,
    keys: &Keyring,
) -> Result<(), Failure> {
    let first: Vec<&CommitReport> =
        outcomes.into_iter().filter(|outcome| outcome.first && outcome.published).collect();
    if first.is_empty() || session.ui.json() || session.ui.quiet() {
        return Ok(());
    }
    let client = |outcome: &&CommitReport| {
        let has_sources = outcome.added.iter().any(Change::is_source);
        ClientSuite::new(&outcome.suite, &outcome.components, outcome.signed, has_sources)
    };
    let suites: Vec<ClientSuite> = first.iter().map(client).collect();
    let url = session.public_url_of(session.config.find(first[0].suite.as_str()));
    session.ui.say("\nOn clients, save this as a `.sources` file in /etc/apt/sources.list.d/:\n");
    session.ui.stanza(&with_keys(&session.location, url.as_deref(), &suites, keys)?);
    Ok(())
}

/// Encodes what separates the values of a stanza, and `%`, which apt decodes.
fn encode(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if c.is_whitespace() || c.is_control() || c == '%' {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| {
                let _ = write!(text, "%{byte:02x}");
            });
        } else {
            text.push(c);
        }
    }
    text
}
