//! Lists of uploaders (`Uploaders:` in `conf/distributions`): which signatures allow which uploads.
//!
//! The format is reprepro's: lines `allow CONDITION by WHO`, `group NAME add KEY`, `group NAME contains NAME`, and `include
//! FILE`. In a condition `or` binds tighter than `and`.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::glob::Glob;

/// The limit on nested includes.
const DEEPEST: usize = 10;

/// A list of uploaders.
#[derive(Debug, Clone, Default)]
pub struct Uploaders {
    path: PathBuf,
    rules: Vec<(Condition, Who)>,
    groups: Vec<(String, Member)>,
}

/// The properties of an upload that conditions compare.
#[derive(Debug, Clone, Default)]
pub struct UploadFacts<'a> {
    /// The codename of the suite.
    pub codename: &'a str,
    /// The name of the source.
    pub source: &'a str,
    /// The sections of its packages, as the `.changes` file has them.
    pub sections: Vec<&'a str>,
    /// The names of its binary packages.
    pub binaries: Vec<&'a str>,
    /// The architectures of its packages; `source` for source packages.
    pub architectures: Vec<&'a str>,
    /// The sections of files that an administrator handles.
    pub by_hand: Vec<&'a str>,
}

/// A key that made a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningKey {
    /// The fingerprint of the key that signed, which may be a subkey.
    pub key: String,
    /// The fingerprint of its certificate.
    pub certificate: String,
}

/// The signature of an upload.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Signed<'a> {
    /// It has none.
    No,
    /// It has one; these keys are known and their signatures valid.
    By(&'a [SigningKey]),
}

/// All of these must hold; each is a list of which one must hold.
type Condition = Vec<Vec<Term>>;

#[derive(Debug, Clone)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Always,
    Source(Vec<Glob>),
    Distribution(Vec<Glob>),
    Sections(Needs, Vec<Glob>),
    Binaries(Needs, Vec<Glob>),
    Architectures(Needs, Vec<Glob>),
    ByHand(Vec<Glob>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    All,
    Any,
}

#[derive(Debug, Clone)]
enum Who {
    Everyone,
    Unsigned,
    AnyKey,
    Key(KeyId),
    Group(String),
}

#[derive(Debug, Clone)]
enum Member {
    Key(KeyId),
    Group(String),
}

/// The end of a fingerprint, in capitals.
#[derive(Debug, Clone)]
struct KeyId {
    digits: String,
    /// Whether a signature of a subkey is enough.
    subkeys: bool,
}

impl Uploaders {
    /// Reads a list and the files that it includes; relative names are those of files in `folder`.
    pub fn read(path: &Path, folder: &Path) -> Result<Self, Error> {
        let mut list = Self { path: path.to_owned(), ..Self::default() };
        let mut left = crate::regular::LARGEST;
        list.include(path, folder, 0, &mut left)?;
        Ok(list)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an upload with this signature is allowed.
    #[must_use]
    pub fn allow(&self, upload: &UploadFacts<'_>, signed: Signed<'_>) -> bool {
        let is_who = |who: &Who| match (who, signed) {
            (Who::Everyone, _) | (Who::Unsigned, Signed::No) => true,
            (Who::AnyKey, Signed::By(keys)) => !keys.is_empty(),
            (Who::Key(id), Signed::By(keys)) => keys.iter().any(|key| id.is(key)),
            (Who::Group(name), Signed::By(keys)) => {
                keys.iter().any(|key| self.has_member(name, key, &mut Vec::new()))
            }
            _ => false,
        };
        let holds = |condition: &Condition| {
            condition.iter().all(|any| any.iter().any(|term| term.test.holds(upload) != term.negated))
        };
        self.rules.iter().any(|(condition, who)| is_who(who) && holds(condition))
    }

    /// Whether a key is a member of a group, or of a group in it; `seen` ends circles.
    fn has_member<'a>(&'a self, name: &'a str, key: &SigningKey, seen: &mut Vec<&'a str>) -> bool {
        if seen.contains(&name) {
            return false;
        }
        seen.push(name);
        self.groups.iter().filter(|(group, _)| group == name).any(|(_, member)| match member {
            Member::Key(id) => id.is(key),
            Member::Group(other) => self.has_member(other, key, seen),
        })
    }

    fn include(&mut self, path: &Path, folder: &Path, depth: usize, left: &mut u64) -> Result<(), Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        // A file can include others many times, recursively.
        let bytes = crate::regular::read_within(path, *left).map_err(failed)?;
        *left -= bytes.len() as u64;
        for (number, line) in bytes.split(|&b| b == b'\n').enumerate() {
            let wrong = |why: String| Error::Line { path: path.to_owned(), line: number + 1, why };
            let line = std::str::from_utf8(line).map_err(|_| wrong("it is not UTF-8".into()))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.strip_prefix("include") {
                Some(name) if name.starts_with([' ', '\t']) => {
                    if depth == DEEPEST {
                        let why = "files are included too deep; check whether a file includes itself";
                        return Err(wrong(why.into()));
                    }
                    self.include(&folder.join(name.trim()), folder, depth + 1, left)?;
                }
                _ => self.line(line).map_err(wrong)?,
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let tokens = tokens(line)?;
        let mut rest = Tokens(&tokens);
        match rest.word() {
            Some("allow") => {
                let condition = condition(&mut rest)?;
                let who = who(&mut rest)?;
                rest.end()?;
                self.rules.push((condition, who));
            }
            Some("group") => {
                let name = rest.word().ok_or("expected the name of a group")?.to_owned();
                let member = match rest.word() {
                    Some("add") => Some(Member::Key(key(&mut rest)?)),
                    Some("contains") => {
                        Some(Member::Group(rest.word().ok_or("expected the name of a group")?.to_owned()))
                    }
                    Some("empty" | "unused") => None,
                    _ => return Err("expected `add`, `contains`, `empty` or `unused`".into()),
                };
                rest.end()?;
                self.groups.extend(member.map(|member| (name, member)));
            }
            _ => return Err("expected `allow`, `group` or `include`".into()),
        }
        Ok(())
    }
}

impl KeyId {
    fn is(&self, key: &SigningKey) -> bool {
        key.key.ends_with(&self.digits) || (self.subkeys && key.certificate.ends_with(&self.digits))
    }
}

impl Test {
    fn holds(&self, upload: &UploadFacts<'_>) -> bool {
        let fits = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.matches(text));
        let of = |needs: Needs, globs: &[Glob], texts: &[&str]| match needs {
            Needs::All => texts.iter().all(|text| fits(globs, text)),
            Needs::Any => texts.iter().any(|text| fits(globs, text)),
        };
        match self {
            Self::Always => true,
            Self::Source(globs) => fits(globs, upload.source),
            Self::Distribution(globs) => fits(globs, upload.codename),
            Self::Sections(needs, globs) => of(*needs, globs, &upload.sections),
            Self::Binaries(needs, globs) => of(*needs, globs, &upload.binaries),
            Self::Architectures(needs, globs) => of(*needs, globs, &upload.architectures),
            Self::ByHand(globs) => {
                let files = &upload.by_hand;
                !files.is_empty() && (globs.is_empty() || of(Needs::All, globs, files))
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Quoted(&'a str),
    Or,
}

fn tokens(line: &str) -> Result<Vec<Token<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let after = if let Some(quoted) = rest.strip_prefix('\'') {
            let end = quoted.find('\'').ok_or("a closing `'` is missing")?;
            found.push(Token::Quoted(&quoted[..end]));
            &quoted[end + 1..]
        } else if let Some(after) = rest.strip_prefix('|') {
            found.push(Token::Or);
            after
        } else {
            let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '|');
            let end = rest.find(is_end).unwrap_or(rest.len());
            found.push(Token::Word(&rest[..end]));
            &rest[end..]
        };
        rest = after.trim_start();
    }
    Ok(found)
}

struct Tokens<'a>(&'a [Token<'a>]);

impl<'a> Tokens<'a> {
    fn word(&mut self) -> Option<&'a str> {
        let (Token::Word(word), rest) = self.0.split_first()? else { return None };
        self.0 = rest;
        Some(word)
    }

    fn is_next(&mut self, word: &str) -> bool {
        let is = matches!(self.0.first(), Some(Token::Word(next)) if *next == word);
        if is {
            self.0 = &self.0[1..];
        }
        is
    }

    /// `'one'|'other'`
    fn globs(&mut self) -> Result<Vec<Glob>, String> {
        let mut globs = Vec::new();
        loop {
            let Some((Token::Quoted(text), rest)) = self.0.split_first() else {
                return Err("expected a name in `'`".into());
            };
            globs.push(Glob::new(text));
            self.0 = rest;
            match self.0.split_first() {
                Some((Token::Or, rest)) => self.0 = rest,
                _ => return Ok(globs),
            }
        }
    }

    fn end(&self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err("there is text after the end of the rule".into()) }
    }
}

fn condition(rest: &mut Tokens<'_>) -> Result<Condition, String> {
    let mut all = vec![Vec::new()];
    loop {
        let negated = rest.is_next("not");
        let term = Term { negated, test: test(rest)? };
        if let Some(last) = all.last_mut() {
            last.push(term);
        }
        match rest.word() {
            Some("or") => {}
            Some("and") => all.push(Vec::new()),
            Some("by") => return Ok(all),
            _ => return Err("expected `and`, `or` or `by`".into()),
        }
    }
}

fn test(rest: &mut Tokens<'_>) -> Result<Test, String> {
    let needs = |rest: &mut Tokens<'_>| if rest.is_next("contain") { Needs::Any } else { Needs::All };
    Ok(match rest.word() {
        Some("*") => Test::Always,
        Some("source") => Test::Source(rest.globs()?),
        Some("distribution") => Test::Distribution(rest.globs()?),
        Some("sections") => Test::Sections(needs(rest), rest.globs()?),
        Some("binaries") => Test::Binaries(needs(rest), rest.globs()?),
        Some("architectures") => Test::Architectures(needs(rest), rest.globs()?),
        Some("byhand") if matches!(rest.0.first(), Some(Token::Quoted(_))) => Test::ByHand(rest.globs()?),
        Some("byhand") => Test::ByHand(Vec::new()),
        _ => {
            return Err(
                "expected a condition: `*`, `source`, `sections`, `binaries`, `architectures`, `byhand` or `distribution`"
                    .into(),
            );
        }
    })
}

fn who(rest: &mut Tokens<'_>) -> Result<Who, String> {
    Ok(match rest.word() {
        Some("anybody") => Who::Everyone,
        Some("unsigned") => Who::Unsigned,
        Some("any") if rest.is_next("key") => Who::AnyKey,
        Some("key") => Who::Key(key(rest)?),
        Some("group") => Who::Group(rest.word().ok_or("expected the name of a group")?.to_owned()),
        _ => {
            return Err(
                "expected `anybody`, `unsigned`, `any key`, `key ID` or `group NAME` after `by`".into()
            );
        }
    })
}

fn key(rest: &mut Tokens<'_>) -> Result<KeyId, String> {
    let word = rest.word().unwrap_or_default();
    let subkeys = word.ends_with('+') || rest.is_next("+");
    let digits = word.trim_end_matches('+');
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(format!("expected a key id or a fingerprint without blanks, found `{word}`"));
    }
    Ok(KeyId { digits: digits.to_ascii_uppercase(), subkeys })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn list(text: &str) -> Result<Uploaders, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("more"), "allow source 'included' by anybody\n").unwrap();
        fs::write(folder.path().join("again"), "include again\n").unwrap();
        let path = folder.path().join("uploaders");
        fs::write(&path, text).unwrap();
        Uploaders::read(&path, folder.path()).map_err(|error| error.to_string())
    }

    fn keys() -> Vec<SigningKey> {
        vec![SigningKey { key: "AAAA1111".into(), certificate: "BBBB2222".into() }]
    }

    fn upload() -> UploadFacts<'static> {
        UploadFacts {
            codename: "stable",
            source: "hello",
            sections: vec!["net", "doc"],
            binaries: vec!["hello", "hello-doc"],
            architectures: vec!["source", "amd64", "all"],
            by_hand: Vec::new(),
        }
    }

    #[test]
    fn each_condition_decides_as_in_reprepro() {
        for (condition, allowed) in [
            ("*", true),
            ("not *", false),
            ("source 'hello'", true),
            ("source 'h*'|'x'", true),
            ("source 'x' | 'hello'", true),
            ("source 'x'", false),
            ("sections 'net'", false),
            ("sections 'net'|'doc'", true),
            ("sections contain 'net'", true),
            ("binaries 'hello*'", true),
            ("binaries contain 'x'", false),
            ("architectures 'amd64'", false),
            ("architectures'amd64'|'all'|'source'", true),
            ("architectures contain 'source'", true),
            ("byhand", false),
            ("not byhand 'x'", true),
            ("distribution 'stable'", true),
            ("distribution 'sid'", false),
            // `or` binds tighter than `and`.
            ("source 'hello' or source 'x' and source 'x'", false),
            ("source 'x' and source 'x' or source 'hello'", false),
            ("source 'hello' and source 'x' or not source 'x'", true),
        ] {
            let list = list(&format!("# comment\n\n  allow {condition} by anybody\n")).unwrap();
            assert_eq!(list.allow(&upload(), Signed::No), allowed, "{condition}");
        }
    }

    #[test]
    fn a_signature_decides_who_it_is() {
        for (who, unsigned, unknown, known) in [
            ("anybody", true, true, true),
            ("unsigned", true, false, false),
            ("any key", false, false, true),
            ("key 1111", false, false, true),
            ("key 0xaaaa1111", false, false, true),
            ("key BBBB2222", false, false, false),
            ("key bbbb2222+", false, false, true),
            ("key BBBB2222 +", false, false, true),
            ("key 3333+", false, false, false),
            ("group outer", false, false, true),
            ("group other", false, false, false),
        ] {
            let text = format!(
                "group inner add AAAA1111\ngroup outer contains inner\ngroup inner contains outer\ngroup other empty\n\
                 group spare unused\nallow * by {who}\n"
            );
            let list = list(&text).unwrap();
            let allow = |signed| list.allow(&upload(), signed);
            let found = (allow(Signed::No), allow(Signed::By(&[])), allow(Signed::By(&keys())));
            assert_eq!(found, (unsigned, unknown, known), "{who}");
        }
    }

    #[test]
    fn files_are_included_and_errors_name_the_line() {
        let included = UploadFacts { source: "included", ..upload() };
        assert!(list("include more\n").unwrap().allow(&included, Signed::No));
        for (line, says) in [
            ("deny * by anybody", "expected `allow`, `group` or `include`"),
            ("allow * by", "expected `anybody`"),
            ("allow * anybody", "expected `and`, `or` or `by`"),
            ("allow source hello by anybody", "expected a name in `'`"),
            ("allow source 'hello by anybody", "a closing `'` is missing"),
            ("allow by anybody", "expected a condition"),
            ("allow * by key", "expected a key id"),
            ("allow * by key ABCD EF01", "text after the end"),
            ("allow * by anybody else", "text after the end"),
            ("group x", "expected `add`"),
            ("include missing", "cannot read"),
            ("include again", "too deep"),
        ] {
            let error = list(&format!("\n{line}\n")).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
        assert!(list("\nx\n").unwrap_err().contains("line 2"));
    }
}
