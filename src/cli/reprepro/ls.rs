//! `ls` and `lsbycomponent`: a name in all suites, one line for each version.

use std::fmt::Write as _;

use super::{
    call::Call,
    targets::{self, selected},
};
use crate::{
    archive::{Matcher, Selection},
    cli::{failure::Failure, text::plain},
};

/// One line: a version in a suite, or in a component of it.
struct Row {
    version: String,
    suite: String,
    component: String,
    architectures: Vec<String>,
}

pub(super) async fn run(call: &Call<'_>, by_component: bool) -> Result<u8, Failure> {
    let name = &call.arguments[0];
    let matcher = Matcher::Name { name: name.clone(), version: None };
    let selection = Selection { places: call.places()?, matcher, newest: false };
    let mut rows: Vec<Row> = Vec::new();
    for suite in &call.session.config.suites {
        let first = rows.len();
        let published = call.published(&suite.codename).await?;
        for (key, entries) in selected(&published, suite, &selection).await? {
            let component = key.component().map(ToString::to_string).unwrap_or_default();
            let architecture = targets::architecture(&key).to_owned();
            for entry in entries {
                let same = rows[first..].iter_mut().find(|row| {
                    *row.version == *entry.version && (!by_component || row.component == component)
                });
                match same {
                    Some(row) if row.architectures.contains(&architecture) => {}
                    Some(row) => row.architectures.push(architecture.clone()),
                    None => rows.push(Row {
                        version: entry.version.to_string(),
                        suite: suite.codename.to_string(),
                        component: component.clone(),
                        architectures: vec![architecture.clone()],
                    }),
                }
            }
        }
    }
    let width = |column: &dyn Fn(&Row) -> &str| rows.iter().map(|row| column(row).len()).max().unwrap_or(0);
    let (version, suite) = (width(&|row| &row.version), width(&|row| &row.suite));
    let component = width(&|row| &row.component);
    let mut text = String::new();
    for row in &rows {
        let _ =
            write!(text, "{} | {:>version$} | {:>suite$} | ", plain(name), plain(&row.version), row.suite);
        if by_component {
            let _ = write!(text, "{:>component$} | ", row.component);
        }
        let _ = writeln!(text, "{}", row.architectures.join(", "));
    }
    call.session.ui.text(&text);
    Ok(call.status(!rows.is_empty()))
}
