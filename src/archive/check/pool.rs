//! The files of the pool: each must be the one that the indices name.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{caches::Changes, differs, findings::Findings};
use crate::{
    archive::{Archive, Error, Event, Events, KEY_FILE, limits, suite::is_listed},
    dists::release::Listed,
    pool::PoolPath,
    store,
};

/// How many files are read at once.
const AT_ONCE: usize = 8;
/// How many a web server is asked for at once.
const AT_ONCE_ON_THE_WEB: usize = 16;
/// Who refuses so many files in a row refuses the others too, and each takes seconds of repetitions.
const ENOUGH: usize = 50;

impl Archive {
    /// Compares every file with what is said of it: to its last byte, but on the web by its size unless `deep` is wanted.
    pub(super) async fn check_pool(
        &self,
        pool: BTreeMap<PoolPath, Listed>,
        deep: bool,
        findings: &mut Findings,
        events: Events<'_>,
    ) -> Result<(), Error> {
        let total = pool.len();
        let by_size = self.is_on_the_web() && !deep;
        let at_once = if self.is_on_the_web() { AT_ONCE_ON_THE_WEB } else { AT_ONCE };
        let looks = stream::iter(pool).map(|(path, listed)| async move {
            let mut found = Findings::default();
            let answer = self.check_pool_file(path.as_str(), &listed, by_size, &mut found).await?;
            Ok::<_, Error>((answer, found))
        });
        let mut looks = looks.buffer_unordered(at_once).enumerate();
        let mut refused = 0;
        while let Some((done, look)) = looks.next().await {
            let (answer, found) = look?;
            findings.merge(found);
            events(Event::Read { done: done + 1, total });
            refused = if answer == Answer::Refused { refused + 1 } else { 0 };
            let left = total - done - 1;
            if refused == ENOUGH && left > 0 {
                let problem = format!("{ENOUGH} files in a row were refused; {left} more were not asked for");
                findings.fault("pool", problem);
                break;
            }
        }
        Ok(())
    }

    async fn check_pool_file(
        &self,
        path: &str,
        listed: &Listed,
        by_size: bool,
        findings: &mut Findings,
    ) -> Result<Answer, Error> {
        if by_size {
            match self.store.found_served(path).await {
                Ok(Some((found, served))) if found.size == listed.size => {
                    findings.served(path, Changes::Never, served.as_ref());
                    findings.files += 1;
                    return Ok(Answer::Given);
                }
                // No client asks with HEAD, and some servers do not know it well: what GET says counts.
                _ => {}
            }
        }
        let (found, served) = match self.store.digests_served(path, limits::compared(listed.size)).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                findings.files += 1;
                findings.fault(path, "it is missing, although an index names it");
                return Ok(Answer::Given);
            }
            Err(error @ store::Error::TooLarge { .. }) => {
                findings.files += 1;
                findings.fault(path, error.to_string());
                return Ok(Answer::Given);
            }
            Err(error) if self.is_on_the_web() && !(error.is_unreachable() && self.is_gone().await) => {
                findings.refused(path, &error);
                return Ok(Answer::Refused);
            }
            Err(error) => return Err(error.into()),
        };
        findings.files += 1;
        findings.served(path, Changes::Never, served.as_ref());
        if !is_listed(listed, &found) {
            findings.fault(path, differs(listed, &found));
        }
        Ok(Answer::Given)
    }

    /// Whether nothing at all is heard of the server, of which the pointer was read a moment ago.
    async fn is_gone(&self) -> bool {
        self.store.found(KEY_FILE).await.is_err_and(|error| error.is_unreachable())
    }
}

/// What a server made of being asked for a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It gave it, or said that there is none.
    Given,
    /// It did neither.
    Refused,
}
