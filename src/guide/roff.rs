//! Man pages: escaping, and the guide in the macros of man(7).

use std::fmt::Write as _;

use super::markdown::{Block, parse};

/// Renders a topic as a man page, such as `publish-distributions(5)`.
pub(crate) fn page(name: &str, section: u8, summary: &str, text: &str) -> String {
    let mut page = head(name, section, summary);
    let mut blocks = parse(text).into_iter().peekable();
    // The title of the text is that of the page.
    if let Some(Block::Heading(1, _)) = blocks.peek() {
        blocks.next();
    }
    if !matches!(blocks.peek(), Some(Block::Heading(..))) {
        page.push_str(".SH DESCRIPTION\n");
    }
    for block in blocks {
        render(&block, &mut page);
    }
    page.push_str(".SH SEE ALSO\n.BR publish (1)\n");
    page
}

/// The first lines of a page.
pub(crate) fn head(name: &str, section: u8, summary: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH {} {section} \"\" \"publish {version}\" \"publish\"\n.SH NAME\n{} \\- {}\n",
        escape(&name.to_uppercase()),
        escape(name),
        inline(summary)
    )
}

fn render(block: &Block, page: &mut String) {
    // Writing to a string cannot fail.
    let _ = match block {
        Block::Heading(1 | 2, title) => writeln!(page, ".SH {}", quoted(&title.to_uppercase())),
        Block::Heading(_, title) => writeln!(page, ".SS {}", quoted(title)),
        Block::Paragraph(text) => {
            paragraph(page, text);
            Ok(())
        }
        Block::Code(lines) => {
            let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
            writeln!(page, "{}.RS 4\n.EX\n{}\n.EE\n.RE", space(page), lines.join("\n"))
        }
        Block::List(entries) => entries.iter().try_for_each(|(mark, text)| {
            let mark = if mark == "*" { "\\(bu" } else { mark };
            writeln!(page, ".IP {mark} 4\n{}", inline(text))
        }),
        Block::Table(heads, rows) => {
            // Two columns are a list of terms; of more, each row names its columns.
            rows.iter().try_for_each(|row| match (&row[..], heads.len()) {
                ([], _) => Ok(()),
                ([first, cells @ ..], 3..) => {
                    let named = |(head, cell): (&String, &String)| match (head.trim(), cell.trim()) {
                        (_, "") => None,
                        ("", cell) => Some(cell.to_owned()),
                        (head, cell) => Some(format!("{head}: {cell}")),
                    };
                    let cells: Vec<String> = heads.iter().skip(1).zip(cells).filter_map(named).collect();
                    let cells = if cells.is_empty() { "\\&".to_owned() } else { inline(&cells.join("; ")) };
                    writeln!(page, ".TP\n{}\n{cells}", inline(first))
                }
                ([first, rest @ ..], _) => {
                    let rest = rest.first().filter(|rest| !rest.is_empty());
                    let rest = rest.map_or_else(|| "\\&".to_owned(), |rest| inline(rest));
                    writeln!(page, ".TP\n{}\n{rest}", inline(first))
                }
            })
        }
    };
}

/// Adds a paragraph of text.
pub(crate) fn paragraph(page: &mut String, text: &str) {
    let _ = writeln!(page, "{}{}", space(page), inline(text));
}

/// The macro between paragraphs; a heading has its own space.
fn space(page: &str) -> &'static str {
    let last = page.trim_end().lines().next_back().unwrap_or_default();
    if last.starts_with(".SH ") || last.starts_with(".SS ") { "" } else { ".PP\n" }
}

/// A title as one argument of a macro.
pub(crate) fn quoted(title: &str) -> String {
    format!("\"{}\"", escape(&title.replace('`', "")).replace('"', "\\(dq"))
}

/// Renders text within a line: code and bold text in bold.
pub(crate) fn inline(text: &str) -> String {
    let mut shown = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(shown, "\\fB{}\\fR", escape(part));
            continue;
        }
        for (at, part) in part.split("**").enumerate() {
            if at > 0 {
                shown.push_str(if at % 2 == 1 { "\\fB" } else { "\\fR" });
            }
            shown.push_str(&escape(part));
        }
    }
    // The first character of a line must not make it a request.
    if shown.starts_with(['.', '\'']) { format!("\\&{shown}") } else { shown }
}

/// Escapes a text for roff, as ASCII.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '.' | '\'' if at == 0 => {
                escaped.push_str("\\&");
                escaped.push(c);
            }
            '\'' => escaped.push_str("\\(aq"),
            '~' => escaped.push_str("\\(ti"),
            '^' => escaped.push_str("\\(ha"),
            '`' => escaped.push_str("\\(ga"),
            '…' if at == 0 => escaped.push_str("\\&..."),
            '…' => escaped.push_str("..."),
            c if c.is_ascii() => escaped.push(c),
            c => {
                let _ = write!(escaped, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_a_request() {
        assert_eq!(inline(".TH `a-b\\` **x**… é"), "\\&.TH \\fBa\\-b\\e\\fR \\fBx\\fR\\&... \\[u00E9]");
        assert_eq!(inline("'a' ~"), "\\&'a\\(aq \\(ti");
        assert_eq!(inline("`.deb`"), "\\fB\\&.deb\\fR");
    }

    #[test]
    fn a_page_has_its_blocks() {
        let text = "# Title\n\nText.\n\n## Part `x`\n\n* one\n\n```sh\n.run\n```\n\n| a | b |\n|---|---|\n| c | d |\n\nEnd.\n\n| | x | `y` |\n|---|---|---|\n| e | 1 | 2 |\n| f | | 3 |\n";
        let page = page("publish-x", 5, "the x", text);
        let expected = ".SH NAME\npublish\\-x \\- the x\n.SH DESCRIPTION\nText.\n.SH \"PART X\"\n.IP \\(bu 4\none\n\
                        .PP\n.RS 4\n.EX\n\\&.run\n.EE\n.RE\n.TP\nc\nd\n.PP\nEnd.\n.TP\ne\nx: 1; \\fBy\\fR: 2\n.TP\nf\n\\fBy\\fR: 3\n.SH SEE ALSO\n.BR publish (1)\n";
        assert_eq!(page.split_once('\n').unwrap().1, expected);
    }
}
