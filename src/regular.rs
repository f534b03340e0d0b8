//! Reads local files that must be regular files, up to a size limit: a named pipe or a device is an error at once,
//! instead of a wait without end.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read as _, Result},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

/// The maximum size of configuration, key, certificate and credentials files; the largest keyrings have a quarter of
/// it.
pub(crate) const LARGEST: u64 = 32 << 20;
/// Descriptors inherited by this process, such as a pipe of the shell (`<(gpg --export KEY)`). They have a writer, so
/// reading them ends.
const OWN_DESCRIPTORS: [&str; 4] = ["/dev/stdin", "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// Opens a regular file to read it.
pub(crate) fn open(path: &Path) -> Result<File> {
    // Without this flag, opening a pipe waits for a writer.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match path.metadata() {
        // Its own error, `No such device or address`, would read like a missing file.
        Ok(found) if found.file_type().is_socket() => {
            Error::new(ErrorKind::InvalidInput, "it is a socket, not a file")
        }
        _ => error,
    })?;
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

/// Reads a file of keys, credentials or configuration whole; inherited descriptors may be pipes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    read_within(path, LARGEST)
}

/// Reads a whole file up to a limit.
pub(crate) fn read_within(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let is_own = OWN_DESCRIPTORS.iter().any(|own| path.starts_with(own));
    let file = if is_own { File::open(path)? } else { open(path)? };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("it has more than {}, the limit for such a file", crate::size::bytes(limit));
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
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
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(read(&socket).unwrap_err().to_string(), "it is a socket, not a file");
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().to_string(), "it is a device, not a file");
        assert_eq!(read(folder.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn a_file_above_the_limit_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "text").unwrap();
        assert_eq!(read_within(&file, 4).unwrap(), b"text");
        assert!(read_within(&file, 3).unwrap_err().to_string().contains("more than 3 B"));
        File::create(&file).unwrap().set_len(1 << 42).unwrap();
        let error = read(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert!(error.to_string().starts_with("it has more than 32.00 MiB"), "{error}");
    }
}
