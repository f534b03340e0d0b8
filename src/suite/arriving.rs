//! The bytes of files on their way from another archive, for the progress of a command.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::event::{Event, Events};

/// An event is sent after so many bytes of a file: pieces arrive in thousands.
const STEP: u64 = 256 << 10;

/// The bytes of all files.
pub(crate) struct Arriving<'a> {
    events: Events<'a>,
    done: AtomicU64,
    total: AtomicU64,
}

/// The bytes of one file.
pub(crate) struct ArrivingFile<'a> {
    all: &'a Arriving<'a>,
    size: u64,
    counted: AtomicU64,
}

impl<'a> Arriving<'a> {
    pub(crate) fn new(events: Events<'a>) -> Self {
        Self { events, done: AtomicU64::new(0), total: AtomicU64::new(0) }
    }

    /// Adds files to the total.
    pub(crate) fn announce(&self, bytes: u64) {
        self.total.fetch_add(bytes, Relaxed);
    }

    /// Begins a file of this size.
    pub(crate) fn file(&self, size: u64) -> ArrivingFile<'_> {
        ArrivingFile { all: self, size, counted: AtomicU64::new(0) }
    }
}

impl ArrivingFile<'_> {
    /// Notes how much of the file has arrived. Bytes that arrive once more are not counted again.
    pub(crate) fn at(&self, bytes: u64) {
        if bytes.min(self.size) >= self.counted.load(Relaxed) + STEP {
            self.count(bytes.min(self.size));
        }
    }

    /// Notes that the file is done, also if it has failed or was there.
    pub(crate) fn end(&self) {
        self.count(self.size);
    }

    fn count(&self, bytes: u64) {
        let more = bytes.saturating_sub(self.counted.swap(bytes, Relaxed));
        let done = self.all.done.fetch_add(more, Relaxed) + more;
        (self.all.events)(Event::Stored { done, total: self.all.total.load(Relaxed) });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_file_counts_once_however_often_it_arrives() {
        let seen = Mutex::new(Vec::new());
        let note = |event: Event| match event {
            Event::Stored { done, total } => seen.lock().unwrap().push((done, total)),
            _ => unreachable!(),
        };
        let all = Arriving::new(&note);
        all.announce(4 * STEP + 10);
        let (large, small) = (all.file(4 * STEP), all.file(10));
        for bytes in [1, STEP, STEP + 1, 3 * STEP, 0, STEP, 9 * STEP] {
            large.at(bytes);
        }
        small.at(9);
        small.end();
        large.end();
        let total = 4 * STEP + 10;
        let done = [STEP, 3 * STEP, 4 * STEP, total, total];
        assert_eq!(*seen.lock().unwrap(), done.map(|done| (done, total)));
    }
}
