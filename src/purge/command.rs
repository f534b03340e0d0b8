//! Runs a command of the user, with one URL per line as input and the name of the destination.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    process::{Command, Stdio},
};

use super::{
    error::Cause,
    http::{SHOWN, short},
};
use crate::store::blocking;

pub(super) async fn run(command: &str, urls: &[String], destination: &str) -> Result<(), Cause> {
    let (command, destination) = (command.to_owned(), destination.to_owned());
    let lines: String = urls.iter().flat_map(|url| [url.as_str(), "\n"]).collect();
    blocking(move || wait_for(&command, &lines, &destination)).await
}

fn wait_for(command: &str, lines: &str, destination: &str) -> Result<(), Cause> {
    // Files, not pipes: a command that reads nothing or writes much never blocks us, nor do processes that it leaves
    // running.
    let mut input = tempfile::tempfile()?;
    input.write_all(lines.as_bytes())?;
    input.rewind()?;
    let stderr = tempfile::tempfile()?;
    let status = Command::new("sh")
        .args(["-c", command])
        .env("PUBLISH_DESTINATION", destination)
        // A purge command signs nothing.
        .env_remove("PUBLISH_SIGNING_KEY")
        .env_remove("PUBLISH_PASSPHRASE")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(stderr.try_clone()?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    let shown = short(&end_of(stderr)?);
    let stderr = if shown.is_empty() { "it printed no error".into() } else { shown };
    Err(Cause::Command { status, stderr })
}

/// Returns the end of the output, which contains the reason.
fn end_of(mut file: File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(SHOWN as u64)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
