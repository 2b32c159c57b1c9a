//! The command line: one file a subcommand. Exit codes are those of sysexits: 64 wrong use, 65 bad data,
//! 69 something needed is not there, 78 bad configuration.

mod carriers;
mod check;
mod demo;
mod detect;
mod normalize;
mod output;
mod run;
mod shops;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

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
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// Main file; files in conf.d beside it are read after it [default: /etc/wismo/wismo.toml where it exists]
    #[arg(long, value_name = "FILE")]
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

/// Problems of carrier definitions, as problems of the configuration.
pub fn of_carriers(problems: Vec<crate::carrier::Problem>) -> Vec<Problem> {
    daemon::carrier_problems(problems)
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
        What::Shops(args) => shops::run(&args),
    }
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
