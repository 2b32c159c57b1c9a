//! The Lua scripts, each once, and how they are run.
//!
//! A script validates first and writes last, touches keys of one slot, all given in KEYS, and may be repeated: a
//! connection that is lost after sending leaves the outcome unknown, and the repeat finds out.

use std::sync::LazyLock;
use std::time::Duration;

use data_encoding::HEXLOWER;
use redis::{Cmd, RedisError, ServerErrorKind, ToRedisArgs, Value};
use sha1::{Digest, Sha1};

use super::connection::Connection;
use super::error::StoreError;
use crate::telemetry::metrics;

const GUARD: &str = include_str!("scripts/parts/guard.lua");
const TELL: &str = include_str!("scripts/parts/tell.lua");

/// Refused whole when memory is out.
const WRITES: &str = "#!lua\n";
/// Runs even when memory is out: it frees some, or must not fail.
const FREES: &str = "#!lua flags=allow-oom\n";
const READS: &str = "#!lua flags=no-writes\n";

macro_rules! scripts {
    ($($name:ident = $flags:ident $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new($flags, &[GUARD, TELL, include_str!(concat!("scripts/", $file))]));)+

        /// Every script of this file.
        #[cfg(test)]
        static ALL: &[&LazyLock<Script>] = &[$(&$name),+];
    };
}
scripts! {
    COMMIT = WRITES "commit.lua";
    DELETE = FREES "delete.lua";
    APPEND = WRITES "append.lua";
    LOAD = READS "load.lua";
    LIST = WRITES "list.lua";
    RAISE = FREES "raise.lua";
    DROP = FREES "drop.lua";
    UNCHANGED = FREES "unchanged.lua";
    SWAP = WRITES "swap.lua";
    TRIM = FREES "trim.lua";
}

/// One script.
pub(super) struct Script {
    source: String,
    sha: String,
}

impl Script {
    fn new(flags: &str, parts: &[&str]) -> Self {
        let source = format!("{flags}{}", parts.concat());
        let sha = HEXLOWER.encode(&Sha1::digest(source.as_bytes()));
        Self { source, sha }
    }

    /// The script with its keys; arguments follow.
    pub(super) fn on<K: ToRedisArgs>(&'static self, keys: &[K]) -> Call {
        let mut call = Call { script: self, keys: Vec::new(), arguments: Vec::new() };
        for key in keys {
            call.keys.extend(key.to_redis_args());
        }
        call
    }
}

/// A script with its keys and arguments.
pub(super) struct Call {
    script: &'static Script,
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
}

impl Call {
    /// One more argument.
    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    fn command(&self, known: bool) -> Cmd {
        let mut command = if known { redis::cmd("EVALSHA") } else { redis::cmd("EVAL") };
        command.arg(if known { &self.script.sha } else { &self.script.source });
        command.arg(self.keys.len()).arg(&self.keys[..]).arg(&self.arguments[..]);
        command
    }

    /// Runs it, and again while its outcome is unknown or the server asks to wait.
    pub(super) async fn run(&self, connection: &Connection) -> Result<Value, StoreError> {
        let mut answers = run_all(connection, std::slice::from_ref(self)).await?;
        answers.pop().ok_or_else(|| StoreError::Refused("a script gave no answer".to_owned()))
    }
}

/// Waits between repeats.
const WAITS: [Duration; 4] =
    [Duration::from_millis(30), Duration::from_millis(150), Duration::from_millis(500), Duration::from_millis(1500)];

/// Runs scripts whose keys may lie in different slots; answers come in order.
pub(super) async fn run_all(connection: &Connection, calls: &[Call]) -> Result<Vec<Value>, StoreError> {
    let commands = |known| calls.iter().map(|call| call.command(known)).collect::<Vec<Cmd>>();
    match patiently(connection, &commands(true)).await {
        Err(StoreError::Redis(error)) if is_unknown_script(&error) => patiently(connection, &commands(false)).await,
        answered => answered,
    }
    .map_err(understood)
}

/// Sends commands that may be repeated, and repeats them while their outcome is unknown or the server asks to wait.
pub(super) async fn patiently(connection: &Connection, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
    let mut waits = WAITS.iter();
    loop {
        let sent = tokio::time::Instant::now();
        let answered = connection.all(commands).await;
        let error = answered.as_ref().err().map(StoreError::kind);
        metrics::redis(commands.len(), sent.elapsed(), error);
        match answered {
            Err(StoreError::Redis(error)) if may_be_repeated(&error) => match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(error.into()),
            },
            answered => return answered,
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

/// Errors after which nobody knows what happened, or the server asked to come again.
fn may_be_repeated(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    let kind = error.kind();
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || kind == redis::ErrorKind::ClusterConnectionNotFound
        || [Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain]
            .iter()
            .any(|server| kind == (*server).into())
}

/// Turns what a script says of a damaged key into our error.
fn understood(error: StoreError) -> StoreError {
    match error {
        StoreError::Redis(redis) if redis.code() == Some("WISMODAMAGED") => {
            let text = redis.detail().unwrap_or_default();
            let (key, problem) = text.split_once(' ').unwrap_or((text, ""));
            StoreError::Damaged { key: key.to_owned(), problem: problem.to_owned() }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_stands_once() {
        let shas: std::collections::HashSet<&str> = ALL.iter().map(|script| script.sha.as_str()).collect();
        assert_eq!(shas.len(), ALL.len());
    }
}
