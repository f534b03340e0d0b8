//! What to do about a package that cannot be added, copied or removed.

use super::store;
use crate::{
    archive::{Reason, Refusal},
    store::Error,
};

/// So many packages are named that were not meant.
const MOST_SHOWN: usize = 20;

/// What the user can do about it.
pub(in crate::cli) fn hint(refusal: &Refusal) -> Option<String> {
    match (&refusal.source, &refusal.suite) {
        // Nobody is about to publish it: it was, in two suites, and only now they meet.
        (Reason::OtherContents { .. }, Some(suite)) if refusal.action == "move" => Some(format!(
            "take one of the two out with `publish remove`: the one in suite `{suite}`, or the one that would go there"
        )),
        (reason, _) => of_reason(reason),
    }
}

fn of_reason(reason: &Reason) -> Option<String> {
    let text = match reason {
        Reason::Unreadable(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "run `publish` as a user who may read the file"
        }
        Reason::Unreadable(_) => return None,
        Reason::Deb(error) => return error.hint(),
        Reason::OtherContents { .. } => {
            "a published version never changes; build it as a new version, such as one with `+1` added"
        }
        Reason::GivenTwice { .. } => "give only one of the two files",
        Reason::SameFile { .. } => "build one of the two with another upstream version or revision",
        Reason::Pool(Error::Occupied { path, .. }) => {
            return Some(format!(
                "a published file never changes: build it as a new version, such as one with `+1` added; if no state lists `{path}`, it is left over from a crash or another tool: `publish prune` deletes it once it is two days old, then add the package again"
            ));
        }
        Reason::Pool(error) => return store::hint(error),
        Reason::Lost { .. } => {
            "`publish check` tells what else the archive lacks; `publish add` of the same file puts it back"
        }
        Reason::OtherComponent { .. } => "remove it there first; its file stays in the pool",
        Reason::Architecture { .. } => "add it to `Architectures:` of the suite in conf/distributions",
        Reason::BelowLimit { .. } => {
            "raise `Limit:` in conf/distributions to publish older versions beside newer ones"
        }
        Reason::NotNewer { .. } => "without `--if-newer` it is published beside the newer one",
        Reason::NotPublished { others } if others.is_empty() => "`publish list` shows what is published",
        Reason::NotPublished { others } => {
            let more = match others.len().saturating_sub(MOST_SHOWN) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let others = &others[..others.len().min(MOST_SHOWN)];
            return Some(format!("published are: {}{more}", others.join(", ")));
        }
    };
    Some(text.into())
}
