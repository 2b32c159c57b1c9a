//! `wismo detect`: whose number is this?

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigArgs, output, refuse};
use crate::carrier::{Hints, Registry};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo detect 1Z12345E0205271686\n  wismo detect '6A 1002 0030 045' --json\n  wismo detect 'https://www.ups.com/track?tracknum=1Z12345E0205271686'"
)]
pub struct DetectArgs {
    /// A number as found: blanks, dashes, lower case and whole tracking links are fine
    number: String,
    /// Country it goes to, as a hint (FR)
    #[arg(long, value_name = "CC")]
    destination: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints candidates, best first; none is an answer, too.
pub fn run(args: &DetectArgs) -> ExitCode {
    let settings = match args.config.load() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let registry = match Registry::load(settings.carriers_dir.as_deref()) {
        Ok(registry) => registry,
        Err(problems) => return refuse(&super::of_carriers(problems)),
    };
    let configured =
        settings.accounts.values().filter_map(|account| Some(registry.get(&account.carrier)?.code().clone())).collect();
    let hints = Hints { carriers: configured, country: args.destination.clone(), ..Hints::default() };
    let found = registry.detect(&args.number, &hints);
    if args.json {
        let rows: Vec<_> = found
            .iter()
            .map(|c| json!({"carrier": c.carrier, "number": c.number, "format": c.format, "checksum": c.checksum.name(), "score": c.score}))
            .collect();
        output::json(&json!({"candidates": rows}));
    } else if found.is_empty() {
        output::line("No carrier that wismo knows has numbers of this shape.");
    } else {
        for c in &found {
            output::line(format!("{:<14} {:<24} {} (checksum {})", c.carrier, c.number, c.format, c.checksum.name()));
        }
    }
    ExitCode::SUCCESS
}
