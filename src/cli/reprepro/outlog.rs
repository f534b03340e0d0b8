//! `OutLog`: what a command changed in `pool/` and `dists/`, in the format of reprepro's `.outlog` files.
//!
//! New files of the pool come first and deleted ones last, so that a mirror that follows the lines in order never lists a
//! file that it does not have.

use crate::{archive::CommitReport, config::SuiteConfig};

/// The changes of a command.
#[derive(Debug, Default)]
pub(super) struct OutLog {
    new: Vec<String>,
    suites: Vec<String>,
    deleted: Vec<String>,
}

impl OutLog {
    /// Adds the files of a commit.
    pub(super) fn add(&mut self, report: &CommitReport, suite: &SuiteConfig) {
        let in_pool = |path: &&str| path.starts_with("pool/");
        let new = report.written.iter().map(|file| file.path.as_str()).filter(in_pool);
        self.new.extend(new.map(|path| format!("POOLNEW\t{path}")));
        if !report.published {
            return;
        }
        let folder = format!("dists/{}", report.suite);
        let snapshot = report.suite.as_str().split_once("/snapshots/");
        let (kind, named) = match snapshot {
            Some((of, name)) => ("SNAPSHOT", format!("{of}\t{folder}\t{name}")),
            None => match &suite.suite {
                Some(alias) => ("DISTRIBUTION", format!("{}\t{folder}\t{alias}", report.suite)),
                None => ("DISTRIBUTION", format!("{}\t{folder}", report.suite)),
            },
        };
        let mut files: Vec<String> = report.indices.clone();
        files.push("Release".to_owned());
        if report.signed {
            files.extend(["Release.gpg".to_owned(), "InRelease".to_owned()]);
        }
        self.suites.push(format!("BEGIN-{kind}\t{named}"));
        self.suites.extend(files.iter().map(|file| format!("DISTFILE\t{folder}\t{file}\t\0{folder}/{file}")));
        self.suites.push(format!("END-{kind}\t{named}"));
    }

    /// Adds deleted files of the pool.
    pub(super) fn delete(&mut self, paths: &[&str]) {
        self.deleted.extend(paths.iter().map(|path| format!("POOLDELETE\t{path}")));
    }

    /// Renders all lines; `None` if nothing changed. `root` is the folder of the archive.
    pub(super) fn render(&self, root: &str) -> Option<String> {
        let lines: Vec<String> =
            [&self.new, &self.suites, &self.deleted].into_iter().flatten().cloned().collect();
        (!lines.is_empty()).then(|| {
            let root = format!("{}/", root.trim_end_matches('/'));
            lines.join("\n").replace('\0', &root) + "\n"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_files_come_first_and_deleted_ones_last() {
        let mut log = OutLog::default();
        assert_eq!(log.render("/r"), None);
        log.delete(&["pool/old.deb"]);
        log.suites.push("DISTFILE\tdists/x\tRelease\t\0dists/x/Release".to_owned());
        log.new.push("POOLNEW\tpool/new.deb".to_owned());
        let expected = "POOLNEW\tpool/new.deb\nDISTFILE\tdists/x\tRelease\t/r/dists/x/Release\nPOOLDELETE\tpool/old.deb\n";
        assert_eq!(log.render("/r/").as_deref(), Some(expected));
    }
}
