//! `wismo detect`: whose number is this?

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigArgs, output};
use crate::carrier::{Candidate, Hints};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo detect 1Z12345E0205271686\n  wismo detect '6A 1002 0030 045' --json\n  wismo detect 'https://www.ups.com/track?tracknum=1Z12345E0205271686'"
)]
pub struct DetectArgs {
    /// A number as found: blanks, dashes, lower case and whole tracking links are fine
    number: String,
    /// Country it goes to, as a hint (FR)
    #[arg(long, value_name = "CC", alias = "country")]
    destination: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints candidates, best first; none is an answer, too.
pub fn run(args: &DetectArgs) -> ExitCode {
    let (settings, registry) = match args.config.load_with_carriers() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let configured =
        settings.accounts.values().filter_map(|account| Some(registry.get(&account.carrier)?.code().clone())).collect();
    let hints = Hints { carriers: configured, country: args.destination.clone(), ..Hints::default() };
    let found = registry.detect(&args.number, &hints);
    let mistyped = if found.is_empty() { registry.detect_mistyped(&args.number, &hints) } else { Vec::new() };
    if args.json {
        let mut shown = json!({"candidates": rows(&found)});
        if !mistyped.is_empty() {
            shown["mistyped"] = rows(&mistyped);
        }
        output::json(&shown);
    } else if found.is_empty() && mistyped.is_empty() {
        output::line("No carrier that wismo knows has numbers of this shape.");
    } else {
        for c in &found {
            output::line(format!("{:<14} {:<24} {} (checksum {})", c.carrier, c.number, c.format, c.checksum.name()));
        }
        for c in &mistyped {
            output::line(format!(
                "{} has the shape of a number of {} ({}), but its check digit is wrong: look for a mistyped character.",
                c.number, c.carrier, c.format
            ));
        }
    }
    ExitCode::SUCCESS
}

fn rows(candidates: &[Candidate]) -> Value {
    let row = |c: &Candidate| json!({"carrier": c.carrier, "number": c.number, "format": c.format, "checksum": c.checksum.name(), "score": c.score});
    candidates.iter().map(row).collect()
}
