//! `wismo shops`: tenants and their keys. Needs the store itself.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{ConfigArgs, UNAVAILABLE, USAGE, fail, output, runtime};
use crate::daemon;
use crate::model::ShopId;

#[derive(Args)]
pub struct ShopsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Add a shop, or another key for one; prints the key, which is shown only this once
    #[command(after_help = "Example:\n  wismo shops add boutique")]
    Add {
        /// Name: a-z, 0-9, '-' and '_'
        name: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs the subcommand.
pub fn run(args: &ShopsArgs) -> ExitCode {
    let What::Add { name, json, config } = &args.what;
    let shop: ShopId = match name.parse() {
        Ok(shop) => shop,
        Err(error) => return fail(USAGE, error),
    };
    let settings = match config.load() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let added = runtime.block_on(async {
        let store = daemon::visit_store(&settings).await?;
        Ok::<_, daemon::DaemonError>(store.add_shop(&shop).await?)
    });
    match added {
        Ok(key) if *json => output::json(&json!({"shop": shop, "key": key.expose()})),
        Ok(key) => {
            output::line(key.expose());
            eprintln!("Shop {shop}: this is its key. It is stored hashed and cannot be shown again.");
        }
        Err(error) => return fail(UNAVAILABLE, error),
    }
    ExitCode::SUCCESS
}
