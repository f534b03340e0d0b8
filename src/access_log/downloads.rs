//! Downloads of packages: which accesses are one, and how many there were.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::{
    access::Access,
    package_file::{PackageFile, spellings},
    times::day_of,
};

/// A client that asks again so soon repeats a download.
const REPEAT: i64 = 10 * 60;

/// How many of the last downloads are known, to find repeats: memory does not grow with the log.
const KNOWN: usize = 1 << 17;

/// A log of made-up names must not fill the memory.
const MOST_ROWS: usize = 1_000_000;

/// A column of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Day,
    Package,
    Version,
    Architecture,
}

/// The values of the columns that are counted by.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) day: Option<String>,
    pub(crate) package: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) architecture: Option<String>,
}

/// Downloads of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) all: u64,
    /// Those by apt, and what fetches for it.
    pub(crate) apt: u64,
}

/// Accesses to packages that are no downloads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The same client has just fetched the same file.
    pub(crate) repeated: u64,
    /// A rest of a file (206).
    pub(crate) partial: u64,
    /// The client has the file (304).
    pub(crate) unchanged: u64,
    /// Other methods than GET, such as HEAD.
    pub(crate) other_methods: u64,
    /// Errors and redirects.
    pub(crate) failed: u64,
}

/// Counts downloads.
pub(crate) struct Downloads {
    columns: Vec<Column>,
    /// The packages of the archive by path, which know versions with their epochs.
    archive: HashMap<String, PackageFile>,
    /// Whether only those count.
    pub(crate) only_listed: bool,
    known: Vec<(u64, i64)>,
    pub(crate) rows: BTreeMap<Row, Count>,
    pub(crate) total: Count,
    pub(crate) left_out: LeftOut,
    /// Downloads that have no row, because there are too many rows.
    pub(crate) beyond: u64,
}

impl Downloads {
    pub(crate) fn new(columns: Vec<Column>, archive: HashMap<String, PackageFile>) -> Self {
        Self {
            columns,
            archive,
            only_listed: false,
            known: vec![(0, i64::MIN); KNOWN],
            rows: BTreeMap::new(),
            total: Count::default(),
            left_out: LeftOut::default(),
            beyond: 0,
        }
    }

    /// Counts an access if it is the download of a selected package.
    pub(crate) fn count(&mut self, access: &Access, is_selected: impl Fn(&PackageFile) -> bool) {
        let Some(file) = self.file_of(&access.path).filter(is_selected) else { return };
        let left_out = &mut self.left_out;
        let why = match (&*access.method, access.status) {
            ("GET", 200) if self.known.repeats(access) => &mut left_out.repeated,
            ("GET", 200) => return self.add(access, file),
            ("GET", 206) => &mut left_out.partial,
            ("GET", 304) => &mut left_out.unchanged,
            ("GET", _) => &mut left_out.failed,
            _ => &mut left_out.other_methods,
        };
        *why += 1;
    }

    /// The package of a path: as the archive lists it, else by its name.
    fn file_of(&self, path: &str) -> Option<PackageFile> {
        let spellings = spellings(path);
        let listed = |path: &String| {
            // The archive may be served below any folder.
            let below = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
            below.take(MOST_FOLDERS).find_map(|path| self.archive.get(path)).cloned()
        };
        let named = |path: &String| PackageFile::parse(path.rsplit('/').next().unwrap_or_default());
        let listed = (!self.archive.is_empty()).then(|| spellings.iter().find_map(listed)).flatten();
        if self.only_listed { listed } else { listed.or_else(|| spellings.iter().find_map(named)) }
    }

    fn add(&mut self, access: &Access, file: PackageFile) {
        let is_apt = is_apt(&access.agent);
        let add = |count: &mut Count| {
            count.all += 1;
            count.apt += u64::from(is_apt);
        };
        add(&mut self.total);
        let row = self.row(access, file);
        if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&row) {
            self.beyond += 1;
            return;
        }
        add(self.rows.entry(row).or_default());
    }

    fn row(&self, access: &Access, file: PackageFile) -> Row {
        let PackageFile { package, version, architecture } = file;
        let has = |column| self.columns.contains(&column);
        Row {
            day: has(Column::Day).then(|| day_of(access.time)),
            package: has(Column::Package).then_some(package),
            version: has(Column::Version).then_some(version),
            architecture: has(Column::Architecture).then_some(architecture),
        }
    }
}

/// A path has fewer folders.
const MOST_FOLDERS: usize = 64;

/// Finds repeats among the last downloads.
trait Repeats {
    fn repeats(&mut self, access: &Access) -> bool;
}

impl Repeats for Vec<(u64, i64)> {
    fn repeats(&mut self, access: &Access) -> bool {
        let mut hasher = DefaultHasher::new();
        (&access.client, &access.agent, &access.path).hash(&mut hasher);
        let hash = hasher.finish();
        let place = usize::try_from(hash % self.len() as u64).unwrap_or_default();
        let Some(known) = self.get_mut(place) else { return false };
        let repeats = known.0 == hash && access.time.saturating_sub(known.1).abs() <= REPEAT;
        *known = (hash, if repeats { access.time.max(known.1) } else { access.time });
        repeats
    }
}

/// Whether a user agent is apt, or a program that fetches for it.
fn is_apt(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    // `Debian APT-HTTP/1.3 (2.6.1)`, `Debian APT-CURL/1.0 (1.4.10)`, `apt-cacher-ng/3.7.4`
    ["apt-http", "apt-curl", "apt-cacher", "apt-https", "squid-deb-proxy"]
        .iter()
        .any(|name| agent.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APT: &str = "Debian APT-HTTP/1.3 (2.6.1)";

    fn access(time: i64, client: &str, path: &str) -> Access {
        Access {
            time,
            client: client.into(),
            method: "GET".into(),
            path: path.into(),
            status: 200,
            agent: APT.into(),
        }
    }

    fn downloads(columns: &[Column]) -> Downloads {
        Downloads::new(columns.to_vec(), HashMap::new())
    }

    const HELLO: &str = "/pool/h/hello_1_amd64.deb";

    #[test]
    fn a_whole_file_counts_once_for_a_client() {
        let mut counted = downloads(&[Column::Package]);
        for (time, client) in [(0, "a"), (5, "a"), (600, "a"), (1300, "a"), (1300, "b"), (3, "b")] {
            counted.count(&access(time, client, HELLO), |_| true);
        }
        counted.count(&Access { agent: "curl/8".into(), ..access(1300, "a", HELLO) }, |_| true);
        assert_eq!(counted.total, Count { all: 5, apt: 4 });
        assert_eq!(counted.left_out, LeftOut { repeated: 2, ..LeftOut::default() });
        assert_eq!(counted.rows.len(), 1);
    }

    #[test]
    fn other_answers_and_methods_are_no_downloads() {
        let mut counted = downloads(&[Column::Package]);
        for status in [206, 304, 404, 301] {
            counted.count(&Access { status, ..access(0, "a", HELLO) }, |_| true);
        }
        counted.count(&Access { method: "HEAD".into(), ..access(0, "a", HELLO) }, |_| true);
        counted.count(&access(0, "a", "/dists/stable/InRelease"), |_| true);
        counted.count(&access(0, "a", HELLO), |file| file.package != "hello");
        let left_out =
            LeftOut { partial: 1, unchanged: 1, other_methods: 1, failed: 2, ..LeftOut::default() };
        assert_eq!((counted.total, counted.left_out), (Count::default(), left_out));
    }

    #[test]
    fn the_archive_knows_versions_with_their_epochs() {
        let listed =
            PackageFile { package: "hello".into(), version: "2:1".into(), architecture: "amd64".into() };
        let archive = HashMap::from([("pool/h/hello_1_amd64.deb".to_owned(), listed)]);
        let mut counted = Downloads::new(vec![Column::Version, Column::Architecture], archive);
        for path in ["/apt/pool/h/hello%5f1_amd64.deb", "/other/hello_1_amd64.deb"] {
            counted.count(&access(0, "a", path), |_| true);
        }
        let versions: Vec<_> = counted.rows.keys().filter_map(|row| row.version.as_deref()).collect();
        assert_eq!(versions, ["1", "2:1"]);
    }
}
