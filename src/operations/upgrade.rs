//! `Upgrade`: decides what one index of a suite takes from other suites by rules, as reprepro's `update` and `pull` do.
//!
//! Rules are applied in their order. A rule offers packages; one of them is taken if it is new, or newer than what the
//! index has or was offered before. After a rule that deletes, every package leaves unless a later rule offers it, in
//! whatever version. Nothing is read or written here.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    config::{FilterAction, FilterLists, SourceRule},
    dists::{IndexKey, PackageEntry},
    operations::selection::Matcher,
};

/// The decisions about the packages of one index.
#[derive(Default)]
pub(crate) struct Upgrade<T> {
    packages: BTreeMap<String, State<T>>,
    /// Warnings about packages that the lists of a rule name.
    pub(crate) warnings: Vec<String>,
}

/// A package that a rule offers.
#[derive(Clone)]
pub(crate) struct Offered<T> {
    pub(crate) entry: PackageEntry,
    /// Its origin.
    pub(crate) origin: T,
}

/// The decision about the packages of one name.
struct State<T> {
    /// The newest one in the index.
    in_use: Option<PackageEntry>,
    /// The one that is taken instead.
    chosen: Option<Offered<T>>,
    /// Whether it leaves, unless a later rule offers it.
    is_deleted: bool,
    /// The newest version that was offered.
    offered: Option<PackageEntry>,
}

/// The outcome for the packages of one name.
pub(crate) enum Decision<'a, T> {
    /// They stay; the newest version that was offered is this one.
    Keep { in_use: &'a PackageEntry, offered: Option<&'a PackageEntry> },
    /// One is added, or takes the place of another.
    Take { in_use: Option<&'a PackageEntry>, new: &'a Offered<T> },
    /// They leave.
    Delete { in_use: &'a PackageEntry },
}

/// The packages that a rule takes from its source.
pub(crate) struct RuleFilter {
    formula: Option<Matcher>,
    lists: Option<FilterLists>,
    source_lists: Option<FilterLists>,
    omits_extra_sources: bool,
}

impl RuleFilter {
    pub(crate) fn of(rule: &SourceRule) -> Self {
        Self {
            formula: rule.formula.clone().map(Matcher::Formula),
            lists: rule.lists.clone(),
            source_lists: rule.source_lists.clone(),
            omits_extra_sources: rule.omit_extra_sources.unwrap_or(true),
        }
    }

    /// The action for a package in an index.
    fn action(&self, key: &IndexKey, entry: &PackageEntry) -> FilterAction {
        let is_extra = || {
            let value = entry.field("Extra-Source-Only").map(<[u8]>::to_ascii_lowercase);
            value.is_some_and(|value| value == b"yes" || value == b"true")
        };
        if self.formula.as_ref().is_some_and(|formula| !formula.selects(key, entry))
            || entry.is_source() && self.omits_extra_sources && is_extra()
        {
            return FilterAction::Deinstall;
        }
        match (&self.lists, &self.source_lists) {
            (Some(lists), None) => lists.action(entry.name(), entry.version()),
            (Some(lists), Some(_)) if !entry.is_source() => lists.action(entry.name(), entry.version()),
            (_, Some(lists)) => lists.action(entry.source().name, entry.source().version),
            (None, None) => FilterAction::Install,
        }
    }
}

impl<T: Clone> Upgrade<T> {
    /// Begins with the packages of an index.
    pub(crate) fn of(entries: Vec<PackageEntry>) -> Self {
        let mut packages = BTreeMap::new();
        // They are sorted by name and version.
        for entry in entries {
            let name = entry.name().to_owned();
            let state = State { in_use: Some(entry), chosen: None, is_deleted: false, offered: None };
            packages.insert(name, state);
        }
        Self { packages, warnings: Vec::new() }
    }

    /// Leaves the packages of a name as they are, although a rule offers one.
    pub(crate) fn hold(&mut self, name: &str) {
        if let Some(state) = self.packages.get_mut(name) {
            state.hold();
        }
    }

    /// Applies the rule that deletes.
    pub(crate) fn delete_all(&mut self) {
        self.packages.values_mut().for_each(|state| state.is_deleted = true);
    }

    /// Applies a rule that offers a package. The error names a package for which the rule asks to fail.
    pub(crate) fn offer(
        &mut self,
        new: Offered<T>,
        key: &IndexKey,
        (rule, filter): (&str, &RuleFilter),
    ) -> Result<(), String> {
        let action = filter.action(key, &new.entry);
        let entry = &new.entry;
        let about = |state: Option<&State<T>>| {
            let there = state.and_then(|state| state.in_use.as_ref());
            let there =
                there.map_or_else(|| "new".to_owned(), |there| format!("newer than {}", there.version()));
            format!("rule `{rule}` offers `{}` {}, which is {there}", entry.name(), entry.version())
        };
        let Some(state) = self.packages.get_mut(entry.name()) else {
            match action {
                FilterAction::Install => {
                    let offered = Some(new.entry.clone());
                    let name = new.entry.name().to_owned();
                    let state = State { in_use: None, chosen: Some(new), is_deleted: false, offered };
                    self.packages.insert(name, state);
                }
                FilterAction::Warn => self.warnings.push(about(None)),
                FilterAction::Fail => return Err(about(None)),
                _ => {}
            }
            return Ok(());
        };
        let order = state.current().map_or(Ordering::Greater, |current| entry.order_of_versions(current));
        if order.is_le() && !state.is_deleted {
            state.see(entry);
            return Ok(());
        }
        match action {
            FilterAction::Install | FilterAction::UpgradeOnly => {
                state.see(entry);
                state.take(new);
            }
            FilterAction::Supersede => state.is_deleted = true,
            FilterAction::Hold => state.hold(),
            FilterAction::Deinstall => {}
            FilterAction::Warn => {
                let text = about(Some(state));
                self.warnings.push(text);
            }
            FilterAction::Fail => return Err(about(Some(state))),
        }
        Ok(())
    }

    /// The decisions, by name.
    pub(crate) fn decisions(&self) -> impl Iterator<Item = (&str, Decision<'_, T>)> {
        self.packages.iter().filter_map(|(name, state)| Some((name.as_str(), state.decision()?)))
    }
}

impl<T> State<T> {
    /// The package that the suite would have.
    fn current(&self) -> Option<&PackageEntry> {
        self.chosen.as_ref().map(|chosen| &chosen.entry).or(self.in_use.as_ref())
    }

    /// Keeps the newest version that was offered.
    fn see(&mut self, entry: &PackageEntry) {
        if self.offered.as_ref().is_none_or(|known| known.order_of_versions(entry).is_lt()) {
            self.offered = Some(entry.clone());
        }
    }

    fn take(&mut self, new: Offered<T>) {
        self.is_deleted = false;
        let is_same = |other: &PackageEntry| other.version() == new.entry.version();
        if self.in_use.as_ref().is_some_and(is_same) {
            // A package that the suite has already is not taken again.
            self.chosen = None;
        } else if !self.chosen.as_ref().is_some_and(|chosen| is_same(&chosen.entry)) {
            self.chosen = Some(new);
        }
    }

    /// Resets the decisions to delete or to downgrade.
    fn hold(&mut self) {
        self.is_deleted = false;
        let is_older = |chosen: &Offered<T>| {
            self.in_use.as_ref().is_some_and(|in_use| chosen.entry.order_of_versions(in_use).is_lt())
        };
        if self.chosen.as_ref().is_some_and(is_older) {
            self.chosen = None;
        }
    }

    fn decision(&self) -> Option<Decision<'_, T>> {
        match (&self.chosen, &self.in_use) {
            (_, None) if self.is_deleted => None,
            (_, Some(in_use)) if self.is_deleted => Some(Decision::Delete { in_use }),
            (Some(new), in_use) => Some(Decision::Take { in_use: in_use.as_ref(), new }),
            (None, Some(in_use)) => Some(Decision::Keep { in_use, offered: self.offered.as_ref() }),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        dists::{PackagesIndex, PackagesKey},
        package_type::PackageType,
    };

    fn entry(name: &str, version: &str) -> PackageEntry {
        let text = format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n");
        PackagesIndex::parse(&Bytes::from(text), PackageType::Deb).unwrap().entries().remove(0)
    }

    fn filter(list: &str) -> RuleFilter {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updates");
        std::fs::write(folder.path().join("list"), list).unwrap();
        std::fs::write(&path, "Name: x\nMethod: file:/x\nFilterList: install list\n").unwrap();
        let resolve = |name: &str| folder.path().join(name);
        let rules = SourceRule::read(&path, crate::config::RuleKind::Update, &resolve).unwrap();
        RuleFilter::of(&rules[0])
    }

    /// The decision about `foo` in version `in_use`, if any, after these steps: `-`, or a version that is offered.
    fn decided(in_use: Option<&str>, action: &str, steps: &[&str]) -> String {
        let component = "main".parse().unwrap();
        let key = PackagesKey::new(&component, &"amd64".parse().unwrap(), PackageType::Deb).into_index_key();
        let mut upgrade = Upgrade::of(in_use.map(|version| entry("foo", version)).into_iter().collect());
        let filter = filter(&format!("foo {action}\n"));
        for step in steps {
            if *step == "-" {
                upgrade.delete_all();
                continue;
            }
            let offered = Offered { entry: entry("foo", step), origin: () };
            if let Err(error) = upgrade.offer(offered, &key, ("x", &filter)) {
                return format!("fails: {error}");
            }
        }
        let warned = if upgrade.warnings.is_empty() { "" } else { ", warned" };
        let decision = upgrade.decisions().next().map(|(_, decision)| match decision {
            Decision::Keep { .. } => "keep".to_owned(),
            Decision::Delete { .. } => "delete".to_owned(),
            Decision::Take { new, .. } => format!("take {}", new.entry.version()),
        });
        format!("{}{warned}", decision.unwrap_or_else(|| "nothing".to_owned()))
    }

    #[test]
    fn the_newest_is_taken_and_what_is_newer_stays() {
        for (in_use, steps, expected) in [
            (None, &["1"][..], "take 1"),
            (None, &["1", "3", "2"], "take 3"),
            (Some("2"), &["1"], "keep"),
            (Some("2"), &["2"], "keep"),
            (Some("2"), &["3"], "take 3"),
            (Some("2"), &[], "keep"),
            (Some("2"), &["-"], "delete"),
            (Some("2"), &["-", "1"], "take 1"),
            (Some("2"), &["-", "2"], "keep"),
            (Some("2"), &["-", "1", "2"], "keep"),
            (Some("2"), &["3", "-"], "delete"),
            (None, &["3", "-"], "nothing"),
            (None, &["3", "-", "3"], "take 3"),
        ] {
            assert_eq!(decided(in_use, "install", steps), expected, "{in_use:?} {steps:?}");
        }
    }

    #[test]
    fn the_lists_decide_what_is_done_with_a_package() {
        for (action, in_use, steps, expected) in [
            ("upgradeonly", None, &["1"][..], "nothing"),
            ("upgradeonly", Some("1"), &["2"], "take 2"),
            ("deinstall", Some("1"), &["2"], "keep"),
            ("deinstall", Some("1"), &["-", "2"], "delete"),
            ("purge", None, &["2"], "nothing"),
            ("supersede", Some("1"), &["2"], "delete"),
            ("supersede", Some("2"), &["2"], "keep"),
            ("supersede", Some("3"), &["2"], "keep"),
            ("supersede", None, &["2"], "nothing"),
            ("hold", Some("1"), &["-", "2"], "keep"),
            ("hold", Some("1"), &["2"], "keep"),
            ("warning", Some("1"), &["2"], "keep, warned"),
            ("warning", Some("2"), &["2"], "keep"),
            ("warning", None, &["2"], "nothing, warned"),
            ("error", Some("2"), &["2"], "keep"),
            ("error", Some("1"), &["2"], "fails: rule `x` offers `foo` 2, which is newer than 1"),
            ("error", None, &["2"], "fails: rule `x` offers `foo` 2, which is new"),
            ("= 2", None, &["1", "2"], "take 2"),
        ] {
            assert_eq!(decided(in_use, action, steps), expected, "{action} {in_use:?} {steps:?}");
        }
    }
}
