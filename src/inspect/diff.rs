//! Compares two lists of packages: pure, entries in, differences out.
//!
//! Packages with the same component, name and architecture form one line of versions. The highest versions of each
//! line are compared; any other version that only one list has is reported by itself.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    dists::{Entry, IndexKind},
    names::Component,
    suite::package_file::PackageFile,
};

/// One difference between the old list and the new one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the package.
    pub name: String,
    /// The component.
    pub component: Component,
    /// The kind of the index that lists it.
    pub index: IndexKind,
    /// Its architecture.
    pub architecture: String,
    /// The kind of the change.
    pub kind: Kind,
    /// The version in the old list, if the change concerns one.
    pub old: Option<String>,
    /// The version in the new list, if the change concerns one.
    pub new: Option<String>,
    /// The file of that version in the old list.
    pub old_file: Option<PackageFile>,
    /// The file of that version in the new list.
    pub new_file: Option<PackageFile>,
    /// Of two versions, whether the lower one is in both lists.
    pub beside: bool,
    /// The phased percentages, old and new, if they differ.
    pub phased: Option<[u8; 2]>,
}

/// The kind of a change, from the old list to the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Only the new list has this version.
    Added,
    /// Only the old list has this version.
    Removed,
    /// The highest version is newer.
    Newer,
    /// The highest version is older.
    Older,
    /// Both have this version, with different bytes.
    Contents,
    /// Both have this version, phased to a different percentage of machines.
    Phased,
}

/// Compares `old` with `new`, both of one kind and component; sorted by name, then architecture.
#[must_use]
pub fn diff<'a>(
    (index, component): (IndexKind, &Component),
    old: impl IntoIterator<Item = &'a Entry>,
    new: impl IntoIterator<Item = &'a Entry>,
) -> Vec<Difference> {
    let mut lines: BTreeMap<(&str, &str), Line<'_>> = BTreeMap::new();
    let both = old.into_iter().map(|entry| (0, entry)).chain(new.into_iter().map(|entry| (1, entry)));
    for (side, entry) in both {
        lines.entry((&entry.name, &entry.architecture)).or_default().sides[side].push(entry);
    }
    let mut found = Vec::new();
    for ((name, architecture), line) in &mut lines {
        let difference = |Finding { kind, old, new, beside, phased }: Finding<'_>| Difference {
            name: (*name).to_owned(),
            component: component.clone(),
            index,
            architecture: (*architecture).to_owned(),
            kind,
            old: old.map(|entry| entry.version.to_string()),
            new: new.map(|entry| entry.version.to_string()),
            old_file: old.map(PackageFile::from),
            new_file: new.map(PackageFile::from),
            beside,
            phased,
        };
        found.extend(line.findings().into_iter().map(difference));
    }
    found
}

/// The versions of one package in both lists.
#[derive(Default)]
struct Line<'a> {
    sides: [Vec<&'a Entry>; 2],
}

/// A [`Difference`] within one line.
struct Finding<'a> {
    kind: Kind,
    old: Option<&'a Entry>,
    new: Option<&'a Entry>,
    beside: bool,
    phased: Option<[u8; 2]>,
}

impl<'a> Finding<'a> {
    fn of(kind: Kind, old: Option<&'a Entry>, new: Option<&'a Entry>) -> Self {
        Self { kind, old, new, beside: false, phased: None }
    }
}

impl<'a> Line<'a> {
    fn findings(&mut self) -> Vec<Finding<'a>> {
        for side in &mut self.sides {
            side.sort_by(|one, other| {
                one.order_of_versions(other).then_with(|| one.version.cmp(&other.version))
            });
            // A package for `all` is in the index of every architecture.
            side.dedup_by(|one, other| one.version == other.version);
        }
        let [old, new] = &self.sides;
        let mut found = Vec::new();
        let mut step = None;
        if let (Some(&before), Some(&after)) = (old.last(), new.last()) {
            let (from, to) = (&*before.version, &*after.version);
            let kind = match before.order_of_versions(after) {
                Ordering::Less => Some((Kind::Newer, has(new, from))),
                Ordering::Greater => Some((Kind::Older, has(old, to))),
                Ordering::Equal => None,
            };
            if let Some((kind, beside)) = kind {
                found.push(Finding { beside, ..Finding::of(kind, Some(before), Some(after)) });
                step = Some((from, to));
            }
        }
        for &entry in old {
            let version = &*entry.version;
            match new.iter().copied().find(|other| &*other.version == version) {
                Some(other) if !entry.is_same_file(other) => {
                    found.push(Finding::of(Kind::Contents, Some(entry), Some(other)));
                }
                Some(other) if entry.phased() != other.phased() => found.push(Finding {
                    phased: Some([entry.phased(), other.phased()]),
                    ..Finding::of(Kind::Phased, Some(entry), Some(other))
                }),
                None if step.is_none_or(|(from, _)| from != version) => {
                    found.push(Finding::of(Kind::Removed, Some(entry), None));
                }
                _ => {}
            }
        }
        for &entry in new {
            let version = &*entry.version;
            if !has(old, version) && step.is_none_or(|(_, to)| to != version) {
                found.push(Finding::of(Kind::Added, None, Some(entry)));
            }
        }
        found
    }
}

fn has(side: &[&Entry], version: &str) -> bool {
    side.iter().any(|entry| &*entry.version == version)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::dists::{self, IndexKey};

    /// A package: name, version, architecture, and which bytes it has.
    type Package = (String, String, &'static str, u8);

    fn entries(packages: &[Package]) -> Vec<Entry> {
        let stanza = |(name, version, architecture, bytes): &Package| {
            // The same bytes as the higher ones, phased.
            let share =
                if *bytes < 10 { String::new() } else { format!("Phased-Update-Percentage: {bytes}\n") };
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nSHA256: {}\n{share}\n",
                format!("{:02x}", bytes % 10).repeat(32)
            )
        };
        let text: String = packages.iter().map(stanza).collect();
        dists::entries(&IndexKey::parse("main/binary-amd64/Packages"), &Bytes::from(text)).unwrap()
    }

    fn main() -> Component {
        Component::parse("main").unwrap()
    }

    fn differences(old: &[Package], new: &[Package]) -> Vec<Difference> {
        diff((IndexKind::Packages, &main()), &entries(old), &entries(new))
    }

    fn compared(old: &[(&str, u8)], new: &[(&str, u8)]) -> Vec<(Kind, Option<String>, Option<String>, bool)> {
        let hello = |&(version, bytes): &(&str, u8)| ("hello".to_owned(), version.to_owned(), "amd64", bytes);
        let (old, new): (Vec<_>, Vec<_>) = (old.iter().map(hello).collect(), new.iter().map(hello).collect());
        differences(&old, &new).into_iter().map(|d| (d.kind, d.old, d.new, d.beside)).collect()
    }

    #[test]
    fn the_highest_versions_are_compared_and_the_others_listed() {
        use Kind::{Added, Contents, Newer, Older, Phased, Removed};
        let text = |version: &str| Some(version.to_owned());
        assert_eq!(compared(&[], &[("1.0", 0)]), [(Added, None, text("1.0"), false)]);
        assert_eq!(compared(&[("1.9", 0)], &[("1.10", 0)]), [(Newer, text("1.9"), text("1.10"), false)]);
        assert_eq!(compared(&[("1", 0)], &[("1", 0), ("2", 0)]), [(Newer, text("1"), text("2"), true)]);
        assert_eq!(compared(&[("1:1", 0)], &[("2", 0)]), [(Older, text("1:1"), text("2"), false)]);
        assert_eq!(compared(&[("1", 0), ("2", 0)], &[("1", 0)]), [(Older, text("2"), text("1"), true)]);
        assert_eq!(compared(&[("1", 0)], &[("1", 1)]), [(Contents, text("1"), text("1"), false)]);
        assert_eq!(
            compared(&[("1", 0), ("2", 0), ("3", 0)], &[("1", 1), ("2.5", 0), ("4", 0)]),
            [
                (Newer, text("3"), text("4"), false),
                (Contents, text("1"), text("1"), false),
                (Removed, text("2"), None, false),
                (Added, None, text("2.5"), false),
            ]
        );
        let share =
            differences(&[("a".into(), "1".into(), "all", 10)], &[("a".into(), "1".into(), "all", 0)]);
        assert_eq!((share[0].kind, share[0].phased), (Phased, Some([10, 100])));
        // Equal in order, but different as text.
        assert_eq!(
            compared(&[("1.0", 0)], &[("1.00", 0)]),
            [(Removed, text("1.0"), None, false), (Added, None, text("1.00"), false)]
        );
        // Versions that Policy does not allow are ordered too.
        assert_eq!(compared(&[("x", 0)], &[("y", 0)]), [(Newer, text("x"), text("y"), false)]);
    }

    fn packages() -> impl Strategy<Value = Vec<Package>> {
        let version = prop::sample::select(vec!["1", "1.0", "1.00", "1~rc1", "2", "1:0.5", "odd"]);
        let architecture = prop::sample::select(vec!["amd64", "all"]);
        let package = ("[ab]", version, architecture, prop::sample::select(vec![0, 1, 10, 50]))
            .prop_map(|(n, v, a, bytes)| (n, v.to_owned(), a, bytes));
        prop::collection::vec(package, 0..12).prop_map(|mut all| {
            all.sort();
            all.dedup_by(|one, other| (&one.0, &one.1, one.2) == (&other.0, &other.1, other.2));
            all
        })
    }

    proptest! {
        #[test]
        fn seen_from_the_other_side_it_is_the_mirror(old in packages(), new in packages()) {
            let mut there = differences(&old, &new);
            let mut back: Vec<Difference> = differences(&new, &old)
                .into_iter()
                .map(|seen| Difference {
                    kind: match seen.kind {
                        Kind::Added => Kind::Removed,
                        Kind::Removed => Kind::Added,
                        Kind::Newer => Kind::Older,
                        Kind::Older => Kind::Newer,
                        same @ (Kind::Contents | Kind::Phased) => same,
                    },
                    phased: seen.phased.map(|[old, new]| [new, old]),
                    old: seen.new,
                    new: seen.old,
                    old_file: seen.new_file,
                    new_file: seen.old_file,
                    ..seen
                })
                .collect();
            there.sort();
            back.sort();
            prop_assert_eq!(there, back);
            prop_assert_eq!(differences(&old, &old), []);
        }

        /// The old list plus the reported differences gives the new list, except for bytes.
        #[test]
        fn it_leads_from_the_old_list_to_the_new_one(old in packages(), new in packages()) {
            let identity = |(name, version, architecture, _): &Package| {
                (name.clone(), version.clone(), (*architecture).to_owned())
            };
            let mut list: std::collections::BTreeSet<_> = old.iter().map(identity).collect();
            for seen in differences(&old, &new) {
                let of = |version: &Option<String>| {
                    (seen.name.clone(), version.clone().unwrap_or_default(), seen.architecture.clone())
                };
                match seen.kind {
                    Kind::Added => prop_assert!(list.insert(of(&seen.new))),
                    Kind::Removed => prop_assert!(list.remove(&of(&seen.old))),
                    Kind::Newer => {
                        prop_assert!(list.insert(of(&seen.new)));
                        prop_assert!(seen.beside || list.remove(&of(&seen.old)));
                    }
                    Kind::Older => {
                        prop_assert!(list.remove(&of(&seen.old)));
                        prop_assert_eq!(list.insert(of(&seen.new)), !seen.beside);
                    }
                    Kind::Contents | Kind::Phased => prop_assert!(list.contains(&of(&seen.old))),
                }
            }
            prop_assert_eq!(list, new.iter().map(identity).collect());
        }
    }
}
