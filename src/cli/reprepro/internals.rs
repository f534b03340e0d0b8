//! The commands of reprepro that begin with an underscore, as far as scripts use them: they print what others compute.

use std::{collections::BTreeMap, path::PathBuf};

use super::{call::Call, status, targets, words::Word};
use crate::{
    archive::{Artifact, read_packages},
    cli::failure::Failure,
    deb,
    version::Version,
};

pub(super) async fn run(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    match word {
        Word::VersionCompare => compare(call),
        Word::ExtractControl | Word::ExtractFiles => extract(call, word),
        Word::DumpContents => contents(call).await,
        _ => checksums(call, word == Word::ListChecksums).await,
    }
}

/// `_versioncompare`.
fn compare(call: &Call<'_>) -> Result<u8, Failure> {
    let [one, other] = [&call.arguments[0], &call.arguments[1]];
    let parse = |text: &str| {
        Version::parse(text).map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))
    };
    let how = match parse(one)?.cmp(&parse(other)?) {
        std::cmp::Ordering::Less => "smaller than",
        std::cmp::Ordering::Equal => "the same as",
        std::cmp::Ordering::Greater => "larger than",
    };
    call.print([format!("'{one}' is {how} '{other}'.")]);
    Ok(0)
}

/// `__extractcontrol` and `__extractfilelist`: the control file of a package, and the files that it installs.
fn extract(call: &Call<'_>, word: Word) -> Result<u8, Failure> {
    let file = PathBuf::from(&call.arguments[0]);
    let failed = |error: &std::io::Error| status::with(status::FILE, Failure::file(error, &file, "open"));
    if word == Word::ExtractFiles {
        let opened = crate::regular::open(&file).map_err(|error| failed(&error))?;
        let list = deb::list_files(&opened);
        let list = list.map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
        call.print(list.paths().map(|path| format!("/{}", String::from_utf8_lossy(path))));
        return Ok(0);
    }
    file.metadata().map_err(|error| failed(&error))?;
    for incoming in tokio::task::block_in_place(|| read_packages(vec![file], &|_| ()))? {
        if let Artifact::Binary(package) = &incoming.package {
            call.session.ui.data(package.control());
            call.session.ui.data(b"\n");
        }
    }
    Ok(0)
}

/// `_dumpcontents`: the stanzas of an index.
async fn contents(call: &Call<'_>) -> Result<u8, Failure> {
    let asked = &call.arguments[0];
    for suite in &call.session.config.suites {
        let published = call.published(&suite.codename).await?;
        for key in targets::of(&published, suite) {
            if targets::identifier(&suite.codename, &key) != *asked {
                continue;
            }
            for entry in published.entries(&key).await? {
                call.session.ui.data(format!("'{}' -> '", entry.name).as_bytes());
                call.session.ui.data(&entry.stanza);
                call.session.ui.data(b"'\n");
            }
            return Ok(0);
        }
    }
    Err(status::text(status::FAILED, format!("no suite has an index `{asked}`")))
}

/// `_listchecksums` and `_listmd5sums`: the listed files of the pool. Indices do not list the SHA-1 of packages.
async fn checksums(call: &Call<'_>, with_sha256: bool) -> Result<u8, Failure> {
    let archive = call.archive();
    let mut lines = BTreeMap::new();
    for suite in &call.session.config.suites {
        let mut all = vec![archive.suite(&suite.codename).await?];
        all.extend(archive.snapshots(&suite.codename).await?);
        for published in all {
            for key in targets::of(&published, suite) {
                for file in published.entries(&key).await?.into_iter().flat_map(|entry| entry.files) {
                    let (Some(path), Some(size)) = (file.path, file.size) else { continue };
                    let md5 = file.md5.map(|digest| digest.to_string()).unwrap_or_default();
                    let sha256 = file.sha256.filter(|_| with_sha256).map(|digest| format!(":2:{digest} "));
                    lines.insert(path, format!("{}{md5} {size}", sha256.unwrap_or_default()));
                }
            }
        }
    }
    call.print(lines.into_iter().map(|(path, rest)| format!("{path} {rest}")));
    Ok(0)
}
