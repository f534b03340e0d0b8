//! Any web server, read-only and without listings.

use std::sync::Arc;

use object_store::{ObjectStore, http::HttpBuilder};

use super::{authorities, environment::Environment, error::Error, http::Http, requests::Watch};

/// Opens the objects below a URL; sends no request.
pub(super) fn open(
    url: &str,
    environment: &Environment,
    watch: &Watch,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let unusable = |why: String| Error::Unusable { location: url.to_owned(), why, hint: None };
    let http = Http::new(environment, watch.clone()).map_err(|why| unusable(why.0))?.for_web(url);
    http.require_roots(Some(url)).map_err(|why| Error::Unusable {
        location: url.to_owned(),
        why: why.0,
        hint: Some(authorities::INSTALL.to_owned()),
    })?;
    let opened = HttpBuilder::new()
        .with_url(url)
        .with_http_connector(http)
        .with_client_options(Http::options(Some(url)))
        .with_retry(Http::retry())
        .build();
    Ok(Arc::new(opened.map_err(|error| unusable(error.to_string()))?))
}
