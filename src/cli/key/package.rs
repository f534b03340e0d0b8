//! `publish key package`: publishes the public keys as a package, so that clients get a new key while they trust the old one.

use std::{path::PathBuf, process::ExitCode};

use super::{clients::print_clients, export::write_public, progress::print_event};
use crate::{
    archive::{DeliveryOptions, KeyEvent, Trust},
    cli::{
        change_args::ChangeArgs,
        failure::Failure,
        json::{KeyPackage, Publication},
        session::{Session, parse_suite},
    },
    config::SuiteConfig,
    names::Suite,
    store::Location,
};

/// Publish the public keys as the package NAME-archive-keyring
///
/// The package installs /usr/share/keyrings/NAME-archive-keyring.gpg with the keys of all suites, for `Signed-By`. It is added
/// to every signed suite whose newest keyring package has different keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish key package\n\
\x20 publish key package --name example --output example-archive-keyring.deb")]
pub(crate) struct Args {
    /// Package name without -archive-keyring [default: as published, else from the `Origin` of the suites]
    #[arg(long)]
    name: Option<String>,

    /// Maintainer, such as "Example <packages@example.org>" [default: as published, else the user ID of the first key]
    #[arg(long, value_name = "TEXT")]
    maintainer: Option<String>,

    /// Add it only to this suite; repeatable [default: all published signed suites except those with `ReadOnly:`]
    #[arg(short, long)]
    suite: Vec<String>,

    /// Write the package to FILE and publish nothing
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["suite", "dry_run", "message"])]
    output: Option<PathBuf>,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let suites = signed_suites(session, &args.suite).await?;
    let events = session.events();
    let publisher = session.publisher(&args.change, &events)?;
    let options = DeliveryOptions { name: args.name.clone(), maintainer: args.maintainer.clone() };
    let print = |event: KeyEvent<'_>| print_event(session, &event);
    // Packages of other names do not matter to a file.
    let print_other = |event: KeyEvent<'_>| {
        if args.output.is_none() {
            print(event);
        }
    };
    let package = publisher.prepare_keyring(suites, &options, &print_other).await?;
    let mut report = KeyPackage {
        dry_run: args.change.dry_run,
        name: package.name.to_string(),
        version: package.version.to_string(),
        fingerprints: package.keys.fingerprints(),
        file: args.output.as_deref().map(|file| file.display().to_string()),
        present_in: package.present.iter().map(ToString::to_string).collect(),
        suites: Vec::new(),
    };
    if let Some(file) = &args.output {
        write_public(file, &package.deb)?;
        session.ui.say(&format!("Wrote {} {} to {}", package.name, package.version, file.display()));
    } else {
        let outcomes = package.publish(&publisher, &package.suites, &print).await?;
        report.suites = outcomes.iter().map(Publication::from).collect();
        if package.suites.len() == package.present.len() {
            session.ui.say(&format!(
                "Nothing to do: {} {} is already published, with the same keys",
                package.name, package.version
            ));
        }
        print_clients(session, &package.name, &package.suites).await?;
    }
    if session.ui.json() {
        session.ui.object(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the suites that get the package.
async fn signed_suites(session: &Session<'_>, named: &[String]) -> Result<Vec<SuiteConfig>, Failure> {
    let keychain = if session.plans { session.keychain_to_plan() } else { session.keys_given()? };
    let signed = if session.plans { published_signed(session, named).await? } else { Vec::new() };
    let is_signed = |suite: &SuiteConfig| keychain.signs(suite) || signed.contains(&suite.codename);
    if !named.is_empty() {
        let suites = session.suites_as_configured(named).await?;
        return match suites.iter().find(|suite| !is_signed(suite)) {
            None => Ok(suites),
            Some(suite) => Err(Failure::text(
                format!("suite `{}` is not signed, so there is no key for its clients", suite.codename),
                Some("name the key with `--sign-with`, or in `SignWith:` of conf/distributions".to_owned()),
            )),
        };
    }
    let is_on_web = matches!(session.location, Location::Web(_));
    let mut suites = if is_on_web && !session.config.suites.is_empty() {
        // A web server has no list of suites.
        session.config.suites.clone()
    } else if !is_on_web && session.archive(Trust::unverified()).suites().await?.is_empty() {
        // The archive is empty.
        vec![session.suite_to_change(None).await?]
    } else {
        session.suites_as_configured(&[]).await?
    };
    suites.retain(|suite| is_signed(suite) && !suite.read_only);
    if suites.is_empty() {
        let hint = "name a key with `--sign-with`, or in `SignWith:` of conf/distributions".to_owned();
        return Err(Failure::text("no suite of the archive is signed", Some(hint)));
    }
    Ok(suites)
}

/// Returns the suites that are published with a signature: the job that carries a plan out has their keys.
async fn published_signed(session: &Session<'_>, named: &[String]) -> Result<Vec<Suite>, Failure> {
    let archive = session.archive(Trust::unverified());
    let suites: Vec<Suite> = if !named.is_empty() {
        named.iter().map(|name| parse_suite(name)).collect::<Result<_, _>>()?
    } else if matches!(session.location, Location::Web(_)) {
        Vec::new()
    } else {
        archive.suites().await?
    };
    let mut signed = Vec::new();
    for suite in suites {
        let codename = session.codename(suite);
        if archive.suite(&codename).await?.pointer().is_some_and(|pointer| pointer.signed) {
            signed.push(codename);
        }
    }
    Ok(signed)
}
