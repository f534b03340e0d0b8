//! An open bucket, or the reason why it cannot be opened.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::store::{proxies::Unusable, swift::Swift};

/// The reason why a bucket cannot be opened, and a hint.
pub(super) struct OpenError {
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

/// The objects of a bucket, and the endpoint unless it is the default one.
pub(super) type Objects = (Arc<dyn ObjectStore>, Option<String>);

impl OpenError {
    pub(super) fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: Some(hint.into()) }
    }
}

impl From<object_store::Error> for OpenError {
    fn from(error: object_store::Error) -> Self {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self { why: cause.to_string(), hint: None }
    }
}

impl From<Unusable> for OpenError {
    fn from(unusable: Unusable) -> Self {
        Self::new(unusable.0, "correct the variable, or run `unset` with its name")
    }
}

/// An open bucket.
pub(crate) struct Opened {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The client, if the bucket is a Swift container.
    pub(crate) swift: Option<Swift>,
    /// The endpoint, unless it is the default one.
    pub(crate) endpoint: Option<String>,
}
