//! The text of an index that is in order: looked through once, and from then on the packages of a name are found by halving.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memmem;

use super::package_entry::{Error, Identity, PackageEntry, field_of};
use crate::stanza::Stanzas;

/// What ends a stanza: its last newline and an empty line.
const END: &[u8] = b"\n\n";

/// Stanzas of packages in their order, each with exactly one empty line behind it.
#[derive(Clone, Default)]
pub(super) struct Ordered(Bytes);

impl Ordered {
    /// Takes an index that anybody made; what is in order already is not copied.
    pub(super) fn of(text: &Bytes) -> Result<Self, Error> {
        if is_in_order(text) {
            return Ok(Self(text.clone()));
        }
        let mut stanzas = Stanzas::new(text);
        let mut entries = Vec::new();
        while let Some(block) = stanzas.next_block() {
            let stanza =
                if block.ends_with(b"\n") { text.slice_ref(block) } else { [block, b"\n"].concat().into() };
            entries.push(PackageEntry::read(stanza, stanzas.block_line())?);
        }
        entries.sort_by(PackageEntry::order);
        let mut text = BytesMut::with_capacity(text.len() + END.len());
        put(&mut text, &entries);
        Ok(Self(text.freeze()))
    }

    pub(super) fn text(&self) -> &Bytes {
        &self.0
    }

    /// The packages that stand in a part of the text which begins and ends between stanzas.
    pub(super) fn entries(&self, place: Range<usize>) -> impl Iterator<Item = PackageEntry> {
        let text = self.0.slice(place);
        let mut start = 0;
        std::iter::from_fn(move || {
            let end = start + memmem::find(&text[start..], END)?;
            let stanza = text.slice(start..=end);
            start = end + END.len();
            Some(
                PackageEntry::read(stanza, 1)
                    .unwrap_or_else(|error| unreachable!("in order, and yet {error}")),
            )
        })
    }

    /// Where the packages of a name stand, or would stand.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        let start = self.first(0, |other| other >= name);
        start..self.first(start, |other| other > name)
    }

    /// The beginning of the first stanza past a place whose name is far enough in the order; found by halving.
    fn first(&self, from: usize, is_far_enough: impl Fn(&str) -> bool) -> usize {
        let text = &self.0;
        // Both are always the beginning of a stanza, or the end of the text.
        let (mut low, mut high) = (from, text.len());
        while low < high {
            let before = &text[low..low + (high - low) / 2];
            let start = memmem::rfind(before, END).map_or(low, |at| low + at + END.len());
            let stanza = &text[start..];
            let name = field_of(stanza, "Package").and_then(|at| std::str::from_utf8(&stanza[at]).ok());
            if is_far_enough(name.unwrap_or_default()) {
                high = start;
            } else {
                low = memmem::find(stanza, END).map_or(high, |at| start + at + END.len());
            }
        }
        low
    }
}

/// Writes stanzas as they stand in an index.
pub(super) fn put(text: &mut BytesMut, entries: &[PackageEntry]) {
    for entry in entries {
        text.put_slice(entry.stanza());
        text.put_u8(b'\n');
    }
}

/// Looks at every stanza once, and takes none out.
fn is_in_order(text: &[u8]) -> bool {
    let mut start = 0;
    let mut previous: Option<Identity<'_>> = None;
    for end in memmem::find_iter(text, END) {
        let stanza = &text[start..=end];
        let Some(identity) = Identity::read(stanza) else { return false };
        if stanza.starts_with(b"\n") || previous.is_some_and(|previous| previous.order(&identity).is_gt()) {
            return false;
        }
        (start, previous) = (end + END.len(), Some(identity));
    }
    start == text.len()
}
