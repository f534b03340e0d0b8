//! Prints the `.sources` stanzas for clients that have the keyring package.

use crate::{
    archive::{Trust, keyring_path},
    cli::{failure::Failure, session::Session, sources},
    config::SuiteConfig,
    dists::Release,
    names::{PackageName, Suite},
};

/// Prints the `.sources` stanzas for clients that have the package.
pub(super) async fn print_clients(
    session: &Session<'_>,
    package: &PackageName,
    suites: &[SuiteConfig],
) -> Result<(), Failure> {
    if session.ui.json() || session.ui.quiet() {
        return Ok(());
    }
    let archive = session.archive(Trust::unverified());
    let mut groups: Vec<(Vec<String>, Vec<&Suite>)> = Vec::new();
    for SuiteConfig { codename, components, .. } in suites {
        let components = if components.is_empty() {
            let published = archive.suite(codename).await?;
            let named = published.release().map(Release::client_components);
            named.filter(|named| !named.is_empty()).unwrap_or_else(|| vec!["main".to_owned()])
        } else {
            components.iter().map(ToString::to_string).collect()
        };
        match groups.iter_mut().find(|(same, _)| *same == components) {
            Some((_, suites)) => suites.push(codename),
            None => groups.push((components, vec![codename])),
        }
    }
    session.ui.say(&format!("\nOn clients, run `apt install {package}`, then use this `.sources` stanza:\n"));
    let path = format!("/{}", keyring_path(package));
    let url = session.public_url_of(suites.first());
    let stanzas: Vec<String> = groups
        .iter()
        .map(|(components, suites)| {
            sources::stanza_by_keyring(&session.location, url.as_deref(), suites, components, &path)
        })
        .collect();
    session.ui.stanza(&stanzas.join("\n"));
    Ok(())
}
