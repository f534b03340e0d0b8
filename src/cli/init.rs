//! `publish init`: writes a configuration, and generates a key.

use std::{fmt::Write as _, fs, io::Write as _, path::Path, process::ExitCode};

use super::{
    algorithm::Algorithm,
    failure::Failure,
    given_keys::passphrase,
    json::{Initialized, KeyFile},
    session::{Session, parse_suite},
    text::shell_word,
};
use crate::{
    archive::{ClientKeys, KEY_FILE, Trust},
    config::SuiteConfig,
    dists::{IndexKey, IndexKind, Release, layout::plain_path},
    names::{Architecture, Component, Suite},
    package_type::PackageType,
    signing::{GeneratedKey, NewKey, parse_expiry},
    store::Location,
    suite::flat,
};

/// Lifetime of the generated key.
const EXPIRES: &str = "3y";

/// Write conf/distributions for a suite, and generate a signing key
///
/// The key is stored outside the archive, in ~/.config/publish/keys; its public part is written to archive-key.asc in the
/// archive, for clients. A stanza is appended to an existing configuration. The configuration of an archive in a bucket is a
/// local file: name it with --config.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish --archive /srv/apt init --suite stable --origin Example\n\
\x20 publish --archive /srv/apt init --suite testing --sign-with key.asc\n\
\x20 publish --archive s3://packages.example.org/apt --config conf/distributions init\n\
\x20 publish --archive ./archive init --algorithm rsa4096\n\
\x20 publish --archive ./archive init --unsigned")]
pub(super) struct Args {
    /// Codename of the suite
    #[arg(short, long, default_value = "stable")]
    suite: String,

    /// Component of the suite; repeatable [default: main]
    #[arg(short, long, value_name = "COMPONENT")]
    component: Vec<Component>,

    /// Architecture of the suite, or `source` for source packages; repeatable [default: those of the packages]
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// Publisher of the suite (`Origin`)
    #[arg(long)]
    origin: Option<String>,

    /// Name of the archive (`Label`)
    #[arg(long)]
    label: Option<String>,

    /// Publish the suite without a signature: write `SignWith: no`
    #[arg(long)]
    unsigned: bool,

    /// Algorithm of the generated key: ed25519, or RSA for clients before Debian 9 and Ubuntu 18.04
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t, conflicts_with = "unsigned")]
    algorithm: Algorithm,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    session.refuse_web()?;
    let config = match (&session.location, &session.config_path) {
        (_, Some(path)) if session.config_is_named => path.clone(),
        (Location::Folder(archive), _) => archive.join("conf/distributions"),
        (location, _) => {
            return Err(Failure::usage(format!(
                "`{location}` is not a folder: name the file to write the configuration to with `--config FILE`"
            )));
        }
    };
    let archive = session.archive(Trust::unverified());
    if archive.suite_folders().await?.is_empty() {
        flat::refuse(archive.store()).await?;
    }
    let suite = parse_suite(&args.suite)?;
    let failed = |error: &std::io::Error| Failure::file(error, &config, "write");
    if config.exists() && session.config.suites.iter().any(|known| known.codename == suite) {
        let hint = format!("edit `{}`", config.display());
        return Err(Failure::text(format!("suite `{suite}` is already configured"), Some(hint)));
    }
    for (option, value) in [("--origin", &args.origin), ("--label", &args.label)] {
        // Everything from `#` on is a comment in conf/distributions.
        let is_bad = |c: char| c.is_control() || c == '#';
        if value.as_ref().is_some_and(|value| value.trim().is_empty() || value.chars().any(is_bad)) {
            return Err(Failure::usage(format!("`{option}` must be one line of text without `#`")));
        }
    }
    let published = session.archive(Trust::unverified()).suite(&suite).await?;
    // All suites of an archive share a key by default.
    let suites = if config.exists() { &session.config.suites[..] } else { &[] };
    let shared = suites.iter().find(|other| !other.sign_with.is_empty());
    let (sign_with, key) = match shared {
        _ if args.unsigned => (Some("no".to_owned()), None),
        _ if session.keys_given()?.is_overridden() => (session.sign_with_words()?, None),
        Some(other) => (Some(other.sign_with.join(" ")), None),
        None if published.pointer().is_some_and(|pointer| pointer.signed) => {
            let hint = "name its key with `--sign-with KEY`: clients trust only that key";
            let error = format!("suite `{suite}` is already published and signed with another key");
            return Err(Failure::text(error, Some(hint.to_owned())));
        }
        None => {
            let key = make_key(args, session, &suite)?;
            (Some(key.0.fingerprint.clone()), Some(key))
        }
    };
    let has_page = has_page(session, suites).await;
    let text = stanza(args, &suite, published.release(), sign_with.as_deref(), has_page);
    let folder = config.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let old = match crate::regular::read(&config) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        old => old.map_err(|error| failed(&error))?,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".distributions-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    // An empty line separates stanzas; the last line may have no newline.
    let gap: &[u8] = match &old[..] {
        [] | [.., b'\n', b'\n'] => b"",
        [.., b'\n'] => b"\n",
        _ => b"\n\n",
    };
    [&old, gap, text.as_bytes()]
        .into_iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed(&error))?;
    file.persist(&config).map_err(|error| failed(&error.error))?;
    if let Some((key, _)) = &key {
        let clients = ClientKeys { keyring: key.public.clone(), complete: false };
        session.archive(Trust::default().with_client_keys(clients)).write_client_keys(None).await?;
    }
    print_report(
        session,
        &Initialized {
            config: config.display().to_string(),
            suite: suite.to_string(),
            sign_with,
            key: key.map(|(key, file)| KeyFile { fingerprint: key.fingerprint, file }),
        },
    );
    Ok(ExitCode::SUCCESS)
}

fn print_report(session: &Session<'_>, report: &Initialized) {
    let ui = session.ui;
    if ui.json() {
        return ui.object(report);
    }
    ui.say(&format!("Wrote suite `{}` to {}", report.suite, report.config));
    if let Some(KeyFile { fingerprint, file: key }) = &report.key {
        ui.say(&format!("Generated key {fingerprint}, which expires in {EXPIRES}"));
        ui.say(&format!("Its secret part is in {key}: back it up"));
        ui.say(&format!("Its public part is in the archive, {KEY_FILE}, for clients"));
    } else if let Some(sign_with) = report.sign_with.as_ref().filter(|word| *word != "no") {
        ui.say(&format!("It will be signed with `{sign_with}`"));
    }
    let named = if session.config_is_named {
        format!(" --config {}", shell_word(&report.config))
    } else {
        String::new()
    };
    let archive = shell_word(&session.location.to_string());
    ui.say(&format!("Next: publish --archive {archive}{named} add FILE.deb"));
}

/// Generates a key outside the archive, because a web server may serve the folder of the archive.
fn make_key(args: &Args, session: &Session<'_>, suite: &Suite) -> Result<(GeneratedKey, String), Failure> {
    let folder = session.key_folder().ok_or_else(|| {
        let hint =
            "set HOME or XDG_CONFIG_HOME, or name a key with `--sign-with`, or add `--unsigned`".to_owned();
        Failure::text("there is no home directory to store a new key in", Some(hint))
    })?;
    let passphrase = passphrase()?;
    let name =
        args.origin.clone().or(args.label.clone()).unwrap_or_else(|| format!("Archive of suite {suite}"));
    let expires = parse_expiry(EXPIRES, session.now)?;
    let key = NewKey {
        expires,
        passphrase: passphrase.as_ref(),
        algorithm: args.algorithm.into(),
        ..NewKey::new(&name, session.now)
    }
    .generate()?;
    let path = folder.join(format!("{}.asc", key.fingerprint));
    key.write_secret(&path)?;
    Ok((key, path.display().to_string()))
}

/// The components of a published suite, without those of debug symbols, which the packages decide.
fn of_packages(words: &str) -> String {
    let kept = words.split_whitespace().filter(|word| PackageType::of_folder(word).is_none());
    kept.collect::<Vec<_>>().join(" ")
}

/// The architectures of a published suite; its release file need not name `source`.
fn architectures_of(release: &Release) -> Option<String> {
    let words = release.field("Architectures").filter(|all| *all != "all")?;
    let is_of_sources =
        |(path, _): (&String, _)| IndexKey::parse(plain_path(path)).kind() == IndexKind::Sources;
    let has_unnamed_sources = !release.names_source() && release.own_files().any(is_of_sources);
    Some(format!("{words}{}", if has_unnamed_sources { " source" } else { "" }))
}

/// Whether the archive gets a page: a new one, and one whose other suites are on it. An archive that exists may have a page
/// of its own.
async fn has_page(session: &Session<'_>, others: &[SuiteConfig]) -> bool {
    if !others.is_empty() {
        return others.iter().any(|other| other.web_page == Some(true));
    }
    let published = session.archive(Trust::unverified()).suites().await;
    published.is_ok_and(|suites| suites.is_empty())
}

/// Renders the stanza; fields of a published suite of that name are kept.
fn stanza(
    args: &Args,
    suite: &Suite,
    published: Option<&Release>,
    sign_with: Option<&str>,
    has_page: bool,
) -> String {
    let old = |field: &str| {
        let value = published.and_then(|release| release.field(field));
        value.filter(|value| !value.contains('#')).map(ToOwned::to_owned)
    };
    let join =
        |words: &[String], old: Option<String>| if words.is_empty() { old } else { Some(words.join(" ")) };
    let components: Vec<String> = args.component.iter().map(ToString::to_string).collect();
    let architectures: Vec<String> = args.architecture.iter().map(ToString::to_string).collect();
    let fields = [
        ("Codename", Some(suite.to_string())),
        ("Suite", old("Suite")),
        ("Origin", args.origin.clone().or_else(|| old("Origin"))),
        ("Label", args.label.clone().or_else(|| old("Label"))),
        ("Version", old("Version")),
        ("Description", old("Description")),
        (
            "Components",
            join(&components, old("Components").map(|words| of_packages(&words))).or(Some("main".to_owned())),
        ),
        ("Architectures", join(&architectures, published.and_then(architectures_of))),
        ("NotAutomatic", old("NotAutomatic")),
        ("ButAutomaticUpgrades", old("ButAutomaticUpgrades")),
        ("SignWith", sign_with.map(ToOwned::to_owned)),
        ("WebPage", has_page.then(|| "yes".to_owned())),
    ];
    let mut text = String::new();
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}
