//! The archive's page: `index.html`, with what it shows of each suite as data in it.
//!
//! The page is its own record: a commit reads it, replaces its suite, and renders it again. It needs no server but one
//! for files, and makes no request to another host; the parts of its data are in [`super::parts`]. Everything from the
//! archive is escaped, and the policy in the page forbids all scripts and styles but its own.

use std::{collections::BTreeMap, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    name::{DEFAULT, UNKNOWN_URL, installed_key},
    sources::{ClientSuite, stanzas},
};
use crate::{
    compression::Compression,
    dists::{
        IndexKey, IndexKind, Release,
        layout::{plain_path, uncompressed},
    },
    names::Suite,
    package_type::PackageType,
    signing::KeyReport,
};

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The mark of a page that `publish` wrote; other pages are left alone.
const MARK: &str = "<meta name=\"generator\" content=\"publish\">";
const DATA: (&str, &str) = ("<script type=\"application/json\" id=\"data\">", "</script>");

/// The content of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    /// The name of the archive in the names of files.
    pub(crate) name: String,
    /// The URL for clients; without it the page uses its own.
    pub(crate) url: Option<String>,
    pub(crate) suites: BTreeMap<String, PageSuite>,
    pub(crate) keys: Vec<PageKey>,
}

/// The content of the page about a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PageSuite {
    /// The digest of the release file that this was made from.
    pub(crate) of: String,
    /// The digest of the list of parts.
    pub(crate) manifest: String,
    /// The number of package names.
    pub(crate) packages: usize,
    date: String,
    valid_until: Option<String>,
    origin: Option<String>,
    label: Option<String>,
    suite: Option<String>,
    version: Option<String>,
    description: Option<String>,
    changelogs: Option<String>,
    components: Vec<String>,
    architectures: Vec<String>,
    signed: bool,
    sources: bool,
    /// The architectures of a mirror that does not carry the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<String>,
    /// The paths of indices in gzip, for browsers without scripts.
    indices: Vec<String>,
    /// The names of its snapshots.
    pub(crate) snapshots: Vec<String>,
}

/// A public key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PageKey {
    fingerprint: String,
    user: String,
    expires: Option<String>,
}

impl From<&KeyReport> for PageKey {
    fn from(report: &KeyReport) -> Self {
        Self {
            fingerprint: report.fingerprint.clone(),
            user: report.user_ids.first().cloned().unwrap_or_default(),
            expires: report.expires.clone(),
        }
    }
}

impl PageSuite {
    /// A suite by its release file; the parts are added.
    pub(crate) fn of(release: &Release, digest: String, signed: bool) -> Self {
        let field = |name: &str| release.field(name).map(ToOwned::to_owned);
        let words = |name: &str| {
            let words = release.field(name).unwrap_or_default().split_whitespace();
            words.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let date =
            |date: Option<jiff::Timestamp>| date.map(|date| date.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let kind = |path: &str| IndexKey::parse(plain_path(path)).kind();
        let listed: Vec<&String> = release.own_files().map(|(path, _)| path).collect();
        let is_index =
            |path: &&&String| uncompressed(path).1 == Compression::Gzip && kind(path) == IndexKind::Packages;
        Self {
            of: digest,
            manifest: String::new(),
            packages: 0,
            date: date(release.date().ok()).unwrap_or_default(),
            valid_until: date(release.valid_until().ok().flatten()),
            origin: field("Origin"),
            label: field("Label"),
            suite: field("Suite"),
            version: field("Version"),
            description: field("Description"),
            changelogs: field("Changelogs"),
            components: words("Components")
                .into_iter()
                .filter(|name| PackageType::of_folder(name).is_none())
                .collect(),
            architectures: words("Architectures"),
            signed,
            sources: listed.iter().any(|path| kind(path) == IndexKind::Sources),
            carried: Vec::new(),
            indices: listed.iter().filter(is_index).map(|&path| path.clone()).collect(),
            snapshots: Vec::new(),
        }
    }

    /// The same suite with its parts and snapshots.
    pub(crate) fn with_parts(self, manifest: String, packages: usize, snapshots: Vec<String>) -> Self {
        Self { manifest, packages, snapshots, ..self }
    }

    /// The same suite as far as a mirror carries it.
    pub(crate) fn with_carried(self, suite: &ClientSuite) -> Self {
        Self {
            components: suite.components.clone(),
            carried: suite.architectures.clone(),
            sources: suite.has_sources,
            ..self
        }
    }

    /// The suite as a client configures it.
    fn for_client(&self, name: &str) -> Option<ClientSuite> {
        Some(ClientSuite {
            suite: Suite::parse(name).ok()?,
            components: self.components.clone(),
            architectures: self.carried.clone(),
            signed: self.signed,
            has_sources: self.sources,
        })
    }

    fn label(&self) -> Option<&String> {
        self.label.as_ref().or(self.origin.as_ref()).filter(|text| !text.trim().is_empty())
    }
}

impl Page {
    /// Whether `publish` wrote a page.
    pub(crate) fn is_ours(text: &[u8]) -> bool {
        memchr::memmem::find(text, MARK.as_bytes()).is_some()
    }

    /// Reads the data of a page that `publish` wrote; of a damaged one there is none.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let data = || {
            let text = std::str::from_utf8(text).ok()?;
            let (_, rest) = text.split_once(DATA.0)?;
            serde_json::from_str(rest.split_once(DATA.1)?.0).ok()
        };
        data().unwrap_or_default()
    }

    fn title(&self) -> &str {
        let labels = self.suites.values().filter_map(PageSuite::label);
        labels.map(String::as_str).next().unwrap_or("Packages for Debian")
    }

    /// Renders the page.
    pub(crate) fn render(&self) -> String {
        let description =
            self.suites.values().find_map(|suite| suite.description.as_deref()).unwrap_or_default();
        let url = self.url.as_deref().map(|url| format!("An APT archive at {url}")).unwrap_or_default();
        let value = |name: &str| -> String {
            match name {
                "title" => escaped(self.title()),
                "description" => escaped(if description.is_empty() { &url } else { description }),
                "name" => escaped(self.name()),
                "style" => STYLE.to_owned(),
                "script" => SCRIPT.to_owned(),
                "style-digest" => source_digest(STYLE),
                "script-digest" => source_digest(SCRIPT),
                "suites" => self.suites.iter().map(|(name, suite)| suite_row(name, suite)).collect(),
                "lists" => self.lists(),
                "install" => self.install(),
                "keys" => self.keys(),
                "data" => self.data(),
                _ => String::new(),
            }
        };
        // In one pass: a value is not searched for names.
        let mut parts = TEMPLATE.split("{{");
        let mut html = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, text) = part.split_once("}}").unwrap_or(("", part));
            html.push_str(&value(name));
            html.push_str(text);
        }
        html
    }

    fn name(&self) -> &str {
        if self.name.is_empty() { DEFAULT } else { &self.name }
    }

    /// The data, which cannot end its element.
    fn data(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
    }

    /// Links to the lists of packages, for browsers without scripts.
    fn lists(&self) -> String {
        let mut html = String::from(
            "<noscript><p>Search and packages need JavaScript. Lists of all packages:</p><ul>\n",
        );
        for (suite, of) in &self.suites {
            for path in &of.indices {
                let path = format!("dists/{suite}/{path}");
                let _ = writeln!(html, "<li><a href=\"{0}\">{0}</a></li>", escaped(&path));
            }
        }
        html + "</ul></noscript>\n"
    }

    /// The commands for each suite; a script shows those of the chosen one.
    fn install(&self) -> String {
        let url = self.url.as_deref().unwrap_or(UNKNOWN_URL);
        let suites: Vec<ClientSuite> =
            self.suites.iter().filter_map(|(name, suite)| suite.for_client(name)).collect();
        let mut html = String::new();
        if suites.len() > 1 {
            let names = suites.iter().map(|one| escaped(one.suite.as_str())).collect::<Vec<_>>();
            let _ = writeln!(
                html,
                "<p hidden><label for=\"suite\">Suite</label><select id=\"suite\"><option>{}</option></select></p>",
                names.join("</option><option>")
            );
        }
        html.push_str("<p>On Debian 11, Ubuntu 20.04 or later:</p>\n<div id=\"commands\">\n");
        for suite in &suites {
            let name = escaped(suite.suite.as_str());
            let heading = if suites.len() > 1 { format!("<h3>Suite {name}</h3>") } else { String::new() };
            let commands = escaped(&commands(self.name(), url, suite));
            let _ = writeln!(
                html,
                "<div data-suite=\"{name}\">{heading}<div class=\"code\"><pre><code>{commands}</code></pre></div></div>"
            );
        }
        html + "</div>\n"
    }

    fn keys(&self) -> String {
        if self.keys.is_empty() {
            return "<p>The archive is not signed.</p>\n".to_owned();
        }
        let mut html = String::new();
        for PageKey { fingerprint, user, expires } in &self.keys {
            let expires = expires
                .as_deref()
                .map_or_else(|| "does not expire".to_owned(), |day| format!("expires {day}"));
            let _ = writeln!(
                html,
                "<dl><dt>Fingerprint</dt><dd><code>{}</code></dd><dt>Owner</dt><dd>{}</dd><dt>Expiry</dt><dd>{}</dd></dl>",
                escaped(&grouped(fingerprint)),
                escaped(user),
                escaped(&expires)
            );
        }
        html + "<p><a href=\"archive-key.asc\">archive-key.asc</a></p>\n"
    }
}

/// The commands that add a suite to a client; the stanza is the one that `publish client` prints.
fn commands(name: &str, url: &str, suite: &ClientSuite) -> String {
    let key = installed_key(name);
    let fetch = if suite.signed {
        format!(
            "sudo install -d -m 0755 /etc/apt/keyrings\ncurl -fsSL {url}/archive-key.asc | sudo tee {key} >/dev/null\n"
        )
    } else {
        String::new()
    };
    let stanza = stanzas(url, std::slice::from_ref(suite), &key);
    format!(
        "{fetch}sudo tee /etc/apt/sources.list.d/{name}.sources >/dev/null <<'END'\n{stanza}END\nsudo apt-get update\n"
    )
}

fn suite_row(name: &str, suite: &PageSuite) -> String {
    let mut shown = format!("<strong>{}</strong>", escaped(name));
    for alias in [&suite.suite, &suite.version].into_iter().flatten().filter(|alias| *alias != name) {
        let _ = write!(shown, " ({})", escaped(alias));
    }
    if !suite.snapshots.is_empty() {
        let names: Vec<String> =
            suite.snapshots.iter().map(|snapshot| format!("{name}/snapshots/{snapshot}")).collect();
        let _ = write!(shown, "<br><span class=\"dim\">snapshots: {}</span>", escaped(&names.join(", ")));
    }
    let until = suite.valid_until.as_ref().map(|until| format!("<br>valid until {}", escaped(until)));
    format!(
        "<tr><td data-label=\"Suite\">{shown}</td><td data-label=\"Components\">{}</td><td data-label=\"Architectures\">{}</td>\
         <td data-label=\"Packages\">{}</td><td data-label=\"Changed\">{}{}</td></tr>\n",
        escaped(&suite.components.join(" ")),
        escaped(&suite.architectures.join(" ")),
        suite.packages,
        escaped(&suite.date),
        until.unwrap_or_default()
    )
}

/// A fingerprint in groups of four, as other tools print it.
fn grouped(fingerprint: &str) -> String {
    let mut text = String::new();
    for (at, c) in fingerprint.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

/// The digest of a script or a style, as a policy names it.
fn source_digest(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(Sha256::digest(text.as_bytes())))
}

/// Escapes a text for HTML, also in quotes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</script><script>alert(1)</script>\"'&{{data}}<img src=x onerror=alert(1)>";

    fn page() -> Page {
        let release = format!(
            "Origin: {0}\nLabel: {0}\nDescription: {0}\nSuite: {0}\nCodename: stable\nDate: Sun, 01 Jun 2025 00:00:00 UTC\nComponents: main main/debug\nArchitectures: amd64\nSHA256:\n {1} 0 main/binary-amd64/Packages.gz\n",
            HOSTILE,
            "0".repeat(64)
        );
        let suite = PageSuite::of(&Release::parse(release.as_bytes()).unwrap(), "of".into(), true);
        let key = PageKey { fingerprint: "0123456789".into(), user: HOSTILE.into(), expires: None };
        Page { name: "x".into(), url: None, suites: [("stable".to_owned(), suite)].into(), keys: vec![key] }
    }

    #[test]
    fn a_page_is_its_own_record() {
        let page = page();
        let text = page.render();
        assert!(Page::is_ours(text.as_bytes()));
        assert_eq!(Page::parse(text.as_bytes()), page);
        assert_eq!(Page::parse(text.as_bytes()).render(), text);
        assert!(!Page::is_ours(b"<h1>mine</h1>"));
        let cut = text.split_once(DATA.0).unwrap().0;
        assert_eq!(Page::parse(cut.as_bytes()), Page::default());
    }

    #[test]
    fn nothing_from_the_archive_becomes_markup() {
        let text = page().render();
        assert!(!text.contains("<img") && !text.contains("<script>alert"), "{text}");
        assert_eq!(text.matches("<script").count(), 2);
        assert_eq!(text.matches("</script>").count(), 2);
        for word in ["http://", "src=", "@import", "url("] {
            assert!(!STYLE.contains(word) && !TEMPLATE.contains(word), "{word}");
        }
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }

    #[test]
    fn the_policy_allows_exactly_the_script_and_the_style_of_the_page() {
        let text = page().render();
        let element =
            |from: &str, to: &str| text.split_once(from).unwrap().1.split_once(to).unwrap().0.to_owned();
        for (kind, content) in
            [("script", element("<script>", "</script>")), ("style", element("<style>", "</style>"))]
        {
            let digest = format!("{kind}-src 'sha256-{}'", BASE64.encode(Sha256::digest(content.as_bytes())));
            assert!(text.contains(&digest), "{kind}");
        }
    }
}
