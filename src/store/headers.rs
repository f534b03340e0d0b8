//! Cache headers and media types of objects; the caller supplies the media type of each kind of file.

use object_store::{Attribute, Attributes};

/// The headers that objects are stored with, if the store supports headers.
#[derive(Debug, Clone)]
pub struct Headers {
    /// `Cache-Control` of immutable objects.
    pub immutable: String,
    /// `Cache-Control` of mutable objects.
    pub mutable: String,
    /// Returns the `Content-Type` for the path of an object.
    pub content_type: fn(&str) -> &'static str,
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            immutable: "public, max-age=31536000, immutable".to_owned(),
            mutable: "public, max-age=60, must-revalidate".to_owned(),
            content_type: |_| "application/octet-stream",
        }
    }
}

impl Headers {
    // Never a Content-Encoding: a client that decompresses by itself would see other digests than those listed.
    fn with(&self, cache_control: &str, path: &str) -> Attributes {
        Attributes::from_iter([
            (Attribute::CacheControl, cache_control.to_owned()),
            (Attribute::ContentType, (self.content_type)(path).to_owned()),
        ])
    }

    pub(super) fn of_immutable(&self, path: &str) -> Attributes {
        self.with(&self.immutable, path)
    }

    pub(super) fn of_mutable(&self, path: &str) -> Attributes {
        self.with(&self.mutable, path)
    }
}
