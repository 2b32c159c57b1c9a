//! `wismo carriers`: what wismo knows of carriers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

mod mutate;
mod new;
mod show;
mod test;
mod trial;

use super::{ConfigArgs, output};
use crate::carrier::{Carrier, Outline, Registry};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo carriers list\n  wismo carriers show ups\n  wismo carriers new acme\n  wismo carriers test carriers\n  wismo carriers try ups 1Z12345E0205271688 --account ups"
)]
pub struct CarriersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List the carriers
    #[command(after_help = "Examples:\n  wismo carriers list\n  wismo carriers list --json")]
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// List the codes that carriers sent and their tables do not know
    Unmapped(super::unmapped::UnmappedArgs),
    /// Show what an operator needs to know of one
    #[command(
        after_help = "Examples:\n  wismo carriers show ups\n  wismo carriers show sandbox     # the numbers that play a story"
    )]
    Show {
        /// Its code or an alias
        code: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Hold a folder of carriers against its samples and call vectors
    Test(test::TestArgs),
    /// Ask a carrier about one number, live, inside the account's quota
    Try(trial::TryArgs),
    /// Begin a carrier: a commented definition, a sample, a call vector
    New(new::NewArgs),
}

/// Runs the subcommand.
pub fn run(args: &CarriersArgs) -> ExitCode {
    let config = match &args.what {
        What::Unmapped(args) => return super::wait(super::unmapped::run(args)),
        What::List { config, .. } | What::Show { config, .. } => config,
        What::Test(args) => return test::run(args),
        What::Try(args) => return super::wait(trial::run(args)),
        What::New(args) => return new::run(args),
    };
    let (_, registry) = match config.load_with_carriers() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    match &args.what {
        What::List { json, .. } => list(&registry, *json),
        What::Show { code, json, .. } => match super::carrier(&registry, code) {
            Ok(carrier) => show::show(&registry, &carrier, *json),
            Err(code) => return code,
        },
        What::Test(_) | What::Try(_) | What::Unmapped(_) | What::New(_) => {}
    }
    ExitCode::SUCCESS
}

fn list(registry: &Registry, as_json: bool) {
    if as_json {
        output::json(
            &json!({"carriers": registry.all().map(|carrier| described(registry, carrier)).collect::<Vec<_>>()}),
        );
        return;
    }
    let width = |text: fn(&Outline) -> &str| registry.outlines().map(|o| text(o).chars().count()).max().unwrap_or(0);
    let (codes, names) = (width(|o| o.code.as_str()), width(|o| &o.name));
    for outline in registry.outlines() {
        let countries = if outline.countries.is_empty() { "world".to_owned() } else { outline.countries.join(" ") };
        output::line(format!(
            "{:<codes$}  {:<names$}  {countries}{}{}",
            outline.code.as_str(),
            outline.name,
            if outline.enabled { "" } else { "  (off unless an account names it)" },
            own(registry, outline.code.as_str())
        ));
    }
}

/// A carrier for machines, with the file of its definition where that is the operator's.
fn described(registry: &Registry, carrier: &Carrier) -> Value {
    let mut told = carrier.describe();
    let written = registry.written(carrier.code().as_str()).filter(|written| written.own);
    told["own_definition"] = json!(written.map(|written| written.file));
    told
}

/// Marks a definition of the operator's.
fn own(registry: &Registry, code: &str) -> String {
    let written = registry.written(code).filter(|written| written.own);
    written.map_or_else(String::new, |written| format!("  (yours: {})", written.file))
}

/// A folder of carriers: the one that is named, else the configured one, else that of the working directory.
fn folder(named: Option<&Path>, config: &ConfigArgs) -> Result<PathBuf, ExitCode> {
    match named {
        Some(named) => Ok(named.to_owned()),
        None => Ok(config.load()?.carriers_dir.unwrap_or_else(|| PathBuf::from("carriers"))),
    }
}
