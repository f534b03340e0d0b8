//! `clearvanished`: takes suites that are no longer configured out of the archive.

use super::{call::Call, targets::selected};
use crate::{
    archive::{Matcher, Selection},
    cli::failure::Failure,
    config::SuiteConfig,
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let archive = call.archive();
    let configured =
        |name: &str| call.session.config.suites.iter().any(|suite| suite.codename.as_str() == name);
    let mut is_done = false;
    for suite in archive.suites().await?.into_iter().filter(|suite| !configured(suite.as_str())) {
        let published = archive.suite(&suite).await?;
        let config = SuiteConfig::unconfigured(suite.clone());
        let packages = selected(&published, &config, &Selection::of(Matcher::All)).await?;
        if !packages.is_empty() && call.options.delete == 0 {
            call.say(&format!(
                "There are still packages in `{suite}`, which is not configured: give `--delete` to take it out all the same"
            ));
            continue;
        }
        let dropped = archive.drop_suite(&suite, false).await?;
        is_done = true;
        call.say(&format!("Deleted vanished suite `{}`", dropped.suite));
    }
    Ok(call.status(is_done))
}
