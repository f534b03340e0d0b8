//! Login: selects the method that the environment configures, and returns a token and the account's URL.

mod login;
mod v1;
mod v2;
mod v3;
mod catalogue;
mod request;
mod session;

pub(super) use login::Login;
pub(super) use session::Session;
