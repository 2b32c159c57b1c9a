//! `wismo export`: every parcel as a line of JSON.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::desk::ReadArgs;
use super::failure::Failure;
use super::progress::Progress;
use crate::model::Shard;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo export > parcels.jsonl\n  wismo export --shop boutique | jq -c 'select(.tracker.parcel.status == \"exception\")'\n\nEach line is {\"shop\", \"tracker\"}; the tracker is as the API gives it (docs/api.md). Parcels that are registered or\nerased meanwhile may be in it or not."
)]
pub struct ExportArgs {
    #[command(flatten)]
    read: ReadArgs,
}

/// Writes them to standard output; progress goes to standard error.
pub async fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let desk = args.read.open().await?;
    let mut total = 0;
    for shop in &desk.shops {
        total += desk.reader.counts(shop).await?.iter().map(|(_, count)| count).sum::<u64>();
    }
    let mut progress = Progress::new("exported", total, std::io::stdout().is_terminal());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for shop in &desk.shops {
        for shard in Shard::all() {
            let ids: Vec<_> = desk.reader.ids_in(shop, shard).await?.into_iter().collect();
            for batch in ids.chunks(200) {
                for tracker in desk.reader.trackers(batch).await? {
                    let line = json!({"shop": shop, "tracker": crate::api::view(&tracker)});
                    if writeln!(out, "{line}").is_err() {
                        return Ok(ExitCode::SUCCESS); // Whoever read it wants no more.
                    }
                    progress.step(1);
                }
            }
        }
    }
    if let Err(error) = out.flush() {
        return Err(Failure::unavailable(format!("standard output cannot be written: {error}")));
    }
    progress.end();
    Ok(ExitCode::SUCCESS)
}
