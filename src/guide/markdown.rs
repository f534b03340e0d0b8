//! The Markdown of the guide, as blocks: the subset that its texts use.

/// A block of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading, with its level.
    Heading(usize, String),
    Paragraph(String),
    /// Lines as they are.
    Code(Vec<String>),
    /// Entries of a list, each with its mark.
    List(Vec<(String, String)>),
    /// The heads of the columns, and the rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

/// Parses a text.
pub(super) fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        if line.starts_with("```") {
            blocks.push(Block::Code(
                lines.by_ref().take_while(|line| !line.starts_with("```")).map(str::to_owned).collect(),
            ));
        } else if let Some((marks, title)) = line.split_once(' ').filter(|(marks, _)| is_heading(marks)) {
            blocks.push(Block::Heading(marks.len(), title.to_owned()));
        } else if line.starts_with('|') {
            let heads = cells(line);
            let mut rows = Vec::new();
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                // The second line is a rule.
                if !row.chars().all(|c| "|-: ".contains(c)) {
                    rows.push(cells(row));
                }
            }
            blocks.push(Block::Table(heads, rows));
        } else if let Some(first) = entry(line) {
            let mut entries = vec![first];
            while let Some(next) = lines.next_if(|line| entry(line).is_some() || line.starts_with("  ")) {
                match (entry(next), entries.last_mut()) {
                    (Some(next), _) => entries.push(next),
                    (None, Some((_, text))) => join(text, next),
                    (None, None) => {}
                }
            }
            blocks.push(Block::List(entries));
        } else {
            let mut text = line.trim().to_owned();
            while let Some(next) = lines.next_if(|line| continues(line)) {
                join(&mut text, next);
            }
            blocks.push(Block::Paragraph(text));
        }
    }
    blocks
}

fn is_heading(marks: &str) -> bool {
    !marks.is_empty() && marks.bytes().all(|b| b == b'#')
}

/// Whether a line continues a paragraph.
fn continues(line: &str) -> bool {
    !line.trim().is_empty()
        && !line.starts_with("```")
        && !line.starts_with('|')
        && !line.split_once(' ').is_some_and(|(marks, _)| is_heading(marks))
        && entry(line).is_none()
}

fn join(text: &mut String, line: &str) {
    text.push(' ');
    text.push_str(line.trim());
}

/// The mark and the text of an entry of a list.
fn entry(line: &str) -> Option<(String, String)> {
    let (mark, text) = line.split_once(' ')?;
    let is_number =
        mark.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let mark = if is_number {
        mark
    } else if matches!(mark, "*" | "-") {
        "*"
    } else {
        return None;
    };
    Some((mark.to_owned(), text.trim().to_owned()))
}

/// The cells of a row; `\|` is a bar within a cell.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|');
    let row = row.strip_suffix('|').unwrap_or(row).replace("\\|", "\0");
    row.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_blocks() {
        let text = "# Title\nOne\ntwo.\n\n* first\n  more\n* second\n1. third\n\n```sh\n# no heading\n\n```\n| a | b |\n|---|---|\n| `x\\|y` | z |\nend";
        let own = str::to_owned;
        let expected = [
            Block::Heading(1, own("Title")),
            Block::Paragraph(own("One two.")),
            Block::List(vec![
                (own("*"), own("first more")),
                (own("*"), own("second")),
                (own("1."), own("third")),
            ]),
            Block::Code(vec![own("# no heading"), String::new()]),
            Block::Table(vec![own("a"), own("b")], vec![vec![own("`x|y`"), own("z")]]),
            Block::Paragraph(own("end")),
        ];
        assert_eq!(parse(text), expected);
    }
}
