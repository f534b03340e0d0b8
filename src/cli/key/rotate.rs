//! `publish key rotate`: replaces the signing key in two steps.
//!
//! The state of a rotation is `SignWith:` and the published suites; nothing else is stored. First `SignWith: OLD NEW`: both
//! keys sign, so that clients with either key accept the archive, and the keyring package distributes the new one. Later
//! `SignWith: NEW`. The key is written first, then the configuration, then the suites, so that a killed run can be completed
//! by the same command.

use std::{path::PathBuf, process::ExitCode};

use super::{
    next_key::{self, NextKey},
    rotation::{Args, Change, SuiteRotation},
    rotation_state::{Named, RotationState},
};
use crate::{
    archive::Archive,
    cli::{failure::Failure, json::Rotated, session::Session},
    config::SuiteConfig,
    store::Location,
};

/// The input of both steps.
struct Begin<'a, 'b> {
    args: &'a Args,
    session: &'a Session<'b>,
    config: PathBuf,
    archive: Archive,
    /// The selected suites.
    states: Vec<RotationState>,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let begin = Begin::open(args, session).await?;
    let report = if args.finish { begin.finish().await? } else { begin.begin().await? };
    if session.ui.json() {
        session.ui.object(&report);
    }
    Ok(ExitCode::SUCCESS)
}

impl<'a, 'b> Begin<'a, 'b> {
    async fn open(args: &'a Args, session: &'a Session<'b>) -> Result<Self, Failure> {
        if let Location::Web(_) = session.location {
            return Err(Failure::text(format!("`{}` is read-only", session.location), None));
        }
        let config = match &session.config_path {
            _ if session.signs() => {
                let error =
                    "the key is named outside the configuration, so there is no `SignWith:` to change";
                return Err(by_hand(error));
            }
            Some(path) if !session.config.suites.is_empty() => path.clone(),
            _ => return Err(by_hand("there is no configuration, so there is no `SignWith:` to change")),
        };
        let suites = selected(args, session)?;
        let trust = tokio::task::block_in_place(|| session.trust_to_read());
        let (trusted, archive) = (trust.keys().clone(), session.archive(trust));
        let mut states = Vec::new();
        for suite in &suites {
            states.push(RotationState::read(suite, session, &archive, &trusted).await?);
        }
        Ok(Self { args, session, config, archive, states })
    }

    /// The first step.
    async fn begin(self) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        // All suites that share an old key rotate to the same new key.
        let under_way = changes_under_way(session)?;
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
            if !under_way.is_empty() && args.suite.is_empty() {
                // Another key, which rotates later.
                continue;
            }
            unfinished(&state)?;
            let at = next.iter().position(|(old, _)| old.is(&alone.public));
            let at = if let Some(at) = at {
                at
            } else {
                next.push((alone.clone(), self::next(args, session, &alone)?));
                next.len() - 1
            };
            let NextKey { word, public, .. } = &next[at].1;
            let new = Named { word: word.clone(), public: public.clone(), file: None };
            rotations.push(SuiteRotation { state, old: vec![alone], new });
        }
        if let Some(to) = &args.to {
            let given = NextKey::given(to, session)?;
            if let Some(rotation) = rotations.iter().find(|rotation| !rotation.new.is(&given.public)) {
                let error = format!(
                    "suite `{}` is already rotating to the key {}",
                    rotation.state.config.codename,
                    rotation.new.fingerprint()
                );
                let hint = "finish that rotation first: `publish key rotate --finish`";
                return Err(Failure::text(error, Some(hint.to_owned())));
            }
        }
        let change = Change { args, session, config: self.config, archive: self.archive, rotations };
        if change.rotations.is_empty() { change.carry_on(&[]).await } else { change.both(next).await }
    }

    /// The second step.
    async fn finish(self) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let given = args.to.as_deref().map(|to| NextKey::given(to, session)).transpose()?;
        let (mut rotations, mut alone) = (Vec::new(), Vec::new());
        for state in self.states {
            match &state.keys[..] {
                [] | [_] => alone.push(state),
                keys => {
                    let at = which_stays(&state, given.as_ref(), session)?;
                    let (mut old, new) = (keys.to_vec(), keys[at].clone());
                    old.remove(at);
                    rotations.push(SuiteRotation { state, old, new });
                }
            }
        }
        let change = Change { args, session, config: self.config, archive: self.archive, rotations };
        if change.rotations.is_empty() {
            change.carry_on(&alone).await
        } else {
            change.new_alone(&alone).await
        }
    }
}

fn by_hand(error: &str) -> Failure {
    let hint = "rotate by hand: run `publish refresh --force` and `publish key package` with `--sign-with OLD --sign-with NEW`, and \
                use both in every other command; once clients have the package, run the same two with `--sign-with NEW`";
    Failure::text(error, Some(hint.to_owned()))
}

/// Returns the selected suites.
fn selected(args: &Args, session: &Session<'_>) -> Result<Vec<SuiteConfig>, Failure> {
    let mut suites = Vec::new();
    for name in &args.suite {
        let suite = session.config.find(name).ok_or_else(|| {
            let known: Vec<&str> =
                session.config.suites.iter().map(|suite| suite.codename.as_str()).collect();
            Failure::text(
                format!("no suite `{name}` is configured; there are: `{}`", known.join("`, `")),
                None,
            )
        })?;
        if suite.sign_with.is_empty() {
            return Err(Failure::text(format!("suite `{name}` is not signed: it has no `SignWith:`"), None));
        }
        suites.push(suite.clone());
    }
    if args.suite.is_empty() {
        suites.extend(session.config.suites.iter().filter(|suite| !suite.sign_with.is_empty()).cloned());
    }
    if suites.is_empty() {
        return Err(Failure::text("no suite has `SignWith:`, so there is no key to change", None));
    }
    let others = "or select other suites with `--suite`";
    for suite in &suites {
        let name = &suite.codename;
        if let Some(command) = suite.sign_with.iter().find(|word| word.starts_with('!')) {
            let error =
                format!("suite `{name}` is signed by the command `{command}`, which manages its own keys");
            let hint = format!("let the command sign with both keys, then with the new one, {others}");
            return Err(Failure::text(error, Some(hint)));
        }
        if suite.read_only {
            let error = format!("suite `{name}` cannot be re-signed: it has `ReadOnly: yes`");
            let hint = format!("remove `ReadOnly:` during the rotation, {others}");
            return Err(Failure::text(error, Some(hint)));
        }
    }
    Ok(suites)
}

/// Returns the old keys and the new key of every suite with several keys.
fn changes_under_way(session: &Session<'_>) -> Result<Vec<(Vec<Named>, Named)>, Failure> {
    let mut changes = Vec::new();
    for suite in session.config.suites.iter().filter(|suite| suite.sign_with.len() > 1) {
        let read = |word: &String| tokio::task::block_in_place(|| Named::read(word, session));
        let mut keys = suite.sign_with.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Some(new) = keys.pop() {
            changes.push((keys, new));
        }
    }
    Ok(changes)
}

/// Fails while the previous rotation is not finished.
fn unfinished(state: &RotationState) -> Result<(), Failure> {
    let Some(other) = state.published.iter().find(|signed| signed.is_by_others(&state.keys)) else {
        return Ok(());
    };
    let error = format!("suite `{}` is signed by other keys than `SignWith:` names", other.suite);
    let hint = "complete an interrupted rotation with `publish key rotate --finish`; otherwise re-sign with `publish refresh --force`";
    Err(Failure::text(error, Some(hint.to_owned())))
}

/// Returns the key that replaces an old one.
fn next(args: &Args, session: &Session<'_>, old: &Named) -> Result<NextKey, Failure> {
    let Some(to) = &args.to else {
        let name = next_key::name_of(&old.public, session.now);
        return NextKey::made_for(&old.fingerprint(), &name, &args.expires, session);
    };
    let given = NextKey::given(to, session)?;
    if old.is(&given.public) {
        return Err(Failure::usage(format!("the key {} already signs", old.fingerprint())));
    }
    Ok(given)
}

/// Returns the index of the key to keep: the named one, else the last one, which must be the newest.
fn which_stays(
    state: &RotationState,
    given: Option<&NextKey>,
    session: &Session<'_>,
) -> Result<usize, Failure> {
    let (suite, keys) = (&state.config.codename, &state.keys);
    if let Some(given) = given {
        return keys.iter().position(|key| key.is(&given.public)).ok_or_else(|| {
            Failure::text(format!("suite `{suite}` is not signed with the key {}", given.word), None)
        });
    }
    let made = |key: &Named| key.reports(session.now).into_iter().map(|key| key.created).max();
    let last = keys.len() - 1;
    if keys[..last].iter().any(|old| made(old) > made(&keys[last])) {
        let error = format!("the last key of suite `{suite}` is not the newest one");
        return Err(Failure::text(error, Some("name the key to keep with `--to KEY`".to_owned())));
    }
    Ok(last)
}
