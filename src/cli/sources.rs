//! The `.sources` stanza for a client (deb822 format of sources.list(5)).

use crate::{
    archive::{KEY_FILE, Outcome},
    store::Location,
};

/// The stanza that lets apt read a suite from where it is.
#[must_use]
pub fn stanza(location: &Location, outcome: &Outcome) -> String {
    let uri = match location {
        Location::Folder(path) => format!("file:{}", encode(&path.display().to_string())),
        Location::Memory => location.to_string(),
    };
    let trust = match location.folder() {
        Some(folder) if outcome.signed => format!("Signed-By: {}", folder.join(KEY_FILE).display()),
        _ => "Trusted: yes".to_owned(),
    };
    let (suite, components) = (&outcome.suite, outcome.components.join(" "));
    format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{trust}\n")
}

/// Blanks part the words of a stanza, and apt decodes `%`.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20")
}
