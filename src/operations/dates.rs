//! `Date` and `Valid-Until`: sets them in a new `Release`, and decides when a published one is due for a refresh.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    config::SuiteConfig,
    dists::{Release, release::render_date},
    suite::{error::Error, published::PublishedSuite},
};

/// The time that a `Date` may be ahead of a client's clock (`Acquire::Max-FutureTime` of apt).
pub(crate) const ACCEPTED_AHEAD: SignedDuration = SignedDuration::from_secs(10);

/// The condition for re-signing an unchanged suite under a new `Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refresh {
    /// Half of its validity is over.
    HalfOver,
    /// It expires within this time.
    Within(Duration),
    /// Unconditionally.
    Always,
}

/// Sets the dates of a new `Release`.
pub(crate) fn set(
    new: &mut Release,
    published: &PublishedSuite,
    config: &SuiteConfig,
    now: Timestamp,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let unreadable = |source| Error::Pointer { path: published.path("Release"), source };
    let old = published.release();
    // apt ignores a `Release` that is older than the one it has.
    let before = old.map(Release::date).transpose().map_err(unreadable)?;
    let date = before.map_or(now, |before| before.max(now));
    new.set("Date", Some(render_date(date)));
    if date.duration_since(now) > ACCEPTED_AHEAD {
        notes.push(format!(
            "`Date` stays at the published {date}, but this commit is of {now}: clients with an earlier clock refuse the suite"
        ));
    }
    let until = old.map(Release::valid_until).transpose().map_err(unreadable)?.flatten();
    let span = match (is_configured(config), before, until) {
        (true, ..) => configured_span(config),
        // Without configuration the published validity is kept.
        (false, Some(before), Some(until)) => Some(until.duration_since(before)),
        _ => None,
    };
    let until = span.and_then(|span| date.checked_add(span).ok()).map(render_date);
    new.set("Valid-Until", until);
    Ok(())
}

/// Whether a published suite is due for a refresh.
pub(crate) fn is_due(
    date: Timestamp,
    until: Option<Timestamp>,
    config: &SuiteConfig,
    when: Refresh,
    now: Timestamp,
) -> bool {
    // `ValidFor` in the configuration has changed since.
    let span = until.map(|until| until.duration_since(date));
    if is_configured(config) && span != configured_span(config) {
        return true;
    }
    let left = until.map(|until| until.duration_since(now));
    match when {
        Refresh::Always => true,
        Refresh::Within(within) => {
            left.is_some_and(|left| left <= SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX))
        }
        Refresh::HalfOver => left.zip(span).is_some_and(|(left, span)| left <= span / 2),
    }
}

/// Whether the suite has a stanza in the configuration.
fn is_configured(config: &SuiteConfig) -> bool {
    !config.components.is_empty()
}

fn configured_span(config: &SuiteConfig) -> Option<SignedDuration> {
    config.valid_for.and_then(|span| SignedDuration::try_from(span).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Suite;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    fn config(days: Option<u64>) -> SuiteConfig {
        let mut config = SuiteConfig::unconfigured(Suite::parse("stable").unwrap());
        config.components = vec!["main".parse().unwrap()];
        config.valid_for = days.map(|days| std::time::Duration::from_secs(days * 24 * 3600));
        config
    }

    #[test]
    fn a_refresh_is_due_near_expiry_and_after_a_change_of_configuration() {
        let week = config(Some(7));
        let due = |config: &SuiteConfig, until: Option<i64>, when, now| {
            is_due(at(0), until.map(at), config, when, at(now))
        };
        assert!(!due(&week, Some(168), Refresh::HalfOver, 83));
        assert!(due(&week, Some(168), Refresh::HalfOver, 84));
        assert!(due(&week, Some(168), Refresh::HalfOver, 1000), "already expired");
        let day = Refresh::Within(Duration::from_secs(24 * 3600));
        assert!(!due(&week, Some(168), day, 143));
        assert!(due(&week, Some(168), day, 144));
        assert!(due(&week, Some(168), Refresh::Always, 0));
        // `ValidFor` was changed, removed or added since.
        assert!(due(&config(Some(3)), Some(168), Refresh::HalfOver, 0));
        assert!(due(&config(None), Some(168), Refresh::HalfOver, 0));
        assert!(due(&week, None, Refresh::HalfOver, 0));
        // It does not expire, as configured.
        assert!(!due(&config(None), None, day, 1000));
        // Without a stanza the published validity counts.
        let unconfigured = SuiteConfig::unconfigured(Suite::parse("stable").unwrap());
        assert!(!due(&unconfigured, Some(168), Refresh::HalfOver, 1));
        assert!(due(&unconfigured, Some(168), Refresh::HalfOver, 100));
    }
}
