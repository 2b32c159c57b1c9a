//! Waiting until what was written survives the machine, where the server can tell (WAITAOF, from 7.2 on).
//!
//! The wait blocks its connection, so it has one of its own. There a small write, the fence, follows what others
//! wrote over the shared connection; once the fence is on disk, so is all before it. Waits are shared: whoever comes
//! while one is under way waits for the next, together with all the others.

use redis::Value;
use tokio::sync::Mutex;

use super::Store;
use super::connection::Connection;
use super::error::StoreError;
use super::keys;
use crate::model::Shard;

/// How long a server may take to store a write.
const PATIENCE_MS: u64 = 4000;

/// The connection for waits, where the server supports them.
pub(super) struct Durability {
    connection: Option<Connection>,
    asked: std::sync::atomic::AtomicU64,
    covered: Mutex<u64>,
}

impl Durability {
    /// With a connection of its own; with none, nothing is waited for.
    pub(super) fn new(connection: Option<Connection>) -> Self {
        Self { connection, asked: 0.into(), covered: Mutex::new(0) }
    }

    /// Whether writes are waited for.
    pub(super) fn is_supported(&self) -> bool {
        self.connection.is_some()
    }

    async fn wait(&self) -> Result<(), StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        let Some(connection) = &self.connection else { return Ok(()) };
        let ticket = self.asked.fetch_add(1, SeqCst) + 1;
        let mut covered = self.covered.lock().await;
        if *covered >= ticket {
            return Ok(());
        }
        let up_to = self.asked.load(SeqCst);
        fence(connection).await?;
        *covered = up_to;
        Ok(())
    }
}

async fn fence(connection: &Connection) -> Result<(), StoreError> {
    let shards: Vec<Shard> = match connection {
        Connection::Single(_) => vec![Shard::new(0)],
        Connection::Cluster(_) => Shard::all().collect(),
    };
    let command = |shard: Shard| {
        let mut command = redis::cmd("SET");
        command.arg(keys::fence(shard)).arg("");
        command
    };
    let fences: Vec<_> = shards.into_iter().map(command).collect();
    connection.all(&fences).await?;
    let mut wait = redis::cmd("WAITAOF");
    wait.arg(1).arg(0).arg(PATIENCE_MS);
    let answer: Value = wait.query_async(&mut connection.clone()).await?;
    if stored(&answer) {
        Ok(())
    } else {
        Err(StoreError::Refused("the server could not store the write in time".to_owned()))
    }
}

/// Whether every node that answered says that its own disk has it.
fn stored(answer: &Value) -> bool {
    match answer {
        Value::Array(parts) => match parts.first() {
            Some(Value::Int(local)) => *local >= 1,
            _ => parts.iter().all(stored),
        },
        Value::Map(nodes) => nodes.iter().all(|(_, node)| stored(node)),
        Value::Int(local) => *local >= 1,
        _ => false,
    }
}

impl Store {
    /// Returns when everything written so far is as durable as the server can make it. What a shop told us cannot be
    /// fetched again: it is answered after this.
    pub async fn make_durable(&self) -> Result<(), StoreError> {
        self.shared.durability.wait().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_must_have_stored_it() {
        let node = |local: i64| Value::Array(vec![Value::Int(local), Value::Int(0)]);
        let named = |local: i64| (Value::SimpleString("node".to_owned()), node(local));
        assert!(stored(&node(1)));
        assert!(!stored(&node(0)));
        assert!(stored(&Value::Map(vec![named(1), named(1)])));
        assert!(!stored(&Value::Map(vec![named(1), named(0)])));
        assert!(!stored(&Value::Nil));
    }
}
