//! Generations: the retained pointers of a suite, each in a folder of its own, and the retention policy for them.
//!
//! Invariant: every file that a kept generation references exists and is unchanged, for clients that have just read
//! that pointer and for `rollback`.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    damage,
    error::Error,
    limits,
    published::{PublishedSuite, Purpose, read_pointer},
    trust::Trust,
};
use crate::{
    digest::Digests,
    dists::layout::{self, ArchivePath, GenerationPart, ReleaseForm, SuitePath},
    names::Suite,
    signing,
    store::{self, Content, Store, StoredObject, unless_larger},
};

/// The folder of a suite's generations.
pub(crate) const FOLDER: &str = layout::GENERATIONS;
/// The folder of all suites.
const DISTS: &str = "dists/";

/// The file that marks a generation as published: the loser of a race for the pointer leaves a generation without it.
pub(crate) const MARK: &str = GenerationPart::Published.file_name();

/// Which generations of a suite are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The minimal number, including the current one.
    pub generations: usize,
    /// The minimal time after the next generation replaced it.
    pub span: Duration,
}

impl Keep {
    /// The configured retention. Without a time, only the current generation is kept unless a number is configured.
    #[must_use]
    pub fn of(generations: Option<usize>, span: Option<Duration>) -> Self {
        let default = Self::default();
        let fewest = if span == Some(Duration::ZERO) { 1 } else { default.generations };
        Self { generations: generations.unwrap_or(fewest), span: span.unwrap_or(default.span) }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { generations: 3, span: Duration::from_secs(7 * 24 * 60 * 60) }
    }
}

/// A retained pointer of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) name: String,
    /// The paths of its files.
    pub(crate) files: Vec<String>,
    /// When the first of them was written.
    written: SystemTime,
    /// When it became the pointer; `None` if it lost the race, as far as is known.
    pub(crate) published: Option<SystemTime>,
}

/// Returns the name of the generation of a pointer. It begins with the `Date`, so that names sort in the order of
/// publishing.
pub(crate) fn name(date: Timestamp, pointer: &[u8]) -> String {
    format!("{}-{}", beginning(date), short_digest(pointer))
}

/// Returns the prefix of the names of all generations of a `Date`.
pub(crate) fn beginning(date: Timestamp) -> String {
    date.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Whether a text has the form of a generation name.
pub(crate) fn is_name(text: &str) -> bool {
    let date = |text: &str| {
        let rest: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        text.len() == 16 && rest == "TZ"
    };
    text.split_once('-').is_some_and(|(time, digest)| {
        date(time) && digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Returns the first digits of a digest, which distinguish generations of the same second.
pub(crate) fn short_digest(pointer: &[u8]) -> String {
    let mut digest = Digests::of(pointer).sha256.to_string();
    digest.truncate(8);
    digest
}

impl PublishedSuite {
    /// The name of the generation of this pointer, if it is published, whether that generation is kept or not.
    #[must_use]
    pub fn generation(&self) -> Option<String> {
        let pointer = self.pointer()?;
        Some(name(pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH), &pointer.bytes))
    }
}

/// Returns the path of a file of a generation, below its suite.
pub(crate) fn path(generation: &str, file: &str) -> String {
    format!("{FOLDER}/{generation}/{file}")
}

/// Splits the path of a file of a generation into the folder of the suite, the name of the generation and the file.
pub(crate) fn parse(path: &str) -> Option<(&str, &str, &str)> {
    match ArchivePath::of(path) {
        ArchivePath::Dists(SuitePath::Generation { folder, name, part }) => {
            Some((path.get(..DISTS.len() + folder.len())?, name, part.file_name()))
        }
        _ => None,
    }
}

/// Marks a generation as published. Idempotent.
pub(crate) async fn mark_published(store: &Store, suite: &PublishedSuite, name: &str) -> Result<(), Error> {
    put_mark(store, &suite.path(&path(name, MARK)), "published\n").await
}

/// Removes the mark of a generation that has lost the race after all. Idempotent.
pub(crate) async fn unmark(store: &Store, suite: &PublishedSuite, name: &str) -> Result<(), Error> {
    Ok(store.delete(&suite.path(&path(name, MARK))).await?)
}

/// Writes a marker file, whose existence is its meaning.
pub(crate) async fn put_mark(store: &Store, path: &str, text: &'static str) -> Result<(), Error> {
    let text = Bytes::from_static(text.as_bytes());
    let digests = Digests::of(&text);
    match store.put_new(path, &Content::Bytes(text, digests)).await {
        // One with other bytes, such as an empty one after a power failure, means the same.
        Ok(_) | Err(store::Error::Occupied { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Keeps the published pointer as a generation if that is missing: its publisher was killed, or is another tool.
pub(crate) async fn keep_current(store: &Store, suite: &PublishedSuite) -> Result<Vec<String>, Error> {
    let Some(pointer) = suite.pointer() else { return Ok(Vec::new()) };
    let date = pointer.release.date().unwrap_or(Timestamp::UNIX_EPOCH);
    let name = name(date, &pointer.bytes);
    let kept = suite.path(&path(&name, pointer.file()));
    // On this machine it costs nothing to see that the kept copy is intact, too.
    if store.size(&suite.path(&path(&name, MARK))).await?.is_some()
        && (!store.is_local() || damage::holds(store, &kept, &pointer.bytes).await?)
    {
        return Ok(Vec::new());
    }
    let mut files = vec![(pointer.file(), pointer.bytes.clone())];
    if pointer.signed
        && let Some(signature) =
            unless_larger(store.read(&suite.path("Release.gpg"), limits::SIGNATURE).await)?
    {
        // `Release.gpg` may belong to another revision: it is written after the commit, or its publisher was killed
        // before.
        let belongs = !pointer.is_in_release() || {
            let text = signing::unverified_text(&pointer.bytes).unwrap_or_default();
            unless_larger(store.read(&suite.path("Release"), limits::RELEASE).await)?
                .is_some_and(|release| signing::says_the_same(&release.bytes, &text))
        };
        if belongs {
            files.push(("Release.gpg", signature.bytes));
        }
    }
    let mut written = Vec::new();
    for (file, bytes) in files {
        let to = suite.path(&path(&name, file));
        let is_there = if to == kept {
            damage::holds(store, &to, &bytes).await?
        } else {
            store.size(&to).await?.is_some()
        };
        if !is_there {
            write(store, &to, bytes).await?;
            written.push(to);
        }
    }
    mark_published(store, suite, &name).await?;
    Ok(written)
}

/// Writes the missing or damaged files of the current generation again: the published pointer, and its detached
/// signature. Returns the written files.
pub(crate) async fn mend_current(
    store: &Store,
    suite: &PublishedSuite,
    signature: Option<&Bytes>,
) -> Result<Vec<String>, Error> {
    let (Some(pointer), Some(name)) = (suite.pointer(), suite.generation()) else { return Ok(Vec::new()) };
    let signature = signature.map(|signature| (ReleaseForm::Signature.file_name(), signature));
    let mut written = Vec::new();
    for (file, bytes) in std::iter::once((pointer.file(), &pointer.bytes)).chain(signature) {
        let to = suite.path(&path(&name, file));
        if !damage::holds(store, &to, bytes).await? {
            write(store, &to, bytes.clone()).await?;
            written.push(to);
        }
    }
    mark_published(store, suite, &name).await?;
    Ok(written)
}

/// Writes a file of a generation, over a damaged one if necessary.
async fn write(store: &Store, path: &str, bytes: Bytes) -> Result<(), Error> {
    let digests = Digests::of(&bytes);
    let content = Content::Bytes(bytes, digests);
    match store.put_new(path, &content).await {
        Ok(_) => Ok(()),
        // Other bytes, or a file that cannot be read: the name fixes the content.
        Err(store::Error::Conflict { path }) => Err(store::Error::Conflict { path }.into()),
        Err(_) => Ok(store.renew(path, &content).await?),
    }
}

/// Returns the `Date` in the name of a generation.
pub(crate) fn date_of(name: &str) -> Option<Timestamp> {
    let (date, _) = name.split_once('-')?;
    let date = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Opens a suite at a generation, whose name must match the digest of its pointer.
pub(crate) async fn open(store: &Store, suite: &Suite, name: &str) -> Result<PublishedSuite, Error> {
    let folder = format!("dists/{suite}/{FOLDER}/{name}");
    let state = PublishedSuite::open_at(store, suite, &folder).await?;
    match state.pointer() {
        Some(pointer) if name.ends_with(&format!("-{}", short_digest(&pointer.bytes))) => Ok(state),
        Some(_) => Err(Error::Generation { path: folder }),
        None => Err(Error::GenerationGone { path: folder }),
    }
}

/// Opens a suite at a generation as a base, which must be signed by a trusted key.
pub(crate) async fn open_to_build_on(
    store: &Store,
    suite: &Suite,
    name: &str,
    trust: &Trust,
) -> Result<PublishedSuite, Error> {
    let state = open(store, suite, name).await?;
    let folder = format!("dists/{suite}/{FOLDER}/{name}");
    read_pointer(store, suite, &folder, trust, Purpose::BuildOn).await?;
    Ok(state)
}

/// Groups the files of a suite into generations, the newest first; skips files of other suites.
pub(crate) fn of_files<'a>(
    suite: &Suite,
    files: impl IntoIterator<Item = &'a StoredObject>,
) -> Vec<Generation> {
    let folder = format!("dists/{suite}");
    let mut found: BTreeMap<&str, Generation> = BTreeMap::new();
    for file in files {
        let Some((above, name, below)) = parse(&file.path) else { continue };
        // Records of other names of the suite are beside its generations.
        if above != folder || matches!(name, "names" | "name-of") {
            continue;
        }
        let generation = found.entry(name).or_insert_with(|| Generation {
            name: name.to_owned(),
            files: Vec::new(),
            written: file.modified,
            published: None,
        });
        generation.written = generation.written.min(file.modified);
        if below == MARK {
            generation.published = Some(file.modified);
        }
        generation.files.push(file.path.clone());
    }
    let mut found: Vec<Generation> = found.into_values().collect();
    // Generations of the same `Date` are in the order of publishing.
    let order = |generation: &Generation| {
        let date = generation.name.split('-').next().unwrap_or_default().to_owned();
        (date, generation.published.unwrap_or(generation.written), generation.name.clone())
    };
    found.sort_by_key(|generation| std::cmp::Reverse(order(generation)));
    found
}

impl Keep {
    /// Splits generations, the newest first, into kept and expired ones.
    ///
    /// A published generation expires when both limits are exceeded: the number of newer published ones, and the time
    /// since the first of these. An unpublished one expires by the time alone, since its publisher may still be at
    /// work. Nothing expires if the current generation is not among them.
    pub(crate) fn split(
        self,
        generations: Vec<Generation>,
        current: &PublishedSuite,
        now: SystemTime,
    ) -> (Vec<Generation>, Vec<Generation>) {
        let end = current.pointer().map(|pointer| format!("-{}", short_digest(&pointer.bytes)));
        let is_current =
            |generation: &Generation| end.as_ref().is_some_and(|end| generation.name.ends_with(end.as_str()));
        let (mut kept, mut retired) = (Vec::new(), Vec::new());
        // The number of newer published generations and the time of the first of them, counted from the current one.
        let mut newer: Option<(usize, SystemTime)> = None;
        for generation in generations {
            let is_retired = newer.is_some_and(|(published, ended)| {
                let enough = generation.published.is_none() || published >= self.generations;
                enough && is_older(ended, now, self.span)
            });
            if is_current(&generation) || (newer.is_some() && generation.published.is_some()) {
                let since = generation.published.unwrap_or(generation.written);
                let (count, ended) = newer.unwrap_or((0, since));
                newer = Some((count + 1, ended.min(since)));
            }
            if is_retired { retired.push(generation) } else { kept.push(generation) }
        }
        (kept, retired)
    }
}

/// Whether a time is more than a span ago.
pub(crate) fn is_older(time: SystemTime, now: SystemTime, span: Duration) -> bool {
    now.duration_since(time).is_ok_and(|age| age > span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Environment, Location};

    const HOUR: u64 = 60 * 60;

    fn at(hours: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(hours * HOUR)
    }

    fn generation(name: &str, published: Option<u64>) -> Generation {
        let written = at(published.unwrap_or(0));
        Generation { name: name.to_owned(), files: Vec::new(), written, published: published.map(at) }
    }

    /// A suite whose pointer has the digest that [`end`] gives.
    async fn suite() -> PublishedSuite {
        let store = Store::open(&Location::Memory, &Environment::default()).unwrap();
        store.replace("dists/stable/Release", Bytes::from_static(RELEASE)).await.unwrap();
        PublishedSuite::open_at(&store, &Suite::parse("stable").unwrap(), "dists/stable").await.unwrap()
    }

    const RELEASE: &[u8] = b"Codename: stable\nDate: Sun, 01 Jan 2023 00:00:00 UTC\nArchitectures: amd64\nComponents: main\nSHA256:\n";

    fn retired(keep: Keep, all: &[Generation], current: &PublishedSuite, now: u64) -> Vec<String> {
        let (kept, retired) = keep.split(all.to_vec(), current, at(now));
        assert_eq!(kept.len() + retired.len(), all.len());
        retired.into_iter().map(|generation| generation.name).collect()
    }

    #[tokio::test]
    async fn both_the_number_and_the_span_must_have_passed() {
        let current = suite().await;
        let end = short_digest(RELEASE);
        let all = [
            generation(&format!("5-{end}"), Some(50)),
            generation("4-d", Some(40)),
            generation("3-c", Some(30)),
            generation("2-b", Some(20)),
            generation("1-a", Some(10)),
        ];
        let keep = |generations, hours| Keep { generations, span: Duration::from_secs(hours * HOUR) };
        assert_eq!(retired(keep(1, 24), &all, &current, 60), ["2-b", "1-a"]);
        assert_eq!(retired(keep(4, 24), &all, &current, 60), ["1-a"]);
        assert_eq!(retired(keep(1, 24), &all, &current, 75), ["4-d", "3-c", "2-b", "1-a"]);
        assert_eq!(retired(keep(1, 24), &all, &current, 74), ["3-c", "2-b", "1-a"], "24 hours, not more");
        assert_eq!(retired(keep(9, 1), &all, &current, 1000), [""; 0]);
    }

    #[tokio::test]
    async fn unpublished_generations_do_not_count_and_expire_by_the_span() {
        let current = suite().await;
        let end = short_digest(RELEASE);
        let all = [
            generation("6-f", None),
            generation(&format!("5-{end}"), Some(50)),
            generation("4-d", None),
            generation("3-c", Some(30)),
            generation("2-b", None),
            generation("1-a", Some(10)),
        ];
        let keep = |generations| Keep { generations, span: Duration::from_secs(HOUR) };
        assert_eq!(retired(keep(2), &all, &current, 60), ["4-d", "2-b", "1-a"]);
        assert_eq!(retired(keep(3), &all, &current, 60), ["4-d", "2-b"]);
        // The pointer was restored by hand: no generation is known to be newer.
        let other = [generation("6-f", Some(60)), generation("1-a", Some(10))];
        assert_eq!(retired(keep(1), &other, &current, 1000), [""; 0]);
    }

    #[tokio::test]
    async fn the_current_generation_counts_as_published_without_a_mark() {
        let current = suite().await;
        let all = [
            Generation { written: at(50), ..generation(&format!("5-{}", short_digest(RELEASE)), None) },
            generation("4-d", Some(40)),
        ];
        let keep = Keep { generations: 1, span: Duration::from_secs(HOUR) };
        assert_eq!(retired(keep, &all, &current, 51), [""; 0]);
        assert_eq!(retired(keep, &all, &current, 52), ["4-d"]);
    }

    #[test]
    fn only_whole_names_have_the_form_of_a_name() {
        assert!(is_name(&name(Timestamp::UNIX_EPOCH, RELEASE)));
        assert_eq!(date_of(&name(Timestamp::UNIX_EPOCH, RELEASE)), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(date_of("1-a"), None);
        for other in ["", "20250601T000100Z", "20250601T000100Z-", "20250601T000100Z-1a2b3c4", "1-1a2b3c4d"] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn paths_are_split_into_suite_name_and_file() {
        assert_eq!(parse("dists/a/b/generations/1-x/InRelease"), Some(("dists/a/b", "1-x", "InRelease")));
        assert_eq!(parse("dists/a/main/binary-amd64/Packages"), None);
        assert_eq!(parse("dists/generations/x"), None);
        let file =
            |path: &str, hours| StoredObject { path: path.into(), size: 1, md5: None, modified: at(hours) };
        let files = [
            file("dists/stable/generations/1-a/InRelease", 1),
            file("dists/stable/generations/1-a/published", 2),
            file("dists/stable/generations/2-b/InRelease", 3),
            file("dists/other/generations/3-c/InRelease", 4),
            file("dists/stable/InRelease", 5),
        ];
        let found = of_files(&Suite::parse("stable").unwrap(), &files);
        let parsed: Vec<_> =
            found.iter().map(|found| (&found.name[..], found.written, found.published)).collect();
        assert_eq!(parsed, [("2-b", at(3), None), ("1-a", at(1), Some(at(2)))]);
        assert_eq!(found[1].files.len(), 2);
    }
}
