//! `publish help`: topics that do not belong to one command.

use super::{json, reprepro, ui::Ui};

/// Explain a topic: `json` describes the JSON output field by field, `reprepro` its commands
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish help json\n\
\x20 publish help reprepro")]
pub(super) struct Args {
    /// Topic to explain
    topic: Topic,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Topic {
    /// Output of each command with `--json`
    Json,
    /// Commands of reprepro, and what to run instead
    Reprepro,
}

pub(super) fn run(args: &Args, ui: &Ui) {
    let text = match args.topic {
        Topic::Json => json::DOCUMENTATION,
        Topic::Reprepro => reprepro::GUIDE,
    };
    ui.data(text.as_bytes());
}
