//! Whether two stores share objects: a copy of a store into itself would never end well.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{
    handle::Store,
    location::{Bucket, Location, Service},
};

impl Store {
    /// Whether one of two stores is the other, is inside it or contains it, in any spelling and through any link. The
    /// folders `trees` at their roots may be links to elsewhere.
    #[must_use]
    pub fn overlaps(&self, other: &Self, trees: &[&str]) -> bool {
        match (&self.location, &other.location) {
            (Location::Folder(one), Location::Folder(two)) => {
                let (one, two) = (real_folders(one, trees), real_folders(two, trees));
                let nest = |one: &PathBuf, two: &PathBuf| one.starts_with(two) || two.starts_with(one);
                one.iter().any(|one| two.iter().any(|two| nest(one, two)))
            }
            (Location::Bucket(one), Location::Bucket(two)) => {
                place(one) == place(two)
                    && server(self.endpoint.as_deref()) == server(other.endpoint.as_deref())
                    && nest(&one.prefix, &two.prefix)
            }
            _ => false,
        }
    }
}

/// Returns the real paths of a folder and of the folders below it that may be links.
fn real_folders(folder: &Path, trees: &[&str]) -> BTreeSet<PathBuf> {
    let trees = trees.iter().map(|tree| folder.join(tree));
    trees.chain([folder.to_owned()]).map(|path| real(&path)).collect()
}

/// Resolves the links in a path, also in one that does not exist yet.
fn real(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                found.pop();
            }
            part => {
                found.push(part);
                if let Ok(real) = fs::canonicalize(&found) {
                    found = real;
                }
            }
        }
    }
    found
}

/// Returns what tells two buckets of one server apart.
fn place(bucket: &Bucket) -> (Service, &str, Option<&String>) {
    (bucket.service, &bucket.name, bucket.options.get("account"))
}

/// Returns an endpoint without the differences of spelling; `None` for the service's own.
fn server(endpoint: Option<&str>) -> Option<String> {
    let endpoint = endpoint?.trim_end_matches('/').to_ascii_lowercase();
    let is_own = [".amazonaws.com", "//storage.googleapis.com"].iter().any(|own| endpoint.ends_with(own));
    (!is_own).then_some(endpoint)
}

/// Whether one prefix is the other, or a folder of it.
fn nest(one: &str, two: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        outer.is_empty()
            || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, two) || within(two, one)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::Environment;

    fn overlap(one: &str, two: &str, current: &Path) -> bool {
        let variables =
            [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "eu-west-1")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment: Environment = variables.into_iter().collect();
        let open = |text| Store::open(&Location::parse(text, current).unwrap(), &environment).unwrap();
        let (one, two) = (open(one), open(two));
        assert_eq!(one.overlaps(&two, &["dists", "pool"]), two.overlaps(&one, &["dists", "pool"]));
        one.overlaps(&two, &["dists", "pool"])
    }

    #[test]
    fn folders_overlap_in_any_spelling_and_through_links() {
        let all = tempfile::tempdir().unwrap();
        let current = all.path();
        for folder in ["a/dists/stable", "a/pool", "b", "shared"] {
            fs::create_dir_all(current.join(folder)).unwrap();
        }
        symlink("a", current.join("link")).unwrap();
        symlink("../a/pool", current.join("b/pool")).unwrap();
        for inside in
            ["./a", "./a/dists", "./a/pool/x", "./a/../a", ".", "./link", "./link/new/x", "./b", "./c/../a/x"]
        {
            assert!(overlap("./a", inside, current), "{inside}");
        }
        for outside in ["./ab", "./c", "./c/a", "./shared", "./link/../x", "memory:"] {
            assert!(!overlap("./a", outside, current), "{outside}");
        }
    }

    #[test]
    fn buckets_overlap_by_server_name_and_prefix() {
        let current = Path::new("/");
        for (one, two) in [
            ("s3://apt/a", "s3://apt/a"),
            ("s3://apt/a", "s3://apt/a/b"),
            ("s3://apt", "s3://apt/a"),
            ("s3://apt/a", "s3://apt/a?region=eu-west-2"),
            ("s3://apt/a", "s3://apt/a?endpoint=https://s3.eu-west-1.amazonaws.com"),
        ] {
            assert!(overlap(one, two, current), "{one} {two}");
        }
        for (one, two) in [
            ("s3://apt/a", "s3://apt/ab"),
            ("s3://apt/a", "s3://other/a"),
            ("s3://apt/a", "s3://apt/a?endpoint=http://127.0.0.1:9000"),
            ("s3://apt/a", "./apt/a"),
        ] {
            assert!(!overlap(one, two, current), "{one} {two}");
        }
    }
}
