//! Real Redis for tests: a child server, or a cluster of three, each in its own folder, gone when dropped.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use wismo::store::Target;

use super::free_port;

const MISSING: &str = "redis-server is missing: `make test` installs it (package redis-server)";
const PATIENCE: Duration = Duration::from_secs(30);

/// A child `redis-server` on a free loopback port.
pub struct RedisServer {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// A server without persistence, ready for commands.
    pub async fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"]).await
    }

    /// A server whose data survives [`RedisServer::kill`] and [`RedisServer::restart`]. With `everysec` it would not
    /// always: while the disk is busy, Redis answers before it writes to its file.
    pub async fn start_durable() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// A server with these arguments.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let mut folder = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        for _ in 0..20 {
            let port = free_port();
            let child = spawn(port, &arguments, folder.path());
            let mut server = Self { child, port, arguments: arguments.clone(), folder };
            if server.answers().await {
                return server;
            }
            // Somebody took the port between our look and its bind: try another.
            folder = std::mem::replace(&mut server.folder, tempfile::tempdir().unwrap());
        }
        panic!("redis-server does not start; its log:\n{}", log_of(folder.path()));
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its address.
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Where it is, for the store.
    pub fn target(&self) -> Target {
        Target::Single { url: SecretString::from(self.url()) }
    }

    /// A plain connection to look behind the store's back.
    pub async fn raw(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port and folder, after [`RedisServer::kill`].
    pub async fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments, self.folder.path());
        assert!(self.answers().await, "redis-server does not come back; its log:\n{}", log_of(self.folder.path()));
    }

    /// Waits until it answers; false when it ended instead.
    async fn answers(&mut self) -> bool {
        let client = redis::Client::open(self.url()).unwrap();
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let pid: Result<redis::InfoDict, _> =
                    redis::cmd("INFO").arg("server").query_async(&mut connection).await;
                if let Ok(info) = pid {
                    return info.get::<u32>("process_id") == Some(self.child.id());
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three masters on loopback that share the slots evenly.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// A cluster without persistence, ready for commands on every slot.
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            let arguments = ["--save", "", "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", &bus];
            nodes.push(RedisServer::start_with(&arguments).await);
        }
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let create = tokio::process::Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&addresses)
            .arg("--cluster-yes")
            .output()
            .await
            .expect("redis-cli is missing: `make test` installs it (package redis-tools)");
        assert!(create.status.success(), "no cluster: {}", String::from_utf8_lossy(&create.stdout));
        let cluster = Self { nodes };
        cluster.wait_until_whole().await;
        cluster
    }

    /// Where it is, for the store.
    pub fn target(&self) -> Target {
        Target::Cluster { urls: self.nodes.iter().map(|node| SecretString::from(node.url())).collect() }
    }

    /// The URLs of its nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    async fn wait_until_whole(&self) {
        let start = Instant::now();
        for node in &self.nodes {
            let mut connection = node.raw().await;
            loop {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
                if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                    break;
                }
                assert!(start.elapsed() < PATIENCE, "the cluster does not become whole: {info}");
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn spawn(port: u16, arguments: &[String], folder: &Path) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect(MISSING)
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
