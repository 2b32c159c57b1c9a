//! A private server: a child `redis-server` or `valkey-server`, on a unix socket, for whoever runs none.
//!
//! Two locks in the state folder tell who is alive. One is held by the daemon: taken, another daemon runs. The other is
//! handed to the server as its standard input and so lives exactly as long as the server: taken while the first was
//! free, it belongs to the orphan of a daemon that was killed, which is adopted with all its data.

mod config;
mod files;
mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{StoreError, Target};
use config::Way;
use files::Folder;
use process::Process;
pub use process::try_program;

/// How often the server's life is checked.
const LOOK: Duration = Duration::from_millis(200);
/// First and longest wait before the server is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A server that served so long starts the backoff anew: pauses grow only for one that dies as soon as it is up.
const HEALTHY: Duration = Duration::from_secs(2);

/// Where the private server lives.
#[derive(Debug, Clone)]
pub struct PrivateOptions {
    /// The daemon's state folder; the server's files are in `redis` in it.
    pub state_dir: PathBuf,
    /// Folder of the socket, where it is not the state folder.
    pub runtime_dir: Option<PathBuf>,
    /// The most memory that it may take; beyond, it refuses what would take more.
    pub max_memory: Option<u64>,
    /// The server's program, where it is not to be searched for.
    pub program: Option<PathBuf>,
    /// Whether every write is on disk before it is acknowledged. Without, writes are quicker, and a server that is
    /// killed or a machine that fails may lose those of the last two seconds, although they were acknowledged.
    pub sync_always: bool,
    /// How long a server may take until it answers at all; loading its data is not counted.
    pub start_timeout: Duration,
    /// How long a server may take to write everything and end, before it is told more firmly.
    pub stop_timeout: Duration,
}

impl PrivateOptions {
    /// The usual ones for a state folder.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            runtime_dir: None,
            program: None,
            max_memory: None,
            sync_always: true,
            start_timeout: Duration::from_secs(15),
            stop_timeout: Duration::from_secs(15),
        }
    }
}

/// The private server of this daemon. Dropping it leaves the server running: [`PrivateServer::stop`] ends it.
pub struct PrivateServer {
    folder: Folder,
    way: Way,
    program: Option<PathBuf>,
    stop_timeout: Duration,
    running: Mutex<Running>,
    generation: watch::Sender<u64>,
}

struct Running {
    process: Option<Process>,
    stopping: bool,
}

/// Starts the private server, or adopts the one that a killed daemon left.
pub async fn start(options: PrivateOptions) -> Result<PrivateServer, StoreError> {
    let folder = Folder::open(&options.state_dir, options.runtime_dir.as_deref()).await?;
    let password = folder.password()?;
    let way = Way {
        socket: folder.socket(),
        password,
        folder: folder.data().to_owned(),
        patience: options.start_timeout,
        sync_always: options.sync_always,
        max_memory: options.max_memory,
    };
    let process = match folder.try_server_lock()? {
        Some(lock) => process::spawn(&folder, &way, options.program.as_deref(), lock).await?,
        None => adopt_or_spawn(&folder, &way, options.program.as_deref()).await?,
    };
    tracing::info!(
        event = "private_redis_ready",
        pid = process.pid(),
        adopted = process.is_adopted(),
        "private server ready"
    );
    Ok(PrivateServer {
        folder,
        way,
        program: options.program,
        stop_timeout: options.stop_timeout,
        running: Mutex::new(Running { process: Some(process), stopping: false }),
        generation: watch::Sender::new(1),
    })
}

/// Someone holds the server's lock: an orphan that answers is adopted, one that is just ending is waited for.
async fn adopt_or_spawn(folder: &Folder, way: &Way, program: Option<&Path>) -> Result<Process, StoreError> {
    let start = Instant::now();
    loop {
        if let Some(lock) = folder.try_server_lock()? {
            return process::spawn(folder, way, program, lock).await;
        }
        match process::adopt(way).await {
            Ok(process) => return Ok(process),
            Err(error) if start.elapsed() > way.patience => {
                return Err(StoreError::Private(format!(
                    "a server that an earlier run left in {} is alive but cannot be taken over: {error}",
                    folder.data().display()
                )));
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

impl PrivateServer {
    /// How the store connects to it.
    #[must_use]
    pub fn target(&self) -> Target {
        let password: SecretString = self.way.password.clone();
        Target::Unix { path: self.way.socket.clone(), user: Some(config::USER.to_owned()), password: Some(password) }
    }

    /// Its socket, for people with redis-cli: the default user may read.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.way.socket
    }

    /// Counts the server's starts under this daemon, from 1.
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The server's process; nothing while there is none.
    pub async fn pid(&self) -> Option<u32> {
        self.running.lock().await.process.as_ref().map(Process::pid)
    }

    /// Whether the server was found running.
    pub async fn is_adopted(&self) -> bool {
        self.running.lock().await.process.as_ref().is_some_and(Process::is_adopted)
    }

    /// Starts the server again whenever it ends by itself, with growing pauses, until `cancel`.
    pub async fn watch(&self, cancel: CancellationToken) {
        let mut pause = BACKOFF.0;
        let mut since = Instant::now();
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(LOOK) => {}
            }
            let mut running = self.running.lock().await;
            if running.stopping {
                return;
            }
            if running.process.as_mut().is_some_and(|process| process.is_alive(&self.folder)) {
                continue;
            }
            running.process = None;
            if since.elapsed() > HEALTHY {
                pause = BACKOFF.0;
            }
            tracing::error!(event = "private_redis_died", log = self.folder.log_tail(), "the private server ended");
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(BACKOFF.1);
            match self.start_again().await {
                Ok(process) => {
                    running.process = Some(process);
                    since = Instant::now();
                    self.generation.send_modify(|generation| *generation += 1);
                    tracing::warn!(event = "private_redis_restarted", "the private server runs again");
                }
                Err(error) => tracing::error!(event = "private_redis_start_failed", %error, "it does not start"),
            }
        }
    }

    async fn start_again(&self) -> Result<Process, StoreError> {
        adopt_or_spawn(&self.folder, &self.way, self.program.as_deref()).await
    }

    /// Ends the server in order: everything is on disk when this returns. More firmly where it does not listen.
    /// Cancel [`PrivateServer::watch`] before.
    pub async fn stop(&self) -> Result<(), StoreError> {
        let mut running = self.running.lock().await;
        running.stopping = true;
        let Some(mut process) = running.process.take() else { return Ok(()) };
        process.stop(&self.folder, &self.way, self.stop_timeout).await
    }
}

/// How to connect to the private server of a daemon that runs. Says what to do when there is none.
pub fn running(options: &PrivateOptions) -> Result<Target, StoreError> {
    let (socket, password) = Folder::visit(&options.state_dir, options.runtime_dir.as_deref())?;
    Ok(Target::Unix { path: socket, user: Some(config::USER.to_owned()), password: Some(password) })
}
