//! `FilterList` and `FilterSrcList` of rules: lists of packages and of what is done with them, in the format of
//! `dpkg --get-selections` (reprepro(1), "conf/updates").

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The limit on a list; a selection of all packages of Debian has two megabytes.
const LONGEST: u64 = 64 << 20;

/// The action for an available package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterAction {
    /// It is added if it is new or newer.
    Install,
    /// It is added if it is newer than the one of that name in the suite.
    UpgradeOnly,
    /// The one of that name in the suite is removed, unless it is newer.
    Supersede,
    /// It is left out.
    Deinstall,
    /// It is left out, with a warning.
    Warn,
    /// It is left out, and the one in the suite stays.
    Hold,
    /// The whole operation fails.
    Fail,
}

/// Lists of packages, the first that has a name decides.
#[derive(Debug, Clone)]
pub struct FilterLists {
    otherwise: FilterAction,
    lists: Vec<HashMap<String, Line>>,
}

/// The line of a package.
#[derive(Debug, Clone)]
enum Line {
    Action(FilterAction),
    /// Install this version; another one is as if there was no line.
    Version(String),
}

impl FilterAction {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "install" => Self::Install,
            "upgradeonly" => Self::UpgradeOnly,
            "supersede" => Self::Supersede,
            "deinstall" | "purge" => Self::Deinstall,
            "warning" => Self::Warn,
            "hold" => Self::Hold,
            "error" => Self::Fail,
            _ => return None,
        })
    }
}

impl FilterLists {
    /// Parses `ACTION FILE...`, and reads the files.
    pub(super) fn parse(value: &str, field: &str, resolve: &dyn Fn(&str) -> PathBuf) -> Result<Self, String> {
        let mut words = value.split_whitespace();
        let first = words.next().ok_or_else(|| format!("field `{field}` is empty"))?;
        let otherwise = FilterAction::parse(first)
            .ok_or_else(|| format!("field `{field}` begins with `{first}`, which is not an action"))?;
        let lists = words.map(|name| read(&resolve(name))).collect::<Result<_, _>>()?;
        Ok(Self { otherwise, lists })
    }

    /// Reads the files; a package that none of them has gets this action.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read<'a>(otherwise: FilterAction, files: impl Iterator<Item = &'a Path>) -> Result<Self, String> {
        Ok(Self { otherwise, lists: files.map(read).collect::<Result<_, _>>()? })
    }

    /// The action for a package.
    #[must_use]
    pub fn action(&self, name: &str, version: &str) -> FilterAction {
        let lines = self.lists.iter().filter_map(|list| list.get(name));
        let mut actions = lines.filter_map(|line| match line {
            Line::Action(action) => Some(*action),
            Line::Version(only) => (only == version).then_some(FilterAction::Install),
        });
        actions.next().unwrap_or(self.otherwise)
    }
}

fn read(path: &Path) -> Result<HashMap<String, Line>, String> {
    let failed = |why: String| format!("the list `{}` cannot be read: {why}", path.display());
    let bytes = crate::regular::read_within(path, LONGEST).map_err(|error| failed(error.to_string()))?;
    let mut list = HashMap::new();
    for (number, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let wrong = |why: &str| failed(format!("line {}: {why}", number + 1));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, rest) = line.split_once(char::is_whitespace).ok_or_else(|| wrong("there is no action"))?;
        let rest = rest.trim();
        let parsed = match rest.strip_prefix('=') {
            Some(version) if !version.trim().is_empty() => Line::Version(version.trim().to_owned()),
            Some(_) => return Err(wrong("there is no version after `=`")),
            None => Line::Action(
                FilterAction::parse(rest).ok_or_else(|| wrong(&format!("`{rest}` is not an action")))?,
            ),
        };
        if list.insert(name.to_owned(), parsed).is_some() {
            return Err(wrong(&format!("`{name}` is listed twice")));
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_list_that_has_a_name_decides() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("one", "foo\t\thold\nbar = 2.0\n\n");
        write("two", "foo install\nbar upgradeonly\n");
        write("bad", "foo install\nfoo hold\n");
        write("worse", "foo\n");
        let parse = |value: &str| FilterLists::parse(value, "FilterList", &|name| folder.path().join(name));
        let lists = parse("deinstall one two").unwrap();
        assert_eq!(lists.action("foo", "1"), FilterAction::Hold);
        assert_eq!(lists.action("bar", "2.0"), FilterAction::Install);
        assert_eq!(lists.action("bar", "2"), FilterAction::UpgradeOnly);
        assert_eq!(lists.action("baz", "1"), FilterAction::Deinstall);
        assert!(parse("hold bad").unwrap_err().contains("line 2: `foo` is listed twice"));
        assert!(parse("hold worse").unwrap_err().contains("line 1: there is no action"));
        assert!(parse("").unwrap_err().contains("is empty"));
    }
}
