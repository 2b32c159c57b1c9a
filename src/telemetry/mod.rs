//! Logs: human on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::settings::{Log, LogFormat};

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// A sentence when the filter cannot be read.
pub fn start(log: &Log) -> Result<(), String> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|error| format!("log.filter: {error}"))?;
    let human = match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if human {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    };
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
