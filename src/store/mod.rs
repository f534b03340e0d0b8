//! Bytes at paths, in a folder, a bucket or on the web; knows no Debian word.
//!
//! Three verbs write, for three kinds of file: [`Store::put_new`] for what never changes (already there with the same
//! bytes is success), [`Store::replace`] and [`Store::copy`] for what may lag behind, and [`Store::swap`] for the one file
//! whose change is the commit. Everything goes through an [`ObjectStore`](object_store::ObjectStore), so that a test can put itself in between.

mod lease;
mod swap;
mod create;
mod copy;
mod write;
mod examine;
mod probe;
mod download;
mod load;
mod resume;
mod revalidate;
mod read;
mod walk;
mod overlap;
mod cached;
mod server_time;
mod handle;
mod capabilities;
mod lease_times;
mod connections;
mod partial;
mod cache;
mod bucket;
mod web;
mod http;
mod transport;
mod spelling;
mod spool;
mod folder;
mod parts;
mod pieces;
mod limit;
mod content;
mod object;
mod error;
mod diagnose;
mod login;
mod swift;
mod proxies;
mod authorities;
mod location;
mod headers;
mod response_headers;
mod listing;
mod pace;
mod retry;
mod requests;
mod clock;
mod environment;
mod offload;

pub use cache::Cache;
pub use capabilities::ConditionalWrites;
pub use content::{Content, FileStamp, LocalFile};
pub use environment::Environment;
pub use error::Error;
pub use examine::Examination;
pub use folder::Folder;
pub(crate) use folder::RealPath;
pub use handle::{QueueLock, Store};
pub use headers::Headers;
pub use lease_times::LeaseTimes;
pub use limit::{Limit, unless_larger};
pub(crate) use load::Awaited;
pub use load::Loaded;
pub use location::{Bucket, Location, Service};
pub use object::{Object, Put, Revision, StoredObject};
pub(crate) use offload::blocking;
pub(crate) use pieces::pieces;
pub use requests::Requests;
pub use response_headers::ResponseHeaders;
pub(crate) use retry::{RetryPolicy, is_retryable};
pub(crate) use spelling::{BY_APT, decoded_text, encoded};
