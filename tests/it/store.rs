//! The store against a real server and against a real cluster: each test runs on both.

mod commits;
mod endpoints;
mod faults;
mod ground;
mod house;
mod listing;

/// Runs a test on a single server and on a cluster.
macro_rules! on_both {
    ($($name:ident)+) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn single() {
                super::$name($crate::store::ground::Ground::single().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn cluster() {
                super::$name($crate::store::ground::Ground::cluster().await).await;
            }
        }
    )+ };
}
pub(crate) use on_both;
