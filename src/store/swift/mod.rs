//! `OpenStack` Swift, which is also Rackspace's Cloud Files, as an object store.
//!
//! Missing features are not emulated: Swift has no compare-and-swap, so [`object_store::PutMode::Update`] is an
//! error, and create-only is not atomic: of several concurrent writers, more than one may succeed. Listings of a
//! container lag behind writes.
//!
//! A large object is a manifest that references segments. They are in a container of their own, `CONTAINER_segments`,
//! with the same readers as the container, because Swift reads a segment with the permissions of the client. A
//! listing of the container itself never shows segments.
//!
//! The interface: <https://docs.openstack.org/api-ref/object-store/>, and for the CDN
//! <https://docs.rackspace.com/docs/cloud-files/v1/cdn-api-reference>.

mod objects;
mod container;
mod delete;
mod listing;
mod large;
mod get;
mod put;
mod handle;
mod cdn;
mod client;
mod auth;
mod settings;
mod wire;
mod error;
#[cfg(test)]
mod tests;

pub(super) use client::encoded;
pub(super) use error::Error;
pub(super) use get::Newest;
pub(super) use handle::Swift;
