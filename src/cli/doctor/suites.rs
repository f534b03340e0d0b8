//! The published suites: signature, expiry, and the key that clients get.

use std::time::{Duration, SystemTime};

use super::{
    args::{Args, is_name_of},
    finding::Findings,
};
use crate::{
    archive::{Archive, KEY_FILE, PublishedSuite, snapshot_of},
    cli::{failure::Failure, session::Session},
    names::Suite,
    signing::Keyring,
    store::Location,
    suite::limits,
};

const TOPIC: &str = "suites";

/// A suite that is not signed again within this time is refused by clients soon.
const SOON: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// Looks at each suite; returns the published ones.
pub(super) async fn look(args: &Args, session: &Session<'_>, findings: &mut Findings) -> Vec<Suite> {
    if let Location::Web(_) = session.location {
        if args.suite.is_empty() {
            // Its page has a list. Without one the look at the URL asks for a name.
            return session.suites_on_page().await.unwrap_or_default();
        }
        return args.suite.iter().filter_map(|name| Suite::parse(name).ok()).collect();
    }
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    let mut names = match archive.suites().await {
        Ok(names) => names,
        Err(error) => {
            findings.failure(TOPIC, error.into(), "see `publish help suites`");
            session.config.suites.iter().map(|suite| suite.codename.clone()).collect()
        }
    };
    for configured in session.config.suites.iter().filter(|suite| !suite.read_only) {
        if !names.contains(&configured.codename) {
            names.push(configured.codename.clone());
        }
    }
    names.retain(|suite| snapshot_of(suite).is_none());
    if !args.suite.is_empty() {
        names.retain(|suite| args.names(suite, session));
        for name in
            args.suite.iter().filter(|name| !names.iter().any(|suite| is_name_of(name, suite, session)))
        {
            findings.fault(TOPIC, format!("there is no suite `{name}`"), session.command("doctor"));
        }
    }
    if names.is_empty() && args.suite.is_empty() {
        findings.warning(TOPIC, "nothing is published here yet", session.command("add FILE.deb"));
    }
    let mut published = Vec::new();
    let mut is_signed = false;
    for name in names {
        match archive.suite(&name).await {
            Ok(suite) if suite.pointer().is_some() => {
                is_signed |= suite.pointer().is_some_and(|pointer| pointer.signed);
                judge(&suite, session, findings);
                published.push(name);
            }
            Ok(_) if archive.is_being_dropped(&name).await.unwrap_or(false) => findings.fault(
                TOPIC,
                format!(
                    "suite `{name}` is being dropped: if no `publish drop` is running, one was interrupted"
                ),
                session.command(&format!("drop {name}")),
            ),
            Ok(_) => findings.warning(
                TOPIC,
                format!("suite `{name}` is configured and not published"),
                session.command(&format!("export {name}")),
            ),
            Err(error) => {
                findings.failure(TOPIC, error.into(), &session.command(&format!("check --suite {name}")));
            }
        }
    }
    if is_signed {
        client_key(&archive, session, findings).await;
    }
    published
}

fn judge(suite: &PublishedSuite, session: &Session<'_>, findings: &mut Findings) {
    let (Some(pointer), name) = (suite.pointer(), suite.name()) else { return };
    let date = pointer.release.date().map(|date| format!(" of {date}")).unwrap_or_default();
    let signed = match (&pointer.signers[..], pointer.signed) {
        (_, false) => "not signed".to_owned(),
        ([], true) => "signed by a key that is unknown here".to_owned(),
        (signers, true) => format!("signed by {}", signers.join(", ")),
    };
    let text = format!("`{name}`{date} is {signed}");
    let refresh = session.command(&format!("refresh --suite {name}"));
    let Ok(Some(until)) = pointer.release.valid_until() else {
        return findings.ok(TOPIC, format!("{text}, and does not expire"));
    };
    let left = SystemTime::from(until).duration_since(session.now);
    match left {
        Err(_) => {
            findings.fault(TOPIC, format!("{text}, and has expired on {until}: clients refuse it"), refresh);
        }
        Ok(left) if left < SOON => findings.warning(
            TOPIC,
            format!("{text}, and expires on {until}"),
            format!("{refresh}, daily, such as by a timer"),
        ),
        Ok(_) => findings.ok(TOPIC, format!("{text}, and expires on {until}")),
    }
}

/// The key file that the scripts for clients fetch.
async fn client_key(archive: &Archive, session: &Session<'_>, findings: &mut Findings) {
    let repair = session.command("check --repair");
    let read = session.store.read(KEY_FILE, limits::KEYS).await;
    let file = match read {
        Ok(Some(file)) => file,
        Ok(None) => {
            return findings.fault("keys", format!("`{KEY_FILE}`, which clients fetch, is missing"), repair);
        }
        Err(error) => return findings.failure("keys", Failure::from(error), &repair),
    };
    let mut keyring = Keyring::new();
    if keyring.add_bytes(KEY_FILE, &file.bytes).is_err() {
        return findings.fault("keys", format!("`{KEY_FILE}`, which clients fetch, holds no key"), repair);
    }
    let there = keyring.fingerprints();
    let known = archive.trust.keys().fingerprints();
    if known.is_empty() || known.iter().any(|key| there.contains(key)) {
        findings.ok("keys", format!("clients get {} in `{KEY_FILE}`", there.join(", ")));
    } else {
        let text = format!("`{KEY_FILE}` has {}, and none of the keys that sign here", there.join(", "));
        findings.fault("keys", text, repair);
    }
}
