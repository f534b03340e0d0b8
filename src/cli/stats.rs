//! `publish stats`: downloads of packages, from the access logs of web servers.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{
    class::Kind,
    failure::Failure,
    file_list::STDIN,
    json,
    list::for_each,
    session::Session,
    text::{columns, plain},
    ui::count,
};
use crate::{
    access_log::{Column, Count, Downloads, LeftOut, Line, Lines, PackageFile, Row, start_of_day},
    archive::Trust,
    compression::Compression,
    config::parse_span,
    glob::Glob,
    version::Version,
};

/// Count the downloads of packages in access logs of nginx, Apache, S3 and CloudFront
///
/// Print day, package, version, architecture, downloads, and the downloads by apt. A download is a whole file that a client
/// got: partial content (206), answers without content (304, HEAD), errors, and repeats by the same client within ten minutes
/// are left out. The packages are those of the archive (--archive) by path, else the names of the files say what they are.
/// Logs may be compressed; their lines are read one by one, and no address is printed.
#[derive(Debug, clap::Args)]
#[expect(clippy::doc_markdown, reason = "these comments are the help text")]
#[command(after_help = "\
Examples:\n\
\x20 publish stats /var/log/nginx/access.log /var/log/nginx/access.log.2.gz\n\
\x20 publish stats --by version --package hello --since 30d ./s3-logs\n\
\x20 publish stats --suite stable --by package access.log\n\
\x20 publish stats --by package,architecture - --json")]
pub(super) struct Args {
    /// Access logs, plain or compressed, or folders of them; `-` is standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,

    /// Count by these columns
    #[arg(
        long,
        value_enum,
        value_name = "COLUMN",
        value_delimiter = ',',
        default_value = "day,package,version,architecture"
    )]
    by: Vec<By>,

    /// Count only the packages that this suite lists, or one of its generations; repeatable
    #[arg(short, long, value_name = "SUITE[@STATE]")]
    suite: Vec<String>,

    /// Count only packages of this name; `*`, `?` and `[…]` match as in a shell; repeatable
    #[arg(long, value_name = "NAME")]
    package: Vec<String>,

    /// Count only from this day on, such as 2026-11-01, or for the last TIME, such as 30d
    #[arg(long, value_name = "DAY|TIME", value_parser = parse_since)]
    since: Option<Since>,

    /// Count only before this day
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    until: Option<i64>,
}

/// A column to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Day,
    Package,
    Version,
    Architecture,
}

/// The beginning of the time that is counted.
#[derive(Debug, Clone, Copy)]
enum Since {
    Day(i64),
    Before(std::time::Duration),
}

fn parse_day(text: &str) -> Result<i64, String> {
    start_of_day(text).ok_or_else(|| "expected a day such as 2026-11-01".to_owned())
}

fn parse_since(text: &str) -> Result<Since, String> {
    match start_of_day(text) {
        Some(day) => Ok(Since::Day(day)),
        None => parse_span(text)
            .map(Since::Before)
            .map_err(|error| format!("{error}, or a day such as 2026-11-01")),
    }
}

/// The lines that were read.
#[derive(Debug, Default)]
struct Seen {
    lines: u64,
    accesses: u64,
    unreadable: u64,
}

pub(super) async fn run(args: &Args, session: &Session<'_>) -> Result<ExitCode, Failure> {
    let by = &args.by;
    if by.iter().enumerate().any(|(at, column)| by[..at].contains(column)) {
        return Err(Failure::usage("`--by` names a column twice"));
    }
    let archive = if args.suite.is_empty() { listed(session).await } else { args.of_suites(session).await? };
    let is_of_archive = !archive.is_empty();
    let (counted, read) = tokio::task::block_in_place(|| args.count(archive, session))?;
    if read.accesses == 0 && read.unreadable > 0 {
        let text = format!("{} read, and none is one of an access log", many(read.lines, "line"));
        let hint = "the formats are combined (nginx, Apache), S3 server access logs, and W3C with `#Fields` (CloudFront)";
        return Err(Failure::text(text, Some(hint.to_owned())).kind(Kind::Input));
    }
    if read.unreadable > 0 {
        let lines = many(read.unreadable, "line");
        session.ui.warn(&format!("{lines} of {} cannot be read, and count as nothing", read.lines));
    }
    if counted.beyond > 0 {
        session.ui.warn(&format!(
            "there are too many different rows: {} are in no row; count by fewer columns with `--by`",
            many(counted.beyond, "download")
        ));
    }
    let rows = sorted(&counted.rows, by);
    if session.ui.json() {
        session.ui.object(&document(&counted, &read, &rows, is_of_archive));
        return Ok(ExitCode::SUCCESS);
    }
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|(row, counts)| {
            let cells = by.iter().map(|by| plain(by.value(row)));
            cells.chain([counts.all, counts.apt].map(|count| count.to_string())).collect()
        })
        .collect();
    session.ui.text(&columns(&table, session.ui.aligns()));
    session.ui.say(&summary(&counted, &read));
    Ok(ExitCode::SUCCESS)
}

impl By {
    /// The value of the column.
    fn value(self, row: &Row) -> &str {
        let value = match self {
            Self::Day => &row.day,
            Self::Package => &row.package,
            Self::Version => &row.version,
            Self::Architecture => &row.architecture,
        };
        value.as_deref().unwrap_or_default()
    }

    fn order(self, one: &Row, other: &Row) -> Ordering {
        let (one, other) = (self.value(one), self.value(other));
        match (self, Version::parse(one), Version::parse(other)) {
            (Self::Version, Ok(one), Ok(other)) => one.cmp(&other),
            _ => one.cmp(other),
        }
    }
}

/// The rows in the order of their columns.
fn sorted<'a>(rows: &'a BTreeMap<Row, Count>, by: &[By]) -> Vec<(&'a Row, Count)> {
    let mut rows: Vec<_> = rows.iter().map(|(row, count)| (row, *count)).collect();
    rows.sort_by(|(one, _), (other, _)| {
        by.iter().map(|by| by.order(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    rows
}

impl Args {
    /// The packages of the suites by path. Without them, which packages count is unknown.
    async fn of_suites(&self, session: &Session<'_>) -> Result<HashMap<String, PackageFile>, Failure> {
        let mut listed = HashMap::new();
        for suite in &self.suite {
            if let Some(damaged) = list(Some(suite), session, &mut listed).await? {
                return Err(damaged);
            }
        }
        Ok(listed)
    }

    /// Reads all logs.
    fn count(
        &self,
        archive: HashMap<String, PackageFile>,
        session: &Session<'_>,
    ) -> Result<(Downloads, Seen), Failure> {
        let columns = self.by.iter().map(|by| match by {
            By::Day => Column::Day,
            By::Package => Column::Package,
            By::Version => Column::Version,
            By::Architecture => Column::Architecture,
        });
        let patterns: Vec<Glob> = self.package.iter().map(|text| Glob::new(text)).collect();
        let now = session.now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let since = match self.since {
            None => i64::MIN,
            Some(Since::Day(day)) => day,
            Some(Since::Before(span)) => {
                i64::try_from(now.saturating_sub(span).as_secs()).unwrap_or(i64::MAX)
            }
        };
        let until = self.until.unwrap_or(i64::MAX);
        let is_selected = |file: &PackageFile| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&file.package))
        };
        let mut counted = Downloads::new(columns.collect(), archive);
        counted.only_listed = !self.suite.is_empty();
        let mut read = Seen::default();
        let files = files(&self.logs)?;
        if files.is_empty() {
            let folders: Vec<String> =
                self.logs.iter().map(|folder| format!("`{}`", folder.display())).collect();
            session.ui.warn(&format!("there is no file in {}", folders.join(", ")));
        }
        for file in &files {
            session.ui.step("Reading logs");
            read_log(file, session, |line, lines| {
                read.lines += 1;
                match lines.read(line) {
                    Line::NoAccess => {}
                    Line::Unreadable => read.unreadable += 1,
                    Line::Access(access) => {
                        read.accesses += 1;
                        if (since..until).contains(&access.time) {
                            counted.count(&access, is_selected);
                        }
                    }
                }
            })?;
        }
        Ok((counted, read))
    }
}

/// The packages of the archive by path; none where there is no archive. The names of files are enough without.
async fn listed(session: &Session<'_>) -> HashMap<String, PackageFile> {
    let mut listed = HashMap::new();
    if session.location.folder().is_some_and(|folder| !folder.join("dists").is_dir()) {
        return listed;
    }
    let problem = match list(None, session, &mut listed).await {
        Ok(None) => None,
        Ok(Some(failure)) | Err(failure) => failure.errors.into_iter().next(),
    };
    if let Some(problem) = problem {
        let place = &session.location;
        session.ui.warn(&format!(
            "the indices of {place} cannot be read, so packages are named by their files: {}",
            problem.message
        ));
    }
    listed
}

/// Adds the packages of a suite, or of all.
async fn list(
    suite: Option<&str>,
    session: &Session<'_>,
    listed: &mut HashMap<String, PackageFile>,
) -> Result<Option<Failure>, Failure> {
    let archive = session.archive(Trust::unverified());
    for_each(&archive, session, suite, |_, place, entry| {
        let architecture =
            if place.architecture == "source" { place.architecture } else { &*entry.architecture };
        let package = PackageFile {
            package: entry.name.to_string(),
            version: entry.version.to_string(),
            architecture: architecture.to_owned(),
        };
        let path = entry.main_file().and_then(|file| file.path.clone());
        listed.extend(path.map(|path| (path, package)));
        false
    })
    .await
}

/// Returns the logs, also those in folders, in the order of their names.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    if named.iter().filter(|path| path.as_path() == Path::new(STDIN)).count() > 1 {
        return Err(Failure::usage("standard input, `-`, can be read only once"));
    }
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let is_hidden = |entry: &walkdir::DirEntry| {
            entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
        };
        for entry in walkdir::WalkDir::new(path)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !is_hidden(entry))
        {
            let entry = entry.map_err(|error| Failure::file(&error.into(), path, "read the folder"))?;
            if entry.file_type().is_file() {
                files.push(entry.into_path());
            }
        }
    }
    Ok(files)
}

/// Visits each line of a log. One that ends early, such as a log that is being compressed, counts as far as it can be read.
fn read_log(
    path: &Path,
    session: &Session<'_>,
    mut visit: impl FnMut(&str, &mut Lines),
) -> Result<(), Failure> {
    let source: Box<dyn Read> = if path == Path::new(STDIN) {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| Failure::file(&error, path, "read the log"))?)
    };
    let mut lines = Lines::default();
    let read = unpacked(source).and_then(|reader| {
        let (mut reader, mut line) = (BufReader::with_capacity(1 << 16, reader), Vec::new());
        while let Some(is_whole) = next_line(&mut reader, &mut line)? {
            if is_whole {
                visit(&String::from_utf8_lossy(&line), &mut lines);
            } else {
                visit(TOO_LONG, &mut lines);
            }
        }
        Ok(())
    });
    if let Err(error) = read {
        visit(TOO_LONG, &mut lines);
        session.ui.warn(&format!("`{}` cannot be read to its end: {error}", path.display()));
    }
    Ok(())
}

/// In the place of a line that cannot be read.
const TOO_LONG: &str = "\u{fffd}";

/// A line of a log is shorter: servers limit requests to a few KiB.
const LONGEST: usize = 1 << 16;

/// Reads a line; returns whether it is whole. The rest of one that is too long is passed over.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut is_whole, mut any) = (true, false);
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(any.then_some(is_whole));
        }
        any = true;
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = LONGEST.saturating_sub(line.len());
        is_whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(is_whole));
        }
    }
}

/// Unpacks a log by its first bytes, whatever its name is.
fn unpacked(source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut reader = BufReader::new(source);
    let compression = match reader.fill_buf()? {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Compression::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Compression::Bzip2,
        _ => return Ok(Box::new(reader)),
    };
    compression.buffered_decoder(reader)
}

fn document(counted: &Downloads, seen: &Seen, rows: &[(&Row, Count)], is_of_archive: bool) -> json::Stats {
    let LeftOut { repeated, partial, unchanged, other_methods, failed } = counted.left_out;
    json::Stats {
        lines: seen.lines,
        unreadable: seen.unreadable,
        by_archive: is_of_archive,
        downloads: counted.total.all,
        by_apt: counted.total.apt,
        left_out: json::LeftOut { repeated, partial, unchanged, other_methods, failed },
        rows: rows.iter().map(|(row, count)| json::StatsRow::new(row, *count)).collect(),
    }
}

fn many(number: u64, noun: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

fn summary(counted: &Downloads, seen: &Seen) -> String {
    let LeftOut { repeated, partial, unchanged, other_methods, failed } = counted.left_out;
    let reasons = [
        (repeated, "repeated"),
        (partial, "partial content"),
        (unchanged, "unchanged"),
        (other_methods, "without content"),
        (failed, "failed"),
    ];
    let left_out: Vec<String> = reasons
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, why)| format!("{number} {why}"))
        .collect();
    let left_out =
        if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
    format!(
        "{}, {} by apt, in {}{left_out}",
        many(counted.total.all, "download"),
        counted.total.apt,
        many(seen.lines, "line")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_passed_over() {
        let text = [b"a\n".to_vec(), vec![b'x'; LONGEST + 5], b"\n\nlast".to_vec()].concat();
        let (mut reader, mut line, mut read) =
            (BufReader::with_capacity(7, &text[..]), Vec::new(), Vec::new());
        while let Some(is_whole) = next_line(&mut reader, &mut line).unwrap() {
            read.push((line.len(), is_whole));
        }
        assert_eq!(read, [(1, true), (LONGEST, false), (0, true), (4, true)]);
    }
}
