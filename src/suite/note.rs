//! `Note`: the author and the message of a generation.
//!
//! It is stored beside the generation as JSON, so that any text fits on one line. It is not signed: anyone with write
//! access to the store can change it, so no decision may depend on it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{error::Error, generations, limits, published::PublishedSuite};
use crate::{
    digest::Digests,
    dists::layout::GenerationPart,
    store::{self, Content, Store},
};

/// The file of a generation that holds the note.
pub(crate) const FILE: &str = GenerationPart::Note.file_name();

/// The longest note that is read: a message is a command-line argument.
pub(crate) const LONGEST: u64 = 1 << 20;

/// The author and the message of a generation; unknown fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// The reason for the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The author, or the user who started the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The project of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The web address of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

impl Note {
    /// Renders the note as a file; `None` if it is empty.
    pub(crate) fn file(&self, suite: &PublishedSuite, generation: &str) -> Option<(String, Content)> {
        if *self == Self::default() {
            return None;
        }
        let mut text = serde_json::to_vec(self).ok()?;
        text.push(b'\n');
        let digests = Digests::of(&text);
        let path = suite.path(&generations::path(generation, FILE));
        Some((path, Content::Bytes(Bytes::from(text), digests)))
    }

    /// Reads a note; `None` if it does not exist or does not parse.
    pub(crate) async fn read(store: &Store, path: &str) -> Result<Option<Self>, Error> {
        let Some(object) = store.read(path, limits::NOTE).await? else { return Ok(None) };
        Ok(serde_json::from_slice(&object.bytes).ok().filter(|note| *note != Self::default()))
    }
}

/// Writes a note. Two publishers may create the same generation within one second; then the first note stays.
pub(crate) async fn put(store: &Store, path: &str, content: &Content) -> Result<(), Error> {
    match store.put_new(path, content).await {
        Ok(_) | Err(store::Error::Occupied { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
