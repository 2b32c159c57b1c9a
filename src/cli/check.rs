//! `wismo check`: is the configuration right?

use std::process::ExitCode;

use super::{ConfigArgs, output, refuse};
use crate::daemon;

/// Reads everything that `wismo run` would, and stops.
pub fn run(args: &ConfigArgs) -> ExitCode {
    let settings = match args.load_for_daemon() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match daemon::plan(&settings) {
        Ok(plan) => {
            let accounts = output::count(plan.accounts.len(), "account", "accounts");
            let carriers = output::count(plan.registry.all().count(), "carrier", "carriers");
            output::line(format!("The configuration is good: {accounts}, {carriers} known."));
            ExitCode::SUCCESS
        }
        Err(problems) => refuse(&problems),
    }
}
