//! The structure and the language of the source tree: dependencies go down only, documentation names every command, and
//! texts are plain.

use std::{fs, path::Path};

use crate::sandbox::Sandbox;

pub(crate) fn source_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    files_with("rs", folder, found);
}

fn files_with(wanted: &str, folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(wanted, &path, found);
        } else if path.extension().is_some_and(|extension| extension == wanted) {
            found.push(path);
        }
    }
}

/// The paths inside the crate that a source file names, in `use` trees and in the code.
fn named(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let is_word = rest[..at].chars().next_back().is_none_or(char::is_whitespace);
        let after = &rest[at + 4..];
        let Some(end) = after.find(';').filter(|_| is_word) else {
            rest = after;
            continue;
        };
        expand(&[], &after[..end], &mut found);
        rest = &after[end..];
    }
    for start in ["super::", "crate::"] {
        for (at, _) in code.match_indices(start) {
            let before = &code[..at];
            let inside = before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "_:".contains(c));
            // `pub(in PATH)` is a visibility and no use.
            if !inside && !before.ends_with("(in ") {
                let path =
                    code[at..].split(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).next().unwrap();
                // Groups are those of `use`.
                if !path.ends_with("::") {
                    found.push(path.split("::").map(str::to_owned).collect());
                }
            }
        }
    }
    let from_root = |path: Vec<String>| match path.first().map(String::as_str) {
        Some("crate") => Some(path[1..].to_vec()),
        Some("super") => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let above = module.len().checked_sub(ups)?;
            Some([&module[..above], &path[ups..]].concat())
        }
        _ => None,
    };
    found.into_iter().filter_map(from_root).collect()
}

/// The paths of a `use` tree.
fn expand(prefix: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    if tree.is_empty() {
        return;
    }
    let (head, group) = match (tree.find('{'), tree.rfind('}')) {
        (Some(at), Some(end)) if at < end => (&tree[..at], Some(&tree[at + 1..end])),
        (None, _) => (tree.split_whitespace().next().unwrap(), None),
        // The word in a text.
        _ => return,
    };
    let parts = head.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "self");
    let path = [prefix, &parts.map(str::to_owned).collect::<Vec<_>>()].concat();
    let Some(group) = group else {
        found.push(path);
        return;
    };
    let (mut depth, mut from) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&path, &group[from..at], found);
                from = at + 1;
            }
            _ => {}
        }
    }
    expand(&path, &group[from..], found);
}

/// The modules that a room declares, from top to bottom.
fn declared(room: &Path) -> Vec<String> {
    let text =
        fs::read_to_string(room.join(if room.ends_with("src") { "lib.rs" } else { "mod.rs" })).unwrap();
    let names = text.lines().filter_map(|line| {
        let (before, name) = line.strip_suffix(';')?.split_once("mod ")?;
        (before.is_empty() || before.starts_with("pub")).then(|| name.to_owned())
    });
    names.collect()
}

/// Each room lists its modules from top to bottom, and each module uses only those below it: between rooms and within
/// one.
#[test]
fn arrows_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    let (mut looked_at, mut up) = (0, Vec::new());
    for file in files {
        let relative = file.strip_prefix(&src).unwrap().with_extension("");
        let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        module.retain(|part| part != "mod");
        if ["lib", "main"].contains(&module[0].as_str()) || module.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Tests may reach further.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().map(|line| line.split("//").next().unwrap());
        let code = lines.collect::<Vec<_>>().join("\n");
        for path in named(&code, &module).iter().filter(|path| !path.ends_with(&["*".to_owned()])) {
            let shared = module.iter().zip(path).take_while(|(one, other)| one == other).count();
            let Some(own) = module.get(shared) else { continue };
            let room = module[..shared].iter().fold(src.clone(), |room, part| room.join(part));
            let order = declared(&room);
            let place = |name: &String| order.iter().position(|other| other == name);
            looked_at += 1;
            match (place(own), path.get(shared).and_then(place)) {
                (Some(own), Some(other)) if own < other => {}
                _ => up.push(format!("{} uses {}", relative.display(), path.join("::"))),
            }
        }
    }
    assert!(looked_at > 300, "{looked_at}");
    assert!(up.is_empty(), "{}", up.join("\n"));
}

/// The texts of the variants of all error types, in the order of the files.
fn error_texts(code: &str) -> impl Iterator<Item = &str> {
    code.split("#[error(").skip(1).filter_map(|rest| {
        let text = rest.trim_start().strip_prefix('"')?;
        let end = text.match_indices('"').find(|(at, _)| !text[..*at].ends_with('\\'))?.0;
        Some(&text[..end])
    })
}

#[test]
fn the_texts_of_errors() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let code = fs::read_to_string(&file).unwrap();
        // A text may continue in the next line of the source.
        let joined = code.lines().map(str::trim_start).collect::<Vec<_>>().join("\n").replace("\\\n", "");
        for text in error_texts(&joined) {
            assert!(
                !text.starts_with(char::is_uppercase) && !text.ends_with('.'),
                "{}: {text}",
                file.display()
            );
            texts.push(text.to_owned());
        }
    }
    // One reading of them all: an editor sees here how they sound together.
    insta::assert_snapshot!("errors", texts.join("\n"));
}

/// Whether a word names a person without a name, where the field has a noun.
fn is_vague(word: &str) -> bool {
    let pairs = [("who", "ever"), ("no", "body"), ("some", "body"), ("any", "body")];
    let word = word.to_lowercase();
    pairs.iter().any(|(start, end)| word.strip_suffix(end) == Some(start))
}

#[test]
fn comments_and_documentation_are_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    for room in ["src", "tests", "examples"] {
        source_files(&root.join(room), &mut files);
    }
    files_with("md", &root.join("src"), &mut files);
    let mut found = Vec::new();
    for file in files {
        let is_prose = file.extension().is_some_and(|extension| extension == "md");
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            // In a literal, `//` is part of a location.
            let marks = ["// ", "/// ", "//! "];
            let comment = marks.iter().find_map(|mark| line.trim_start().strip_prefix(mark));
            let Some(comment) = comment.or(is_prose.then_some(line)) else { continue };
            // A name in backticks is quoted.
            let mut words = comment.split(|c: char| !c.is_alphabetic() && c != '`');
            // A thing is named by its noun, and a sentence begins with its subject.
            if comment.starts_with("What ") || comment.contains(". What ") || words.any(is_vague) {
                found.push(format!("{}:{}: {comment}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_summary_names_every_command() {
    let sandbox = Sandbox::new();
    let said = sandbox.publish(["--help"]).ok();
    let commands: Vec<&str> = said
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .take_while(|line| !line.is_empty())
        .collect();
    insta::assert_snapshot!(commands.join("\n"), @r"
    Commands:
      init      Write conf/distributions for a suite, and generate a signing key
      add       Add packages to a suite, all of them or none
      attach    List a file of another tool in a suite, such as metadata for software centers
      copy      Copy packages from one suite to another, all of them or none
      pull      Publish packages of another archive in a suite, all of them or none
      import    Import all packages of another archive's suites
      remove    Remove packages from a suite, all of them or none
      rollback  Publish the content of an earlier generation of a suite
      list      List the packages of the archive
      show      Show the published stanzas of a package
      log       Show the retained generations of a suite: date, signer, changes
      diff      Compare two suites, generations or archives, package by package
      client    Print a script that adds the archive to a client: its key and its sources
      check     Verify the archive as a client would: signatures, digests, pool files
      doctor    Check everything that publishing needs, and print a remedy for each fault
      stats     Count the downloads of packages in access logs of nginx, Apache, S3 and CloudFront
      prune     Remove old package versions, then delete unreferenced files
      refresh   Re-sign suites whose Valid-Until is near
      export    Publish suites as they are configured: fields, components, architectures, keys, indices
      drop      Remove a suite from the archive
      snapshot  Keep the current content of a suite permanently, as SUITE/snapshots/NAME
      sync      Copy the archive to another store: a bucket, a container or a folder
      serve     Preview the archive over HTTP
      key       Generate, show, export, publish and rotate signing keys
      reprepro  Run a command line of reprepro on its repository
      outhook   Copy each change of reprepro to a destination, as the `outhook` of reprepro
      help      Explain a topic or a command
    ");
    let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let codes = "Exit codes: 0 success or nothing to do, 1 failure, 2 usage error, 3 lost race (retry), 4 `check` \
                 or `doctor` found a fault, 5 store or network out of reach (try again later), 130 and 143";
    assert!(words.contains(codes), "{words}");
    sandbox.publish(["add"]).fails(2);
    sandbox.publish(["bogus"]).fails(2);
    sandbox.publish(["--version"]).ok();
}

#[test]
fn the_texts_name_every_command_and_field() {
    let read = |path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (readme, fields) = (read("README.md"), read("src/guide/distributions.md"));
    for command in [
        "init", "add", "copy", "remove", "rollback", "list", "log", "diff", "check", "prune", "refresh",
        "attach", "export", "drop", "snapshot", "sync", "serve", "key",
    ] {
        assert!(
            readme.contains(&format!("`{command} ")) || readme.contains(&format!("| `{command}`")),
            "{command}"
        );
    }
    for field in [
        "TrustedKeys",
        "ValidFor",
        "DebIndices",
        "Limit",
        "ReadOnly",
        "SignWith",
        "KeepFor",
        "KeepGenerations",
        "PDiffs",
        "Contents",
        "Commands",
        "Translations",
    ] {
        assert!(fields.contains(&format!("`{field}`")), "{field}");
    }
}
