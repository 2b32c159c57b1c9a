//! The store that the settings name, or a private server of our own.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::DaemonError;
use crate::settings::{MaxMemory, Problem, Settings};
use crate::store::private::{self, PrivateOptions, PrivateServer};
use crate::store::{MasterKey, Store, StoreError, StoreOptions, Target};
use crate::telemetry::{Pulse, Service};

/// The key that seals secrets: from its file, or made in the state folder.
pub fn master_key(settings: &Settings) -> Result<MasterKey, DaemonError> {
    if let Some(file) = &settings.master_key_file {
        let text = std::fs::read(file).map_err(|error| DaemonError::Io {
            what: format!("the master key {} cannot be read", file.display()),
            error,
        })?;
        return Ok(MasterKey::from_text(&text)?);
    }
    folder(&settings.state_dir)?;
    Ok(MasterKey::load_or_create(&settings.state_dir.join("master-key"))?)
}

/// What is wrong with the master key's file, where one is named.
pub fn master_key_problem(settings: &Settings) -> Option<Problem> {
    let file = settings.master_key_file.as_ref()?;
    let told = |message: String| Problem::with_key("master_key_file", format!("{}: {message}", file.display()));
    match std::fs::read(file) {
        Ok(text) => MasterKey::from_text(&text).err().map(|error| told(error.to_string())),
        Err(error) => Some(told(format!("cannot be read: {error}"))),
    }
}

/// Why the private server could not be started, where one will be: its program is tried.
pub async fn private_server_problem(settings: &Settings) -> Option<Problem> {
    if external(settings).is_some() {
        return None;
    }
    let tried = private::try_program(settings.private_redis.program.as_deref()).await;
    tried.err().map(|error| Problem::with_key("private_redis.program", error.to_string()))
}

fn folder(path: &Path) -> Result<(), DaemonError> {
    std::fs::create_dir_all(path).map_err(|error| DaemonError::Io {
        what: format!("cannot create the folder {} (state_dir, runtime_dir)", path.display()),
        error,
    })
}

fn options(settings: &Settings) -> StoreOptions {
    StoreOptions {
        connect_timeout: settings.redis.connect_timeout,
        response_timeout: settings.redis.response_timeout,
        log_max_age: settings.retention.changes,
        delivery_max_age: settings.webhook.max_age,
        dead_retention: settings.retention.dead,
        ..StoreOptions::default()
    }
}

fn external(settings: &Settings) -> Option<Target> {
    match (&settings.redis.url, settings.redis.cluster.as_slice()) {
        (Some(url), _) => Some(Target::Single { url: url.clone() }),
        (None, []) => None,
        (None, nodes) => Some(Target::Cluster { urls: nodes.to_vec() }),
    }
}

fn private_options(settings: &Settings) -> PrivateOptions {
    PrivateOptions {
        runtime_dir: Some(settings.runtime_dir.clone()),
        program: settings.private_redis.program.clone(),
        max_memory: match settings.private_redis.max_memory {
            MaxMemory::Unlimited => None,
            MaxMemory::Bytes(bytes) => Some(bytes),
            MaxMemory::Half => memory().map(|bytes| bytes / 2),
        },
        ..PrivateOptions::new(&settings.state_dir)
    }
}

/// The memory that this process may use: the machine's, or less where its control group has less. Nothing where the
/// system does not tell.
fn memory() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    });
    let group = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        std::fs::read_to_string(format!("/sys/fs/cgroup{path}/memory.max")).ok()?.trim().parse::<u64>().ok()
    });
    machine.into_iter().chain(group).min()
}

/// Opens the store for one command, beside a daemon that may run: its private server is used while it is there.
pub async fn visit(settings: &Settings) -> Result<Store, DaemonError> {
    let target = match external(settings) {
        Some(target) => target,
        None => private::running(&private_options(settings))?,
    };
    Ok(Store::connect(target, options(settings), master_key(settings)?).await?)
}

/// Opens the store; starts the private server first where none is configured.
pub async fn open(settings: &Settings) -> Result<(Store, Option<PrivateServer>), DaemonError> {
    let key = master_key(settings)?;
    if let Some(target) = external(settings) {
        return Ok((Store::connect(target, options(settings), key).await?, None));
    }
    folder(&settings.state_dir)?;
    folder(&settings.runtime_dir)?;
    let server = private::start(private_options(settings)).await?;
    match Store::connect(server.target(), options(settings), key).await {
        Ok(store) => Ok((store, Some(server))),
        Err(error) => {
            let _ = server.stop().await;
            Err(error.into())
        }
    }
}

/// Opens the store; while an external one is away, tries again until it is there or the daemon is to stop.
pub async fn open_until(
    settings: &Settings,
    service: &Service,
    pulse: &Pulse,
    stop: &CancellationToken,
) -> Result<Option<(Store, Option<PrivateServer>)>, DaemonError> {
    service.status(if external(settings).is_some() { "connecting to redis" } else { "starting the private redis" });
    let mut wait = Duration::from_millis(100);
    loop {
        match pulse.idle(open(settings)).await {
            Ok(opened) => return Ok(Some(opened)),
            Err(DaemonError::Store(error @ StoreError::Redis(_))) if error.is_passing() => {
                tracing::warn!(event = "store_away", %error, retry_in = ?wait, "The store does not answer; trying again.");
                service.status(&format!("waiting for redis: {error}"));
            }
            Err(other) => return Err(other),
        }
        let next = async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        };
        pulse.step(next).await;
        if stop.is_cancelled() {
            return Ok(None);
        }
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}
