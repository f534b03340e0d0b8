//! `update`, `pull` and their dry runs: suites take packages by the rules of `conf/updates` and `conf/pulls`.
//!
//! Every suite is decided before the first one is published: a source that cannot be verified changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    call::Call,
    log::{ByRule, Cause},
    restriction::Restriction,
    rules::{self, Opened, Step},
    status,
    words::Use,
};
use crate::{
    archive::{Error, Matcher, Places, Reason, Refusal, Selection, SuiteEdit},
    cli::failure::Failure,
    config::{Mapping, RuleKind, Sources, SuiteConfig, sources_of},
    deb,
    dists::{IndexKey, IndexKind, PackagesIndex, PackagesKey},
    names::{Architecture, Component},
    operations::{
        copied_package::CopiedPackage,
        upgrade::{Decision, Offered, Upgrade},
    },
    package_type::PackageType,
};

/// The origin of an offered package: the number of the step, and the index.
#[derive(Clone)]
struct Origin {
    step: usize,
    key: PackagesKey,
}

/// The decisions about one suite.
struct Decided {
    suite: SuiteConfig,
    steps: Vec<Step>,
    targets: Vec<(PackagesKey, Upgrade<Origin>)>,
    /// The indices whose titles reprepro prints: those that a rule applies to, or all for `pull`.
    titled: BTreeSet<PackagesKey>,
}

pub(super) async fn run(call: &Call<'_>, kind: RuleKind, how: Use) -> Result<u8, Failure> {
    let (places, suites) = (call.places()?, call.suites(call.arguments)?);
    let read = rules::read(call, kind)?;
    let restriction = Restriction::of(call.options).map_err(|text| status::text(status::FAILED, text))?;
    let mut all = Vec::new();
    for suite in suites {
        let steps = rules::open(call, &suite, (&read, kind)).await?;
        if !steps.is_empty() {
            all.push(decide(call, suite, steps, (&places, kind, &restriction)).await?);
        }
    }
    for warning in all.iter().flat_map(|decided| &decided.targets).flat_map(|(_, upgrade)| &upgrade.warnings)
    {
        call.session.ui.warn(warning);
    }
    match how {
        Use::Check => {
            all.iter().map(|decided| check(call, decided)).collect::<Result<Vec<()>, _>>()?;
            return Ok(0);
        }
        Use::Dump => {
            for decided in &all {
                dump(call, decided);
            }
            return Ok(0);
        }
        Use::Apply | Use::PreDelete => {}
    }
    let mut edits = Vec::new();
    for decided in &all {
        edits.push(if how == Use::PreDelete { predelete(decided) } else { edit(decided)? });
    }
    let mut is_changed = false;
    for (decided, edit) in all.iter().zip(edits) {
        let suite = &decided.suite;
        if edit.taken.is_empty() && edit.remove_selected.is_empty() {
            continue;
        }
        call.commit(suite, edit, &decided.cause()).await?;
        is_changed = true;
    }
    if !is_changed {
        call.say("Nothing to do");
    }
    Ok(call.status(is_changed))
}

/// Applies the rules to every index of a suite.
async fn decide(
    call: &Call<'_>,
    suite: SuiteConfig,
    steps: Vec<Step>,
    (places, kind, restriction): (&Places, RuleKind, &Restriction),
) -> Result<Decided, Failure> {
    let published = call.published(&suite.codename).await?;
    let (mut targets, mut titled) = (Vec::new(), BTreeSet::new());
    for target in targets_of(&suite) {
        let place = target.clone().into_index_key();
        if !places.hold(&place) {
            continue;
        }
        if kind == RuleKind::Pull || steps.iter().any(|step| step.applies_to(&target)) {
            titled.insert(target.clone());
        }
        let mut upgrade = Upgrade::of(published.index(&target).await?.entries());
        for (step, rule) in steps.iter().enumerate() {
            match rule {
                Step::Delete => upgrade.delete_all(),
                Step::Rule(opened) => {
                    for key in opened.sources(&target) {
                        let keys = (&key, &target, &place);
                        offer(call, (opened, step), keys, (&suite, restriction), &mut upgrade).await?;
                    }
                }
            }
        }
        targets.push((target, upgrade));
    }
    Ok(Decided { suite, steps, targets, titled })
}

/// Offers the packages of one index of a source.
async fn offer(
    call: &Call<'_>,
    (opened, step): (&Opened, usize),
    (key, target, place): (&PackagesKey, &PackagesKey, &IndexKey),
    (suite, restriction): (&SuiteConfig, &Restriction),
    upgrade: &mut Upgrade<Origin>,
) -> Result<(), Failure> {
    let Some(text) = opened.text(call, (key, target), suite).await? else {
        return if key.package_type == PackageType::Dsc && opened.upstream.is_flat() {
            Ok(())
        } else {
            Err(opened.no_index(key))
        };
    };
    let index = PackagesIndex::parse(&text, key.package_type)
        .map_err(|error| opened.upstream.not_an_index(key, error))?;
    for entry in index.entries() {
        let architecture = entry.index_architecture();
        let fits = entry.is_source()
            || architecture == Architecture::all().as_str()
            || architecture == target.architecture.as_str();
        if !fits {
            continue;
        }
        if !restriction.selects(&entry) {
            upgrade.hold(entry.name());
            continue;
        }
        let offered = Offered { entry, origin: Origin { step, key: key.clone() } };
        let rule = (opened.rule.name.as_str(), &opened.filter);
        upgrade.offer(offered, place, rule).map_err(|text| status::text(status::FAILED, text))?;
    }
    Ok(())
}

/// The indices that the suite is configured to have, the sources first.
fn targets_of(suite: &SuiteConfig) -> Vec<PackagesKey> {
    let mut targets = Vec::new();
    for component in &suite.components {
        if matches!(suite.sources, Sources::Listed | Sources::Alone) {
            targets.push(PackagesKey::of_sources(component));
        }
    }
    let udebs = suite.separate.get(&PackageType::Udeb);
    for (package_type, components) in
        [(PackageType::Deb, Some(&suite.components)), (PackageType::Udeb, udebs)]
    {
        for component in components.into_iter().flatten() {
            let of = |architecture| PackagesKey::new(component, architecture, package_type);
            targets.extend(suite.architectures.iter().map(of));
        }
    }
    targets
}

impl Step {
    fn applies_to(&self, target: &PackagesKey) -> bool {
        match self {
            Self::Delete => true,
            Self::Rule(opened) => !opened.sources(target).is_empty(),
        }
    }
}

impl Opened {
    /// The failure for an index that the source does not have.
    fn no_index(&self, key: &PackagesKey) -> Failure {
        if self.rule.ignore_release == Some(true) {
            return self.upstream.missing(key).into();
        }
        let path = self.upstream.shown(key);
        if self.upstream.lists(key) {
            let text = format!("rule `{}` reads `{path}`, which the mirror there leaves out", self.rule.name);
            let hint = "name what the mirror has in `Components` and `Architectures` of the rule, or the archive that it mirrors in `Method`";
            return status::with(status::FILE, Failure::text(text, Some(hint.to_owned())));
        }
        let text =
            format!("rule `{}` reads `{path}`, which the release file there does not list", self.rule.name);
        let hint = "name the components and architectures of the source in `Components` and `Architectures` of the rule, as in `main>universe`";
        status::with(status::FILE, Failure::text(text, Some(hint.to_owned())))
    }

    /// The indices of the source whose packages go to an index of the suite.
    fn sources(&self, target: &PackagesKey) -> Vec<PackagesKey> {
        let rule = &self.rule;
        let architecture = target.architecture.as_str();
        if let Some(component) = &rule.flat {
            let is_meant = rule.architectures.is_none()
                || !sources_of(rule.architectures.as_ref(), architecture).is_empty();
            let fits = *component == *target.component.as_str() && target.package_type != PackageType::Udeb;
            return if fits && is_meant { vec![target.clone()] } else { Vec::new() };
        }
        let of_type =
            |components: &Option<Mapping>| sources_of(components.as_ref(), target.component.as_str());
        let components = match target.package_type {
            PackageType::Udeb => of_type(&rule.udeb_components),
            _ => of_type(&rule.components),
        };
        let architectures = sources_of(rule.architectures.as_ref(), architecture);
        let mut keys = Vec::new();
        for component in components.iter().filter_map(|name| Component::parse(name).ok()) {
            if target.architecture.is_source() {
                keys.extend(architectures.iter().map(|_| PackagesKey::of_sources(&component)));
                continue;
            }
            let known = architectures.iter().filter_map(|name| Architecture::parse(name).ok());
            keys.extend(known.map(|name| PackagesKey::new(&component, &name, target.package_type)));
        }
        keys
    }
}

impl Decided {
    /// The rule that offered a package.
    fn rule(&self, origin: &Origin) -> Option<&Opened> {
        match self.steps.get(origin.step) {
            Some(Step::Rule(opened)) => Some(opened),
            _ => None,
        }
    }

    /// The package to take, as one of an index of the suite.
    fn copied(&self, new: &Offered<Origin>, target: &PackagesKey) -> Result<Option<CopiedPackage>, Failure> {
        let Some(opened) = self.rule(&new.origin) else { return Ok(None) };
        if !new.entry.is_source()
            && let Err(bad) = deb::check_stanza(new.entry.stanza())
        {
            let subject = format!("{} {}", new.entry.name(), new.entry.version());
            let suite = Some(self.suite.codename.clone());
            let source = Reason::Stanza(bad);
            let refusal = Refusal { action: "copy", preposition: "to", subject, suite, source };
            return Err(Error::Refused(vec![refusal]).into());
        }
        let copied = opened.upstream.copied(&new.entry, &new.origin.key)?;
        let mut copied = copied.in_component(&target.component)?;
        copied.only = Some([target.architecture.clone()].into());
        Ok(Some(copied))
    }

    /// The rules that packages are taken by, for the scripts of `Log`.
    fn cause(&self) -> Cause {
        let mut cause = Cause::default();
        for (target, upgrade) in &self.targets {
            for (name, decision) in upgrade.decisions() {
                let Decision::Take { new, .. } = decision else { continue };
                let Some(Opened { rule, upstream, .. }) = self.rule(&new.origin) else { continue };
                let from = upstream.own_suite().map(ToString::to_string);
                let by = ByRule { rule: rule.name.clone(), from };
                cause.rules.insert((target.clone().into_index_key(), name.to_owned()), by);
            }
        }
        cause
    }

    /// The name of a target as reprepro prints it.
    fn shown(&self, target: &PackagesKey) -> String {
        let prefix = if target.package_type == PackageType::Udeb { "u|" } else { "" };
        format!("{prefix}{}|{}|{}", self.suite.codename, target.component, target.architecture)
    }
}

/// Prints the changes for people.
fn check(call: &Call<'_>, decided: &Decided) -> Result<(), Failure> {
    for (target, upgrade) in &decided.targets {
        let mut lines = Vec::new();
        for (name, decision) in upgrade.decisions() {
            match decision {
                Decision::Keep { .. } => {}
                Decision::Delete { in_use } => lines.push(format!(
                    "'{name}': '{}' will be deleted (no longer available or superseded)",
                    in_use.version()
                )),
                Decision::Take { in_use, new } => {
                    let rule = decided.rule(&new.origin).map_or("", |opened| &opened.rule.name);
                    let version = new.entry.version();
                    lines.push(match in_use {
                        None => format!("'{name}': newly installed as '{version}' (from '{rule}'):"),
                        Some(old) => {
                            let old = old.version();
                            format!("'{name}': '{old}' will be upgraded to '{version}' (from '{rule}'):")
                        }
                    });
                    if let Some(copied) = decided.copied(new, target)? {
                        let others = copied.others.iter().map(|(path, _)| path);
                        let files: Vec<_> =
                            [&copied.path].into_iter().chain(others).map(ToString::to_string).collect();
                        lines.push(format!(" files needed: {}", files.join(" ")));
                    }
                }
            }
        }
        print(call, decided, target, lines);
    }
    Ok(())
}

/// Prints all decisions for programs.
fn dump(call: &Call<'_>, decided: &Decided) {
    for (target, upgrade) in &decided.targets {
        let line = |(name, decision): (&str, Decision<'_, Origin>)| match decision {
            Decision::Keep { in_use, offered } => {
                let offered = offered
                    .map_or_else(|| "unavailable".to_owned(), |entry| format!("'{}'", entry.version()));
                format!("keep '{name}' '{}' {offered}", in_use.version())
            }
            Decision::Delete { in_use } => format!("delete '{name}' '{}'", in_use.version()),
            Decision::Take { in_use, new } => {
                let rule = decided.rule(&new.origin).map_or("", |opened| &opened.rule.name);
                let version = new.entry.version();
                match in_use {
                    None => format!("add '{name}' - '{version}' '{rule}'"),
                    Some(old) => format!("update '{name}' '{}' '{version}' '{rule}'", old.version()),
                }
            }
        };
        print(call, decided, target, upgrade.decisions().map(line).collect());
    }
}

fn print(call: &Call<'_>, decided: &Decided, target: &PackagesKey, lines: Vec<String>) {
    if decided.titled.contains(target) {
        let title = format!("Updates needed for '{}':", decided.shown(target));
        call.print([title].into_iter().chain(lines));
    }
}

/// The edit that carries the decisions out.
fn edit(decided: &Decided) -> Result<SuiteEdit, Failure> {
    let mut edit = SuiteEdit { downgrade: true, ..SuiteEdit::default() };
    let mut taken: BTreeMap<(Component, PackageType, [String; 3]), CopiedPackage> = BTreeMap::new();
    for (target, upgrade) in &decided.targets {
        for (name, decision) in upgrade.decisions() {
            match decision {
                Decision::Keep { .. } => {}
                Decision::Delete { .. } => edit.remove_selected.push(gone(name, target)),
                Decision::Take { new, in_use } => {
                    let Some(copied) = decided.copied(new, target)? else { continue };
                    if in_use.is_some_and(|old| old.order_of_versions(&new.entry).is_gt()) {
                        edit.remove_selected.push(gone(name, target));
                    }
                    let entry = &copied.entry;
                    let identity =
                        [entry.name(), entry.index_architecture(), entry.version()].map(ToOwned::to_owned);
                    let key = (copied.component.clone(), entry.package_type(), identity);
                    match taken.get_mut(&key) {
                        Some(known) => {
                            let only = known.only.get_or_insert_default();
                            only.insert(target.architecture.clone());
                        }
                        None => drop(taken.insert(key, copied)),
                    }
                }
            }
        }
    }
    edit.taken = taken.into_values().collect();
    Ok(edit)
}

/// The edit that removes what an update deletes or replaces.
fn predelete(decided: &Decided) -> SuiteEdit {
    let mut edit = SuiteEdit::default();
    for (target, upgrade) in &decided.targets {
        for (name, decision) in upgrade.decisions() {
            match decision {
                Decision::Delete { .. } | Decision::Take { in_use: Some(_), .. } => {
                    edit.remove_selected.push(gone(name, target));
                }
                _ => {}
            }
        }
    }
    edit
}

/// All versions of a name in an index.
fn gone(name: &str, target: &PackagesKey) -> Selection {
    let places = Places {
        components: vec![target.component.clone()],
        architectures: vec![target.architecture.clone()],
        kinds: vec![IndexKind::of_type(target.package_type)],
    };
    Selection { places, matcher: Matcher::Name { name: name.to_owned(), version: None }, newest: false }
}
