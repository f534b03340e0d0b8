//! `attach`: files of other tools that a suite lists in its release file, such as `AppStream` metadata
//! (`main/dep11/Components-amd64.yml`): published by the same commit as everything else, and found by their digests.

use bytes::Bytes;

use super::{
    attachment::{AttachedPath, Attachment},
    edit::SuiteEdit,
    plan::Plan,
};
use crate::{
    compression::Compression,
    config::SuiteConfig,
    dists::{
        IndexFile, IndexKey, Release,
        index_key::ContentsOf,
        layout::{SuitePath, uncompressed},
    },
    nearest::nearest,
    suite::{
        attach_fault::AttachFault,
        error::Error,
        published::PublishedSuite,
        refusal::{Reason, Refusal},
    },
};

impl SuiteEdit {
    /// Returns an edit that lists files of other tools, and takes others from the list.
    #[must_use]
    pub fn attaching(attach: Vec<Attachment>, detach: Vec<AttachedPath>) -> Self {
        Self { attach, detach, ..Self::default() }
    }

    /// The changes for the user.
    pub(super) fn attachment_changes(&self) -> Vec<String> {
        let attached = self.attach.iter().map(|file| format!("`{}` is attached", file.path.plain()));
        let detached = self.detach.iter().map(|path| format!("`{}` is detached", path.plain()));
        attached.chain(detached).collect()
    }

    /// Plans the files to list and to take from the list.
    pub(super) async fn apply_attachments(
        &self,
        published: &PublishedSuite,
        config: &SuiteConfig,
        plan: &mut Plan,
    ) -> Result<(), Error> {
        if self.attach.is_empty() && self.detach.is_empty() {
            return Ok(());
        }
        let Some(release) = published.release() else {
            return Err(Error::not_published(published.name()));
        };
        let mut refused = Vec::new();
        let refusal = |action, preposition, path: &AttachedPath, fault: AttachFault| {
            let (subject, suite) = (path.as_str().escape_debug().to_string(), Some(published.name().clone()));
            Refusal { action, preposition, subject, suite, source: Reason::Attach(fault) }
        };
        for Attachment { path, forms } in &self.attach {
            if let Some(suite) = suite_at(published, path).await? {
                refused.push(refusal("attach", "to", path, AttachFault::OtherSuite { suite }));
                continue;
            }
            let folder = || {
                let why = is_folder(path, release, config)?;
                Some(AttachFault::Path { path: path.as_str().to_owned(), why })
            };
            if let Some(fault) = writes(path, release, config).or_else(folder) {
                refused.push(refusal("attach", "to", path, fault));
                continue;
            }
            let file = |(compression, bytes): &(Compression, Bytes)| {
                IndexFile::new(format!("{}{}", path.plain(), compression.extension()), bytes.clone())
            };
            plan.attached.extend(forms.iter().map(file));
        }
        for path in &self.detach {
            let is_it = |listed: &&String| uncompressed(listed).0 == path.plain();
            if let Some(fault) = configured(path, config) {
                // The next commit would list it again.
                refused.push(refusal("detach", "from", path, fault));
            } else if release.own_files().any(|(listed, _)| is_it(&listed)) {
                plan.detached.insert(path.plain().to_owned());
            } else {
                refused.push(refusal("detach", "from", path, not_listed(path, published, config)));
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
    }
}

/// The fault of a file that the suite does not list, with the listed one that was meant: of the same name, or of nearly the
/// same path.
fn not_listed(path: &AttachedPath, published: &PublishedSuite, config: &SuiteConfig) -> AttachFault {
    let release = published.release();
    let mut attached: Vec<String> = Vec::new();
    for (listed, _) in release.into_iter().flat_map(Release::own_files) {
        let plain = uncompressed(listed).0;
        if AttachedPath::parse(plain).is_ok_and(|path| configured(&path, config).is_none()) {
            attached.push(plain.to_owned());
        }
    }
    attached.sort_unstable();
    attached.dedup();
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = last(path.plain());
    let mut of_name = attached.iter().filter(|other| last(other) == name);
    let near = match (of_name.next(), of_name.next()) {
        (Some(only), None) => Some(only.as_str()),
        _ => nearest(path.plain(), attached.iter().map(String::as_str)),
    };
    AttachFault::NotListed { suite: published.name().clone(), near: near.map(ToOwned::to_owned), attached }
}

/// Why a file is one that `publish` writes in this suite, or keeps up to date once it is listed.
fn writes(path: &AttachedPath, release: &Release, config: &SuiteConfig) -> Option<AttachFault> {
    let adopted = || match IndexKey::parse(path.plain()) {
        IndexKey::Contents { of: ContentsOf::Sources, .. } => None,
        IndexKey::Contents { .. } if release.files().contains_key(path.plain()) => {
            let why = "the suite has it, and `publish` keeps it up to date; detach it first";
            Some(AttachFault::Path { path: path.as_str().to_owned(), why })
        }
        _ => None,
    };
    configured(path, config).or_else(adopted)
}

/// Why a file is one that `publish` writes by the configuration of the suite.
fn configured(path: &AttachedPath, config: &SuiteConfig) -> Option<AttachFault> {
    let field = match IndexKey::parse(path.plain()) {
        IndexKey::Contents { of: ContentsOf::Sources, .. } => None,
        IndexKey::Contents { .. } => config.contents.as_ref().map(|_| "Contents"),
        IndexKey::Translation { language, .. } => {
            (&*language == "en" && config.translations).then_some("Translations: en")
        }
        _ => None,
    };
    field.map(|field| AttachFault::Configured { path: path.as_str().to_owned(), field })
}

/// Why a path cannot be that of a file: it is a folder with listed files, or one of its folders is a listed file.
fn is_folder(path: &AttachedPath, release: &Release, config: &SuiteConfig) -> Option<&'static str> {
    let plain = path.plain();
    let below =
        |folder: &str, file: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let components = release.components().unwrap_or_default().into_iter().chain(config.components.clone());
    let is_component = components.into_iter().any(|name| {
        let name = name.as_str();
        name == plain || below(plain, name)
    });
    if is_component || release.files().keys().any(|file| below(plain, file)) {
        return Some("the suite has a folder of that name");
    }
    let is_below_file = release.files().keys().any(|file| below(file, plain));
    is_below_file.then_some("the suite has a file with the name of one of its folders")
}

/// Returns the suite in whose folder an attached file would be.
async fn suite_at(published: &PublishedSuite, path: &AttachedPath) -> Result<Option<String>, Error> {
    for (at, _) in path.as_str().match_indices('/') {
        let folder = &path.as_str()[..at];
        for form in ["InRelease", "Release"] {
            let file = format!("{folder}/{form}");
            // Beside an index, `Release` describes the index.
            let is_release = matches!(SuitePath::of(&file), SuitePath::Release { .. });
            if is_release && published.store().size(&published.path(&file)).await?.is_some() {
                return Ok(Some(format!("{}/{folder}", published.name())));
            }
        }
    }
    Ok(None)
}
