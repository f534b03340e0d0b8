//! `conf/distributions`: the configuration of each suite.
//!
//! The file and its format are reprepro's, read unchanged: stanzas, field names in any case, `#` comments, `!include:
//! file`, or a folder of `*.conf`. Additions of `publish` are fields of their own ([`OWN`]). A field that is unknown
//! or not supported is a warning that names it.

use std::{
    collections::{HashMap, HashSet},
    iter,
    path::{Path, PathBuf},
};

use super::{
    by_hand,
    contents::ContentsConfig,
    error::Error,
    fields::{PATCHES, Sources, names_release, optional_yes_or_no, parsed, patches, translations, yes_or_no},
    indices,
    lines::{Lines, folder_of, missing, text_of},
    records,
    suite_config::SuiteConfig,
    values::{
        CACHE_CONTROL, GENERATIONS, PUBLIC_URL, SPAN, cache_control, generations, public_url, span_in_days,
        span_or_zero,
    },
};
use crate::{
    names::{self, Architecture, Component, Suite},
    nearest::nearest,
    package_type::PackageType,
    signing::looks_secret,
    site::archive_name,
    stanza::Stanza,
};

/// The configuration of an archive.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The suites, in the order of the file.
    pub suites: Vec<SuiteConfig>,
    /// Warnings for the user, such as unknown fields.
    pub warnings: Vec<String>,
    /// The folder that relative names are resolved against.
    pub folder: PathBuf,
}

/// Fields that only `publish` supports.
const OWN: [&str; 12] = [
    "WebPage",
    "Public-Url",
    "Translations",
    "Commands",
    "TrustedKeys",
    "UploaderKeys",
    "Mutable",
    "KeepFor",
    "KeepGenerations",
    "IndexCacheControl",
    "PoolCacheControl",
    "PDiffs",
];

/// Fields that are copied to `Release`.
pub(crate) const COPIED: [&str; 9] = [
    "Origin",
    "Label",
    "Description",
    "Version",
    "NotAutomatic",
    "ButAutomaticUpgrades",
    "Signed-By",
    "Changelogs",
    "Snapshots",
];

/// Fields of reprepro without effect here, each with a note for the user.
const NOT_DONE: [(&str, &str); 5] = [
    ("Update", "only `publish reprepro update` follows its rules"),
    ("Pull", "only `publish reprepro pull` follows its rules"),
    ("Log", "only `publish reprepro` runs its scripts"),
    ("ByHandHooks", "only `publish reprepro` runs its hooks"),
    ("ExportOptions", "every change is published at once"),
];

impl Config {
    /// Reads a file, or all `*.conf` files of a folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = Lines::open(path)?;
        Self::parse(&text, folder_of(path))
    }

    pub(super) fn parse(text: &Lines, folder: &Path) -> Result<Self, Error> {
        let mut config = Self { folder: folder.to_owned(), ..Self::default() };
        let mut places = Vec::new();
        let mut known = HashSet::new();
        text.each_stanza(|stanza, (path, line)| {
            let place = format!("`{}`, the stanza at line {line}", path.display());
            let suite = SuiteConfig::parse(stanza, folder, |warning| {
                config.warnings.push(format!("{place}: {warning}"));
            })?;
            if !known.insert(suite.codename.clone()) {
                return Err(format!("codename `{}` is already used in an earlier stanza", suite.codename));
            }
            config.suites.push(suite);
            places.push((path.to_owned(), line));
            Ok(())
        })?;
        let archives: HashMap<&Suite, Option<&Suite>> =
            config.suites.iter().map(|suite| (&suite.codename, suite.archive.as_ref())).collect();
        let mut ends = HashSet::new();
        for (suite, (path, line)) in config.suites.iter().zip(places) {
            check_archive(suite, &archives, &mut ends).map_err(|why| Error::Field { path, line, why })?;
        }
        Ok(config)
    }

    /// The suite with a name: codenames first, then `Suite`, then `AlsoAcceptFor`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&SuiteConfig> {
        let by = |fits: &dyn Fn(&SuiteConfig) -> bool| self.suites.iter().find(|suite| fits(suite));
        by(&|suite| suite.codename.as_str() == name)
            .or_else(|| by(&|suite| suite.suite.as_deref() == Some(name)))
            .or_else(|| by(&|suite| suite.also_accept_for.iter().any(|other| other == name)))
    }

    /// The texts from which the archive is named for clients: the labels, then the origins of the suites, then those of
    /// a suite that is not configured.
    #[must_use]
    pub fn site_name(&self, suite: &SuiteConfig) -> Option<String> {
        let all = || self.suites.iter().chain([suite]);
        let of = |name| all().filter_map(move |suite| suite.copied_field(name));
        archive_name(of("Label").chain(of("Origin")))
    }

    /// The suites that surplus versions of a suite move to: first to the first one, from there to the next, and so on.
    pub fn archives_of(&self, suite: &SuiteConfig) -> impl Iterator<Item = &SuiteConfig> {
        let next = |suite: &SuiteConfig| self.find(suite.archive.as_ref()?.as_str());
        iter::successors(next(suite), move |suite| next(suite))
    }
}

impl SuiteConfig {
    /// Reads the fields about uploads and overrides.
    fn set_uploads(
        &mut self,
        stanza: &Stanza<'_>,
        folder: &Path,
        warn: &mut impl FnMut(String),
    ) -> Result<(), String> {
        let file = |name| Ok::<_, String>(text_of(stanza, name)?.map(|value| folder.join(value.trim())));
        self.uploaders = file("Uploaders")?;
        self.uploader_keys = key_files(stanza, "UploaderKeys", folder)?;
        self.overrides = records::overrides(stanza, folder)?;
        self.records = records::records(stanza, warn)?;
        self.by_hand = by_hand::hooks(stanza)?;
        Ok(())
    }

    fn set_sign_with(&mut self, value: &str) {
        // `! script` is one key, and so is a grouped fingerprint (as gpg shows it); otherwise each word is a key.
        let digits: String = value.split_whitespace().collect();
        if value.eq_ignore_ascii_case("no") {
            self.unsigned = true;
        } else if value.starts_with('!') {
            self.sign_with.push(value.to_owned());
        } else if digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            self.sign_with.push(digits);
        } else {
            self.sign_with.extend(value.split_whitespace().map(ToOwned::to_owned));
        }
    }

    fn parse(stanza: &Stanza<'_>, folder: &Path, mut warn: impl FnMut(String)) -> Result<Self, String> {
        let text = |name: &str| text_of(stanza, name);
        let needed = |name: &str| -> Result<String, String> {
            text(name)?.filter(|value| !value.trim().is_empty()).ok_or_else(|| missing(stanza, name))
        };
        let because = |error: names::Error| error.to_string();

        let codename = Suite::parse(needed("Codename")?.trim()).map_err(because)?;
        let mut suite = Self::unconfigured(codename);
        let (mut components, mut known) = (HashSet::new(), HashSet::new());
        for word in needed("Components")?.split_whitespace() {
            let component = Component::parse(word).map_err(because)?;
            if let Some(place) = PackageType::of_folder(word) {
                return Err(format!(
                    "component `{component}` is the place of the packages of type `{place}` of another component"
                ));
            }
            if components.insert(component.clone()) {
                suite.components.push(component);
            }
        }
        let architectures = text("Architectures")?;
        for word in
            architectures.iter().flat_map(|words| words.split_whitespace()).filter(|word| *word != "source")
        {
            let architecture = Architecture::parse(word).map_err(because)?;
            if architecture.is_all() {
                return Err(
                    "`all` is not allowed in `Architectures`: such packages are added to every architecture"
                        .into(),
                );
            }
            if known.insert(architecture.clone()) {
                suite.architectures.push(architecture);
            }
        }
        if let Some(words) = &architectures {
            let is_named = words.split_whitespace().any(|word| word == "source");
            suite.sources = match (is_named, suite.architectures.is_empty()) {
                (false, true) => return Err("field `Architectures` names no architecture".into()),
                (true, true) => Sources::Alone,
                (true, false) => Sources::Listed,
                (false, false) => Sources::Refused,
            };
        }
        suite.separate = indices::separate(stanza, &suite.components)?;
        suite.suite = text("Suite")?;
        for name in COPIED {
            if let Some(value) = text(name)? {
                suite.copied.push((name, value));
            }
        }
        if let Some(value) = text("SignWith")? {
            suite.set_sign_with(value.trim());
        }
        suite.trusted_keys = key_files(stanza, "TrustedKeys", folder)?;
        // As in reprepro, a suite with `0d` does not expire.
        let expires = stanza.text_of("ValidFor").is_none_or(|value| !matches!(value.trim(), "0" | "0d"));
        suite.valid_for = if expires { parsed(stanza, "ValidFor", SPAN, span_in_days)? } else { None };
        if let Some(found) = indices::compressions_in(stanza, "DebIndices", "Packages", &mut warn)? {
            suite.compressions = found;
        }
        suite.patches = parsed(stanza, "PDiffs", PATCHES, patches)?.unwrap_or(suite.patches);
        (suite.contents, suite.commands) = derived_indices(stanza, &mut warn)?;
        suite.translations = translations(stanza)?;
        suite.other_compressions = indices::other_compressions(stanza, &mut warn)?;
        suite.read_only = yes_or_no(stanza, "ReadOnly")?;
        suite.mutable = yes_or_no(stanza, "Mutable")?;
        if let Some(value) = text("Limit")? {
            let count: i64 =
                value.trim().parse().map_err(|_| format!("field `Limit` is `{value}`; expected a number"))?;
            suite.limit = usize::try_from(count).ok().filter(|&count| count > 0);
            suite.unlimited = suite.limit.is_none();
        }
        if let Some(value) = text("Archive")?.filter(|value| !value.trim().is_empty()) {
            suite.archive = Some(Suite::parse(value.trim()).map_err(because)?);
        }
        if let Some(value) = text("AlsoAcceptFor")? {
            suite.also_accept_for = value.split_whitespace().map(ToOwned::to_owned).collect();
        }
        suite.set_uploads(stanza, folder, &mut warn)?;
        suite.parse_fields_of_reprepro(stanza)?;
        suite.parse_retention(stanza)?;
        warn_of_flags(stanza, &mut warn);
        warn_of_unused(stanza, &mut warn);
        Ok(suite)
    }

    /// Reads the fields about retained generations, caches and clients.
    fn parse_retention(&mut self, stanza: &Stanza<'_>) -> Result<(), String> {
        self.keep_for = parsed(stanza, "KeepFor", SPAN, span_or_zero)?;
        self.keep_generations = parsed(stanza, "KeepGenerations", GENERATIONS, generations)?;
        self.index_cache_control = parsed(stanza, "IndexCacheControl", CACHE_CONTROL, cache_control)?;
        self.pool_cache_control = parsed(stanza, "PoolCacheControl", CACHE_CONTROL, cache_control)?;
        self.web_page = optional_yes_or_no(stanza, "WebPage")?;
        self.public_url = parsed(stanza, "Public-Url", PUBLIC_URL, public_url)?;
        Ok(())
    }

    /// Reads the fields that matter to reprepro's commands.
    fn parse_fields_of_reprepro(&mut self, stanza: &Stanza<'_>) -> Result<(), String> {
        self.index_releases = text_of(stanza, "DebIndices")?.as_deref().map(names_release);
        self.source_releases = text_of(stanza, "DscIndices")?.as_deref().map(names_release);
        self.component_prefix = component_prefix(stanza, &self.components)?;
        self.log = text_of(stanza, "Log")?;
        self.tracking = text_of(stanza, "Tracking")?.filter(|mode| !mode.trim().is_empty());
        let words = |name| {
            let text = text_of(stanza, name)?.unwrap_or_default();
            Ok::<_, String>(text.split_whitespace().map(ToOwned::to_owned).collect())
        };
        self.update = words("Update")?;
        self.pull = words("Pull")?;
        Ok(())
    }
}

/// The prefix of the components in the release file.
fn component_prefix(stanza: &Stanza<'_>, components: &[Component]) -> Result<Option<Component>, String> {
    let Some(text) = text_of(stanza, "FakeComponentPrefix")?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let prefix = Component::parse(text.trim()).map_err(|error| error.to_string())?;
    let begins = |component: &&Component| {
        component.as_str().strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    match components.iter().find(begins) {
        Some(component) => Err(format!(
            "component `{component}` begins with the `FakeComponentPrefix`, which is added to it: name it without `{prefix}/`"
        )),
        None => Ok(Some(prefix)),
    }
}

/// The indices that are derived from packages.
fn derived_indices(
    stanza: &Stanza<'_>,
    warn: &mut impl FnMut(String),
) -> Result<(Option<ContentsConfig>, Option<bool>), String> {
    let commands = optional_yes_or_no(stanza, "Commands")?;
    Ok((ContentsConfig::parse(stanza, warn)?, commands))
}

/// Warns of values about which apt warns on every client (`StringToBool` of apt-pkg).
fn warn_of_flags(stanza: &Stanza<'_>, warn: &mut impl FnMut(String)) {
    const KNOWN: [&str; 10] =
        ["yes", "true", "with", "on", "enable", "no", "false", "without", "off", "disable"];
    for field in ["NotAutomatic", "ButAutomaticUpgrades"] {
        let Some(value) = stanza.text_of(field) else { continue };
        let is_known = KNOWN.iter().any(|known| known.eq_ignore_ascii_case(&value));
        if !is_known && value.parse::<i32>().is_err() {
            let value = value.escape_debug();
            warn(format!(
                "field `{field}` is `{value}`, about which apt warns on every client; expected `yes` or `no`"
            ));
        }
    }
}

/// Warns of fields without an effect.
fn warn_of_unused(stanza: &Stanza<'_>, warn: &mut impl FnMut(String)) {
    for field in stanza.fields() {
        let is = |name: &str| name.eq_ignore_ascii_case(field.name);
        let known = ["Codename", "Components", "Architectures", "Suite", "SignWith"];
        let known = known
            .into_iter()
            .chain(["ValidFor", "DebIndices", "ReadOnly", "Limit", "Archive", "AlsoAcceptFor"])
            .chain(["Uploaders", "Tracking", "FakeComponentPrefix"])
            .chain(records::override_fields())
            .chain(indices::fields())
            .chain(ContentsConfig::FIELDS)
            .chain(OWN)
            .chain(COPIED)
            .collect::<Vec<&str>>();
        if known.iter().copied().any(is) {
            continue;
        }
        match NOT_DONE.iter().find(|(name, _)| is(name)) {
            Some((_, "")) => {}
            Some((name, meaning)) => warn(format!("field `{name}` has no effect: {meaning}")),
            None => {
                let near = nearest(field.name, known.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                warn(format!("field `{}` is unknown and has no effect{near}", field.name));
            }
        }
    }
}

/// Checks that surplus versions move to an existing suite, and never in a circle; `ends` are the suites that are
/// already checked.
fn check_archive<'a>(
    suite: &'a SuiteConfig,
    archives: &HashMap<&'a Suite, Option<&'a Suite>>,
    ends: &mut HashSet<&'a Suite>,
) -> Result<(), String> {
    let mut on_the_way = HashSet::from([&suite.codename]);
    let mut next = suite.archive.as_ref();
    while let Some(name) = next.filter(|name| !ends.contains(name)) {
        let Some(&archive) = archives.get(name) else {
            return Err(format!("field `Archive` names `{name}`, which is not the codename of any suite"));
        };
        if !on_the_way.insert(name) {
            return Err(format!("field `Archive` of `{name}` forms a circle"));
        }
        next = archive;
    }
    ends.extend(on_the_way);
    Ok(())
}

/// The files that a field names; a key that was pasted there must not be printed.
fn key_files(stanza: &Stanza<'_>, field: &str, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let value = text_of(stanza, field)?.unwrap_or_default();
    if value.split_whitespace().chain([&*value]).any(looks_secret) {
        return Err(format!("field `{field}` contains a secret key; name files with public keys there"));
    }
    Ok(value.split_whitespace().map(|word| folder.join(word)).collect())
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::compression::Compression;

    /// Reads `files`; the first is the configuration.
    fn read(files: &[(&str, &str)]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let shown = |error: Error| error.to_string().replace(&folder.path().display().to_string(), "CONF");
        Config::read(&folder.path().join(files[0].0)).map_err(shown)
    }

    const LEAST: &str = "Codename: bookworm\nComponents: main contrib\nArchitectures: amd64 source arm64\n";

    #[test]
    fn reads_what_reprepro_reads() {
        let text = "# head\n\ncodename: bookworm\nSUITE: stable\nComponents: main\n# inside\n contrib\nArchitectures: amd64 source\n\
            SignWith: ABCD! 1234\nDebIndices: Packages Release . .gz .bz2 hook.sh\nValidFor: 1m 3d\nLimit: -1\nOrigin: Me\n\
            Pull: rule\nBogus: 1\n\nCodename: trixie\nComponents: main\nArchitectures: amd64\nSignWith: ! sign.sh\n\
            Limit: 2\nReadOnly: yes\nAlsoAcceptFor: unstable experimental\n";
        let config = read(&[("distributions", text)]).unwrap();
        let [first, second] = &config.suites[..] else { panic!() };
        assert_eq!(first.components.len(), 2);
        assert_eq!(first.architectures, [Architecture::parse("amd64").unwrap()]);
        assert_eq!(first.sign_with, ["ABCD!", "1234"]);
        assert_eq!(first.compressions, [Compression::Plain, Compression::Gzip, Compression::Bzip2]);
        assert_eq!(
            (first.valid_for, first.limit, first.read_only),
            (Some(Duration::from_secs(34 * 24 * 3600)), None, false)
        );
        assert_eq!(first.copied, [("Origin", "Me".to_owned())]);
        assert_eq!(second.sign_with, ["! sign.sh"]);
        assert_eq!((second.limit, second.read_only), (Some(2), true));
        assert_eq!(config.find("stable"), Some(first));
        assert_eq!(config.find("experimental"), Some(second));
        assert_eq!(config.find("sid"), None);
        let warnings = config.warnings.join("\n");
        for part in ["hook.sh", "`Pull` has no effect", "`Bogus` is unknown"] {
            assert!(warnings.contains(part), "{part}: {warnings}");
        }
        assert_eq!(config.warnings.len(), 3);
    }

    #[test]
    fn reads_what_is_our_own() {
        let text = format!(
            "{LEAST}KeepFor: 2w 12h\nKeepGenerations: 5\nIndexCacheControl: max-age=5,\n must-revalidate\nPoolCacheControl: private\n"
        );
        let config = read(&[("distributions", &text)]).unwrap();
        let suite = &config.suites[0];
        assert_eq!(suite.keep_for, Some(Duration::from_secs((14 * 24 + 12) * 60 * 60)));
        assert_eq!(suite.keep_generations, Some(5));
        assert_eq!(suite.index_cache_control.as_deref(), Some("max-age=5, must-revalidate"));
        assert_eq!(suite.pool_cache_control.as_deref(), Some("private"));
        assert_eq!(config.warnings, [""; 0]);
        for (field, says) in [
            ("KeepFor: soon", "expected a span such as `12h`, `7d`, `2w`, `1m` or `1y`"),
            ("KeepFor: 0d", "expected a span"),
            ("KeepGenerations: 0", "expected a number from 1 on"),
            ("IndexCacheControl: näh", "expected a whole header value"),
        ] {
            let error = read(&[("distributions", &format!("{LEAST}{field}\n"))]).unwrap_err();
            assert!(error.contains(says), "{field}: {error}");
        }
    }

    #[test]
    fn includes_files_and_reads_folders() {
        let all = [
            ("distributions", "Codename: one\n!include: rest\n"),
            ("rest", "Components: main\nArchitectures: amd64\n"),
        ];
        assert_eq!(read(&all).unwrap().suites.len(), 1);

        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.conf"), LEAST).unwrap();
        fs::write(folder.path().join("a.conf"), LEAST.replace("bookworm", "sid").trim_end()).unwrap();
        fs::write(folder.path().join("c.txt"), "junk").unwrap();
        fs::write(folder.path().join(".b.conf"), "junk").unwrap();
        let names: Vec<_> = Config::read(folder.path())
            .unwrap()
            .suites
            .into_iter()
            .map(|suite| suite.codename.to_string())
            .collect();
        assert_eq!(names, ["sid", "bookworm"]);
    }

    #[test]
    fn a_comment_may_follow_a_value_as_in_reprepro() {
        let text = "Codename: x # d\nComponents: # here\n main#x\n # none\n contrib\nDescription: a # b\n\
                    Suite: # no\nSignWith: A # team\n";
        let config = read(&[("distributions", text)]).unwrap();
        let [suite] = &config.suites[..] else { panic!() };
        let components: Vec<&str> = suite.components.iter().map(crate::names::Component::as_str).collect();
        assert_eq!((suite.codename.as_str(), &components[..]), ("x", &["main", "contrib"][..]));
        assert_eq!(
            (suite.suite.as_deref().unwrap_or_default(), &suite.sign_with[..]),
            ("", &["A".to_owned()][..])
        );
    }

    #[test]
    fn without_architectures_they_are_those_of_the_packages() {
        let config = read(&[("distributions", "Codename: x\nComponents: main\n")]).unwrap();
        assert!(config.suites[0].architectures.is_empty());
    }

    #[test]
    fn a_fingerprint_in_groups_is_one_key() {
        let sign_with = |value: &str| {
            let text = format!("Codename: x\nComponents: main\nSignWith: {value}\n");
            read(&[("distributions", &text)]).unwrap().suites[0].sign_with.clone()
        };
        let grouped = "abd7 0a96 19ea fbc8 1487  a21d a804 d8ac 32a7 3ff7";
        assert_eq!(sign_with(grouped), ["abd70a9619eafbc81487a21da804d8ac32a73ff7"]);
        assert_eq!(sign_with("32A73FF7 yes"), ["32A73FF7", "yes"]);
        assert!(sign_with("No").is_empty());
    }

    #[test]
    fn a_name_that_occurs_twice_counts_once() {
        let text = "Codename: x\nComponents: main main\nArchitectures: i386 i386\n";
        let config = read(&[("distributions", text)]).unwrap();
        assert_eq!((config.suites[0].components.len(), config.suites[0].architectures.len()), (1, 1));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let fails = |text: &str| read(&[("distributions", text)]).unwrap_err();
        assert_eq!(
            fails("Codename: x\nfoo\n"),
            "`CONF/distributions` line 2: expected `Field: value`, found `foo`"
        );
        assert_eq!(
            fails("Codename: x\n"),
            "`CONF/distributions`, the stanza at line 1: field `Components` is missing"
        );
        assert!(fails("Codename: x\nComponets: main\n").ends_with(
            "field `Components` is missing, and field `Componets` is unknown; did you mean `Components`?"
        ));
        assert!(
            fails(&format!("{LEAST}\n{LEAST}"))
                .contains("the stanza at line 5: codename `bookworm` is already used in")
        );
        assert!(fails(&LEAST.replace("source", "all")).contains("`all` is not allowed in `Architectures`"));
        assert!(fails(&LEAST.replace("amd64 source arm64", "")).contains("names no architecture"));
        assert!(fails(&LEAST.replace("bookworm", "../x")).contains("suite `../x` is not allowed"));
        assert!(fails(&format!("{LEAST}ValidFor: soon\n")).contains("field `ValidFor` is `soon`"));
        assert!(fails(&format!("{LEAST}DebIndices: Foo .gz\n")).contains("must begin with `Packages`"));
        let including = [("distributions", "\n!include: rest\n"), ("rest", "\nfoo\n")];
        assert_eq!(read(&including).unwrap_err(), "`CONF/rest` line 2: expected `Field: value`, found `foo`");
        assert!(read(&[("a", "!include: a\n")]).unwrap_err().contains("too deep"));
        assert!(read(&[("a", "!include: b\n")]).unwrap_err().contains("cannot read `CONF/b`"));
    }
}
