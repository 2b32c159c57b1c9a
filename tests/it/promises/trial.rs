//! `wismo carriers try`: a live call over a real socket, by the daemon that polls the account.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use wismo::simulator::lives::Teller;
use wismo::simulator::time::Moment;
use wismo::simulator::world::Network;

use crate::support::house::{House, Plan};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A parcel with scans behind it, at its stand-in.
fn parcel(house: &House, network: Network) -> String {
    let mut teller = Teller::new(house.clock, 7);
    let parcel = teller.unceasing(network, Moment::default(), Duration::ZERO, 6);
    house.stage(&parcel);
    parcel.number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_shows_the_call_and_the_mapping_and_no_secret() {
    let house = Plan::new().carriers(&[Network::FedEx]).open().await;
    let number = parcel(&house, Network::FedEx);
    let stand_in = house.carrier(Network::FedEx);
    let saved = house.folder.path().join("moving.json");
    let file = saved.display().to_string();
    let tried =
        house.wismo(&["carriers", "try", "fedex", &number, "--account", "fedex", "--json", "--save", &file]).await;
    assert!(tried.status.success(), "{}", text(&tried));
    let told: Value = serde_json::from_slice(&tried.stdout).unwrap();
    assert_eq!(told["answer"]["status"], 200, "{told}");
    assert_eq!(told["fetched_token"], true, "{told}");
    let header = |name: &str| {
        let headers = told["request"]["headers"].as_array().unwrap();
        headers.iter().find(|h| h[0].as_str().unwrap().eq_ignore_ascii_case(name)).map(|h| h[1].clone())
    };
    assert_eq!(header("authorization").unwrap(), "Bearer ***");
    assert!(told["request"]["body"].as_str().unwrap().contains(&number), "{told}");
    assert_eq!(told["mapping"]["outcome"], "ok", "{told}");
    assert_eq!(told["mapping"]["parcels"][0]["number"], number.as_str());
    assert!(!told["mapping"]["parcels"][0]["events"].as_array().unwrap().is_empty(), "{told}");
    for (name, secret) in &stand_in.credentials {
        assert!(secret.len() < 6 || !text(&tried).contains(secret.as_str()), "{name} is shown");
    }
    let sample = std::fs::read_to_string(&saved).unwrap();
    assert!(!sample.contains(&number), "{sample}");
    assert_eq!(told["saved"]["reads_the_same"], true, "{told}");
    assert_eq!(told["saved"]["holds_number"], true, "{told}");
    assert!(told["saved"]["replaced"]["numbers"].as_u64().is_some_and(|times| times > 0), "{told}");
    // For people; the token is kept by now, and a file that is there is not written over.
    let shown = text(&house.wismo(&["carriers", "try", "fedex", &number, "--account", "fedex"]).await);
    assert!(shown.contains("POST http://127.0.0.1") && shown.contains("HTTP 200 after"), "{shown}");
    assert!(shown.contains("outcome: ok") && !shown.contains("a token was fetched"), "{shown}");
    let again = house.wismo(&["carriers", "try", "fedex", &number, "--account", "fedex", "--save", &file]).await;
    assert!(!again.status.success() && text(&again).contains("is there already"), "{}", text(&again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_unknown_or_none_is_worth_a_trial() {
    let house = Plan::new().carriers(&[Network::Ups]).open().await;
    let unknown = house.wismo(&["carriers", "try", "ups", "1Z12345E0205271688", "--account", "ups", "--json"]).await;
    let told: Value = serde_json::from_slice(&unknown.stdout).unwrap_or_else(|_| panic!("{}", text(&unknown)));
    assert_eq!(told["mapping"]["parcels"][0]["outcome"], "not_found", "{told}");
    for (arguments, reason) in [
        (
            ["carriers", "try", "ups", "1Z12345E0205271688", "--account", "nobody"],
            "there is no account nobody; known: ups",
        ),
        (["carriers", "try", "fedex", "123456789012", "--account", "ups"], "is one of ups, not of fedex"),
        (["carriers", "try", "acme", "123456789012", "--account", "ups"], "is no carrier that wismo knows"),
    ] {
        let refused = house.wismo(&arguments).await;
        assert!(!refused.status.success() && text(&refused).contains(reason), "{}", text(&refused));
    }
    let sandbox = house.wismo(&["carriers", "try", "sandbox", "SANDBOX-DELIVERED", "--account", "sandbox"]).await;
    assert!(sandbox.status.success() && text(&sandbox).contains("outcome: ok"), "{}", text(&sandbox));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_daemon_that_knows_the_quota_nothing_is_called() {
    let mut house = Plan::new().carriers(&[Network::Ups]).redis(crate::support::house::Redis::Own).open().await;
    for daemon in &mut house.daemons {
        daemon.stop().await;
    }
    let refused = house.wismo(&["carriers", "try", "ups", "1Z12345E0205271688", "--account", "ups"]).await;
    assert!(!refused.status.success(), "{}", text(&refused));
    assert!(text(&refused).contains("no daemon polls the account ups now"), "{}", text(&refused));
}
