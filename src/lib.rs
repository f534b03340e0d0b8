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
//! `publish add` → [`archive::read_packages`] → [`deb`] (stanza and digests, in one pass) → [`archive::SuiteEdit`] →
//! [`pool`] (its path) → [`dists::packages`] (its entry) → [`dists::blocks`] (the index, compressed) →
//! [`dists::release`] → [`signing`] → [`archive::Commit`] (the order of writes) → [`store`].
//!
//! # The walk of one sync
//!
//! `publish sync` → [`archive::Sync`] (what the pointers and indices of both sides differ in, and the order in which it is
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
//! [`names`], [`version`], [`stanza`], [`digest`] and [`compression`] are the shared vocabulary. The command line is no part
//! of this interface; what it prints for scripts is described by `publish help json`.
//!
//! # An example
//!
//! ```
//! use publish::{
//!     archive::{Archive, Commit, SuiteEdit, Trust, read_packages},
//!     config::SuiteConfig,
//!     names::Suite,
//!     store::{Environment, Location, Store},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let archive = Archive::new(Store::open(&Location::Memory, &Environment::default())?, Trust::unsigned());
//! let read = read_packages(vec!["fixtures/debs/acpi_1.7-1.2_amd64.deb".into()], &|_| ())?;
//! let edit = SuiteEdit::adding(read);
//! let config = SuiteConfig::unconfigured(Suite::parse("stable")?);
//! let now = std::time::SystemTime::UNIX_EPOCH;
//! let how = Commit::new(&config, now);
//! let outcome = archive.commit(&edit, &how).await?;
//! assert_eq!(outcome.added[0].name, "acpi");
//!
//! let suite = archive.suite(&config.codename).await?;
//! let index = suite.index(suite.packages_keys().first().unwrap()).await?;
//! assert_eq!(index.entries()[0].filename(), Some("pool/main/a/acpi/acpi_1.7-1.2_amd64.deb"));
//! # Ok(())
//! # }
//! ```

#[doc(hidden)]
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
