//! Words of other tools for our commands.

/// Each of our commands, and the words that other tools have for it.
const WORDS: &[(&str, &[&str])] = &[
    ("init", &["create", "new", "setup", "createrepo"]),
    ("add", &["upload", "publish", "put", "repo", "package", "scanpackages", "dput"]),
    ("copy", &["cp", "promote", "migrate", "mv"]),
    ("remove", &["rm", "delete", "del", "erase", "yank"]),
    ("rollback", &["undo", "revert", "back"]),
    ("list", &["search", "find", "query", "packages", "contents"]),
    ("show", &["info", "cat", "view", "describe"]),
    ("log", &["history", "generations", "states"]),
    ("check", &["verify", "fsck", "validate", "audit", "test"]),
    ("doctor", &["diagnose", "status", "health", "probe"]),
    ("stats", &["statistics", "downloads", "analytics", "metrics"]),
    ("prune", &["gc", "clean", "cleanup", "vacuum", "purge", "expire"]),
    ("refresh", &["sign", "resign", "renew"]),
    ("export", &["index", "regenerate", "generate", "release"]),
    ("drop", &["unpublish", "destroy"]),
    ("snapshot", &["tag", "freeze", "snap"]),
    ("sync", &["push", "deploy", "mirror", "clone", "rsync"]),
    ("serve", &["server", "preview", "web", "http"]),
    ("key", &["keys", "gpg", "genkey", "keyring"]),
    ("help", &["manual", "doc", "docs"]),
];

/// Returns our command for a word of another tool.
pub(super) fn ours(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    WORDS.iter().find(|(_, others)| others.contains(&word.as_str())).map(|(ours, _)| *ours)
}
