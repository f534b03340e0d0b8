//! Changes `SignWith:` of suites in the configuration files, and keeps every other byte.
//!
//! A configuration is written by its owner, with comments and an order of its own, perhaps in several files, one of
//! which may be included by several stanzas. So the words of the one field are edited in place, the result is parsed
//! as every command parses it, and it is only written if it has exactly the requested change. Each file is replaced
//! atomically.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    distributions::Config,
    error::Error,
    lines::{Lines, Overlay, end_of_value, folder_of, text_of},
};
use crate::{names::Suite, stanza::Stanzas};

const FIELD: &str = "SignWith";

/// Changed files of a configuration, in memory.
#[derive(Debug)]
pub struct ConfigEdit {
    files: Overlay,
    config: Config,
}

/// Changed files, staged beside the files that they will replace.
#[derive(Debug)]
pub struct StagedEdit {
    files: Vec<(PathBuf, Vec<u8>, tempfile::NamedTempFile)>,
}

/// The position of a field in a file.
struct Place {
    path: PathBuf,
    /// Its first line in the file, counted from 1.
    line: usize,
    /// Its number of lines.
    count: usize,
}

impl ConfigEdit {
    /// Sets the words of `SignWith:` for suites: existing words in their order, followed by new ones.
    ///
    /// # Errors
    ///
    /// [`Error::Edit`] if the field cannot be edited in place, or not for these suites alone.
    pub fn sign_with(path: &Path, wanted: &BTreeMap<Suite, Vec<String>>) -> Result<Self, Error> {
        let before = Config::read(path)?;
        let mut files = Overlay::default();
        for (suite, words) in wanted {
            // A field in a file that the stanza of another suite includes too may be changed already.
            let (config, place) = find(path, &files, suite)?;
            let stands = config.find(suite.as_str()).is_some_and(|found| found.sign_with == *words);
            if stands {
                continue;
            }
            let Place { path: file, line, count } = place;
            let refused =
                |why: &str| Error::Edit { path: file.clone(), line, field: FIELD, why: why.to_owned() };
            let key = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            let bytes = match files.get(&key) {
                Some(bytes) => bytes.clone(),
                None => {
                    crate::regular::read(&key).map_err(|source| Error::Read { path: file.clone(), source })?
                }
            };
            let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
            let range = line - 1..line - 1 + count;
            let field =
                lines.get(range.clone()).ok_or_else(|| refused("the file was changed concurrently"))?;
            let said =
                rewrite(&field.concat(), words).ok_or_else(|| refused("its words cannot be separated"))?;
            let new = [lines[..range.start].concat(), said, lines[range.end..].concat()].concat();
            files.insert(key, new);
        }
        let lines = Lines::open_with(path, &files)?;
        let config = Config::parse(&lines, folder_of(path))?;
        let edit = Self { files, config };
        edit.check(path, &before, wanted)?;
        Ok(edit)
    }

    /// Checks that the result has the requested change, and no other.
    fn check(
        &self,
        path: &Path,
        before: &Config,
        wanted: &BTreeMap<Suite, Vec<String>>,
    ) -> Result<(), Error> {
        for old in &before.suites {
            let mut expected = old.clone();
            if let Some(words) = wanted.get(&old.codename) {
                expected.sign_with.clone_from(words);
            }
            if self.config.suites.contains(&expected) {
                continue;
            }
            let (_, place) = find(path, &Overlay::default(), &old.codename)?;
            let why = format!("suite `{}` shares this field and must not change", old.codename);
            return Err(Error::Edit { path: place.path, line: place.line, field: FIELD, why });
        }
        Ok(())
    }

    /// The configuration after the change.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that change.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Writes the new files beside the old ones, so that little can fail afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Write`]; a read-only file is not replaced either.
    pub fn stage(&self) -> Result<StagedEdit, Error> {
        let mut files = Vec::new();
        for (path, bytes) in &self.files {
            let failed = |source| Error::Write { path: path.clone(), source };
            let metadata = fs::metadata(path).map_err(failed)?;
            if metadata.permissions().readonly() {
                return Err(Error::ReadOnly { path: path.clone() });
            }
            let old = crate::regular::read(path).map_err(failed)?;
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut file =
                tempfile::Builder::new().prefix(".distributions-").tempfile_in(folder).map_err(failed)?;
            file.write_all(bytes).map_err(failed)?;
            // Without the right to change the owner, the owner stays; the mode decides who else may read the file.
            #[cfg(unix)]
            let _ = std::os::unix::fs::fchown(
                file.as_file(),
                Some(std::os::unix::fs::MetadataExt::uid(&metadata)),
                Some(std::os::unix::fs::MetadataExt::gid(&metadata)),
            );
            file.as_file().set_permissions(metadata.permissions()).map_err(failed)?;
            file.as_file().sync_all().map_err(failed)?;
            files.push((path.clone(), old, file));
        }
        Ok(StagedEdit { files })
    }
}

impl StagedEdit {
    /// Renames the files into place, one after the other.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if a file was changed concurrently.
    pub fn commit(self) -> Result<(), Error> {
        for (path, old, file) in self.files {
            let failed = |source| Error::Write { path: path.clone(), source };
            if crate::regular::read(&path).map_err(failed)? != old {
                return Err(Error::Changed { path });
            }
            file.persist(&path).map_err(|error| failed(error.error))?;
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Reads the configuration with some files changed, and finds `SignWith:` of a suite in it.
fn find(path: &Path, files: &Overlay, suite: &Suite) -> Result<(Config, Place), Error> {
    let lines = Lines::open_with(path, files)?;
    let config = Config::parse(&lines, folder_of(path))?;
    let mut stanzas = Stanzas::with_comments(&lines.bytes);
    while let Some(Ok(stanza)) = stanzas.next() {
        let codename = text_of(&stanza, "Codename").ok().flatten();
        if codename.is_none_or(|codename| codename.trim() != suite.as_str()) {
            continue;
        }
        let begin = stanzas.block_line();
        let Some(before) = stanza.lines_before(FIELD) else { break };
        let field = stanza.fields().iter().find(|field| field.name.eq_ignore_ascii_case(FIELD));
        let raw = field.map(|field| field.raw).unwrap_or_default();
        let count = raw.strip_suffix(b"\n").unwrap_or(raw).split(|&b| b == b'\n').count();
        let first = begin + before;
        let (file, line) = lines.origin(first);
        let together = (1..count).all(|more| lines.origin(first + more) == (file.clone(), line + more));
        if !together {
            let why = "it is set in several files".to_owned();
            return Err(Error::Edit { path: file, line, field: FIELD, why });
        }
        return Ok((config, Place { path: file, line, count }));
    }
    let (path, line) = lines.origin(1);
    Err(Error::Edit { path, line, field: FIELD, why: format!("suite `{suite}` does not set it") })
}

/// Replaces the words of a field; words that are kept stay in place. `None` if that is not possible.
fn rewrite(field: &[u8], words: &[String]) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = field.split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    let found = |lines: &[Vec<u8>]| -> Vec<(usize, Range<usize>)> {
        let tokens = |(number, line): (usize, &Vec<u8>)| {
            tokens(line, number == 0).into_iter().map(move |range| (number, range)).collect::<Vec<_>>()
        };
        lines.iter().enumerate().flat_map(tokens).collect()
    };
    let text = |lines: &[Vec<u8>], (number, range): &(usize, Range<usize>)| {
        String::from_utf8(lines[*number][range.clone()].to_vec()).ok()
    };
    // A grouped fingerprint, as gpg shows it, is one word, but not beside another word.
    let all = found(&lines);
    let groups = all.iter().map(|token| text(&lines, token)).collect::<Option<Vec<_>>>()?;
    let digits = groups.concat();
    if groups.len() > 1 && digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let ((first, start), (last, end)) = (all.first()?.clone(), all.last()?.clone());
        if first != last {
            return None;
        }
        lines[first].splice(start.start..end.end, digits.into_bytes());
    }
    // From the end, so that the positions before it stay valid.
    for (number, range) in found(&lines).into_iter().rev() {
        let word = String::from_utf8(lines[number][range.clone()].to_vec()).ok()?;
        if words.contains(&word) {
            continue;
        }
        let line = &mut lines[number];
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let after = line[range.end..].iter().take_while(|b| blank(b)).count();
        let before = line[..range.start].iter().rev().take_while(|b| blank(b)).count();
        let is_last = matches!(line.get(range.end + after), None | Some(b'\n' | b'\r'));
        if is_last {
            line.drain(range.start - before..range.end);
            // A line of only blanks would end the stanza for some readers.
            if number > 0 && line.trim_ascii().is_empty() {
                lines.remove(number);
            }
        } else {
            line.drain(range.start..range.end + after);
        }
    }
    let kept: Vec<String> = found(&lines).iter().map(|token| text(&lines, token)).collect::<Option<_>>()?;
    let new = words.strip_prefix(&kept[..])?;
    let more: String = new.iter().map(|word| format!(" {word}")).collect::<Vec<_>>().concat();
    let (number, at) = match found(&lines).last() {
        Some((number, range)) => (*number, range.end),
        None => (0, lines.first()?.iter().position(|&b| b == b':')? + 1),
    };
    lines[number].splice(at..at, more.into_bytes());
    Some(lines.concat())
}

/// The ranges of the words of a line.
fn tokens(line: &[u8], first: bool) -> Vec<Range<usize>> {
    let line = &line[..end_of_value(line)];
    let mut at = match line.iter().position(|&b| b == b':') {
        Some(colon) if first => colon + 1,
        _ => 0,
    };
    let mut found = Vec::new();
    while at < line.len() {
        let length = line[at..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
        if length == 0 {
            at += 1;
        } else {
            found.push(at..at + length);
            at += length;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(field: &str, words: &[&str]) -> Option<String> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        rewrite(field.as_bytes(), &words).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn words_come_and_go_and_all_else_stays() {
        for (before, words, after) in [
            ("SignWith: A\n", &["A", "B"][..], "SignWith: A B\n"),
            ("signwith:\tA  \r\n", &["A", "B"], "signwith:\tA B  \r\n"),
            ("SignWith: A", &["A", "B"], "SignWith: A B"),
            ("SignWith: A B\n", &["B"], "SignWith: B\n"),
            ("SignWith: A   B\n", &["A"], "SignWith: A\n"),
            ("SignWith: A B C\n", &["A", "C"], "SignWith: A C\n"),
            ("SignWith:\n A\n# the new one\n B\n", &["B"], "SignWith:\n# the new one\n B\n"),
            ("SignWith:\n A\n# the last one\n B\n", &["A", "C"], "SignWith:\n A C\n# the last one\n"),
            ("SignWith: A\n B\n", &["B"], "SignWith:\n B\n"),
            ("SignWith: A\n B\n", &["A", "B", "C"], "SignWith: A\n B C\n"),
            ("SignWith: A\n", &["B"], "SignWith: B\n"),
            ("SignWith: A\n", &["A"], "SignWith: A\n"),
            ("SignWith: A # team\n", &["A", "B"], "SignWith: A B # team\n"),
            ("SignWith: A B# B\n", &["A"], "SignWith: A # B\n"),
        ] {
            assert_eq!(said(before, words).as_deref(), Some(after), "{before:?} {words:?}");
        }
        // Not the existing words in their order.
        assert_eq!(said("SignWith: A B\n", &["B", "A"]), None);
        let groups = "ABD7 0A96 19EA FBC8 1487  A21D A804 D8AC 32A7 3FF7";
        let digits = groups.replace(' ', "");
        let new = format!("SignWith: {digits} B\n");
        assert_eq!(said(&format!("SignWith: {groups}\n"), &[&digits, "B"]), Some(new));
        let folded = format!("SignWith:{}\n", groups.replace("  ", "\n "));
        assert_eq!(said(&folded, &[&digits, "B"]), None);
    }

    /// Edits the first of `files` and returns all of them afterwards.
    fn edit(files: &[(&str, &str)], wanted: &[(&str, &[&str])]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let wanted = wanted.iter().map(|(suite, all)| (Suite::parse(suite).unwrap(), words(all))).collect();
        let shown = |error: Error| error.to_string().replace(&path.display().to_string(), "CONF");
        let edit = ConfigEdit::sign_with(&path.join(files[0].0), &wanted).map_err(shown)?;
        edit.stage().and_then(StagedEdit::commit).map_err(shown)?;
        assert_eq!(fs::read_dir(&path).unwrap().count(), files.len(), "nothing else is left");
        Ok(files.iter().map(|(name, _)| fs::read_to_string(path.join(name)).unwrap()).collect())
    }

    const ONE: &str = "# mine\nCodename: one\nComponents: main\nSignWith: A\n# below\nLimit: 2\n";
    const TWO: &str = "\n\n\nCodename: two\nSIGNWITH: A\nComponents: main\n\n# the end";

    #[test]
    fn every_other_byte_of_the_file_stays() {
        let text = format!("{ONE}{TWO}");
        let after = edit(&[("distributions", &text)], &[("two", &["A", "B"])]).unwrap();
        assert_eq!(after[0], text.replace("SIGNWITH: A", "SIGNWITH: A B"));
        let after = edit(&[("distributions", &text)], &[("one", &["A", "B"]), ("two", &["A", "B"])]).unwrap();
        assert_eq!(after[0], text.replace(": A\n", ": A B\n"));
        let windows = text.replace('\n', "\r\n");
        let after = edit(&[("distributions", &windows)], &[("two", &["B"])]).unwrap();
        assert_eq!(after[0], windows.replace("SIGNWITH: A", "SIGNWITH: B"));
    }

    #[test]
    fn an_included_file_is_changed_where_the_field_is() {
        let main = "Codename: one\n!include: keys\nComponents: main\n\nCodename: two\nComponents: main\n!include: ./keys\n";
        let keys = "# keys\nSignWith: A\n";
        let files = [("distributions", main), ("keys", keys)];
        let both: &[(&str, &[&str])] = &[("one", &["A", "B"]), ("two", &["A", "B"])];
        assert_eq!(edit(&files, both).unwrap(), [main, "# keys\nSignWith: A B\n"]);
        assert_eq!(
            edit(&files, &both[..1]).unwrap_err(),
            "`CONF/./keys` line 2: `SignWith` cannot be changed there: suite `two` shares this field and must not change"
        );
    }

    #[test]
    fn a_missing_field_cannot_be_changed() {
        let text = "Codename: one\nComponents: main\n";
        let refused = edit(&[("distributions", text)], &[("one", &["A"])]).unwrap_err();
        assert!(refused.ends_with("suite `one` does not set it"), "{refused}");
    }

    #[test]
    fn a_read_only_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("distributions");
        fs::write(&path, ONE).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
        let wanted = [(Suite::parse("one").unwrap(), vec!["B".to_owned()])].into();
        let error = ConfigEdit::sign_with(&path, &wanted).unwrap().stage().unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    }

    #[test]
    fn a_concurrent_change_of_the_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("distributions");
        fs::write(&path, ONE).unwrap();
        let wanted = [(Suite::parse("one").unwrap(), vec!["B".to_owned()])].into();
        let staged = ConfigEdit::sign_with(&path, &wanted).unwrap().stage().unwrap();
        fs::write(&path, "Codename: other\n").unwrap();
        assert!(matches!(staged.commit(), Err(Error::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "Codename: other\n");
    }
}
