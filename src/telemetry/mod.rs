//! Logs (human on a terminal, JSON lines otherwise), figures, and what the service manager is told.

mod journal;
pub mod metrics;
mod notify;
pub mod pulse;
mod service;

mod repeats;

use std::io::IsTerminal;

use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

pub use pulse::{Pulse, Pulses};
pub use service::Service;

use crate::settings::{Log, LogFormat};

pub use repeats::Repeats;

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// A sentence when the filter cannot be read.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| format!("log.filter: {error}"))?;
    let terminal = std::io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let for_journal = journal::is_ours(std::env::var("JOURNAL_STREAM").ok().as_deref());
    let lines = fmt::layer().with_writer(journal::StandardError { for_journal });
    let lines = if human {
        lines.with_ansi(terminal).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    // Libraries may show what goes over the wire at `trace`: keys, numbers. No filter lets that through.
    let quiet = filter_fn(|event| event.target().starts_with("wismo") || *event.level() <= Level::DEBUG);
    let started = tracing_subscriber::registry().with(lines.with_filter(filter).with_filter(quiet)).try_init();
    // Somebody else logs already (a test, a program that embeds us): theirs stays.
    drop(started);
    Ok(())
}

/// A tracking number as logs may show it: its first two and last four characters.
#[must_use]
pub fn masked(number: &str) -> String {
    let count = number.chars().count();
    if count <= 8 {
        return "…".to_owned();
    }
    let head: String = number.chars().take(2).collect();
    let tail: String = number.chars().skip(count - 4).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_is_masked() {
        assert_eq!(super::masked("1Z12345E0205271688"), "1Z…1688");
        assert_eq!(super::masked("12345678"), "…");
    }
}
