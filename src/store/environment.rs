//! Settings from outside: credentials, endpoints, regions.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Environment variables; the command line passes those of the process, a library user may pass others.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Returns the variables of this process; values that are not UTF-8 count as unset.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// Returns the value of a variable without line ends behind it, which secrets of a CI system often have; an empty one
    /// counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.trim_end_matches(['\r', '\n']);
        Some(value).filter(|value| !value.is_empty())
    }

    /// Returns the first of these variables that is set to a value with blanks or control characters.
    pub(crate) fn with_blanks<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        let is_bad = |c: char| c.is_whitespace() || c.is_control();
        names.iter().copied().find(|name| self.get(name).is_some_and(|value| value.contains(is_bad)))
    }

    /// Returns the value of the first of these variables that is set.
    #[must_use]
    pub fn first_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Returns the user's home directory, with the configuration files of other tools.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(Path::new).map(Path::to_owned)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().collect() }
    }
}

impl std::fmt::Debug for Environment {
    /// Omits the values: some are secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
