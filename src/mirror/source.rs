//! Opens the suites of the source, and verifies each before anything of it is copied.
//!
//! The keys are those that the caller trusts. If there are none: those that the destination publishes, with which its
//! clients verify the suite; for a suite that is new there, those that the source publishes, which only prove that the
//! suite fits them. A suite that is not signed needs none; that it does not take the place of a signed one is checked
//! later.

use super::run::{PublishedKeys, Run};
use crate::{
    names::Suite,
    operations::upstream::refuse_expired,
    signing::Keyring,
    store::{Location, Store, unless_larger},
    suite::{
        archive::KEY_FILE,
        error::Error,
        event::Event,
        limits,
        published::{PublishedSuite, made_for},
        trust::Trust,
    },
};

impl Run<'_> {
    /// Opens every suite, and returns whether the public keys of the source may be copied: they must not take the
    /// place of others if a suite cannot be verified, since later runs may verify with them.
    pub(super) async fn open_all(&mut self) -> Result<bool, Error> {
        let mut is_refused = false;
        for suite in self.how.suites {
            match self.open_source(suite).await {
                Ok(opened) => {
                    self.opened.insert(suite.clone(), opened);
                }
                Err(Error::Unverified { .. }) => is_refused = true,
                // Reported when the suite is copied.
                Err(_) => {}
            }
        }
        let is_new = || async { Ok::<_, Error>(self.destination.size(KEY_FILE).await?.is_none()) };
        Ok(!is_refused || !self.opened.is_empty() && is_new().await?)
    }

    /// Opens and verifies a suite.
    ///
    /// # Errors
    /// [`Error::Unverified`] if it is not signed by one of the keys.
    pub(super) async fn open_source(&mut self, suite: &Suite) -> Result<PublishedSuite, Error> {
        if let Some(opened) = self.opened.remove(suite) {
            return Ok(opened);
        }
        let opened = self.open_verified(suite).await.and_then(|opened| {
            // An old copy, on the web or on a disk, must not replace a newer one.
            if let Some(release) = opened.release() {
                refuse_expired(release, suite, &self.archive.trust)?;
            }
            Ok(opened)
        });
        opened.map_err(|error| match error {
            Error::Untrusted { .. }
            | Error::NotSigned { .. }
            | Error::NoPublicKey { .. }
            | Error::OtherSuite { .. } => Error::Unverified { suite: suite.clone(), source: Box::new(error) },
            error => error,
        })
    }

    async fn open_verified(&mut self, suite: &Suite) -> Result<PublishedSuite, Error> {
        let archive = self.archive;
        let trust = &archive.trust.clone().of_source();
        let source = PublishedSuite::look(&archive.store, suite, trust).await?;
        let Some(pointer) = source.pointer().filter(|pointer| pointer.signed) else { return Ok(source) };
        if trust.adopts() || trust.now.is_none() {
            return Ok(source);
        }
        if !pointer.signers.is_empty() {
            self.refuse_other(suite, &source).await?;
            return Ok(source);
        }
        let with = async |keys: &Keyring| source.look_again(&trust.with_keys(keys.clone())).await;
        // Those of the destination alone may do, without a request to the source.
        let destination = self.destination_keys().await?;
        if !destination.is_empty()
            && let Ok(verified) = with(&destination).await
        {
            self.refuse_other(suite, &verified).await?;
            return Ok(verified);
        }
        let PublishedKeys { source: own, destination } = self.published_keys().await?;
        if !destination.is_empty()
            && let Ok(verified) = with(&destination).await
        {
            self.refuse_other(suite, &verified).await?;
            return Ok(verified);
        }
        match self.signed_there(suite).await? {
            // Nothing changes.
            Some(there) if there.pointer().map(|there| &there.bytes) == Some(&pointer.bytes) => Ok(source),
            Some(_) if destination.is_empty() => Err(Error::NoPublicKey { suite: suite.clone() }),
            Some(_) => with(&destination).await,
            // The first copy of a suite that no known key verifies is reported as unverified.
            None if own.is_empty() => Ok(source),
            None => {
                let verified = with(&own).await?;
                // The owner of a folder or a bucket knows whose keys are there.
                if let Location::Web(_) = archive.store.location() {
                    (self.how.events)(Event::KeysOfSource { suite: suite.clone() });
                }
                Ok(verified)
            }
        }
    }

    /// Returns the suite at the destination, if it is signed.
    async fn signed_there(&self, suite: &Suite) -> Result<Option<PublishedSuite>, Error> {
        let there = PublishedSuite::look(self.destination, suite, &Trust::unverified()).await?;
        Ok(Some(there).filter(|there| there.pointer().is_some_and(|pointer| pointer.signed)))
    }

    /// Refuses a suite that was signed for another one, unless the one at the destination has such a name too.
    async fn refuse_other(&self, suite: &Suite, source: &PublishedSuite) -> Result<(), Error> {
        let Some(pointer) = source.pointer() else { return Ok(()) };
        let Err(other) = made_for(suite, &pointer.release, &source.path(pointer.file())) else {
            return Ok(());
        };
        let there = self.signed_there(suite).await?;
        let fits = |there: &PublishedSuite| {
            there.release().is_some_and(|release| made_for(suite, release, "").is_ok())
        };
        if there.is_some_and(|there| fits(&there)) { Err(other) } else { Ok(()) }
    }

    /// Reads the keys that the destination publishes, once.
    async fn destination_keys(&mut self) -> Result<Keyring, Error> {
        if self.destination_keys.is_none() {
            self.destination_keys = Some(keys_of(self.destination).await?);
        }
        Ok(self.destination_keys.clone().unwrap_or_default())
    }

    /// Reads the keys that both sides publish, once.
    async fn published_keys(&mut self) -> Result<PublishedKeys, Error> {
        if let Some(known) = &self.published_keys {
            return Ok(known.clone());
        }
        let source = keys_of(&self.archive.store).await?;
        let mut destination = self.destination_keys().await?;
        // A key may have been extended since; only the owner of a key can do that.
        destination.merge(&source.only(&destination.fingerprints()));
        Ok(self.published_keys.insert(PublishedKeys { source, destination }).clone())
    }
}

/// Reads the keys that an archive publishes; none if the file is missing or invalid.
async fn keys_of(store: &Store) -> Result<Keyring, Error> {
    let read = unless_larger(store.read(KEY_FILE, limits::KEYS).await);
    let mut keyring = Keyring::new();
    if let Some(object) = store.unless_refused(read)?
        && keyring.add_bytes(KEY_FILE, &object.bytes).is_err()
    {
        return Ok(Keyring::new());
    }
    Ok(keyring)
}
