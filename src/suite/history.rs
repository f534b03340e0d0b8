//! The states that a suite has had, as far as they are kept: to look at one, to compare it.

use std::str::FromStr;

use futures::TryStreamExt;

use super::{archive::Archive, error::Error, generations, note, published::PublishedSuite};
use crate::{
    names::Suite,
    store::{Found, Location},
};

/// Numbers of more digits are the beginning of a name.
const DIGITS_OF_A_NUMBER: usize = 3;

/// Which state of a suite is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// So many states before the one that is published now; 0 is that one.
    Back(usize),
    /// The one whose name begins so.
    Named(String),
}

/// Says that a text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` names no state of a suite", text.escape_debug())]
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

/// A state that was published and is kept.
pub(crate) struct Kept {
    pub(crate) name: String,
    /// Itself, where it is the one that is published now.
    pub(crate) current: Option<PublishedSuite>,
    /// The size of what was told of it, if anything was.
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
    /// Reads one state of a suite.
    ///
    /// # Errors
    /// [`Error::NotPublished`] and [`Error::NoGeneration`] where there is no such state, or more than one.
    pub async fn state(&self, suite: &Suite, which: &Which) -> Result<PublishedSuite, Error> {
        if *which == Which::Back(0) {
            let now = self.suite(suite).await?;
            return if now.pointer().is_some() { Ok(now) } else { Err(not_published(suite)) };
        }
        // A web server does not tell which there are, but shows the one whose name is known.
        if let (Location::Web(_), Which::Named(name)) = (self.store.location(), which)
            && generations::is_name(name)
        {
            return generations::open(&self.store, suite, name).await;
        }
        let kept = self.kept(suite).await?;
        let found: Vec<&Kept> = match which {
            Which::Back(back) => {
                let now = kept.iter().position(|kept| kept.current.is_some()).unwrap_or(0);
                kept.get(now + back).into_iter().collect()
            }
            Which::Named(name) => kept.iter().filter(|kept| kept.name.starts_with(name)).collect(),
        };
        let [found] = found[..] else {
            let known = kept.iter().rev().map(|kept| kept.name.clone()).collect();
            return Err(Error::NoGeneration { suite: suite.clone(), asked: Some(which.to_string()), known });
        };
        self.open_kept(suite, found).await
    }

    /// The states of a suite that were published and are kept, the newest first; the one that is published now is among
    /// them in any case. What a publisher left that was killed, or that lost the race, never was one.
    pub(crate) async fn kept(&self, suite: &Suite) -> Result<Vec<Kept>, Error> {
        let folder = format!("dists/{suite}/{}", generations::FOLDER);
        let files: Vec<Found> = self.store.walk(&folder).try_collect().await?;
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
                // Made by another tool, or its publisher was killed.
                all.insert(0, Kept { name: name.clone(), current: current(name), note: None });
            }
            None if all.is_empty() => return Err(not_published(suite)),
            _ => {}
        }
        Ok(all)
    }

    /// Reads a state that is kept; whoever signed it.
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

fn not_published(suite: &Suite) -> Error {
    Error::NotPublished { suite: suite.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_counts_back_and_all_else_is_the_beginning_of_a_name() {
        assert_eq!("12".parse(), Ok(Which::Back(12)));
        for name in ["2025", "20250601T000100Z-1a2b3c4d"] {
            assert_eq!(name.parse(), Ok(Which::Named(name.into())));
        }
        for other in ["", "..", "../x", "a/b", "-1\n", "ä"] {
            assert!(other.parse::<Which>().is_err(), "{other}");
        }
    }
}
