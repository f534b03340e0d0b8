//! `ByHandHooks` of a suite: which script takes which file of an upload that is not a package.

use super::lines::text_of;
use crate::{glob::Glob, stanza::Stanza};

/// A script for some files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ByHandHook {
    section: Glob,
    priority: Glob,
    file: Glob,
    /// The script, as written.
    pub script: String,
}

impl ByHandHook {
    /// Whether it takes a file with this section and priority.
    #[must_use]
    pub fn is_for(&self, section: &str, priority: &str, file: &str) -> bool {
        self.section.matches(section) && self.priority.matches(priority) && self.file.matches(file)
    }
}

/// Reads the field: a line `SECTION PRIORITY FILE SCRIPT` for each hook, the first three of which may be patterns.
pub(super) fn hooks(stanza: &Stanza<'_>) -> Result<Vec<ByHandHook>, String> {
    let mut hooks = Vec::new();
    for line in text_of(stanza, "ByHandHooks")?.unwrap_or_default().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [section, priority, file, script] => hooks.push(ByHandHook {
                section: Glob::new(section),
                priority: Glob::new(priority),
                file: Glob::new(file),
                script: script.to_owned(),
            }),
            _ => {
                return Err(format!(
                    "field `ByHandHooks` has the line `{}`; expected `SECTION PRIORITY FILE SCRIPT`",
                    line.trim()
                ));
            }
        }
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_files_and_the_script() {
        let read = |value: &str| {
            let text = format!("Codename: x\nByHandHooks:{value}\n");
            hooks(&Stanza::parse_control(text.as_bytes()).unwrap())
        };
        let found = read("\n byhand * *.txt text.sh\n\t* - manual.pdf other.sh").unwrap();
        assert_eq!(found.iter().map(|hook| &*hook.script).collect::<Vec<_>>(), ["text.sh", "other.sh"]);
        assert!(found[0].is_for("byhand", "-", "a.txt") && !found[0].is_for("raw-x", "-", "a.txt"));
        assert!(found[1].is_for("raw-x", "-", "manual.pdf") && !found[1].is_for("x", "extra", "manual.pdf"));
        assert!(read("").unwrap().is_empty());
        assert!(read(" x").unwrap_err().contains("`x`; expected `SECTION PRIORITY FILE SCRIPT`"));
    }
}
