//! The limit of connections to one web server, for all stores of the process: many servers count those of a client.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use object_store::{GetResult, GetResultPayload};
use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{environment::Environment, error::Error};

/// The variable with the number of connections.
const VARIABLE: &str = "PUBLISH_CONNECTIONS";
/// The default number, about that of a browser.
const DEFAULT: usize = 8;
/// The largest number.
const MOST: usize = 64;

/// The free connections of each server that this process reads from.
static SERVERS: Mutex<BTreeMap<(String, usize), Arc<Semaphore>>> = Mutex::new(BTreeMap::new());

/// The connections to one server.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Semaphore>);

/// One connection, until this is dropped.
pub(super) type Connection = OwnedSemaphorePermit;

impl Connections {
    /// The connections to the server of a URL.
    pub(super) fn to(url: &str, environment: &Environment) -> Result<Self, Error> {
        let most = match environment.get(VARIABLE) {
            None => DEFAULT,
            Some(text) => {
                text.parse().ok().filter(|number| (1..=MOST).contains(number)).ok_or_else(|| {
                    let why =
                        format!("{VARIABLE} is `{}`, not a number from 1 to {MOST}", text.escape_debug());
                    Error::Unusable { location: url.to_owned(), why, hint: None }
                })?
            }
        };
        let server =
            Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization());
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        let free = servers.entry((server, most)).or_insert_with(|| Arc::new(Semaphore::new(most)));
        Ok(Self(Arc::clone(free)))
    }

    /// Waits until a connection is free.
    pub(super) async fn take(&self) -> Option<Connection> {
        // The semaphore is never closed.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

/// Keeps a connection until the object has been read.
pub(super) fn hold(mut result: GetResult, connection: Option<Connection>) -> GetResult {
    if let Some(connection) = connection {
        result.payload = match result.payload {
            GetResultPayload::Stream(stream) => {
                let holding = stream.map(move |piece| {
                    let _ = &connection;
                    piece
                });
                GetResultPayload::Stream(holding.boxed())
            }
            payload @ GetResultPayload::File(..) => payload,
        };
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str, most: &str) -> Result<Connections, String> {
        let environment = [(VARIABLE.to_owned(), most.to_owned())].into_iter().collect();
        Connections::to(url, &environment).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn two_archives_of_one_server_share_its_connections() {
        let (one, two) =
            (to("http://a.test/debian", "2").unwrap(), to("http://a.test:80/ubuntu", "2").unwrap());
        let held = (one.take().await, two.take().await);
        assert_eq!((one.0.available_permits(), two.0.available_permits()), (0, 0));
        drop(held);
        assert_eq!(two.0.available_permits(), 2);
        assert_eq!(to("http://b.test", "2").unwrap().0.available_permits(), 2);
        assert_eq!(to("http://a.test", "").unwrap().0.available_permits(), DEFAULT);
        for bad in ["0", "65", "many", "-1"] {
            let said = to("http://a.test", bad).unwrap_err();
            assert!(
                said.contains(&format!("PUBLISH_CONNECTIONS is `{bad}`, not a number from 1 to 64")),
                "{said}"
            );
        }
    }
}
