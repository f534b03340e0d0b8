//! Tells the format of each line: a log may be joined from several servers.

use super::{
    access::Access,
    extended::Fields,
    quoted::{combined, s3},
};

/// The lines of one log.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The columns that the last `#Fields` line named.
    fields: Option<Fields>,
}

/// The meaning of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Access(Access),
    /// Empty, or a line about the log itself.
    NoAccess,
    Unreadable,
}

impl Lines {
    /// Reads a line, without its line break.
    pub(crate) fn read(&mut self, line: &str) -> Line {
        let line = line.trim_end_matches(['\r', '\n']);
        if line.trim().is_empty() {
            return Line::NoAccess;
        }
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(names) = comment.strip_prefix("Fields:") {
                self.fields = Some(Fields::parse(names));
            }
            return Line::NoAccess;
        }
        let extended = || self.fields.as_ref().and_then(|fields| fields.access(line));
        match extended().or_else(|| combined(line)).or_else(|| s3(line)) {
            Some(access) => Line::Access(access),
            None => Line::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(line: &str) -> Access {
        match Lines::default().read(line) {
            Line::Access(access) => access,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// 2026-11-01T10:00:00Z
    const TIME: i64 = 1_793_527_200;

    #[test]
    fn lines_of_nginx_and_apache() {
        let expected = Access {
            time: TIME,
            client: "203.0.113.7".into(),
            method: "GET".into(),
            path: "/apt/pool/main/h/hello/hello_2.10-3_amd64.deb".into(),
            status: 200,
            agent: "Debian APT-HTTP/1.3 (2.6.1)".into(),
        };
        let request = r#""GET /apt/pool/main/h/hello/hello_2.10-3_amd64.deb HTTP/1.1" 200 56132"#;
        let agent = r#""-" "Debian APT-HTTP/1.3 (2.6.1)""#;
        for line in [
            format!("203.0.113.7 - - [01/Nov/2026:10:00:00 +0000] {request} {agent}"),
            format!("203.0.113.7 - a name [01/Nov/2026:11:30:00 +0130] {request} {agent} rt=0.1 \"x\""),
            format!("apt.example.org:443 203.0.113.7 - - [01/Nov/2026:05:00:00 -0500] {request} {agent}\r\n"),
        ] {
            assert_eq!(access(&line), expected, "{line}");
        }
        let common = format!("203.0.113.7 - - [01/Nov/2026:10:00:00 +0000] {request}");
        assert_eq!(access(&common), Access { agent: String::new(), ..expected });
        // A request that is none is a line that can be read.
        let odd = access(r#"::1 - - [01/Nov/2026:10:00:00 +0000] "\x16\x03\" \x01" 400 150 "-" "a \"b\" c""#);
        assert_eq!((&*odd.client, &*odd.path, odd.status, &*odd.agent), ("::1", "", 400, r#"a \"b\" c"#));
    }

    #[test]
    fn lines_of_s3() {
        let line = "79a59df900b949e5 packages.example.org [01/Nov/2026:10:00:00 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT \
                    apt/pool/main/g/g%252B%252B/g%252B%252B_1.0_amd64.deb \"GET /apt/pool/main/g/g%2b%2b/g%2b%2b_1.0_amd64.deb?x=1 HTTP/1.1\" 200 - \
                    56132 56132 7 5 \"-\" \"Debian APT-HTTP/1.3 (3.0.3)\" - Ke1bUcazaN1jWuUl= - ECDHE-RSA-AES128 - host TLSV1.2 - -";
        let read = access(line);
        assert_eq!(read.path, "/apt/pool/main/g/g%2b%2b/g%2b%2b_1.0_amd64.deb?x=1");
        assert_eq!((read.time, &*read.client, read.status), (TIME, "192.0.2.3", 200));
        assert_eq!(read.agent, "Debian APT-HTTP/1.3 (3.0.3)");
        // Without the request the key is known.
        let no_uri =
            line.replace("\"GET /apt/pool/main/g/g%2b%2b/g%2b%2b_1.0_amd64.deb?x=1 HTTP/1.1\"", "\"-\"");
        assert_eq!(access(&no_uri).path, "/apt/pool/main/g/g%252B%252B/g%252B%252B_1.0_amd64.deb");
        assert_eq!((access(&no_uri).method, access(line).method), ("GET".into(), "GET".into()));
        // Lines without a request of a client can be read, and name no file.
        for rest in [
            "- - 3E57 BATCH.DELETE.OBJECT pool/h/hello_1_all.deb - 204 - - 812 - - - - - s9l= - - - - - - -",
            r#"- AmazonS3 3E57 S3.EXPIRE.OBJECT pool/h/hello_1_all.deb "-" - - - 812 - - "-" "-" - s9l= - - - - - - -"#,
        ] {
            assert_eq!(
                access(&format!("79a5 bucket [01/Nov/2026:10:00:00 +0000] {rest}")).path,
                "",
                "{rest}"
            );
        }
    }

    #[test]
    fn lines_of_cloudfront() {
        let mut lines = Lines::default();
        let fields = "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)";
        let row = "2026-11-01\t10:00:00\tFRA2\t56132\t192.0.2.3\tGET\td1.cloudfront.net\t/pool/h/hello_1_all.deb\t200\t-\tDebian%20APT-HTTP/1.3%20(2.6.1)";
        assert_eq!(lines.read(row), Line::Unreadable);
        assert_eq!(lines.read("#Version: 1.0"), Line::NoAccess);
        assert_eq!(lines.read(fields), Line::NoAccess);
        let Line::Access(read) = lines.read(row) else { panic!("{row}") };
        assert_eq!((read.time, &*read.agent, read.status), (TIME, "Debian APT-HTTP/1.3 (2.6.1)", 200));
        assert_eq!(lines.read("2026-11-01\t10:00:00"), Line::Unreadable);
        // The columns of the next file are others.
        lines.read("#Fields: cs-uri-stem c-ip");
        assert_eq!(lines.read(row), Line::Unreadable);
    }

    #[test]
    fn other_lines_are_unreadable_and_none_panics() {
        for line in [
            "nonsense",
            "[",
            "a [b] \"c",
            "1.2.3.4 - - [99/Foo/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1",
            "1.2.3.4 - - [01/Nov/2026:10:00:00 +00é0] \"GET / HTTP/1.1\" 200 1",
            "1.2.3.4 - - [01/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" two 1",
            "1.2.3.4 - - [01/Nov/2026:10:00:00 +9999999999] \"GET / HTTP/1.1\" 200 1",
            "{\"time\": 1}",
            "é [é] \"é\" é",
        ] {
            assert_eq!(Lines::default().read(line), Line::Unreadable, "{line}");
        }
        for line in ["", "  ", "#", "#Fields:", "# a comment"] {
            assert_eq!(Lines::default().read(line), Line::NoAccess, "{line}");
        }
    }
}
