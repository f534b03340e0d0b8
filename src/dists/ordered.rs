//! The text of a sorted index: validated once, then searched by bisection.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;

use super::package_entry::{Error, Identity, PackageEntry, field_of};
use crate::{package_type::PackageType, stanza::Stanzas};

/// The end of a stanza: its last newline and an empty line.
const END: &[u8] = b"\n\n";

/// Sorted stanzas of packages, each followed by exactly one empty line.
#[derive(Clone, Default)]
pub(super) struct Ordered {
    text: Bytes,
    package_type: PackageType,
}

impl Ordered {
    /// Reads an index from any source; a sorted one is not copied.
    pub(super) fn of(text: &Bytes, package_type: PackageType) -> Result<Self, Error> {
        if is_in_order(text, package_type) {
            return Ok(Self { text: text.clone(), package_type });
        }
        let mut stanzas = Stanzas::new(text);
        let mut entries = Vec::new();
        while let Some(block) = stanzas.next_block() {
            let stanza =
                if block.ends_with(b"\n") { text.slice_ref(block) } else { [block, b"\n"].concat().into() };
            entries.push(PackageEntry::read(stanza, stanzas.block_line(), package_type)?);
        }
        entries.sort_by(PackageEntry::order);
        let mut text = BytesMut::with_capacity(text.len() + END.len());
        put(&mut text, &entries);
        Ok(Self { text: text.freeze(), package_type })
    }

    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }

    /// The packages in a part of the text that begins and ends between stanzas.
    pub(super) fn entries(&self, place: Range<usize>) -> impl Iterator<Item = PackageEntry> {
        let text = self.text.slice(place);
        let package_type = self.package_type;
        let mut start = 0;
        std::iter::from_fn(move || {
            let end = start + memmem::find(&text[start..], END)?;
            let stanza = text.slice(start..=end);
            start = end + END.len();
            Some(
                PackageEntry::read(stanza, 1, package_type)
                    .unwrap_or_else(|error| unreachable!("in order, and yet {error}")),
            )
        })
    }

    /// The range of the packages of a name, or the empty range where they belong.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        let start = self.first(0, |other| other >= name);
        start..self.first(start, |other| other > name)
    }

    /// Finds the entry of a package.
    pub(super) fn find(&self, wanted: &Identity<'_>) -> Option<PackageEntry> {
        let is_far_enough = |stanza: &[u8]| {
            Identity::read(stanza, self.package_type).is_none_or(|found| found.order(wanted).is_ge())
        };
        let start = self.first_stanza(0, is_far_enough);
        let entry = self.entries(start..self.text.len()).next()?;
        (entry.identity() == *wanted).then_some(entry)
    }

    /// The start of the first stanza from `from` on whose name satisfies the predicate.
    fn first(&self, from: usize, is_far_enough: impl Fn(&str) -> bool) -> usize {
        self.first_stanza(from, |stanza| {
            let name = field_of(stanza, "Package").and_then(|at| std::str::from_utf8(&stanza[at]).ok());
            is_far_enough(name.unwrap_or_default())
        })
    }

    /// The start of the first stanza from `from` on that satisfies the predicate; found by bisection.
    fn first_stanza(&self, from: usize, is_far_enough: impl Fn(&[u8]) -> bool) -> usize {
        let text = &self.text;
        // Both are always the start of a stanza or the end of the text.
        let (mut low, mut high) = (from, text.len());
        while low < high {
            let before = &text[low..low + (high - low) / 2];
            let start = memmem::rfind(before, END).map_or(low, |at| low + at + END.len());
            let stanza = &text[start..];
            if is_far_enough(stanza) {
                high = start;
            } else {
                low = memmem::find(stanza, END).map_or(high, |at| start + at + END.len());
            }
        }
        low
    }
}

/// Appends stanzas in the form of an index.
pub(super) fn put(text: &mut BytesMut, entries: &[PackageEntry]) {
    for entry in entries {
        text.put_slice(entry.stanza());
        text.put_u8(b'\n');
    }
}

/// Checks every stanza once, without extracting any.
fn is_in_order(text: &[u8], package_type: PackageType) -> bool {
    let mut start = 0;
    let mut previous: Option<Identity<'_>> = None;
    for end in memmem::find_iter(text, END) {
        let stanza = &text[start..=end];
        let Some(identity) = Identity::read(stanza, package_type) else { return false };
        if stanza.starts_with(b"\n") || previous.is_some_and(|previous| previous.order(&identity).is_gt()) {
            return false;
        }
        (start, previous) = (end + END.len(), Some(identity));
    }
    start == text.len()
}
