//! The patches of an index: each exists as it is listed, and together they make the published index of an earlier one.

use bytes::Bytes;
use jiff::Timestamp;

use super::{caches::Changes, fetch::Got, findings::Findings, report::Remedy};
use crate::{
    compression::Compression,
    dists::{
        index_file::by_hash_path,
        layout::{patch_index_path, patch_path},
        patches::{History, Patch, history::Text, script},
    },
    size,
    store::{Location, blocking},
    suite::{
        archive::Archive,
        error::{Error, chain},
        freshness, generations, limits, patches,
        published::{PublishedSuite, unpack},
    },
};

/// How many earlier texts are looked for, to apply the patches to. Older ones may be deleted.
const LOOKS: usize = 5;

impl Archive {
    /// Checks the patches of an index.
    pub(super) async fn check_patches(
        &self,
        published: &PublishedSuite,
        index: &str,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let list = patch_index_path(index);
        if patches::is_too_long(published, index) {
            let text = format!(
                "it has more than {}; clients cannot use the patches",
                size::bytes(limits::PATCH_LIST)
            );
            findings.fault(published.path(&list), text);
            return Ok(());
        }
        // A list that is missing or differs is a finding of its own, or none: clients then download the index.
        let Ok(Some(text)) = published.text(&list).await else {
            if published.is_of_our_form() {
                findings.remedies.insert(Remedy::Export(published.name().clone()));
            }
            return Ok(());
        };
        let path = published.path(&list);
        let history = match History::parse(&text) {
            Ok(history) => history,
            Err(error) => {
                findings.fault(path, format!("clients cannot use the patches: {error}"));
                return Ok(());
            }
        };
        let listed = published.release().and_then(|release| release.files().get(index));
        if listed.is_some_and(|listed| listed.sha256 != history.current.sha256) {
            findings
                .fault(path, "its patches make another text than the published index; clients ignore them");
            return Ok(());
        }
        if !history.merged && !history.is_ordered() {
            findings.fault(
                path.clone(),
                "its patches are not listed in the order of their names; apt applies them in that order, fails, and downloads the index",
            );
        }
        // One patch is held at a time: the list may name many that unpack to much more than they are.
        let mut text = self.earlier_text(published, index, &history).await?;
        if text.is_none() && !history.patches.is_empty() {
            findings.note(format!(
                "the patches in `{path}` were read and not applied: none of the earlier texts that were looked for is stored"
            ));
        }
        for (at, patch) in history.patches.iter().enumerate() {
            let file = published.path(&patch_path(index, &patch.name));
            let faults = findings.faults.len();
            let script = self.check_patch(&file, patch, findings).await?;
            if findings.faults.len() > faults {
                findings.remedies.insert(Remedy::Export(published.name().clone()));
            }
            let Some((first, old)) = text.take() else { continue };
            if at < first || history.merged && at > first {
                text = Some((first, old));
                continue;
            }
            // A fault of a patch has been reported, and the others can only be read.
            let Some(script) = script else { continue };
            let next = history.patches.get(at + 1).filter(|_| !history.merged);
            let to = next.map_or(history.current, |next| next.from);
            match blocking(move || apply(&script, &old, to)).await {
                Ok(Some(made)) => text = Some((first, made)),
                Ok(None) => findings.fault(path.clone(), differs(next)),
                Err(error) => {
                    let text = format!("the patch `{}` cannot be applied: {error}", patch.name);
                    findings.fault(path.clone(), text);
                }
            }
        }
        Ok(())
    }

    /// Reads a patch; returns it uncompressed, unless it has a fault.
    async fn check_patch(
        &self,
        path: &str,
        named: &Patch,
        findings: &mut Findings,
    ) -> Result<Option<Bytes>, Error> {
        let file = match self.fetch(path, limits::compared(named.file.size), Changes::Never, findings).await?
        {
            Got::There(file) => file,
            Got::Missing => {
                findings.fault(
                    path,
                    "it is missing, although the list of patches names it; clients download the index",
                );
                return Ok(None);
            }
            Got::Refused => return Ok(None),
        };
        findings.files += 1;
        if Text::of(&file) != named.file {
            findings.fault(path, "its size or SHA-256 is not the one in the list of patches");
            return Ok(None);
        }
        match unpack(path.to_owned(), file, Compression::Gzip, None).await {
            Ok(script) if Text::of(&script) == named.script => Ok(Some(script)),
            Ok(_) => {
                findings
                    .fault(path, "its uncompressed size or SHA-256 is not the one in the list of patches");
                Ok(None)
            }
            Err(error) => {
                findings.fault(path, chain(&error));
                Ok(None)
            }
        }
    }

    /// Returns the oldest earlier text that is still stored uncompressed, with the number of its patch.
    async fn earlier_text(
        &self,
        published: &PublishedSuite,
        index: &str,
        history: &History,
    ) -> Result<Option<(usize, Bytes)>, Error> {
        let known = history.patches.len();
        for number in 0..known.min(LOOKS) {
            // From the oldest to the newest.
            let at = number * known / known.min(LOOKS);
            let Text { sha256, size } = history.patches[at].from;
            if size == 0 {
                return Ok(Some((at, Bytes::new())));
            }
            let path = published.path(&by_hash_path(index, &sha256));
            let read = self.store.read(&path, limits::listed(size)).await;
            let Some(object) = self.store.unless_refused(read)? else { continue };
            if Text::of(&object.bytes) == history.patches[at].from {
                return Ok(Some((at, object.bytes)));
            }
        }
        self.text_of_a_generation(published, index, history).await
    }

    /// Returns the text of an index in a retained generation, where only compressed forms are stored.
    async fn text_of_a_generation(
        &self,
        published: &PublishedSuite,
        index: &str,
        history: &History,
    ) -> Result<Option<(usize, Bytes)>, Error> {
        if let Location::Web(_) = self.store.location() {
            return Ok(None);
        }
        let (store, suite) = (&self.store, published.name());
        for name in freshness::published_after(store, suite, Timestamp::UNIX_EPOCH).await? {
            // One that cannot be read is a finding of its own.
            let Ok(state) = generations::open(store, suite, &name).await else { continue };
            let listed = state.release().and_then(|release| release.files().get(index));
            let at = |sha256| history.patches.iter().position(|patch| patch.from.sha256 == sha256);
            let Some(at) = listed.and_then(|listed| at(listed.sha256)) else { continue };
            if let Ok(Some(text)) = state.text(index).await
                && Text::of(&text) == history.patches[at].from
            {
                return Ok(Some((at, text)));
            }
        }
        Ok(None)
    }
}

/// Applies a patch; `None` if it makes another text than this one.
fn apply(script: &[u8], old: &[u8], to: Text) -> Result<Option<Bytes>, script::Error> {
    let made = script::apply(script, old, limits::listed(to.size).get())?;
    Ok((Text::of(&made) == to).then(|| made.into()))
}

/// The fault of a patch that makes another text than that of the next one, or than the index.
fn differs(next: Option<&Patch>) -> String {
    match next {
        Some(next) => {
            format!("the patch before `{}` does not make the text that this one applies to", next.name)
        }
        None => {
            "the patches do not make the published index; clients download the index after them".to_owned()
        }
    }
}
