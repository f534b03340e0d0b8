//! Hints for packages that cannot be added, copied or removed.

use super::{attach, store};
use crate::{
    archive::{AttachFault, Reason, Refusal},
    cli::shell::shell_word,
    package_type::PackageType,
    store::Error,
};

/// Maximum number of published versions that a hint lists.
const MOST_SHOWN: usize = 20;

/// Returns what the user can do about a refused package.
pub(in crate::cli) fn hint(refusal: &Refusal) -> Option<String> {
    match (&refusal.source, &refusal.suite) {
        // Both are published already, in two suites: building a new version does not help.
        (Reason::OtherContents { .. }, Some(suite)) if refusal.action == "move" => Some(format!(
            "remove one of the two with `publish remove`: the one in suite `{suite}`, or the one that would move there"
        )),
        (Reason::Stanza(_), _) if refusal.action == "copy" => Some(
            "build a new version of it with a corrected control file; or leave it out, and name the other packages with `publish copy` or `publish pull`".into(),
        ),
        (Reason::DamagedInPool { suite, .. }, _) => Some(format!(
            "restore it with `publish add --suite {suite} {}`, then run the same command again",
            shell_word(&refusal.subject)
        )),
        (Reason::Attach(AttachFault::Path { .. }), Some(suite)) if refusal.action == "detach" => Some(format!(
            "it follows from the packages of the suite and from its configuration: remove packages with `publish remove --suite {suite} NAME`, or change `Components:` or `Architectures:` in conf/distributions and run `publish export {suite}`"
        )),
        // The package is published: another tool gave its file that path.
        (Reason::Path(error), _) if refusal.action == "copy" => error.hint(),
        (reason, _) => of_reason(reason),
    }
}

fn of_reason(reason: &Reason) -> Option<String> {
    let text = match reason {
        Reason::Unreadable(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "run the command as a user who may read the file"
        }
        Reason::Unreadable(_) | Reason::DamagedInPool { .. } => return None,
        Reason::Deb(error) => return error.hint(),
        Reason::Dsc(fault) => return fault.hint(),
        Reason::Files(_) => "build it again with `dpkg-deb --build`",
        Reason::Changes(fault) => return fault.hint(),
        Reason::Attach(fault) => return attach::hint(fault),
        Reason::Path(_) => "build the package with a shorter name or version",
        Reason::SharedFile { .. } => {
            "versions with the same upstream version share one tarball: build one of them again with the other's"
        }
        Reason::OtherContents { .. } => {
            "a published version never changes; build it as a new version, such as one with `+1` added"
        }
        Reason::GivenTwice { .. } => "pass only one of the two files",
        Reason::SameFile { .. } => "build one of the two with another upstream version or revision",
        Reason::Pool(Error::Occupied { path, .. }) => {
            return Some(format!(
                "a published file never changes: build it as a new version, such as one with `+1` added; if `{path}` is unreferenced (left over from a crash or another tool), `publish prune` deletes it once it is two days old, then add the package again"
            ));
        }
        Reason::Pool(error) => return store::hint(error),
        Reason::OtherInPool { .. } => {
            "a published file never changes: pull another version; if the file is unreferenced (left over from another tool), `publish prune` deletes it once it is two days old"
        }
        Reason::Lost { .. } => {
            "restore the file by adding it again with `publish add`; list other missing files with `publish check`"
        }
        Reason::NotInPool { .. } => {
            "put all files of the source package into one folder, such as with `dget URL-OF-THE-DSC`"
        }
        Reason::OtherComponent { .. } => {
            "remove it there first with `publish remove`; its file stays in the pool"
        }
        Reason::OtherArchitecture { .. } => "build one of the two as another version",
        Reason::Stanza(_) => {
            "build a new version with a corrected control file, and remove this one with `publish remove`"
        }
        Reason::Architecture { .. } => "add it to `Architectures:` of the suite in conf/distributions",
        Reason::NotListed { package_type, .. } => {
            let field = if *package_type == PackageType::Udeb { "UDebComponents" } else { "DDebComponents" };
            return Some(format!(
                "add it to `{field}:` of the suite in conf/distributions, or name another one with `--component`"
            ));
        }
        Reason::BelowLimit { .. } => {
            "raise `Limit:` in conf/distributions to publish older versions beside newer ones"
        }
        Reason::NotNewer { .. } => {
            "omit `--if-newer` to publish it beside the newer one, or use `--skip-older` to leave out older versions"
        }
        Reason::NotPublished { others, near } if others.is_empty() => match near {
            Some(near) => return Some(format!("did you mean `{near}`?")),
            None => "list the published packages with `publish list`",
        },
        Reason::NotPublished { others, .. } => {
            let more = match others.len().saturating_sub(MOST_SHOWN) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let others = &others[..others.len().min(MOST_SHOWN)];
            return Some(format!("published versions: {}{more}", others.join(", ")));
        }
    };
    Some(text.into())
}
