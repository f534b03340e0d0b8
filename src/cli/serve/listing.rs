//! How a folder looks to a person: one plain page of HTML, every name a link.

use std::fmt::Write as _;

use super::http;

/// The content of a folder.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The names of the folders in it.
    pub(super) folders: Vec<String>,
    /// The files in it.
    pub(super) files: Vec<File>,
}

/// A file in a folder.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) last_modified: String,
}

impl Folder {
    /// Whether there is nothing to show.
    pub(super) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.files.is_empty()
    }

    /// The page of the folder at a path, which is `/` or starts and ends with one.
    pub(super) fn render(mut self, path: &str) -> String {
        self.folders.sort();
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        let title = escape(path);
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
             <style>body{{font-family:monospace}}td{{padding-right:2em}}.size{{text-align:right}}</style>\n\
             <h1>{title}</h1>\n<table>\n"
        );
        if path != "/" {
            page.push_str("<tr><td><a href=\"../\">../</a>\n");
        }
        for name in &self.folders {
            let _ = writeln!(page, "<tr><td><a href=\"{}/\">{}/</a>", http::encode(name), escape(name));
        }
        for file in &self.files {
            let _ = writeln!(
                page,
                "<tr><td><a href=\"{}\">{}</a><td class=\"size\">{}<td>{}",
                http::encode(&file.name),
                escape(&file.name),
                file.size,
                file.last_modified
            );
        }
        page.push_str("</table>\n</html>\n");
        page
    }
}

/// A text as HTML, safe in an attribute too.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text_and_links_lead_to_them() {
        let page = Folder {
            folders: vec!["z".to_owned(), "a&b".to_owned()],
            files: vec![File {
                name: "x<y>_1:2.0+é\"~_all.deb".to_owned(),
                size: 7,
                last_modified: "Sun, 22 Nov 2026 21:00:00 GMT".to_owned(),
            }],
        }
        .render("/pool/'q'/");
        let table = &page[page.find("<h1>").unwrap()..];
        assert_eq!(
            table,
            "<h1>/pool/&#39;q&#39;/</h1>\n<table>\n\
             <tr><td><a href=\"../\">../</a>\n\
             <tr><td><a href=\"a%26b/\">a&amp;b/</a>\n\
             <tr><td><a href=\"z/\">z/</a>\n\
             <tr><td><a href=\"x%3cy%3e_1%3a2.0%2b%c3%a9%22%7e_all.deb\">x&lt;y&gt;_1:2.0+é&quot;~_all.deb</a>\
             <td class=\"size\">7<td>Sun, 22 Nov 2026 21:00:00 GMT\n\
             </table>\n</html>\n"
        );
    }

    #[test]
    fn the_root_has_no_parent() {
        assert!(!Folder::default().render("/").contains("../"));
    }
}
