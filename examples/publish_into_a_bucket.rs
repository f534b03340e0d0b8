//! Publishes a package directly into a bucket while another job publishes there too.
//!
//! Run it with `cargo run --example publish_into_a_bucket -- s3://bucket/folder`; the credentials are read from the usual
//! environment variables of that service. Without a location it publishes into memory.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, path::PathBuf, time::SystemTime};

use publish::{
    archive::{self, Archive, CommitOptions, CommitReport, Note, SuiteEdit, Trust, read_packages},
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
    let location = std::env::args().nth(1).unwrap_or_else(|| "memory:".into());
    let location = Location::parse(&location, &std::env::current_dir()?)?;
    let store = Store::open(&location, &Environment::of_process())?;

    let key = NewKey::new("Example archive", now).generate()?;
    let keys = SigningKeys::open(&[KeySource::secret("the new key", key.secret())], None, now)?;
    let trust = Trust::keyring(keys.certificates().clone(), now);
    let archive = Archive::new(store, trust);
    let config = SuiteConfig::unconfigured(Suite::parse("example")?);
    let note = Note { message: Some("An example".into()), ..Note::default() };
    let how = CommitOptions::new(&config, now).keys(&keys).note(note);

    // Two concurrent jobs, without a lock: the store reports a conflict to the second, and `commit` applies the same change
    // again to the generation that the first has published.
    let (mine, theirs) = (edit("acpi_1.7-1.2_amd64.deb")?, edit("sample-xz_1.0_all.deb")?);
    let (mine, theirs) = tokio::join!(archive.commit(&mine, &how), archive.commit(&theirs, &how));
    report("mine", mine)?;
    report("theirs", theirs)?;

    let suite = archive.suite(&config.codename).await?;
    for name in suite.packages_keys() {
        for entry in suite.index(&name).await?.entries() {
            println!("{}: {} {}", name.path(), entry.name(), entry.version());
        }
    }
    Ok(())
}

/// Adds one package of the fixtures.
fn edit(name: &str) -> Result<SuiteEdit, archive::Error> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/debs").join(name);
    Ok(SuiteEdit::adding(read_packages(vec![file], &|_| ())?))
}

/// Handles the result of a commit.
fn report(who: &str, ended: Result<CommitReport, archive::Error>) -> Result<(), archive::Error> {
    match ended {
        Ok(outcome) => {
            println!("{who}: {} added, {} there already", outcome.added.len(), outcome.present.len());
        }
        // The job lost the race too often; nothing was changed, and the same edit may be committed later.
        Err(archive::Error::RaceLost { suite, times }) => {
            println!("{who}: `{suite}` changed {times} times under it; try again later");
        }
        // A published version never changes, so a retry does not help.
        Err(archive::Error::Refused(refusals)) => {
            for refusal in refusals {
                println!("{who}: {refusal}");
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
