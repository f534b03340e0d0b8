//! The archive that a command takes packages from: its location, its suite, and the keys that verify it.

use super::{class::Kind, failure::Failure, session::Session, state};
use crate::{
    archive::{Archive, Trust},
    config::SuiteConfig,
    dists::layout::TREES,
    names::Suite,
    store::{Cache, Location, Store},
    suite::flat,
};

/// A suite of another archive, or an archive without `dists/`.
pub(super) struct OtherArchive {
    pub(super) store: Store,
    pub(super) suite: Suite,
    /// The full name of the generation that is meant instead of the current one.
    pub(super) generation: Option<String>,
    /// The folder of the indices of an archive without `dists/`.
    pub(super) flat: Option<String>,
}

impl OtherArchive {
    /// Parses `LOCATION[#SUITE[@STATE]]`. Without a suite it is the one of the same name, or else the only one there, or the
    /// indices at the root of an archive without `dists/`; as for apt, `#FOLDER/` names the folder of such indices.
    pub(super) async fn parse(text: &str, same: &Suite, session: &Session<'_>) -> Result<Self, Failure> {
        let (place, named) = match text.rsplit_once('#') {
            Some((place, suite)) => (place, Some(suite)),
            None => (text, None),
        };
        let location = session.location_of(place)?;
        let cache = Cache::of(&session.environment);
        let store = Store::open(&location, &session.environment)?.with_cache(cache).revalidating();
        // As in every archive, these may be links to another disk.
        let store = store.with_linked_folders(&TREES);
        if let Some(folder) = named.and_then(|suite| suite.strip_suffix('/')) {
            let folder = folder.trim_start_matches("./").trim_matches('/');
            let folder = if folder == "." { "" } else { folder };
            return Ok(Self::flat(store, same, folder));
        }
        let (suite, which) = match named {
            Some(suite) => state::parse(suite)?,
            None => match Self::only_suite(&store, same).await? {
                Some(suite) => (suite, None),
                None => return Ok(Self::flat(store, same, "")),
            },
        };
        let generation = match &which {
            Some(which) => {
                let archive = Archive::new(store.clone(), Trust::unverified());
                Some(archive.generation_name(&suite, which).await?)
            }
            None => None,
        };
        if location == session.location && suite == *same && which.is_none() {
            let text = format!("`--from {text}` is the suite `{same}` itself");
            return Err(Failure::usage(text));
        }
        Ok(Self { store, suite, generation, flat: None })
    }

    fn flat(store: Store, same: &Suite, folder: &str) -> Self {
        Self { store, suite: same.clone(), generation: None, flat: Some(folder.to_owned()) }
    }

    /// The suite that is meant without a name; `None` in an archive without `dists/`.
    async fn only_suite(store: &Store, same: &Suite) -> Result<Option<Suite>, Failure> {
        let archive = Archive::new(store.clone(), Trust::unverified());
        if let Location::Web(_) = store.location() {
            let found = archive.suite(same).await?;
            let is_there = found.pointer().is_some();
            if let Some(pointer) = found.pointer() {
                // It is read again at once, and verified then.
                store.hand_over(&found.path(pointer.file()), pointer.bytes.clone(), &pointer.revision);
            }
            return Ok((is_there || !flat::has_indices(store).await?).then(|| same.clone()));
        }
        let known = archive.suites().await?;
        match &known[..] {
            [] if flat::has_indices(store).await? => Ok(None),
            [] => {
                let text = format!("there is no archive in `{}`", store.location());
                Err(Failure::text(text, None).kind(Kind::NotFound))
            }
            [only] => Ok(Some(only.clone())),
            all if all.contains(same) => Ok(Some(same.clone())),
            all => {
                let names = all.iter().map(ToString::to_string).collect::<Vec<_>>().join("`, `");
                let place = store.location();
                Err(Failure::usage(format!(
                    "name the suite, as in `{place}#{}`; there are: `{names}`",
                    all[0]
                )))
            }
        }
    }

    /// The policy for verifying it: the keys in these files, else those that the target trusts.
    pub(super) fn trust(
        &self,
        keyring: &[String],
        trust_existing: bool,
        (target, session): (&Trust, &Session<'_>),
    ) -> Result<Trust, Failure> {
        let trust = if keyring.is_empty() {
            let unconfigured = SuiteConfig::unconfigured(self.suite.clone());
            tokio::task::block_in_place(|| session.trust_to_copy_from(&unconfigured, target))
        } else {
            session.trust_in(keyring)?
        };
        let trust = trust.of_source();
        Ok(if trust_existing { trust.adopt_existing() } else { trust })
    }
}
