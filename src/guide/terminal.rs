//! The guide as plain text, wrapped to a width.

use std::fmt::Write as _;

use super::markdown::{Block, parse};

/// Renders a text in Markdown for a terminal of this width.
pub(crate) fn render(text: &str, width: usize) -> String {
    let mut page = Page { text: String::new(), width: width.max(MIN_WIDTH) };
    for block in parse(text) {
        if !page.text.is_empty() {
            page.text.push('\n');
        }
        page.block(&block);
    }
    page.text
}

const MIN_WIDTH: usize = 24;

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(1, title) => self.wrapped("", 0, &plain(title).to_uppercase()),
            Block::Heading(_, title) => self.wrapped("", 0, &plain(title)),
            Block::Paragraph(text) => self.wrapped("", 0, &plain(text)),
            Block::Code(lines) => lines.iter().for_each(|line| self.line(&format!("    {line}"))),
            Block::List(entries) => {
                for (mark, text) in entries {
                    self.wrapped(&format!("{mark} "), mark.chars().count() + 1, &plain(text));
                }
            }
            Block::Table(heads, rows) => self.table(heads, rows),
        }
    }

    /// The last column is wrapped; where the others are wide, it begins on a line of its own.
    fn table(&mut self, heads: &[String], rows: &[Vec<String>]) {
        let lines = || std::iter::once(heads).chain(rows.iter().map(Vec::as_slice));
        let columns = heads.len().saturating_sub(1);
        let width_of = |column: usize| {
            lines()
                .filter_map(|row| row.get(column))
                .map(|cell| plain(cell).chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width_of).collect();
        let left: usize = widths.iter().map(|width| width + 2).sum::<usize>() + 2;
        // Numbers are short in every column.
        let all = left + width_of(columns);
        let is_narrow = all <= self.width || left <= self.width * 2 / 5;
        for row in lines() {
            let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
            let Some((last, first)) = cells.split_last() else { continue };
            if is_narrow {
                let mut start = "  ".to_owned();
                for (cell, width) in first.iter().zip(&widths) {
                    let _ = write!(start, "{cell:width$}  ");
                }
                self.wrapped(&start, left, last);
            } else {
                let start: Vec<&str> =
                    first.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
                self.wrapped("  ", 4, &start.join("  "));
                self.wrapped("      ", 6, last);
            }
        }
    }

    /// Wraps a text: the first line begins with `start`, each further one with `indent` blanks.
    fn wrapped(&mut self, start: &str, indent: usize, text: &str) {
        let mut line = start.to_owned();
        let mut has_words = false;
        for word in text.split_whitespace() {
            if has_words && line.chars().count() + 1 + word.chars().count() > self.width {
                self.line(&line);
                line = " ".repeat(indent);
                has_words = false;
            }
            if has_words {
                line.push(' ');
            }
            line.push_str(word);
            has_words = true;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// Removes the marks of bold text; backticks set off code on a terminal too.
fn plain(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(at, part)| if at % 2 == 1 { part.to_owned() } else { part.replace("**", "") })
        .collect::<Vec<_>>()
        .join("`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::TOPICS;

    #[test]
    fn a_text_is_wrapped_and_its_marks_are_gone() {
        let text = "# Title\n\nSome **bold** words and `a**b`.\n\n* an entry that is longer than the line\n\n```sh\nrun it\n```\n\n| a | b |\n|---|---|\n| x | one two three four five six |\n";
        let expected = "TITLE\n\nSome bold words and\n`a**b`.\n\n* an entry that is longer\n  than the line\n\n    run it\n\n  a  b\n  x  one two three four\n     five six\n";
        assert_eq!(render(text, 26), expected);
    }

    #[test]
    fn a_table_with_wide_names_has_its_text_below_them() {
        let text = "| name | meaning |\n|---|---|\n| `a-long-name-of-it` | the meaning of it |\n";
        let expected = "  name\n      meaning\n  `a-long-name-of-it`\n      the meaning of it\n";
        assert_eq!(render(text, 30), expected);
    }

    #[test]
    fn every_topic_fits_its_width_except_code() {
        for topic in TOPICS {
            for width in [40, 80, 100] {
                let text = render(topic.text, width);
                let is_code = |line: &&str| line.starts_with("    ");
                // A single word may be longer than a line.
                let long = |line: &&str| {
                    line.chars().count() > width
                        && line.trim_start_matches(['*', ' ']).split_whitespace().count() > 1
                };
                let wide: Vec<&str> = text.lines().filter(|line| !is_code(line)).filter(long).collect();
                assert!(wide.is_empty(), "{} at {width}: {wide:#?}", topic.name);
            }
        }
    }
}
