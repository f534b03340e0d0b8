//! A folder as an object store with the features of a bucket: create-only writes, compare-and-swap, atomic
//! replacement.
//!
//! Every object is written to a hidden temporary file beside its path and then renamed, so a reader never sees a
//! partial file, and a crash leaves at most a hidden file. Compare-and-swap is a comparison and a rename under an
//! operating system lock, which a killed process cannot leave behind.
//!
//! Files are flushed together ([`super::Store::flush`]) instead of one by one: nothing is referenced before the release
//! file is swapped, and [`super::Store::swap`] flushes everything that it references first.

mod objects;
mod put;
mod walk;
mod real;
mod links;
mod make_links;
mod free_space;
mod root;
mod flush;

pub(super) use put::Durable;
pub(crate) use real::RealPath;
pub use root::Folder;
