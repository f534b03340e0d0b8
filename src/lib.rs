//! `publish` keeps an APT archive in a store and changes it atomically.
//!
//! # The nouns
//!
//! An **archive** is the whole tree: `pool/` holds the packages, `dists/` lists the published ones. A **suite** is a folder of
//! `dists/`, such as `stable`; it has **components** (`main`) and **architectures** (`amd64`), and for each pair an
//! **index**, `Packages`: one **stanza** for each package. `Release` lists the digests of the indices; signed, it is
//! `InRelease`. That file is the suite's **pointer**. All other files are immutable under content-addressed names (pool
//! files, **by-hash** indices, **generations** of the pointer), or derived outputs for clients without by-hash.
//!
//! # The rooms, from top to bottom
//!
//! Each room uses only the rooms below it, and its files only those below them in its `mod.rs`.
//!
//! | Room | Purpose |
//! |---|---|
//! | [`cli`] | parses what the user typed, calls, and prints |
//! | [`guide`] | the text of each topic of `publish help`, for the terminal, man pages and this documentation |
//! | [`archive`] | the public API of the rooms below |
//! | `keys` | the keys of a configured archive, their rotation, and the package that delivers them to clients |
//! | `mirror` | `sync`: copies suites to another store |
//! | `inspect` | `check`, `log`, `diff`: read-only |
//! | `commit` | the transaction: prepared, uploaded, published by one conditional write, derived outputs; and its repair |
//! | `operations` | add, attach, copy, drop, export, pull, refresh, remove, retain, rollback, snapshot, uploads: each planned on a verified base |
//! | `gc` | `prune`: marks the live set and sweeps the rest; pins of operations in progress |
//! | `suite` | published suites; the verified base; generations, rollback attacks, references |
//! | [`purge`] | invalidates the caches in front of a destination |
//! | [`config`] | the files of `conf/` |
//! | `site` | how clients and people find their way into an archive: `.sources`, script, page |
//! | `access_log` | lines of access logs of web servers, and the downloads of packages in them |
//! | [`dists`], [`pool`] | paths and files of an archive: layout, indices in blocks, `Release` |
//! | [`deb`] | reads `.deb`, `.udeb`, `.ddeb`, `.dsc` and `.changes`; writes binary packages |
//! | [`signing`] | keys, signatures and their verification |
//! | [`store`] | bytes at paths: a folder, a bucket, the web |
//! | [`names`], [`stanza`], [`version`], [`digest`], [`compression`], [`package_type`], [`formula`], [`glob`] | the vocabulary of all rooms |
//!
//! # The walk of one .deb
//!
//! [`cli`] → [`archive::read_packages`] → [`deb`] (stanza and digests, in one pass) → [`archive::SuiteEdit`] (the operation,
//! planned on a verified base) → [`pool`] (its path) → [`dists::packages`] (its entry) → [`dists::blocks`] (the index,
//! compressed) → [`dists::release`] → [`signing`] → [`archive::Archive::commit`] (the order of writes) → [`store`].
//!
//! # The walk of one sync
//!
//! [`cli`] → [`archive::Archive::sync`] (compares the release files and indices of both sides, and sends what differs) →
//! [`store`] (a folder, a bucket, the web) → [`purge`] (invalidates caches).
//!
//! [`deb`], [`pool`] and [`dists`] are pure: bytes in, bytes out. The commit is one conditional write,
//! [`store::Store::swap`]; the loser of a race plans the same operation again on the new base, and no lock is held while
//! files are uploaded. The base of an operation is verified first: its signature, its freshness (against rollback attacks),
//! and the digest of each index that is read. An attacker with write access to the store but no key never gets a package
//! signed.
//!
//! Destinations are configured in `conf/destinations` ([`config::Destinations`]); [`purge`] runs last.
//!
//! # An example
//!
//! ```
//! use publish::{
//!     archive::{Archive, CommitOptions, SuiteEdit, Trust, read_packages},
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
//! let how = CommitOptions::new(&config, now);
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
pub mod guide;
pub mod archive;
mod keys;
mod mirror;
mod inspect;
mod commit;
mod operations;
mod gc;
mod suite;
pub mod purge;
pub mod config;
mod site;
mod access_log;
pub mod dists;
pub mod pool;
pub mod deb;
pub mod signing;
pub mod store;
mod nearest;
mod redact;
mod regular;
mod size;
mod span;
pub mod package_type;
pub mod formula;
pub mod glob;
pub mod names;
pub mod stanza;
pub mod version;
pub mod digest;
pub mod compression;
