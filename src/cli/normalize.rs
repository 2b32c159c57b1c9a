//! `wismo normalize`: what the daemon would make of a raw answer.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{ConfigArgs, DATA, USAGE, fail, output, refuse};
use crate::carrier::Registry;
use crate::tracking;

/// Largest answer that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Args)]
#[command(after_help = "Examples:\n  wismo normalize ups answer.json\n  wismo normalize laposte answer.json --http-status 207 --number 6A10020030045 --explain\n  curl ... | wismo normalize fedex - --json")]
pub struct NormalizeArgs {
    /// The carrier's code
    code: String,
    /// File with the body of the answer; - for standard input
    file: PathBuf,
    /// HTTP status that it came with
    #[arg(long, default_value_t = 200, value_name = "STATUS")]
    http_status: u16,
    /// A number that was asked; without, every number that the answer names
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<String>,
    /// Say where each field comes from and which table a code hit
    #[arg(long)]
    explain: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints the outcome and the parcels.
pub fn run(args: &NormalizeArgs) -> ExitCode {
    let settings = match args.config.load() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let registry = match Registry::load(settings.carriers_dir.as_deref()) {
        Ok(registry) => registry,
        Err(problems) => return refuse(&super::of_carriers(problems)),
    };
    let Some(carrier) = registry.get(&args.code) else {
        return fail(USAGE, format!("{:?} is no carrier that wismo knows; `wismo carriers list` shows them", args.code));
    };
    let body = match read(&args.file) {
        Ok(body) => body,
        Err(error) => return fail(DATA, format!("{}: {error}", args.file.display())),
    };
    let result = tracking_view::view(&carrier, args, body);
    let outcome_ok = result["outcome"] == "ok";
    if args.json {
        output::json(&result);
    } else {
        tracking_view::print(&result);
    }
    if outcome_ok { ExitCode::SUCCESS } else { ExitCode::from(DATA) }
}

fn read(file: &PathBuf) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BYTES).read_to_end(&mut body)?;
    } else {
        std::fs::File::open(file)?.take(MAX_BYTES).read_to_end(&mut body)?;
    }
    Ok(body)
}
