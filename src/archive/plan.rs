//! `Plan`: what an edit comes to on one state of a suite, rendered: the changed indices and the new `Release`.
//!
//! Every byte that a commit will write is known here, and none is written yet.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rayon::prelude::*;

use super::{
    Error, PublishedSuite, Reason, dates,
    release_info::{ReleaseInfo, stops_apt},
    selected::Selected,
    suite::plain_path,
};
use crate::{
    compression::Compression,
    config::{COPIED, SuiteConfig},
    dists::{
        IndexFile, IndexName, PackageEntry, PackagesIndex, Release,
        blocks::{self, Before},
        release::Listed,
    },
    names::{Architecture, Component},
    pool::PoolPath,
    store::{Content, blocking},
};

/// A package that came, went or was there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Change {
    /// The name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
    /// The component.
    pub component: Component,
}

impl Change {
    pub(super) fn of(entry: &PackageEntry, component: &Component) -> Self {
        Self {
            name: entry.name().to_owned(),
            version: entry.version().to_owned(),
            architecture: entry.architecture().to_owned(),
            component: component.clone(),
        }
    }
}

/// A package that is offered to another share of machines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Phased {
    /// Which.
    #[serde(flatten)]
    pub package: Change,
    /// The share before, in per cent.
    pub from: u8,
    /// The share now.
    pub to: u8,
}

/// The components and architectures that a suite will have.
pub(super) struct Shape {
    pub(super) components: Vec<Component>,
    pub(super) architectures: Vec<Architecture>,
}

/// What an edit comes to on one state of a suite; every byte that will be written is known.
#[derive(Default)]
pub(super) struct Plan {
    /// The new `Release`; `None` if nothing changes.
    pub(super) release: Option<Release>,
    /// Index files to store, in every compression.
    pub(super) indices: Vec<IndexFile>,
    /// Files for the pool.
    pub(super) pool: Vec<(PoolPath, Content)>,
    /// Files that are in the pool already, if nobody lost them.
    pub(super) kept: Vec<(PoolPath, Content)>,
    /// Files that are in the pool already, or the plan cannot be carried out.
    pub(super) copied: Vec<Copied>,
    /// Files that others wrote, with their sizes, which nothing may lead to any more and the new pointer will.
    pub(super) needs: BTreeMap<String, u64>,
    /// Files that the current state of another suite leads to, and so nobody deletes as long as it is that.
    pub(super) led_to: Option<(PublishedSuite, Vec<String>)>,
    /// The earlier state that this one is made from.
    pub(super) based_on: Option<String>,
    /// Packages that come.
    pub(super) added: Vec<Change>,
    /// Packages that are there already, with the same bytes.
    pub(super) present: Vec<Change>,
    /// Packages that take the place of others of the same version.
    pub(super) replaced: Vec<Change>,
    /// Packages that are there, and are to be offered to another share of machines.
    pub(super) phased: Vec<Phased>,
    /// Packages that go.
    pub(super) removed: Vec<Change>,
    /// Those of them that are to be in another suite before.
    pub(super) surplus: Vec<(Change, Selected)>,
    /// What changes at which apt stops.
    pub(super) stops_apt: Vec<ReleaseInfo>,
    /// What a user should know.
    pub(super) notes: Vec<String>,
}

/// The file of a package that comes from another suite.
#[derive(Clone)]
pub(super) struct Copied {
    pub(super) path: PoolPath,
    pub(super) size: u64,
    /// What the user calls its coming.
    pub(super) action: &'static str,
    /// What the user calls the package.
    pub(super) subject: String,
}

impl Shape {
    /// The indices that a package goes into.
    pub(super) fn targets(
        &self,
        component: &Component,
        architecture: &Architecture,
    ) -> Result<Vec<IndexName>, Reason> {
        let of = |architecture: &Architecture| IndexName {
            component: component.clone(),
            architecture: architecture.clone(),
        };
        if architecture.is_all() {
            return Ok(self.architectures.iter().map(of).collect());
        }
        if self.architectures.contains(architecture) {
            return Ok(vec![of(architecture)]);
        }
        Err(Reason::Architecture { architecture: architecture.clone(), known: self.architectures.clone() })
    }
}

impl Plan {
    /// Renders what has changed, and says what clients will stumble over.
    pub(super) async fn render(
        &mut self,
        changed: BTreeMap<IndexName, PackagesIndex>,
        published: &PublishedSuite,
        config: &SuiteConfig,
        shape: &Shape,
        now: Timestamp,
    ) -> Result<(), Error> {
        let before = before(published, &changed, &config.compressions).await?;
        self.indices = compress(changed, before, &config.compressions).await?;
        self.release = release(published, config, shape, self, now)?;
        if let (Some(old), Some(new)) = (published.release(), &self.release) {
            self.stops_apt = stops_apt(old, new);
        }
        Ok(())
    }
}

/// The compressed forms of indices as they are published.
type Published = BTreeMap<(IndexName, &'static str), Before>;

/// Reads the compressed forms of the indices that change: most of their blocks will stay as they are.
async fn before(
    published: &PublishedSuite,
    changed: &BTreeMap<IndexName, PackagesIndex>,
    compressions: &[Compression],
) -> Result<Published, Error> {
    let mut before = BTreeMap::new();
    let Some(release) = published.release() else { return Ok(before) };
    for (name, index) in changed {
        let Some(text) = index.published().filter(|text| blocks::are_worth_reading(text)) else { continue };
        for compression in compressions.iter().filter(|&&compression| compression != Compression::Plain) {
            let path = format!("{}{}", name.path(), compression.extension());
            let Some(listed) = release.files().get(&path) else { continue };
            match published.listed_file(&path, listed).await {
                Ok(Some((_, file))) => {
                    let text = text.clone();
                    before.insert((name.clone(), compression.extension()), Before { text, file });
                }
                // It is made anew, whatever became of it.
                Ok(None) | Err(Error::Mismatch { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(before)
}

/// Renders and compresses the changed indices, on all cores.
async fn compress(
    indices: BTreeMap<IndexName, PackagesIndex>,
    before: Published,
    compressions: &[Compression],
) -> Result<Vec<IndexFile>, Error> {
    // The digests of the uncompressed index are listed even where it is not stored: apt finds no packages without.
    let mut wanted = vec![Compression::Plain];
    wanted.extend(compressions.iter().filter(|&&compression| compression != Compression::Plain));
    blocking(move || {
        let texts: Vec<_> = indices.into_par_iter().map(|(name, index)| (index.render(), name)).collect();
        let jobs: Vec<_> = texts
            .iter()
            .flat_map(|text| wanted.iter().map(move |compression| (text, *compression)))
            .collect();
        jobs.into_par_iter()
            .map(|((text, name), compression)| {
                let path = format!("{}{}", name.path(), compression.extension());
                let before = before.get(&(name.clone(), compression.extension()));
                let bytes = blocks::compress(text, compression, before)
                    .map_err(|source| Error::Unpack { path: path.clone(), source })?;
                Ok(IndexFile::new(path, bytes))
            })
            .collect()
    })
    .await
}

/// The new `Release`, or `None` if the published one says the same already.
fn release(
    published: &PublishedSuite,
    config: &SuiteConfig,
    shape: &Shape,
    plan: &mut Plan,
    now: Timestamp,
) -> Result<Option<Release>, Error> {
    let old = published.release();
    let mut new = old.cloned().unwrap_or_default();
    let configured = !config.components.is_empty();
    if configured || old.is_none() {
        new.set("Codename", Some(config.codename.to_string()));
    }
    if configured {
        new.set("Suite", config.suite.clone());
        for name in COPIED {
            let value = config.copied.iter().find(|(field, _)| *field == name);
            new.set(name, value.map(|(_, value)| value.clone()));
        }
    } else if old.is_none() {
        new.set("Suite", Some(config.codename.to_string()));
    }
    new.set("Acquire-By-Hash", Some("yes".into()));
    let source = if new.names_source() { " source" } else { "" };
    new.set("Architectures", Some(format!("{}{source}", words(&shape.architectures))));
    new.set("Components", Some(words(&shape.components)));

    let changed: BTreeSet<&str> = plan.indices.iter().map(|file| plain_path(file.path())).collect();
    // A changed index takes all its forms along, also those that are not written any more, and the patches that lead to
    // the index of before (`Packages.diff/Index`).
    new.retain(|path| {
        let index = path.split_once(".diff/").map_or(plain_path(path), |(index, _)| index);
        !changed.contains(index)
    });
    for file in &plan.indices {
        new.list(file.path().to_owned(), Listed::from(file.digests()));
    }
    let expires = new.field("Valid-Until").is_some();
    let expiry_as_configured = !configured || expires == config.valid_for.is_some();
    if old.is_some_and(|old| new.says_the_same(old)) && expiry_as_configured {
        return Ok(None);
    }

    dates::set(&mut new, published, config, now, &mut plan.notes)?;
    Ok(Some(new))
}

fn words<T: ToString>(names: &[T]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
