//! `SuiteConfig`: the configuration of one suite.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    by_hand::ByHandHook,
    contents::ContentsConfig,
    fields::{Patches, Sources},
    records::Records,
};
use crate::{
    compression::Compression,
    names::{Architecture, Component, Suite},
    package_type::PackageType,
};

/// The configuration of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent fields of a file")]
#[non_exhaustive]
pub struct SuiteConfig {
    /// The folder below `dists/`, and `Codename` in `Release`.
    pub codename: Suite,
    /// `Suite` in `Release`; another name of the suite.
    pub suite: Option<String>,
    /// The components; the first is the default.
    pub components: Vec<Component>,
    /// The prefix that the release file has before every component and not at the end of the names of the suite; the
    /// folders are without it (`FakeComponentPrefix` of reprepro).
    pub component_prefix: Option<Component>,
    /// The architectures, without `source`; empty for those of the packages.
    pub architectures: Vec<Architecture>,
    /// Whether it has source packages.
    pub sources: Sources,
    /// Fields that are copied to `Release` as they are.
    pub copied: Vec<(&'static str, String)>,
    /// The keys that sign, as written.
    pub sign_with: Vec<String>,
    /// Whether the suite is meant to have no signature: `SignWith: no`.
    pub unsigned: bool,
    /// Files with trusted keys besides those of `sign_with`.
    pub trusted_keys: Vec<PathBuf>,
    /// For how many days a `Release` is valid.
    pub valid_for: Option<Duration>,
    /// The compressions in which `Packages` is written.
    pub compressions: Vec<Compression>,
    /// Whether clients get patches of the indices.
    pub patches: Patches,
    /// Those of `Sources` and of the indices of udebs and ddebs, where they differ.
    pub other_compressions: BTreeMap<PackageType, Vec<Compression>>,
    /// The components that list udebs and ddebs; a type that is not in it may be in any component.
    pub separate: BTreeMap<PackageType, Vec<Component>>,
    /// Whether each `Packages` has a `Release` beside it; `None` if that is not configured.
    pub index_releases: Option<bool>,
    /// Whether each `Sources` has a `Release` beside it; `None` if that is not configured.
    pub source_releases: Option<bool>,
    /// The indices of the files in packages; `None` for those that are published.
    pub contents: Option<ContentsConfig>,
    /// Whether the suite has indices of commands; `None` for those that are published, or with `contents`.
    pub commands: Option<bool>,
    /// Whether long descriptions are in `i18n/Translation-en`.
    pub translations: bool,
    /// Whether the contents of a version may change, as for nightly builds.
    pub mutable: bool,
    /// Whether the suite must not be changed.
    pub read_only: bool,
    /// How many versions of a package are retained when one is added.
    pub limit: Option<usize>,
    /// Whether `Limit` says that all versions are retained, also under reprepro's commands, which retain one by default.
    pub unlimited: bool,
    /// The file and the scripts that changes are reported to, as written: reprepro's commands use them.
    pub log: Option<String>,
    /// The mode of package tracking, as written.
    pub tracking: Option<String>,
    /// The rules of `conf/updates` that it follows, as written.
    pub update: Vec<String>,
    /// The rules of `conf/pulls` that it follows, as written.
    pub pull: Vec<String>,
    /// The suite of the same file that surplus versions move to.
    pub archive: Option<Suite>,
    /// Further names of the suite.
    pub also_accept_for: Vec<String>,
    /// The list of uploaders.
    pub uploaders: Option<PathBuf>,
    /// Files with the public keys of uploaders.
    pub uploader_keys: Vec<PathBuf>,
    /// The files of uploads that are kept beside their packages.
    pub records: Records,
    /// The scripts for files of uploads that are not packages: reprepro's commands run them.
    pub by_hand: Vec<ByHandHook>,
    /// The files with overrides of packages of a type.
    pub overrides: BTreeMap<PackageType, PathBuf>,
    /// How long a generation of the suite is retained after it was replaced.
    pub keep_for: Option<Duration>,
    /// How many generations of the suite are retained, including the current one.
    pub keep_generations: Option<usize>,
    /// The `Cache-Control` of files that change, for an archive in a bucket.
    pub index_cache_control: Option<String>,
    /// The `Cache-Control` of immutable files.
    pub pool_cache_control: Option<String>,
    /// The URL under which clients read the archive.
    pub public_url: Option<String>,
    /// Whether the archive's page shows the suite; `None` if it does already.
    pub web_page: Option<bool>,
}

impl SuiteConfig {
    /// The settings of a suite without a configuration; the published suite determines the rest.
    #[must_use]
    pub fn unconfigured(codename: Suite) -> Self {
        Self {
            codename,
            suite: None,
            components: Vec::new(),
            component_prefix: None,
            architectures: Vec::new(),
            sources: Sources::Accepted,
            copied: Vec::new(),
            sign_with: Vec::new(),
            unsigned: false,
            trusted_keys: Vec::new(),
            valid_for: None,
            compressions: vec![Compression::Plain, Compression::Gzip, Compression::Xz],
            patches: Patches::Auto,
            other_compressions: BTreeMap::new(),
            separate: BTreeMap::new(),
            index_releases: None,
            source_releases: None,
            contents: None,
            commands: None,
            translations: false,
            mutable: false,
            read_only: false,
            limit: None,
            unlimited: false,
            log: None,
            tracking: None,
            update: Vec::new(),
            pull: Vec::new(),
            archive: None,
            also_accept_for: Vec::new(),
            uploaders: None,
            uploader_keys: Vec::new(),
            records: Records::default(),
            by_hand: Vec::new(),
            overrides: BTreeMap::new(),
            keep_for: None,
            keep_generations: None,
            index_cache_control: None,
            pool_cache_control: None,
            public_url: None,
            web_page: None,
        }
    }

    /// The value of a field that is copied to `Release`.
    pub(crate) fn copied_field(&self, name: &str) -> Option<&str> {
        self.copied.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// A codename or `Suite` as the release file has it: without the prefix of its components.
    pub(crate) fn name_in_release<'a>(&self, name: &'a str) -> &'a str {
        let prefix = self.component_prefix.as_ref();
        let above = prefix.and_then(|prefix| name.strip_suffix(prefix.as_str())?.strip_suffix('/'));
        above.filter(|above| !above.is_empty()).unwrap_or(name)
    }

    /// A component of the release file as its folder is named: without the prefix of its components.
    pub(crate) fn own_component(&self, listed: Component) -> Component {
        let prefix = self.component_prefix.as_ref();
        let own = prefix.and_then(|prefix| listed.as_str().strip_prefix(prefix.as_str())?.strip_prefix('/'));
        own.and_then(|own| Component::parse(own).ok()).unwrap_or(listed)
    }

    /// The compressions of the indices of packages of a type.
    #[must_use]
    pub fn compressions_of(&self, package_type: PackageType) -> &[Compression] {
        self.other_compressions.get(&package_type).unwrap_or(&self.compressions)
    }

    /// The settings of a snapshot of the suite: signed and cached like the suite, with its current content, for ever.
    #[must_use]
    pub fn snapshot(&self, name: Suite) -> Self {
        Self {
            sign_with: self.sign_with.clone(),
            unsigned: self.unsigned,
            trusted_keys: self.trusted_keys.clone(),
            index_cache_control: self.index_cache_control.clone(),
            pool_cache_control: self.pool_cache_control.clone(),
            public_url: self.public_url.clone(),
            web_page: self.web_page,
            compressions: Compression::ALL.to_vec(),
            ..Self::unconfigured(name)
        }
    }
}
