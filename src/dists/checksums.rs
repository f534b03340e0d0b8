//! `SHA256SUMS`: the list of the images of the installer, in the format of sha256sum(1).

use super::layout::SuitePath;
use crate::digest::Sha256Digest;

/// Whether a file is such a list.
#[must_use]
pub fn is_list(path: &str) -> bool {
    path.rsplit('/').next() == Some("SHA256SUMS")
}

/// Parses a list at a path below a suite; returns the paths of its files below the suite. Skips lines that name no file
/// of the suite.
#[must_use]
pub fn parse(path: &str, text: &[u8]) -> Vec<(String, Sha256Digest)> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let text = String::from_utf8_lossy(text);
    let files = text.lines().filter_map(|line| {
        let (digest, name) = line.split_once(' ')?;
        // ` ` or `*` for text or binary mode.
        let name = name.strip_prefix([' ', '*']).unwrap_or(name);
        let name = name.strip_prefix("./").unwrap_or(name);
        let file = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let is_file = !name.chars().any(char::is_control) && SuitePath::of(&file).is_own_file();
        Some((file, digest.parse().ok()?)).filter(|_| is_file)
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_files_below_the_folder_of_the_list() {
        let digest = "0f".repeat(32);
        let text = format!(
            "{digest}  ./netboot/mini.iso\n{digest} *cdrom/vmlinuz\n{digest}  ../x\n{digest}  /etc/passwd\n\
             {digest}  .hidden/x\n{digest}  Release.gpg\nbad  x\n\n{digest}\n"
        );
        let parsed = parse("main/installer-amd64/current/images/SHA256SUMS", text.as_bytes());
        let files: Vec<&str> = parsed.iter().map(|(file, _)| file.as_str()).collect();
        let folder = "main/installer-amd64/current/images";
        assert_eq!(files, [format!("{folder}/netboot/mini.iso"), format!("{folder}/cdrom/vmlinuz")]);
        assert!(is_list("main/x/SHA256SUMS") && !is_list("main/x/SHA256SUMS.sign"));
    }
}
