//! The Lua scripts, each once, and how they are run.
//!
//! A script validates first and writes last, touches keys of one slot, all given in KEYS, and may be repeated: a
//! connection that is lost after sending leaves the outcome unknown, and the repeat finds out.

use std::sync::LazyLock;
use std::time::Duration;

use data_encoding::HEXLOWER;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, ServerErrorKind, ToRedisArgs, Value};
use sha1::{Digest, Sha1};

use super::connection::Connection;
use super::error::StoreError;
use crate::telemetry::metrics;

const GUARD: &str = include_str!("scripts/parts/guard.lua");
const READY: &str = include_str!("scripts/parts/ready.lua");
const TELL: &str = include_str!("scripts/parts/tell.lua");

/// Refused whole when memory is out.
const WRITES: &str = "#!lua\n";
/// Runs even when memory is out: it frees some, or must not fail.
const FREES: &str = "#!lua flags=allow-oom\n";
const READS: &str = "#!lua flags=no-writes\n";

macro_rules! scripts {
    ($($name:ident = $flags:ident $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new($flags, &[GUARD, READY, TELL, include_str!($file)]));)+

        /// Every script of this file.
        #[cfg(test)]
        static ALL: &[&LazyLock<Script>] = &[$(&$name),+];
    };
}
scripts! {
    COMMIT = WRITES "scripts/commit.lua";
    DELETE = FREES "scripts/delete.lua";
    APPEND = WRITES "scripts/append.lua";
    LOAD = READS "scripts/load.lua";
    LIST = WRITES "scripts/list.lua";
    RAISE = FREES "scripts/raise.lua";
    DROP = FREES "scripts/drop.lua";
    KEEP = WRITES "scripts/keep.lua";
    UNMAPPED = WRITES "scripts/unmapped.lua";
    UNCHANGED = FREES "scripts/unchanged.lua";
    SWAP = WRITES "scripts/swap.lua";
    TRIM = FREES "scripts/trim.lua";
    // Taking work away must go on when memory is out: that is what frees it.
    CLAIM = FREES "delivery/scripts/claim.lua";
    SETTLE = FREES "delivery/scripts/settle.lua";
    PAUSE = FREES "delivery/scripts/pause.lua";
    REPLAY = FREES "delivery/scripts/replay.lua";
    REVIVE = FREES "delivery/scripts/revive.lua";
    BACKLOG = FREES "delivery/scripts/backlog.lua";
    EXPIRE = FREES "delivery/scripts/expire.lua";
    FORGET = FREES "delivery/scripts/forget.lua";
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
            key.write_redis_args(&mut call.keys);
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
    pub(super) async fn run<T: FromRedisValue>(&self, connection: &Connection) -> Result<T, StoreError> {
        Ok(self.run_noting_repeats(connection).await?.0)
    }

    /// As [`Call::run`]; tells, too, whether it had to be sent again because nobody knew what became of the first.
    pub(super) async fn run_noting_repeats<T: FromRedisValue>(
        &self,
        connection: &Connection,
    ) -> Result<(T, bool), StoreError> {
        let (mut answers, repeated) = surely(|| try_each(connection, std::slice::from_ref(self))).await?;
        let answer = answers.pop().ok_or_else(|| StoreError::Refused("a script gave no answer".to_owned()))?;
        Ok((redis::from_redis_value(answer).map_err(RedisError::from)?, repeated))
    }
}

/// Waits between repeats.
const WAITS: [Duration; 4] =
    [Duration::from_millis(30), Duration::from_millis(150), Duration::from_millis(500), Duration::from_millis(1500)];

/// Runs scripts whose keys may lie in different slots, and all of them again while the outcome of any is unknown or a
/// server asks to wait; answers come in order.
pub(super) async fn run_all<T: FromRedisValue>(connection: &Connection, calls: &[Call]) -> Result<Vec<T>, StoreError> {
    let (answers, _) = surely(|| try_each(connection, calls)).await?;
    answers.into_iter().map(|answer| Ok(redis::from_redis_value(answer).map_err(RedisError::from)?)).collect()
}

/// Sends commands that may be repeated, and repeats them while their outcome is unknown or the server asks to wait.
pub(super) async fn patiently(connection: &Connection, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
    Ok(surely(|| connection.each(commands)).await?.0)
}

/// Runs scripts once, each with its own outcome; those that a server does not know yet are sent again with their text.
pub(super) async fn try_each(connection: &Connection, calls: &[Call]) -> Result<Vec<RedisResult<Value>>, StoreError> {
    let commands: Vec<Cmd> = calls.iter().map(|call| call.command(true)).collect();
    let mut answers = connection.each(&commands).await?;
    let unknown: Vec<usize> =
        (0..answers.len()).filter(|n| answers[*n].as_ref().is_err_and(is_unknown_script)).collect();
    if !unknown.is_empty() {
        let commands: Vec<Cmd> = unknown.iter().map(|n| calls[*n].command(false)).collect();
        for (n, answer) in unknown.into_iter().zip(connection.each(&commands).await?) {
            answers[n] = answer;
        }
    }
    Ok(answers)
}

/// Tries until every answer came, or one that waiting does not mend; also whether it was tried more than once.
async fn surely<F>(attempt: impl Fn() -> F) -> Result<(Vec<Value>, bool), StoreError>
where
    F: Future<Output = Result<Vec<RedisResult<Value>>, StoreError>>,
{
    let mut waits = WAITS.iter();
    let mut repeated = false;
    loop {
        let sent = tokio::time::Instant::now();
        let answers = attempt().await;
        let commands = answers.as_ref().map_or(1, Vec::len);
        let answers: Result<Vec<Value>, StoreError> =
            answers.and_then(|answers| answers.into_iter().map(|answer| Ok(answer?)).collect());
        metrics::redis(commands, sent.elapsed(), answers.as_ref().err().map(StoreError::kind));
        match answers {
            Err(StoreError::Redis(error)) if may_be_repeated(&error) => match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(error.into()),
            },
            answered => return answered.map(|answers| (answers, repeated)).map_err(understood),
        }
        repeated = true;
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
