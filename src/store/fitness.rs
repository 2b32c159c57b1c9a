//! Whether a server may hold what we store, asked at the start.

use redis::{FromRedisValue, InfoDict, Value};

use super::connection::{Connection, Target};
use super::error::StoreError;

/// What the servers said of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitness {
    /// The oldest version among them.
    pub version: (u32, u32),
    /// All write an append-only file.
    pub append_only: bool,
    /// What an operator should change, in whole sentences.
    pub warnings: Vec<String>,
}

/// WAITAOF is there from this version on.
const WAITS_FOR_DISK: (u32, u32) = (7, 2);

impl Fitness {
    /// Whether a write can be waited for until it is on disk.
    pub(super) fn can_wait_for_disk(&self) -> bool {
        self.append_only && self.version >= WAITS_FOR_DISK
    }
}

/// Asks every node; refuses a server that would lose data or cannot run our scripts.
pub(super) async fn check(connection: &Connection, target: &Target) -> Result<Fitness, StoreError> {
    let answer: Value = redis::cmd("INFO").query_async(&mut connection.clone()).await?;
    let nodes = match answer {
        Value::Map(nodes) => nodes.into_iter().map(|(_, info)| info).collect(),
        Value::Array(nodes) => nodes,
        one => vec![one],
    };
    let mut fitness = Fitness { version: (u32::MAX, 0), append_only: true, warnings: Vec::new() };
    for node in nodes {
        let info = InfoDict::from_redis_value(node).map_err(redis::RedisError::from)?;
        check_node(&info, target, &mut fitness)?;
    }
    check_packing(connection, &mut fitness).await;
    check_syncing(connection, &mut fitness).await;
    fitness.warnings.sort();
    fitness.warnings.dedup();
    Ok(fitness)
}

fn check_node(info: &InfoDict, target: &Target, fitness: &mut Fitness) -> Result<(), StoreError> {
    let text = |name: &str| info.get::<String>(name).unwrap_or_default();
    // Valkey tells its own version beside the Redis version whose commands it speaks.
    let version = if text("valkey_version").is_empty() { text("redis_version") } else { text("valkey_version") };
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version_parts = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version_parts.0 < 7 {
        return Err(StoreError::Unfit(format!(
            "its version is {version}, and wismo needs Redis 7 or Valkey 8 or newer"
        )));
    }
    fitness.version = fitness.version.min(version_parts);
    let policy = text("maxmemory_policy");
    if policy != "noeviction" {
        return Err(StoreError::Unfit(format!(
            "maxmemory-policy is {policy}, which silently drops data when memory is full: set it to noeviction"
        )));
    }
    if text("role") == "slave" {
        return Err(StoreError::Unfit("it is a replica, which takes no writes: name the primary".to_owned()));
    }
    match (matches!(target, Target::Cluster { .. }), text("cluster_enabled") == "1") {
        (true, false) => {
            return Err(StoreError::Unfit("it is no cluster, and the configuration says that it is one".to_owned()));
        }
        (false, true) => {
            return Err(StoreError::Unfit(
                "it is a cluster: list its nodes in redis.cluster instead of redis.url".to_owned(),
            ));
        }
        _ => {}
    }
    if text("aof_enabled") != "1" {
        fitness.append_only = false;
        fitness.warnings.push(
            "Redis writes no append-only file: what was registered since its last snapshot is lost when it stops; set appendonly yes"
                .to_owned(),
        );
    }
    // The private server has what private_redis.max_memory says.
    if text("maxmemory") == "0" && !matches!(target, Target::Unix { .. }) {
        fitness.warnings.push(
            "Redis has no maxmemory: when the machine's memory is full, the system kills it; set maxmemory below that"
                .to_owned(),
        );
    }
    Ok(())
}

/// Trackers are cheap only while their hashes stay packed.
async fn check_packing(connection: &Connection, fitness: &mut Fitness) {
    for (name, least) in [("hash-max-listpack-value", 64), ("hash-max-listpack-entries", 60)] {
        let answer: Result<Vec<(String, u64)>, _> =
            redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection.clone()).await;
        // Not allowed to ask: no answer is no finding.
        if let Ok(settings) = answer
            && settings.iter().any(|(_, value)| *value < least)
        {
            fitness.warnings.push(format!("{name} is below {least}: trackers take several times the memory they need"));
        }
    }
}

/// While an earlier fsync is under way, `everysec` answers up to two seconds before it writes to the file: then even
/// the death of the process alone loses what was answered. Where we cannot wait for the disk, only `always` helps.
async fn check_syncing(connection: &Connection, fitness: &mut Fitness) {
    let answer: Result<Vec<(String, String)>, _> =
        redis::cmd("CONFIG").arg("GET").arg("appendfsync").query_async(&mut connection.clone()).await;
    let always = answer.is_ok_and(|settings| settings.iter().all(|(_, value)| value == "always"));
    if fitness.append_only && !fitness.can_wait_for_disk() && !always {
        fitness.warnings.push(
            "appendfsync is not always, and this version cannot tell when a write is on disk: while the disk is busy, the death of Redis loses up to two seconds of what was answered; set appendfsync always, or use 7.2 or newer"
                .to_owned(),
        );
    }
}
