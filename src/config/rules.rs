//! `conf/updates` and `conf/pulls`: the rules by which suites take packages of other archives and of other suites, in
//! reprepro's format (reprepro(1), "conf/updates" and "conf/pulls").

use std::{collections::BTreeSet, path::Path};

use super::{
    error::Error,
    filter_lists::FilterLists,
    lines::{Lines, text_of},
};
use crate::{formula::Formula, stanza::Stanza};

/// A name in the source, and the name here: `main>contrib`; the same for a single word.
pub type Mapping = Vec<(String, String)>;

/// A rule. Names of locations, keys and files are as written.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SourceRule {
    /// The name of the rule.
    pub name: String,
    /// Fields that reprepro does not know either.
    pub unknown: Vec<String>,
    /// Fields that have no effect here, each with why.
    pub ignored: Vec<(&'static str, &'static str)>,
    /// Another location, if the first cannot be reached.
    pub fallback: Option<String>,
    /// The location of the other archive.
    pub method: Option<String>,
    /// The rule whose fields this one takes where it has none; in `conf/pulls`, the suite to take packages from.
    pub from: Option<String>,
    /// The suite in the other archive.
    pub suite: Option<String>,
    /// The components; `None` for those of the suite.
    pub components: Option<Mapping>,
    /// The architectures; `None` for those of the suite.
    pub architectures: Option<Mapping>,
    /// The components of installer packages; `None` for those of the suite.
    pub udeb_components: Option<Mapping>,
    /// The keys that sign the other archive.
    pub verify: Option<String>,
    /// Whether its release file is not read.
    pub ignore_release: Option<bool>,
    /// The component here of the packages of an archive without `dists/`.
    pub flat: Option<String>,
    /// The packages that are taken.
    pub formula: Option<Formula>,
    /// Lists of what is done with packages, by their names.
    pub lists: Option<FilterLists>,
    /// The same for source packages.
    pub source_lists: Option<FilterLists>,
    /// Whether source packages that no binary package needs are left out.
    pub omit_extra_sources: Option<bool>,
    /// A program that changes an index, with the names of two files as its arguments.
    pub hook: Option<String>,
    /// A command of the shell that changes an index from its input to its output.
    pub shell_hook: Option<String>,
}

/// The kinds of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleKind {
    /// Those of `conf/updates`.
    Update,
    /// Those of `conf/pulls`.
    Pull,
}

const FILTERS: [&str; 6] =
    ["Name", "From", "Components", "Architectures", "UDebComponents", "OmitExtraSourceOnly"];
const LISTS: [&str; 3] = ["FilterFormula", "FilterList", "FilterSrcList"];
const UPDATES: [&str; 12] = [
    "Method",
    "Fallback",
    "Config",
    "Suite",
    "VerifyRelease",
    "IgnoreRelease",
    "GetInRelease",
    "Flat",
    "IgnoreHashes",
    "ListHook",
    "ListShellHook",
    "DownloadListsAs",
];

/// The fields of reprepro that have no effect here.
const IGNORED: [(&str, &str); 4] = [
    (
        "Config",
        "it is for the programs of apt that reprepro downloads with; proxies are named by `http_proxy` and `https_proxy`",
    ),
    ("IgnoreHashes", "SHA256 alone is compared, and always"),
    ("GetInRelease", "`InRelease` is read where there is one, else `Release` with its signature"),
    ("DownloadListsAs", "the smallest form of each index that is listed is downloaded"),
];

impl SourceRule {
    /// Reads the rules of a file; names of lists are resolved against its folder, unless `resolve` knows better.
    pub fn read(
        path: &Path,
        kind: RuleKind,
        resolve: &dyn Fn(&str) -> std::path::PathBuf,
    ) -> Result<Vec<Self>, Error> {
        Lines::named_stanzas(path, |stanza| Self::parse(stanza, kind, resolve), |rule| &rule.name)
    }

    /// Returns the rule of a name with the fields of those that it is derived from.
    ///
    /// # Errors
    /// The name that is not the one of a rule, or that is derived from itself.
    pub fn find(rules: &[Self], name: &str) -> Result<Self, String> {
        let find =
            |name: &str| rules.iter().find(|rule| rule.name == name).cloned().ok_or_else(|| name.to_owned());
        let mut rule = find(name)?;
        let mut seen = vec![rule.name.clone()];
        while let Some(from) = rule.from.take() {
            if seen.contains(&from) {
                return Err(from);
            }
            let base = find(&from)?;
            seen.push(from);
            rule = rule.or(base);
        }
        Ok(rule)
    }

    /// The fields of this rule, else those of the other.
    fn or(self, base: Self) -> Self {
        let has_lists = self.lists.is_some() || self.source_lists.is_some();
        Self {
            name: self.name,
            unknown: [self.unknown, base.unknown].concat(),
            ignored: [self.ignored, base.ignored].concat(),
            fallback: self.fallback.or(base.fallback),
            method: self.method.or(base.method),
            from: base.from,
            suite: self.suite.or(base.suite),
            components: self.components.or(base.components),
            architectures: self.architectures.or(base.architectures),
            udeb_components: self.udeb_components.or(base.udeb_components),
            verify: self.verify.or(base.verify),
            ignore_release: self.ignore_release.or(base.ignore_release),
            flat: self.flat.or(base.flat),
            formula: self.formula.or(base.formula),
            lists: if has_lists { self.lists } else { base.lists },
            source_lists: if has_lists { self.source_lists } else { base.source_lists },
            omit_extra_sources: self.omit_extra_sources.or(base.omit_extra_sources),
            hook: self.hook.or(base.hook),
            shell_hook: self.shell_hook.or(base.shell_hook),
        }
    }

    fn parse(
        stanza: &Stanza<'_>,
        kind: RuleKind,
        resolve: &dyn Fn(&str) -> std::path::PathBuf,
    ) -> Result<Self, String> {
        let mut unknown = Vec::new();
        for field in stanza.fields() {
            let is = |name: &&str| name.eq_ignore_ascii_case(field.name);
            let is_known =
                FILTERS.iter().chain(&LISTS).any(is) || kind == RuleKind::Update && UPDATES.iter().any(is);
            if !is_known {
                unknown.push(field.name.to_owned());
            }
        }
        let text = |name: &str| Ok::<_, String>(text_of(stanza, name)?.map(|value| value.trim().to_owned()));
        let yes = |name: &str| {
            Ok::<_, String>(match text(name)?.map(|value| value.to_ascii_lowercase()).as_deref() {
                None => None,
                Some("yes" | "true" | "1") => Some(true),
                Some("no" | "false" | "0") => Some(false),
                Some(other) => return Err(format!("field `{name}` is `{other}`; expected `yes` or `no`")),
            })
        };
        let mapping = |name: &str| {
            let words = text(name)?;
            let pair = |word: &str| {
                let (from, to) = word.split_once('>').unwrap_or((word, word));
                (from.to_owned(), to.to_owned())
            };
            Ok::<_, String>(words.map(|words| words.split_whitespace().map(pair).collect()))
        };
        let formula =
            text("FilterFormula")?.map(|text| Formula::parse(&text).map_err(|error| error.to_string()));
        let lists =
            |name: &str| text(name)?.map(|value| FilterLists::parse(&value, name, resolve)).transpose();
        let ignored = IGNORED.into_iter().filter(|(name, _)| stanza.get(name).is_some()).collect();
        let rule = Self {
            unknown,
            ignored,
            fallback: text("Fallback")?,
            name: text("Name")?.filter(|name| !name.is_empty()).ok_or("field `Name` is missing")?,
            method: text("Method")?,
            from: text("From")?,
            suite: text("Suite")?,
            components: mapping("Components")?,
            architectures: mapping("Architectures")?,
            udeb_components: mapping("UDebComponents")?,
            verify: text("VerifyRelease")?,
            ignore_release: yes("IgnoreRelease")?,
            flat: text("Flat")?,
            formula: formula.transpose()?,
            lists: lists("FilterList")?,
            source_lists: lists("FilterSrcList")?,
            omit_extra_sources: yes("OmitExtraSourceOnly")?,
            hook: text("ListHook")?,
            shell_hook: text("ListShellHook")?,
        };
        match kind {
            RuleKind::Pull if rule.from.is_none() => Err("field `From` is missing".to_owned()),
            RuleKind::Update if rule.from.is_none() && rule.method.is_none() => {
                Err("one of the fields `Method` and `From` is needed".to_owned())
            }
            RuleKind::Update if rule.from.is_some() && rule.method.is_some() => {
                Err("a rule has one of the fields `Method` and `From`, not both".to_owned())
            }
            _ if rule.hook.is_some() && rule.shell_hook.is_some() => {
                Err("a rule has one of the fields `ListHook` and `ListShellHook`, not both".to_owned())
            }
            _ if rule.flat.is_some() && (rule.components.is_some() || rule.udeb_components.is_some()) => {
                Err("a rule with `Flat` has no `Components` and no `UDebComponents`".to_owned())
            }
            _ => Ok(rule),
        }
    }
}

/// The names in the source whose packages go to a name here; `None` in the rule stands for the same name.
#[must_use]
pub fn sources_of(mapping: Option<&Mapping>, name: &str) -> Vec<String> {
    match mapping {
        None => vec![name.to_owned()],
        Some(pairs) => {
            let found: BTreeSet<&str> =
                pairs.iter().filter(|(_, to)| to == name).map(|(from, _)| from.as_str()).collect();
            found.into_iter().map(ToOwned::to_owned).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, kind: RuleKind) -> Result<Vec<SourceRule>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("list"), "foo install\nbar hold\n").unwrap();
        SourceRule::read(&path, kind, &|name| folder.path().join(name)).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            format!("{error} {cause}")
        })
    }

    #[test]
    fn rules_are_read_as_by_reprepro() {
        let text = "Name: base\nMethod: http://example.org/debian\nSuite: */updates\nComponents: main>all contrib\n\
                    VerifyRelease: 0123456789ABCDEF|blindtrust\nIgnoreRelease: No\nFilterFormula: Package (== x)\n\n\
                    name: other\nfrom: base\nArchitectures: amd64>i386\nSuite: sid\nFilterList: deinstall list\n";
        let rules = read(text, RuleKind::Update).unwrap();
        let other = SourceRule::find(&rules, "other").unwrap();
        assert_eq!(other.method.as_deref(), Some("http://example.org/debian"));
        assert_eq!((other.name.as_str(), other.suite.as_deref()), ("other", Some("sid")));
        assert_eq!(sources_of(other.components.as_ref(), "all"), ["main"]);
        assert_eq!(sources_of(other.components.as_ref(), "contrib"), ["contrib"]);
        assert!(sources_of(other.components.as_ref(), "main").is_empty());
        assert_eq!(sources_of(other.architectures.as_ref(), "i386"), ["amd64"]);
        assert_eq!(sources_of(None, "i386"), ["i386"]);
        assert!(other.lists.is_some() && other.formula.is_some() && other.ignore_release == Some(false));
        assert_eq!(SourceRule::find(&rules, "nosuch").unwrap_err(), "nosuch");
    }

    #[test]
    fn errors_name_the_field() {
        use RuleKind::{Pull, Update};
        for (text, kind, expected) in [
            ("Method: x\n", Update, "`Name` is missing"),
            ("Name: x\n", Update, "`Method` and `From`"),
            ("Name: x\nMethod: y\nFrom: z\n", Update, "not both"),
            ("Name: x\n", Pull, "`From` is missing"),
            ("Name: x\nMethod: y\nListHook: a\nListShellHook: b\n", Update, "`ListShellHook`, not both"),
            ("Name: x\nMethod: y\nFlat: main\nComponents: main\n", Update, "`Flat`"),
            ("Name: x\nMethod: y\nIgnoreRelease: perhaps\n", Update, "`perhaps`"),
            ("Name: x\nMethod: y\nFilterFormula: (\n", Update, "is not a formula"),
            ("Name: x\nMethod: y\nFilterList: bogus list\n", Update, "`bogus`"),
            ("Name: x\nMethod: y\nFilterList: hold nosuch\n", Update, "nosuch"),
            ("Name: x\nMethod: y\n\nName: x\nMethod: y\n", Update, "already used"),
        ] {
            let error = read(text, kind).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let odd = read("Name: x\nFrom: y\nMethod: z\n", Pull).unwrap();
        assert_eq!(odd[0].unknown, ["Method"]);
        let circle = read("Name: a\nFrom: b\n\nName: b\nFrom: a\n", Update).unwrap();
        assert!(SourceRule::find(&circle, "a").is_err());
    }
}
