//! Masks credentials in texts that are printed or stored: in URLs, options, headers and connection strings.
//!
//! Errors quote locations, server responses and commands, any of which may contain a password or a token. The mask is
//! applied to the whole text where it leaves the program, so that no error has to know which of its parts are secret.

/// The replacement of a secret.
const MASK: &str = "***";

/// Names of secret values, in lower case and with `_` for `-`; as a whole name or as the last words of one.
const SECRET_NAMES: &[&str] = &[
    "sig",
    "auth",
    "authorization",
    "cookie",
    "pwd",
    "pass",
    "credential",
    "credentials",
    "api_key",
    "access_key",
    "account_key",
    "private_key",
    "secret_key",
    "shared_key",
];

/// Ends of names of secret values, also within a word, such as in `SharedAccessSignature`.
const SECRET_ENDS: &[&str] = &[
    "signature",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "accountkey",
    "apikey",
    "accesskey",
];

/// The shortest bearer token that is masked; shorter words after `Bearer` are prose.
const SHORTEST_TOKEN: usize = 12;

/// Masks every password and token that is recognizable in a text.
pub(crate) fn redact(text: &str) -> String {
    let text = of_words(text);
    let text = named_values(&text);
    bearer_tokens(&text)
}

/// Masks a password in a text that should be one URL, and may contain any character.
pub(crate) fn redact_location(text: &str) -> String {
    // No location has a fragment: what is there may be anything.
    let text = match text.split_once('#') {
        Some((location, _)) if location.contains("://") => format!("{location}#{MASK}"),
        _ => text.to_owned(),
    };
    redact(&user_information(&text))
}

/// Whether a variable, option or header of this name has a secret value.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name: String = name
        .trim_start_matches(['-', '.'])
        .chars()
        .map(|c| if c == '-' || c == '.' { '_' } else { c.to_ascii_lowercase() })
        .collect();
    let is_last_word = |secret: &str| {
        name.strip_suffix(secret).is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    SECRET_ENDS.iter().any(|end| name.ends_with(end)) || SECRET_NAMES.iter().any(|name| is_last_word(name))
}

/// Masks the user information of each URL, and of texts that are almost one.
fn of_words(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || "`\"<>".contains(c)) {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || "`\"<>".contains(c));
        shown.push_str(&user_information(word));
        shown.push_str(&piece[word.len()..]);
    }
    shown
}

/// Masks the user information of each URL in one word, or of a text that is almost a URL.
fn user_information(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return without_scheme(word) };
    let rest: Vec<String> = rest.split("://").map(of_authority).collect();
    format!("{scheme}://{}", rest.join("://"))
}

/// Masks all between the first `:` of an authority and its last `@`; without a `:` all before the `@`.
fn of_authority(text: &str) -> String {
    let Some((user, host)) = text.rsplit_once('@') else { return cut_off(text) };
    let is_port = |text: &str| text.bytes().take_while(|&b| b != b'/').all(|b| b.is_ascii_digit());
    match (user.split_once(':'), user.find(['/', '?', '#'])) {
        // The `@` is in the path.
        (Some((name, _)), Some(end)) if name.len() > end => text.to_owned(),
        (Some((_, rest)), Some(_)) if is_port(rest) => text.to_owned(),
        (None, Some(_)) => text.to_owned(),
        // The password itself may contain a slash.
        (Some((name, _)), _) => format!("{name}:{MASK}@{host}"),
        // A token without a user name.
        (None, None) => format!("{MASK}@{host}"),
    }
}

/// Masks what follows the name of an authority that was cut off at its `@`, unless it is a port.
fn cut_off(text: &str) -> String {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    // A sentence may go on after a port.
    let is_port = |text: &str| {
        text.trim_end_matches(|c: char| c.is_ascii_punctuation()).bytes().all(|b| b.is_ascii_digit())
    };
    match authority.split_once(':') {
        Some((name, rest)) if !name.starts_with('[') && !is_port(rest) => {
            format!("{name}:{MASK}{}", &text[authority.len()..])
        }
        _ => text.to_owned(),
    }
}

/// Masks the password where a slash or the scheme is missing: `https:/user:password@host`, `user:password@host`.
fn without_scheme(word: &str) -> String {
    let Some((before, host)) = word.rsplit_once('@') else { return word.to_owned() };
    let segment = before.rfind('/').map_or(0, |slash| slash + 1);
    let start = match before[segment..].find(':') {
        Some(colon) => segment + colon + 1,
        // The slash may be in the password.
        None => match before[..segment].rfind(':') {
            Some(colon) if !before[colon..].starts_with(":/") => colon + 1,
            _ => return word.to_owned(),
        },
    };
    format!("{}{MASK}@{host}", &before[..start])
}

/// Masks the values of secret names: `?sig=…`, `AccountKey=…`, `"token": "…"`, `X-Auth-Token: …`.
fn named_values(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let is_header = rest.as_bytes()[at] == b':';
        shown.push_str(&rest[..=at]);
        rest = after;
        let is_quoted = before.ends_with('"');
        let unquoted = before.strip_suffix('"').unwrap_or(before);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let name = &unquoted[unquoted.trim_end_matches(is_name).len()..];
        // In prose, a colon follows a name such as `token`; in a header it follows a name of several words.
        let is_header_name = || name.contains('-') || name.eq_ignore_ascii_case("authorization");
        let is_key_option = || {
            let before = &unquoted[..unquoted.len() - name.len()];
            name.eq_ignore_ascii_case("key") && before.ends_with(['?', '&'])
        };
        // `Fastly-Key: KEY` is a header, `archive-key: it is missing` is prose.
        let is_key_header = || {
            let value = after.split(['\n', '`', '"', '\'']).next().unwrap_or_default().trim();
            name.to_ascii_lowercase().ends_with("-key") && !name.starts_with('-') && !value.contains(' ')
        };
        let is_secret = if is_header {
            is_secret_name(name) && (is_quoted || is_header_name()) || is_key_header()
        } else {
            is_secret_name(name) || is_key_option()
        };
        if !is_secret || name.is_empty() {
            continue;
        }
        let blanks = after.len() - after.trim_start_matches(' ').len();
        let value = &after[blanks..];
        let length = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
            // A header may have several words, such as `Bearer TOKEN`.
            _ if is_header => value.find(['\n', '`', '"', '\'']).unwrap_or(value.len()),
            _ => value.find(|c: char| c.is_whitespace() || "&;`\"'<>)#".contains(c)).unwrap_or(value.len()),
        };
        // A permission of a GitHub job, which hints name: `id-token: write`.
        if name == "id-token" && value[..length].trim() == "write" {
            continue;
        }
        // The padding of base64 has no value after it.
        if value[..length].trim_matches('=').is_empty() || is_header && blanks == 0 && !is_quoted {
            continue;
        }
        shown.push_str(&after[..blanks]);
        shown.push_str(MASK);
        rest = &value[length..];
    }
    shown.push_str(rest);
    shown
}

/// Masks the word after `Bearer`.
fn bearer_tokens(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // ASCII letters have the same length in lower case.
    while let Some(at) = rest.to_ascii_lowercase().find("bearer ") {
        let (before, after) = rest.split_at(at + "bearer ".len());
        let length = after.find(|c: char| c.is_whitespace() || "`\"'<>,;".contains(c)).unwrap_or(after.len());
        shown.push_str(before);
        if length >= SHORTEST_TOKEN {
            shown.push_str(MASK);
            rest = &after[length..];
        } else {
            rest = after;
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_no_token() {
        assert_eq!(redact("set `permissions: id-token: write`"), "set `permissions: id-token: write`");
        assert_eq!(redact("`id-token: eyJhbGciOi`"), "`id-token: ***`");
    }

    #[test]
    fn a_fragment_of_a_location_is_masked() {
        assert_eq!(redact_location("https://example.org/apt#hunter2"), "https://example.org/apt#***");
        assert_eq!(redact_location("./folder#1"), "./folder#1");
    }

    #[test]
    fn secrets_are_masked_in_every_form() {
        for (text, shown) in [
            ("`https://me:hush@example.org/apt`", "`https://me:***@example.org/apt`"),
            ("https://me:hu@sh@example.org", "https://me:***@example.org"),
            ("state `https://me:hush` of it", "state `https://me:***` of it"),
            (
                "at http://127.0.0.1:80, or (http://a.test:8).",
                "at http://127.0.0.1:80, or (http://a.test:8).",
            ),
            (
                "https://example.org:8080/x and http://[::1]:80",
                "https://example.org:8080/x and http://[::1]:80",
            ),
            ("https://me:hu/sh@example.org/x", "https://me:***@example.org/x"),
            ("https://hush@example.org/x", "https://***@example.org/x"),
            ("https://:hush@example.org", "https://:***@example.org"),
            ("https:/me:hush@example.org", "https:/me:***@example.org"),
            ("/srv/https:/me:hush@127.0.0.1:1/x", "/srv/https:/me:***@127.0.0.1:1/x"),
            ("http:me:hush@example.org", "http:***@example.org"),
            ("s3://a?endpoint=http://me:hush@example.org", "s3://a?endpoint=http://me:***@example.org"),
            ("https://me:hush@a?endpoint=http://me:hush@b", "https://me:***@a?endpoint=http://me:***@b"),
            ("me:hush@example.org:80", "me:***@example.org:80"),
            ("me:hu/sh@example.org", "me:***@example.org"),
            ("a https://me:hush@a, http://you:hush@b.", "a https://me:***@a, http://you:***@b."),
            ("http://h/x?sig=hush%3D&sv=1", "http://h/x?sig=***&sv=1"),
            ("http://h/?X-Amz-Signature=hush&X-Amz-Date=1", "http://h/?X-Amz-Signature=***&X-Amz-Date=1"),
            ("x-amz-security-token=hush", "x-amz-security-token=***"),
            ("http://h/?access_token=hush)", "http://h/?access_token=***)"),
            ("http://h/?key=hush", "http://h/?key=***"),
            ("AccountName=a;AccountKey=hu+/sh==;X=y", "AccountName=a;AccountKey=***;X=y"),
            ("SharedAccessSignature=sv=1&sig=hush", "SharedAccessSignature=***&sig=***"),
            ("AWS_SECRET_ACCESS_KEY='hu sh' x", "AWS_SECRET_ACCESS_KEY=*** x"),
            ("-H 'Fastly-Key: hush' x", "-H 'Fastly-Key: ***' x"),
            ("Authorization: Basic hush", "Authorization: ***"),
            ("X-Auth-Token: hush\nnext", "X-Auth-Token: ***\nnext"),
            (r#"{"password": "hush", "a": 1}"#, r#"{"password": ***, "a": 1}"#),
            (r#"{"token":"hush"}"#, r#"{"token":***}"#),
            ("curl --oauth2-bearer x Bearer 0123456789abcdef", "curl --oauth2-bearer x Bearer ***"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in [
            "",
            "stable@20250601T000100Z-1a2b3c4d",
            "`stable@1`: no such generation",
            "pool/main/h/hello/hello_1%3a2.0_amd64.deb",
            "http://127.0.0.1:8080/pool/@scope/x@1.0",
            "https://example.org/@scope/x@1.0",
            "user ID `Example archive <packages@example.org>`",
            "the token: it expired",
            "the signature: it does not match",
            "set AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            "`?region=eu&style=path`",
            "set `?region=REGION` or AWS_REGION=REGION",
            "Signed-By: /srv/apt/archive-key.asc",
            "archive-key.asc: it is missing",
            "hello 1:2.0 -> 1:3.0",
            "the bearer of bad news",
            "c2lnbmF0dXJl==",
            "ends in token==",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn names_of_secrets() {
        for name in ["ST_KEY", "SSH_KEY"] {
            assert!(!is_secret_name(name), "{name} may be the name of a file");
        }
        for name in
            ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "OS_PASSWORD", "PUBLISH_PASSPHRASE", "FASTLY_API_TOKEN"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["AWS_ACCESS_KEY_ID", "PUBLISH_PASSPHRASE_FILE", "PATH", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
