//! Replaces the signing key in two steps.
//!
//! The state of a rotation is `SignWith:` and the published suites; nothing else is stored. First `SignWith: OLD NEW`: both
//! keys sign, so that clients with either key accept the archive, and the keyring package distributes the new one. Later
//! `SignWith: NEW`. The key is written first, then the configuration, then the suites, so that a killed run can be completed
//! by the same command.

use super::{
    error::Error,
    event::KeyEvents,
    next_key::NextKey,
    publisher::Publisher,
    report::Rotated,
    rotation::{Change, Context, RotateOptions, SuiteRotation},
    rotation_state::{Named, RotationState},
};
use crate::{config::SuiteConfig, suite::archive::Archive};

impl Publisher<'_> {
    /// Takes the next step of a key rotation, and completes an interrupted one.
    ///
    /// # Errors
    /// All requirements are checked before the first write.
    pub async fn rotate_keys(
        &self,
        options: &RotateOptions,
        events: KeyEvents<'_>,
    ) -> Result<Rotated, Error> {
        let planner = if self.dry_run { Some(self.with_offered_keys().await?) } else { None };
        let publisher = planner.as_ref().unwrap_or(self);
        let context = Context { options, publisher, events };
        let suites = selected(context)?;
        let archive = publisher.archive(publisher.trust_to_read().await);
        let mut states = Vec::new();
        for suite in &suites {
            states.push(RotationState::read(suite, publisher, &archive).await?);
        }
        let begin = Begin { context, archive, states };
        if options.finish { begin.finish().await } else { begin.begin().await }
    }
}

/// The input of both steps.
struct Begin<'a> {
    context: Context<'a>,
    archive: Archive,
    /// The selected suites.
    states: Vec<RotationState>,
}

impl Begin<'_> {
    /// The first step.
    async fn begin(self) -> Result<Rotated, Error> {
        let context = self.context;
        // All suites that share an old key rotate to the same new key.
        let under_way = changes_under_way(context).await?;
        let mut rotations: Vec<SuiteRotation> = Vec::new();
        let mut next: Vec<(Named, NextKey)> = Vec::new();
        for state in self.states {
            let keys = &state.keys;
            let alone = match &keys[..] {
                [alone] => alone.clone(),
                [old @ .., new] => {
                    let (old, new) = (old.to_vec(), new.clone());
                    rotations.push(SuiteRotation { state, old, new });
                    continue;
                }
                [] => continue,
            };
            if under_way.iter().any(|(_, new)| alone.is(&new.public)) {
                continue;
            }
            let same = under_way.iter().find(|(old, _)| old.iter().any(|old| old.is(&alone.public)));
            if let Some((_, new)) = same {
                rotations.push(SuiteRotation { state, old: vec![alone], new: new.clone() });
                continue;
            }
            if !under_way.is_empty() && context.options.suites.is_empty() {
                // Another key, which rotates later.
                continue;
            }
            unfinished(&state)?;
            let at = next.iter().position(|(old, _)| old.is(&alone.public));
            let at = if let Some(at) = at {
                at
            } else {
                next.push((alone.clone(), self::next(context, &alone).await?));
                next.len() - 1
            };
            let NextKey { word, public, .. } = &next[at].1;
            let new = Named { word: word.clone(), public: public.clone(), file: None };
            rotations.push(SuiteRotation { state, old: vec![alone], new });
        }
        if let Some(given) = given(context).await?
            && let Some(rotation) = rotations.iter().find(|rotation| !rotation.new.is(&given.public))
        {
            let suite = rotation.state.config.codename.clone();
            return Err(Error::Rotating { suite, key: rotation.new.fingerprint() });
        }
        let change = Change { context, archive: self.archive, rotations };
        if change.rotations.is_empty() { change.carry_on(&[]).await } else { change.both(next).await }
    }

    /// The second step.
    async fn finish(self) -> Result<Rotated, Error> {
        let context = self.context;
        let given = given(context).await?;
        let (mut rotations, mut alone) = (Vec::new(), Vec::new());
        for state in self.states {
            match &state.keys[..] {
                [] | [_] => alone.push(state),
                keys => {
                    let at = which_stays(&state, given.as_ref(), context)?;
                    let (mut old, new) = (keys.to_vec(), keys[at].clone());
                    old.remove(at);
                    rotations.push(SuiteRotation { state, old, new });
                }
            }
        }
        let change = Change { context, archive: self.archive, rotations };
        if change.rotations.is_empty() {
            change.carry_on(&alone).await
        } else {
            change.new_alone(&alone).await
        }
    }
}

/// Returns the selected suites.
fn selected(context: Context<'_>) -> Result<Vec<SuiteConfig>, Error> {
    let (config, names) = (context.publisher.config(), &context.options.suites);
    let mut suites = Vec::new();
    for name in names {
        let suite = config.find(name).ok_or_else(|| Error::NotConfigured {
            name: name.clone(),
            known: config.suites.iter().map(|suite| suite.codename.to_string()).collect(),
        })?;
        if suite.sign_with.is_empty() {
            return Err(Error::NotSigned { name: name.clone() });
        }
        suites.push(suite.clone());
    }
    if names.is_empty() {
        suites.extend(config.suites.iter().filter(|suite| !suite.sign_with.is_empty()).cloned());
    }
    if suites.is_empty() {
        return Err(Error::NothingSigned);
    }
    for suite in &suites {
        let name = suite.codename.clone();
        if let Some(command) = suite.sign_with.iter().find(|word| word.starts_with('!')) {
            return Err(Error::SignedByCommand { suite: name, command: command.clone() });
        }
        if suite.read_only {
            return Err(Error::ReadOnly { suite: name });
        }
    }
    Ok(suites)
}

/// Returns the old keys and the new key of every suite with several keys.
async fn changes_under_way(context: Context<'_>) -> Result<Vec<(Vec<Named>, Named)>, Error> {
    let mut changes = Vec::new();
    let suites = &context.publisher.config().suites;
    for suite in suites.iter().filter(|suite| suite.sign_with.len() > 1) {
        let mut keys = Vec::new();
        for word in &suite.sign_with {
            keys.push(context.read(word).await?);
        }
        if let Some(new) = keys.pop() {
            changes.push((keys, new));
        }
    }
    Ok(changes)
}

/// Fails while the previous rotation is not finished.
fn unfinished(state: &RotationState) -> Result<(), Error> {
    match state.published.iter().find(|signed| signed.is_by_others(&state.keys)) {
        None => Ok(()),
        Some(other) => Err(Error::OtherSigners { suite: other.suite.clone() }),
    }
}

/// Returns the key that the user named.
async fn given(context: Context<'_>) -> Result<Option<NextKey>, Error> {
    let Some(to) = context.options.to.clone() else { return Ok(None) };
    let current = context.options.current.clone();
    context.publisher.blocking(move |keychain| NextKey::given(&to, &current, keychain)).await.map(Some)
}

/// Returns the key that replaces an old one.
async fn next(context: Context<'_>, old: &Named) -> Result<NextKey, Error> {
    let Some(given) = given(context).await? else {
        let (old, expires) = (old.clone(), context.options.expires);
        // Generating a key may take long.
        return context.publisher.blocking(move |keychain| NextKey::made_for(&old, expires, keychain)).await;
    };
    if old.is(&given.public) {
        return Err(Error::AlreadySigns { key: old.fingerprint() });
    }
    Ok(given)
}

/// Returns the index of the key to keep: the named one, else the last one, which must be the newest.
fn which_stays(state: &RotationState, given: Option<&NextKey>, context: Context<'_>) -> Result<usize, Error> {
    let (suite, keys) = (&state.config.codename, &state.keys);
    if let Some(given) = given {
        let not_a_signer = || Error::NotASigner { suite: suite.clone(), key: given.word.clone() };
        return keys.iter().position(|key| key.is(&given.public)).ok_or_else(not_a_signer);
    }
    let made = |key: &Named| key.reports(context.now()).into_iter().map(|key| key.created).max();
    let last = keys.len() - 1;
    if keys[..last].iter().any(|old| made(old) > made(&keys[last])) {
        return Err(Error::NotNewest { suite: suite.clone() });
    }
    Ok(last)
}
