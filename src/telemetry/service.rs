//! What the service manager is told: ready, reloading, stopping, one line of status, and that every loop goes on.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::notify::Notifier;
use super::pulse::Pulses;
use crate::clock;

/// While a reload or stop is under way, more time is asked for so often, and so much.
const ASK_EVERY: Duration = Duration::from_secs(2);
const ASK_FOR: Duration = Duration::from_secs(10);
/// How often is looked whether anything is to be told, where no watchdog needs it more often.
const LOOK: Duration = Duration::from_millis(500);

/// The service manager, if there is one.
#[derive(Debug, Default)]
pub struct Service {
    notifier: Option<Notifier>,
    /// Within which a ping must come.
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    status: String,
    stopping: bool,
    /// Added to each status until the next good reload.
    note: Option<String>,
    /// Until when more time is asked for.
    busy_until: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Service {
    /// As the process' environment names it.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::new(|name| std::env::var(name).ok(), std::process::id())
    }

    fn new(variable: impl Fn(&str) -> Option<String>, own_pid: u32) -> Self {
        let address = variable("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let notifier = address.and_then(|address| {
            let connected = Notifier::connect(&address);
            connected
                .inspect_err(|error| tracing::warn!(event = "notify_unreachable", address, %error, "The service manager cannot be told anything."))
                .ok()
        });
        // The variables may be another process' that started us without clearing them.
        let ours = variable("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(own_pid));
        let span = variable("WATCHDOG_USEC").and_then(|text| text.parse().ok()).filter(|micros| *micros > 0);
        let watchdog = span.filter(|_| ours && notifier.is_some()).map(Duration::from_micros);
        Self { notifier, watchdog, told: Mutex::default() }
    }

    /// How often a ping is sent: twice in the time within which one must come.
    #[must_use]
    pub fn pings_every(&self) -> Option<Duration> {
        self.watchdog.map(|span| span / 2)
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.notifier.is_some()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: &str) {
        if let Some(Err(error)) = self.notifier.as_ref().map(|notifier| notifier.send(message)) {
            tracing::debug!(event = "notify_failed", %error, "The service manager missed a message.");
        }
    }

    /// The daemon serves, or serves again after a reload.
    pub fn ready(&self) {
        self.told().busy_until = None;
        self.send("READY=1");
    }

    /// A new configuration is being read. It may take so long until [`Service::ready`].
    pub fn reloading(&self, patience: Duration) {
        let message = format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_micros());
        self.busy(&message, patience);
    }

    /// The daemon ends. It may take so long.
    pub fn stopping(&self, patience: Duration) {
        self.told().stopping = true;
        self.busy("STOPPING=1\nSTATUS=stopping: work in flight may end, nothing new begins", patience);
    }

    /// Why the daemon ends by itself.
    pub fn failed(&self, why: &str) {
        self.told().stopping = false;
        self.status(why);
    }

    fn busy(&self, message: &str, patience: Duration) {
        let now = Instant::now();
        {
            let mut told = self.told();
            told.busy_until = now.checked_add(patience);
            told.asked_at = Some(now);
        }
        self.send(&format!("{message}\nEXTEND_TIMEOUT_USEC={}", ASK_FOR.as_micros()));
    }

    /// One line, for `systemctl status`. Sent when it differs from the last, and not once the daemon ends.
    pub fn status(&self, line: &str) {
        let full = {
            let mut told = self.told();
            // A line break would begin another assignment.
            let mut full: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            if let Some(note) = &told.note {
                let _ = write!(full, " | {note}");
            }
            if told.stopping || told.status == full {
                return;
            }
            told.status.clone_from(&full);
            full
        };
        self.send(&format!("STATUS={full}"));
    }

    /// Adds to every status from the next one on; nothing: no more.
    pub fn note(&self, note: Option<&str>) {
        self.told().note = note.map(str::to_owned);
    }

    /// Until cancelled: pings while all loops go on, and asks for time while a reload or stop is under way.
    pub async fn keep(&self, pulses: Pulses, cancel: CancellationToken) {
        if self.notifier.is_none() {
            return;
        }
        let look = self.pings_every().map_or(LOOK, |every| (every / 4).clamp(Duration::from_millis(5), LOOK));
        let mut next_ping = Instant::now();
        let mut complained = false;
        while !cancel.is_cancelled() {
            self.ask_for_time();
            if let Some(every) = self.pings_every().filter(|_| Instant::now() >= next_ping) {
                let behind = pulses.behind();
                if behind.is_empty() {
                    self.send("WATCHDOG=1");
                    (next_ping, complained) = (Instant::now() + every - look.min(every / 2), false);
                } else if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(event = "loop_behind", loops = ?behind, "A loop has not gone on since the last ping: the watchdog is not fed.");
                }
            }
            tokio::select! {
                () = sleep(look) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    fn ask_for_time(&self) {
        let now = Instant::now();
        let mut told = self.told();
        let due = told.asked_at.is_none_or(|asked| now >= asked + ASK_EVERY);
        if due && told.busy_until.is_some_and(|until| now < until) {
            told.asked_at = Some(now);
            drop(told);
            self.send(&format!("EXTEND_TIMEOUT_USEC={}", ASK_FOR.as_micros()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::sync::Arc;

    use super::*;

    const STOP: &str =
        "STOPPING=1\nSTATUS=stopping: work in flight may end, nothing new begins\nEXTEND_TIMEOUT_USEC=10000000";

    struct Manager {
        _folder: tempfile::TempDir,
        socket: UnixDatagram,
        address: String,
    }

    impl Manager {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            Self { _folder: folder, socket, address: path.display().to_string() }
        }

        fn service(&self, watchdog: &[(&str, &str)]) -> Service {
            let mut all = vec![("NOTIFY_SOCKET", self.address.as_str())];
            all.extend(watchdog);
            Service::new(|name| all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()), 77)
        }

        fn heard(&self) -> Vec<String> {
            let mut buffer = [0; 500];
            std::iter::from_fn(|| {
                let length = self.socket.recv(&mut buffer).ok()?;
                Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
            })
            .collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_frozen_loop_stops_the_pings_and_they_come_back_with_it() {
        let manager = Manager::new();
        let service = Arc::new(manager.service(&[("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", "77")]));
        let pulses = Pulses::looked_at_every(service.pings_every());
        let cancel = CancellationToken::new();
        let keeping = {
            let (service, pulses, cancel) = (Arc::clone(&service), pulses.clone(), cancel.clone());
            tokio::spawn(async move { service.keep(pulses, cancel).await })
        };
        let healthy = pulses.begin("healthy");
        let healthy = tokio::spawn(async move { healthy.idle(std::future::pending::<()>()).await });
        let other = pulses.begin("other");
        // Read often: a socket holds few messages.
        let pings_in_minutes = async |count: u32| {
            let mut pings = 0;
            for _ in 0..count {
                sleep(Duration::from_secs(60)).await;
                pings += manager.heard().iter().filter(|message| *message == "WATCHDOG=1").count();
            }
            pings
        };
        let pings = other.step(pings_in_minutes(10)).await;
        assert!((20..=22).contains(&pings), "one in half a minute: {pings}");
        // Frozen: it holds its pulse and does not come to it.
        assert!(pings_in_minutes(10).await <= 1, "only for what it did before");
        assert!(other.step(pings_in_minutes(2)).await >= 3, "it goes on, and so do the pings");
        cancel.cancel();
        keeping.await.unwrap();
        healthy.abort();
    }

    #[test]
    fn a_watchdog_of_another_process_or_none_is_not_fed() {
        let manager = Manager::new();
        let pings = |variables: &[(&str, &str)]| manager.service(variables).pings_every();
        let second = ("WATCHDOG_USEC", "1000000");
        assert_eq!(pings(&[second]), Some(Duration::from_millis(500)));
        assert_eq!(pings(&[second, ("WATCHDOG_PID", "77")]), Some(Duration::from_millis(500)));
        assert_eq!(pings(&[second, ("WATCHDOG_PID", "78")]), None);
        assert_eq!(pings(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(pings(&[]), None);
        assert_eq!(Service::new(|name| (name == "WATCHDOG_USEC").then(|| "5".to_owned()), 77).pings_every(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_asked_for_while_busy_and_not_for_ever() {
        let manager = Manager::new();
        let service = manager.service(&[]);
        service.status("one\ntwo");
        service.status("one\ntwo");
        service.reloading(Duration::from_secs(60));
        service.ready();
        service.note(Some("reload refused"));
        service.status("fine");
        service.stopping(Duration::from_secs(7));
        let heard = manager.heard();
        assert_eq!(heard[0], "STATUS=one two");
        assert!(heard[1].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard:?}");
        assert_eq!(heard[2..], ["READY=1", "STATUS=fine | reload refused", STOP]);
        service.status("too late");
        let cancel = CancellationToken::new();
        tokio::select! {
            () = service.keep(Pulses::default(), cancel) => {}
            () = sleep(Duration::from_secs(100)) => {}
        }
        assert_eq!(manager.heard(), vec!["EXTEND_TIMEOUT_USEC=10000000"; 3], "at 2, 4 and 6 seconds");
    }
}
