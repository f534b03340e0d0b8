//! The first signature of a suite. Until then the release file is `Release`, and afterwards `InRelease`; a conditional
//! write covers one object only, so both can be the result of a commit for a moment.
//!
//! The signer writes `Release` first, on its revision or its absence, then `InRelease`. So a publisher without a key
//! either builds on the text that is being signed, or makes the signer lose the race: `Release` has every change that
//! `InRelease` has. Such a publisher marks its generation as published before it looks for `InRelease`, and removes the
//! mark if it finds one. So a mark that the signer sees after its second write is that of a commit which succeeded, or
//! whose publisher is about to fail.

use super::{
    error::Error,
    freshness,
    generations::{self, Generation},
    limits,
    published::{Pointer, PublishedSuite, Purpose, read_pointer},
    trust::Trust,
};
use crate::{
    dists::{Release, layout::ReleaseForm},
    names::Suite,
    signing,
    store::{self, Store, unless_larger},
};

/// Whether a publisher without a key has committed a `Release` other than this text, which was signed concurrently.
pub(crate) async fn is_overtaken(store: &Store, suite: &PublishedSuite, text: &[u8]) -> Result<bool, Error> {
    let path = suite.path(ReleaseForm::Release.file_name());
    let Some(beside) = unless_larger(store.read(&path, limits::RELEASE).await)? else { return Ok(false) };
    if signing::says_the_same(&beside.bytes, text) {
        return Ok(false);
    }
    let Some(name) = name_of(&beside.bytes) else { return Ok(false) };
    let file = |file: &str| suite.path(&generations::path(&name, file));
    // The generation of a signed suite keeps its `InRelease` instead.
    Ok(store.size(&file(generations::MARK)).await?.is_some()
        && store.size(&file(ReleaseForm::Release.file_name())).await?.is_some())
}

/// Replaces the `Release` of a publisher without a key, which has lost the race, by the text of `InRelease`: the signer may
/// have finished before.
pub(crate) async fn yield_to_signer(store: &Store, suite: &PublishedSuite, own: &[u8]) -> Result<(), Error> {
    let path = |form: ReleaseForm| suite.path(form.file_name());
    let signed = unless_larger(store.read(&path(ReleaseForm::InRelease), limits::RELEASE).await)?;
    let beside = unless_larger(store.read(&path(ReleaseForm::Release), limits::RELEASE).await)?;
    let (Some(signed), Some(beside)) = (signed, beside.filter(|beside| beside.bytes == own)) else {
        return Ok(());
    };
    let Ok(text) = signing::unverified_text(&signed.bytes) else { return Ok(()) };
    match store.swap(&path(ReleaseForm::Release), text.into(), Some(&beside.revision)).await {
        // The signer has replaced it meanwhile.
        Err(store::Error::Conflict { .. }) => Ok(()),
        done => Ok(done?),
    }
}

/// Whether the published `InRelease` is without changes that a publisher without a key has committed to `Release`: the
/// next commit would lose them for clients of `InRelease`, and a repair for all others.
///
/// `kept` are the generations with the `Date` of the pointer or a later one. A signer that saw nothing of the kind has
/// marked its own.
pub(crate) async fn is_crossed(
    suite: &PublishedSuite,
    pointer: &Pointer,
    kept: &[Generation],
) -> Result<bool, Error> {
    let own = suite.generation();
    let is_marked = |kept: &Generation| Some(&kept.name) == own.as_ref() && kept.published.is_some();
    if !pointer.is_in_release() || kept.iter().any(is_marked) {
        return Ok(false);
    }
    // Without another marked generation there is no such commit, and nothing needs to be read.
    if !kept.iter().any(|kept| kept.published.is_some()) {
        return Ok(false);
    }
    let Ok(text) = signing::unverified_text(&pointer.bytes) else { return Ok(false) };
    is_overtaken(suite.store(), suite, &text).await
}

/// The same, where the generations were not listed yet.
pub(crate) async fn is_crossed_now(suite: &PublishedSuite) -> Result<bool, Error> {
    let Some(pointer) = suite.pointer().filter(|pointer| pointer.is_in_release()) else { return Ok(false) };
    let kept = freshness::kept_since(suite.store(), suite.name(), pointer).await?;
    is_crossed(suite, pointer, &kept).await
}

/// Returns the `InRelease` of a signer that was killed after it had written `Release`: the generation keeps it, a
/// trusted key signed it, and its text is the published one.
pub(crate) async fn interrupted(
    store: &Store,
    suite: &Suite,
    trust: &Trust,
) -> Result<Option<(String, Pointer)>, Error> {
    if trust.now.is_none() || trust.keyring.is_empty() || !trust.demands_signature_of(suite) {
        return Ok(None);
    }
    let path = |form: ReleaseForm| format!("dists/{suite}/{}", form.file_name());
    if store.size(&path(ReleaseForm::InRelease)).await?.is_some() {
        return Ok(None);
    }
    let read = store.read(&path(ReleaseForm::Release), limits::RELEASE).await;
    let Some(release) = unless_larger(read)? else { return Ok(None) };
    let Some(date) = Release::parse(&release.bytes).ok().and_then(|release| release.date().ok()) else {
        return Ok(None);
    };
    let beginning = generations::beginning(date);
    for kept in freshness::listed_since(store, suite, date).await? {
        if kept.published.is_some() || !kept.name.starts_with(&beginning) {
            continue;
        }
        let folder = format!("dists/{suite}/{}/{}", generations::FOLDER, kept.name);
        match read_pointer(store, suite, &folder, &trust.strict(), Purpose::BuildOn).await {
            Err(error @ Error::Store(_)) => return Err(error),
            Ok(Some(pointer)) if pointer.is_in_release() && has_text(&pointer, &release.bytes) => {
                return Ok(Some((kept.name, pointer)));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn has_text(pointer: &Pointer, release: &[u8]) -> bool {
    signing::unverified_text(&pointer.bytes).is_ok_and(|text| signing::says_the_same(release, &text))
}

fn name_of(release: &[u8]) -> Option<String> {
    let date = Release::parse(release).ok()?.date().ok()?;
    Some(generations::name(date, release))
}
