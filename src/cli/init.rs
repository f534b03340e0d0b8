//! `publish init`: a configuration to begin with, and a key.

use std::{fmt::Write as _, fs, io::Write as _, process::ExitCode};

use super::{
    failure::Failure,
    json::{Initialized, KeyFile},
    session::{Session, parse_suite, passphrase},
};
use crate::{
    archive::{ClientKeys, KEY_FILE, Trust},
    dists::Release,
    names::{Architecture, Component, Suite},
    signing::{GeneratedKey, NewKey, parse_expiry},
    store::Location,
};

/// How long a key lasts that is made without being asked for it.
const EXPIRES: &str = "3y";

/// Writes conf/distributions for a suite and, unless --unsigned, makes a key
///
/// The key is kept outside the archive, in the folder of your configuration; its public part is put at the root of the
/// archive for clients. An existing configuration gets a further stanza.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The suite
    #[arg(short, long, default_value = "stable")]
    suite: String,

    /// A component; may be repeated [default: main]
    #[arg(short, long, value_name = "COMPONENT")]
    component: Vec<Component>,

    /// An architecture; may be repeated [default: as the packages come]
    #[arg(long, value_name = "ARCHITECTURE")]
    architecture: Vec<Architecture>,

    /// Who publishes the suite (`Origin`)
    #[arg(long)]
    origin: Option<String>,

    /// What the suite is called beside its origin (`Label`)
    #[arg(long)]
    label: Option<String>,

    /// Publishes the suite without a signature
    #[arg(long)]
    unsigned: bool,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let Location::Folder(archive) = &session.location else {
        return Err(Failure::usage("`init` writes a configuration into a folder; name one with `--archive`"));
    };
    let suite = parse_suite(&args.suite)?;
    let config = archive.join("conf/distributions");
    let failed = |error: &std::io::Error| Failure::file(error, &config, "write");
    if config.exists() && session.config.suites.iter().any(|known| known.codename == suite) {
        let hint = format!("change it there: `{}`", config.display());
        return Err(Failure::text(format!("suite `{suite}` is configured already"), Some(hint)));
    }
    for (option, value) in [("--origin", &args.origin), ("--label", &args.label)] {
        if value.as_ref().is_some_and(|value| value.trim().is_empty() || value.chars().any(char::is_control))
        {
            return Err(Failure::usage(format!("`{option}` must be one line of text")));
        }
    }
    let published = session.archive(Trust::unverified()).suite(&suite).await?;
    // One archive, one key, unless its owner names another.
    let suites = if config.exists() { &session.config.suites[..] } else { &[] };
    let shared = suites.iter().find(|other| !other.sign_with.is_empty());
    let (sign_with, key) = match shared {
        _ if args.unsigned => (None, None),
        _ if session.signs() => (session.sign_with_words(), None),
        Some(other) => (Some(other.sign_with.join(" ")), None),
        None if published.pointer().is_some_and(|pointer| pointer.signed) => {
            let hint = "name the key that signs it with `--sign-with`: clients trust that one, and no other";
            let error =
                format!("suite `{suite}` is published and signed already, so a new key would not fit");
            return Err(Failure::text(error, Some(hint.to_owned())));
        }
        None => {
            let key = make_key(args, session, &suite)?;
            (Some(key.0.fingerprint.clone()), Some(key))
        }
    };
    let text = stanza(args, &suite, published.release(), sign_with.as_deref());
    fs::create_dir_all(archive.join("conf")).map_err(|error| failed(&error))?;
    let old = match crate::regular::read(&config) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        old => old.map_err(|error| failed(&error))?,
    };
    let mut file = tempfile::Builder::new()
        .prefix(".distributions-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(archive.join("conf"))
        .map_err(|error| failed(&error))?;
    // An empty line parts stanzas; the last line may lack its end.
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
    tell(
        session,
        Initialized {
            config: config.display().to_string(),
            suite: suite.to_string(),
            sign_with,
            key: key.map(|(key, file)| KeyFile { fingerprint: key.fingerprint, file }),
        },
    );
    Ok(ExitCode::SUCCESS)
}

fn tell(session: &Session<'_>, report: Initialized) {
    let ui = session.ui;
    if ui.json() {
        return ui.object(&report);
    }
    ui.say(&format!("Wrote suite `{}` to {}", report.suite, report.config));
    if let Some(KeyFile { fingerprint, file: key }) = report.key {
        ui.say(&format!("Made key {fingerprint}, which expires in {EXPIRES}"));
        ui.say(&format!("Its secret part is in {key}: keep a copy in a safe place"));
        ui.say(&format!("Its public part is in the archive, {KEY_FILE}, for clients"));
    } else if let Some(sign_with) = report.sign_with {
        ui.say(&format!("It is signed with `{sign_with}`"));
    }
    ui.say(&format!("Next: publish --archive {} add FILE.deb", session.location));
}

/// Makes a key and keeps it outside the archive, whose folder a web server may show to the world.
fn make_key(args: &Args, session: &Session<'_>, suite: &Suite) -> Result<(GeneratedKey, String), Failure> {
    let folder = session.key_folder().ok_or_else(|| {
        let hint =
            "set HOME or XDG_CONFIG_HOME, or name a key with `--sign-with`, or give `--unsigned`".to_owned();
        Failure::text("there is no home folder to keep a new key in", Some(hint))
    })?;
    let passphrase = passphrase()?;
    let name =
        args.origin.clone().or(args.label.clone()).unwrap_or_else(|| format!("Archive of suite {suite}"));
    let expires = parse_expiry(EXPIRES, session.now)?;
    let key =
        NewKey { name: &name, created: session.now, expires, passphrase: passphrase.as_ref() }.generate()?;
    let path = folder.join(format!("{}.asc", key.fingerprint));
    key.write_secret(&path)?;
    Ok((key, path.display().to_string()))
}

/// The stanza; what is published already under that name is taken over.
fn stanza(args: &Args, suite: &Suite, published: Option<&Release>, sign_with: Option<&str>) -> String {
    let old = |field: &str| published.and_then(|release| release.field(field)).map(ToOwned::to_owned);
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
        ("Components", join(&components, old("Components")).or(Some("main".to_owned()))),
        ("Architectures", join(&architectures, old("Architectures").filter(|all| all != "all"))),
        ("NotAutomatic", old("NotAutomatic")),
        ("ButAutomaticUpgrades", old("ButAutomaticUpgrades")),
        ("SignWith", sign_with.map(ToOwned::to_owned)),
    ];
    let mut text = String::new();
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}
