//! `wismo shops`: tenants and their keys. Needs the store itself, as the daemon's own user.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::{ConfigArgs, output, words};
use crate::daemon::{self, DaemonError};
use crate::model::ShopId;
use crate::store::Store;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo shops add boutique                      prints a key, once\n  wismo shops list\n  wismo shops revoke < leaked-key               from now on nobody gets in with it\n  sudo -u wismo wismo shops add boutique        beside an installed daemon"
)]
pub struct ShopsArgs {
    #[command(subcommand)]
    what: What,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Subcommand)]
enum What {
    /// Add a shop, or another key for one; prints the key, which is shown only this once
    #[command(after_help = "Example:\n  wismo shops add boutique")]
    Add {
        /// Name: a-z, 0-9, '-' and '_'
        name: ShopId,
    },
    /// List the shops
    #[command(after_help = "Example:\n  wismo shops list --json")]
    List,
    /// Take a key back; it is read from standard input, since arguments can be seen by others
    #[command(after_help = "Example:\n  wismo shops revoke < leaked-key")]
    Revoke,
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// Runs the subcommand.
pub async fn run(args: &ShopsArgs) -> Result<ExitCode, Failure> {
    let settings = match args.config.load() {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let store = daemon::visit_store(&settings).await?;
    match &args.what {
        What::Add { name } => add(&store, name, args.json).await,
        What::List => list(&store, args.json).await,
        What::Revoke => revoke(&store, args.json).await,
    }
}

async fn add(store: &Store, shop: &ShopId, as_json: bool) -> Result<ExitCode, Failure> {
    let key = store.add_shop(shop).await?;
    if as_json {
        output::json(&json!({"shop": shop, "key": key.expose()}));
    } else {
        output::line(key.expose());
        eprintln!("Shop {shop}: this is its key. It is stored hashed and cannot be shown again.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, as_json: bool) -> Result<ExitCode, Failure> {
    let shops = store.shops().await?;
    if as_json {
        let rows: Vec<_> = shops.iter().map(|shop| json!({"shop": shop.id, "number": shop.number})).collect();
        output::json(&json!({"shops": rows}));
    } else if shops.is_empty() {
        output::line("No shop yet; `wismo shops add NAME` adds one.");
    } else {
        let rows: Vec<_> = shops.iter().map(|shop| [shop.id.to_string(), shop.number.to_string()]).collect();
        output::line(words::table(["SHOP", "NUMBER"], &rows));
    }
    Ok(ExitCode::SUCCESS)
}

async fn revoke(store: &Store, as_json: bool) -> Result<ExitCode, Failure> {
    let mut key = String::new();
    let read = std::io::stdin().take(200).read_to_string(&mut key);
    read.map_err(|error| Failure::usage(format!("the key cannot be read from standard input: {error}")))?;
    let revoked = store.revoke_key(key.trim()).await?;
    if as_json {
        output::json(&json!({"revoked": revoked}));
    } else if revoked {
        output::line("Nobody gets in with this key any more.");
    }
    if revoked { Ok(ExitCode::SUCCESS) } else { Err(Failure::data("no shop has this key")) }
}
