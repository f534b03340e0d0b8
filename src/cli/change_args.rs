//! Options shared by all commands that change a suite, and the note that is stored with a change.

use crate::{archive::Note, redact::redact, store::Environment};

/// Options of every command that changes a suite.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    /// Print the plan and write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,

    /// Note for `publish log`, stored unsigned and publicly readable
    #[arg(short, long, value_name = "TEXT")]
    pub message: Option<String>,
}

impl ChangeArgs {
    /// Returns the note for the new generation: the message, and the CI job if there is one.
    pub(super) fn note(&self, environment: &Environment) -> Note {
        let message = self.message.clone().filter(|message| !message.is_empty());
        Note { message, ..of_job(environment) }
    }
}

/// Reads the variables that GitHub Actions and GitLab CI set for their jobs
/// (<https://docs.github.com/actions/reference/workflows-and-actions/variables>,
/// <https://docs.gitlab.com/ci/variables/predefined_variables/>).
fn of_job(environment: &Environment) -> Note {
    let get = |name| environment.get(name).map(ToOwned::to_owned);
    if environment.get("GITHUB_ACTIONS") == Some("true") {
        let server = get("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        let project = get("GITHUB_REPOSITORY");
        let job = project.as_ref().zip(get("GITHUB_RUN_ID"));
        let job = job.map(|(project, run)| redact(&format!("{server}/{project}/actions/runs/{run}")));
        return Note { message: None, by: get("GITHUB_ACTOR"), project, job };
    }
    if environment.get("GITLAB_CI") == Some("true") {
        let (by, project) = (get("GITLAB_USER_LOGIN"), get("CI_PROJECT_PATH"));
        return Note { message: None, by, project, job: get("CI_JOB_URL").as_deref().map(redact) };
    }
    Note::default()
}
