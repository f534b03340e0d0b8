//! The frame of a clear-signed message: parses and composes `InRelease`.
//!
//! Format: RFC 9580, section 7 (cleartext signature framework). Parsing is strict: the returned text is exactly the
//! text that is hashed, so unsigned text cannot be mistaken for signed text. Trailing blanks are not covered by a
//! signature and are dropped, as `gpgv --output` does.

use std::io::Write as _;

use sequoia_openpgp::{
    Packet,
    armor::{Kind, Writer},
    packet::Signature,
    parse::{PacketParserBuilder, PacketParserResult, Parse as _},
    serialize::Serialize as _,
};

use super::error::{Distrust, Error};

const BEGIN_MESSAGE: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const BEGIN_SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END_SIGNATURE: &[u8] = b"-----END PGP SIGNATURE-----";

/// The two parts of a clear-signed message.
pub(super) struct Clearsigned<'a> {
    /// The text; every line ends in a newline.
    pub(super) text: Vec<u8>,
    /// The armoured signatures.
    pub(super) armor: &'a [u8],
}

fn frame(why: impl Into<String>) -> Distrust {
    Distrust::Frame { why: why.into() }
}

fn damaged(why: impl Into<String>) -> Distrust {
    Distrust::Damaged { why: why.into() }
}

/// Parses a message.
pub(super) fn parse(message: &[u8]) -> Result<Clearsigned<'_>, Distrust> {
    let mut rest = message;
    let first = next_line(&mut rest).unwrap_or_default();
    if first.trim_ascii_end() != BEGIN_MESSAGE {
        return Err(if memchr::memmem::find(message, BEGIN_MESSAGE).is_some() {
            frame("there is text before the line `-----BEGIN PGP SIGNED MESSAGE-----`")
        } else {
            frame("it does not start with `-----BEGIN PGP SIGNED MESSAGE-----`")
        });
    }
    loop {
        let line = next_line(&mut rest).ok_or_else(|| frame("it ends within its header"))?;
        if line.trim_ascii().is_empty() {
            break;
        }
        // Other headers would change the interpretation of the text (`NotDashEscaped`); gpg refuses them too.
        if !line.starts_with(b"Hash:") {
            return Err(frame("its header contains a field other than `Hash`"));
        }
    }

    let mut text = Vec::with_capacity(rest.len());
    let armor = loop {
        let here = rest;
        let line = next_line(&mut rest).ok_or_else(|| frame("it ends without a signature"))?;
        let line = line.trim_ascii_end();
        if line == BEGIN_SIGNATURE {
            break here;
        }
        // A carriage return within a line would count as a line end in the hash, but not for readers of the text.
        if line.contains(&b'\r') {
            return Err(frame("a line of its text contains a carriage return"));
        }
        match line {
            [b'-', b' ', escaped @ ..] => text.extend_from_slice(escaped),
            // `- ` followed by nothing, with its blank trimmed.
            [b'-'] => {}
            [b'-', ..] => return Err(frame("a line of its text starts with an unescaped `-`")),
            line => text.extend_from_slice(line),
        }
        text.push(b'\n');
    };

    let end = loop {
        let line = next_line(&mut rest).ok_or_else(|| frame("its signature has no end"))?;
        if line.trim_ascii_end() == END_SIGNATURE {
            break armor.len() - rest.len();
        }
    };
    if !rest.trim_ascii().is_empty() {
        return Err(frame("there is text after the line `-----END PGP SIGNATURE-----`"));
    }
    Ok(Clearsigned { text, armor: &armor[..end] })
}

/// The next line without its newline; `None` at the end.
fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let (line, behind) = match memchr::memchr(b'\n', rest) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (*rest, &rest[rest.len()..]),
    };
    *rest = behind;
    Some(line)
}

/// Composes a message from a text that passed [`check_signable`] and its text signatures.
pub(super) fn compose(text: &[u8], signatures: &[Signature]) -> Result<Vec<u8>, Error> {
    let mut message = BEGIN_MESSAGE.to_vec();
    let mut algorithms: Vec<String> = signatures.iter().map(|s| s.hash_algo().to_string()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    message.extend_from_slice(b"\nHash: ");
    message.extend_from_slice(algorithms.join(",").as_bytes());
    message.extend_from_slice(b"\n\n");
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        // `From ` is escaped as by gpg, since mail programs would put a `>` before it.
        if line.starts_with(b"-") || line.starts_with(b"From ") {
            message.extend_from_slice(b"- ");
        }
        message.extend_from_slice(line);
    }
    message.extend(armored(signatures)?);
    Ok(message)
}

/// All signatures in one armoured block, the content of `Release.gpg`.
pub(super) fn armored(signatures: &[Signature]) -> Result<Vec<u8>, Error> {
    let failed = |message: String| Error::OpenPgp { doing: "write the signature", message };
    let mut packets = Vec::new();
    for signature in signatures {
        Packet::from(signature.clone()).serialize(&mut packets).map_err(|error| failed(error.to_string()))?;
    }
    let mut writer = Writer::new(Vec::new(), Kind::Signature).map_err(|error| failed(error.to_string()))?;
    writer.write_all(&packets).and_then(|()| writer.finalize()).map_err(|error| failed(error.to_string()))
}

/// The bytes that a text signature in `InRelease` covers: lines that end in CR LF, without the last line end.
pub(super) fn signed_form(text: &[u8]) -> Vec<u8> {
    crlf(text.strip_suffix(b"\n").unwrap_or(text))
}

/// The bytes that a detached text signature covers: all lines, each ending in CR LF.
pub(super) fn crlf(text: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                form.extend_from_slice(line);
                form.extend_from_slice(b"\r\n");
            }
            None => form.extend_from_slice(line),
        }
    }
    form
}

/// Refuses a text that a clear signature cannot represent byte for byte.
pub(super) fn check_signable(text: &[u8]) -> Result<(), Error> {
    let refused = |line, why| Err(Error::Unsignable { line, why });
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let Some(line) = line.strip_suffix(b"\n") else {
            return refused(number + 1, "does not end in a newline");
        };
        if line.contains(&b'\r') {
            return refused(number + 1, "contains a carriage return");
        }
        if line.trim_ascii_end() != line {
            return refused(number + 1, "ends in a blank");
        }
    }
    if text.is_empty() {
        return refused(1, "is missing");
    }
    Ok(())
}

/// The signature packets of an armoured or binary block that contains nothing else.
pub(super) fn signatures(block: &[u8]) -> Result<Vec<Signature>, Distrust> {
    // Far more than any archive needs; the limit bounds the work for a malicious block.
    const MOST: usize = 64;
    let unreadable = |_| damaged("its signature is not an OpenPGP signature");
    let mut found = Vec::new();
    let mut parser = PacketParserBuilder::from_bytes(block)
        .map_err(unreadable)?
        .max_recursion_depth(0)
        .buffer_unread_content()
        .build()
        .map_err(unreadable)?;
    let mut seen = 0;
    while let PacketParserResult::Some(packet) = parser {
        seen += 1;
        if seen > MOST {
            return Err(damaged("its signature block contains too many packets"));
        }
        let (packet, next) = packet.next().map_err(unreadable)?;
        match packet {
            Packet::Signature(signature) => found.push(signature),
            // A signature of a future version is skipped and does not invalidate the others.
            Packet::Unknown(unknown) if unknown.tag() == sequoia_openpgp::packet::Tag::Signature => {}
            Packet::Marker(_) => {}
            _ => {
                return Err(damaged("its signature block contains packets other than signatures"));
            }
        }
        parser = next;
    }
    if found.is_empty() {
        return Err(damaged("its signature block contains no readable signature"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: x\n- -dash\n- From me\n\
                           -----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n";

    fn why(message: &str) -> String {
        parse(message.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn text_and_signature_come_apart() {
        let parts = parse(MESSAGE.as_bytes()).unwrap();
        assert_eq!(parts.text, b"Origin: x\n-dash\nFrom me\n");
        assert!(parts.armor.starts_with(b"-----BEGIN PGP SIGNATURE"));
        assert!(parts.armor.ends_with(b"-----END PGP SIGNATURE-----\n"));
        let crlf = MESSAGE.replace('\n', "\r\n");
        assert_eq!(parse(crlf.as_bytes()).unwrap().text, b"Origin: x\n-dash\nFrom me\n");
    }

    #[test]
    fn nothing_may_stand_around_the_message() {
        assert!(why(&format!("Origin: evil\n{MESSAGE}")).contains("before the line"));
        assert!(why(&format!("\n{MESSAGE}")).contains("before the line"));
        assert!(why(&format!("{MESSAGE}Origin: evil\n")).contains("after the line"));
        assert!(why("Origin: x\n").contains("does not start"));
        assert!(why("").contains("does not start"));
    }

    #[test]
    fn a_cut_message_is_refused_wherever_it_is_cut() {
        for length in 0..MESSAGE.len() - 1 {
            assert!(parse(&MESSAGE.as_bytes()[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn an_odd_frame_is_refused() {
        assert!(why(&MESSAGE.replace("Hash: SHA512", "NotDashEscaped: yes")).contains("header"));
        assert!(why(&MESSAGE.replace("- -dash", "-dash")).contains("unescaped"));
        assert!(why(&MESSAGE.replace("Origin: x", "Origin:\rx")).contains("carriage return"));
    }

    #[test]
    fn text_that_a_clear_signature_would_change_is_not_signed() {
        let why = |text: &[u8]| check_signable(text).err().map(|error| error.to_string());
        assert_eq!(why(b"Origin: x\nSuite: y\n"), None);
        assert!(why(b"Origin: x \n").unwrap().contains("line 1 ends in a blank"));
        assert!(why(b"a\nb\r\n").unwrap().contains("line 2 contains a carriage return"));
        assert!(why(b"a\nb").unwrap().contains("line 2 does not end"));
        assert!(why(b"").is_some());
    }

    #[test]
    fn the_signed_form_has_no_last_line_end() {
        assert_eq!(signed_form(b"a\nb\n"), b"a\r\nb");
        assert_eq!(signed_form(b"a\n\n"), b"a\r\n");
        assert_eq!(crlf(b"a\nb\n"), b"a\r\nb\r\n");
    }

    proptest::proptest! {
        #[test]
        fn no_input_is_a_reason_to_panic(bytes: Vec<u8>, cut in 0..MESSAGE.len()) {
            let _ = signatures(&bytes);
            let _ = crate::signing::keyring::parse_certs("noise", &bytes);
            let noisy = [&MESSAGE.as_bytes()[..cut], &bytes, &MESSAGE.as_bytes()[cut..]].concat();
            if let Ok(parts) = parse(&noisy) {
                let _ = signatures(parts.armor);
            }
        }
    }

    #[test]
    fn garbage_is_no_signature() {
        for garbage in [&b""[..], b"abc", b"-----BEGIN PGP SIGNATURE-----\n\n!!!\n", &[0xff; 40]] {
            assert!(signatures(garbage).is_err());
        }
    }
}
