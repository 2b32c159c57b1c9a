//! The command line: one file a subcommand. Exit codes are those of sysexits: 64 wrong use, 65 bad data,
//! 69 something needed is not there, 78 bad configuration.

mod carriers;
mod check;
mod client;
mod demo;
mod desk;
mod detect;
mod endpoints;
mod export;
mod failure;
mod find;
mod import;
mod list;
mod listen;
mod normalize;
mod output;
mod progress;
mod renormalize;
mod rows;
mod run;
mod shops;
mod show;
mod status;
mod track;
mod unmapped;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::carrier::{Carrier, Found, Registry};
use crate::daemon;
use crate::settings::{Problem, Settings, Sources};

/// Wrong use of the command line.
pub const USAGE: u8 = 64;
/// Input that cannot be used.
pub const DATA: u8 = 65;
/// Something that is needed is not there.
pub const UNAVAILABLE: u8 = 69;
/// Configuration that cannot be used.
pub const CONFIG: u8 = 78;

#[derive(Parser)]
#[command(
    name = "wismo",
    version,
    about = "Where Is My Order? Tracks parcels at their carriers and fires signed webhooks.",
    after_help = "Examples:\n  wismo demo                       watch it work, with simulated carriers\n  wismo check --config wismo.toml  is the configuration right?\n  wismo run --config wismo.toml    the daemon\n  wismo detect 1Z12345E0205271686  whose number is this?"
)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Run the daemon
    #[command(
        after_help = "Examples:\n  wismo run                       with /etc/wismo/wismo.toml where it exists, else with the defaults\n  wismo run --config wismo.toml   SIGHUP reads it again, SIGTERM stops in order"
    )]
    Run(ConfigArgs),
    /// Read the whole configuration, report every problem, and stop
    #[command(
        after_help = "Examples:\n  wismo check\n  wismo check --config wismo.toml   exit code 78 and a line a problem where there are some"
    )]
    Check(ConfigArgs),
    /// Show the main job running: private Redis, simulated carriers, a receiver that prints
    Demo(demo::DemoArgs),
    /// Print what the daemon would make of a raw answer of a carrier
    Normalize(normalize::NormalizeArgs),
    /// Rank the carriers that a tracking number may belong to
    Detect(detect::DetectArgs),
    /// The carriers that wismo knows
    Carriers(carriers::CarriersArgs),
    /// Shops and their keys
    Shops(shops::ShopsArgs),
    /// Follow a parcel
    Track(track::TrackArgs),
    /// Show everything about one parcel: scans, changes, who was told, the promise, who must act
    Show(show::ShowArgs),
    /// List parcels, the newest news first
    List(list::ListArgs),
    /// Find parcels by whatever is at hand: a number in any spelling, a link, an order, a customer
    Find(find::FindArgs),
    /// Where a shop's webhooks go
    Endpoints(endpoints::EndpointsArgs),
    /// Is all well? Names the one thing that is wrong
    Status(status::StatusArgs),
    /// Register the parcels of a CSV file
    Import(import::ImportArgs),
    /// Write every parcel as a line of JSON
    Export(export::ExportArgs),
    /// Run the present definitions over the answers that are kept, and say what they read otherwise
    Renormalize(renormalize::RenormalizeArgs),
    /// Receive a shop's webhooks on this machine
    Listen(listen::ListenArgs),
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// Main file; files in conf.d beside it are read after it [default: /etc/wismo/wismo.toml where it exists]
    #[arg(long, value_name = "FILE", env = "WISMO_CONFIG", global = true)]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Where to look.
    pub fn sources(&self) -> Sources {
        Sources::system(self.config.clone())
    }

    /// The settings, judged as the daemon would; prints every problem where there are some.
    pub fn load_for_daemon(&self) -> Result<Settings, ExitCode> {
        crate::settings::load_and_judge(&self.sources(), judge).map_err(|problems| refuse(&problems))
    }

    /// The settings; prints every problem where there are some.
    pub fn load(&self) -> Result<Settings, ExitCode> {
        crate::settings::load(&self.sources()).map_err(|problems| refuse(&problems))
    }

    /// The settings and the carriers, accounts unjudged; prints every problem where there are some.
    pub fn load_with_carriers(&self) -> Result<(Settings, Registry), ExitCode> {
        let found = std::cell::RefCell::default();
        let carriers = |settings: &Settings| {
            let Found { registry, problems, .. } = Registry::find(settings.carriers_dir.as_deref());
            *found.borrow_mut() = registry;
            daemon::carrier_problems(problems, settings)
        };
        let settings =
            crate::settings::load_and_judge(&self.sources(), carriers).map_err(|problems| refuse(&problems))?;
        let registry = found.into_inner();
        Ok((settings, registry))
    }
}

/// What the daemon would refuse.
pub fn judge(settings: &Settings) -> Vec<Problem> {
    daemon::plan(settings).err().unwrap_or_default()
}

/// Prints problems of the configuration, one a line.
pub fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("wismo: {problem}");
    }
    eprintln!("wismo: {} in the configuration", output::count(problems.len(), "problem", "problems"));
    ExitCode::from(CONFIG)
}

/// The carrier of this code or alias; says where to look for one that there is not.
pub fn carrier(registry: &Registry, code: &str) -> Result<Arc<Carrier>, ExitCode> {
    registry.get(code).ok_or_else(|| fail(USAGE, registry.unknown(code)))
}

/// Prints why something could not be done.
pub fn fail(code: u8, error: impl std::fmt::Display) -> ExitCode {
    eprintln!("wismo: {error}");
    ExitCode::from(code)
}

/// Parses the arguments and runs what they ask for.
#[must_use]
pub fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let wrong = error.use_stderr();
            let _ = error.print();
            return if wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match command.what {
        What::Run(args) => run::run(&args),
        What::Check(args) => check::run(&args),
        What::Demo(args) => demo::run(&args),
        What::Normalize(args) => normalize::run(&args),
        What::Detect(args) => detect::run(&args),
        What::Carriers(args) => carriers::run(&args),
        What::Shops(args) => wait(shops::run(&args)),
        What::Track(args) => wait(track::run(&args)),
        What::Show(args) => wait(show::run(&args)),
        What::List(args) => wait(list::run(&args)),
        What::Find(args) => wait(find::run(&args)),
        What::Endpoints(args) => wait(endpoints::run(&args)),
        What::Status(args) => wait(status::run(&args)),
        What::Import(args) => wait(import::run(&args)),
        What::Export(args) => wait(export::run(&args)),
        What::Renormalize(args) => wait(renormalize::run(&args)),
        What::Listen(args) => wait(listen::run(&args)),
    }
}

/// Runs one command to its end, and prints why it failed.
fn wait(command: impl Future<Output = Result<ExitCode, failure::Failure>>) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    outcome.unwrap_or_else(|failure| fail(failure.code, failure))
}

/// The carriers' definitions, for what people type: the compiled-in ones are enough to read a number.
fn registry() -> Registry {
    Registry::builtin()
}

/// A runtime for one command.
pub fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| fail(UNAVAILABLE, format!("threads cannot be started: {error}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_of_commands_is_sound() {
        <super::Command as clap::CommandFactory>::command().debug_assert();
    }
}
