//! A definition that is mended after the fact: the codes that it lacked are counted, and what is kept of the answers is
//! read again, by the real program on a real store.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use wismo::simulator::lives::{Story, Teller};
use wismo::simulator::world::{Network, Step};

use crate::support::house::{House, Plan, until};

/// A folder whose La Poste knows no code for a parcel on the round.
fn lacking(folder: &Path) -> String {
    let own = folder.join("laposte");
    fs::create_dir_all(&own).unwrap();
    let whole = include_str!("../../carriers/laposte/carrier.toml");
    let known = |line: &&str| !line.starts_with("MD1 = ") && !line.starts_with("MD2 = ");
    let short: Vec<&str> = whole.lines().filter(known).collect();
    assert_eq!(whole.lines().count() - short.len(), 2);
    fs::write(own.join("carrier.toml"), short.join("\n")).unwrap();
    format!("[carriers]\ndir = \"{}\"\n", folder.display())
}

async fn told(house: &House, arguments: &[&str]) -> Value {
    let output = house.wismo(arguments).await;
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn kept(house: &House) -> Vec<String> {
    redis::cmd("KEYS").arg("wismo:{*}:answer:*").query_async(&mut house.redis.raw().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_table_is_run_over_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = Plan::new().carriers(&[Network::LaPoste]).more(&lacking(folder.path())).open().await;
    let shop = house.shop("boutique").await;
    for (name, events) in [("named", ["tracker.reclassified"]), ("all", ["*"])] {
        shop.endpoint(&house, name, &events).await;
    }
    let mut teller = Teller::new(house.clock, 7);
    let mut parcel = teller.parcel(Network::LaPoste, Story::Normal, house.clock.now(), Duration::from_secs(1));
    parcel.scans.retain(|scan| scan.step != Step::Delivered);
    let last = parcel.scans.last().unwrap().clone();
    assert_eq!(last.step, Step::OutForDelivery);
    house.stage(&parcel);
    let id = shop.follow(&parcel).await;
    let scans = parcel.scans.len();
    let seen = shop.shows(&id, "every scan", |t| t["parcel"]["events"].as_array().unwrap().len() == scans).await;
    assert_eq!(seen["parcel"]["status"], "in_transit", "an unknown code moves nothing: {seen}");

    let url = house.redis.url();
    let codes = until("the unknown code counted", async || {
        let codes = told(&house, &["carriers", "unmapped", "--json", "--redis", &url]).await;
        (!codes["carriers"].as_array().unwrap().is_empty()).then_some(codes)
    });
    let codes = codes.await;
    let code = &codes["carriers"][0]["codes"][0];
    assert_eq!(
        (&codes["carriers"][0]["carrier"], &code["code"], &code["count"]),
        (&json!("laposte"), &json!(last.code.main), &json!(1))
    );
    assert!(code["text"].as_str().unwrap().len() > 3 && !code["number"].to_string().contains(&parcel.number), "{code}");
    until("the newest answer kept", async || (kept(&house).await.len() == 1).then_some(())).await;

    house.daemons[0].stop().await;
    // The definition that is compiled in knows the code.
    let config = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), config.replace(&format!("dir = \"{}\"", folder.path().display()), "dir = \"\"")).unwrap();
    let known = told(&house, &["carriers", "unmapped", "--json", "--redis", &url]).await;
    assert_eq!(known["carriers"], json!([]), "what the definition knows by now is left out");
    let would = told(&house, &["renormalize", "--json"]).await;
    assert_eq!((&would["applied"], &would["kept"]), (&json!(false), &json!(1)));
    let changed = &would["changed"][0];
    assert_eq!(
        (&changed["number"], &changed["after"], &changed["scans"]),
        (&json!(parcel.number), &json!("out_for_delivery"), &json!(1))
    );
    let did = told(&house, &["renormalize", "--carrier", "laposte", "--apply", "--json"]).await;
    assert_eq!((&did["applied"], &did["changed"]), (&json!(true), &would["changed"]));
    let again = told(&house, &["renormalize", "--json"]).await;
    assert_eq!((&again["kept"], &again["changed"]), (&json!(1), &json!([])), "once is enough");

    house.daemons[0].restart().await;
    let arrival = house.arrival("the reclassification", |a| a.endpoint == "named").await;
    assert_eq!(arrival.kind, "tracker.reclassified");
    let tracker = shop.shows(&id, "its new status", |t| t["parcel"]["status"] == "out_for_delivery").await;
    assert_eq!(tracker["parcel"]["events"].as_array().unwrap().len(), scans);
    // Who takes everything is told of a fresh change, and was never told of the reclassification before it.
    house.carrier(Network::LaPoste).world.scan_now(&parcel.number, Step::Delivered, None);
    house.arrival("the delivery", |a| a.endpoint == "all" && a.kind == "tracker.delivered").await;
    assert!(house.arrived("all").iter().all(|a| a.kind != "tracker.reclassified"));

    let (status, _) = shop.delete(&format!("/v1/trackers/{id}")).await;
    assert!(status < 300);
    assert_eq!(kept(&house).await, Vec::<String>::new(), "an erased parcel leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_definition_leaves_its_carrier_with_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let house = Plan::new().carriers(&[Network::LaPoste]).more(&lacking(folder.path())).open().await;
    let shop = house.shop("boutique").await;
    let mut teller = Teller::new(house.clock, 8);
    let mut parcel = teller.parcel(Network::LaPoste, Story::Normal, house.clock.now(), Duration::from_secs(1));
    parcel.scans.retain(|scan| scan.step == Step::Label);
    house.stage(&parcel);
    let id = shop.follow(&parcel).await;
    shop.shows(&id, "its label", |t| t["parcel"]["status"] == "info_received").await;

    let file = folder.path().join("laposte/carrier.toml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("[[outcome]]", "[[outcom]]")).unwrap();
    let checked = house.wismo(&["check"]).await;
    assert_eq!(checked.status.code(), Some(78), "a check is not content: {checked:?}");
    house.first().hup();
    let logged = house.first().logged("definition_broken", 1).await;
    assert_eq!(logged["carrier"], "laposte");
    assert!(logged["problem"].as_str().unwrap().contains("laposte/carrier.toml"), "{logged}");
    house.first().logged("reloaded", 1).await;
    let url = house.redis.url();
    let wrong = async || -> String {
        let output = house.wismo(&["status", "--json", "--redis", &url]).await;
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["wrong"].as_str().unwrap_or_default().to_owned()
    };
    until("the status names it", async || wrong().await.contains("carrier laposte is broken").then_some(())).await;
    let (_, figures) = shop.get("/metrics").await;
    assert!(figures.to_string().contains("wismo_stale_definitions 1"), "{figures}");
    // Its parcels go on, by the old definition.
    house.carrier(Network::LaPoste).world.scan_now(&parcel.number, Step::Delivered, None);
    shop.shows(&id, "its delivery", |t| t["parcel"]["status"] == "delivered").await;

    fs::write(&file, good).unwrap();
    house.first().hup();
    house.first().logged("reloaded", 2).await;
    until("nothing is wrong", async || (!wrong().await.contains("broken")).then_some(())).await;
}
