//! One `wismo run`: the real program as a child process, at an address that it keeps over restarts, with its log.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::shop::{PATIENCE, client, until};

/// The program under test.
pub const WISMO: &str = env!("CARGO_BIN_EXE_wismo");

/// What every life of a daemon begins with.
struct Start {
    config: String,
    address: String,
    /// Lives follow one another in it.
    log: PathBuf,
}

/// A daemon. Killed when dropped.
pub struct Daemon {
    /// Where its API is.
    pub base: String,
    start: Start,
    child: Child,
}

impl Daemon {
    /// Starts it on this configuration, whose `server.listen` it does not use, and waits until it is ready.
    pub async fn start(config: String, log: PathBuf) -> Self {
        let address = format!("127.0.0.1:{}", super::free_port());
        let start = Start { config, address: address.clone(), log };
        let mut daemon = Self { base: format!("http://{address}"), child: spawn(&start), start };
        daemon.ready().await;
        daemon
    }

    /// Starts it again after its end, at the same address, and waits for nothing.
    pub fn spawn(&mut self) {
        self.child = spawn(&self.start);
    }

    /// Waits until it says that it is of use.
    pub async fn ready(&mut self) {
        let (client, url) = (client(), format!("{}/readyz", self.base));
        let start = Instant::now();
        loop {
            let answer = client.get(&url).timeout(Duration::from_secs(5)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the daemon ended while it started ({status}):\n{}", self.last_words());
            }
            assert!(start.elapsed() < PATIENCE, "the daemon does not become ready:\n{}", self.last_words());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the daemon runs")
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap(), signal).unwrap();
    }

    /// Lets it stand still in the middle of whatever it does. Killing it is all that comes after.
    pub fn freeze(&self) {
        self.send(Signal::STOP);
    }

    /// Asks it to read its configuration again.
    pub fn hup(&self) {
        self.send(Signal::HUP);
    }

    /// Asks it to stop.
    pub fn term(&self) {
        self.send(Signal::TERM);
    }

    /// Waits for its end; the code that it ended with.
    pub async fn ended(&mut self) -> i32 {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("the daemon does not end:\n{}", self.last_words())).unwrap();
        status.code().unwrap_or(-1)
    }

    /// Asks it to stop and waits for its end.
    pub async fn stop(&mut self) -> i32 {
        self.term();
        self.ended().await
    }

    /// `kill -9`.
    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// `kill -9`, and a new start, ready.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.spawn();
        self.ready().await;
    }

    /// All that it logged, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.start.log).unwrap_or_default()
    }

    /// The lines of its log with this event.
    pub fn events(&self, event: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }

    /// Waits for an event in its log, the `count`th of this name.
    pub async fn logged(&self, event: &str, count: usize) -> Value {
        until(event, || async { self.events(event).into_iter().nth(count - 1) }).await
    }

    /// The process of the private Redis that its log names last.
    pub fn private_redis_pid(&self) -> Option<u64> {
        self.events("private_redis_ready").last().and_then(|line| line["pid"].as_u64())
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The end of its log, without its chatter.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("\"DEBUG\"")).collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

fn spawn(start: &Start) -> Child {
    let log = File::options().create(true).append(true).open(&start.log).unwrap();
    Command::new(WISMO)
        .args(["run", "--config", &start.config])
        .env("WISMO__SERVER__LISTEN", &start.address)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}
