//! `Contents`: the paths of the files of a suite, each with the packages that install it.
//!
//! One line a path: `PATH BLANKS SECTION/NAME[,SECTION/NAME…]`, sorted by path, in the bytes that apt-ftparchive writes
//! ([repository format](https://wiki.debian.org/DebianRepository/Format), "Contents indices"). The same packages always
//! give the same bytes.
//!
//! An edit is a pass over the published lines: a line that it does not concern is copied as it is.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap, HashSet},
};

use bytes::Bytes;
use rayon::prelude::*;

use super::packages::PackageEntry;
use crate::deb::FileList;

/// The column of the packages in a line with a short path.
const COLUMN: usize = 60;
const TAB: usize = 8;

/// An edit of the lines of an index.
#[derive(Default)]
pub struct ContentsEdit {
    added: Vec<(FileList, Box<str>)>,
    removed: HashMap<Box<str>, Vec<FileList>>,
}

impl ContentsEdit {
    /// Adds the files of a package under its label.
    pub fn add(&mut self, label: &str, files: &FileList) {
        self.added.push((files.clone(), label.into()));
    }

    /// Removes a label from all lines, except from those of these files: of other versions with the same label.
    pub fn remove(&mut self, label: &str, except: Vec<FileList>) {
        self.removed.insert(label.into(), except);
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Applies the edit to an index in the order that is written here.
    #[must_use]
    pub fn apply(&self, text: &[u8]) -> Bytes {
        let mut added: Vec<Entry<'_>> = self
            .added
            .par_iter()
            .flat_map_iter(|(files, label)| files.paths().map(|path| (path, label.as_bytes())))
            .collect();
        added.par_sort_unstable_by(order);
        let keep: HashMap<&[u8], HashSet<&[u8]>> = self
            .removed
            .iter()
            .map(|(label, lists)| (label.as_bytes(), lists.iter().flat_map(FileList::paths).collect()))
            .collect();
        let size: usize = added.iter().map(|(path, label)| path.len() + label.len() + 16).sum();
        let mut out = Output { text: Vec::with_capacity(text.len() + size), labels: Vec::new() };
        let (mut rest, mut copied) = (&added[..], 0);
        for (start, line) in lines(text) {
            let Some((path, labels)) = split(line) else { continue };
            let before = count_before(rest, path);
            let same = rest[before..].iter().take_while(|(new, _)| *new == path).count();
            let is_dropped = |label: &[u8]| keep.get(label).is_some_and(|files| !files.contains(path));
            let changes = same > 0 || (!keep.is_empty() && labels.split(|&b| b == b',').any(is_dropped));
            if before == 0 && !changes {
                continue;
            }
            out.text.extend_from_slice(&text[copied..start]);
            out.put_all(&rest[..before]);
            copied = start;
            if changes {
                out.labels.extend(labels.split(|&b| b == b',').filter(|label| !is_dropped(label)));
                out.labels.extend(rest[before..before + same].iter().map(|(_, label)| *label));
                out.put_line(path);
                copied = start + line.len() + 1;
            }
            rest = &rest[before + same..];
        }
        out.text.extend_from_slice(&text[copied.min(text.len())..]);
        out.put_all(rest);
        out.text.into()
    }
}

/// A path and a label.
type Entry<'a> = (&'a [u8], &'a [u8]);

fn order(one: &Entry<'_>, other: &Entry<'_>) -> Ordering {
    one.0.cmp(other.0).then_with(|| order_of_labels(one.1, other.1))
}

/// Labels are sorted like the packages of an index: by name.
fn order_of_labels(one: &[u8], other: &[u8]) -> Ordering {
    name_of(one).cmp(name_of(other)).then_with(|| one.cmp(other))
}

/// The name of the package in a label.
fn name_of(label: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', label).map_or(label, |at| &label[at + 1..])
}

/// The number of sorted entries before a path; usually none.
fn count_before(entries: &[Entry<'_>], path: &[u8]) -> usize {
    entries.iter().take_while(|(new, _)| *new < path).count()
}

/// An index that is being written.
struct Output<'a> {
    text: Vec<u8>,
    /// The labels of the next line.
    labels: Vec<&'a [u8]>,
}

impl<'a> Output<'a> {
    /// Writes sorted entries.
    fn put_all(&mut self, entries: &[Entry<'a>]) {
        for of_path in entries.chunk_by(|one, next| one.0 == next.0) {
            self.labels.extend(of_path.iter().map(|(_, label)| *label));
            self.put_line(of_path[0].0);
        }
    }

    /// Writes the line of a path; none if no package has it.
    fn put_line(&mut self, path: &[u8]) {
        self.labels.sort_unstable_by(|one, other| order_of_labels(one, other));
        self.labels.dedup();
        for (number, label) in self.labels.drain(..).enumerate() {
            if number == 0 {
                self.text.extend_from_slice(path);
                put_blanks(&mut self.text, path.len());
            } else {
                self.text.push(b',');
            }
            self.text.extend_from_slice(label);
        }
        if self.text.last().is_some_and(|&last| last != b'\n') {
            self.text.push(b'\n');
        }
    }
}

/// Fills a line up to the column of the packages: tabs, then blanks.
fn put_blanks(text: &mut Vec<u8>, length: usize) {
    let target = COLUMN.max(length + 1);
    let mut column = length;
    while (column / TAB + 1) * TAB < target {
        text.push(b'\t');
        column = (column / TAB + 1) * TAB;
    }
    text.resize(text.len() + target - column, b' ');
}

/// The lines of a text without their newlines, each with its start.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let at = start;
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        start = at + end + 1;
        Some((at, &rest[..end]))
    })
}

/// Splits a line into the path and the labels.
fn split(line: &[u8]) -> Option<Entry<'_>> {
    let blank = memchr::memrchr2(b' ', b'\t', line)?;
    let path = line[..blank].trim_ascii_end();
    (!path.is_empty() && blank + 1 < line.len()).then_some((path, &line[blank + 1..]))
}

/// Compares two lines by their order in an index.
pub(crate) fn order_of_lines(one: &[u8], other: &[u8]) -> Ordering {
    let path = |line| split(line).map_or(line, |(path, _)| path);
    path(one).cmp(path(other))
}

/// The label of a package: `SECTION/NAME`, or `NAME` without a usable section.
#[must_use]
pub fn label(package: &PackageEntry) -> String {
    let section = package.field("Section").and_then(|value| std::str::from_utf8(value).ok());
    let is_usable =
        |section: &&str| !section.is_empty() && section.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    match section.filter(is_usable) {
        Some(section) => format!("{}/{}", section.trim_end_matches('/'), package.name()),
        None => package.name().to_owned(),
    }
}

/// Whether an index has the form that is written here, so that an edit may copy its lines.
#[must_use]
pub fn is_of_our_form(text: &[u8]) -> bool {
    let mut previous: &[u8] = &[];
    let mut blanks = Vec::with_capacity(COLUMN);
    for (_, line) in lines(text) {
        let Some((path, labels)) = split(line) else { return false };
        blanks.clear();
        put_blanks(&mut blanks, path.len());
        if previous >= path || line[path.len()..line.len() - labels.len()] != blanks[..] {
            return false;
        }
        previous = path;
    }
    text.is_empty() || text.ends_with(b"\n")
}

/// An index in the form that is written here, to look up its lines.
pub struct Lookup<'a> {
    text: &'a [u8],
    /// The number of lines with each label.
    counts: HashMap<&'a [u8], usize>,
}

impl<'a> Lookup<'a> {
    /// Counts the labels of an index.
    #[must_use]
    pub fn of(text: &'a [u8]) -> Self {
        let mut counts = HashMap::new();
        for (_, labels) in lines(text).filter_map(|(_, line)| split(line)) {
            for label in labels.split(|&b| b == b',') {
                *counts.entry(label).or_default() += 1;
            }
        }
        Self { text, counts }
    }

    /// The number of paths with a label.
    #[must_use]
    pub fn count(&self, label: &[u8]) -> usize {
        self.counts.get(label).copied().unwrap_or_default()
    }

    /// Whether a path has a label.
    #[must_use]
    pub fn has(&self, path: &[u8], label: &[u8]) -> bool {
        // The line of the path begins in this range.
        let (mut low, mut high) = (0, self.text.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = memchr::memrchr(b'\n', &self.text[low..middle]).map_or(low, |at| low + at + 1);
            let end = memchr::memchr(b'\n', &self.text[start..]).map_or(self.text.len(), |at| start + at);
            let Some((found, labels)) = split(&self.text[start..end]) else { return false };
            match found.cmp(path) {
                Ordering::Equal => return labels.split(|&b| b == b',').any(|found| found == label),
                Ordering::Less => low = end + 1,
                Ordering::Greater => high = start,
            }
        }
        false
    }
}

/// An index of another tool, with the packages that it describes.
#[non_exhaustive]
pub struct Adopted {
    /// The text in the form that is written here.
    pub text: Bytes,
    /// The names of the packages that it describes.
    pub described: BTreeSet<String>,
}

/// Rewrites an index of another tool: sorted, without a header, and with the labels of the published packages. Packages
/// that are not published are left out.
#[must_use]
pub fn adopt(text: &[u8], packages: &[PackageEntry]) -> Adopted {
    let mut labels: HashMap<&[u8], BTreeSet<String>> = HashMap::new();
    for package in packages {
        labels.entry(package.name().as_bytes()).or_default().insert(label(package));
    }
    let mut entries = Vec::new();
    for (_, line) in lines(without_header(text)) {
        let Some((path, of_path)) = split(line) else { continue };
        let path = path.strip_prefix(b"./").unwrap_or(path);
        let path = path.strip_prefix(b"/").unwrap_or(path);
        if path.is_empty() || path.ends_with(b"/") {
            continue;
        }
        for old in of_path.split(|&b| b == b',') {
            let Some(known) = labels.get(name_of(old)) else { continue };
            let same = known.iter().find(|label| label.as_bytes() == old);
            match same {
                Some(label) => entries.push((path, label.as_bytes())),
                None => entries.extend(known.iter().map(|label| (path, label.as_bytes()))),
            }
        }
    }
    entries.par_sort_unstable_by(order);
    let described = entries.iter().map(|(_, label)| String::from_utf8_lossy(name_of(label)).into_owned());
    let described = described.collect();
    let mut out = Output { text: Vec::with_capacity(text.len()), labels: Vec::new() };
    out.put_all(&entries);
    Adopted { text: out.text.into(), described }
}

/// Skips the description at the head of an index of old tools, which ends with `FILE LOCATION`.
fn without_header(text: &[u8]) -> &[u8] {
    const LONGEST: usize = 64 << 10;
    for (start, line) in lines(text).take_while(|(start, _)| *start < LONGEST) {
        if split(line).is_some_and(|(path, labels)| path == b"FILE" && labels == b"LOCATION") {
            return text.get(start + line.len() + 1..).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::dists::PackagesIndex;

    fn list(paths: &[&str]) -> FileList {
        let paths: BTreeSet<&&str> = paths.iter().collect();
        let text: String = paths.into_iter().flat_map(|path| [*path, "\n"]).collect();
        FileList::parse(text.into()).unwrap()
    }

    fn packages(text: &str) -> Vec<PackageEntry> {
        PackagesIndex::parse(&Bytes::copy_from_slice(text.as_bytes()), crate::package_type::PackageType::Deb)
            .unwrap()
            .entries()
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_have_the_bytes_of_apt_ftparchive() {
        let mut edit = ContentsEdit::default();
        let [short, long] = [59, 60].map(|length| "x".repeat(length));
        edit.add("net/b", &list(&["usr/bin/a", &short, &long, "with space/x y"]));
        edit.add("admin/a", &list(&["usr/bin/a"]));
        let made = edit.apply(b"");
        let tabs = "\t".repeat(6);
        let expected = format!(
            "usr/bin/a{tabs}    admin/a,net/b\nwith space/x y{tabs}    net/b\n{short} net/b\n{long} net/b\n"
        );
        assert_eq!(text(&made), expected);
        assert!(is_of_our_form(&made));
    }

    #[test]
    fn a_label_leaves_the_lines_that_no_other_version_has() {
        let mut edit = ContentsEdit::default();
        edit.add("x/a", &list(&["one", "two"]));
        edit.add("x/b", &list(&["two"]));
        let before = edit.apply(b"");
        let mut edit = ContentsEdit::default();
        edit.remove("x/a", vec![list(&["two", "three"])]);
        assert_eq!(edit.apply(&before), edit.apply(&edit.apply(&before)));
        assert!(text(&edit.apply(&before)).starts_with("two\t"), "one is gone, and three is not invented");
        let mut edit = ContentsEdit::default();
        edit.remove("x/a", Vec::new());
        assert!(text(&edit.apply(&before)).ends_with("    x/b\n"));
        assert_eq!(text(&edit.apply(&before)).lines().count(), 1);
    }

    #[test]
    fn lines_are_found_by_their_paths() {
        let mut edit = ContentsEdit::default();
        let paths = ["a", "a/b", "b", "usr/bin/x y", "zz"];
        edit.add("x/a", &list(&paths));
        edit.add("x/b", &list(&["b", "only"]));
        let text = edit.apply(b"");
        let lookup = Lookup::of(&text);
        for path in paths {
            assert!(lookup.has(path.as_bytes(), b"x/a"), "{path}");
            assert_eq!(lookup.has(path.as_bytes(), b"x/b"), path == "b", "{path}");
        }
        for other in ["", "0", "a/", "c", "only/x", "zzz"] {
            assert!(!lookup.has(other.as_bytes(), b"x/a"), "{other}");
        }
        assert_eq!((lookup.count(b"x/a"), lookup.count(b"x/b"), lookup.count(b"x")), (5, 2, 0));
        assert!(!Lookup::of(b"").has(b"a", b"x/a"));
    }

    #[test]
    fn labels_need_a_usable_section() {
        let of = |section: &str| {
            let text = format!("Package: a\nVersion: 1\nArchitecture: all\n{section}\n");
            label(&packages(&text)[0])
        };
        assert_eq!(of("Section: contrib/net\n"), "contrib/net/a");
        for none in ["", "Section:\n", "Section: two words\n", "Section: a,b\n"] {
            assert_eq!(of(none), "a", "{none}");
        }
    }

    #[test]
    fn indices_of_other_tools_are_rewritten() {
        let known = packages(
            "Package: a\nVersion: 1\nArchitecture: all\nSection: net\n\nPackage: b\nVersion: 1\nArchitecture: all\n\n",
        );
        // aptly, old dak, reprepro and the command `contents` of apt-ftparchive.
        for (other, expected) in [
            ("FILE LOCATION\nusr/z net/a,b\nusr/a b\n", &["usr/a b", "usr/z net/a,b"][..]),
            ("This file maps each file to a package.\n\nFILE   LOCATION\nusr/z\t net/a\n", &["usr/z net/a"]),
            (
                "usr/c\t    net/a,net/a\n./usr/b    a\n/usr/d other/a\n",
                &["usr/b net/a", "usr/c net/a", "usr/d net/a"],
            ),
            ("usr/gone    net/gone\nusr/folder/   net/a\nodd\n", &[]),
        ] {
            let adopted = adopt(other.as_bytes(), &known);
            let found: Vec<String> = text(&adopted.text)
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            assert_eq!(found, expected, "{other}");
            assert!(
                is_of_our_form(&adopted.text) && (expected.is_empty() || !is_of_our_form(other.as_bytes()))
            );
            assert_eq!(adopted.described.contains("a"), !expected.is_empty());
        }
    }

    proptest! {
        /// Any sequence of edits gives the bytes of an index that is made from nothing.
        #[test]
        fn edits_give_what_is_made_from_nothing(
            edits in prop::collection::vec((0..6_usize, prop::collection::btree_set("[ab]{1,2}(/[ab -]?[ab])?", 0..6)), 1..20),
        ) {
            let labels = ["x/a", "x/a-b", "y/a", "b", "x/b", "z/c"];
            let mut state: BTreeMap<&str, FileList> = BTreeMap::new();
            let mut index = Bytes::new();
            for (which, paths) in edits {
                let label = labels[which];
                let mut edit = ContentsEdit::default();
                if state.contains_key(label) {
                    edit.remove(label, Vec::new());
                }
                let files = list(&paths.iter().map(String::as_str).collect::<Vec<_>>());
                edit.add(label, &files);
                state.insert(label, files);
                index = edit.apply(&index);
                let mut anew = ContentsEdit::default();
                for (label, files) in &state {
                    anew.add(label, files);
                }
                prop_assert_eq!(&index, &anew.apply(b""));
                prop_assert!(is_of_our_form(&index));
            }
        }
    }
}
