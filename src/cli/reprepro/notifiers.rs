//! `rerunnotifiers`: runs the scripts of `Log` for every package that is published.

use super::{call::Call, log, targets::selected};
use crate::{
    archive::{Matcher, Selection},
    cli::failure::Failure,
};

pub(super) async fn run(call: &Call<'_>) -> Result<u8, Failure> {
    let mut is_done = false;
    for suite in call.suites(call.arguments)? {
        if suite.log.is_none() {
            continue;
        }
        let published = call.published(&suite.codename).await?;
        for (index, entries) in selected(&published, &suite, &Selection::of(Matcher::All)).await? {
            is_done |= log::rerun(&call.changer(), &suite, &index, &entries);
        }
    }
    Ok(call.status(is_done))
}
