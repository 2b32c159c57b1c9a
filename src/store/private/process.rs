//! The server's process: started, found, stopped.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, ServerErrorKind,
};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::config::{self, Way};
use super::files::Folder;
use crate::store::StoreError;

/// Programs that will do, in this order.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// Searched beside the PATH, which a service may have short.
const FOLDERS: [&str; 5] = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/homebrew/bin", "/usr/lib/redis"];
const MISSING: &str = "neither redis-server nor valkey-server is installed: install the package `redis-server` or \
                       `valkey-server` (`apt install redis-server`), or set redis.url to a server that runs already";
const INSTALL: &str = "install the package `redis-server` or `valkey-server` (`apt install redis-server`) and leave the \
                       key empty, or set redis.url to a server that runs already";
const LOOK: Duration = Duration::from_millis(20);
const ANSWER: Duration = Duration::from_secs(2);

/// A server that runs, ours by birth or by adoption.
pub(super) enum Process {
    Child { child: Child, pid: u32 },
    Adopted { pid: u32 },
}

/// Starts a server that holds this lock, and waits until it answers.
pub(super) async fn spawn(
    folder: &Folder,
    way: &Way,
    program: Option<&Path>,
    lock: File,
) -> Result<Process, StoreError> {
    let named = program;
    let program = found(named)?;
    let configuration = folder.write("redis.conf", &config::text(folder.data(), way))?;
    // We hold both locks: whatever lies there is the socket of a server that is gone.
    match std::fs::remove_file(&way.socket) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::Private(format!("cannot remove {}: {error}", way.socket.display()))),
    }
    let log = folder.log()?;
    let errors = log.try_clone().map_err(|error| StoreError::Private(format!("cannot open the log twice: {error}")))?;
    let started = Command::new(&program)
        .arg(configuration)
        .current_dir(folder.data())
        // Nothing of our surroundings: neither credentials nor the service manager's socket.
        .env_clear()
        .stdin(Stdio::from(lock))
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(errors))
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return Err(not_started(named, &program, &error)),
    };
    let pid = child.id().unwrap_or(0);
    let ready = async {
        wait_until_ready(&mut child, folder, way).await?;
        confine(way).await
    };
    match ready.await {
        Ok(()) => Ok(Process::Child { child, pid }),
        Err(error) => {
            // It must not stay behind half started.
            let _ = child.start_kill();
            let _ = child.wait().await;
            Err(error)
        }
    }
}

/// The program: the named one, or one that is installed.
fn found(named: Option<&Path>) -> Result<PathBuf, StoreError> {
    named.map(Path::to_owned).or_else(search).ok_or_else(|| StoreError::Private(MISSING.to_owned()))
}

fn not_started(named: Option<&Path>, program: &Path, error: &std::io::Error) -> StoreError {
    let told = match (error.kind(), named) {
        (std::io::ErrorKind::NotFound, None) => MISSING.to_owned(),
        (std::io::ErrorKind::NotFound, Some(_)) => {
            format!("there is no program {} (private_redis.program): {INSTALL}", program.display())
        }
        (std::io::ErrorKind::PermissionDenied, _) => {
            format!("{} is there but may not be executed (chmod +x, or name another program)", program.display())
        }
        _ => format!("{} does not start: {error}", program.display()),
    };
    StoreError::Private(told)
}

/// Whether the program is there, starts, and is a server that will do. It is asked for its version, and no more.
pub async fn try_program(named: Option<&Path>) -> Result<(), StoreError> {
    let program = found(named)?;
    let mut command = Command::new(&program);
    command.arg("--version").env_clear().stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(ANSWER, command.output())
        .await
        .map_err(|_| StoreError::Private(format!("{} does not tell its version in {ANSWER:?}", program.display())))?
        .map_err(|error| not_started(named, &program, &error))?;
    let told = String::from_utf8_lossy(&output.stdout);
    let version = told.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    match (major, version) {
        (Some(7..), _) => Ok(()),
        (Some(_), Some(old)) => Err(StoreError::Private(format!(
            "{} has version {old}, and wismo needs Redis 7 or Valkey 8 or newer: {INSTALL}",
            program.display()
        ))),
        _ => {
            Err(StoreError::Private(format!("{} is neither a Redis nor a Valkey server: {INSTALL}", program.display())))
        }
    }
}

async fn wait_until_ready(child: &mut Child, folder: &Folder, way: &Way) -> Result<(), StoreError> {
    let mut heard = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(StoreError::Private(format!(
                "the private server ended at once ({status}): {}",
                folder.log_tail()
            )));
        }
        match ping(way).await {
            Ok(()) => return Ok(()),
            // It reads its data: that takes as long as it takes.
            Err(error) if is_loading(&error) => heard = Instant::now(),
            Err(error) if heard.elapsed() > way.patience => {
                let tail = folder.log_tail();
                return Err(StoreError::Private(format!("the private server does not answer ({error}): {tail}")));
            }
            Err(_) => {}
        }
        sleep(LOOK).await;
    }
}

/// Takes over the server that answers on our socket, if it is ours.
pub(super) async fn adopt(way: &Way) -> Result<Process, StoreError> {
    let mut connection = connect(way).await?;
    let (_, folder): (String, String) = redis::cmd("CONFIG").arg("GET").arg("dir").query_async(&mut connection).await?;
    if Path::new(&folder) != way.folder {
        return Err(StoreError::Private(format!("the server on {} keeps its data in {folder}", way.socket.display())));
    }
    let information: redis::InfoDict = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let pid =
        information.get("process_id").ok_or_else(|| StoreError::Private("it does not tell its process".to_owned()))?;
    ping(way).await?;
    // Its daemon may have died before it did this.
    confine(way).await?;
    Ok(Process::Adopted { pid })
}

/// Confines the default user, then lets others onto the socket. May be repeated.
async fn confine(way: &Way) -> Result<(), StoreError> {
    let mut connection = connect(way).await?;
    redis::cmd("ACL").arg("SETUSER").arg("default").arg(config::confined()).exec_async(&mut connection).await?;
    std::fs::set_permissions(&way.socket, Permissions::from_mode(config::OPEN))
        .map_err(|error| StoreError::Private(format!("cannot open {} to its group: {error}", way.socket.display())))
}

async fn connect(way: &Way) -> Result<MultiplexedConnection, RedisError> {
    let login = RedisConnectionInfo::default().set_username(config::USER).set_password(way.password.expose_secret());
    let information = ConnectionAddr::Unix(way.socket.clone()).into_connection_info()?.set_redis_settings(login);
    let limits = AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER)).set_response_timeout(Some(ANSWER));
    redis::Client::open(information)?.get_multiplexed_async_connection_with_config(&limits).await
}

async fn ping(way: &Way) -> Result<(), RedisError> {
    redis::cmd("PING").query_async(&mut connect(way).await?).await
}

fn is_loading(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::Server(ServerErrorKind::BusyLoading)
}

fn search() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from)).collect();
    PROGRAMS.iter().find_map(|program| folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file()))
}

impl Process {
    pub(super) const fn pid(&self) -> u32 {
        match self {
            Self::Child { pid, .. } | Self::Adopted { pid } => *pid,
        }
    }

    pub(super) const fn is_adopted(&self) -> bool {
        matches!(self, Self::Adopted { .. })
    }

    /// Whether it lives. An adopted one is known by its lock: a process id may be somebody else's by now.
    pub(super) fn is_alive(&mut self, folder: &Folder) -> bool {
        match self {
            Self::Child { child, .. } => matches!(child.try_wait(), Ok(None)),
            Self::Adopted { .. } => matches!(folder.try_server_lock(), Ok(None)),
        }
    }

    /// Ends it: by asking, then by signals.
    pub(super) async fn stop(&mut self, folder: &Folder, way: &Way, patience: Duration) -> Result<(), StoreError> {
        // With an append-only file, SHUTDOWN writes and syncs it before it ends; its connection then breaks, which is
        // the answer. A snapshot beside it would be for nothing.
        let asked = timeout(patience, async {
            let mut connection = connect(way).await?;
            redis::cmd("SHUTDOWN").arg("NOSAVE").query_async::<()>(&mut connection).await
        });
        let _ = asked.await;
        if self.ends_within(folder, patience).await {
            return Ok(());
        }
        for signal in [Signal::TERM, Signal::KILL] {
            tracing::warn!(
                event = "private_redis_signal",
                pid = self.pid(),
                ?signal,
                "the private server does not end"
            );
            let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                let _ = kill_process(pid, signal);
            }
            if self.ends_within(folder, patience).await {
                return Ok(());
            }
        }
        Err(StoreError::Private(format!("the private server (process {}) does not end", self.pid())))
    }

    async fn ends_within(&mut self, folder: &Folder, patience: Duration) -> bool {
        let start = Instant::now();
        while self.is_alive(folder) {
            if start.elapsed() > patience {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }
}
