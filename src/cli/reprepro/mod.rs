//! The command line of reprepro: its words, options, `conf/options`, output and statuses, over the same operations.
//!
//! A script that was written for reprepro runs with a link of that name to this program, or with `publish reprepro` in its
//! place. This room parses, calls and prints; no rule of the archive lives here.

mod run;
mod help;
mod include;
mod include_changes;
mod incoming;
mod uploads;
mod upload_rules;
mod signatures;
mod by_hand;
mod ls;
mod list;
mod format;
mod copy;
mod update;
mod rules;
mod remove;
mod flood;
mod reoverride;
mod export;
mod snapshots;
mod pool;
mod check;
mod reports;
mod vanished;
mod tracks;
mod tracked;
mod sizes;
mod internals;
mod notifiers;
mod hooks;
mod call;
mod notices;
mod log;
mod outlog;
mod targets;
mod matchers;
mod restriction;
mod words;
mod status;
mod options;
mod settings;
mod folders;

pub(super) use help::Args;
pub(super) use run::main;
pub(super) use words::{is_command, requested};
