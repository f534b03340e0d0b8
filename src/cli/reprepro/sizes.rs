//! `sizes`: how many bytes of the pool each suite needs, and how many it alone needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{call::Call, targets};
use crate::{archive::PublishedSuite, cli::failure::Failure, config::SuiteConfig};

/// The files of a suite, by their paths.
type Files = BTreeMap<String, u64>;

/// The files of one suite.
struct OfSuite {
    name: String,
    is_asked: bool,
    current: Files,
    /// With those of its snapshots.
    all: Files,
}

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let asked = call.suites(call.arguments)?;
    let archive = call.archive();
    let mut suites = Vec::new();
    for suite in &call.session.config.suites {
        let mut current = Files::new();
        add(&mut current, &archive.suite(&suite.codename).await?, suite).await?;
        let mut all = current.clone();
        for snapshot in archive.snapshots(&suite.codename).await? {
            add(&mut all, &snapshot, suite).await?;
        }
        let is_asked = asked.iter().any(|other| other.codename == suite.codename);
        suites.push(OfSuite { name: suite.codename.to_string(), is_asked, current, all });
    }
    let row = |name: &str, numbers: [&dyn ToString; 4]| {
        let [size, only, all, only_all] = numbers.map(ToString::to_string);
        format!("{name:<15} {size:>13} {only:>13} {all:>13} {only_all:>13}")
    };
    let mut lines = vec![row("Codename", [&"Size", &"Only", &"Size(+s)", &"Only(+s)"])];
    for (at, suite) in suites.iter().enumerate().filter(|(_, suite)| suite.is_asked) {
        let others =
            || suites.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, suite)| suite);
        let of_asked = others().filter(|other| other.is_asked).map(|other| &other.current);
        lines.push(row(
            &suite.name,
            [
                &suite.current.values().sum::<u64>(),
                &without(&suite.current, of_asked),
                &suite.all.values().sum::<u64>(),
                &without(&suite.all, others().map(|other| &other.all)),
            ],
        ));
    }
    if call.arguments.len() > 1 {
        let mut together = Files::new();
        suites.iter().filter(|suite| suite.is_asked).for_each(|suite| together.extend(suite.all.clone()));
        let others = suites.iter().filter(|suite| !suite.is_asked).map(|suite| &suite.all);
        let numbers = (together.values().sum::<u64>(), without(&together, others));
        lines.push(row("<all selected>", [&"", &"", &numbers.0, &numbers.1]));
    }
    call.print(lines);
    Ok(0)
}

async fn add(files: &mut Files, published: &PublishedSuite, suite: &SuiteConfig) -> Result<(), Failure> {
    for key in targets::of(published, suite) {
        for file in published.entries(&key).await?.into_iter().flat_map(|entry| entry.files) {
            files.extend(file.path.map(|path| (path, file.size.unwrap_or_default())));
        }
    }
    Ok(())
}

/// The size of the files that none of the others has.
fn without<'a>(files: &Files, others: impl Iterator<Item = &'a Files>) -> u64 {
    let others: BTreeSet<&String> = others.flat_map(BTreeMap::keys).collect();
    files.iter().filter(|(path, _)| !others.contains(path)).map(|(_, size)| size).sum()
}
