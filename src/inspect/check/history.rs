//! Checks beside the current generation: rollback attacks, the digests and references of the retained generations, and
//! the keys that clients are given.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use jiff::Timestamp;

use super::{findings::Findings, pool::Pool, report::SuiteReport};
use crate::{
    dists::{
        IndexKey,
        index_file::by_hash_path,
        layout::{self, ArchivePath, ReleaseForm, SuitePath, is_patch_folder, plain_path},
        subset::{Carried, Subset},
    },
    gc::live_set::{self, LiveSet},
    signing::{self, Distrust, Keyring},
    store::{Location, StoredObject},
    suite::{
        archive::{Archive, KEY_FILE},
        damage,
        error::{Error, chain},
        freshness,
        generations::{self, Keep},
        limits, public_files,
        published::{PublishedSuite, Purpose, read_pointer},
        references::Expected,
    },
};

const MISSING: &str = "it is missing, although a retained generation of the suite references it";

/// The files of the retained generations.
#[derive(Default)]
struct Reach {
    live: LiveSet,
    /// The compressed forms of indices that this program has written: it stores each of them, while a file that is only
    /// listed proves nothing.
    forms: BTreeSet<String>,
}

impl Reach {
    fn add_forms(&mut self, state: &PublishedSuite, carried: &Carried) {
        if !state.is_of_our_form() {
            return;
        }
        let is_form = |path: &str, plain: &str| path != plain && IndexKey::parse(plain).has_entries();
        let forms = state.carried_files(carried).filter(|(path, _)| is_form(path, plain_path(path)));
        self.forms.extend(forms.map(|(path, listed)| state.path(&by_hash_path(path, &listed.sha256))));
    }
}

impl Archive {
    /// Checks the retained generations of a suite; a web server cannot list them.
    pub(super) async fn check_history(
        &self,
        published: &PublishedSuite,
        pool: &Pool,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let (store, suite) = (&self.store, published.name());
        if let Location::Web(_) = store.location() {
            return Ok(());
        }
        let Some(pointer) = published.pointer() else {
            if let Some(name) = freshness::published_after(store, suite, Timestamp::UNIX_EPOCH).await?.pop() {
                let problem = format!(
                    "the release file of the suite is missing, although `generations/{name}` was published"
                );
                findings.fault(published.path("InRelease"), problem);
            }
            return Ok(());
        };
        if pointer.form == ReleaseForm::Release && !pointer.signed {
            let signature = published.generation().unwrap_or_default();
            let signature = generations::path(&signature, ReleaseForm::Signature.file_name());
            if store.size(&published.path(&signature)).await?.is_some() {
                let problem =
                    format!("it is missing, although `{signature}` was published with this generation");
                findings.fault(published.path(ReleaseForm::Signature.file_name()), problem);
            }
        }
        if pointer.form == ReleaseForm::Release
            && let Some(name) = freshness::published_after(store, suite, Timestamp::UNIX_EPOCH).await?.pop()
        {
            let name = generations::path(&name, ReleaseForm::InRelease.file_name());
            let kept = store.read(&published.path(&name), limits::RELEASE).await?;
            let text = kept.and_then(|kept| signing::unverified_text(&kept.bytes).ok());
            if text.is_some_and(|text| text == pointer.bytes) {
                let problem = format!("it is missing, although `{name}` was published");
                findings.fault(published.path(ReleaseForm::InRelease.file_name()), problem);
            }
        }
        if let Some(newer) = freshness::newer(store, suite, pointer, &self.trust).await? {
            let problem = format!(
                "it is older than a published generation, that of {} ({})",
                newer.date, newer.witness
            );
            findings.fault(published.path(pointer.file()), problem);
        }
        let files: Vec<StoredObject> = store.walk(&format!("dists/{suite}")).try_collect().await?;
        let time = self.trust.now.unwrap_or(std::time::UNIX_EPOCH);
        let (kept, _) = Keep::default().split(generations::of_files(suite, &files), published, time);
        let mut reach = Reach::default();
        for generation in kept.iter().filter(|generation| generation.published.is_some()) {
            self.check_generation(published, &generation.name, &mut reach, findings).await?;
        }
        let Reach { live: reach, forms } = reach;
        let mut there: BTreeMap<String, StoredObject> =
            files.into_iter().map(|found| (found.path.clone(), found)).collect();
        let led_elsewhere = reach.files.keys().any(|path| !layout::is_in_dists(path));
        if led_elsewhere {
            let mut pool = store.walk(layout::POOL);
            while let Some(found) = pool.try_next().await? {
                there.insert(found.path.clone(), found);
            }
        }
        dispute(&reach, pool, findings);
        // The references of the current generation are read elsewhere.
        let mut now = LiveSet::default();
        now.add_listed(published, &Subset::default().of(&pointer.release));
        let is_read = |path: &str| now.files.contains_key(path) || pool.contains_key(path);
        for path in forms.into_iter().filter(|path| !is_read(path) && !there.contains_key(path)) {
            findings.fault(path, MISSING);
        }
        let led_to = reach.files.into_iter().filter(|(path, _)| !is_read(path));
        let stored = compare_sizes(led_to, &mut there, findings);
        findings.files += stored.len();
        for path in live_set::differing(store, stored).await? {
            differs(
                path,
                "its bytes differ from those that a retained generation of the suite lists",
                findings,
            );
        }
        Ok(())
    }

    /// Reads a retained generation: its name must be its digest, and a known key must have signed it.
    async fn check_generation(
        &self,
        published: &PublishedSuite,
        name: &str,
        reach: &mut Reach,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let (store, suite) = (&self.store, published.name());
        let path = published.path(&format!("{}/{name}", generations::FOLDER));
        match read_pointer(store, suite, &path, &self.trust, Purpose::Look).await {
            Err(Error::Untrusted { source: Distrust::UnknownSigners { signers }, .. }) => {
                findings.note(format!(
                    "`{path}` is signed by keys that are not known here ({}): it cannot be used as a base",
                    signers.join(", ")
                ));
            }
            Err(error @ Error::Store(_)) if !damage::is_damage(store, &error) => return Err(error),
            Err(error) => {
                findings.fault(path, chain(&error));
                return Ok(());
            }
            Ok(_) => {}
        }
        let state = match generations::open(store, suite, name).await {
            Err(error @ Error::Store(_)) if !damage::is_damage(store, &error) => return Err(error),
            Err(error) => {
                findings.fault(path, chain(&error));
                return Ok(());
            }
            Ok(state) => state,
        };
        self.check_kept_signature(&path, &state, findings).await?;
        let carried = state.carried().await?;
        reach.add_forms(&state, &carried);
        match reach.live.add(&state, &carried).await {
            Err(error @ Error::Store(_)) if !damage::is_damage(store, &error) => return Err(error),
            Err(error) => {
                findings.fault(path, format!("not every file that it references exists: {}", chain(&error)));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    /// Checks the detached signature of a retained `InRelease`, which is published again when `Release.gpg` is lost.
    async fn check_kept_signature(
        &self,
        folder: &str,
        state: &PublishedSuite,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let Some(pointer) = state.pointer().filter(|pointer| pointer.is_in_release()) else { return Ok(()) };
        let path = format!("{folder}/{}", ReleaseForm::Signature.file_name());
        let signature = match self.store.read(&path, limits::SIGNATURE).await {
            // Another tool made it, or its signature was lost before it was kept.
            Ok(None) => return Ok(()),
            Ok(Some(signature)) => signature.bytes,
            Err(error) => return self.refused::<()>(&path, error, findings).map(drop),
        };
        findings.files += 1;
        let Ok(text) = signing::unverified_text(&pointer.bytes) else { return Ok(()) };
        let now = self.trust.now.unwrap_or(std::time::UNIX_EPOCH);
        match self.trust.keyring.verify_detached(&text, &signature, now) {
            // The verdict on the keys is that of the `InRelease`.
            Ok(_)
            | Err(
                Distrust::UnknownSigners { .. }
                | Distrust::NotBelieved { .. }
                | Distrust::Unverifiable { .. },
            ) => {}
            Err(error) => findings.fault(path, chain(&error)),
        }
        Ok(())
    }

    /// Compares the public keys with ours; a client with a keyring of its own gets a note about other keys.
    pub(super) async fn check_keys(
        &self,
        clients_own: bool,
        suites: &[SuiteReport],
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let file = match self.key_file().await {
            Err(Error::Store(error)) => return self.refused::<()>(KEY_FILE, error, findings).map(drop),
            file => file?,
        };
        let Some(file) = file else {
            // A web server may answer 404 or 403 for a file that it does not publish; clients then have the key from
            // elsewhere.
            let is_signed = suites.iter().any(|suite| suite.signed);
            if is_signed && self.trust.demands_signatures() && !clients_own && !self.is_on_the_web() {
                findings.fault(KEY_FILE, "it is missing: new clients find no key to verify the archive with");
            }
            return Ok(());
        };
        let mut there = Keyring::new();
        if let Err(error) = there.add_bytes(KEY_FILE, &file) {
            findings.fault(KEY_FILE, chain(&error));
            return Ok(());
        }
        if !public_files::is_whole_key(&file) {
            findings.fault(KEY_FILE, "it is truncated, or contains something other than public keys");
            return Ok(());
        }
        let ours = self.trust.keyring.fingerprints();
        if ours.is_empty() {
            return Ok(());
        }
        for SuiteReport { suite, signed_by, .. } in
            suites.iter().filter(|_| self.trust.demands_signatures() && !clients_own)
        {
            let keys: Vec<&str> =
                signed_by.iter().filter(|signed| signed.known).map(|signed| &*signed.key).collect();
            if !keys.is_empty()
                && !keys.iter().any(|key| there.fingerprints().iter().any(|there| there == key))
            {
                let problem = format!(
                    "it does not contain the key that signs suite `{suite}` ({}): new clients refuse the suite",
                    keys.join(", ")
                );
                findings.fault(KEY_FILE, problem);
            }
        }
        for key in there.fingerprints().into_iter().filter(|key| !ours.contains(key)) {
            if clients_own {
                findings.note(format!("`{KEY_FILE}` contains a key that is not in the given keyring: {key}"));
                continue;
            }
            let problem = format!(
                "it gives clients the key {key}, which is not configured here; clients would accept its signatures"
            );
            findings.fault(KEY_FILE, problem);
        }
        Ok(())
    }
}

/// Notes files about which generations disagree, the current one included: a client of only one of them gets the bytes
/// that its index lists.
fn dispute(reach: &LiveSet, pool: &Pool, findings: &mut Findings) {
    let current = |path: &str| pool.get(path).map(|named| named.expected);
    for (path, kept) in &reach.files {
        let others = [current(path), reach.disputed.get(path).copied()];
        if others.into_iter().flatten().any(|other| !other.agrees(kept)) {
            let problem = "retained generations of the suite disagree about its bytes: not all of them can be rolled back to";
            findings.fault(path, problem);
        }
    }
}

/// Compares the size of every file that retained generations reference; returns those of the expected size, whose bytes
/// are compared like those of current files.
fn compare_sizes(
    led_to: impl Iterator<Item = (String, Expected)>,
    there: &mut BTreeMap<String, StoredObject>,
    findings: &mut Findings,
) -> Vec<(StoredObject, Expected)> {
    let mut stored = Vec::new();
    for (path, expected) in led_to {
        // Packages may be outside the pool, where nothing was listed.
        let looked_for = layout::is_in_tree(&path);
        let is_index = layout::is_in_dists(&path);
        match there.remove(&path) {
            Some(found) if found.size == expected.size => stored.push((found, expected)),
            // Listed, but never stored.
            None if is_index || !looked_for => {}
            None => findings.fault(path, MISSING),
            Some(StoredObject { size, .. }) => {
                let problem = format!(
                    "it has {size} bytes; a retained generation of the suite lists {}",
                    expected.size
                );
                differs(path, &problem, findings);
            }
        }
    }
    stored
}

/// Reports a file that differs from the one that a retained generation lists. A patch, or a list of them, is no fault:
/// clients download the index instead.
fn differs(path: String, problem: &str, findings: &mut Findings) {
    let is_of_patches = match ArchivePath::of(&path) {
        ArchivePath::Dists(SuitePath::Patch { .. }) => true,
        ArchivePath::Dists(SuitePath::ByHash { folder, .. }) => is_patch_folder(folder),
        _ => false,
    };
    if is_of_patches {
        findings.note(format!("`{path}` is damaged: {problem}"));
    } else {
        findings.fault(path, problem);
    }
}
