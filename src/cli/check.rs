//! `wismo check`: is the configuration right?

use std::process::ExitCode;

use super::{ConfigArgs, output, refuse, runtime};
use crate::daemon;

/// Reads everything that `wismo run` would, tries the private server's program, and stops.
pub fn run(args: &ConfigArgs) -> ExitCode {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let judged = crate::settings::load_and_judge(&args.sources(), |settings| {
        let server = runtime.block_on(daemon::private_server_problem(settings));
        super::judge(settings).into_iter().chain(server).collect()
    });
    let settings = match judged {
        Ok(settings) => settings,
        Err(problems) => return refuse(&problems),
    };
    match daemon::plan(&settings) {
        Ok(plan) => {
            let accounts = output::count(plan.accounts.len(), "account", "accounts");
            let carriers = output::count(plan.registry.codes().count(), "carrier", "carriers");
            output::line(format!("The configuration is good: {accounts}, {carriers} known."));
            ExitCode::SUCCESS
        }
        Err(problems) => refuse(&problems),
    }
}
