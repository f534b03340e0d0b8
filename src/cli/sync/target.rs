//! The destinations of `sync`: from conf/destinations, or a location on the command line.

use std::collections::BTreeSet;

use super::args::Args;
use crate::{
    archive::{Keep, Site},
    cli::{
        class::Kind,
        failure::Failure,
        public_url,
        session::{Session, parse_suite},
    },
    config::{Destination, PurgeRule, SuiteConfig},
    dists::{layout, subset::Subset},
    names::Suite,
    store::{Cache, Headers, Location, Store},
};

/// One destination.
pub(super) struct Target {
    /// Its name in conf/destinations.
    pub(super) name: Option<String>,
    pub(super) location: Location,
    /// Empty for all.
    pub(super) suites: Vec<Suite>,
    pub(super) include: Vec<String>,
    /// The part of each suite that is copied.
    pub(super) subset: Subset,
    pub(super) ignore_missing: bool,
    pub(super) public_url: Option<String>,
    pub(super) delete: Option<Keep>,
    pub(super) purge: Vec<PurgeRule>,
    headers: Headers,
}

impl Target {
    /// Returns the destinations that the command line selects.
    pub(super) fn all(args: &Args, session: &Session<'_>) -> Result<Vec<Self>, Failure> {
        let known = session.destinations()?;
        let Some(word) = &args.destination else {
            if known.all.is_empty() {
                let hint =
                    "add one to conf/destinations, or name a location: `publish sync s3://BUCKET/PREFIX`";
                let failure = Failure::text("no destination is configured", Some(hint.to_owned()));
                return Err(failure.kind(Kind::NotFound));
            }
            return known.all.iter().map(|known| Self::configured(known, args, session)).collect();
        };
        if let Some(known) = known.find(word) {
            return Ok(vec![Self::configured(known, args, session)?]);
        }
        let location = session.location_of(word)?;
        Ok(vec![
            Self {
                name: None,
                location,
                suites: Vec::new(),
                include: Vec::new(),
                subset: Subset::default(),
                ignore_missing: false,
                public_url: None,
                delete: None,
                purge: Vec::new(),
                headers: Headers::default(),
            }
            .with(args, None, session)?,
        ])
    }

    fn configured(known: &Destination, args: &Args, session: &Session<'_>) -> Result<Self, Failure> {
        let location = parse(&known.location, session)
            .map_err(|failure| failure.while_doing(format!("in destination `{}`", known.name)))?;
        if !known.purge.is_empty() && known.public_url.is_none() {
            let text = format!("destination `{}` has `Purge:` and no `Public-Url:`", known.name);
            let hint = "add `Public-Url:`, the URL under which clients read the destination".to_owned();
            return Err(Failure::text(text, Some(hint)).kind(Kind::Config));
        }
        let target = Self {
            name: Some(known.name.clone()),
            location,
            suites: known.suites.clone(),
            include: known.include.clone(),
            subset: known.subset.clone(),
            ignore_missing: known.ignore_missing,
            public_url: known.public_url.clone(),
            delete: None,
            purge: known.purge.clone(),
            headers: Headers::default(),
        };
        target.with(args, Some(known), session)
    }

    /// Applies the command line, which overrides conf/destinations.
    fn with(
        mut self,
        args: &Args,
        known: Option<&Destination>,
        session: &Session<'_>,
    ) -> Result<Self, Failure> {
        if !args.suite.is_empty() {
            self.suites = args.suite.iter().map(|name| parse_suite(name)).collect::<Result<_, _>>()?;
        }
        self.include.extend(args.include.iter().cloned());
        let named = Subset {
            components: args.component.clone(),
            architectures: args.architecture.clone(),
            no_source: args.no_source,
            no_udeb: args.no_udeb,
            no_contents: args.no_contents,
        };
        self.subset = named.within(&self.subset);
        self.ignore_missing |= args.ignore_missing;
        if let Some(url) = &args.public_url {
            self.public_url = Some(public_url::checked(url, "--public-url")?);
        }
        if args.delete || known.is_some_and(|known| known.delete) {
            let generations = args.keep_generations.or(known.and_then(|known| known.keep_generations));
            let span = args.keep_for.or(known.and_then(|known| known.keep_for));
            let default = Keep::default();
            self.delete = Some(Keep {
                generations: generations.unwrap_or(default.generations),
                span: span.unwrap_or(default.span),
            });
        }
        let of_suites = |field, of| self.as_suites_say(field, of, session);
        let immutable = known.and_then(|known| known.pool_cache_control.clone());
        let immutable =
            immutable.or_else(|| of_suites("PoolCacheControl", |suite| &suite.pool_cache_control));
        let mutable = known.and_then(|known| known.index_cache_control.clone());
        let mutable = mutable.or_else(|| of_suites("IndexCacheControl", |suite| &suite.index_cache_control));
        self.headers = Headers {
            immutable: immutable.unwrap_or(self.headers.immutable),
            mutable: mutable.unwrap_or(self.headers.mutable),
            ..self.headers
        };
        Ok(self)
    }

    /// Returns a cache header from the configuration of the selected suites, if they agree.
    fn as_suites_say(
        &self,
        field: &str,
        of: fn(&SuiteConfig) -> &Option<String>,
        session: &Session<'_>,
    ) -> Option<String> {
        let is_meant = |suite: &&SuiteConfig| self.suites.is_empty() || self.suites.contains(&suite.codename);
        let values: BTreeSet<&Option<String>> =
            session.config.suites.iter().filter(is_meant).map(of).collect();
        if values.len() > 1 {
            session.ui.warn(&format!(
                "suites differ in `{field}`, so the default is used: set `{field}` in conf/destinations"
            ));
            return None;
        }
        values.into_iter().next().cloned().flatten()
    }

    /// The URL under which clients read the destination: its own, else that of the archive.
    pub(super) fn url_for_clients(&self, session: &Session<'_>) -> Option<String> {
        let configured = || session.config.suites.iter().find_map(|suite| suite.public_url.clone());
        self.public_url.clone().or_else(|| session.public_url.clone()).or_else(configured)
    }

    /// How the files for clients are written at the destination.
    pub(super) fn site(&self, session: &Session<'_>) -> Site {
        let configured = session.config.suites.first().and_then(|suite| session.config.site_name(suite));
        Site::new(self.url_for_clients(session), configured)
    }

    /// Opens the store of the destination.
    pub(super) fn open(&self, session: &Session<'_>) -> Result<Store, Failure> {
        if self.location == session.location {
            return Err(Failure::usage(format!("`{}` is the archive itself", self.location)));
        }
        if let Location::Web(url) = &self.location {
            return Err(Failure::usage(format!("cannot sync to `{url}`: a web server is read-only")));
        }
        let store = Store::open(&self.location, &session.environment)?.with_headers(self.headers.clone());
        if store.overlaps(&session.store, &layout::TREES) {
            let text = format!("`{}` is the archive, is inside it or contains it", self.location);
            return Err(Failure::usage(text));
        }
        Ok(store.with_cache(Cache::of(&session.environment)))
    }
}

fn parse(text: &str, session: &Session<'_>) -> Result<Location, Failure> {
    Location::parse(text, &session.current).map_err(|error| Failure::usage(error.to_string()))
}
