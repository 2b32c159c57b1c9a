//! Orders to stop, orphans, and delays over a restart.

use std::time::Duration;

use wismo::simulator::lives::Teller;
use wismo::simulator::world::Network;

use crate::support::daemon::{Daemon, Setup, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemons_private_redis_is_adopted_and_nothing_is_lost() {
    let world = World::new().await;
    let config = world.configure("one", &Setup::default());
    let mut daemon = Daemon::start(&config).await;
    let shop = world.shop(&config, "shop").await;
    world.endpoint(&shop, "shop").await;
    let mut teller = Teller::new(world.clock, 7);
    for network in Network::ALL {
        let parcel = teller.unceasing(network, world.clock.now(), Duration::from_secs(1), 8);
        world.stage(&parcel);
        world.register(&shop, &parcel).await;
    }
    let before = daemon.private_redis_pid().expect("the log names the private server");
    daemon.restart().await;
    assert_eq!(daemon.private_redis_pid(), Some(before), "the same server goes on:\n{}", daemon.log());
    assert!(daemon.log().contains("\"adopted\":true"), "{}", daemon.log());
    let report = world.settle(&["shop"], Duration::from_secs(1), Duration::from_secs(60)).await;
    println!("{}", report.summary());
    assert!(report.is_clean(), "{:?} {:#?}", report.problems(), report.notes);
    assert!(daemon.terminate().await.success());
}
