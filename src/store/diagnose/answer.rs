//! `Answer`: the response of a server, found in the text of an error.

use std::borrow::Cow;

use serde_json::Value;

/// The most characters of a message that are shown.
const SHOWN: usize = 300;

/// A response of the server.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// The error code, such as `NoSuchBucket`.
    pub(super) code: Cow<'a, str>,
    /// The first line of the message.
    pub(super) message: Cow<'a, str>,
    pub(super) whole: &'a str,
}

impl<'a> Answer<'a> {
    /// Finds the response in the text of an error.
    pub(super) fn find(text: &'a str) -> Option<Self> {
        let whole = text.rsplit_once("status code: ").map(|(_, after)| after);
        // A bulk delete reports an error for each object.
        let one = || text.split_once("(code: ").map(|(_, after)| after.trim_end_matches(')'));
        let Some(whole) = whole else {
            let code = one()?.into();
            return Some(Self { status: 0, code, message: "".into(), whole: text });
        };
        let status = whole.get(..3)?.parse().ok()?;
        let answer = Self { status, code: "".into(), message: "".into(), whole };
        let (code, message) = match (answer.element("Code"), answer.element("Message")) {
            (None, None) => of_json(whole).unwrap_or_default(),
            (code, message) => (code.unwrap_or_default().into(), message.unwrap_or_default().into()),
        };
        Some(Self { code, message: first_line(message), ..answer })
    }

    /// Returns the text of an XML element of the body.
    pub(super) fn element(&self, name: &str) -> Option<&'a str> {
        let (_, after) = self.whole.split_once(&format!("<{name}>"))?;
        Some(after.split_once('<')?.0)
    }

    /// Returns whether the code or the message has one of these words, which are in lower case.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        let (code, message) = (self.code.to_ascii_lowercase(), self.message.to_ascii_lowercase());
        words.iter().any(|word| code.contains(word) || message.contains(word))
    }

    /// Returns the status with the code and the message.
    pub(super) fn with_status(&self) -> String {
        let described = self.described();
        let status = self.status.to_string();
        if described.starts_with(&status) { described } else { format!("{status} {described}") }
    }

    /// Returns the code and the message, else the status.
    pub(super) fn described(&self) -> String {
        match (&self.code[..], &self.message[..]) {
            ("", "") => self.status.to_string(),
            ("", message) => format!("{}: {message}", self.status),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }
}

fn first_line(message: Cow<'_, str>) -> Cow<'_, str> {
    let line = message.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]).into(),
        None if line.len() == message.len() => message,
        None => line.to_owned().into(),
    }
}

/// Reads the code and the message of a JSON body: those of Google's interfaces, and those of OAuth (RFC 6749, 5.2).
fn of_json<'a>(whole: &str) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    let json = &whole[whole.find('{')?..];
    let body: Value = serde_json::Deserializer::from_str(json).into_iter().next()?.ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = body.get("error")?;
    if error.is_string() {
        return Some((text(error).into(), text(&body["error_description"]).into()));
    }
    let reason = [&error["errors"][0]["reason"], &error["status"], &error["code"]];
    let code = reason.into_iter().map(text).find(|code| !code.is_empty()).unwrap_or_default();
    Some((code.into(), text(&error["message"]).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (u16, String, String) {
        let text = format!("Error performing GET - Server returned non-2xx status code: {body}");
        let answer = Answer::find(&text).unwrap();
        (answer.status, answer.code.into_owned(), answer.message.into_owned())
    }

    #[test]
    fn codes_and_messages_of_each_form() {
        let all = |status, code: &str, message: &str| (status, code.to_owned(), message.to_owned());
        assert_eq!(
            read("403 Forbidden: <Error><Code>AccessDenied</Code><Message>No.\nNever.</Message></Error>"),
            all(403, "AccessDenied", "No.")
        );
        assert_eq!(
            read(
                r#"403 Forbidden: {"error":{"code":403,"message":"Full","errors":[{"reason":"quotaExceeded"}]}}"#
            ),
            all(403, "quotaExceeded", "Full")
        );
        assert_eq!(
            read(r#"403 Forbidden: {"error":{"code":403,"message":"No","status":"PERMISSION_DENIED"}}"#),
            all(403, "PERMISSION_DENIED", "No")
        );
        assert_eq!(
            read(r#"400 Bad Request: {"error":"invalid_grant","error_description":"Bad Request"}"#),
            all(400, "invalid_grant", "Bad Request")
        );
        for nothing in ["404 Not Found: ", "502 Bad Gateway: <html>{</html>", "500 Oh: {\"a\":", "500 Oh: {}"]
        {
            let (_, code, message) = read(nothing);
            assert_eq!((&code[..], &message[..]), ("", ""), "{nothing}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let (_, _, message) = read(&format!("400 Bad: <Code>A</Code><Message>{}</Message>", "é".repeat(900)));
        assert_eq!(message.chars().count(), SHOWN + 1);
    }
}
