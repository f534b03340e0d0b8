//! Hints for files that cannot be attached or detached.

use crate::{archive::AttachFault, names::Suite};

/// Returns what the user can do about a refused file.
pub(super) fn hint(fault: &AttachFault) -> Option<String> {
    let detach = |suite: &Suite, path: &str| format!("`publish attach --suite {suite} --detach {path}`");
    let hint = match fault {
        AttachFault::Path { .. } => {
            "name a path below the suite, such as `--as main/dep11/Components-amd64.yml`"
        }
        AttachFault::Unreadable { .. } | AttachFault::TooLarge { .. } => return None,
        AttachFault::Translation { .. } => {
            "each stanza needs `Package`, `Description-md5` and `Description-LANGUAGE`"
        }
        AttachFault::OtherSuite { .. } => "name that suite with `--suite`",
        AttachFault::Configured { field, .. } => {
            let field = field.split(':').next().unwrap_or_default();
            return Some(format!(
                "remove `{field}:` of the suite from conf/distributions, then run the same command again"
            ));
        }
        AttachFault::NotListed { suite, near: Some(near), .. } => {
            return Some(format!("did you mean {}?", detach(suite, near)));
        }
        AttachFault::NotListed { suite, attached, .. } => {
            let Some(first) = attached.first() else {
                return Some(format!("suite `{suite}` lists no file that could be detached"));
            };
            let more = match attached.len() {
                1 => String::new(),
                count => format!(" of {count}, such as `{}`", attached[1..count.min(4)].join("`, `")),
            };
            return Some(format!("{} detaches one{more}", detach(suite, first)));
        }
    };
    Some(hint.to_owned())
}
