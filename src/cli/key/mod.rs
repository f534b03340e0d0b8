//! `publish key`: generates, shows, exports, publishes and rotates signing keys.
//!
//! Each subcommand is a file. Changes of the archive are made by the room `keys` of the library.

mod rotate;
mod package;
mod generate;
mod show;
mod export;
mod named;
mod progress;
mod clients;

use std::process::ExitCode;

use super::{failure::Failure, session::Session};
use crate::signing::KeyReport;

/// Generate, show, export, publish and rotate signing keys
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key generate --name Example\n\
\x20 publish key rotate --dry-run")]
pub(super) struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands of `publish key`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Generate a signing key, and write its secret part to a file
    Generate(generate::Generate),
    /// Show keys: algorithm, expiry, and whether apt accepts them
    Show(show::Show),
    /// Export the public part of keys, for `Signed-By` on clients
    Export(export::Export),
    /// Publish the public keys as the package NAME-archive-keyring
    Package(package::Args),
    /// Replace the signing key in two steps, without breaking clients
    Rotate(rotate::Args),
}

impl Args {
    /// Whether the command changes nothing.
    pub(super) fn plans(&self) -> bool {
        match &self.command {
            Command::Package(args) => args.change.dry_run,
            Command::Rotate(args) => args.change.dry_run,
            Command::Generate(_) | Command::Show(_) | Command::Export(_) => false,
        }
    }
}

/// Reports on the signing keys of the archive.
pub(super) fn key_reports(session: &Session<'_>) -> Result<Vec<KeyReport>, Failure> {
    Ok(show::show(&named::all(session)?, session.now).keys)
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Package(args) => package::run(args, session).await,
        Command::Rotate(args) => rotate::run(args, session).await,
        Command::Generate(args) => generate::run(args, session).await,
        Command::Show(args) => show::run(args, session).await,
        Command::Export(args) => export::run(args, session).await,
    }
}
