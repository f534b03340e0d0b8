//! `publish pull`: publishes packages of another archive in a suite of this one.

use std::process::ExitCode;

use super::{change_args::ChangeArgs, failure::Failure, other_archive::OtherArchive, session::Session};
use crate::{
    archive::{Copies, CopySource, Named, SuiteEdit, Trust, Wanted},
    config::{Sources, SuiteConfig},
    formula::Formula,
    names::{Architecture, Component},
};

/// Publish packages of another archive in a suite, all of them or none
///
/// The other archive is a folder, a bucket or any archive on the web. Its signature is verified first, then its indices, then
/// each file. A file that the pool has is not fetched, so an interrupted run resumes. The newest version of each name and
/// architecture is taken unless a version is given, for the architectures of the suite; source packages too if `source` is
/// one of them in its configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish pull stable --from https://deb.debian.org/debian#trixie --keyring debian.asc hello --dry-run\n\
\x20 publish pull stable --from s3://builds.example.org/apt#nightly 'libfoo*' foo=2.10-3\n\
\x20 publish pull stable --from ../staging --source foo --with-dependencies\n\
\x20 publish pull tools --from https://apt.example.org#main --filter 'Section (== net), $Version (>> 2)'")]
pub(super) struct Args {
    /// Suite to publish in; after `--suite SUITE` the first of the packages
    #[arg(required_unless_present = "suite_option", value_name = "SUITE")]
    suite: Option<String>,

    /// Packages to take: the newest version, or the given one; `*`, `?` and `[…]` match as in a shell
    #[arg(required_unless_present_any = ["source", "filter", "all", "suite_option"], value_name = "NAME[=VERSION]")]
    names: Vec<String>,

    /// Suite to publish in, instead of the argument
    #[arg(short, long = "suite", value_name = "SUITE")]
    suite_option: Option<String>,

    /// Archive to take them from: a folder, a bucket, a URL or a name in conf/destinations, and its suite, or one of its
    /// generations [default: SUITE, or the only one there]; repeatable
    ///
    /// Of several archives the newest version wins, as for apt, and of the same version the archive that is named first;
    /// --with-dependencies looks in all of them.
    ///
    /// For an archive without `dists/`, as dpkg-scanpackages makes it, name the folder of its `Packages` with a `/` at the end,
    /// such as `#./` for the root; indices at the root are also found without `#`.
    #[arg(long, value_name = "LOCATION[#SUITE[@STATE]]", required = true)]
    from: Vec<String>,

    /// Verify the other archive with these public keys, like `Signed-By` on a client; repeatable [default: the keys of SUITE]
    #[arg(long, value_name = "FILE")]
    keyring: Vec<String>,

    /// Also take this source package, or the given version of it, and all packages built from it; a pattern too; repeatable
    #[arg(long, value_name = "NAME[=VERSION]")]
    source: Vec<String>,

    /// Also take the packages that this formula selects, as in reprepro, such as `Section (== net)`, or as in aptly, such as
    /// `nginx (>= 1.22)`; source packages and those for variants too, where SUITE or --architecture takes such packages
    #[arg(long, value_name = "FORMULA")]
    filter: Option<String>,

    /// Take the newest version of every package
    #[arg(long, conflicts_with_all = ["names", "source", "filter"])]
    all: bool,

    /// Also take the packages that they depend on, unless SUITE has them
    #[arg(long)]
    with_dependencies: bool,

    /// Take only packages of this architecture, such as `amd64`, `all` or `source`; repeatable [default: those of SUITE]
    #[arg(long, value_name = "ARCHITECTURE", value_parser = Architecture::parse_selector)]
    architecture: Vec<Architecture>,

    /// Component in SUITE [default: the one where SUITE has the package, else the one in the other archive]
    ///
    /// Of another archive that is a mirror of a part, only the component of this name need be there, if it has one; with
    /// --architecture, only the indices of that.
    #[arg(short, long)]
    component: Option<Component>,

    /// Create SUITE if the archive has no suite of that name
    #[arg(long)]
    new_suite: bool,

    #[command(flatten)]
    pub(super) change: ChangeArgs,
}

pub(super) async fn run(args: &Args, mut session: Session<'_>) -> Result<ExitCode, Failure> {
    let trust_existing = session.take_trust_existing();
    let session = &session;
    let (suite, names) = args.suite_and_names()?;
    let suite = session.suite_to_extend(Some(suite), args.new_suite).await?;
    let keys = session.keys_to_publish(&suite).await?;
    let mut all = Vec::new();
    for from in &args.from {
        let other = OtherArchive::parse(from, &suite.codename, session).await?;
        let trust = other.trust(&args.keyring, trust_existing, (&keys.trust, session))?;
        let OtherArchive { store: archive, suite: from, flat, generation } = other;
        all.push(CopySource { from, archive, flat, generation, trust });
    }
    // The parser requires one.
    let CopySource { from, archive, flat, generation, trust } = all.remove(0);
    let architectures = match &args.architecture[..] {
        [] => architectures(&suite, session).await?,
        given => given.to_vec(),
    };
    let copies = Copies {
        archive: Some(archive),
        flat,
        others: all,
        generation,
        wanted: args.wanted(&names),
        filter: args.formula()?,
        architectures,
        with_variants: args.architecture.is_empty(),
        component: args.component.clone(),
        with_dependencies: args.with_dependencies,
        ..Copies::new(from, trust)
    };
    let edit = SuiteEdit { copy: Some(copies), ..SuiteEdit::default() };
    session.commit_packages(&suite, keys, &edit, &args.change).await?;
    Ok(ExitCode::SUCCESS)
}

/// The architectures whose packages the suite can list; none if it has none yet.
async fn architectures(suite: &SuiteConfig, session: &Session<'_>) -> Result<Vec<Architecture>, Failure> {
    let mut all = suite.architectures.clone();
    if all.is_empty() {
        let published = session.archive(Trust::unverified()).suite(&suite.codename).await?;
        let listed = published.release().map(crate::dists::Release::architectures);
        all = listed.and_then(Result::ok).unwrap_or_default();
        // A suite with packages for all architectures alone gets those of the new packages.
        if all.iter().all(Architecture::is_all) {
            return Ok(Vec::new());
        }
    }
    if !all.is_empty() {
        all.push(Architecture::all());
    }
    match suite.sources {
        Sources::Alone => all = vec![Architecture::source()],
        Sources::Listed => all.push(Architecture::source()),
        Sources::Refused | Sources::Accepted => {}
    }
    Ok(all)
}

impl Args {
    /// The suite to publish in, and the packages. With `--suite` all arguments are packages.
    fn suite_and_names(&self) -> Result<(&str, Vec<&String>), Failure> {
        let Some(suite) = &self.suite_option else {
            return Ok((self.suite.as_deref().unwrap_or_default(), self.names.iter().collect()));
        };
        let names: Vec<&String> = self.suite.iter().chain(&self.names).collect();
        let selects = !self.source.is_empty() || self.filter.is_some();
        match (names.is_empty(), self.all, selects) {
            (false, true, _) => {
                let text = format!("`--all` takes every package: leave out `{}`", names[0]);
                Err(Failure::usage(text))
            }
            (true, false, false) => {
                Err(Failure::usage("no package given; name packages, or take every one with `--all`"))
            }
            _ => Ok((suite, names)),
        }
    }

    fn wanted(&self, names: &[&String]) -> Vec<Wanted> {
        if self.all {
            return vec![Wanted { named: Named::Package("*".into()), version: None }];
        }
        let names = names.iter().map(|text| Wanted::parse(text, Named::Package));
        names.chain(self.source.iter().map(|text| Wanted::parse(text, Named::Source))).collect()
    }

    fn formula(&self) -> Result<Option<Formula>, Failure> {
        let parse =
            |text: &String| Formula::parse_query(text).map_err(|error| Failure::usage(error.to_string()));
        self.filter.as_ref().map(parse).transpose()
    }
}
