//! The rules of `conf/updates` and `conf/pulls`, and the archives and suites that they name.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use bytes::Bytes;

use super::{call::Call, status};
use crate::{
    archive::{Error, Trust},
    cli::failure::{Failure, OUT_OF_REACH},
    config::{RuleKind, SourceRule, SuiteConfig},
    dists::{PackagesKey, layout::TREES},
    names::Suite,
    operations::{upgrade::RuleFilter, upstream::Upstream},
    signing::{Distrust, Gpg, KeySource, Keyring},
    store::{Cache, Location, Store},
    suite::{
        limits,
        source_keys::{NamedKey, SourceKeys},
    },
};

/// The shortest id of a key.
const SHORTEST_ID: usize = 8;

/// A rule that a suite follows.
pub(super) enum Step {
    /// `-`: every package leaves, unless a later rule offers it.
    Delete,
    Rule(Box<Opened>),
}

/// A rule whose source is verified.
pub(super) struct Opened {
    pub(super) rule: SourceRule,
    pub(super) filter: RuleFilter,
    pub(super) upstream: Upstream,
}

/// Reads the rules of a file.
pub(super) fn read(call: &Call<'_>, kind: RuleKind) -> Result<Vec<SourceRule>, Failure> {
    let path = path(call, kind);
    if !path.exists() {
        return Err(status::text(status::FILE, format!("there is no `{}`", path.display())));
    }
    let rules = SourceRule::read(&path, kind, &|name| call.folders().hook(name))?;
    for rule in rules.iter().filter(|_| !call.options.ignores("unknownfield")) {
        if let Some(field) = rule.unknown.first() {
            let text =
                format!("`{}` has the unknown field `{field}` in rule `{}`", path.display(), rule.name);
            let hint = "correct it, or add `--ignore=unknownfield` to go on without it".to_owned();
            return Err(status::with(status::FIELD, Failure::text(text, Some(hint))));
        }
    }
    for rule in &rules {
        let Err(text) = check_names(call, rule, kind) else { continue };
        let text = format!("`{}`: rule `{}`: {text}", path.display(), rule.name);
        match kind {
            RuleKind::Pull => return Err(status::text(status::FAILED, text)),
            // As with reprepro: the other archive has it, perhaps for another repository with the same file.
            RuleKind::Update => call.session.ui.warn(&text),
        }
    }
    Ok(rules)
}

/// Whether a rule names only components and architectures that some suite has: by a misspelt one nothing is taken. Those of
/// another archive are its own.
fn check_names(call: &Call<'_>, rule: &SourceRule, kind: RuleKind) -> Result<(), String> {
    let suites = &call.session.config.suites;
    let is_component =
        |name: &str| suites.iter().flat_map(|suite| &suite.components).any(|known| known.as_str() == name);
    let is_architecture = |name: &str| {
        name == "source"
            || suites.iter().flat_map(|suite| &suite.architectures).any(|known| known.as_str() == name)
    };
    let is_own = kind == RuleKind::Pull;
    for (field, mapping, is_known) in [
        ("Components", &rule.components, &is_component as &dyn Fn(&str) -> bool),
        ("UDebComponents", &rule.udeb_components, &is_component),
        ("Architectures", &rule.architectures, &is_architecture),
    ] {
        for (from, to) in mapping.iter().flatten() {
            let names = [from, to].into_iter().skip(usize::from(!is_own));
            if let Some(name) = names.into_iter().find(|name| !is_known(name)) {
                return Err(format!("`{field}` names `{name}`, which no suite has"));
            }
        }
    }
    Ok(())
}

fn path(call: &Call<'_>, kind: RuleKind) -> PathBuf {
    call.folders().conf.join(match kind {
        RuleKind::Update => "updates",
        RuleKind::Pull => "pulls",
    })
}

/// Opens the rules that a suite follows, in their order.
pub(super) async fn open(
    call: &Call<'_>,
    suite: &SuiteConfig,
    (rules, kind): (&[SourceRule], RuleKind),
) -> Result<Vec<Step>, Failure> {
    let names = match kind {
        RuleKind::Update => &suite.update,
        RuleKind::Pull => &suite.pull,
    };
    let mut steps = Vec::new();
    for name in names {
        if name == "-" {
            steps.push(Step::Delete);
            continue;
        }
        let found = match kind {
            RuleKind::Update => SourceRule::find(rules, name),
            RuleKind::Pull => {
                rules.iter().find(|rule| rule.name == *name).cloned().ok_or_else(|| name.clone())
            }
        };
        let rule = found.map_err(|missing| {
            let text = format!(
                "suite `{}` follows the rule `{missing}`, which `{}` does not have",
                suite.codename,
                path(call, kind).display()
            );
            status::text(status::FAILED, text)
        })?;
        let upstream = match kind {
            RuleKind::Update => other(call, suite, &rule).await,
            RuleKind::Pull => own(call, suite, &rule).await,
        };
        let doing = format!("cannot follow rule `{name}` for suite `{}`", suite.codename);
        let upstream = upstream.map_err(|failure| failure.while_doing(doing))?;
        steps.push(Step::Rule(Box::new(Opened { filter: RuleFilter::of(&rule), rule, upstream })));
    }
    Ok(steps)
}

/// Opens the suite of this archive that a rule names.
async fn own(call: &Call<'_>, suite: &SuiteConfig, rule: &SourceRule) -> Result<Upstream, Failure> {
    let from = call.suite(rule.from.as_deref().unwrap_or_default())?;
    let trust = call.trust_to_copy(suite, &from).await?;
    let opened = Upstream::own(call.archive().store(), &from.codename, &trust).await;
    opened.map_err(|error| match error {
        Error::NotSigned { .. } => {
            call.failure(Error::UnsignedSource { suite: from.codename.clone(), to: suite.codename.clone() })
        }
        error => call.failure(error),
    })
}

/// Opens the other archive that a rule names, or the one that it names for the case that this is out of reach.
async fn other(call: &Call<'_>, suite: &SuiteConfig, rule: &SourceRule) -> Result<Upstream, Failure> {
    let ui = &call.session.ui;
    for (field, why) in &rule.ignored {
        ui.warn(&format!("rule `{}`: `{field}` has no effect: {why}", rule.name));
    }
    let method = rule.method.as_deref().unwrap_or_default();
    match (other_at(call, suite, rule, method).await, &rule.fallback) {
        (Err(failure), Some(fallback)) if failure.code == OUT_OF_REACH => {
            let name = &rule.name;
            ui.warn(&format!("rule `{name}`: `Method` is out of reach, so `Fallback` is read: {fallback}"));
            other_at(call, suite, rule, fallback).await
        }
        (opened, _) => opened,
    }
}

async fn other_at(
    call: &Call<'_>,
    suite: &SuiteConfig,
    rule: &SourceRule,
    method: &str,
) -> Result<Upstream, Failure> {
    let session = &call.session;
    // `copy` differs from `file` for apt only.
    let place = method.strip_prefix("copy:").map_or_else(|| method.to_owned(), |path| format!("file:{path}"));
    let location = Location::parse(&place, &session.current);
    let location = location.map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
    let store = Store::open(&location, &session.environment)?.with_cache(Cache::of(&session.environment));
    let store = store.revalidating().with_linked_folders(&TREES);
    let name = match rule.suite.as_deref() {
        None => suite.codename.to_string(),
        Some(named) => named
            .strip_prefix('*')
            .map_or_else(|| named.to_owned(), |rest| format!("{}{rest}", suite.codename)),
    };
    let folder = name.trim_end_matches('/').trim_start_matches("./").trim_start_matches('/');
    let folder = if folder == "." { "" } else { folder };
    let parsed = if rule.flat.is_some() && folder.is_empty() { suite.codename.as_str() } else { folder };
    let parsed =
        Suite::parse(parsed).map_err(|error| status::with(status::FAILED, Failure::of(&error, None)))?;
    let flat = rule.flat.as_ref().map(|_| folder);
    if rule.ignore_release == Some(true) {
        session.ui.warn(&format!(
            "rule `{}` says `IgnoreRelease: yes`: anyone who can change {location} decides what is published",
            rule.name
        ));
        return Ok(Upstream::unlisted(&store, &parsed, flat));
    }
    let trust = trust(call, rule)?;
    let opened = match flat {
        Some(folder) => Upstream::flat(&store, &parsed, folder, &trust).await,
        None => Upstream::other(&store, &parsed, &trust).await,
    };
    opened.map_err(|error| {
        let hint = hint(&error);
        let is_unverified = matches!(error, Error::Unverified { .. });
        let failure = Failure::from(error);
        let failure = if is_unverified { status::with(status::UNTRUSTED, failure) } else { failure };
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

/// The remedy for a source that cannot be verified, in the fields of its rule.
fn hint(error: &Error) -> Option<&'static str> {
    let distrust = match error {
        Error::Unverified { source, .. } => match &**source {
            Error::Untrusted { source, .. } => Some(source),
            _ => None,
        },
        Error::Expired { .. } => {
            return Some(
                "its publisher has not renewed it, or an old copy is served: wait for the publisher, or name another mirror in `Method` of the rule; `VerifyRelease: blindtrust` takes it as it is",
            );
        }
        Error::NotPublished { .. } => return Some("name a suite that is there in `Suite` of the rule"),
        Error::NotYetValid { .. } => {
            return Some(
                "correct the clock of this machine, or wait until then; `VerifyRelease: blindtrust` takes it as it is",
            );
        }
        _ => return None,
    };
    Some(match distrust {
        Some(Distrust::KeyExpired { .. }) => {
            "import a copy of the key with a later expiry; `VerifyRelease: KEY!` accepts the expired one together with `--ignore=expiredkey`"
        }
        Some(Distrust::NotBelieved { .. }) => {
            "name another key in `VerifyRelease` of the rule; `VerifyRelease: KEY!` accepts a revoked one together with `--ignore=revokedkey`"
        }
        _ => {
            "name the key that signs it in `VerifyRelease` of the rule, with `+` for its subkeys; `VerifyRelease: blindtrust` takes the source as it is"
        }
    })
}

/// The keys of `VerifyRelease`; each is looked up where those of `SignWith` are.
fn trust(call: &Call<'_>, rule: &SourceRule) -> Result<Trust, Failure> {
    let now = call.session.now;
    let Some(words) = rule.verify.as_deref().filter(|words| !words.trim().is_empty()) else {
        let hint = "name the keys that sign it, as in `VerifyRelease: FINGERPRINT`; `VerifyRelease: blindtrust` takes it as it is";
        let text =
            format!("rule `{}` names no key in `VerifyRelease`, so the source cannot be verified", rule.name);
        return Err(status::with(status::FAILED, Failure::text(text, Some(hint.to_owned()))));
    };
    let mut keyring = Keyring::new();
    let mut named = Vec::new();
    for word in words.split('|').map(str::trim) {
        if word == "blindtrust" {
            return Ok(Trust::keyring(Keyring::new(), now).adopt_existing());
        }
        let key = word.trim_end_matches(['!', '+']);
        let folder = call.session.key_folder();
        let source = KeySource::parse(key, &call.folders().conf, folder.as_deref().unwrap_or(Path::new("")));
        let certificates = source.and_then(|source| source.certificates(&Gpg::default()));
        let certificates = certificates.map_err(|error| {
            let doing = format!("cannot use the key `{word}` of `VerifyRelease`");
            status::with(status::UNKNOWN, Failure::from(error).while_doing(doing))
        })?;
        named.extend(keys_of(word, &certificates, call));
        keyring.merge(&certificates);
    }
    Ok(Trust::keyring(keyring, now).with_clock(call.session.clock).of_source_keys(SourceKeys { named }))
}

/// The keys that a word of `VerifyRelease` allows. One that is not the id of a key names all keys of its certificates.
fn keys_of(word: &str, certificates: &Keyring, call: &Call<'_>) -> Vec<NamedKey> {
    let key = word.trim_end_matches(['!', '+']);
    let (flags, id) = (&word[key.len()..], key.strip_prefix("0x").unwrap_or(key).replace(' ', ""));
    let allowed = |kind: &str| flags.contains('!') && call.options.ignores(kind);
    let of = |id: String, with_subkeys| NamedKey {
        id: id.to_ascii_uppercase(),
        with_subkeys,
        expired: allowed("expiredkey"),
        revoked: allowed("revokedkey"),
    };
    if id.len() >= SHORTEST_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return vec![of(id, flags.contains('+'))];
    }
    certificates.fingerprints().into_iter().map(|fingerprint| of(fingerprint, true)).collect()
}

impl Opened {
    /// Reads an index of the source, which the hooks of the rule may change.
    pub(super) async fn text(
        &self,
        call: &Call<'_>,
        (from, to): (&PackagesKey, &PackagesKey),
        suite: &SuiteConfig,
    ) -> Result<Option<Bytes>, Error> {
        let Some(text) = self.upstream.text(from).await? else { return Ok(None) };
        let Some(mut command) = self.hook(call) else { return Ok(Some(text)) };
        let variables = BTreeMap::from([
            ("REPREPRO_FILTER_CODENAME", suite.codename.to_string()),
            ("REPREPRO_FILTER_PACKAGETYPE", to.package_type.to_string()),
            ("REPREPRO_FILTER_COMPONENT", to.component.to_string()),
            ("REPREPRO_FILTER_ARCHITECTURE", to.architecture.to_string()),
            ("REPREPRO_FILTER_PATTERN", self.rule.name.clone()),
        ]);
        command.envs(call.folders().variables()).envs(variables);
        let by_files = self.rule.hook.is_some();
        let changed = tokio::task::block_in_place(|| run(command, &text, by_files));
        changed.map(Some).map_err(|error| self.upstream.not_hooked(from, error))
    }

    fn hook(&self, call: &Call<'_>) -> Option<Command> {
        if let Some(hook) = &self.rule.hook {
            return Some(Command::new(call.folders().hook(hook)));
        }
        let shell = self.rule.shell_hook.as_ref()?;
        let mut command = Command::new("sh");
        command.arg("-c").arg(shell);
        Some(command)
    }
}

/// Runs a hook on an index: with the names of two files, or from its input to its output.
fn run(mut command: Command, text: &[u8], by_files: bool) -> io::Result<Bytes> {
    let mut before = tempfile::NamedTempFile::new()?;
    before.write_all(text)?;
    before.flush()?;
    let after = tempfile::NamedTempFile::new()?;
    let status = if by_files {
        command.arg(before.path()).arg(after.path()).stdin(Stdio::null()).status()?
    } else {
        command.stdin(before.reopen()?).stdout(after.reopen()?).status()?
    };
    if !status.success() {
        return Err(io::Error::other(format!("the hook failed ({status})")));
    }
    Ok(crate::regular::read_within(after.path(), limits::UNLISTED_TEXT.get())?.into())
}
