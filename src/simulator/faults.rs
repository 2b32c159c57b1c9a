//! What may go wrong at a stand-in, switchable while it runs, at once or planned for a span of time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ledger::CallKind;
use super::time::{Moment, SimClock};

/// One way to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The carrier's own "too many calls", with `Retry-After` where given.
    Throttle(Option<Duration>),
    /// The carrier's own error for an HTTP status (500, 503, ...).
    Status(u16),
    /// The connection breaks before an answer.
    Reset,
    /// No answer, ever.
    Hang,
    /// The right answer after a while.
    Slow(Duration),
    /// 200 and bytes that are of no format.
    Garbage,
    /// 200 and a page for people.
    Html,
    /// The start of the right answer, then the connection breaks.
    Truncated,
    /// 200 and nothing.
    Empty,
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// For so many calls.
    Calls(u32),
    /// Until a moment.
    Until(Moment),
    /// Until it is cleared.
    Always,
}

#[derive(Debug, Clone)]
struct Planned {
    fault: Fault,
    kind: Option<CallKind>,
    from: Moment,
    lasting: Lasting,
}

#[derive(Debug, Default)]
struct Board {
    planned: Vec<Planned>,
    latency: Duration,
}

/// The switchboard of one stand-in. Cheap to share.
#[derive(Debug, Clone)]
pub struct Faults {
    clock: SimClock,
    board: Arc<Mutex<Board>>,
}

impl Faults {
    /// No faults.
    pub fn new(clock: SimClock) -> Self {
        Self { clock, board: Arc::default() }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails tracking calls from now on.
    pub fn set(&self, fault: Fault, lasting: Lasting) {
        self.plan(fault, Some(CallKind::Track), self.clock.now(), lasting);
    }

    /// Fails calls of one kind (`None`: all) from a moment on.
    pub fn plan(&self, fault: Fault, kind: Option<CallKind>, from: Moment, lasting: Lasting) {
        self.board().planned.push(Planned { fault, kind, from, lasting });
    }

    /// Takes all faults away, planned ones as well; the latency stays.
    pub fn clear(&self) {
        self.board().planned.clear();
    }

    /// Makes every answer take this much longer.
    pub fn set_latency(&self, latency: Duration) {
        self.board().latency = latency;
    }

    /// The latency now.
    pub fn latency(&self) -> Duration {
        self.board().latency
    }

    /// The fault for a call that came in now; counts it.
    pub(super) fn strike(&self, kind: CallKind) -> Option<Fault> {
        let now = self.clock.now();
        let mut board = self.board();
        board.planned.retain(|planned| match planned.lasting {
            Lasting::Calls(left) => left > 0,
            Lasting::Until(end) => now < end,
            Lasting::Always => true,
        });
        let meant = |planned: &&mut Planned| planned.from <= now && planned.kind.is_none_or(|of| of == kind);
        let planned = board.planned.iter_mut().find(meant)?;
        if let Lasting::Calls(left) = &mut planned.lasting {
            *left -= 1;
        }
        Some(planned.fault.clone())
    }
}
