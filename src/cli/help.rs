//! `publish help`: topics that do not belong to one command.

use super::{json, ui::Ui};

/// Explain a topic: `json` describes the JSON output field by field
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish help json")]
pub(super) struct Args {
    /// Topic to explain
    topic: Topic,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Topic {
    /// Output of each command with `--json`
    Json,
}

pub(super) fn run(args: &Args, ui: &Ui) {
    let text = match args.topic {
        Topic::Json => json::DOCUMENTATION,
    };
    ui.data(text.as_bytes());
}
