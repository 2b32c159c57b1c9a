//! `wismo detect`: whose number is this?

use std::process::ExitCode;

use clap::Args;

use super::{ConfigArgs, output};
use crate::carrier::Hints;

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
    let found = registry.recognise(&args.number, &hints);
    if args.json {
        output::json(&found.view());
        return ExitCode::SUCCESS;
    }
    for c in &found.candidates {
        output::line(format!("{:<14} {:<24} {} (checksum {})", c.carrier, c.number, c.format, c.checksum.name()));
    }
    for slip in found.slips().iter().filter(|_| !found.candidates.is_empty()) {
        output::line(format!("Or: {slip}."));
    }
    if let Some(why) = found.why_none() {
        output::line(format!("None: {why}."));
    }
    ExitCode::SUCCESS
}
