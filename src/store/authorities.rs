//! The certificate authorities that clients trust, also on a machine that has none.

use object_store::client::HttpError;
use reqwest::{Certificate, Client, ClientBuilder};

/// Builds a client that trusts the authorities of the system and these; also returns whether there are any. Plain HTTP
/// needs none.
pub(super) fn build(
    builder: impl Fn() -> ClientBuilder,
    more: &[Certificate],
) -> reqwest::Result<(Client, bool)> {
    let built = builder().tls_certs_merge(more.to_vec()).build();
    match built {
        // The verifier of the system cannot be made without any authority.
        Err(error) if more.is_empty() => {
            let without = builder().tls_certs_only([]).build();
            without.map(|client| (client, false)).map_err(|_| error)
        }
        built => built.map(|client| (client, true)),
    }
}

/// Says why there are no authorities; `folder` is the value of `SSL_CERT_DIR`.
pub(super) fn missing(folder: Option<&str>) -> String {
    match folder {
        Some(folder) => format!("there are no CA certificates in `{folder}` (SSL_CERT_DIR)"),
        None => "no CA certificates are installed on this machine".to_owned(),
    }
}

/// The remedy.
pub(super) const INSTALL: &str = "install CA certificates, such as with `apt-get install ca-certificates`; or set SSL_CERT_FILE \
                                  to a file with the certificate of the server's authority";

/// The error of a connection whose server cannot be verified for want of authorities.
#[derive(Debug, thiserror::Error)]
#[error("{missing}")]
pub(super) struct NoAuthorities {
    /// Why there are none.
    pub(super) missing: String,
    pub(super) source: HttpError,
}

/// Whether an error is that of a certificate which is not trusted.
pub(super) fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if inner.to_string().contains("certificate") {
            return true;
        }
        cause = inner.source();
    }
    false
}
