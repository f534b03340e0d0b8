//! The archive at its public URL, as apt sees it.

use super::{finding::Findings, store::difference};
use crate::{
    archive::{Archive, Check, KEY_FILE, Trust},
    cli::{failure::Failure, session::Session, text::shell_word},
    names::Suite,
    signing::Keyring,
    store::{Location, Store},
    suite::limits,
};

const TOPIC: &str = "public URL";

/// How many package files are asked for: the doctor looks at the server, and `check` at the archive.
const FILES: usize = 20;

/// Files that no client needs, and that must not be public.
const PRIVATE: [&str; 2] = ["conf/distributions", "conf/destinations"];

/// How many faults of one kind are listed.
const FEW: usize = 5;

pub(super) async fn look(published: &[Suite], session: &Session<'_>, findings: &mut Findings) {
    let first = published.iter().find_map(|suite| session.config.find(suite.as_str()));
    let is_web = matches!(session.location, Location::Web(_));
    let url = match &session.location {
        Location::Web(url) => Some(url.clone()),
        _ => session.public_url_of(first.or(session.config.suites.first())),
    };
    let Some(url) = url else {
        let fix = "add `Public-Url: https://…` to conf/distributions, or name it with `--public-url`";
        return findings.warning(TOPIC, "the URL under which clients read the archive is unknown", fix);
    };
    if published.is_empty() {
        if is_web {
            let fix = format!("{} --suite NAME", session.command("doctor"));
            findings.fault(TOPIC, "a web server has no list of suites, and no suite is named", fix);
        }
        return;
    }
    let location = match Location::parse(&url, &session.current) {
        Ok(location) => location,
        Err(error) => return findings.fault(TOPIC, error.to_string(), "correct `Public-Url:`"),
    };
    let server = match Store::open(&location, &session.environment) {
        Ok(server) => server,
        Err(error) => return findings.failure(TOPIC, error.into(), "correct `Public-Url:`"),
    };
    match check(published, session, &server).await {
        Ok(faults) if faults.is_empty() => {
            let suites = published.iter().map(Suite::as_str).collect::<Vec<_>>().join("`, `");
            findings.ok(TOPIC, format!("clients read `{suites}` at {url}"));
        }
        Ok(faults) => {
            let suites: String = published.iter().flat_map(|suite| [" --suite ", suite.as_str()]).collect();
            let all = format!("publish check {}{suites}", shell_word(&url));
            let left = faults.len().saturating_sub(FEW);
            for fault in faults.into_iter().take(FEW) {
                findings.fault(TOPIC, fault, all.clone());
            }
            if left > 0 {
                findings.fault(TOPIC, format!("and {left} more"), all);
            }
        }
        Err(failure) => {
            findings.failure(TOPIC, failure, "serve the archive at this URL; see `publish help serving`");
        }
    }
    difference(server.clock_difference(session.clock), &url, findings);
    if !is_web {
        private(&url, &server, session, findings).await;
    }
}

/// Checks the suites with the keys that clients have: those that the archive publishes.
async fn check(published: &[Suite], session: &Session<'_>, server: &Store) -> Result<Vec<String>, Failure> {
    let known = tokio::task::block_in_place(|| session.trust_to_read());
    let trust = if known.keys().is_empty() {
        let mut keyring = Keyring::new();
        if let Some(file) = server.unless_refused(server.read(KEY_FILE, limits::KEYS).await)? {
            // Without a key in it, the check says so.
            let _ = keyring.add_bytes(KEY_FILE, &file.bytes);
        }
        if keyring.is_empty() { known } else { Trust::keyring(keyring, session.now) }
    } else {
        known
    };
    let is_web = matches!(session.location, Location::Web(_));
    let check = Check {
        suites: published,
        deep: false,
        clients_keys: false,
        origin: (!is_web).then_some(&session.store),
        files: Some(FILES),
    };
    let report = Archive::new(server.clone(), trust).check(&check, &session.events()).await?;
    Ok(report.faults.iter().map(|fault| format!("{}: {}", fault.path, fault.problem)).collect())
}

/// A web server in front of a folder must not serve its configuration.
async fn private(url: &str, server: &Store, session: &Session<'_>, findings: &mut Findings) {
    let Some(folder) = session.location.folder() else { return };
    for path in PRIVATE.into_iter().filter(|path| folder.join(path).exists()) {
        if let Ok(Some(_)) = server.head(path).await {
            findings.fault(
                TOPIC,
                format!("everyone can read {url}/{path}"),
                "let the web server hide conf/, db/, incoming/ and names that begin with a dot; see `publish help serving`",
            );
        }
    }
}
