//! Writes: every body is sent with its MD5, which the server verifies.

use std::fmt::Write;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use object_store::{Attribute, AttributeValue, Attributes, Error as ObjectError};
use reqwest::{
    Method, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap,
        HeaderName, HeaderValue,
    },
};

use super::{
    client::{Request, encoded},
    error::{Error, STORE},
    handle::Inner,
    wire::Answer,
};
use crate::store::offload::{INLINE, blocking};

/// The maximum attempts for a body that arrives damaged.
const SENDS: u32 = 3;
/// The header prefix of user metadata.
const META: &str = "x-object-meta-";

impl Inner {
    /// Sends a body with its MD5, and returns the MD5 with the response.
    pub(super) async fn put(
        &self,
        container: &str,
        key: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<(Answer, String), Error> {
        let md5 = md5_of(&body).await;
        let request =
            Request::new(Method::PUT, container, key).headers(headers).header("etag", header(&md5)?);
        Ok((self.put_request(container, key, &request.body(body)).await?, md5))
    }

    /// Sends a body, with retries if it arrives damaged, and creates the container if it does not exist.
    pub(super) async fn put_request(
        &self,
        container: &str,
        key: &str,
        request: &Request,
    ) -> Result<Answer, Error> {
        let mut made = false;
        let mut sends = 0;
        loop {
            sends += 1;
            let answer = self.client.send(request).await?;
            match answer.status {
                StatusCode::NOT_FOUND if !made => {
                    made = true;
                    if container == self.segments {
                        self.make_segments().await?;
                    } else {
                        self.make().await?;
                    }
                }
                StatusCode::NOT_FOUND => {
                    return Err(Error::NoContainer { container: container.to_owned() });
                }
                StatusCode::PRECONDITION_FAILED => {
                    return Err(Error::Exists { object: format!("{container}/{key}") });
                }
                StatusCode::UNPROCESSABLE_ENTITY if sends < SENDS => {}
                status if status.is_success() => return Ok(answer),
                _ => return Err(answer.error(&format!("{container}/{key}"))),
            }
        }
    }

    /// Copies an object within the server. Without new headers, the copy keeps those of the source.
    pub(super) async fn copy(&self, from: &str, to: &str, headers: Option<&HeaderMap>) -> Result<(), Error> {
        let source = format!("/{}/{}", encoded(&self.container), encoded(from));
        let mut request =
            Request::new(Method::PUT, &self.container, to).header("x-copy-from", header(&source)?);
        if let Some(headers) = headers {
            request = request.header("x-fresh-metadata", HeaderValue::from_static("true")).headers(headers);
        }
        let answer = self.client.send(&request).await?;
        match answer.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Err(Error::NoObject { object: self.name(from) }),
            _ => Err(answer.error(&self.name(to))),
        }
    }
}

/// Returns the MD5 of bytes in hexadecimal.
pub(super) async fn md5_of(bytes: &Bytes) -> String {
    if (bytes.len() as u64) <= INLINE {
        return hexadecimal(bytes);
    }
    let bytes = bytes.clone();
    blocking(move || hexadecimal(&bytes)).await
}

fn hexadecimal(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Converts a text to a header value.
fn header(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Error::BadValue {
        name: "a header".into(),
        value: text.escape_debug().to_string(),
        why: "it has a control character".into(),
    })
}

/// Returns the headers that store attributes.
pub(super) fn headers_of(attributes: &Attributes) -> object_store::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::ContentType => CONTENT_TYPE,
            Attribute::CacheControl => CACHE_CONTROL,
            Attribute::ContentDisposition => CONTENT_DISPOSITION,
            Attribute::ContentEncoding => CONTENT_ENCODING,
            Attribute::ContentLanguage => CONTENT_LANGUAGE,
            Attribute::Metadata(name) => {
                HeaderName::try_from(format!("{META}{name}")).map_err(|_| Error::BadValue {
                    name: "the name of an attribute".into(),
                    value: name.to_string(),
                    why: "it cannot be in the name of a header".into(),
                })?
            }
            other => {
                return Err(ObjectError::NotImplemented {
                    operation: format!("the attribute {other:?}"),
                    implementer: STORE.into(),
                });
            }
        };
        headers.insert(name, header(value)?);
    }
    Ok(headers)
}

/// Returns the attributes in headers; user metadata names are in lower case.
pub(super) fn attributes_of(headers: &HeaderMap) -> Attributes {
    let attribute = |name: &HeaderName| match *name {
        CONTENT_TYPE => Some(Attribute::ContentType),
        CACHE_CONTROL => Some(Attribute::CacheControl),
        CONTENT_DISPOSITION => Some(Attribute::ContentDisposition),
        CONTENT_ENCODING => Some(Attribute::ContentEncoding),
        CONTENT_LANGUAGE => Some(Attribute::ContentLanguage),
        ref name => {
            let name = name.as_str().strip_prefix(META)?;
            Some(Attribute::Metadata(name.to_owned().into()))
        }
    };
    let known = headers.iter().filter_map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes()).ok()?.to_owned();
        Some((attribute(name)?, AttributeValue::from(value)))
    });
    known.collect()
}
