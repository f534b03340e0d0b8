//! Secret keys as CI systems hand them over, and secret keys in places where only the name of a key belongs.
//!
//! A secret of a CI system is often one line: base64, or armor whose line ends became `\n`, spaces or CRLF, perhaps in
//! quotes. The keys in it are restored; text that holds no key stays as it is, so that the error names its origin.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::keyring;

const BEGIN: &str = "-----BEGIN PGP ";
const END: &str = "-----END PGP ";
/// The shortest word that may be a part of a key: armor has 64 characters a line, a fingerprint of version 4 has 40.
const SHORTEST: usize = 48;
/// Encodings within each other that are undone: armor in base64, and base64 of that.
const DEPTH: u32 = 2;

/// Secrets may come without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Restores keys that were changed on their way; other bytes stay as they are.
pub(super) fn restore(bytes: Vec<u8>) -> Vec<u8> {
    restored(&bytes, DEPTH).unwrap_or(bytes)
}

/// The keys in the bytes, if they are not readable as they are.
fn restored(bytes: &[u8], depth: u32) -> Option<Vec<u8>> {
    if is_whole(bytes) {
        return None;
    }
    let text = str::from_utf8(bytes).ok()?;
    let text = unquoted(text).replace("\\r", "").replace("\\n", "\n");
    let new = if text.contains(BEGIN) { rearmored(&text) } else { decoded(&text)? };
    let new = if depth > 0 { restored(&new, depth - 1).unwrap_or(new) } else { new };
    keyring::parse_certs("", &new).is_ok().then_some(new)
}

/// Whether the bytes are keys that need no change.
fn is_whole(bytes: &[u8]) -> bool {
    // Only a block at the start of a line is read.
    let is_at_start = |at: usize| at == 0 || bytes[at - 1] == b'\n';
    memchr::memmem::find_iter(bytes, BEGIN).all(is_at_start) && keyring::parse_certs("", bytes).is_ok()
}

fn unquoted(text: &str) -> &str {
    let mut text = text.trim_start_matches('\u{feff}').trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            text = inner.trim();
        }
    }
    text
}

/// Writes every block of armor with its line ends again.
fn rearmored(text: &str) -> Vec<u8> {
    let mut all = String::new();
    for block in text.split(BEGIN).skip(1) {
        let Some((label, rest)) = block.split_once("-----") else { continue };
        let body = rest.split(END).next().unwrap_or_default();
        let mut words: Vec<&str> = body.split_whitespace().collect();
        let checksum = words.pop_if(|word| word.len() == 5 && word.starts_with('='));
        all.extend([BEGIN, label, "-----\n\n"]);
        for line in &words[body_start(&words)..] {
            all.extend([line, "\n"]);
        }
        all.extend(checksum.into_iter().flat_map(|checksum| [checksum, "\n"]));
        all.extend([END, label, "-----\n"]);
    }
    all.into_bytes()
}

/// The index of the first line of base64, after the headers: all lines but the last have the same length.
fn body_start(words: &[&str]) -> usize {
    let Some(last) = words.len().checked_sub(1) else { return 0 };
    let width = if last > 0 { words[last - 1].len() } else { 0 };
    let is_line =
        |word: &str| word.len() == width && word.len() >= SHORTEST / 2 && word.chars().all(is_base64);
    last - words[..last].iter().rev().take_while(|word| is_line(word)).count()
}

/// Decodes base64: one text, or one on each line.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', "+").replace('_', "/");
    // The body of an armor has a checksum.
    let is_checksum = |word: &str| word.len() == 5 && word.starts_with('=');
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_checksum(word)).collect();
    if let Some(bytes) = decode(&words.concat()) {
        return Some(bytes);
    }
    let mut all = Vec::new();
    for word in words {
        all.extend(decode(unquoted(word))?);
        // Armor starts on a line of its own.
        if all.starts_with(BEGIN.as_bytes()) {
            all.push(b'\n');
        }
    }
    Some(all)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 4 * 3 + 3];
    let length = BASE64.decode_slice(text, &mut bytes).ok().filter(|length| *length > 0)?;
    bytes.truncate(length);
    Some(bytes)
}

fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=-_".contains(c)
}

/// Whether a text that should be a name is, or may be, a secret key itself or a part of one. Such a text is never
/// printed.
pub(crate) fn looks_secret(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    if upper.contains("BEGIN PGP") || upper.contains("PRIVATE KEY") {
        return true;
    }
    let text = unquoted(text).replace("\\r", " ").replace("\\n", " ");
    let is_path = ["/", "./", "../", "~", "!"].iter().any(|start| text.starts_with(start));
    let is_key = |word: &str| {
        let word = word.trim_matches(['\\', '"', '\'']);
        let is_fingerprint = word.len() <= 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        word.len() >= SHORTEST && word.chars().all(is_base64) && !is_fingerprint
    };
    if is_path && text.len() < 4096 {
        return restored(text.as_bytes(), DEPTH).is_some();
    }
    text.split(|c: char| c.is_whitespace() || c.is_control()).any(is_key)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn fixture(name: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/keys").join(name)).unwrap()
    }

    fn encoded(bytes: &[u8]) -> String {
        let mut text = vec![0; bytes.len() * 4 / 3 + 4];
        let length = BASE64.encode_slice(bytes, &mut text).unwrap();
        text.truncate(length);
        String::from_utf8(text).unwrap()
    }

    fn wrapped(text: &str) -> String {
        let lines = text.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The ways in which keys come, for one and for two keys.
    fn forms(key: &str) -> Vec<String> {
        let base64 = encoded(key.as_bytes());
        vec![
            key.to_owned(),
            key.trim_end().to_owned(),
            format!("\u{feff}{key}"),
            format!("\n\n  {key}\n\n"),
            key.replace('\n', "\r\n"),
            key.replace('\n', "\\n"),
            key.replace('\n', "\\r\\n"),
            key.replace('\n', " "),
            key.replace('\n', "\n    "),
            key.replace("\n\n", "\n"),
            format!("\"{key}\""),
            format!("'{}'", key.replace('\n', "\\n")),
            format!("\"{base64}\"\n"),
            wrapped(&base64),
            wrapped(&base64).replace('\n', "\\n"),
            base64.trim_end_matches('=').to_owned(),
            base64.replace('+', "-").replace('/', "_"),
            encoded(base64.as_bytes()),
            encoded(key.replace('\n', "\r\n").as_bytes()),
            base64,
        ]
    }

    #[test]
    fn keys_are_restored_from_all_the_forms_that_ci_systems_give_them() {
        let (one, other) = (fixture("test.asc"), fixture("protected.asc"));
        let count = |bytes: Vec<u8>| keyring::parse_certs("", &bytes).map_or(0, |certs| certs.len());
        for form in forms(&one) {
            assert_eq!(count(restore(form.clone().into_bytes())), 1, "{form}");
        }
        for form in forms(&(one.clone() + &other)) {
            assert_eq!(count(restore(form.clone().into_bytes())), 2, "{form}");
        }
        let each = format!("{}\n{}\n", encoded(one.as_bytes()), encoded(other.as_bytes()));
        assert_eq!(count(restore(each.into_bytes())), 2);
        let commented = one.replacen("\n\n", "\nComment: made by a test\nVersion: 1\n\n", 1);
        assert_eq!(count(restore(commented.replace('\n', " ").into_bytes())), 1);
        // Binary keys come in base64.
        let certs = keyring::parse_certs("", one.as_bytes()).unwrap();
        let binary = sequoia_openpgp::serialize::SerializeInto::to_vec(&certs[0].as_tsk()).unwrap();
        assert_eq!(restore(encoded(&binary).into_bytes()), binary);
        assert_eq!(restore(binary.clone()), binary);
    }

    #[test]
    fn text_without_a_key_stays() {
        for text in ["", " ", "hello", "\"", "====", "AAAA", "-----BEGIN PGP PRIVATE KEY BLOCK-----", "\\n"] {
            assert_eq!(restore(text.as_bytes().to_vec()), text.as_bytes(), "{text}");
        }
        for bytes in [vec![0xff; 300], vec![0x99; 300], b"\xc5\xff".to_vec()] {
            assert_eq!(restore(bytes.clone()), bytes);
        }
    }

    #[test]
    fn a_secret_is_recognized_in_every_form_and_names_are_none() {
        let key = fixture("test.asc");
        for form in forms(&key) {
            assert!(looks_secret(&form), "{form}");
            // A truncated one, or one of its lines, is no key any more, and still secret.
            let middle = form.chars().skip(form.len() / 3).take(100).collect::<String>();
            assert!(looks_secret(&middle), "{middle}");
        }
        for line in key.lines().filter(|line| line.len() == 64) {
            assert!(looks_secret(line), "{line}");
        }
        for name in [
            "",
            "yes",
            "ABD70A9619EAFBC81487A21DA804D8AC32A73FF7",
            "0xABD70A9619EAFBC81487A21DA804D8AC32A73FF7!",
            "ABD7 0A96 19EA FBC8 1487  A21D A804 D8AC 32A7 3FF7",
            "Example archive of a very long name, made for its packages <packages@example.org>",
            "/srv/apt/with/a/folder/of/a/name/that/is/longer/than/any/line/of/a/key/would/be",
            "keys/of/the/archive/of/a/name/that/is/longer/than/a/line.asc",
            "!/usr/local/libexec/the/command/that/signs/with/a/key/on/a/card/in/this/computer",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }
}
