//! The `wismo` command: parses its arguments and hands over to [`wismo::cli`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    wismo::cli::main()
}
