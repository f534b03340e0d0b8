//! The configuration of the archive: the files of `conf/`, written by people.
//!
//! They share one format, that of reprepro: stanzas, field names in any case, `#` comments, `!include: file`, or a
//! folder of `*.conf`. This module reads files, and changes one of their fields ([`ConfigEdit`]); values for a store
//! or a key are not interpreted here.

mod destinations;
mod edit;
mod overrides;
mod distributions;
mod suite_config;
mod by_hand;
mod contents;
mod uploaders;
mod queues;
mod rules;
mod filter_lists;
mod indices;
mod records;
mod fields;
mod lines;
mod values;
mod error;

pub use by_hand::ByHandHook;
pub use contents::{CompatNames, ContentsConfig};
pub use destinations::{Destination, Destinations, PurgeRule};
pub(crate) use distributions::COPIED;
pub use distributions::Config;
pub use edit::{ConfigEdit, StagedEdit};
pub use error::Error;
pub use fields::{Patches, Sources};
pub use filter_lists::{FilterAction, FilterLists};
pub use overrides::{FieldChange, Overrides};
pub use queues::{Cleanup, Queue};
pub use records::Records;
pub use rules::{Mapping, RuleKind, SourceRule, sources_of};
pub use suite_config::SuiteConfig;
pub use uploaders::{Signed, SigningKey, UploadFacts, Uploaders};
pub(crate) use values::is_public_url;
pub use values::{parse_generations, parse_span};
