//! `publish show`: prints the stanzas of a package.

use std::{collections::BTreeSet, process::ExitCode};

use super::{
    class::Kind,
    failure::Failure,
    json::{Listed, ListedPackage, ShownPackage},
    list::for_each,
    session::Session,
};
use crate::nearest::nearest;

/// Show the published stanzas of a package
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish show hello\n\
\x20 publish show hello=2.10-3 --suite stable")]
pub(super) struct Args {
    /// Package to show: all versions, or the given one
    #[arg(value_name = "NAME[=VERSION]")]
    name: String,

    /// Show only this suite
    #[arg(short, long)]
    suite: Option<String>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let (name, version) = match args.name.split_once('=') {
        Some((name, version)) => (name, Some(version)),
        None => (args.name.as_str(), None),
    };
    let (mut text, mut objects, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    let damaged = for_each(&archive, session, args.suite.as_deref(), |suite, place, entry| {
        if &*entry.name != name {
            if !names.contains(&*entry.name) {
                names.insert(entry.name.to_string());
            }
            return false;
        }
        if version.is_some_and(|version| &*entry.version != version) {
            others.push(entry.version.to_string());
            return false;
        }
        if !text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(&entry.stanza);
        let stanza = String::from_utf8_lossy(&entry.stanza).into_owned();
        let package = ListedPackage::new(suite.name(), place.component, entry);
        objects.push(ShownPackage { package, stanza });
        true
    })
    .await?;
    if let Some(damaged) = damaged {
        // The package may be in the suite that cannot be read.
        return Err(damaged);
    }
    if objects.is_empty() {
        others.dedup();
        let hint = if let Some(near) =
            nearest(name, names.iter().map(String::as_str)).filter(|near| *near != name)
        {
            format!("did you mean `{near}`?")
        } else if others.is_empty() {
            "list the published packages with `publish list`".to_owned()
        } else {
            format!("published versions: {}", others.join(", "))
        };
        let failure = Failure::text(format!("`{}` is not published", args.name), Some(hint));
        return Err(failure.kind(Kind::NotFound));
    }
    if session.ui.json() {
        session.ui.object(&Listed::<ShownPackage> { packages: objects });
    } else {
        session.ui.published_text(&text);
    }
    Ok(ExitCode::SUCCESS)
}
