//! Errors of a Swift server, with hints.

/// The name of this store in errors.
pub(super) const STORE: &str = "swift";

/// An error as texts only, so that it can be cloned for all waiters of one login.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    /// No variable configures an account.
    #[error("no account of OpenStack Swift is set in the environment")]
    NoCredentials,
    /// A login method is configured incompletely.
    #[error("{way} needs `{missing}`, which is not set")]
    Incomplete { way: &'static str, missing: &'static str },
    /// A variable or an option of the location has an invalid value.
    #[error("`{name}` cannot be `{value}`: {why}")]
    BadValue { name: String, value: String, why: String },
    /// An unknown option of the location.
    #[error("unknown option `{name}` of a Swift location; the options are {known}")]
    UnknownOption { name: String, known: &'static str },
    /// The account does not exist, or the key is wrong.
    #[error("`{url}` refused the user or key (status {status})")]
    WrongKey { url: String, status: u16 },
    /// The login failed in another way.
    #[error("cannot log in at `{url}`: {why}")]
    Login { url: String, why: String },
    /// The catalogue has no such service for the chosen region and interface.
    #[error("the account has no service `{service}` {wanted}; there is {there}")]
    NoEndpoint { service: &'static str, wanted: String, there: String },
    /// The service exists in several regions.
    #[error("the account has `{service}` in several regions: {regions}")]
    ManyRegions { service: &'static str, regions: String },
    /// The connection failed at each attempt.
    #[error("cannot reach `{host}`: {why}")]
    Unreachable { host: String, why: String },
    /// The connection failed in the middle of an object.
    #[error("`{object}` ended after {got} of {size} bytes: {why}")]
    Truncated { object: String, got: u64, size: u64, why: String },
    /// The server rejects a token that it just issued.
    #[error("`{object}`: the server rejects the token that it has just issued")]
    Token { object: String },
    /// The container does not exist.
    #[error("there is no container `{container}`")]
    NoContainer { container: String },
    /// The object does not exist.
    #[error("there is no object `{object}`")]
    NoObject { object: String },
    /// The object already exists.
    #[error("the object `{object}` already exists")]
    Exists { object: String },
    /// The user has no permission.
    #[error("the account may not access `{object}` in this way (status 403)")]
    Forbidden { object: String },
    /// A quota is exceeded, or the cluster is full.
    #[error("there is no space for `{object}` (status {status}): {text}")]
    Full { object: String, status: u16, text: String },
    /// The server received other bytes than were sent, at each attempt.
    #[error("`{object}` was damaged in transit: the server received other bytes than were sent")]
    Damaged { object: String },
    /// The location asks for a CDN, and the account has none.
    #[error("the options `cdn` and `ttl` need a CDN, and this account has none")]
    NoCdn,
    /// Any other response.
    #[error("`{object}`: the server answered {status}{}", if text.is_empty() { String::new() } else { format!(": {text}") })]
    Refused { object: String, status: String, text: String },
    /// A response that violates the API.
    #[error("`{object}`: the response of the server is invalid: {why}")]
    InvalidResponse { object: String, why: String },
}

/// The login methods and their variables.
const LOGIN_METHODS: &str = "\
set the variables of one way to log in: \
ST_AUTH, ST_USER and ST_KEY (version 1); \
OS_AUTH_URL, OS_USERNAME or OS_USER_ID, OS_PASSWORD and OS_PROJECT_NAME or OS_PROJECT_ID, \
with OS_USER_DOMAIN_NAME and OS_PROJECT_DOMAIN_NAME unless they are `default` (Keystone v3); \
OS_AUTH_URL, OS_APPLICATION_CREDENTIAL_ID and OS_APPLICATION_CREDENTIAL_SECRET (Keystone v3); \
OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_TENANT_NAME with OS_IDENTITY_API_VERSION=2 (Keystone v2); \
RACKSPACE_USERNAME, RACKSPACE_API_KEY and OS_REGION_NAME (Rackspace)";

impl Error {
    /// Returns a hint for the user.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCredentials | Self::Incomplete { .. } => LOGIN_METHODS.into(),
            Self::WrongKey { .. } => {
                "check the user, the key and the project in the environment (ST_* or OS_*); the address decides which of them are used".into()
            }
            Self::NoEndpoint { .. } => "check OS_REGION_NAME and OS_INTERFACE, or set OS_STORAGE_URL".into(),
            Self::ManyRegions { .. } => "set OS_REGION_NAME to one of them".into(),
            Self::Login { .. } | Self::Unreachable { .. } => {
                "check the address and the network; a server with a certificate of its own needs OS_CACERT".into()
            }
            Self::NoContainer { .. } => "check the name; the first write creates the container".into(),
            Self::Forbidden { .. } => {
                "ask the owner of the account for the right to do this, such as the role `member` or `swiftoperator`, or an access list of the container".into()
            }
            Self::Full { .. } => "free some space, or request a larger quota; clients see no change".into(),
            Self::NoCdn => "remove both options from the location; without a CDN of the server, each object's Cache-Control decides".into(),
            Self::Damaged { .. } => "a device between this machine and the server changes bytes; run the same command again".into(),
            Self::Token { .. } => "the server's clock or its store of tokens may be at fault; run the same command again".into(),
            Self::Truncated { .. } => "run the same command again when the server and the network are available".into(),
            Self::Refused { status, .. } if status.starts_with('5') || status.starts_with("429") => {
                "run the same command again later; it resumes where it failed".into()
            }
            Self::BadValue { .. }
            | Self::UnknownOption { .. }
            | Self::NoObject { .. }
            | Self::Exists { .. }
            | Self::Refused { .. }
            | Self::InvalidResponse { .. } => return None,
        })
    }

    /// Returns whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, .. } => status.starts_with('5') || status.starts_with("429"),
            Self::Unreachable { .. } | Self::Damaged { .. } | Self::Token { .. } | Self::Truncated { .. } => {
                true
            }
            _ => false,
        }
    }

    /// Converts to the closest error of an object store.
    pub(super) fn at(self, path: &str) -> object_store::Error {
        let path = path.to_owned();
        match self {
            Self::NoContainer { .. } | Self::NoObject { .. } => {
                object_store::Error::NotFound { path, source: self.into() }
            }
            Self::Exists { .. } => object_store::Error::AlreadyExists { path, source: self.into() },
            Self::Forbidden { .. } => object_store::Error::PermissionDenied { path, source: self.into() },
            Self::WrongKey { .. } | Self::Token { .. } => {
                object_store::Error::Unauthenticated { path, source: self.into() }
            }
            _ => self.into(),
        }
    }
}

impl From<Error> for object_store::Error {
    fn from(error: Error) -> Self {
        Self::Generic { store: STORE, source: Box::new(error) }
    }
}
