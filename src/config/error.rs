//! The errors of a configuration.

use std::{io, path::PathBuf};

use crate::stanza;

/// The errors of a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A text that is not a stanza.
    #[error("`{}` line {line}: {kind}", path.display())]
    Stanza {
        /// The file.
        path: PathBuf,
        /// The line in it.
        line: usize,
        /// The problem.
        kind: stanza::ErrorKind,
    },
    /// A field that is missing or has an invalid value.
    #[error("`{}`, the stanza at line {line}: {why}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The line on which the stanza begins.
        line: usize,
        /// The problem.
        why: String,
    },
    /// A line of a file that is not made of stanzas.
    #[error("`{}` line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line in it.
        line: usize,
        /// The problem.
        why: String,
    },
    /// A field with an invalid value.
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
        /// The value.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
    /// A field that cannot be changed by a program.
    #[error("`{}` line {line}: `{field}` cannot be changed there: {why}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// The line on which the field begins.
        line: usize,
        /// The field.
        field: &'static str,
        /// The reason.
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
    /// A read-only file.
    #[error("`{}` is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A file was changed concurrently.
    #[error("`{}` was changed concurrently", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}
