//! How far long work has come, on standard error.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio::time::Instant;

/// How often a terminal is redrawn, and how often a log gets a line.
const REDRAW: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(10);

/// A counter that shows itself.
pub struct Progress {
    what: &'static str,
    done: u64,
    total: u64,
    shown: Instant,
    terminal: bool,
}

impl Progress {
    /// `total` 0: not known. `quiet`: the work itself prints to the same terminal.
    pub fn new(what: &'static str, total: u64, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet;
        Self { what, done: 0, total, shown: Instant::now(), terminal }
    }

    /// More is done.
    pub fn step(&mut self, by: u64) {
        self.done += by;
        if self.shown.elapsed() >= if self.terminal { REDRAW } else { LINE } {
            self.shown = Instant::now();
            self.show(if self.terminal { "\r" } else { "" }, if self.terminal { "" } else { "\n" });
        }
    }

    /// So much is done.
    pub fn reach(&mut self, done: u64) {
        self.step(done.saturating_sub(self.done));
    }

    /// All of it is done: one last line.
    pub fn finish(&mut self) {
        self.done = self.total;
        self.end();
    }

    /// The work has ended: one last line.
    pub fn end(&mut self) {
        self.show(if self.terminal { "\r" } else { "" }, "\n");
    }

    fn show(&self, start: &str, end: &str) {
        let of = if self.total > 0 { format!(" of {}", self.total.max(self.done)) } else { String::new() };
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{start}{} {}{of}{end}", self.done, self.what);
        let _ = err.flush();
    }
}
