//! `Partial`: the record of a mirror that carries a part of a suite, beside the generation that it describes.
//!
//! The release file is the source's, byte for byte, so it lists files that the mirror does not have. The record says which
//! of them are left out on purpose: `check` reports no fault for them, and `prune`, `list` and a later `sync` do without
//! them. It is not signed; it can hide that a file is missing, and never what is in a file.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{error::Error, generations, limits, published::PublishedSuite};
use crate::{
    dists::{
        Entry, IndexKey,
        layout::GenerationPart,
        subset::{Carried, Subset},
    },
    names::Architecture,
    store::Store,
};

/// The file of a generation that holds the record.
pub(crate) const FILE: &str = GenerationPart::Partial.file_name();

/// The part of a suite that a mirror carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    pub(crate) subset: Subset,
    /// Files that belong to the part, and that the source did not have. The next sync looks for them again.
    pub(crate) missing: BTreeSet<String>,
}

/// The form in which it is stored.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    components: Vec<String>,
    architectures: Vec<String>,
    without: BTreeSet<Kind>,
    missing: BTreeSet<String>,
}

/// A kind of files that is left out.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Source,
    Udeb,
    Contents,
}

impl Partial {
    /// Whether the mirror carries all of the suite.
    pub(crate) fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn render(&self) -> Bytes {
        let Subset { components, architectures, no_source, no_udeb, no_contents, .. } = &self.subset;
        let kinds = [(Kind::Source, no_source), (Kind::Udeb, no_udeb), (Kind::Contents, no_contents)];
        let stored = Stored {
            components: components.iter().map(ToString::to_string).collect(),
            architectures: architectures.iter().map(ToString::to_string).collect(),
            without: kinds.into_iter().filter_map(|(kind, left_out)| left_out.then_some(kind)).collect(),
            missing: self.missing.clone(),
        };
        let mut text = serde_json::to_vec(&stored).unwrap_or_default();
        text.push(b'\n');
        text.into()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let has = |kind: Kind| stored.without.contains(&kind);
        let architecture = |name: &String| Architecture::parse_selector(name).ok();
        let subset = Subset {
            components: stored.components.iter().map(|name| name.parse().ok()).collect::<Option<_>>()?,
            architectures: stored.architectures.iter().map(architecture).collect::<Option<_>>()?,
            no_source: has(Kind::Source),
            no_udeb: has(Kind::Udeb),
            no_contents: has(Kind::Contents),
        };
        Some(Self { subset, missing: stored.missing })
    }

    /// Reads the record of a suite; that of a whole one if there is none, or none that can be read.
    pub(crate) async fn read(suite: &PublishedSuite) -> Result<Self, Error> {
        let Some(generation) = suite.generation() else { return Ok(Self::default()) };
        let path = suite.path(&generations::path(&generation, FILE));
        let read = suite.store().unless_refused(suite.store().read(&path, limits::PARTIAL).await)?;
        Ok(read.and_then(|object| Self::parse(&object.bytes)).unwrap_or_default())
    }

    /// Writes the record of a generation of a suite, or deletes that of another part.
    pub(crate) async fn write(
        &self,
        store: &Store,
        suite: &PublishedSuite,
        before: &Self,
    ) -> Result<(), Error> {
        let Some(generation) = suite.generation().filter(|_| self != before) else { return Ok(()) };
        let path = suite.path(&generations::path(&generation, FILE));
        if self.is_whole() {
            return Ok(store.delete(&path).await?);
        }
        store.replace(&path, self.render()).await?;
        Ok(())
    }
}

impl PublishedSuite {
    /// The files that are carried, of those that the release file lists.
    pub(crate) async fn carried(&self) -> Result<Carried, Error> {
        let release = self.release().cloned().unwrap_or_default();
        Ok(Partial::read(self).await?.subset.of(&release))
    }

    /// Reads the text of an index for reading only; `None` also for one that this mirror leaves out. An operation that builds
    /// on the suite must not do without: it would publish the index as an empty one.
    pub(crate) async fn carried_text(&self, plain: &str) -> Result<Option<Bytes>, Error> {
        let read = self.text(plain).await;
        self.unless_left_out(plain, read, || None).await
    }

    /// Reads the entries of an index as [`PublishedSuite::entries`]; none of one that this mirror leaves out.
    pub(crate) async fn carried_entries(&self, key: &IndexKey) -> Result<Vec<Entry>, Error> {
        let read = self.entries(key).await;
        self.unless_left_out(&key.path(), read, Vec::new).await
    }

    pub(crate) async fn unless_left_out<T>(
        &self,
        plain: &str,
        read: Result<T, Error>,
        none: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        match read {
            Err(Error::Missing { .. }) if !self.carried().await?.holds(plain) => Ok(none()),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let mut partial = Partial::default();
        assert!(partial.is_whole());
        partial.subset.components = vec!["updates/main".parse().unwrap()];
        partial.subset.architectures = vec!["amd64".parse().unwrap()];
        partial.subset.no_udeb = true;
        partial.missing.insert("pool/main/a/a/a_1_amd64.deb".to_owned());
        let text = partial.render();
        assert_eq!(Partial::parse(&text), Some(partial));
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            "{\"components\":[\"updates/main\"],\"architectures\":[\"amd64\"],\"without\":[\"udeb\"],\
             \"missing\":[\"pool/main/a/a/a_1_amd64.deb\"]}\n"
        );
        assert_eq!(Partial::parse(b"{}"), Some(Partial::default()));
        for bad in [
            "",
            "3",
            r#"{"components":[".."]}"#,
            r#"{"without":["everything"]}"#,
            r#"{"architectures":["a/b"]}"#,
        ] {
            assert_eq!(Partial::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
