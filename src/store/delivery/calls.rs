//! Scripts of deliveries, and a way to send many calls at once of which some may fail.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, ToRedisArgs, Value};
use tokio::time::sleep;

use crate::store::connection::Connection;
use crate::store::error::StoreError;

/// A script by its text, with the hash that the server knows it by.
pub(super) struct ScriptText {
    text: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        pub(super) static $name: LazyLock<ScriptText> = LazyLock::new(|| {
            // Taking work away must go on when memory is out: that is what frees it.
            let text = concat!("#!lua flags=allow-oom\n", include_str!("scripts/ready.lua"), include_str!(concat!("scripts/", $file)));
            ScriptText { text, hash: redis::Script::new(text).get_hash().to_owned() }
        });
    )*};
}

scripts! {
    CLAIM = "claim.lua";
    SETTLE = "settle.lua";
    PAUSE = "pause.lua";
    REPLAY = "replay.lua";
    REVIVE = "revive.lua";
    BACKLOG = "backlog.lua";
    EXPIRE = "expire.lua";
    FORGET = "forget.lua";
}

/// One call of a script.
#[derive(Clone)]
pub(super) struct Call {
    script: &'static ScriptText,
    keys: Vec<String>,
    args: Vec<Vec<u8>>,
}

impl Call {
    pub(super) fn new(script: &'static ScriptText) -> Self {
        Self { script, keys: Vec::new(), args: Vec::new() }
    }

    pub(super) fn key(mut self, key: String) -> Self {
        self.keys.push(key);
        self
    }

    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        self.args.extend(arg.to_redis_args());
        self
    }

    fn command(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(self.keys.len()).arg(&self.keys);
        for arg in &self.args {
            command.arg(arg.as_slice());
        }
        command
    }

    fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    fn by_text(&self) -> Cmd {
        self.command("EVAL", self.script.text)
    }

    /// Sends it alone and reads its answer; also whether it had to be sent again because nobody knows what became of
    /// the first.
    pub(super) async fn run<T: FromRedisValue>(self, connection: &Connection) -> Result<(T, bool), StoreError> {
        let mut waits = WAITS.iter();
        loop {
            let answer = match run_all(connection, std::slice::from_ref(&self)).await {
                Ok(mut answers) => answers.pop().unwrap_or(Ok(Value::Nil)).map_err(StoreError::from),
                Err(error) => Err(error),
            };
            match (answer, waits.next()) {
                (Ok(value), left) => {
                    let repeated = left.is_none_or(|wait| *wait != WAITS[0]);
                    return Ok((redis::from_redis_value(value).map_err(RedisError::from)?, repeated));
                }
                (Err(error), Some(wait)) if may_be_repeated(&error) => sleep(*wait).await,
                (Err(error), _) => return Err(error),
            }
        }
    }
}

/// Waits between repeats.
const WAITS: [Duration; 4] =
    [Duration::from_millis(30), Duration::from_millis(150), Duration::from_millis(500), Duration::from_millis(1500)];

/// Whether the outcome is unknown, or the server asked to come again. Every script here may be repeated.
fn may_be_repeated(error: &StoreError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    let StoreError::Redis(error) = error else { return false };
    let asked = [Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain];
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_connection_refusal()
        || error.kind() == ErrorKind::ClusterConnectionNotFound
        || asked.iter().any(|kind| error.kind() == (*kind).into())
}

/// Sends many calls at once, and all of them again while the outcome of any is unknown.
pub(super) async fn run_surely<T: FromRedisValue>(
    connection: &Connection,
    calls: &[Call],
) -> Result<Vec<T>, StoreError> {
    let mut waits = WAITS.iter();
    loop {
        let answers = run_all(connection, calls).await.and_then(all_of_them);
        match (answers, waits.next()) {
            (Err(error), Some(wait)) if may_be_repeated(&error) => sleep(*wait).await,
            (answers, _) => return answers,
        }
    }
}

/// Sends many commands at once. Each has its own outcome: an error of one node or key leaves the others' answers.
pub(super) async fn each(
    connection: &Connection,
    commands: &[Cmd],
) -> Result<Vec<Result<Value, RedisError>>, StoreError> {
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    match connection {
        Connection::Single(manager) => {
            let mut pipeline = redis::pipe();
            for command in commands {
                pipeline.add_command(command.clone());
            }
            let answers = manager.clone().req_packed_commands(&pipeline, 0, commands.len()).await?;
            Ok(answers.into_iter().map(Value::extract_error).collect())
        }
        Connection::Cluster(cluster) => {
            let sent = commands.iter().map(|command| {
                let mut cluster = cluster.clone();
                async move { cluster.req_packed_command(command).await.and_then(Value::extract_error) }
            });
            Ok(futures_util::future::join_all(sent).await)
        }
    }
}

/// Sends many calls at once; those that a server does not know yet are sent again with their text.
pub(super) async fn run_all(
    connection: &Connection,
    calls: &[Call],
) -> Result<Vec<Result<Value, RedisError>>, StoreError> {
    let commands: Vec<Cmd> = calls.iter().map(Call::by_hash).collect();
    let mut answers = each(connection, &commands).await?;
    let unknown: Vec<usize> =
        (0..answers.len()).filter(|n| answers[*n].as_ref().is_err_and(is_unknown_script)).collect();
    if !unknown.is_empty() {
        let commands: Vec<Cmd> = unknown.iter().map(|n| calls[*n].by_text()).collect();
        for (n, answer) in unknown.into_iter().zip(each(connection, &commands).await?) {
            answers[n] = answer;
        }
    }
    Ok(answers)
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::NoScript.into()
}

/// The answers that came; an error only where not one did.
pub(super) fn those_that_came<T: FromRedisValue>(
    answers: Vec<Result<Value, RedisError>>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut came = Vec::with_capacity(answers.len());
    let mut failure = None;
    for answer in answers {
        match answer.and_then(|value| Ok(redis::from_redis_value::<T>(value)?)) {
            Ok(value) => came.push(Some(value)),
            Err(error) => {
                tracing::warn!(event = "store_part_failed", error = %error, "one part of the store did not answer");
                failure = Some(error);
                came.push(None);
            }
        }
    }
    match failure {
        Some(error) if came.iter().all(Option::is_none) => Err(error.into()),
        _ => Ok(came),
    }
}

/// All the answers, or the first error.
pub(super) fn all_of_them<T: FromRedisValue>(answers: Vec<Result<Value, RedisError>>) -> Result<Vec<T>, StoreError> {
    answers.into_iter().map(|answer| Ok(redis::from_redis_value(answer?).map_err(RedisError::from)?)).collect()
}
