//! The guide: one text for each topic, in Markdown.
//!
//! `publish help TOPIC` prints it, the man pages contain it, and the documentation of the modules below is this text.
//! Rendering is pure; nothing here reads the archive or prints.

mod terminal;
mod roff;
mod markdown;

pub(crate) use roff::{escape, head, inline, page, paragraph, quoted};
pub(crate) use terminal::render;

/// A topic of `publish help`.
#[derive(Debug)]
pub(crate) struct Topic {
    /// The word for `publish help`.
    pub(crate) name: &'static str,
    /// Its content in one line.
    pub(crate) summary: &'static str,
    /// The section of the manual.
    pub(crate) section: u8,
    /// The text, in Markdown.
    pub(crate) text: &'static str,
}

macro_rules! topics {
    ($($module:ident, $name:literal, $section:literal, $file:literal, $summary:literal;)*) => {
        $(
            #[doc = include_str!($file)]
            pub mod $module {}
        )*

        /// Every topic, in the order in which they are listed.
        pub(crate) const TOPICS: &[Topic] = &[
            $(Topic { name: $name, summary: $summary, section: $section, text: include_str!($file) },)*
        ];
    };
}

topics! {
    archive, "archive", 7, "archive.md", "files of an archive, words, large suites, figures";
    packages, "packages", 7, "packages.md", "which packages come in; sources, uploads, promotion, phasing, lists of files";
    suites, "suites", 7, "suites.md", "configured and new suites, expiring signatures";
    keys, "keys", 7, "keys.md", "signing keys, trust, rotation";
    buckets, "buckets", 7, "buckets.md", "locations, credentials, permissions; parallel jobs";
    serving, "serving", 7, "serving.md", "nginx, buckets and CDNs; checks from outside";
    states, "states", 7, "states.md", "generations: log, diff, rollback, snapshots, prune";
    promise, "promise", 7, "promise.md", "what a crash leaves, and what an attacker can do";
    environment, "environment", 7, "environment.md", "variables";
    exit_codes, "exit-codes", 7, "exit-codes.md", "exit codes";
    json, "json", 7, "../cli/json/schema.md", "output of each command with --json";
    distributions, "distributions", 5, "distributions.md", "fields of conf/distributions";
    destinations, "destinations", 5, "destinations.md", "sync, and the fields of conf/destinations";
    reprepro, "reprepro", 7, "reprepro.md", "commands of reprepro and ours";
}

/// Returns the topic of this name.
pub(crate) fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}
