//! The help for people who come from reprepro: its words and ours.

/// Run a command line of reprepro on its repository
///
/// Scripts run with `publish reprepro` in place of `reprepro`, or with a link of that name to this program.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:\n\
\x20 publish reprepro -b /srv/apt includedeb bookworm hello_2.10-3_amd64.deb\n\
\x20 publish reprepro -b /srv/apt list bookworm\n\n\
See `publish help reprepro` for each command and for what differs.")]
pub(in super::super) struct Args {
    /// Options, command and arguments, as for reprepro
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(in super::super) arguments: Vec<std::ffi::OsString>,
}
