//! `publish client`: what a client needs to use an archive.

use std::process::ExitCode;

use super::{
    class::Kind,
    failure::Failure,
    json,
    session::Session,
    sources::{self, UNKNOWN},
    state,
};
use crate::{
    archive::{
        ClientKey, ClientSuite, KEY_FILE, PublishedSuite, Script, archive_name, inline, installed_key,
        one_lines, stanzas,
    },
    config::SuiteConfig,
    digest::Sha256Digest,
    names::Suite,
    signing::Keyring,
    store::Location,
    suite::limits,
};

/// Print a script that adds the archive to a client: its key and its sources
///
/// Run the script on the client as root. It fetches the public key, checks it against the key's current digest,
/// installs it in /etc/apt/keyrings, and writes the `.sources` file. The archive is named by `Label:` or `Origin:` of its
/// suites, else by the host of its URL.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish client --public-url https://packages.example.org/apt >install.sh\n\
\x20 publish client stable --sources\n\
\x20 publish --archive https://packages.example.org/apt client --suite stable --one-line")]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
pub(super) struct Args {
    /// Suites that the client reads [default: all]
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,

    /// Suite that the client reads, instead of the arguments; repeatable
    #[arg(short, long = "suite", value_name = "SUITE", conflicts_with = "suites")]
    suite: Vec<String>,

    /// Print the script (default)
    #[arg(long, group = "form")]
    script: bool,

    /// Print the `.sources` stanza, with the public key in it
    #[arg(long, group = "form")]
    sources: bool,

    /// Print the lines for /etc/apt/sources.list of apt before 1.1; install the key with --script, or by hand
    #[arg(long, group = "form")]
    one_line: bool,

    /// URL under which clients read the archive [default: PUBLISH_PUBLIC_URL, else `Public-Url:` in the configuration]
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
}

/// The archive as a client sees it.
pub(super) struct Client {
    url: Option<String>,
    uri: String,
    name: String,
    suites: Vec<ClientSuite>,
    keys: Option<Keys>,
}

/// The public keys, and their file on the client.
struct Keys {
    keyring: Keyring,
    armored: Vec<u8>,
    path: String,
    source: ClientKey,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let named: Vec<String> = args.suites.iter().chain(&args.suite).cloned().collect();
    let client = Client::read(&named, session).await?;
    if client.uri == UNKNOWN {
        session.ui.warn(&format!(
            "the URL under which clients read {} is unknown: name it with `--public-url URL`, or `Public-Url:` in conf/distributions; {UNKNOWN} stands for it",
            session.location
        ));
    }
    if session.ui.json() {
        session.ui.object(&client.document());
    } else if args.sources {
        session.ui.stanza(&client.stanzas(true));
    } else if args.one_line {
        session.ui.stanza(&client.one_lines());
    } else {
        session.ui.stanza(&client.script());
    }
    Ok(ExitCode::SUCCESS)
}

impl Client {
    /// Reads the suites that are named, else all.
    pub(super) async fn read(named: &[String], session: &Session<'_>) -> Result<Self, Failure> {
        let published = published(named, session).await?;
        let configured = |suite: &Suite| session.config.find(suite.as_str());
        let url = session.public_url_of(published.first().and_then(|suite| configured(suite.name())));
        let uri = sources::uri(url.as_deref(), &session.location);
        let mut suites = Vec::new();
        for suite in &published {
            let Some(pointer) = suite.pointer() else { continue };
            let carried = suite.carried().await?;
            suites.push(ClientSuite::of_part(suite.name(), &pointer.release, pointer.signed, &carried));
        }
        let name = name(session, &published, &uri);
        let keys = if suites.iter().any(|suite| suite.signed) {
            Some(Keys::read(session, &published, url.as_deref(), &name).await?)
        } else {
            None
        };
        Ok(Self { url, uri, name, suites, keys })
    }

    /// The stanzas, with the keys or with the file of the keys on the client.
    fn stanzas(&self, with_keys: bool) -> String {
        let signed_by = match &self.keys {
            Some(keys) if with_keys && keys.source != ClientKey::There => inline(&keys.armored),
            Some(keys) => keys.path.clone(),
            None => String::new(),
        };
        stanzas(&self.uri, &self.suites, &signed_by)
    }

    /// The stanzas with the keys, for the archive at another URL.
    pub(super) fn stanzas_at(&self, url: &str) -> String {
        let signed_by = self.keys.as_ref().map(|keys| inline(&keys.armored)).unwrap_or_default();
        stanzas(url.trim_end_matches('/'), &self.suites, &signed_by)
    }

    fn one_lines(&self) -> String {
        one_lines(&self.uri, &self.suites, self.keys.as_ref().map_or("", |keys| &keys.path))
    }

    fn script(&self) -> String {
        let stanzas = self.stanzas(false);
        match &self.keys {
            Some(keys) => Script::new(&self.name, &keys.source, &keys.path, &stanzas).render(),
            None => Script::new(&self.name, &ClientKey::There, "", &stanzas).render(),
        }
    }

    fn document(&self) -> json::Client {
        let key = self.keys.as_ref().map(|keys| json::ClientKey {
            path: keys.path.clone(),
            url: match &keys.source {
                ClientKey::Fetched(url, _) => Some(url.clone()),
                _ => None,
            },
            sha256: Sha256Digest::of(&keys.armored).to_string(),
            fingerprints: keys.keyring.fingerprints(),
            armored: String::from_utf8_lossy(&keys.armored).into_owned(),
        });
        json::Client {
            url: self.url.clone(),
            name: self.name.clone(),
            suites: self.suites.iter().map(json::ClientSuite::from).collect(),
            key,
            sources: self.stanzas(true),
            one_line: self.one_lines().lines().map(ToOwned::to_owned).collect(),
            script: self.script(),
        }
    }
}

impl Keys {
    /// Reads the keys that the archive publishes, else those that are known here and have signed the suites.
    async fn read(
        session: &Session<'_>,
        suites: &[PublishedSuite],
        url: Option<&str>,
        name: &str,
    ) -> Result<Self, Failure> {
        let store = &session.store;
        let file = store.unless_refused(store.read(KEY_FILE, limits::KEYS).await)?;
        let mut keyring = Keyring::new();
        if let Some(file) = file.filter(|file| keyring.add_bytes(KEY_FILE, &file.bytes).is_ok()) {
            let in_folder = sources::key_in_folder(&session.location).filter(|_| url.is_none());
            let armored = file.bytes.to_vec();
            let source = match (&in_folder, url) {
                (Some(_), _) => ClientKey::There,
                (None, Some(url)) => {
                    ClientKey::Fetched(format!("{url}/{KEY_FILE}"), Sha256Digest::of(&file.bytes))
                }
                (None, None) => ClientKey::Embedded(String::from_utf8_lossy(&keyring.armored()?).into()),
            };
            let path = in_folder.unwrap_or_else(|| installed_key(name));
            return Ok(Self { keyring, armored, path, source });
        }
        let known = tokio::task::block_in_place(|| session.trust_to_read());
        let signers: Vec<String> =
            suites.iter().filter_map(PublishedSuite::pointer).flat_map(|one| one.signers.clone()).collect();
        let keyring = known.keys().only(&signers);
        if keyring.is_empty() {
            let hint =
                "name the key with `--sign-with KEY`, or ask the owner of the archive for its public key";
            let text = format!("{} publishes no `{KEY_FILE}`, and its key is unknown here", session.location);
            return Err(Failure::text(text, Some(hint.to_owned())).kind(Kind::NotFound));
        }
        let armored = keyring.armored()?;
        let source = ClientKey::Embedded(String::from_utf8_lossy(&armored).into_owned());
        Ok(Self { keyring, armored, path: installed_key(name), source })
    }
}

/// Reads the suites that are named, else all.
async fn published(asked: &[String], session: &Session<'_>) -> Result<Vec<PublishedSuite>, Failure> {
    let archive = session.archive(tokio::task::block_in_place(|| session.trust_to_read()));
    session.ui.step("Reading the archive");
    let mut names = Vec::new();
    for name in asked {
        refuse_generation(name)?;
        for suite in session.suites_to_read(&archive, Some(name)).await? {
            if !names.contains(&suite) {
                names.push(suite);
            }
        }
    }
    if names.is_empty() {
        names = session.suites_on_page().await?;
    }
    if names.is_empty() {
        names = session.suites_to_read(&archive, None).await?;
    }
    let mut suites = Vec::new();
    for name in names {
        suites.push(archive.suite(&name).await?);
    }
    Ok(suites)
}

/// apt reads suites: of an earlier content only a snapshot has a folder that `Suites:` can name.
fn refuse_generation(name: &str) -> Result<(), Failure> {
    let (suite, which) = state::split(name)?;
    if which.is_none() {
        return Ok(());
    }
    let hint = format!(
        "keep content for clients with `publish snapshot NAME --suite {name}`, and name `{suite}/snapshots/NAME`; see what `{name}` has with `publish list --suite {name}`"
    );
    let text = format!("a client reads a suite such as `{suite}`, and not one of its generations, `{name}`");
    Err(Failure::text(text, Some(hint)).into_usage())
}

/// Returns the name of the archive in the names of files: as configured, else as published, else from its URL.
fn name(session: &Session<'_>, suites: &[PublishedSuite], uri: &str) -> String {
    let configured = suites
        .first()
        .and_then(|suite| session.config.site_name(&SuiteConfig::unconfigured(suite.name().clone())));
    let field = |name| suites.iter().filter_map(move |suite| suite.release()?.field(name));
    let host = uri.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let host = if matches!(session.location, Location::Web(_)) || uri != UNKNOWN { host } else { "" };
    configured
        .or_else(|| archive_name(field("Label").chain(field("Origin")).chain([host])))
        .unwrap_or_else(|| "archive".to_owned())
}
