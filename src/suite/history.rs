//! The kept generations of a suite: selects one and opens it, for `log`, `diff` and `list`.

use std::str::FromStr;

use futures::TryStreamExt;

use super::{archive::Archive, discovery, error::Error, generations, note, published::PublishedSuite};
use crate::{
    names::Suite,
    store::{Location, StoredObject},
};

/// A number with more digits is a prefix of a generation name.
const DIGITS_OF_A_NUMBER: usize = 3;

/// A selector of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// Counted back from the current generation, which is 0.
    Back(usize),
    /// By a prefix of its name.
    Named(String),
}

/// The error for a text that does not select a generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither a number nor the name of a generation", text.escape_debug())]
pub struct NoState {
    text: String,
}

impl FromStr for Which {
    type Err = NoState;

    fn from_str(text: &str) -> Result<Self, NoState> {
        if let Some(number) = text.parse().ok().filter(|_| text.len() <= DIGITS_OF_A_NUMBER) {
            return Ok(Self::Back(number));
        }
        // A name becomes part of a path.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.is_empty() || !text.bytes().all(fits) {
            return Err(NoState { text: text.to_owned() });
        }
        Ok(Self::Named(text.to_owned()))
    }
}

/// A published generation that is kept.
pub(crate) struct Kept {
    pub(crate) name: String,
    /// The suite, if this is the current generation.
    pub(crate) current: Option<PublishedSuite>,
    /// The size of its note, if it has one.
    pub(crate) note: Option<u64>,
}

impl Kept {
    /// The folder of its pointer.
    pub(crate) fn folder(&self, suite: &Suite) -> String {
        let below = if self.current.is_some() {
            String::new()
        } else {
            format!("/{}/{}", generations::FOLDER, self.name)
        };
        format!("dists/{suite}{below}")
    }
}

impl Archive {
    /// Reads a suite at one of its generations.
    ///
    /// # Errors
    /// [`Error::NotPublished`], and [`Error::NoGeneration`] if none or more than one matches.
    pub async fn state(&self, suite: &Suite, which: &Which) -> Result<PublishedSuite, Error> {
        if *which == Which::Back(0) {
            let now = self.suite(suite).await?;
            return match now.pointer() {
                Some(_) => Ok(now),
                None => Err(discovery::not_published(&self.store, suite).await),
            };
        }
        // A web server cannot list generations, but serves one whose full name is known.
        if let (Location::Web(_), Which::Named(name)) = (self.store.location(), which)
            && generations::is_name(name)
        {
            return generations::open(&self.store, suite, name).await;
        }
        let kept = self.kept(suite).await?;
        self.open_kept(suite, &kept[place(suite, &kept, which)?]).await
    }

    /// Returns the full name of a generation of a suite.
    ///
    /// # Errors
    /// As [`Archive::state`].
    pub async fn generation_name(&self, suite: &Suite, which: &Which) -> Result<String, Error> {
        if let (Location::Web(_), Which::Named(name)) = (self.store.location(), which)
            && generations::is_name(name)
        {
            return Ok(name.clone());
        }
        let mut kept = self.kept(suite).await?;
        let place = place(suite, &kept, which)?;
        Ok(kept.swap_remove(place).name)
    }

    /// The published generations of a suite that are kept, the newest first, including the current one even if it is
    /// not kept. Leftovers of a publisher that was killed or lost the race are not included.
    pub(crate) async fn kept(&self, suite: &Suite) -> Result<Vec<Kept>, Error> {
        let folder = format!("dists/{suite}/{}", generations::FOLDER);
        let files: Vec<StoredObject> = self.store.walk(&folder).try_collect().await?;
        let now = PublishedSuite::open_at(&self.store, suite, &format!("dists/{suite}")).await?;
        let name_now = now.generation();
        let current = |name: &String| (name_now.as_ref() == Some(name)).then(|| now.clone());
        let mut all = Vec::new();
        for generation in generations::of_files(suite, &files) {
            let current = current(&generation.name);
            if current.is_some() || generation.published.is_some() {
                let note = format!("{folder}/{}/{}", generation.name, note::FILE);
                let note = files.iter().find(|file| file.path == note).map(|file| file.size);
                all.push(Kept { name: generation.name, current, note });
            }
        }
        match &name_now {
            Some(name) if !all.iter().any(|kept: &Kept| kept.current.is_some()) => {
                // Published by another tool, or its publisher was killed before it wrote the mark.
                all.insert(0, Kept { name: name.clone(), current: current(name), note: None });
            }
            None if all.is_empty() => return Err(discovery::not_published(&self.store, suite).await),
            _ => {}
        }
        Ok(all)
    }

    /// Reads a kept generation without verifying its signature.
    pub(crate) async fn open_kept(&self, suite: &Suite, kept: &Kept) -> Result<PublishedSuite, Error> {
        match &kept.current {
            Some(now) => Ok(now.clone()),
            None => generations::open(&self.store, suite, &kept.name).await,
        }
    }
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Back(back) => write!(f, "{back}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Returns the place of the only generation that is meant, among those that are kept.
pub(crate) fn place(suite: &Suite, kept: &[Kept], which: &Which) -> Result<usize, Error> {
    let found: Vec<usize> = match which {
        Which::Back(back) => {
            let now = kept.iter().position(|kept| kept.current.is_some()).unwrap_or(0);
            Some(now + back).filter(|place| *place < kept.len()).into_iter().collect()
        }
        Which::Named(name) => (0..kept.len()).filter(|place| kept[*place].name.starts_with(name)).collect(),
    };
    let [found] = found[..] else {
        let known = kept.iter().rev().map(|kept| kept.name.clone()).collect();
        return Err(Error::NoGeneration { suite: suite.clone(), requested: Some(which.to_string()), known });
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_counts_back_and_other_texts_are_prefixes_of_names() {
        assert_eq!("12".parse(), Ok(Which::Back(12)));
        for name in ["2025", "20250601T000100Z-1a2b3c4d"] {
            assert_eq!(name.parse(), Ok(Which::Named(name.into())));
        }
        for other in ["", "..", "../x", "a/b", "-1\n", "ä"] {
            assert!(other.parse::<Which>().is_err(), "{other}");
        }
    }
}
