//! The private server's files: its folder, password, locks and log.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use secrecy::SecretString;

use crate::store::StoreError;

/// The kernel takes socket paths of 107 bytes; the server adds a suffix while it starts.
const LONGEST_SOCKET: usize = 100;
/// A log above this is set aside at the next start.
const LARGEST_LOG: u64 = 4 << 20;
/// How much of the log's end an error shows.
const TAIL: u64 = 1500;

/// The server's folder, held by this daemon alone.
pub(super) struct Folder {
    data: PathBuf,
    socket: PathBuf,
    /// Held as long as the daemon lives.
    _daemon: File,
}

impl Folder {
    /// Takes the folder, or says who has it.
    pub(super) async fn open(state: &Path, runtime: Option<&Path>) -> Result<Self, StoreError> {
        let data = state.join("redis");
        make_folder(&data, 0o700)?;
        let data = data.canonicalize().map_err(|error| problem("find", &data, &error))?;
        let place = match runtime {
            Some(runtime) => {
                make_folder(runtime, 0o750)?;
                runtime.to_owned()
            }
            None => state.to_owned(),
        };
        let place = place.canonicalize().map_err(|error| problem("find", &place, &error))?;
        let socket = place.join("redis.sock");
        let length = socket.as_os_str().as_bytes().len();
        if length >= LONGEST_SOCKET {
            return Err(StoreError::Private(format!(
                "the socket's path {} is {length} bytes long and must be under {LONGEST_SOCKET}: set a shorter state_dir, \
                 or a short runtime folder for the socket",
                socket.display()
            )));
        }
        let daemon = lock_for_daemon(&data).await?;
        Ok(Self { data, socket, _daemon: daemon })
    }

    /// Socket and password of a server that a daemon runs in this folder, without taking the folder.
    pub(super) fn visit(state: &Path, runtime: Option<&Path>) -> Result<(PathBuf, SecretString), StoreError> {
        let socket = runtime.unwrap_or(state).join("redis.sock");
        if !socket.exists() {
            return Err(StoreError::Private(format!(
                "no private server runs at {}: start `wismo run` first, or name the same configuration as it does",
                socket.display()
            )));
        }
        let path = state.join("redis").join("password");
        let text = std::fs::read_to_string(&path).map_err(|error| problem("read", &path, &error))?;
        Ok((socket, SecretString::from(text.trim().to_owned())))
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// The lock that lives as long as the server; nothing while a server has it.
    pub(super) fn try_server_lock(&self) -> Result<Option<File>, StoreError> {
        let path = self.data.join("server.lock");
        let file = open_private(&path).map_err(|error| problem("open", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(problem("lock", &path, &error)),
        }
    }

    /// The password of the daemon's own user; made at the first start.
    pub(super) fn password(&self) -> Result<SecretString, StoreError> {
        let path = self.data.join("password");
        let known = match std::fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(problem("read", &path, &error)),
        };
        if !known.is_empty() {
            return Ok(SecretString::from(known));
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Private(format!("no random numbers: {error}")))?;
        let fresh = HEXLOWER.encode(&bytes);
        self.write("password", &fresh)?;
        Ok(SecretString::from(fresh))
    }

    /// Writes a file whole, readable for us alone.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = self.data.join(name);
        let fresh = self.data.join(format!("{name}.new"));
        let write = || -> std::io::Result<()> {
            let mut file = open_private(&fresh)?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)
        };
        write().map_err(|error| problem("write", &path, &error))?;
        Ok(path)
    }

    /// The server's log, to append to.
    pub(super) fn log(&self) -> Result<File, StoreError> {
        let path = self.data.join("server.log");
        if std::fs::metadata(&path).is_ok_and(|log| log.len() > LARGEST_LOG) {
            let aside = self.data.join("server.log.old");
            std::fs::rename(&path, &aside).map_err(|error| problem("set aside", &path, &error))?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(&path).map_err(|error| problem("open", &path, &error))
    }

    /// The last lines of the server's log, for an error.
    pub(super) fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(self.data.join("server.log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        read().unwrap_or_default()
    }
}

async fn lock_for_daemon(data: &Path) -> Result<File, StoreError> {
    let path = data.join("daemon.lock");
    let mut file = open_private(&path).map_err(|error| problem("open", &path, &error))?;
    let mut locked = file.try_lock();
    // A daemon that ends in this moment, or a child of it between fork and exec, may hold it a little longer.
    for _ in 0..10 {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut holder);
            let holder = holder.trim();
            let who = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            return Err(StoreError::Private(format!(
                "another wismo{who} is running with the state folder {}: stop it, or give this one another state_dir",
                data.parent().unwrap_or(data).display()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(problem("lock", &path, &error)),
    }
    let mut note = || -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    note().map_err(|error| problem("write", &path, &error))?;
    Ok(file)
}

fn open_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Makes a folder with exactly these permissions; one that exists keeps its own, but for ours.
fn make_folder(path: &Path, mode: u32) -> Result<(), StoreError> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|error| problem("make", path, &error))?;
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|error| problem("protect", path, &error))?;
    }
    Ok(())
}

fn problem(what: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Private(format!("cannot {what} {}: {error}", path.display()))
}
