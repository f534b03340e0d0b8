//! The fields `Contents…` of a suite: which indices of files it has.

use super::lines::text_of;
use crate::{
    compression::Compression,
    names::{Architecture, Component},
    stanza::Stanza,
};

/// The indices of files that a suite has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "independent settings")]
pub struct ContentsConfig {
    /// The compressions in which they are stored.
    pub compressions: Vec<Compression>,
    /// Whether they list the files of binary packages.
    pub debs: bool,
    /// Whether they list the files of installer packages.
    pub udebs: bool,
    /// Whether each component has its own.
    pub per_component: bool,
    /// Whether one describes all components, as clients before 2012 expect.
    pub all_components: bool,
    /// Whether clients before 2012 find the index of the first component instead.
    pub compat_names: CompatNames,
    /// Only these architectures.
    pub architectures: Option<Vec<Architecture>>,
    /// Only binary packages of these components.
    pub components: Option<Vec<Component>>,
    /// Only installer packages of these components.
    pub udeb_components: Option<Vec<Component>>,
}

/// The names of the indices of the first component in the folder of the suite, where clients before 2012 look for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompatNames {
    /// None.
    Never,
    /// Symbolic links, in a folder.
    Links,
    /// Symbolic links, or copies in a bucket.
    LinksOrCopies,
}

impl Default for ContentsConfig {
    fn default() -> Self {
        Self {
            compressions: vec![Compression::Gzip],
            debs: true,
            udebs: false,
            per_component: true,
            all_components: false,
            compat_names: CompatNames::Never,
            architectures: None,
            components: None,
            udeb_components: None,
        }
    }
}

impl ContentsConfig {
    /// The fields of the configuration.
    pub(super) const FIELDS: [&str; 4] =
        ["Contents", "ContentsArchitectures", "ContentsComponents", "ContentsUComponents"];

    /// Reads the fields of a stanza; without `Contents` nothing is configured.
    pub(super) fn parse(stanza: &Stanza<'_>, warn: &mut impl FnMut(String)) -> Result<Option<Self>, String> {
        let Some(value) = text_of(stanza, "Contents")? else {
            for name in &Self::FIELDS[1..] {
                if text_of(stanza, name)?.is_some() {
                    warn(format!("field `{name}` has no effect without `Contents`"));
                }
            }
            return Ok(None);
        };
        let mut config =
            Self { compressions: Vec::new(), compat_names: CompatNames::Links, ..Self::default() };
        for word in value.split_whitespace() {
            match word {
                "." => config.compressions.push(Compression::Plain),
                ".gz" => config.compressions.push(Compression::Gzip),
                ".xz" => config.compressions.push(Compression::Xz),
                ".zst" => config.compressions.push(Compression::Zstd),
                ".bz2" => config.compressions.push(Compression::Bzip2),
                // Clients find the index in one of the others.
                ".lz" => {
                    warn(format!(
                        "`{word}` in field `Contents` is not supported; expected `.`, `.gz`, `.xz`, `.zst` or `.bz2`"
                    ));
                }
                "udebs" => config.udebs = true,
                // `no` takes them away, as in other fields.
                "nodebs" | "no" => config.debs = false,
                "percomponent" => config.per_component = true,
                "allcomponents" => {
                    let is_named = value.split_whitespace().any(|word| word == "percomponent");
                    (config.all_components, config.per_component) = (true, is_named);
                }
                "all" => (config.all_components, config.per_component) = (true, true),
                "compatsymlink" => config.compat_names = CompatNames::LinksOrCopies,
                "nocompatsymlink" => config.compat_names = CompatNames::Never,
                "yes" | "ddebs" => {}
                // In the format before reprepro 3.1 a rate, with further words.
                number if number.parse::<i32>().is_ok() => config.debs = number != "0",
                other => {
                    return Err(format!(
                        "field `Contents` has `{other}`; expected `yes`, `no`, `.`, `.gz`, `.xz`, `.zst`, `.bz2`, `udebs`, `nodebs`, `all`, \
                         `allcomponents`, `percomponent`, `compatsymlink` or `nocompatsymlink`"
                    ));
                }
            }
        }
        config.compressions.sort_unstable();
        config.compressions.dedup();
        if config.compressions.is_empty() {
            config.compressions.push(Compression::Gzip);
        }
        config.architectures = names(stanza, "ContentsArchitectures")?;
        config.components = names(stanza, "ContentsComponents")?;
        config.udeb_components = names(stanza, "ContentsUComponents")?;
        // As in reprepro, naming components turns their indices on, and naming none turns them off.
        let is_any = |names: &Vec<Component>| !names.is_empty();
        let is_off = value.split_whitespace().any(|word| word == "no");
        config.debs = config.components.as_ref().map_or(config.debs, is_any) && !is_off;
        // A restriction to components of binary packages leaves out the installer, unless its components are named too.
        let udebs = config.udebs && config.components.is_none();
        config.udebs = config.udeb_components.as_ref().map_or(udebs, is_any) && !is_off;
        if config.all_components {
            config.compat_names = CompatNames::Never;
        }
        Ok(Some(config))
    }
}

/// The names in a field.
fn names<T: std::str::FromStr<Err = crate::names::Error>>(
    stanza: &Stanza<'_>,
    field: &str,
) -> Result<Option<Vec<T>>, String> {
    let Some(value) = text_of(stanza, field)? else { return Ok(None) };
    // Source packages have no files in `Contents`.
    let words = value.split_whitespace().filter(|word| *word != "source");
    words
        .map(|word| word.parse().map_err(|error: crate::names::Error| error.to_string()))
        .collect::<Result<_, _>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &str) -> Result<(Option<ContentsConfig>, Vec<String>), String> {
        let text = format!("Codename: x\n{fields}\n");
        let stanza = Stanza::parse_control(text.as_bytes()).unwrap();
        let mut warnings = Vec::new();
        let config = ContentsConfig::parse(&stanza, &mut |warning| warnings.push(warning))?;
        Ok((config, warnings))
    }

    #[test]
    fn the_words_are_those_of_reprepro() {
        use Compression::{Gzip, Plain, Xz};
        let of = |value: &str| read(&format!("Contents: {value}")).unwrap().0.unwrap();
        let default = ContentsConfig { compat_names: CompatNames::Links, ..ContentsConfig::default() };
        assert_eq!(of(""), default);
        assert_eq!(of(".xz .gz . udebs").compressions, [Plain, Gzip, Xz]);
        assert!(of("udebs").udebs && !of("nodebs").debs);
        assert_eq!(of("yes"), default);
        assert!(!of("no").debs && !of("no").udebs);
        let scopes = |value: &str| (of(value).per_component, of(value).all_components);
        assert_eq!(scopes("percomponent nocompatsymlink"), (true, false));
        assert_eq!((scopes("allcomponents"), scopes("all compatsymlink")), ((false, true), (true, true)));
        assert_eq!(scopes("percomponent allcomponents"), scopes("allcomponents percomponent"));
        assert_eq!(scopes("percomponent allcomponents"), (true, true));
        let compat = |value: &str| of(value).compat_names;
        assert_eq!(compat("compatsymlink"), CompatNames::LinksOrCopies);
        assert_eq!((compat("nocompatsymlink"), compat("all")), (CompatNames::Never, CompatNames::Never));
        let named = |fields: &str| {
            let config = read(&format!("Contents: {fields}")).unwrap().0.unwrap();
            (config.debs, config.udebs)
        };
        assert_eq!(named("nodebs\nContentsComponents: main\nContentsUComponents: main"), (true, true));
        assert_eq!(named("udebs\nContentsComponents: main"), (true, false));
        assert_eq!(named("udebs\nContentsComponents:\nContentsUComponents:"), (false, false));
        assert_eq!((of("1").debs, of("0").debs, of("2 .gz").debs), (true, false, true));
        let (config, warnings) = read("Contents: .lz .gz\nContentsArchitectures: amd64 source").unwrap();
        assert_eq!(config.unwrap().architectures.unwrap(), ["amd64".parse().unwrap()]);
        assert!(warnings[0].contains("`.lz` in field `Contents` is not supported"), "{warnings:?}");
        assert!(read("Contents: bogus").unwrap_err().contains("`bogus`"));
        assert_eq!(read("Origin: x").unwrap().0, None);
        assert!(read("ContentsComponents: main").unwrap().1[0].contains("without `Contents`"));
    }
}
