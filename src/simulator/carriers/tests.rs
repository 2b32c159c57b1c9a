//! Each stand-in is asked over a socket, in every documented shape.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE64, HEXUPPER};
use md5::{Digest, Md5};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::simulator::faults::Lasting;
use crate::simulator::ledger::Ending;
use crate::simulator::lives::{Story, Teller};
use crate::simulator::testing::{Got, send};
use crate::simulator::time::{Moment, SimClock};
use crate::simulator::world::Step;

/// A world with one parcel whose life is over, and the end of the stand-in when it is dropped.
struct Stage {
    world: Arc<World>,
    number: String,
    stop: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn stage(network: Network, story: Story) -> Stage {
    let clock = SimClock::start();
    let world = Arc::new(World::new(clock));
    let parcel = Teller::new(clock, 3).parcel(network, story, Moment::default(), Duration::ZERO);
    let number = parcel.number.clone();
    world.add(parcel);
    Stage { world, number, stop: CancellationToken::new() }
}

async fn laposte_of(stage: &Stage, options: Options) -> StandIn {
    laposte::start(stage.world.clone(), options, stage.stop.clone()).await.unwrap()
}

async fn ask_laposte(stand_in: &StandIn, numbers: &str, key: &str) -> Option<Got> {
    let line = format!("GET /suivi/v2/idships/{numbers}?lang=fr_FR");
    send(stand_in.address, &line, &[("x-okapi-key", key), ("accept", "application/json")], "").await
}

#[tokio::test]
async fn laposte_gives_an_object_for_one_number_and_a_mixed_list_for_several() {
    let stage = stage(Network::LaPoste, Story::PickupPoint);
    let stand_in = laposte_of(&stage, Options::default()).await;
    let one = ask_laposte(&stand_in, &stage.number, laposte::KEY).await.unwrap();
    assert_eq!(one.status, 200);
    let body = one.json();
    assert_eq!((&body["returnCode"], &body["shipment"]["idShip"]), (&json!(200), &json!(stage.number)));
    assert_eq!(body["shipment"]["event"][0]["code"], "DI1", "newest first");
    assert_eq!(body["shipment"]["isFinal"], true);
    assert_eq!(body["shipment"]["contextData"]["removalPoint"]["type"], "A2P");
    assert!(body["shipment"]["estimDate"].as_str().unwrap().contains("T00:00:00+"));

    let several = ask_laposte(&stand_in, &format!("{},6A99999999991,x", stage.number), laposte::KEY).await.unwrap();
    assert_eq!(several.status, 207);
    let codes: Vec<_> = several.json().as_array().unwrap().iter().map(|item| item["returnCode"].clone()).collect();
    assert_eq!(codes, [200, 104, 400]);

    let unknown = ask_laposte(&stand_in, "6A99999999991", laposte::KEY).await.unwrap();
    assert_eq!((unknown.status, &unknown.json()["returnCode"]), (404, &json!(104)));
    let malformed = ask_laposte(&stand_in, "abc", laposte::KEY).await.unwrap();
    assert_eq!((malformed.status, &malformed.json()["returnCode"]), (400, &json!(400)));
    let eleven = ["6A99999999991"; 11].join(",");
    assert_eq!(ask_laposte(&stand_in, &eleven, laposte::KEY).await.unwrap().status, 400);
    let stranger = ask_laposte(&stand_in, &stage.number, "nobody").await.unwrap();
    assert_eq!((stranger.status, &stranger.json()["code"]), (401, &json!("UNAUTHORIZED")));
    assert!(stranger.json()["returnCode"].is_null(), "the gateway speaks, not the service");

    let ledger = &stand_in.ledger;
    assert_eq!(ledger.call_count(), 6);
    assert_eq!(ledger.told_count(), 6, "each scan is told for the first time once");
    assert_eq!(ledger.calls()[1].numbers.len(), 3);
    assert_eq!((ledger.calls()[0].news, ledger.calls()[1].news), (6, 0));
    assert!(ledger.complaints().is_empty());
}

#[tokio::test]
async fn what_exceeds_the_quota_is_refused_and_stands_in_the_ledger() {
    let stage = stage(Network::LaPoste, Story::Normal);
    let quota = Quota::rolling(3, Duration::from_secs(30)).and_numbers(10);
    let stand_in = laposte_of(&stage, Options { quota, ..Options::default() }).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let got = ask_laposte(&stand_in, &stage.number, laposte::KEY).await.unwrap();
        if got.status == 429 {
            assert!(got.head.contains("retry-after: "), "{}", got.head);
            assert!(got.json()["returnCode"].is_null());
        }
        statuses.push(got.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let breaches = stand_in.quota.breaches(&stand_in.ledger.calls(), stage.world.clock());
    assert_eq!(breaches.len(), 2);
}

#[tokio::test]
async fn faults_strike_for_a_while_and_tell_nothing() {
    let stage = stage(Network::LaPoste, Story::Normal);
    let stand_in = laposte_of(&stage, Options::default()).await;
    let ask = || ask_laposte(&stand_in, &stage.number, laposte::KEY);
    let strike = |fault| stand_in.faults.set(fault, Lasting::Calls(1));

    strike(Fault::Reset);
    assert!(ask().await.is_none(), "the connection breaks");
    strike(Fault::Truncated);
    assert!(ask().await.is_none(), "half an answer is none");
    strike(Fault::Throttle(Some(Duration::from_secs(7))));
    let got = ask().await.unwrap();
    assert!(got.status == 429 && got.head.contains("retry-after: 7"), "{got:?}");
    strike(Fault::Status(503));
    assert_eq!(ask().await.unwrap().status, 503);
    strike(Fault::Garbage);
    assert!(serde_json::from_str::<serde_json::Value>(&ask().await.unwrap().body).is_err());
    strike(Fault::Html);
    assert!(ask().await.unwrap().body.starts_with("<!doctype"));
    strike(Fault::Empty);
    assert_eq!(ask().await.unwrap().body, "");
    assert_eq!(stand_in.ledger.told_count(), 0, "no scan was told so far");
    let endings: Vec<_> = stand_in.ledger.calls().iter().map(|call| call.ending).collect();
    assert_eq!(endings[..3], [Ending::Broken, Ending::Broken, Ending::Answered]);
    strike(Fault::Slow(Duration::from_millis(50)));
    assert_eq!(ask().await.unwrap().status, 200);
    assert_eq!(ask().await.unwrap().status, 200, "well again");
    assert_eq!(stand_in.ledger.told_count(), 7);
}

#[tokio::test]
async fn a_hanging_call_is_closed_as_broken_when_the_caller_gives_up() {
    let stage = stage(Network::LaPoste, Story::Normal);
    let stand_in = laposte_of(&stage, Options::default()).await;
    stand_in.faults.set(Fault::Hang, Lasting::Always);
    let ask = ask_laposte(&stand_in, &stage.number, laposte::KEY);
    assert!(tokio::time::timeout(Duration::from_millis(200), ask).await.is_err());
    for _ in 0..100 {
        if stand_in.ledger.calls()[0].ending == Ending::Broken {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the ledger still holds the call open");
}

async fn ups_token(stand_in: &StandIn, secret: &str) -> Got {
    let basic = format!("Basic {}", BASE64.encode(format!("{}:{secret}", ups::CLIENT_ID).as_bytes()));
    let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    send(stand_in.address, "POST /security/v1/oauth/token", &headers, "grant_type=client_credentials").await.unwrap()
}

async fn ask_ups(stand_in: &StandIn, number: &str, token: &str) -> Got {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("transid", "t-1"), ("transactionsrc", "tests")];
    send(stand_in.address, &format!("GET /api/track/v1/details/{number}?locale=en_US"), &headers, "").await.unwrap()
}

#[tokio::test]
async fn ups_wants_a_token_and_writes_every_number_as_a_text() {
    let stage = stage(Network::Ups, Story::Normal);
    let stand_in = ups::start(stage.world.clone(), Options::default(), stage.stop.clone()).await.unwrap();
    assert_eq!(ups_token(&stand_in, "wrong").await.status, 401);
    let token = ups_token(&stand_in, ups::CLIENT_SECRET).await;
    assert_eq!(token.status, 200);
    let token = token.json();
    assert_eq!((&token["expires_in"], &token["status"]), (&json!("3600"), &json!("approved")));
    let token = token["access_token"].as_str().unwrap().to_owned();

    let got = ask_ups(&stand_in, &stage.number, &token).await;
    assert_eq!(got.status, 200);
    let package = &got.json()["trackResponse"]["shipment"][0]["package"][0];
    assert_eq!(package["trackingNumber"], json!(stage.number));
    assert_eq!(package["activity"][0]["status"]["statusCode"], "011", "newest first");
    assert_eq!(package["currentStatus"]["code"], "011");
    assert_eq!(package["deliveryDate"][0]["type"], "DEL");
    let first = &package["activity"][6];
    assert!(
        first["date"].as_str().unwrap().len() == 8 && first["gmtOffset"].as_str().unwrap().contains(':'),
        "{first}"
    );

    let refused = ask_ups(&stand_in, &stage.number, "stale").await;
    assert_eq!((refused.status, &refused.json()["response"]["errors"][0]["code"]), (401, &json!("250002")));
    let malformed = ask_ups(&stand_in, "1Z", &token).await;
    assert_eq!((malformed.status, &malformed.json()["response"]["errors"][0]["code"]), (400, &json!("TV1002")));
    let mut unknown: Vec<_> = Vec::new();
    for number in 0..8 {
        unknown.push(ask_ups(&stand_in, &format!("1Z00000000000000{number}0"), &token).await);
    }
    assert!(unknown.iter().any(|got| got.status == 404), "one way to say that it is unknown");
    let warned = unknown.iter().find(|got| got.status == 200).expect("the other way");
    let shipment = &warned.json()["trackResponse"]["shipment"][0];
    assert!(shipment["warnings"][0]["code"] == "TW0001" && shipment["package"].is_null());

    stand_in.revoke_tokens();
    assert_eq!(ask_ups(&stand_in, &stage.number, &token).await.status, 401);
    let headers = [("authorization", "Bearer x")];
    let bare =
        send(stand_in.address, &format!("GET /api/track/v1/details/{}", stage.number), &headers, "").await.unwrap();
    assert_eq!(bare.status, 401);
    let tracking = stand_in.ledger.calls().iter().filter(|call| call.kind == CallKind::Track).count();
    assert_eq!((tracking, stand_in.ledger.call_count()), (13, 15));
    assert_eq!(stand_in.ledger.told_count(), 7);
}

#[tokio::test]
async fn tokens_expire() {
    let stage = stage(Network::Ups, Story::Normal);
    let options = Options { token_life: Duration::from_millis(50), ..Options::default() };
    let stand_in = ups::start(stage.world.clone(), options, stage.stop.clone()).await.unwrap();
    let token = ups_token(&stand_in, ups::CLIENT_SECRET).await.json()["access_token"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(ask_ups(&stand_in, &stage.number, &token).await.status, 401);
}

async fn ask_fedex(stand_in: &StandIn, numbers: &[&str], token: &str) -> Got {
    let info: Vec<_> =
        numbers.iter().map(|number| json!({ "trackingNumberInfo": { "trackingNumber": number } })).collect();
    let body = json!({ "includeDetailedScans": true, "trackingInfo": info }).to_string();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-locale", "en_US"),
        ("x-customer-transaction-id", "mine"),
    ];
    send(stand_in.address, "POST /track/v1/trackingnumbers", &headers, &body).await.unwrap()
}

#[tokio::test]
async fn fedex_takes_thirty_numbers_and_answers_in_its_own_order() {
    let stage = stage(Network::FedEx, Story::Customs);
    let stand_in = fedex::start(stage.world.clone(), Options::default(), stage.stop.clone()).await.unwrap();
    let form =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", fedex::CLIENT_ID, fedex::CLIENT_SECRET);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let token = send(stand_in.address, "POST /oauth/token", &headers, &form).await.unwrap().json();
    assert_eq!(
        (&token["expires_in"], &token["scope"]),
        (&json!(3600), &json!("CXS")),
        "a number here, a text at others"
    );
    let token = token["access_token"].as_str().unwrap().to_owned();
    let wrong = send(stand_in.address, "POST /oauth/token", &headers, "grant_type=client_credentials").await.unwrap();
    assert_eq!(wrong.status, 401);

    let got = ask_fedex(&stand_in, &[&stage.number, "771234567800", "1Z12345E0205271688", ""], &token).await;
    assert_eq!(got.status, 200);
    let body = got.json();
    assert_eq!(body["customerTransactionId"], "mine");
    let results = body["output"]["completeTrackResults"].as_array().unwrap();
    let of =
        |number: &str| &results.iter().find(|result| result["trackingNumber"] == number).unwrap()["trackResults"][0];
    assert_ne!(results[0]["trackingNumber"], json!(stage.number), "not in the order asked");
    assert_eq!(of(&stage.number)["scanEvents"][0]["eventType"], "DL");
    assert_eq!(of(&stage.number)["latestStatusDetail"]["code"], "DL");
    assert_eq!(of("771234567800")["error"]["code"], "TRACKING.TRACKINGNUMBER.NOTFOUND");
    assert_eq!(of("1Z12345E0205271688")["error"]["code"], "TRACKING.TRACKINGNUMBER.INVALID");
    assert_eq!(of("")["error"]["code"], "TRACKING.TRACKINGNUMBER.EMPTY");

    let all = vec![stage.number.as_str(); 31];
    let over = ask_fedex(&stand_in, &all, &token).await;
    assert_eq!(
        (over.status, &over.json()["errors"][0]["code"]),
        (400, &json!("TRACKING.TRACKINGNUMBERS.LIMITEXCEEDED"))
    );
    assert_eq!(ask_fedex(&stand_in, &all[..30], &token).await.status, 200);
    assert_eq!(ask_fedex(&stand_in, &[], &token).await.json()["errors"][0]["code"], "TRACKING.TRACKINGNUMBER.EMPTY");
    let refused = ask_fedex(&stand_in, &all[..1], "stale").await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (401, &json!("NOT.AUTHORIZED.ERROR")));
    let lost = send(stand_in.address, "GET /track/v2/nowhere", &[], "").await.unwrap();
    assert_eq!((lost.status, &lost.json()["errors"][0]["code"]), (404, &json!("NOT.FOUND.ERROR")));
    stand_in.faults.set(Fault::Throttle(None), Lasting::Calls(1));
    assert_eq!(ask_fedex(&stand_in, &all[..1], &token).await.status, 429);
}

fn soap(brand: &str, number: &str, language: &str, key: &str) -> String {
    let security = HEXUPPER.encode(&Md5::digest(format!("{brand}{number}{language}{key}")));
    format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><WSI2_TracingColisDetaille xmlns=\"http://www.mondialrelay.fr/webservice/\"><Enseigne>{brand}</Enseigne><Expedition>{number}</Expedition><Langue>{language}</Langue><Security>{security}</Security></WSI2_TracingColisDetaille></soap:Body></soap:Envelope>"
    )
}

async fn ask_mondialrelay(stand_in: &StandIn, body: &str) -> Got {
    let action = "http://www.mondialrelay.fr/webservice/WSI2_TracingColisDetaille";
    let headers = [("content-type", "text/xml; charset=utf-8"), ("soapaction", action)];
    send(stand_in.address, "POST /Web_Services.asmx", &headers, body).await.unwrap()
}

fn stat(got: &Got) -> &str {
    got.body.split("<STAT>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or("none")
}

#[tokio::test]
async fn mondialrelay_checks_the_signature_and_says_everything_with_200() {
    use mondialrelay::{BRAND, PRIVATE_KEY};
    let stage = stage(Network::MondialRelay, Story::PickupPoint);
    let number = stage.number.as_str();
    let stand_in = mondialrelay::start(stage.world.clone(), Options::default(), stage.stop.clone()).await.unwrap();
    let good = ask_mondialrelay(&stand_in, &soap(BRAND, number, "FR", PRIVATE_KEY)).await;
    assert_eq!((good.status, stat(&good)), (200, "82"));
    let document = roxmltree::Document::parse(&good.body).unwrap();
    let rows: Vec<_> =
        document.descendants().filter(|node| node.tag_name().name() == "ret_WSI2_sub_TracingColisDetaille").collect();
    assert_eq!(rows.len(), 12, "a grid of fixed size");
    let cell = |row: usize, name: &str| {
        rows[row].children().find(|node| node.tag_name().name() == name).unwrap().text().unwrap_or_default().to_owned()
    };
    assert_eq!(cell(0, "Libelle"), "Colis en préparation chez l'expéditeur", "oldest first");
    assert!(cell(0, "Date").len() == 8 && cell(0, "Heure").len() == 5);
    assert_eq!((cell(11, "Libelle"), cell(11, "Date")), (String::new(), String::new()));

    let cases = [
        (soap(BRAND, "00000001", "FR", PRIVATE_KEY), "94"),
        (soap(BRAND, "123", "FR", PRIVATE_KEY), "24"),
        (soap(BRAND, number, "FR", "wrong"), "97"),
        (soap("OTHER   ", number, "FR", PRIVATE_KEY), "1"),
        (soap("", number, "FR", PRIVATE_KEY), "2"),
        (soap(BRAND, number, "XX", PRIVATE_KEY), "74"),
        (soap(BRAND, "", "FR", PRIVATE_KEY), "98"),
    ];
    for (body, expected) in cases {
        let got = ask_mondialrelay(&stand_in, &body).await;
        assert_eq!((got.status, stat(&got)), (200, expected));
    }
    assert!(ask_mondialrelay(&stand_in, "nonsense").await.body.contains("soap:Fault"));
    stand_in.faults.set(Fault::Throttle(None), Lasting::Calls(1));
    assert_eq!(ask_mondialrelay(&stand_in, "").await.status, 403, "the edge answers in HTML");
    stand_in.faults.set(Fault::Status(500), Lasting::Calls(1));
    assert!(ask_mondialrelay(&stand_in, "").await.body.contains("soap:Fault"));
    assert_eq!(stand_in.ledger.calls()[0].account, BRAND);
}

#[tokio::test]
async fn the_sandbox_speaks_its_published_protocol() {
    let (clock, stop) = (SimClock::start(), CancellationToken::new());
    let options = Options { quota: sandbox::published_quota(), ..Options::default() };
    let stand_in = sandbox::start(clock, Duration::from_millis(100), options, stop.clone()).await.unwrap();
    let ask = async |query: &str| send(stand_in.address, &format!("GET /v1/parcels{query}"), &[], "").await.unwrap();
    let first = ask("?number=SANDBOX-DELIVERED-1&number=sandbox-unknown&number=SANDBOX-TYPO&number=SANDBOX-FAULT&number=SANDBOX-DELIVERED-1").await;
    assert_eq!(first.status, 200);
    let parcels = first.json()["parcels"].clone();
    assert_eq!(parcels.as_array().unwrap().len(), 4, "a number given twice is answered once");
    assert_eq!((&parcels[0]["found"], &parcels[0]["events"][0]["code"]), (&json!(true), &json!("LABEL")));
    assert_eq!(parcels[1], json!({ "number": "SANDBOX-UNKNOWN", "found": false }));
    assert_eq!(parcels[2]["error"], "bad_number");
    assert_eq!(parcels[3]["error"], "unavailable");
    tokio::time::sleep(Duration::from_millis(230)).await;
    let later = ask("?number=SANDBOX-DELIVERED-1").await.json();
    assert_eq!(later["parcels"][0]["events"].as_array().unwrap().len(), 8);
    assert!(later["parcels"][0]["delivered"]["at"].is_string());
    assert_eq!(
        (ask("").await.status, ask("?number=").await.json()["error"]["code"].clone()),
        (400, json!("no_number"))
    );
    let many: Vec<_> = (0..21).map(|n| format!("number=SANDBOX-LOST-{n}")).collect();
    assert_eq!(ask(&format!("?{}", many.join("&"))).await.json()["error"]["code"], "too_many_numbers");
    let nowhere = send(stand_in.address, "GET /v2/x", &[], "").await.unwrap();
    assert_eq!((nowhere.status, &nowhere.json()["error"]["code"]), (404, &json!("no_such_path")));
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(send(stand_in.address, "GET /v1/parcels", &[], "").await.is_none(), "it stops with its token");
}

#[tokio::test]
async fn a_scan_added_while_it_runs_is_told_next() {
    let stage = stage(Network::LaPoste, Story::NotHandedOver);
    let stand_in = laposte_of(&stage, Options::default()).await;
    ask_laposte(&stand_in, &stage.number, laposte::KEY).await.unwrap();
    assert!(stage.world.scan_now(&stage.number, Step::Accepted, None));
    let got = ask_laposte(&stand_in, &stage.number, laposte::KEY).await.unwrap().json();
    assert_eq!(got["shipment"]["event"][0]["code"], "PC1");
    assert_eq!(stand_in.ledger.told_count(), 2);
    assert!(!stage.world.scan_now("nobody", Step::Accepted, None));
}
