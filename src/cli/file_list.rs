//! Names of files from a list: standard input or a file, one per line, or separated by NUL.

use std::{
    ffi::OsString,
    io::{self, Read as _},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use super::{class::Kind, failure::Failure};

/// The name of standard input.
pub(super) const STDIN: &str = "-";

/// A list of a million paths is shorter.
const LONGEST: u64 = 256 << 20;

/// The options of a command that takes files.
#[derive(Debug, clap::Args)]
pub(super) struct FileLists {
    /// Read names of files and folders from FILE, one per line; `-` reads standard input, also when given as a file to add; repeatable
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,

    /// The names of --files-from and `-` are separated by NUL, as `find -print0` writes them
    #[arg(short = '0', long)]
    null: bool,
}

impl FileLists {
    /// Adds the listed files to those of the command line, each in the place of its list.
    pub(super) fn with(&self, named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
        let is_stdin = |path: &Path| path == Path::new(STDIN);
        let lists = named.iter().filter(|path| is_stdin(path)).chain(&self.files_from);
        if self.null && lists.clone().next().is_none() {
            return Err(Failure::usage("`--null` is about lists of files: add `--files-from FILE` or `-`"));
        }
        if lists.filter(|path| is_stdin(path)).count() > 1 {
            return Err(Failure::usage("standard input, `-`, can be read only once"));
        }
        let mut files = Vec::new();
        for path in named {
            if is_stdin(path) { files.extend(self.read(path)?) } else { files.push(path.clone()) }
        }
        for list in &self.files_from {
            files.extend(self.read(list)?);
        }
        // As for a folder without packages: a job whose build is missing must not end well.
        if files.is_empty() {
            return Err(Failure::text("the list of files is empty", None).kind(Kind::NotFound));
        }
        Ok(files)
    }

    fn read(&self, list: &Path) -> Result<Vec<PathBuf>, Failure> {
        let name = if list == Path::new(STDIN) { "standard input" } else { "the list" };
        let doing = |error: io::Error| Failure::file(&error, list, "read the names of files from");
        let mut bytes = Vec::new();
        let read = if list == Path::new(STDIN) {
            io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes)
        } else {
            let file = std::fs::File::open(list).map_err(doing)?;
            file.take(LONGEST + 1).read_to_end(&mut bytes)
        };
        read.map_err(doing)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure::text(format!("{name} `{}` is longer than 256 MiB", list.display()), None));
        }
        names(&bytes, self.null, list)
    }
}

/// Splits a list. A NUL is part of no name, so a list that has one was written for `--null`.
fn names(bytes: &[u8], null: bool, list: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !null && bytes.contains(&0) {
        let text = format!("the names in `{}` are separated by NUL", list.display());
        return Err(Failure::text(text, Some("add `--null`".to_owned())).into_usage());
    }
    let end = if null { 0 } else { b'\n' };
    let lines = bytes.split(|&byte| byte == end);
    let lines = lines.map(|line| if null { line } else { line.strip_suffix(b"\r").unwrap_or(line) });
    let names = lines.filter(|line| !line.is_empty());
    Ok(names.map(|line| PathBuf::from(OsString::from_vec(line.to_vec()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lines_or_separated_by_nul() {
        let list = Path::new("list");
        let read = |text: &str, null| {
            names(text.as_bytes(), null, list)
                .map(|names| names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(read("a b.deb\n\nc.deb\r\nd", false).unwrap(), ["a b.deb", "c.deb", "d"]);
        assert_eq!(read("a\nb.deb\0c.deb\0", true).unwrap(), ["a\nb.deb", "c.deb"]);
        assert_eq!(read("", false).unwrap(), [""; 0]);
        assert_eq!(read("a\0b", false).unwrap_err().code, crate::cli::failure::USAGE);
    }
}
