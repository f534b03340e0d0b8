//! A local cache: objects read from remote stores, by digest, and facts detected about stores.
//!
//! Nothing depends on it: it may be deleted at any time, and a file whose content does not match its name is treated
//! as absent. Every file is written under a temporary name first, so any number of processes may use the cache
//! concurrently.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use super::environment::Environment;
use crate::digest::Sha256Digest;

/// The default size limit.
const LIMIT: u64 = 1 << 30;
/// Facts about a store are short texts.
const FACT: u64 = 64 << 10;

/// A cache folder.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limit: u64,
}

impl Cache {
    /// Opens the cache in a folder, which is created on the first write; its size returns below `limit` bytes soon
    /// after each write.
    #[must_use]
    pub fn new(folder: &Path, limit: u64) -> Self {
        Self(Arc::new(Inner { folder: folder.to_owned(), limit }))
    }

    /// Opens the cache of the current user: `$PUBLISH_CACHE_DIR`, or `publish` in the user's cache folder; `None`
    /// without a home directory.
    #[must_use]
    pub fn of(environment: &Environment) -> Option<Self> {
        let absolute = |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let own = || {
            let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
            Some(caches.join("publish"))
        };
        Some(Self::new(&absolute("PUBLISH_CACHE_DIR").or_else(own)?, LIMIT))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    pub(super) fn limit(&self) -> u64 {
        self.0.limit
    }

    /// The largest object that is cached.
    fn largest(&self) -> u64 {
        self.0.limit / 4
    }

    fn object(&self, sha256: &Sha256Digest) -> PathBuf {
        self.0.folder.join("objects").join(sha256.to_string())
    }

    /// Reads cached bytes.
    pub(super) fn get(&self, sha256: &Sha256Digest) -> Option<Bytes> {
        let path = self.object(sha256);
        let bytes = crate::regular::read_within(&path, self.largest()).ok()?;
        if Sha256Digest::of(&bytes) != *sha256 {
            let _ = fs::remove_file(&path);
            return None;
        }
        // Eviction removes the least recently used files first.
        let file = fs::File::options().write(true).open(&path);
        let _ = file.and_then(|file| file.set_modified(now()));
        Some(bytes.into())
    }

    /// Stores bytes, best effort: errors are ignored.
    pub(super) fn put(&self, sha256: &Sha256Digest, bytes: &[u8]) {
        let path = self.object(sha256);
        if bytes.len() as u64 <= self.largest() && !path.exists() && self.write(&path, bytes).is_ok() {
            let _ = self.trim();
        }
    }

    fn derived(&self, kind: &str, of: &Sha256Digest) -> PathBuf {
        self.0.folder.join("objects").join(format!("{of}-{kind}"))
    }

    /// Reads bytes that were derived from an object.
    pub(super) fn get_derived(&self, kind: &str, of: &Sha256Digest) -> Option<Bytes> {
        let path = self.derived(kind, of);
        let stored = Bytes::from(crate::regular::read_within(&path, self.largest()).ok()?);
        let (digest, bytes) = (stored.get(..64)?, stored.slice(64..));
        if Sha256Digest::of(&bytes).to_string().as_bytes() != digest {
            let _ = fs::remove_file(&path);
            return None;
        }
        let file = fs::File::options().write(true).open(&path);
        let _ = file.and_then(|file| file.set_modified(now()));
        Some(bytes)
    }

    /// Stores bytes that were derived from an object, with their own digest; best effort.
    pub(super) fn put_derived(&self, kind: &str, of: &Sha256Digest, bytes: &[u8]) {
        let path = self.derived(kind, of);
        let stored = [Sha256Digest::of(bytes).to_string().as_bytes(), bytes].concat();
        if stored.len() as u64 <= self.largest() && !path.exists() && self.write(&path, &stored).is_ok() {
            let _ = self.trim();
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.0.folder);
        // The archive may be private, so other users must not read the cache.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    }

    /// Removes the least recently used files until the limit holds, and temporary files left over from a crash.
    fn trim(&self) -> io::Result<()> {
        const UNFINISHED: Duration = Duration::from_secs(60 * 60);
        let mut files = Vec::new();
        for entry in fs::read_dir(self.0.folder.join("objects"))? {
            let entry = entry?;
            // Another process may have removed it.
            let Ok(metadata) = entry.metadata() else { continue };
            let modified = metadata.modified()?;
            if entry.file_name().as_encoded_bytes().starts_with(b".new-") {
                if now().duration_since(modified).is_ok_and(|age| age > UNFINISHED) {
                    let _ = fs::remove_file(entry.path());
                }
                continue;
            }
            files.push((modified, metadata.len(), entry.path()));
        }
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        if total <= self.0.limit {
            return Ok(());
        }
        files.sort_unstable();
        for (_, size, path) in files {
            let _ = fs::remove_file(path);
            total -= size;
            if total <= self.0.limit / 4 * 3 {
                break;
            }
        }
        Ok(())
    }

    fn fact(&self, kind: &str, subject: &str) -> PathBuf {
        self.0.folder.join(kind).join(Sha256Digest::of(subject.as_bytes()).to_string())
    }

    /// Reads the fact that was stored for a subject, and its age.
    pub(crate) fn recall(&self, kind: &str, subject: &str) -> Option<(String, Duration)> {
        let path = self.fact(kind, subject);
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
        let text = String::from_utf8(crate::regular::read_within(&path, FACT).ok()?).ok()?;
        Some((text, now().duration_since(modified).unwrap_or_default()))
    }

    /// Stores a fact for a subject; replaces the previous one.
    pub(crate) fn remember(&self, kind: &str, subject: &str, text: &str) {
        let _ = self.write(&self.fact(kind, subject), text.as_bytes());
    }
}

/// The clock for access times of cache files, which only this machine compares.
pub(super) fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "compared with times of files in the cache alone")]
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(limit: u64) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(&folder.path().join("publish"), limit);
        (folder, cache)
    }

    #[test]
    fn cached_bytes_are_found_by_their_digest() {
        let (_folder, cache) = cache(1000);
        let sha256 = Sha256Digest::of(b"text");
        assert_eq!(cache.get(&sha256), None);
        cache.put(&sha256, b"text");
        assert_eq!(cache.get(&sha256).as_deref(), Some(&b"text"[..]));
    }

    #[test]
    fn a_damaged_cache_file_is_treated_as_absent() {
        let (_folder, cache) = cache(1000);
        let sha256 = Sha256Digest::of(b"text");
        cache.put(&sha256, b"text");
        fs::write(cache.object(&sha256), b"evil").unwrap();
        assert_eq!(cache.get(&sha256), None);
        assert!(!cache.object(&sha256).exists());
        cache.put(&sha256, b"text");
        assert!(cache.get(&sha256).is_some());
    }

    #[test]
    fn derived_bytes_are_found_by_the_object_and_verified() {
        let (_folder, cache) = cache(1000);
        let of = Sha256Digest::of(b"package");
        assert_eq!(cache.get_derived("files", &of), None);
        cache.put_derived("files", &of, b"list");
        assert_eq!(cache.get_derived("files", &of).as_deref(), Some(&b"list"[..]));
        assert_eq!((cache.get_derived("other", &of), cache.get(&of)), (None, None));
        for damaged in [&b"short"[..], &[b'0'; 70]] {
            fs::write(cache.derived("files", &of), damaged).unwrap();
            assert_eq!(cache.get_derived("files", &of), None);
        }
    }

    #[test]
    fn the_least_recently_used_file_is_evicted_first() {
        let (_folder, cache) = cache(1000);
        let digests: Vec<Sha256Digest> = (0..9_u8)
            .map(|number| {
                let bytes = [number; 120];
                let sha256 = Sha256Digest::of(&bytes);
                cache.put(&sha256, &bytes);
                // The first one is read again and again.
                let age = if number == 0 { 0 } else { 100 - u64::from(number) };
                let file = fs::File::options().write(true).open(cache.object(&sha256));
                if let Ok(file) = file {
                    file.set_modified(now() - Duration::from_secs(age)).unwrap();
                }
                sha256
            })
            .collect();
        let kept: Vec<bool> = digests.iter().map(|sha256| cache.object(sha256).exists()).collect();
        // The ninth object exceeds the limit with 1,080 bytes, and eviction goes down to 750.
        assert_eq!(kept, [true, false, false, false, true, true, true, true, true]);
    }

    #[test]
    fn facts_are_remembered_by_kind_and_subject() {
        let (_folder, cache) = cache(1000);
        assert_eq!(cache.recall("a", "s3://x"), None);
        cache.remember("a", "s3://x", "one");
        cache.remember("a", "s3://x", "two");
        cache.remember("b", "s3://x", "three");
        assert_eq!(cache.recall("a", "s3://x").unwrap().0, "two");
        assert!(cache.recall("a", "s3://x").unwrap().1 < Duration::from_secs(60));
        assert_eq!(cache.recall("a", "s3://y"), None);
    }

    #[test]
    fn the_default_folder_follows_the_xdg_specification() {
        let of = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Cache::of(&variables.collect()).map(|cache| cache.0.folder.clone())
        };
        assert_eq!(of(&[("HOME", "/h")]), Some("/h/.cache/publish".into()));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]), Some("/c/publish".into()));
        assert_eq!(of(&[("HOME", "/h"), ("PUBLISH_CACHE_DIR", "/p")]), Some("/p".into()));
        assert_eq!(of(&[("XDG_CACHE_HOME", "relative")]), None);
    }
}
