//! What the archive is to be: the files of `conf/`, written by people.
//!
//! All of them have one format, that of reprepro: stanzas, field names in any case, `#` comments, `!include: file`, or a
//! folder of `*.conf`. This module reads files, and changes one field of theirs ([`ConfigEdit`]); what a value means to a store
//! or a key is not decided here.

mod destinations;
mod edit;
mod distributions;
mod lines;
mod values;

pub use destinations::{Destination, Destinations, PurgeRule};
pub(crate) use distributions::COPIED;
pub use distributions::{Config, SuiteConfig};
pub use edit::{ConfigEdit, StagedEdit};
pub use values::{parse_generations, parse_span};

use std::{io, path::PathBuf};

use crate::stanza;

/// Says what is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A text that is no stanza.
    #[error("`{}` line {line}: {kind}", path.display())]
    Stanza {
        /// The file.
        path: PathBuf,
        /// The line in it.
        line: usize,
        /// What is wrong.
        kind: stanza::ErrorKind,
    },
    /// A field with a value that it cannot have, or a field that lacks.
    #[error("`{}`, the stanza at line {line}: {why}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The line on which the stanza begins.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// A field with a value that it cannot have.
    #[error(
        "`{}` line {line}: field `{field}` is `{}`; expected {expected}",
        path.display(),
        value.escape_debug()
    )]
    Value {
        /// The file.
        path: PathBuf,
        /// The line on which the field begins.
        line: usize,
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it could say.
        expected: &'static str,
    },
    /// A field that stands so that it cannot be changed by a program.
    #[error("`{}` line {line}: `{field}` cannot be changed there: {why}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The line on which the field begins.
        line: usize,
        /// The field.
        field: &'static str,
        /// Why not.
        why: String,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that nobody may write to.
    #[error("`{}` is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A file was changed by somebody else while it was being changed here.
    #[error("`{}` has changed meanwhile", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}
