//! `publish key rotate`: another key takes over, in two steps between which clients learn of it.
//!
//! Where a change stands is what `SignWith:` says and what is published; nothing else is kept. First `SignWith: OLD NEW`:
//! both sign, so that clients with either key read the archive, and the keyring package brings them the new one. Then
//! `SignWith: NEW`, once they have had the time. The order is that of what may be lost: the key first, then the
//! configuration, then the suites; whoever is killed in between runs the same command again.

use std::{path::PathBuf, process::ExitCode};

use super::{
    next_key::{self, NextKey},
    standing::{Named, Standing},
    turn::{Args, Change, Turn},
};
use crate::{
    archive::Archive,
    cli::{failure::Failure, json::Rotated, session::Session},
    config::SuiteConfig,
    store::Location,
};

/// What every step begins with.
struct Begin<'a, 'b> {
    args: &'a Args,
    session: &'a Session<'b>,
    config: PathBuf,
    archive: Archive,
    /// The suites that are meant.
    standings: Vec<Standing>,
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
            return Err(Failure::text(format!("`{}` can only be read", session.location), None));
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
        let (believed, archive) = (trust.keys().clone(), session.archive(trust));
        let mut standings = Vec::new();
        for suite in &suites {
            standings.push(Standing::read(suite, session, &archive, &believed).await?);
        }
        Ok(Self { args, session, config, archive, standings })
    }

    /// The first step.
    async fn begin(self) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        // Of all suites: what one of them is changing from and to, the others change from and to as well.
        let under_way = changes_under_way(session)?;
        let mut turns: Vec<Turn> = Vec::new();
        let mut next: Vec<(Named, NextKey)> = Vec::new();
        for standing in self.standings {
            let keys = &standing.keys;
            let alone = match &keys[..] {
                [alone] => alone.clone(),
                [old @ .., new] => {
                    let (old, new) = (old.to_vec(), new.clone());
                    turns.push(Turn { standing, old, new });
                    continue;
                }
                [] => continue,
            };
            if under_way.iter().any(|(_, new)| alone.is(&new.public)) {
                continue;
            }
            let same = under_way.iter().find(|(old, _)| old.iter().any(|old| old.is(&alone.public)));
            if let Some((_, new)) = same {
                turns.push(Turn { standing, old: vec![alone], new: new.clone() });
                continue;
            }
            if !under_way.is_empty() && args.suite.is_empty() {
                // Another key, whose turn has not come.
                continue;
            }
            unfinished(&standing)?;
            let at = next.iter().position(|(old, _)| old.is(&alone.public));
            let at = if let Some(at) = at {
                at
            } else {
                next.push((alone.clone(), self::next(args, session, &alone)?));
                next.len() - 1
            };
            let NextKey { word, public, .. } = &next[at].1;
            let new = Named { word: word.clone(), public: public.clone(), file: None };
            turns.push(Turn { standing, old: vec![alone], new });
        }
        if let Some(to) = &args.to {
            let given = NextKey::given(to, session)?;
            if let Some(turn) = turns.iter().find(|turn| !turn.new.is(&given.public)) {
                let error = format!(
                    "suite `{}` changes to the key {} already",
                    turn.standing.config.codename,
                    turn.new.fingerprint()
                );
                let hint = "`publish key rotate --finish` ends that change; another one may follow";
                return Err(Failure::text(error, Some(hint.to_owned())));
            }
        }
        let change = Change { args, session, config: self.config, archive: self.archive, turns };
        if change.turns.is_empty() { change.carry_on(&[]).await } else { change.both(next).await }
    }

    /// The second step.
    async fn finish(self) -> Result<Rotated, Failure> {
        let (args, session) = (self.args, self.session);
        let given = args.to.as_deref().map(|to| NextKey::given(to, session)).transpose()?;
        let (mut turns, mut alone) = (Vec::new(), Vec::new());
        for standing in self.standings {
            match &standing.keys[..] {
                [] | [_] => alone.push(standing),
                keys => {
                    let at = which_stays(&standing, given.as_ref(), session)?;
                    let (mut old, new) = (keys.to_vec(), keys[at].clone());
                    old.remove(at);
                    turns.push(Turn { standing, old, new });
                }
            }
        }
        let change = Change { args, session, config: self.config, archive: self.archive, turns };
        if change.turns.is_empty() { change.carry_on(&alone).await } else { change.new_alone(&alone).await }
    }
}

fn by_hand(error: &str) -> Failure {
    let hint = "change it by hand: first `--sign-with OLD --sign-with NEW` with `publish refresh --force`, `publish key package` \
                and every other command; once clients have the package, `--sign-with NEW` with the same two";
    Failure::text(error, Some(hint.to_owned()))
}

/// The suites that are meant.
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
    let others = "`--suite` names the suites that are meant";
    for suite in &suites {
        let name = &suite.codename;
        if let Some(command) = suite.sign_with.iter().find(|word| word.starts_with('!')) {
            let error = format!("suite `{name}` is signed by the command `{command}`, which knows its keys");
            let hint = format!("let the command sign with both keys, then with the new one; {others}");
            return Err(Failure::text(error, Some(hint)));
        }
        if suite.read_only {
            let error = format!("suite `{name}` cannot be signed anew: it has `ReadOnly: yes`");
            let hint = format!("take that away as long as its keys change; {others}");
            return Err(Failure::text(error, Some(hint)));
        }
    }
    Ok(suites)
}

/// The old and the new keys of every suite that has several.
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

/// Refuses to begin while the last change is not finished.
fn unfinished(standing: &Standing) -> Result<(), Failure> {
    let Some(other) = standing.published.iter().find(|signed| signed.is_by_others(&standing.keys)) else {
        return Ok(());
    };
    let error = format!("suite `{}` is signed by other keys than `SignWith:` names", other.suite);
    let hint = "`publish key rotate --finish` ends a change that was cut off; else `publish refresh --force`";
    Err(Failure::text(error, Some(hint.to_owned())))
}

/// The key that takes over from one.
fn next(args: &Args, session: &Session<'_>, old: &Named) -> Result<NextKey, Failure> {
    let Some(to) = &args.to else {
        let name = next_key::name_of(&old.public, session.now);
        return NextKey::made_for(&old.fingerprint(), &name, &args.expires, session);
    };
    let given = NextKey::given(to, session)?;
    if old.is(&given.public) {
        return Err(Failure::usage(format!("the key {} signs already", old.fingerprint())));
    }
    Ok(given)
}

/// Which of the keys of a suite stays: the one that is named, else the last, which must have been made last.
fn which_stays(
    standing: &Standing,
    given: Option<&NextKey>,
    session: &Session<'_>,
) -> Result<usize, Failure> {
    let (suite, keys) = (&standing.config.codename, &standing.keys);
    if let Some(given) = given {
        return keys.iter().position(|key| key.is(&given.public)).ok_or_else(|| {
            Failure::text(format!("suite `{suite}` is not signed with the key {}", given.word), None)
        });
    }
    let made = |key: &Named| key.reports(session.now).into_iter().map(|key| key.created).max();
    let last = keys.len() - 1;
    if keys[..last].iter().any(|old| made(old) > made(&keys[last])) {
        let error = format!("of the keys of suite `{suite}`, the last one is not the one that was made last");
        return Err(Failure::text(error, Some("name the key that stays with `--to`".to_owned())));
    }
    Ok(last)
}
