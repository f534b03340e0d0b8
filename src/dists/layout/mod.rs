//! The layout of an archive: the kind of file that a path names. Decided only in this room.
//!
//! Reading, `sync`, `check`, `prune`, repair, `serve`, cache policy and media types use this room; no other module
//! inspects the parts or the extension of a path. Pure text: a path says which kind a file is meant to be, not which
//! bytes it has.
//!
//! Suites nest (`bookworm`, `bookworm/updates`), and components may have several parts too (`updates/main`), so a path
//! alone does not say where the name of the suite ends. [`SuitePath`] is therefore relative: to `dists/`, or to the
//! folder of a suite, whose own release file and generations have an empty `folder`.
//!
//! Rules: <https://wiki.debian.org/DebianRepository/Format>; `generations/`, `snapshots/` and `.publish/` are our own.

mod path;
mod pool_file;
mod patch_path;
mod root_file;

pub use patch_path::{is_patch_folder, patch_index_path, patch_path, patched_by};
pub use path::{
    ArchivePath, DISTS, GENERATIONS, GenerationPart, POOL, ReleaseForm, SuitePath, TREES, can_be_suite,
    component_of, index_of, is_in_dists, is_in_tree, is_mark, is_private, is_release_file, may_hold_suites,
    names_packages, plain_path, top_folder, uncompressed,
};
pub use pool_file::{package_of, record_of};
pub use root_file::{INDEX_PAGE, PAGE, is_key_file, is_page, is_sources_file, page_path};
