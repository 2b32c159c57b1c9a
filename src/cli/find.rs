//! `wismo find`: from whatever somebody has in hand to parcels.

use std::process::ExitCode;

use clap::Args;

use super::desk::ReadArgs;
use super::failure::Failure;
use super::{registry, rows};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo find 1234                                     an order: where is it?\n  wismo find '1z 12345e 02 0527 1686'                 any spelling\n  wismo find 'https://www.ups.com/track?tracknum=1Z12345E0205271686'\n  wismo find c-77 --json                              a customer reference"
)]
pub struct FindArgs {
    /// Tracking number in any spelling, tracking link, order, customer reference, or id
    what: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Lists what was found, newest first.
pub async fn run(args: &FindArgs) -> Result<ExitCode, Failure> {
    if args.what.trim().is_empty() {
        return Err(Failure::usage("say what to look for: a number, an order, a customer reference"));
    }
    let desk = args.read.open().await?;
    let found = desk.search(&args.what, &registry()).await?;
    if found.is_empty() && !args.json {
        return Err(rows::nothing_found(&args.what));
    }
    rows::print(&found, desk.now, args.json);
    Ok(if found.is_empty() { ExitCode::from(super::DATA) } else { ExitCode::SUCCESS })
}
