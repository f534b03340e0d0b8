//! `publish` keeps an APT archive in a store and changes it in one atomic step.

pub mod deb;
pub mod config;
pub mod pool;
pub mod dists;
pub mod signing;
pub mod store;
pub mod names;
pub mod stanza;
pub mod version;
pub mod digest;
pub mod compression;
