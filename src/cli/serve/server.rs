//! Connections: how many, how long, and how they end. An error of one never ends the server.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use object_store::ObjectStore;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    answer::{Answered, answer},
    error::Error,
    timeouts::WithTimeout,
};

/// How many clients are served at once; others wait in the system's queue.
const CONNECTIONS: usize = 256;
/// How long a client may take to send the head of a request, and how long a connection may lie idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may read nothing of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of the responses in flight during a shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The most that the head of a request may have, and that is read ahead of pipelined requests.
const REQUEST_SIZE: usize = 64 << 10;
/// The pause after a connection could not be accepted, and how many such pauses in a row are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const ACCEPT_PAUSES: u32 = 600;

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shutdown_timeout: Duration,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:8080`, `localhost:8080` or, for a free port, `127.0.0.1:0`.
    pub async fn bind(address: &str) -> Result<Self, Error> {
        let listen = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address, shutdown_timeout: SHUTDOWN_TIMEOUT })
        };
        listen.await.map_err(|source| Error::Listen { address: address.to_owned(), source })
    }

    /// Replaces the timeout of the responses in flight during a shutdown.
    #[must_use]
    pub fn with_shutdown_timeout(self, shutdown_timeout: Duration) -> Self {
        Self { shutdown_timeout, ..self }
    }

    /// The address it listens on, with the port it was given.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser or a `sources.list`, such as `http://127.0.0.1:8080/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns a warning if other machines can reach the server.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (!self.address.ip().is_loopback()).then(|| {
            format!(
                "`{}` is reachable from other machines: anyone there can read the archive, without encryption \
                 or password",
                self.address
            )
        })
    }

    /// Answers requests until `shutdown` ends, then lets the answers in flight end.
    pub async fn serve(
        self,
        store: Arc<dyn ObjectStore>,
        shutdown: impl Future<Output = ()>,
        on_request: impl Fn(Answered) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let on_request = Arc::new(on_request);
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let (stop, stopping) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut failures = 0;
        tokio::pin!(shutdown);
        let outcome = loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break Ok(()),
                accepted = async {
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    (permit, self.listener.accept().await)
                } => accepted,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                (permit, Ok((stream, _))) => {
                    failures = 0;
                    let connection = serve_connection(
                        stream,
                        Arc::clone(&store),
                        stopping.clone(),
                        Arc::clone(&on_request),
                    );
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                // A client that left at once, or no file descriptor to spare: neither concerns the others.
                (_, Err(error)) => {
                    failures += 1;
                    if failures > ACCEPT_PAUSES {
                        break Err(Error::Accept(error));
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        drop(self.listener);
        drop(stop);
        let all = async { while connections.join_next().await.is_some() {} };
        // Unfinished responses are cut off; clients resume with a range.
        let _ = timeout(self.shutdown_timeout, all).await;
        outcome
    }
}

/// Answers the requests of one connection in their order, until it ends or the server does.
async fn serve_connection(
    stream: TcpStream,
    store: Arc<dyn ObjectStore>,
    mut stopping: watch::Receiver<()>,
    on_request: Arc<impl Fn(Answered) + Send + Sync + 'static>,
) {
    // Without it the last packet of each answer waits for an acknowledgement. Failing, it is only slower.
    let _: io::Result<()> = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let store = Arc::clone(&store);
        let on_request = Arc::clone(&on_request);
        async move {
            let (request, _body) = request.into_parts();
            let (response, answered) = answer(&*store, &request).await;
            on_request(answered);
            Ok::<_, Infallible>(response)
        }
    });
    // Not `pipeline_flush`: while another request waits, hyper 1.12 then holds a whole answer in memory, and it drops
    // the 400 and 431 that it wrote.
    let connection = http1::Builder::new()
        // A client that sends its requests and closes its side still gets the answers.
        .half_close(true)
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_header_size(REQUEST_SIZE)
        .max_buf_size(REQUEST_SIZE)
        .serve_connection(TokioIo::new(WithTimeout::new(stream, WRITE_TIMEOUT)), service);
    tokio::pin!(connection);
    // Errors here are client errors: it disconnected, or sent invalid HTTP and got an error response.
    tokio::select! {
        _ = &mut connection => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
