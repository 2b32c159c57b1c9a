//! One way to talk to a single server and to a cluster.
//!
//! Connections are multiplexed: never send a blocking command over the shared one. A command is never repeated
//! by the client; scripts are idempotent and their callers repeat them.

use std::path::PathBuf;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisConnectionInfo, RedisFuture, RedisResult, Value};
use secrecy::{ExposeSecret, SecretString};

use super::error::StoreError;

/// Where the store is.
#[derive(Debug, Clone)]
pub enum Target {
    /// One server, by URL (`redis://`, `rediss://`, `unix://`).
    Single {
        /// With user and password where needed.
        url: SecretString,
    },
    /// One server behind a unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
        /// User to log in as; none: the default user.
        user: Option<String>,
        /// Its password.
        password: Option<SecretString>,
    },
    /// A cluster, by the URLs of some of its nodes.
    Cluster {
        /// Give many: each is a way back in after a failover.
        urls: Vec<SecretString>,
    },
}

/// A connection to any of them. Cheap to clone; clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Opens a connection that reconnects by itself. Fails when the first attempt fails.
    pub(super) async fn open(target: &Target, connect: Duration, response: Duration) -> Result<Self, StoreError> {
        let single = |info: redis::ConnectionInfo| async move {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(1)
                .set_max_delay(Duration::from_secs(1))
                .set_connection_timeout(Some(connect))
                .set_response_timeout(Some(response));
            let client = redis::Client::open(info)?;
            Ok(Self::Single(ConnectionManager::new_with_config(client, config).await?))
        };
        match target {
            Target::Single { url } => single(url.expose_secret().into_connection_info()?).await,
            Target::Unix { path, user, password } => {
                let mut login = RedisConnectionInfo::default();
                if let Some(user) = user {
                    login = login.set_username(user.as_str());
                }
                if let Some(password) = password {
                    login = login.set_password(password.expose_secret());
                }
                let info = ConnectionAddr::Unix(path.clone()).into_connection_info()?.set_redis_settings(login);
                single(info).await
            }
            Target::Cluster { urls } => {
                let nodes: Vec<&str> = urls.iter().map(ExposeSecret::expose_secret).collect();
                let client = ClusterClientBuilder::new(nodes)
                    .connection_timeout(connect)
                    .response_timeout(response)
                    .retries(3)
                    .build()?;
                Ok(Self::Cluster(client.get_async_connection().await?))
            }
        }
    }

    /// Sends commands that may lie in different slots, one pipeline to a single server, all at once over the nodes of a
    /// cluster. Answers come in order, each with its own outcome: an error of one node or key leaves the others' answers.
    pub(super) async fn each(&self, commands: &[Cmd]) -> Result<Vec<RedisResult<Value>>, StoreError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        match self {
            Self::Single(connection) => {
                let mut pipeline = redis::pipe();
                for command in commands {
                    pipeline.add_command(command.clone());
                }
                let answers = connection.clone().req_packed_commands(&pipeline, 0, commands.len()).await?;
                Ok(answers.into_iter().map(Value::extract_error).collect())
            }
            Self::Cluster(connection) => {
                let each = commands.iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { connection.req_packed_command(command).await.and_then(Value::extract_error) }
                });
                Ok(futures_util::future::join_all(each).await)
            }
        }
    }

    /// As [`Connection::each`]; the first error speaks for all.
    pub(super) async fn all(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        Ok(self.each(commands).await?.into_iter().collect::<RedisResult<_>>()?)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
