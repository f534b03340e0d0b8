//! `--outhook` and `--endhook`: scripts that are run after a command.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    sync::PoisonError,
};

use super::{call::Call, options::Options, status, words::Known};
use crate::cli::failure::Failure;

/// Runs the `--outhook` with a file of the changes, if there are any.
pub(super) fn out(call: &Call<'_>) -> Result<(), Failure> {
    let Some(hook) = &call.options.outhook else { return Ok(()) };
    let text = call.outlog.lock().unwrap_or_else(PoisonError::into_inner).render(&call.folders().out);
    let Some(text) = text else { return Ok(()) };
    let logs = &call.folders().logs;
    let failed = |error: std::io::Error| Failure::file(&error, logs, "write an .outlog file in");
    std::fs::create_dir_all(logs).map_err(failed)?;
    let seconds = call.session.now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let prefix = format!("{seconds}-");
    let mut file =
        tempfile::Builder::new().prefix(&prefix).suffix(".outlog").tempfile_in(logs).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    // It stays, as the record of what was handed over.
    let (_, path) = file.keep().map_err(|error| failed(error.error))?;
    let program = call.folders().hook(hook);
    let mut command = Command::new(&program);
    command.arg(&path).stdin(Stdio::null()).envs(call.folders().variables());
    command.env("REPREPRO_CAUSING_COMMAND", call.word).envs(causing_file(call.word, call.arguments));
    let problem = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let text = format!("the hook `{}` failed ({problem}); the changes are published", program.display());
    let hint = format!("run it again: `{} {}`", program.display(), path.display());
    Err(status::with(status::FAILED, Failure::text(text, Some(hint))))
}

/// The variable that names the last file of a command that includes files.
fn causing_file(word: &str, arguments: &[String]) -> Option<(&'static str, String)> {
    let file = arguments.get(1..)?.last().filter(|_| word.starts_with("include"))?;
    Some(("REPREPRO_CAUSING_FILE", file.clone()))
}

/// Runs the `--endhook` with the finished command; returns its status, which is that of the call.
pub(super) fn end(hook: &str, options: &Options, known: &Known, arguments: &[String], ended: u8) -> u8 {
    let program = options.folders.hook(hook);
    let mut command = Command::new(&program);
    command.arg(known.name).args(arguments).envs(options.folders.variables());
    command.env("REPREPRO_CAUSING_COMMAND", known.name).env("REPREPRO_EXIT_CODE", ended.to_string());
    command.envs(causing_file(known.name, arguments));
    match command.status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(status::FAILED),
        Err(error) => {
            let ui = crate::cli::ui::Ui::new(false, false, false);
            let _ = ui.failure(&Failure::file(&error, &program, "run the hook"));
            status::FAILED
        }
    }
}
