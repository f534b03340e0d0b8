//! The command `publish`.

fn main() -> std::process::ExitCode {
    publish::cli::main()
}
