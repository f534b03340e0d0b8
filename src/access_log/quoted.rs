//! Lines with a time in brackets and a request in quotes: the combined and the common format, and that of S3.

use super::{access::Access, times};

/// Reads a line of nginx or Apache: `ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT"`, where Apache may put the
/// host first.
pub(super) fn combined(line: &str) -> Option<Access> {
    let (before, time, rest) = around_time(line)?;
    let (request, rest) = quoted(rest.strip_prefix('"')?)?;
    let mut words = rest.split_whitespace();
    let status = words.next()?.parse().ok()?;
    let mut clients = before.split_whitespace();
    let first = clients.next()?;
    // `vhost_combined` begins with HOST:PORT.
    let is_host = |word: &str| {
        word.rsplit_once(':').is_some_and(|(host, port)| {
            !host.contains(':') && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let client = match clients.next() {
        Some(second) if is_host(first) && second != "-" => second,
        _ => first,
    };
    let (method, path) = request_of(request);
    Some(Access { time, client: client.to_owned(), method, path, status, agent: agent(rest) })
}

/// Reads a server access log of S3: `OWNER BUCKET [TIME] ADDRESS REQUESTER ID OPERATION KEY "REQUEST" STATUS …`.
pub(super) fn s3(line: &str) -> Option<Access> {
    let (_, time, rest) = around_time(line)?;
    let words: Vec<&str> = rest.splitn(6, ' ').collect();
    let [client, _, _, operation, key, rest] = words[..] else { return None };
    // Deletions of several objects, and what S3 does itself, such as `S3.EXPIRE.OBJECT`, have no request, and no status.
    let (request, rest) = match rest.strip_prefix('"') {
        Some(rest) => quoted(rest)?,
        None => ("", rest.strip_prefix("- ")?),
    };
    let status = match rest.split_whitespace().next()? {
        "-" => 0,
        status => status.parse().ok()?,
    };
    let (mut method, mut path) = request_of(request);
    let parts: Vec<&str> = operation.split('.').collect();
    let [by, verb, .., kind] = parts[..] else { return None };
    if path.is_empty() {
        verb.clone_into(&mut method);
        path = format!("/{key}");
    }
    if kind != "OBJECT" || !["REST", "WEBSITE"].contains(&by) {
        path.clear();
    }
    Some(Access { time, client: client.to_owned(), method, path, status, agent: agent(rest) })
}

/// The texts before and after the time.
fn around_time(line: &str) -> Option<(&str, i64, &str)> {
    let (before, rest) = line.split_once('[')?;
    let (time, rest) = rest.split_once("] ")?;
    Some((before, times::bracketed(time)?, rest))
}

/// Splits the text after an opening quote at the closing one; nginx and Apache escape quotes within.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// The method and the path of a request line; empty if it is none.
fn request_of(line: &str) -> (String, String) {
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some(method), Some(path), Some(version)) if version.starts_with("HTTP/") => {
            (method.to_owned(), path.to_owned())
        }
        _ => (String::new(), String::new()),
    }
}

/// The second quoted text after the status: the first is the referer.
fn agent(rest: &str) -> String {
    let after = |text| quoted(str::split_once(text, '"')?.1);
    let agent = after(rest).and_then(|(_, rest)| after(rest));
    agent.map_or_else(String::new, |(agent, _)| agent.to_owned())
}
