//! The `.sources` stanzas for clients (deb822 format of sources.list(5)), and the lines for apt before 1.1.

use std::fmt::Write as _;

use crate::{
    dists::{IndexKey, IndexKind, Release, layout::plain_path, subset::Carried},
    names::{Architecture, Suite},
    package_type::PackageType,
    stanza::Stanzas,
};

/// The first line of a file that `publish` wrote; other files of that name are left alone.
const MARK: &str = "# Written by publish for /etc/apt/sources.list.d/; changes are overwritten.\n";

/// A suite as a client configures it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientSuite {
    /// The suite.
    pub suite: Suite,
    /// Its components, without those of debug symbols, which are for users who ask for them.
    pub components: Vec<String>,
    /// The architectures, if it is a mirror that does not carry the others.
    pub architectures: Vec<String>,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether it has source packages.
    pub has_sources: bool,
}

impl ClientSuite {
    /// A suite with these components.
    #[must_use]
    pub fn new(suite: &Suite, components: &[String], signed: bool, has_sources: bool) -> Self {
        let ordinary = components.iter().filter(|name| PackageType::of_folder(name).is_none());
        let (components, architectures) = (ordinary.cloned().collect(), Vec::new());
        Self { suite: suite.clone(), components, architectures, signed, has_sources }
    }

    /// The same suite in a mirror that carries these architectures; none for all.
    #[must_use]
    pub fn for_architectures(self, architectures: &[Architecture]) -> Self {
        let binaries = architectures.iter().filter(|name| !name.is_source() && !name.is_all());
        Self { architectures: binaries.map(ToString::to_string).collect(), ..self }
    }

    /// The part of a published suite that a mirror carries.
    pub(crate) fn of_part(suite: &Suite, release: &Release, signed: bool, carried: &Carried) -> Self {
        let is_of_sources = |(path, _): (&String, _)| {
            carried.holds(path) && IndexKey::parse(plain_path(path)).kind() == IndexKind::Sources
        };
        Self::new(suite, &carried.components(release), signed, release.own_files().any(is_of_sources))
            .for_architectures(&carried.subset().architectures)
    }

    /// A published suite.
    #[must_use]
    pub fn of(suite: &Suite, release: &Release, signed: bool) -> Self {
        let components = release.client_components();
        let is_of_sources =
            |(path, _): (&String, _)| IndexKey::parse(plain_path(path)).kind() == IndexKind::Sources;
        Self::new(suite, &components, signed, release.own_files().any(is_of_sources))
    }

    fn types(&self) -> &'static str {
        if self.has_sources { "deb deb-src" } else { "deb" }
    }

    fn is_alike(&self, other: &Self) -> bool {
        (&self.components, &self.architectures, self.signed, self.has_sources)
            == (&other.components, &other.architectures, other.signed, other.has_sources)
    }
}

/// Renders one stanza for all suites; suites that differ in components, signature or sources get stanzas of their own.
/// `signed_by` is the value of `Signed-By`.
#[must_use]
pub fn stanzas(uri: &str, suites: &[ClientSuite], signed_by: &str) -> String {
    let mut groups: Vec<Vec<&ClientSuite>> = Vec::new();
    for suite in suites {
        match groups.iter_mut().find(|group| group[0].is_alike(suite)) {
            Some(group) => group.push(suite),
            None => groups.push(vec![suite]),
        }
    }
    let stanza = |group: &Vec<&ClientSuite>| {
        let names: Vec<&str> = group.iter().map(|suite| suite.suite.as_str()).collect();
        let (types, components) = (group[0].types(), group[0].components.join(" "));
        let trust = if group[0].signed {
            format!("Signed-By:{}{signed_by}", if signed_by.starts_with('\n') { "" } else { " " })
        } else {
            "Trusted: yes".to_owned()
        };
        let suites = names.join(" ");
        let architectures = match &group[0].architectures[..] {
            [] => String::new(),
            some => format!("Architectures: {}\n", some.join(" ")),
        };
        format!(
            "Types: {types}\nURIs: {uri}\nSuites: {suites}\nComponents: {components}\n{architectures}{trust}\n"
        )
    };
    groups.iter().map(stanza).collect::<Vec<_>>().join("\n")
}

/// Renders the lines of sources.list(5) for apt before 1.1; `key` is the file of the public keys on the client.
#[must_use]
pub fn one_lines(uri: &str, suites: &[ClientSuite], key: &str) -> String {
    let mut text = String::new();
    for suite in suites {
        let trust = if suite.signed { format!("signed-by={key}") } else { "trusted=yes".to_owned() };
        let option = match &suite.architectures[..] {
            [] => trust,
            some => format!("arch={} {trust}", some.join(",")),
        };
        for word in suite.types().split(' ') {
            let _ = writeln!(text, "{word} [{option}] {uri} {} {}", suite.suite, suite.components.join(" "));
        }
    }
    text
}

/// The value of `Signed-By` that embeds armoured keys, so that a client need not download them.
#[must_use]
pub fn inline(armored: &[u8]) -> String {
    let text = String::from_utf8_lossy(armored);
    text.lines().map(|line| if line.is_empty() { "\n .".to_owned() } else { format!("\n {line}") }).collect()
}

/// Renders the file at the root of an archive.
pub(crate) fn render_file(uri: &str, suites: &[ClientSuite], key: &str) -> String {
    format!("{MARK}{}", stanzas(uri, suites, key))
}

/// Whether `publish` wrote a file.
pub(crate) fn is_ours(text: &[u8]) -> bool {
    text.starts_with(MARK.as_bytes())
}

/// Whether a file that `publish` wrote has a suite as it is published now.
pub(crate) fn lists(text: &[u8], uri: &str, suite: &ClientSuite, key: &str) -> bool {
    let mut all = Stanzas::with_comments(text);
    while let Some(Ok(stanza)) = all.next() {
        let field = |name: &str| stanza.text_of(name).unwrap_or_default();
        if field("Suites").split_whitespace().any(|name| name == suite.suite.as_str()) {
            let trust = if suite.signed { ("Signed-By", key) } else { ("Trusted", "yes") };
            return field("Types") == suite.types()
                && field("URIs") == uri
                && field("Components") == suite.components.join(" ")
                && field(trust.0) == trust.1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "/etc/apt/keyrings/x.asc";

    fn suite(name: &str, components: &[&str], signed: bool) -> ClientSuite {
        let components: Vec<String> = components.iter().map(|&name| name.to_owned()).collect();
        ClientSuite::new(&Suite::parse(name).unwrap(), &components, signed, false)
    }

    #[test]
    fn alike_suites_share_a_stanza() {
        let suites = [
            suite("stable", &["main", "main/debug"], true),
            suite("old", &["main", "contrib"], true),
            suite("testing", &["main"], true),
            suite("lab", &["main"], false),
        ];
        insta::assert_snapshot!(stanzas("https://example.org", &suites, KEY), @r"
        Types: deb
        URIs: https://example.org
        Suites: stable testing
        Components: main
        Signed-By: /etc/apt/keyrings/x.asc

        Types: deb
        URIs: https://example.org
        Suites: old
        Components: main contrib
        Signed-By: /etc/apt/keyrings/x.asc

        Types: deb
        URIs: https://example.org
        Suites: lab
        Components: main
        Trusted: yes
        ");
        let file = render_file("https://example.org", &suites, KEY);
        for suite in &suites {
            assert!(lists(file.as_bytes(), "https://example.org", suite, KEY), "{}", suite.suite);
            assert!(!lists(file.as_bytes(), "https://example.com", suite, KEY), "{}", suite.suite);
        }
        assert!(!lists(file.as_bytes(), "https://example.org", &suite("lab", &["main"], true), KEY));
        assert!(!lists(file.as_bytes(), "https://example.org", &suite("new", &["main"], true), KEY));
    }

    #[test]
    fn old_apt_gets_a_line_for_each_suite_and_type() {
        let mut with_sources = suite("stable", &["main", "contrib"], true);
        with_sources.has_sources = true;
        insta::assert_snapshot!(one_lines("https://x", &[with_sources, suite("lab", &["main"], false)], KEY), @r"
        deb [signed-by=/etc/apt/keyrings/x.asc] https://x stable main contrib
        deb-src [signed-by=/etc/apt/keyrings/x.asc] https://x stable main contrib
        deb [trusted=yes] https://x lab main
        ");
    }

    #[test]
    fn an_embedded_key_is_a_folded_field() {
        assert_eq!(inline(b"BEGIN\n\nabc\n"), "\n BEGIN\n .\n abc");
        assert!(stanzas("u", &[suite("s", &["main"], true)], &inline(b"K")).ends_with("\nSigned-By:\n K\n"));
    }
}
