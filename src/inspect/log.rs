//! `log`: the states of a suite that are kept, one after the other, and what each changed.

use jiff::Timestamp;

use super::compare::{Comparison, Differences};
use crate::{
    names::Suite,
    signing::{Distrust, Keyring},
    suite::{
        archive::Archive,
        error::{Error, chain},
        generations,
        history::Kept,
        limits,
        note::{self, Note},
        published::{Pointer, PublishedSuite},
        trust::Trust,
    },
};

/// The states of a suite that are kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct Log {
    /// The suite.
    pub suite: Suite,
    /// The newest first.
    pub states: Vec<State>,
    /// How many older ones are kept besides.
    pub older: usize,
}

/// A state of a suite.
#[derive(Debug)]
#[non_exhaustive]
pub struct State {
    /// The name of its generation.
    pub generation: String,
    /// Whether it is the one that is published now.
    pub current: bool,
    /// Its `Date`.
    pub date: Option<Timestamp>,
    /// Who signed it.
    pub signature: Signature,
    /// What its maker told of it; nobody signs that.
    pub note: Option<Note>,
    /// What it has otherwise than the state before; nothing where none is kept that could be compared.
    pub differences: Option<Differences>,
    /// Whether no state before it is kept.
    pub oldest: bool,
    /// Why it, or what it changed, cannot be told.
    pub problem: Option<String>,
}

/// Who signed a state, and whether that is known to be so.
#[derive(Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signature {
    /// Whether there is a signature at all.
    pub signed: bool,
    /// Whether known keys made signatures that count.
    pub verified: bool,
    /// The fingerprints of these keys; else what the signatures say of their keys.
    pub keys: Vec<String>,
    /// Why a signature of a known key does not count.
    pub problem: Option<String>,
}

impl Archive {
    /// Tells the newest states of a suite that are kept, and what each has otherwise than the one before.
    ///
    /// # Errors
    /// [`Error::NotPublished`] where there is no such suite; a web server cannot tell which states there are. A state that
    /// cannot be read is told as such.
    pub async fn log(&self, suite: &Suite, limit: usize) -> Result<Log, Error> {
        let kept = self.kept(suite).await?;
        let mut comparison = Comparison::default();
        let mut states = Vec::new();
        let mut opened = None;
        for (at, one) in kept.iter().enumerate().take(limit) {
            let state = match opened.take() {
                Some(state) => state,
                None => self.try_open(suite, one).await?,
            };
            let mut told = State {
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
                (Err(problem), _) => told.problem = Some(problem.clone()),
                (Ok(_), Some(Err(problem))) => {
                    told.problem = Some(format!("the state before it cannot be read: {problem}"));
                }
                (Ok(state), Some(Ok(before))) => match comparison.of(before, state).await {
                    Ok(differences) => told.differences = Some(differences),
                    Err(error @ Error::Store(_)) => return Err(error),
                    Err(error) => told.problem = Some(chain(&error)),
                },
                (Ok(_), None) => {}
            }
            if let Ok(state) = &state
                && let Some(pointer) = state.pointer()
            {
                told.date = pointer.release.date().ok();
                told.signature = self.signature(suite, one, pointer).await?;
            }
            states.push(told);
            opened = before;
        }
        Ok(Log { suite: suite.clone(), older: kept.len() - states.len(), states })
    }

    /// Reads a state, or says why it is none.
    async fn try_open(&self, suite: &Suite, kept: &Kept) -> Result<Result<PublishedSuite, String>, Error> {
        match self.open_kept(suite, kept).await {
            Err(error @ Error::Store(_)) => Err(error),
            Err(error) => Ok(Err(chain(&error))),
            Ok(state) => Ok(Ok(state)),
        }
    }

    /// What was told of a state; what cannot be read was told by nobody.
    async fn note(&self, suite: &Suite, kept: &Kept) -> Result<Option<Note>, Error> {
        if kept.note.is_none_or(|size| size > note::LONGEST) {
            return Ok(None);
        }
        let path = generations::path(&kept.name, note::FILE);
        Note::read(&self.store, &format!("dists/{suite}/{path}")).await
    }

    /// Whose signature is on a pointer.
    async fn signature(&self, suite: &Suite, kept: &Kept, pointer: &Pointer) -> Result<Signature, Error> {
        if !pointer.signed {
            return Ok(Signature::default());
        }
        let Trust { keyring, now, .. } = &self.trust;
        // Without a time no signature is judged: then they are but read.
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
