//! A command of the user's: it gets the addresses, one a line, and the name of the destination.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    process::{Command, Stdio},
};

use super::{
    error::Cause,
    http::{TOLD, short},
};
use crate::store::blocking;

pub(super) async fn run(command: &str, urls: &[String], destination: &str) -> Result<(), Cause> {
    let (command, destination) = (command.to_owned(), destination.to_owned());
    let lines: String = urls.iter().flat_map(|url| [url.as_str(), "\n"]).collect();
    blocking(move || wait_for(&command, &lines, &destination)).await
}

fn wait_for(command: &str, lines: &str, destination: &str) -> Result<(), Cause> {
    // Files, not pipes: a command that reads nothing or writes much never waits for us, nor we for what it leaves running.
    let mut input = tempfile::tempfile()?;
    input.write_all(lines.as_bytes())?;
    input.rewind()?;
    let stderr = tempfile::tempfile()?;
    let status = Command::new("sh")
        .args(["-c", command])
        .env("PUBLISH_DESTINATION", destination)
        // Who purges signs nothing.
        .env_remove("PUBLISH_SIGNING_KEY")
        .env_remove("PUBLISH_PASSPHRASE")
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(stderr.try_clone()?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    let told = short(&end_of(stderr)?);
    let stderr = if told.is_empty() { "it wrote nothing to its standard error".into() } else { told };
    Err(Cause::Command { status, stderr })
}

/// What was written last; the reason stands there.
fn end_of(mut file: File) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(TOLD as u64)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
