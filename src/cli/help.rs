//! `publish help`: texts that are no description of one command.

use super::{json, ui::Ui};

/// Explains a topic: `json`, the output for scripts, field by field
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The topic
    topic: Topic,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Topic {
    /// What each command prints with `--json`
    Json,
}

pub(super) fn run(args: &Args, ui: &Ui) {
    let text = match args.topic {
        Topic::Json => json::DOCUMENTATION,
    };
    ui.data(text.as_bytes());
}
