//! The archive that a command takes packages from: its location, its suite, and the keys that verify it.

use super::{
    class::Kind,
    failure::Failure,
    session::{Session, parse_suite},
};
use crate::{
    archive::{Archive, Trust},
    config::SuiteConfig,
    names::Suite,
    store::{Cache, Location, Store},
};

/// A suite of another archive.
pub(super) struct OtherArchive {
    pub(super) store: Store,
    pub(super) suite: Suite,
}

impl OtherArchive {
    /// Parses `LOCATION[#SUITE]`. Without a suite it is the one of the same name, or else the only one there.
    pub(super) async fn parse(text: &str, same: &Suite, session: &Session<'_>) -> Result<Self, Failure> {
        let (place, named) = match text.rsplit_once('#') {
            Some((place, suite)) => (place, Some(parse_suite(suite)?)),
            None => (text, None),
        };
        let location = Location::parse(place, &session.current);
        let location = location.map_err(|error| Failure::usage(error.to_string()))?;
        let cache = Cache::of(&session.environment);
        let store = Store::open(&location, &session.environment)?.with_cache(cache);
        let suite = match named {
            Some(suite) => suite,
            None => Self::only_suite(&store, same).await?,
        };
        if location == session.location && suite == *same {
            let text = format!("`--from {text}` is the suite `{same}` itself");
            return Err(Failure::usage(text));
        }
        Ok(Self { store, suite })
    }

    async fn only_suite(store: &Store, same: &Suite) -> Result<Suite, Failure> {
        let archive = Archive::new(store.clone(), Trust::unverified());
        if let Location::Web(_) = store.location() {
            return Ok(same.clone());
        }
        let known = archive.suites().await?;
        match &known[..] {
            [] => Err(Failure::text(format!("there is no archive in `{}`", store.location()), None)
                .kind(Kind::NotFound)),
            [only] => Ok(only.clone()),
            all if all.contains(same) => Ok(same.clone()),
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
        Ok(if trust_existing { trust.adopt_existing() } else { trust })
    }
}
