//! Hints for keys that cannot be delivered or replaced.

use super::{archive, signing};
use crate::archive::{KeyError, NoPackageName};

/// Returns what the user can do about an error.
pub(in crate::cli) fn hint(error: &KeyError) -> Option<String> {
    use KeyError as E;
    let others = "or select other suites with `--suite`";
    Some(match error {
        E::Archive(error) => return archive::hint(error),
        E::Signing(error) => return signing::hint(error),
        E::NotWritten { words, is_kept, finish, .. } => {
            let made = if *is_kept { "" } else { " (create NEW with `publish key generate`)" };
            let finish = if *finish { " --finish" } else { "" };
            let words = words.join(" ");
            format!("write `SignWith: {words}`{made} there by hand, then run `publish key rotate{finish}`")
        }
        E::SignedByCommand { .. } => {
            format!("let the command sign with both keys, then with the new one, {others}")
        }
        E::ReadOnly { .. } => format!("remove `ReadOnly:` during the rotation, {others}"),
        E::OtherSigners { .. } => {
            "complete an interrupted rotation with `publish key rotate --finish`; otherwise re-sign with `publish refresh --force`".to_owned()
        }
        E::Rotating { .. } => "finish that rotation first: `publish key rotate --finish`".to_owned(),
        E::NotNewest { .. } => "name the key to keep with `--to KEY`".to_owned(),
        E::NotYetSigned { .. } => "sign it with both keys: `publish key rotate`".to_owned(),
        E::NotAdmitted { key, .. } => admit(key),
        E::TooEarly { again, .. } => {
            let first = match again {
                Some(day) => format!("run it again on {day}"),
                None => "publish one with `publish key rotate`".to_owned(),
            };
            format!(
                "{first}; if the old key is compromised, add `--after 0d`: clients without the new key then refuse the archive"
            )
        }
        E::SpaceInName { .. } => "use a name without spaces".to_owned(),
        E::PackageName { .. } => "choose a name with `--name NAME`".to_owned(),
        E::NoPackageName(NoPackageName::SeveralPackages(_)) => {
            "select the suites of one of them with `--suite`, or publish NAME-archive-keyring to all with `--name NAME`; \
             clients of the other packages then get no new key"
                .to_owned()
        }
        E::NoPackageName(_) => {
            "choose a name with `--name NAME`: the package is then called NAME-archive-keyring".to_owned()
        }
        E::ForeignPackage { .. } => "publish a package of another name with `--name NAME`".to_owned(),
        _ => return None,
    })
}

/// Returns the hint for a `Signed-By` in `Release` that does not list the new key.
pub(in crate::cli) fn admit(new: &str) -> String {
    format!(
        "add `{new}` to `Signed-By:` in conf/distributions, separated by a comma, publish the suite, and drop the old key \
         once clients have updated"
    )
}
