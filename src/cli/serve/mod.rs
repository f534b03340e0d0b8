//! `publish serve`: previews an archive over HTTP, so that a real apt can test it before it is published.
//!
//! It serves only the files of a published archive: no configuration, no lock files, no keys except public ones. It never
//! writes. It is not a web server for the internet: it has no TLS and no access control.
//!
//! | module | decides |
//! |---|---|
//! | `http` | what a request asks for and which answer it gets; pure |
//! | `listing` | how a folder looks to a person; pure |
//! | `answer` | joins these with the store |
//! | `server` | connections: how many, how long, how they end |

mod server;
mod answer;
mod listing;
mod http;
mod timeouts;
mod error;

pub use server::Server;

use std::{process::ExitCode, sync::Arc};

use object_store::ObjectStore;

use super::{client::Client, failure::Failure, json, session::Session};
use crate::archive::Trust;
use answer::Answered;
use error::Error;

/// Preview the archive over HTTP
///
/// Serve the published files until interrupted. The preview has no TLS and no access control; do not expose it to the
/// internet.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish --archive /srv/apt serve\n\
\x20 publish serve --suite stable\n\
\x20 publish serve --listen 127.0.0.1:0")]
pub(super) struct Args {
    /// Address to listen on; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    pub listen: String,

    /// Print the `.sources` stanza with which a client reads this suite of the preview; repeatable
    #[arg(short, long, value_name = "SUITE")]
    pub(super) suite: Vec<String>,
}

/// Checks that a text is a host, or an address, and a port; that the host exists is found when it is bound.
fn parse_address(text: &str) -> Result<String, String> {
    let well_formed = match text.rsplit_once(':') {
        Some((host, port)) => {
            let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => !host.is_empty() && !host.contains([':', '/']) && !host.contains(char::is_whitespace),
            };
            is_host && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
        }
        None => false,
    };
    let expected = "expected an address and a port, such as `127.0.0.1:8080`, `[::1]:8080` or `localhost:0`";
    if well_formed { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

/// An event of the preview server.
#[derive(Debug)]
enum Event {
    /// The server can be reached.
    Ready {
        /// The address to show, such as `http://127.0.0.1:8080/`.
        url: String,
        /// A warning if other machines can reach the server.
        warning: Option<String>,
    },
    /// A request was answered; the body may still be on its way.
    Answered(Answered),
}

/// Serves until interrupted, and prints events as they occur.
pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let archive = session.archive(Trust::unverified());
    let clients = if args.suite.is_empty() { None } else { Some(Client::read(&args.suite, session).await?) };
    if archive.suites().await?.is_empty() {
        session.ui.warn(&format!("nothing is published in `{}` yet", session.location));
    }
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    // The receiver lives as long as the server below.
    let serving = preview(args, archive.store().objects(), move |event| drop(sender.send(event)));
    tokio::pin!(serving);
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                Event::Ready { url, warning } => {
                    if let Some(warning) = warning {
                        session.ui.warn(&warning);
                    }
                    session.ui.say(&format!("Serving {} at {url}", session.location));
                    let sources = clients.as_ref().map(|clients| clients.stanzas_at(&url));
                    if session.ui.json() {
                        let archive = session.location.to_string();
                        session.ui.object(&json::Serving { url, archive, sources });
                    } else if let Some(sources) = sources {
                        session.ui.stanza(&sources);
                    }
                }
                Event::Answered(answered) => session.ui.detail(&answered.to_string()),
            },
            done = &mut serving => {
                return done.map(|()| ExitCode::SUCCESS).map_err(|error| Failure::of(&error, None));
            }
        }
    }
}

/// Serves an archive until the user interrupts it, then lets the answers in flight end.
async fn preview(
    args: &Args,
    store: Arc<dyn ObjectStore>,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<(), Error> {
    // Registered first: a signal during the bind must not be lost.
    let interrupted = interrupted();
    let server = Server::bind(&args.listen).await?;
    on_event(Event::Ready { url: server.url(), warning: server.warning() });
    server
        .serve(store, interrupted, move |answered| {
            on_event(Event::Answered(answered));
        })
        .await
}

/// Completes when the process is interrupted: by ctrl-c, or by SIGTERM where there are signals.
///
/// It listens from the call on, not from the first poll.
#[cfg(unix)]
fn interrupted() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};

    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        // Without a handler, the default action of the signal ends the process.
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Completes when the process is interrupted: by ctrl-c, or by SIGTERM where there are signals.
#[cfg(not(unix))]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
