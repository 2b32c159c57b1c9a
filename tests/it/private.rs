//! The private server: what it keeps, who may read it, and who inherits it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::SignedDuration;
use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use wismo::model::EndpointId;
use wismo::model::time::after;
use wismo::store::private::{PrivateOptions, PrivateServer, start};
use wismo::store::{MasterKey, Store, StoreError, StoreOptions, Target};

use crate::delivery::{registered, shop_with_endpoint};

/// Names the folder for the helper process.
const HELPER: &str = "WISMO_TEST_STATE_DIR";

async fn raw(target: &Target) -> redis::aio::MultiplexedConnection {
    let Target::Unix { path, user, password } = target else { panic!("not a socket: {target:?}") };
    let mut login = RedisConnectionInfo::default();
    if let (Some(user), Some(password)) = (user, password) {
        login = login.set_username(user).set_password(password.expose_secret());
    }
    let info = ConnectionAddr::Unix(path.clone()).into_connection_info().unwrap().set_redis_settings(login);
    redis::Client::open(info).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn set(server: &PrivateServer, key: &str, value: &str) {
    let _: () = redis::cmd("SET").arg(key).arg(value).query_async(&mut raw(&server.target()).await).await.unwrap();
}

async fn get(server: &PrivateServer, key: &str) -> Option<String> {
    redis::cmd("GET").arg(key).query_async(&mut raw(&server.target()).await).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn message<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => panic!("it went well"),
        Err(error) => error.to_string(),
    }
}

/// Signals by `kill`: no process is named but by the id of a server of ours.
fn kill(pid: u32) {
    let done = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(done.success());
}

async fn ends(pid: u32) {
    let begin = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists()
        && !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") Z ")
    {
        assert!(begin.elapsed() < Duration::from_secs(10), "process {pid} still runs");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn data_outlives_a_stop_and_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let pid = server.pid().await.unwrap();
    set(&server, "wismo:test", "kept").await;
    assert_eq!(mode(server.socket()), 0o770);
    assert_eq!(mode(&folder.path().join("redis/password")), 0o600);
    assert_eq!(mode(&folder.path().join("redis/redis.conf")), 0o600);
    assert_eq!(mode(&folder.path().join("redis")), 0o700);
    server.stop().await.unwrap();
    ends(pid).await;
    drop(server);
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    assert!(!server.is_adopted().await);
    assert_eq!(get(&server, "wismo:test").await.as_deref(), Some("kept"));
    server.stop().await.unwrap();
}

/// What a script wrote is one transaction in the server's file, which the server reads under its users' rights.
#[tokio::test]
async fn what_scripts_wrote_outlives_a_stop_and_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::load_or_create(&folder.path().join("master-key")).unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let store = Store::connect(server.target(), StoreOptions::default(), key).await.unwrap();
    let shop = "shop".parse().unwrap();
    let endpoint = shop_with_endpoint(&store, &shop, EndpointId::from_bytes([1; 16])).await;
    let tracker = registered(&store, &shop, "SANDBOX-1").await;
    server.stop().await.unwrap();
    drop((server, store));
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let key = MasterKey::load_or_create(&folder.path().join("master-key")).unwrap();
    let store = Store::connect(server.target(), StoreOptions::default(), key).await.unwrap();
    assert!(store.load(&tracker.id).await.unwrap().is_some(), "the tracker is there");
    let now = after(store.now().await.unwrap(), SignedDuration::from_secs(1));
    let claims = store.claim_deliveries(now, 5, Duration::from_secs(5), &|_| 5).await.unwrap();
    assert_eq!(claims.len(), 1, "and so is its delivery");
    assert_eq!(claims[0].endpoint, endpoint.id);
    assert_eq!(mode(server.socket()), 0o770);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn the_store_works_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let store = Store::connect(server.target(), StoreOptions::default(), MasterKey::generate().unwrap()).await.unwrap();
    let account = "a".parse().unwrap();
    let lease = store.acquire_lease(&account, "one", Duration::from_secs(5)).await.unwrap().unwrap();
    assert!(store.release_lease(&account, &lease).await.unwrap());
    // All that a daemon does is within its user's rights.
    let shop = "shop".parse().unwrap();
    let endpoint = shop_with_endpoint(&store, &shop, EndpointId::from_bytes([1; 16])).await;
    let tracker = registered(&store, &shop, "SANDBOX-1").await;
    let now = after(store.now().await.unwrap(), SignedDuration::from_secs(1));
    let claims = store.claim_deliveries(now, 5, Duration::from_secs(5), &|_| 5).await.unwrap();
    assert!(store.delivered(&claims[0], now).await.unwrap());
    store.repair_routes().await.unwrap();
    store.trim_logs(now).await.unwrap();
    store.expire_deliveries(now).await.unwrap();
    store.sweep_lookups().await.unwrap();
    assert!(store.delete_endpoint(&shop, &endpoint.id).await.unwrap());
    store.delete(&tracker, &[]).await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn people_on_the_socket_read_parcels_and_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    for key in
        ["wismo:{464}:about:trk_x", "wismo:key:abc", "wismo:secret:ids", "wismo:{ups}:token", "wismo:endpoint:ep_x"]
    {
        set(&server, key, "value").await;
    }
    let target = Target::Unix { path: server.socket().to_owned(), user: None, password: None };
    let mut people = raw(&target).await;
    let mut ask = async |words: &[&str]| -> Result<redis::Value, redis::RedisError> {
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut people).await
    };
    assert!(ask(&["GET", "wismo:{464}:about:trk_x"]).await.is_ok());
    assert!(ask(&["HGETALL", "wismo:{464}:tracker:trk_x"]).await.is_ok());
    assert!(ask(&["ZRANGE", "wismo:{i:1Z999}", "0", "-1"]).await.is_ok());
    for key in ["wismo:key:abc", "wismo:secret:ids", "wismo:{ups}:token", "wismo:endpoint:ep_x", "wismo:meta"] {
        let refused = ask(&["GET", key]).await.unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"), "{key}: {refused}");
    }
    for words in [
        &["SET", "wismo:{464}:about:trk_x", "mine"][..],
        &["DEL", "wismo:{464}:about:trk_x"],
        &["KEYS", "*"],
        &["SCAN", "0"],
        &["RANDOMKEY"],
        &["CONFIG", "GET", "*"],
        &["ACL", "LIST"],
        &["EVAL", "return 1", "0"],
        &["SHUTDOWN"],
        &["FLUSHALL"],
    ] {
        let refused = ask(words).await.unwrap_err();
        assert_eq!(refused.code(), Some("NOPERM"), "{words:?}: {refused}");
    }
    // The daemon's own user has a password and no more rights than it needs.
    let wrong =
        Target::Unix { path: server.socket().to_owned(), user: Some("wismo".into()), password: Some("no".into()) };
    let info = ConnectionAddr::Unix(server.socket().to_owned()).into_connection_info().unwrap();
    let login = RedisConnectionInfo::default().set_username("wismo").set_password("no");
    let refused = redis::Client::open(info.set_redis_settings(login)).unwrap().get_multiplexed_async_connection().await;
    assert!(refused.is_err(), "{wrong:?}");
    let mut own = raw(&server.target()).await;
    let refused: Result<(), _> = redis::cmd("FLUSHALL").query_async(&mut own).await;
    assert_eq!(refused.unwrap_err().code(), Some("NOPERM"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_daemon_is_told_who_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let told = message(start(PrivateOptions::new(folder.path())).await);
    assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
    assert!(told.contains("state_dir"), "{told}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a-folder-with-a-long-name".repeat(4));
    let told = message(start(PrivateOptions::new(&deep)).await);
    assert!(told.contains("under 100") && told.contains("state_dir"), "{told}");
    // A short folder for the socket helps.
    let options = PrivateOptions { runtime_dir: Some(folder.path().join("run")), ..PrivateOptions::new(&deep) };
    let server = start(options).await.unwrap();
    server.stop().await.unwrap();
    drop(server);

    let missing =
        PrivateOptions { program: Some("/nonexistent/redis-server".into()), ..PrivateOptions::new(folder.path()) };
    let told = message(start(missing).await);
    assert!(told.contains("/nonexistent/redis-server") && told.contains("private_redis.program"), "{told}");

    let other = tempfile::tempdir().unwrap();
    let first = start(PrivateOptions::new(other.path())).await.unwrap();
    set(&first, "wismo:x", "y").await;
    first.stop().await.unwrap();
    drop(first);
    // Data that the server refuses: its own words are shown.
    let manifest = other.path().join("redis/appendonlydir/appendonly.aof.manifest");
    std::fs::write(manifest, "nonsense").unwrap();
    let told = message(start(PrivateOptions::new(other.path())).await);
    assert!(told.contains("ended at once") && told.to_lowercase().contains("aof"), "{told}");
}

#[tokio::test]
async fn the_server_of_a_dropped_daemon_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let pid = server.pid().await.unwrap();
    set(&server, "wismo:test", "1").await;
    drop(server);
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    assert!(server.is_adopted().await);
    assert_eq!(server.pid().await, Some(pid));
    assert_eq!(get(&server, "wismo:test").await.as_deref(), Some("1"));
    server.stop().await.unwrap();
    ends(pid).await;
}

/// What the test below does in a process of its own, which it then kills.
async fn count_until_killed(folder: String) {
    let server = start(PrivateOptions::new(folder)).await.unwrap();
    let mut connection = raw(&server.target()).await;
    println!("\npid {}", server.pid().await.unwrap());
    for n in 1.. {
        let _: u64 = redis::cmd("INCR").arg("wismo:count").query_async(&mut connection).await.unwrap();
        println!("\ncounted {n}");
    }
}

#[tokio::test]
async fn the_server_of_a_killed_daemon_is_adopted() {
    if let Ok(folder) = std::env::var(HELPER) {
        return count_until_killed(folder).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "private::the_server_of_a_killed_daemon_is_adopted", "--nocapture"])
        .env(HELPER, folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stdout.take().unwrap()).lines();
    let (mut pid, mut counted) = (None, 0);
    while counted < 200 {
        let line = timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some(text) = line.strip_prefix("pid ") {
            pid = text.parse::<u32>().ok();
        }
        if let Some(text) = line.strip_prefix("counted ") {
            counted = text.parse::<u64>().unwrap();
        }
    }
    daemon.kill().await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        counted = line.strip_prefix("counted ").and_then(|text| text.parse().ok()).unwrap_or(counted);
    }
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    assert!(server.is_adopted().await);
    assert_eq!(server.pid().await, pid);
    let kept: u64 = get(&server, "wismo:count").await.unwrap().parse().unwrap();
    assert!(kept == counted || kept == counted + 1, "{kept} are kept, {counted} were acknowledged");
    server.stop().await.unwrap();
    ends(pid.unwrap()).await;
}

#[tokio::test]
async fn a_killed_server_comes_back_with_everything() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let mut generation = server.generation();
    let cancel = CancellationToken::new();
    let scenario = async {
        for round in 1..=5_u64 {
            let mut connection = raw(&server.target()).await;
            let writer = tokio::spawn(async move {
                let mut acknowledged = 0;
                while let Ok(n) = redis::cmd("INCR").arg("wismo:count").query_async::<u64>(&mut connection).await {
                    acknowledged = n;
                }
                acknowledged
            });
            // Within the moment after a full second, when a server that syncs every second holds writes back.
            let now = u64::try_from(wismo::clock::now().as_millisecond()).unwrap();
            sleep(Duration::from_millis(1000 - now % 1000 + 15 * round)).await;
            kill(server.pid().await.unwrap());
            let acknowledged = timeout(Duration::from_secs(10), writer).await.unwrap().unwrap();
            timeout(Duration::from_secs(20), generation.wait_for(|n| *n == round + 1)).await.unwrap().unwrap();
            let kept: u64 = get(&server, "wismo:count").await.unwrap().parse().unwrap();
            assert!(acknowledged > 0 && (kept == acknowledged || kept == acknowledged + 1), "{kept} of {acknowledged}");
        }
        cancel.cancel();
    };
    tokio::join!(server.watch(cancel.clone()), scenario);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn an_adopted_server_that_dies_comes_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    set(&server, "wismo:test", "1").await;
    drop(server);
    let server = start(PrivateOptions::new(folder.path())).await.unwrap();
    let mut generation = server.generation();
    let cancel = CancellationToken::new();
    let scenario = async {
        kill(server.pid().await.unwrap());
        timeout(Duration::from_secs(20), generation.wait_for(|n| *n == 2)).await.unwrap().unwrap();
        assert_eq!(get(&server, "wismo:test").await.as_deref(), Some("1"));
        assert!(!server.is_adopted().await);
        cancel.cancel();
    };
    tokio::join!(server.watch(cancel.clone()), scenario);
    server.stop().await.unwrap();
}
