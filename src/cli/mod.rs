//! The command line: one file a subcommand.

/// Parses the arguments and runs what they ask for.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
