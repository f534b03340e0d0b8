//! Filters bucket listings: removes keys that are no valid object paths.
//!
//! `object_store` rejects a whole page for one key such as `pool//x`, and takes the marker `pool/` that consoles
//! create for an object `pool`. Both are removed before it parses the page.

use bytes::Bytes;
use memchr::memmem;
use object_store::{client::HttpRequest, path::Path};

/// The elements of one entry in a listing, and the inner element that contains its name: S3 and Google, then Azure.
const ENTRIES: [(&str, &str); 4] =
    [("Contents", "Key"), ("CommonPrefixes", "Prefix"), ("Blob", "Name"), ("BlobPrefix", "Name")];

/// Returns whether a request is a listing.
pub(super) fn is_listing(request: &HttpRequest) -> bool {
    let asks = |query: &str| query.split('&').any(|pair| ["list-type=2", "comp=list"].contains(&pair));
    request.method() == reqwest::Method::GET && request.uri().query().is_some_and(asks)
}

/// Removes the entries with invalid paths from a page of a listing.
pub(super) fn without_invalid_keys(page: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&page) else { return page };
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, entry, after)) = next_entry(rest) {
        kept.push_str(before);
        if !is_invalid(entry) {
            kept.push_str(entry);
        }
        rest = after;
    }
    if kept.len() + rest.len() == text.len() {
        return page;
    }
    kept.push_str(rest);
    kept.into()
}

/// Splits a text at its first entry: before, the entry, after.
fn next_entry(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'<', &text.as_bytes()[from..]) {
        let start = from + at;
        let inner = &text[start + 1..];
        if let Some((tag, _)) = ENTRIES.iter().find(|(tag, _)| {
            inner.strip_prefix(tag).is_some_and(|rest| rest.starts_with('>') || rest.starts_with(' '))
        }) {
            let close = format!("</{tag}>");
            let end = start + memmem::find(&text.as_bytes()[start..], close.as_bytes())? + close.len();
            return Some((&text[..start], &text[start..end], &text[end..]));
        }
        from = start + 1;
    }
    None
}

fn is_invalid(entry: &str) -> bool {
    let Some((tag, holder)) = ENTRIES.iter().find(|(tag, _)| {
        entry[1..].strip_prefix(tag).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    }) else {
        return false;
    };
    let (open, close) = (format!("<{holder}>"), format!("</{holder}>"));
    let Some((_, after)) = entry.split_once(&open) else { return false };
    let Some((name, _)) = after.split_once(&close) else { return false };
    let name = plain(name);
    let name = match *tag {
        "CommonPrefixes" | "BlobPrefix" => name.strip_suffix('/').unwrap_or(&name),
        _ => &name,
    };
    // Parsing strips slashes at both ends, which changes the name.
    name.is_empty() || !Path::parse(name).is_ok_and(|path| path.as_ref() == name)
}

/// Decodes XML entities.
fn plain(text: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#x2F;", "/"), ("&#47;", "/")];
    let text = named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_keys_are_removed() {
        let entry = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
        let folder = |name: &str| format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>");
        let blob = |name: &str| format!("<Blob><Name>{name}</Name><Properties/></Blob>");
        let page = |parts: &[String]| {
            let parts = parts.concat();
            Bytes::from(format!("<?xml version=\"1.0\"?><R><Prefix>a//</Prefix>{parts}<X>y</X></R>"))
        };
        let sound = [entry("pool/a~b+c&amp;d e%"), folder("pool/"), blob("pool/x"), entry("é")];
        assert_eq!(without_invalid_keys(page(&sound)), page(&sound));
        let [one, two, three, four] = sound.clone();
        let foreign = [
            one,
            entry("pool//x"),
            entry("pool/"),
            entry("/x"),
            two,
            folder("pool//"),
            folder("/"),
            three,
            blob("a/../b"),
            "<BlobPrefix><Name>a//</Name></BlobPrefix>".to_owned(),
            four,
        ];
        assert_eq!(without_invalid_keys(page(&foreign)), page(&sound));
    }

    #[test]
    fn other_bodies_are_unchanged() {
        for text in
            ["", "<", "<Contents>", "<Contents></Contents>", "<Contents><Key></Contents>", "<Blob", "é<"]
        {
            assert_eq!(without_invalid_keys(Bytes::from(text)), text);
        }
    }
}
