//! How clients and people find their way into an archive: the `.sources` file, the script that installs it, and the page.
//!
//! Pure: texts are made from what is published; nothing is read or written here.

pub(crate) mod page;
pub(crate) mod parts;
mod script;
mod sources;
mod name;

use name::DEFAULT;
pub use name::{UNKNOWN_URL, archive_name, installed_key};
pub(crate) use name::{keyring_file, of_url, sources_file};
pub use script::{ClientKey, Script};
pub use sources::{ClientSuite, inline, one_lines, stanzas};
pub(crate) use sources::{is_ours, lists, render_file};

/// How the files for clients are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// The URL under which clients read the archive; without it no file for clients is written.
    pub public_url: Option<String>,
    /// The name of the archive in the names of files, from the configuration.
    pub name: Option<String>,
}

impl Site {
    /// The URL and the name.
    #[must_use]
    pub fn new(public_url: Option<String>, name: Option<String>) -> Self {
        Self { public_url, name }
    }

    /// The URL without a final slash, and the name of the archive in the names of files.
    pub(crate) fn named(&self) -> Option<(&str, String)> {
        let url = self.public_url.as_deref()?.trim_end_matches('/');
        let name = self.name.clone().or_else(|| of_url(url)).unwrap_or_else(|| DEFAULT.to_owned());
        Some((url, name))
    }
}
