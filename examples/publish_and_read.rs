//! Publishes a package with a new key, reads the archive back as a client would, then removes the package.
//!
//! Run it with `cargo run --example publish_and_read`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, path::PathBuf, time::SystemTime};

use publish::{
    archive::{Archive, Check, CommitOptions, Named, Note, Removal, SuiteEdit, Trust, read_packages},
    config::SuiteConfig,
    names::Suite,
    signing::{KeySource, NewKey, SigningKeys},
    store::{Environment, Location, Store},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a program reads the clock; the library takes the time as an argument"
    )]
    let now = SystemTime::now();
    let folder = tempfile::tempdir()?;

    // The signing key, which is also the only trusted key.
    let key = NewKey::new("Example archive", now).generate()?;
    let keys = SigningKeys::open(&[KeySource::secret("the new key", key.secret())], None, now)?;
    let trust = Trust::keyring(keys.certificates().clone(), now);
    let archive = Archive::new(
        Store::open(&Location::Folder(folder.path().to_owned()), &Environment::default())?,
        trust,
    );

    // Read the .debs, plan the edit, and commit it atomically.
    let config = SuiteConfig::unconfigured(Suite::parse("stable")?);
    let note = Note { message: Some("An example".into()), ..Note::default() };
    let how = CommitOptions::new(&config, now).keys(&keys).note(note);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/debs/acpi_1.7-1.2_amd64.deb");
    let edit = SuiteEdit::adding(read_packages(vec![file], &|_| ())?);
    let outcome = archive.commit(&edit, &how).await?;
    println!("published {} objects", outcome.written.len());

    // Read it like a client: the signature of the release file and the digest of the index are verified.
    let suite = archive.suite(&config.codename).await?;
    for name in suite.packages_keys() {
        for entry in suite.index(&name).await?.entries() {
            println!("{}: {} {} in {:?}", name.path(), entry.name(), entry.version(), entry.filename());
        }
    }
    let what = Check::new(std::slice::from_ref(&config.codename));
    let report = archive.check(&what, &|_| ()).await?;
    assert!(report.faults.is_empty(), "{:?}", report.faults);

    let removal = Removal { named: Named::Package("acpi".into()), version: None, architecture: None };
    let outcome = archive.commit(&SuiteEdit::removing([removal]), &how).await?;
    assert_eq!(outcome.removed.len(), 1);
    println!("took {} out again; its file stays in the pool", outcome.removed[0].name);
    Ok(())
}
