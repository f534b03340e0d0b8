//! The `.sources` stanza for a client (deb822 format of sources.list(5)).

use crate::{
    archive::{KEY_FILE, Outcome},
    signing::{Error, Keyring},
    store::Location,
};

/// The stanza that lets apt read a suite from where it is; `keys` are those at the root of the archive.
pub fn stanza(location: &Location, outcome: &Outcome, keys: &Keyring) -> Result<String, Error> {
    let uri = match location {
        Location::Folder(path) => format!("file:{}", encode(&path.display().to_string())),
        Location::Memory => location.to_string(),
    };
    let trust = match location.folder() {
        Some(folder) if outcome.signed && !keys.is_empty() => {
            format!("Signed-By: {}", signed_by(&folder.join(KEY_FILE).display().to_string(), keys)?)
        }
        // A command signs, whose key is not known here.
        _ if outcome.signed => "Signed-By: /etc/apt/keyrings/PUBLIC-KEY.asc".to_owned(),
        _ => "Trusted: yes".to_owned(),
    };
    let (suite, components) = (&outcome.suite, outcome.components.join(" "));
    Ok(format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{trust}\n"))
}

/// The path of the key file; the keys themselves where apt would take the path for several words.
fn signed_by(path: &str, keys: &Keyring) -> Result<String, Error> {
    if !path.contains([' ', '\t', ',']) {
        return Ok(path.to_owned());
    }
    let armored = keys.armored()?;
    let text = String::from_utf8_lossy(&armored);
    let lines =
        text.lines().map(|line| if line.is_empty() { "\n .".to_owned() } else { format!("\n {line}") });
    Ok(lines.collect())
}

/// Blanks part the words of a stanza, and apt decodes `%`.
fn encode(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20")
}
