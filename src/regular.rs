//! Opens local files that must be files: a named pipe or a device in the place of one is an error at once, not a wait
//! without end.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read as _, Result},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a file to read it.
pub(crate) fn open(path: &Path) -> Result<File> {
    // Without it, opening a pipe waits for a writer.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    let name = if kind.is_fifo() { "named pipe" } else { "device" };
    Err(Error::new(ErrorKind::InvalidInput, format!("it is a {name}, not a file")))
}

/// Reads a file whole.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        std::fs::write(&file, "text").unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&file).unwrap(), b"text");
        assert_eq!(read(&pipe).unwrap_err().to_string(), "it is a named pipe, not a file");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().to_string(), "it is a device, not a file");
        assert_eq!(read(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
