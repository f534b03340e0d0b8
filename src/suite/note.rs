//! What whoever made a state of a suite tells of it: a message, and who he is.
//!
//! It lies beside the generation, as JSON, whose strings hold any text on one line. Nobody signs it: whoever can write to
//! the store can change it, and nothing is decided by it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{error::Error, generations, limits, published::PublishedSuite};
use crate::{
    digest::Digests,
    dists::layout::GenerationPart,
    store::{self, Content, Store},
};

/// The file of a generation that holds it.
pub(crate) const FILE: &str = GenerationPart::Note.file_name();

/// What is longer was not written here: a message comes from a command line.
pub(crate) const LONGEST: u64 = 1 << 20;

/// What is told of a state; what is not known lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// Why it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who made it, or started the job that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The project whose job made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Where the job can be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

impl Note {
    /// The file that keeps it, if there is anything to keep.
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

    /// Reads what was kept; `None` where it is none of ours.
    pub(crate) async fn read(store: &Store, path: &str) -> Result<Option<Self>, Error> {
        let Some(object) = store.read(path, limits::NOTE).await? else { return Ok(None) };
        Ok(serde_json::from_slice(&object.bytes).ok().filter(|note| *note != Self::default()))
    }
}

/// Keeps it. Two publishers may have made the very same state in one second: the first one's stays.
pub(crate) async fn put(store: &Store, path: &str, content: &Content) -> Result<(), Error> {
    match store.put_new(path, content).await {
        Ok(_) | Err(store::Error::Occupied { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
