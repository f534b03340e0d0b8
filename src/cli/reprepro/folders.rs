//! The folders of a repository: `--basedir`, `--outdir`, `--confdir` and the others, with reprepro's prefixes.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The environment variable of the base folder.
const BASE: &str = "REPREPRO_BASE_DIR";
/// The environment variable of the folder of the configuration.
const CONFIG: &str = "REPREPRO_CONFIG_DIR";

/// The folders of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    pub(super) base: String,
    /// The location of the archive: a folder, or a URL of a store.
    pub(super) out: String,
    pub(super) conf: PathBuf,
    pub(super) dists: PathBuf,
    pub(super) logs: PathBuf,
    pub(super) database: PathBuf,
    /// The folder that keeps files that are deleted from the pool.
    pub(super) morgue: Option<PathBuf>,
}

/// The folders as the options name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) base: Option<String>,
    pub(super) out: Option<String>,
    pub(super) conf: Option<String>,
    pub(super) dists: Option<String>,
    pub(super) logs: Option<String>,
    pub(super) database: Option<String>,
    pub(super) morgue: Option<String>,
}

impl Named {
    /// The folders that the environment names.
    pub(super) fn of_environment() -> Self {
        let text = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let text = |name| text(name).and_then(|value| value.into_string().ok());
        Self { base: text(BASE), conf: text(CONFIG), ..Self::default() }
    }

    /// The folders that this one names, else the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            base: self.base.or(other.base),
            out: self.out.or(other.out),
            conf: self.conf.or(other.conf),
            dists: self.dists.or(other.dists),
            logs: self.logs.or(other.logs),
            database: self.database.or(other.database),
            morgue: self.morgue.or(other.morgue),
        }
    }

    /// Resolves the prefixes `+b/`, `+o/` and `+c/`, and the defaults.
    pub(super) fn resolved(&self) -> Folders {
        let base = self.base.clone().unwrap_or_else(|| ".".to_owned());
        let below = |text: &Option<String>, default: &str, out: &str, conf: &str| {
            let text = text.as_deref().unwrap_or(default);
            let folders = [("+b/", base.as_str()), ("+o/", out), ("+c/", conf)];
            let prefix =
                folders.iter().find_map(|(prefix, folder)| Some((text.strip_prefix(prefix)?, folder)));
            prefix.map_or_else(|| text.to_owned(), |(rest, folder)| format!("{folder}/{rest}"))
        };
        let out = self.out.as_ref().map_or_else(|| base.clone(), |_| below(&self.out, "", &base, &base));
        let conf = below(&self.conf, "+b/conf", &out, &base);
        let path = |text: &Option<String>, default| PathBuf::from(below(text, default, &out, &conf));
        Folders {
            dists: path(&self.dists, "+o/dists"),
            logs: path(&self.logs, "+b/logs"),
            database: path(&self.database, "+b/db"),
            morgue: self.morgue.as_ref().map(|_| path(&self.morgue, "")),
            conf: conf.into(),
            base,
            out,
        }
    }
}

impl Folders {
    /// Whether `dists/` is beside `pool/`, the only layout that clients of an archive can use.
    pub(super) fn have_dists_in_out(&self) -> bool {
        let plain = |path: &Path| path.components().collect::<PathBuf>();
        plain(&self.dists) == plain(&Path::new(&self.out).join("dists"))
    }

    /// A folder that is relative to the base folder, unless it has a prefix.
    pub(super) fn below_base(&self, text: &str) -> PathBuf {
        let conf = self.conf.to_string_lossy();
        let folders = [("+b/", self.base.as_str()), ("+o/", &self.out), ("+c/", &conf)];
        let prefix = folders.iter().find_map(|(prefix, folder)| Some((text.strip_prefix(prefix)?, folder)));
        prefix.map_or_else(|| Path::new(&self.base).join(text), |(rest, folder)| Path::new(folder).join(rest))
    }

    /// The path of a hook: relative to the configuration, unless it begins with `/`, `./` or a prefix.
    pub(super) fn hook(&self, text: &str) -> PathBuf {
        let conf = self.conf.to_string_lossy();
        let folders = [("+b/", self.base.as_str()), ("+o/", &self.out), ("+c/", &conf)];
        for (prefix, folder) in folders {
            if let Some(rest) = text.strip_prefix(prefix) {
                return Path::new(folder).join(rest);
            }
        }
        if text.starts_with("./") { text.into() } else { self.conf.join(text) }
    }

    /// The variables that hooks and scripts get.
    pub(super) fn variables(&self) -> [(&'static str, OsString); 6] {
        [
            (BASE, self.base.clone().into()),
            ("REPREPRO_OUT_DIR", self.out.clone().into()),
            (CONFIG, self.conf.clone().into()),
            ("REPREPRO_CONF_DIR", self.conf.clone().into()),
            ("REPREPRO_DIST_DIR", self.dists.clone().into()),
            ("REPREPRO_LOG_DIR", self.logs.clone().into()),
        ]
    }
}

/// Whether a file lies below a folder, through any links: a user who can write the folder can then write the file too.
pub(super) fn holds(folder: &Path, file: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(folder).zip(real(file)).is_some_and(|(folder, file)| file.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_name_other_folders() {
        let named = |base: &str, out: &str, conf: &str| Named {
            base: Some(base.to_owned()),
            out: (!out.is_empty()).then(|| out.to_owned()),
            conf: (!conf.is_empty()).then(|| conf.to_owned()),
            ..Named::default()
        };
        let folders = named("/r", "", "").resolved();
        assert_eq!((folders.out.as_str(), folders.conf.to_str().unwrap()), ("/r", "/r/conf"));
        assert_eq!((folders.dists.to_str(), folders.logs.to_str()), (Some("/r/dists"), Some("/r/logs")));
        assert!(folders.have_dists_in_out() && folders.morgue.is_none());
        let folders = named("/r", "+b/www", "+b/etc").resolved();
        assert_eq!((folders.out.as_str(), folders.conf.to_str().unwrap()), ("/r/www", "/r/etc"));
        assert_eq!(folders.dists.to_str(), Some("/r/www/dists"));
        let folders = named(".", "s3://bucket/apt", "conf").resolved();
        assert_eq!((folders.out.as_str(), folders.conf.to_str().unwrap()), ("s3://bucket/apt", "conf"));
        let dists = |dists: &str| {
            let named = Named { dists: Some(dists.to_owned()), ..named("/r", "", "") };
            named.resolved().have_dists_in_out()
        };
        assert!(dists("+o/dists") && dists("/r//dists/") && !dists("/srv/dists"));
    }

    #[test]
    fn hooks_are_below_the_configuration() {
        let folders = Named { base: Some("/r".to_owned()), ..Named::default() }.resolved();
        for (text, expected) in [
            ("sync.sh", "/r/conf/sync.sh"),
            ("/usr/bin/x", "/usr/bin/x"),
            ("./x", "./x"),
            ("+b/hooks/x", "/r/hooks/x"),
            ("+c/x", "/r/conf/x"),
        ] {
            assert_eq!(folders.hook(text).to_str(), Some(expected), "{text}");
        }
    }
}
