//! Lines for journald: where standard error is its stream, each begins with its priority as `<N>`, which journald takes
//! off and files the line under. `journalctl -u wismo -p warning` then works on plain JSON lines.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Whether standard error goes to journald. `stream` is `JOURNAL_STREAM`: device and inode of the socket that systemd
/// made for it; another program's may have been handed down to us.
#[must_use]
pub fn is_ours(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    let parse = |text: &str| text.parse::<u64>().ok();
    rustix::fs::fstat(io::stderr()).is_ok_and(|own| {
        #[allow(clippy::useless_conversion, reason = "the fields' types differ between systems")]
        let (own_device, own_inode) = (u64::from(own.st_dev), u64::from(own.st_ino));
        parse(device) == Some(own_device) && parse(inode) == Some(own_inode)
    })
}

/// Standard error, with or without priorities.
#[derive(Debug, Clone, Copy)]
pub struct StandardError {
    /// Each line is for journald.
    pub for_journal: bool,
}

/// Writes one event.
#[derive(Debug)]
pub struct Line {
    prefix: &'static str,
}

impl<'a> MakeWriter<'a> for StandardError {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { prefix: "" }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        Line { prefix: if self.for_journal { priority(*event.level()) } else { "" } }
    }
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

impl Write for Line {
    /// An event comes in one piece, and leaves in one: lines of several threads do not mix.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.prefix.is_empty() {
            io::stderr().write_all(event)?;
        } else {
            io::stderr().write_all(&[self.prefix.as_bytes(), event].concat())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_not_ours_is_not_taken_for_it() {
        let own = rustix::fs::fstat(io::stderr()).unwrap();
        assert!(is_ours(Some(&format!("{}:{}", own.st_dev, own.st_ino))));
        for other in [None, Some(""), Some("1"), Some("x:y"), Some(&*format!("{}:{}", own.st_dev, own.st_ino + 1))] {
            assert!(!is_ours(other), "{other:?}");
        }
    }
}
