//! `ByHandHooks` of a suite: scripts for files of uploads that are not packages (reprepro(1)). Only
//! `processincoming` runs them, as in reprepro.

use std::process::{Command, Stdio};

use super::{call::Call, status};
use crate::{
    archive::Upload,
    cli::failure::Failure,
    config::{ByHandHook, SuiteConfig},
    deb::{FileKind, UploadedFile},
};

/// The hooks of a suite for a file.
fn hooks_of<'a>(
    suite: &'a SuiteConfig,
    listed: &'a UploadedFile,
) -> impl Iterator<Item = &'a ByHandHook> + use<'a> {
    let (section, priority) = (listed.section().unwrap_or("-"), listed.priority().unwrap_or("-"));
    let is_by_hand = listed.kind() == FileKind::ByHand;
    suite.by_hand.iter().filter(move |hook| is_by_hand && hook.is_for(section, priority, listed.name()))
}

/// Whether a hook of one of the suites takes a file.
pub(super) fn takes(suites: &[SuiteConfig], listed: &UploadedFile) -> bool {
    suites.iter().any(|suite| hooks_of(suite, listed).next().is_some())
}

/// Runs the hooks for the files of an upload, before its packages are published. One that fails refuses the upload.
pub(super) fn run(call: &Call<'_>, suite: &SuiteConfig, upload: &Upload) -> Result<(), Failure> {
    let folder = upload.file().parent().unwrap_or(std::path::Path::new(""));
    for listed in upload.changes().files() {
        for hook in hooks_of(suite, listed) {
            let program = call.folders().hook(&hook.script);
            let mut command = Command::new(&program);
            command.arg(suite.codename.as_str());
            command.args([listed.section().unwrap_or("-"), listed.priority().unwrap_or("-"), listed.name()]);
            command.arg(folder.join(listed.name())).stdin(Stdio::null()).envs(call.folders().variables());
            command.env("REPREPRO_CAUSING_COMMAND", call.word).env("REPREPRO_CAUSING_FILE", upload.file());
            let ended = tokio::task::block_in_place(|| command.status());
            let problem = match ended {
                Ok(status) if status.success() => continue,
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            let text = format!(
                "the hook `{}` for `{}` of `{}` failed ({problem})",
                program.display(),
                listed.name(),
                upload.file().display()
            );
            return Err(status::text(status::FAILED, text));
        }
    }
    Ok(())
}
