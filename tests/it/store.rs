//! The store against a real server and a real cluster.

use crate::support::redis::{RedisCluster, RedisServer};

#[tokio::test(flavor = "multi_thread")]
async fn the_harness_gives_a_server_that_survives_a_kill() {
    let mut server = RedisServer::start_durable().await;
    let _: () = redis::cmd("SET").arg("a").arg(1).query_async(&mut server.raw().await).await.unwrap();
    server.kill();
    server.restart().await;
    let a: i64 = redis::cmd("GET").arg("a").query_async(&mut server.raw().await).await.unwrap();
    assert_eq!(a, 1);
    assert!(server.port() > 0 && server.pid() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_harness_gives_a_whole_cluster() {
    let cluster = RedisCluster::start().await;
    assert_eq!(cluster.nodes().len(), 3);
}
