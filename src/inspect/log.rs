//! `log`: the retained generations of a suite, in order, and the changes that each made.

use jiff::Timestamp;

use super::compare::{Comparison, Differences};
use crate::{
    names::Suite,
    signing::{Distrust, Keyring},
    suite::{
        archive::Archive,
        error::{Error, chain},
        generations,
        history::{self, Kept, Which},
        limits,
        note::{self, Note},
        published::{Pointer, PublishedSuite},
        trust::Trust,
    },
};

/// The retained generations of a suite.
#[derive(Debug)]
#[non_exhaustive]
pub struct Log {
    /// The suite.
    pub suite: Suite,
    /// The newest first.
    pub entries: Vec<LogEntry>,
    /// How many older ones are retained besides.
    pub older: usize,
}

/// A generation of a suite.
#[derive(Debug)]
#[non_exhaustive]
pub struct LogEntry {
    /// Its name.
    pub generation: String,
    /// Whether it is the published one.
    pub current: bool,
    /// Its `Date`.
    pub date: Option<Timestamp>,
    /// Its signature.
    pub signature: Signature,
    /// The note of its author, which is not signed.
    pub note: Option<Note>,
    /// The differences from the generation before; `None` if no comparable one is retained.
    pub differences: Option<Differences>,
    /// Whether no earlier generation is retained.
    pub oldest: bool,
    /// Why it, or its changes, cannot be read.
    pub problem: Option<String>,
}

/// The signature of a generation, and whether it is verified.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// Whether there is a signature.
    pub signed: bool,
    /// Whether known keys made valid signatures.
    pub verified: bool,
    /// The fingerprints of these keys; otherwise the key ids in the signatures.
    pub keys: Vec<String>,
    /// Why a signature of a known key is not valid.
    pub problem: Option<String>,
}

impl Archive {
    /// Reads the newest retained generations of a suite, each with the differences from the one before.
    ///
    /// # Errors
    ///
    /// [`Error::NotPublished`] if there is no such suite; an error on the web, which cannot list generations. A
    /// generation that cannot be read is reported as such.
    pub async fn log(&self, suite: &Suite, limit: usize) -> Result<Log, Error> {
        self.log_from(suite, None, limit).await
    }

    /// As [`Archive::log`], from a generation on backwards.
    ///
    /// # Errors
    ///
    /// As [`Archive::log`], and [`Error::NoGeneration`] if no or more than one generation matches.
    pub async fn log_from(&self, suite: &Suite, from: Option<&Which>, limit: usize) -> Result<Log, Error> {
        let mut kept = self.kept(suite).await?;
        if let Some(which) = from {
            kept.drain(..history::place(suite, &kept, which)?);
        }
        let mut comparison = Comparison::default();
        let mut entries = Vec::new();
        let mut opened = None;
        for (at, one) in kept.iter().enumerate().take(limit) {
            let state = match opened.take() {
                Some(state) => state,
                None => self.try_open(suite, one).await?,
            };
            let mut entry = LogEntry {
                generation: one.name.clone(),
                current: one.current.is_some(),
                date: None,
                signature: Signature::default(),
                note: self.note(suite, one).await?,
                differences: None,
                oldest: at + 1 == kept.len(),
                problem: None,
            };
            let before = match kept.get(at + 1) {
                Some(before) => Some(self.try_open(suite, before).await?),
                None => None,
            };
            match (&state, &before) {
                (Err(problem), _) => entry.problem = Some(problem.clone()),
                (Ok(_), Some(Err(problem))) => {
                    entry.problem = Some(format!("the generation before it cannot be read: {problem}"));
                }
                (Ok(state), Some(Ok(before))) => match comparison.of(before, state).await {
                    Ok(differences) => entry.differences = Some(differences),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => entry.problem = Some(chain(&error)),
                },
                (Ok(_), None) => {}
            }
            if let Ok(state) = &state
                && let Some(pointer) = state.pointer()
            {
                entry.date = pointer.release.date().ok();
                entry.signature = self.signature(suite, one, pointer).await?;
            }
            entries.push(entry);
            opened = before;
        }
        Ok(Log { suite: suite.clone(), older: kept.len() - entries.len(), entries })
    }

    /// Opens a generation, or returns why it cannot be read.
    async fn try_open(&self, suite: &Suite, kept: &Kept) -> Result<Result<PublishedSuite, String>, Error> {
        match self.open_kept(suite, kept).await {
            Err(error @ Error::Store(_)) => Err(error),
            Err(error) => Ok(Err(chain(&error))),
            Ok(state) => Ok(Ok(state)),
        }
    }

    /// Reads the note of a generation; `None` if it cannot be read.
    async fn note(&self, suite: &Suite, kept: &Kept) -> Result<Option<Note>, Error> {
        if kept.note.is_none_or(|size| size > note::LONGEST) {
            return Ok(None);
        }
        let path = generations::path(&kept.name, note::FILE);
        Note::read(&self.store, &format!("dists/{suite}/{path}")).await
    }

    /// Reads the signature of a pointer.
    async fn signature(&self, suite: &Suite, kept: &Kept, pointer: &Pointer) -> Result<Signature, Error> {
        if !pointer.signed {
            return Ok(Signature::default());
        }
        let Trust { keyring, now, .. } = &self.trust;
        // Without a time no signature can be judged; its key ids are still read.
        let (keyring, now) = match now {
            Some(now) => (keyring.clone(), *now),
            None => (Keyring::new(), std::time::UNIX_EPOCH),
        };
        let verified = if pointer.is_in_release() {
            keyring.verify_in_release(&pointer.bytes, now)
        } else {
            let path = format!("{}/Release.gpg", kept.folder(suite));
            let Some(signature) = self.store.read(&path, limits::SIGNATURE).await? else {
                return Ok(Signature::default());
            };
            keyring.verify_detached(&pointer.bytes, &signature.bytes, now)
        };
        let signed = Signature { signed: true, ..Signature::default() };
        Ok(match verified {
            Ok(verified) => Signature { verified: true, keys: verified.signers, ..signed },
            Err(Distrust::UnknownSigners { signers }) => Signature { keys: signers, ..signed },
            Err(distrust) => Signature { problem: Some(chain(&distrust)), ..signed },
        })
    }
}
