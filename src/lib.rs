//! `publish` keeps an APT archive in a store and changes it in one atomic step.
//!
//! # The nouns
//!
//! An **archive** is all of it: `pool/` holds the packages, `dists/` says what is published. A **suite** is a folder of
//! `dists/`, such as `stable`; it has **components** (`main`) and **architectures** (`amd64`), and for each pair an
//! **index**, `Packages`: one **stanza** for each package. `Release` lists the digests of the indices; signed, it is
//! `InRelease`. That one file is the suite's **pointer**: all else is immutable, under a name that fixes its content
//! (pool files, **by-hash** indices, **generations** of the pointer), or an alias for clients of old.
//!
//! # The walk of one .deb
//!
//! [`cli::add`] → [`archive::read_packages`] → [`deb`] (stanza and digests, in one pass) → [`archive::SuiteEdit`] →
//! [`pool`] (its path) → [`dists::packages`] (its entry) → [`dists::blocks`] (the index, compressed) →
//! [`dists::release`] → [`signing`] → [`archive::Commit`] (the order of writes) → [`store`].
//!
//! # The walk of one sync
//!
//! [`cli::sync`] → [`archive::Sync`] (what the pointers and indices of both sides differ in, and the order in which it is
//! sent) → [`store`] (a folder, a bucket, the web) → [`purge`] (caches are told what changed).
//!
//! Arrows go down only. [`deb`], [`pool`] and [`dists`] are pure: bytes in, bytes out. The commit is one conditional
//! write, [`store::Store::swap`]; whoever loses that race makes the same edit again on the winner's state, and no lock is
//! held while uploading. What an edit builds on is verified first ([`archive::PublishedSuite`]): who can write to the
//! store and has no key can never get his packages signed.
//!
//! What serves the archive elsewhere stands in `conf/destinations` ([`config::Destinations`]); [`purge`] tells the caches
//! before it which addresses changed, after all else is done.
//!
//! # An example
//!
//! ```
//! use publish::{
//!     archive::{Archive, Commit, NewPackage, Note, SuiteEdit, Trust, read_packages},
//!     config::SuiteConfig,
//!     names::Suite,
//!     store::{Environment, Location, Store},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let archive = Archive::new(Store::open(&Location::Memory, &Environment::default())?, Trust::default());
//! let read = read_packages(vec!["fixtures/debs/acpi_1.7-1.2_amd64.deb".into()], &|_| ())?;
//! let add = read.into_iter().map(|incoming| NewPackage { incoming, component: None }).collect();
//! let edit = SuiteEdit { add, ..SuiteEdit::default() };
//! let config = SuiteConfig::unconfigured(Suite::parse("stable")?);
//! let now = std::time::SystemTime::UNIX_EPOCH;
//! let how = Commit {
//!     config: &config,
//!     keys: None,
//!     now,
//!     note: Note::default(),
//!     surplus: None,
//!     dry_run: false,
//!     allow_releaseinfo_change: false,
//!     events: &|_| (),
//! };
//! let outcome = archive.commit(&edit, &how).await?;
//! assert_eq!(outcome.added[0].name, "acpi");
//!
//! let suite = archive.suite(&config.codename).await?;
//! let index = suite.index(suite.packages_keys().first().unwrap()).await?;
//! assert_eq!(index.entries()[0].filename(), Some("pool/main/a/acpi/acpi_1.7-1.2_amd64.deb"));
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod archive;
pub mod purge;
pub mod deb;
pub mod config;
pub mod pool;
pub mod dists;
pub mod signing;
pub mod store;
pub mod names;
pub mod stanza;
pub mod version;
pub mod digest;
pub mod compression;
mod regular;
