//! `wismo run`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{CONFIG, ConfigArgs, UNAVAILABLE, fail, refuse, runtime};
use crate::daemon::{self, Controls, DaemonError};
use crate::telemetry::{self, Service};

/// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration again.
pub fn run(args: &ConfigArgs) -> ExitCode {
    let service = Arc::new(Service::from_environment());
    let settings = match args.load_for_daemon() {
        Ok(settings) => settings,
        Err(code) => {
            service.failed("the configuration cannot be used: `wismo check` says why");
            return code;
        }
    };
    if let Err(error) = telemetry::start(&settings.log) {
        service.failed("the configuration cannot be used: `wismo check` says why");
        return fail(CONFIG, error);
    }
    leave_no_core();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(code) => return code,
    };
    let sources = args.sources();
    let outcome = runtime.block_on(async {
        let stop = CancellationToken::new();
        let (ask, reload) = mpsc::channel(1);
        listen_for_signals(&stop, ask)?;
        let reread = Box::new(move |old: &crate::carrier::Registry| {
            let judge = |settings: &crate::settings::Settings| daemon::problems_beside(settings, old);
            crate::settings::load_and_judge(&sources, judge)
        });
        daemon::run(settings, Controls { stop, reload, reread, started: None, service: Arc::clone(&service) }).await
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(DaemonError::Settings(problems)) => refuse(&problems),
        Err(error) => {
            service.failed(&format!("failed: {error}"));
            fail(UNAVAILABLE, error)
        }
    }
}

/// A core file would hold every secret in memory: there is to be none. The limit is for files, and for children too;
/// where the system hands cores to a program, Linux does not ask for it, but for the mark.
fn leave_no_core() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let marked = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = setrlimit(Resource::Core, none).and(marked) {
        tracing::warn!(event = "core_allowed", %error, "Core files cannot be switched off; see to it that none are written.");
    }
}

/// First SIGTERM or SIGINT: stop in order. Second: at once. SIGHUP: reload.
fn listen_for_signals(stop: &CancellationToken, reload: mpsc::Sender<()>) -> Result<(), DaemonError> {
    let listen = |kind| {
        signal(kind).map_err(|error| DaemonError::Io { what: "signals cannot be listened for".to_owned(), error })
    };
    let (mut term, mut int, mut hup) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
                _ = hup.recv() => {
                    let _ = reload.try_send(());
                    continue;
                }
            }
            if stop.is_cancelled() {
                tracing::warn!(event = "stop_now", "Asked to stop again: stopping at once.");
                std::process::exit(130);
            }
            tracing::info!(event = "stopping", "Stopping: work in flight may end, nothing new begins.");
            stop.cancel();
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn no_core_is_written_nor_handed_to_a_program() {
        super::leave_no_core();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
