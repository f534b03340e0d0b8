//! An independent by-hash client, written from apt's rules without the code of `publish` except its decompression, that
//! checks every step. It knows all earlier texts of the indices, and applies the patches that lead from them.
//!
//! Every pointer that was ever current is a promise: all files that it references must exist, unchanged, from then on.
//! See `DebianRepository/Format` in the Debian wiki.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read as _,
    sync::Arc,
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use publish::compression::Compression;

use crate::sandbox::sha256;

/// The folder of suite `stable`.
const SUITE: &str = "dists/stable";

/// The ending of a list of patches; it is stored compressed alone.
const PATCHES: &str = ".diff/Index";

/// The files that a pointer references: size and SHA256 of each.
#[derive(Clone)]
struct Promise {
    pointer: Bytes,
    files: BTreeMap<String, (u64, String)>,
    packages: BTreeSet<String>,
    /// The indices, by their paths.
    indices: BTreeMap<String, Bytes>,
}

/// Checks an archive repeatedly.
#[derive(Clone)]
pub(crate) struct Auditor {
    objects: Arc<dyn ObjectStore>,
    /// All pointers that were current, the latest last.
    promised: Vec<Promise>,
    /// The files read so far, by path: `ETag`, size and SHA256.
    known: HashMap<String, (Option<String>, u64, String)>,
}

impl Auditor {
    pub(crate) fn of(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, promised: Vec::new(), known: HashMap::new() }
    }

    /// The same client on a copy of the objects that it checked.
    pub(crate) fn moved_to(&self, objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, ..self.clone() }
    }

    /// Adds the retained pointers to the promises.
    pub(crate) async fn expect_generations(&mut self) -> Result<(), String> {
        let folder = Path::parse(format!("{SUITE}/generations")).unwrap();
        let found: Vec<_> = self.objects.list(Some(&folder)).try_collect().await.unwrap();
        for object in found {
            if matches!(object.location.filename(), Some("InRelease" | "Release")) {
                let pointer = self.read(object.location.as_ref()).await.unwrap();
                self.expect(pointer).await?;
            }
        }
        Ok(())
    }

    /// Checks the archive once; the error describes the file that a client would miss.
    pub(crate) async fn audit(&mut self) -> Result<(), String> {
        let mut pointer = self.read(&format!("{SUITE}/InRelease")).await;
        if pointer.is_none() {
            pointer = self.read(&format!("{SUITE}/Release")).await;
        }
        match (pointer, self.promised.last()) {
            (None, Some(_)) => return Err("the pointer is gone".to_owned()),
            (Some(pointer), _) => self.expect(pointer).await?,
            (None, None) => {}
        }
        let promised: BTreeMap<String, (u64, String)> =
            self.promised.iter().flat_map(|promise| promise.files.clone()).collect();
        for (path, (size, digest)) in promised {
            let there = self.found(&path).await.ok_or_else(|| format!("`{path}` is gone"))?;
            if there != (size, digest) {
                return Err(format!("`{path}` has other bytes: {there:?}"));
            }
        }
        Ok(())
    }

    /// The packages of the latest pointer: `NAME VERSION ARCHITECTURE`.
    pub(crate) fn packages(&self) -> BTreeSet<String> {
        self.promised.last().map(|promise| promise.packages.clone()).unwrap_or_default()
    }

    /// The number of pointers seen.
    pub(crate) fn pointers(&self) -> usize {
        self.promised.len()
    }

    async fn read(&self, path: &str) -> Option<Bytes> {
        match self.objects.get(&Path::parse(path).unwrap()).await {
            Ok(object) => Some(object.bytes().await.unwrap()),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// The size and digest of an object; it is read only if its `ETag` has changed.
    async fn found(&mut self, path: &str) -> Option<(u64, String)> {
        let found = match self.objects.head(&Path::parse(path).unwrap()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return None,
            Err(error) => panic!("{path}: {error}"),
        };
        if let Some((tag, size, digest)) = self.known.get(path)
            && (tag, size) == (&found.e_tag, &found.size)
        {
            return Some((*size, digest.clone()));
        }
        let digest = sha256(&self.read(path).await?);
        self.known.insert(path.to_owned(), (found.e_tag, found.size, digest.clone()));
        Some((found.size, digest))
    }

    /// Reads the files that a pointer references and adds them to the promises.
    async fn expect(&mut self, pointer: Bytes) -> Result<(), String> {
        if let Some(at) = self.promised.iter().position(|promise| promise.pointer == pointer) {
            // The pointer was seen before: it becomes the latest again.
            let promise = self.promised.remove(at);
            self.promised.push(promise);
            return Ok(());
        }
        let text = String::from_utf8(pointer.to_vec()).unwrap();
        let signed = text.split("\n-----BEGIN PGP SIGNATURE-----").next().unwrap();
        let mut promise =
            Promise { pointer, files: BTreeMap::new(), packages: BTreeSet::new(), indices: BTreeMap::new() };
        let mut lists = Vec::new();
        let (_, list) = signed.split_once("\nSHA256:\n").ok_or("a pointer without SHA256")?;
        for line in list.lines().take_while(|line| line.starts_with(' ')) {
            let [digest, size, path] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                return Err(format!("a bad line in the pointer: {line}"));
            };
            let (folder, name) = path.rsplit_once('/').ok_or_else(|| format!("a bad path: {path}"))?;
            let by_hash = format!("{SUITE}/{folder}/by-hash/SHA256/{digest}");
            if name == "Packages" {
                let index = self.read(&by_hash).await;
                let index = index.ok_or_else(|| format!("`{path}` is not there as `{by_hash}`"))?;
                promise.add_packages(std::str::from_utf8(&index).unwrap())?;
                promise.indices.insert(path.to_owned(), index);
            }
            if path.ends_with(PATCHES) {
                continue;
            }
            if let Some(index) = path.strip_suffix(".xz").and_then(|plain| plain.strip_suffix(PATCHES)) {
                let list = self.read(&by_hash).await;
                lists.push((index.to_owned(), unpacked(Compression::Xz, &list.unwrap_or_default())));
            }
            promise.files.insert(by_hash, (size.parse().unwrap(), digest.to_owned()));
        }
        for (index, list) in lists {
            self.patch(&index, &String::from_utf8(list).unwrap(), &mut promise).await?;
        }
        self.promised.push(promise);
        Ok(())
    }

    /// Applies the patches of an index, from every earlier text that the list names: each must exist, and make the
    /// current one.
    async fn patch(&self, index: &str, list: &str, promise: &mut Promise) -> Result<(), String> {
        let current = promise.indices.get(index).ok_or("patches of an index that is not listed")?;
        let lines = |field: &str| -> Vec<(String, u64, String)> {
            let found = list.split(&format!("{field}:\n")).nth(1).unwrap_or_default();
            let lines = found.lines().take_while(|line| line.starts_with(' '));
            lines
                .map(|line| {
                    let [digest, size, name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                        panic!("{line}")
                    };
                    (digest.to_owned(), size.parse().unwrap(), name.to_owned())
                })
                .collect()
        };
        if !list.contains(&format!("SHA256-Current: {} {}\n", sha256(current), current.len())) {
            return Err(format!("the list of patches of `{index}` is of another text"));
        }
        let mut scripts = Vec::new();
        for (digest, size, name) in lines("SHA256-Download") {
            let path = format!("{SUITE}/{index}.diff/{name}");
            let file = self.read(&path).await.ok_or_else(|| format!("the patch `{path}` is gone"))?;
            if (sha256(&file), file.len() as u64) != (digest.clone(), size) {
                return Err(format!("the patch `{path}` has other bytes"));
            }
            scripts.push(unpacked(Compression::Gzip, &file));
            promise.files.insert(path, (size, digest));
        }
        let history = lines("SHA256-History");
        let earlier = self.promised.iter().filter_map(|promise| promise.indices.get(index));
        for text in earlier.filter(|text| *text != current) {
            let digest = sha256(text);
            // apt begins with the last of several equal texts.
            let Some(first) = history.iter().rposition(|(from, ..)| *from == digest) else { continue };
            let patched = scripts[first..].iter().fold(text.to_vec(), |text, script| patched(&text, script));
            if patched != **current {
                return Err(format!("the patches of `{index}` make another text of {digest}"));
            }
        }
        Ok(())
    }
}

fn unpacked(compression: Compression, file: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    compression.index_decoder(file).unwrap().read_to_end(&mut text).unwrap();
    text
}

/// Applies a script of ed to a text: commands with descending line numbers.
fn patched(text: &[u8], script: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let mut script = script.split_inclusive(|&byte| byte == b'\n');
    while let Some(command) = script.next() {
        let command = std::str::from_utf8(command).unwrap().trim_end();
        let (numbers, action) = command.split_at(command.len() - 1);
        let (first, last) = numbers.split_once(',').unwrap_or((numbers, numbers));
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        let range = if action == "a" { last..last } else { first - 1..last };
        let new: Vec<&[u8]> = match action {
            "d" => Vec::new(),
            _ => script.by_ref().take_while(|line| *line != b".\n").collect(),
        };
        lines.splice(range, new);
    }
    lines.concat()
}

impl Promise {
    fn add_packages(&mut self, index: &str) -> Result<(), String> {
        for stanza in index.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let field = |name: &str| {
                let mut lines = stanza.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                lines.next().ok_or_else(|| format!("no `{name}` in:\n{stanza}"))
            };
            let shown = format!("{} {} {}", field("Package")?, field("Version")?, field("Architecture")?);
            self.packages.insert(shown);
            let size = field("Size")?.parse().unwrap();
            self.files.insert(field("Filename")?.to_owned(), (size, field("SHA256")?.to_owned()));
        }
        Ok(())
    }
}
