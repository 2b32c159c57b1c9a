//! What carriers do at the edges, played by a carrier of our own: one definition in a folder, and a server that notes
//! every call and answers as each test wants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::support::house::{House, Plan, Shop, until};

/// A call as it arrived.
#[derive(Debug, Clone)]
struct Call {
    at: Instant,
    /// `/token` or `/parcels`.
    path: String,
    numbers: Vec<String>,
    /// What the caller showed as its right to call.
    shown: String,
}

type Answers = Arc<dyn Fn(&Call, usize) -> (u16, &'static str, String) + Send + Sync>;

/// The carrier: its calls, and the folder with its definition.
struct Probe {
    folder: tempfile::TempDir,
    address: std::net::SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
}

const DEFINITION: &str = r#"
schema = 1
code = "probe"
name = "Probe"
confidence = "low"
enabled = true
timeout_ms = 10000
countries = []
facts = []
[normalise]
upper = true
strip = " "
[[numbers]]
name = "all"
regex = '^PROBE[0-9]+$'
checksum = "none"
examples = ["PROBE1"]
[credentials.key]
help = "any"
[environments.production]
base_url = "http://127.0.0.1:9"
[limits.default]
source = "this test"
LIMITS
[auth]
AUTH
[request]
method = "GET"
url = "{{ base_url }}/parcels?numbers={{ numbers | join('.') }}"
[batch]
split = true
[answer]
format = "json"
parcels = "root.parcels"
number = "p.number"
missing = "not_found"
[[outcome]]
http = [400]
is = "invalid_number"
[[outcome]]
http = [403]
is = "auth_failed"
message = "root.error"
[map.events]
list = "p.events"
order = "oldest_first"
code = "code"
time = [{ iso = "at" }]
[[codes]]
on = "code"
[codes.table]
DELIVERED = "delivered"
"#;

const KEY: &str = "kind = \"headers\"\nheaders = { Authorization = \"Bearer {{ credentials.key }}\" }";
const TOKEN: &str = "kind = \"oauth2\"\n[auth.token]\nmethod = \"POST\"\nurl = \"{{ base_url }}/token\"\n\
    headers = { Authorization = \"Bearer {{ credentials.key }}\" }\nvalue = \"token\"\nexpires_in = \"life\"";

impl Probe {
    /// `answers` is given a call and how many came before it; it gives status, `Retry-After` and body.
    async fn start(
        limits: &str,
        auth: &str,
        answers: impl Fn(&Call, usize) -> (u16, &'static str, String) + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("probe")).unwrap();
        let definition = DEFINITION.replace("LIMITS", limits).replace("AUTH", auth);
        std::fs::write(folder.path().join("probe/carrier.toml"), definition).unwrap();
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (noted, answers): (_, Answers) = (Arc::clone(&calls), Arc::new(answers));
        let desk = move |uri: Uri, headers: HeaderMap| {
            let (noted, answers) = (Arc::clone(&noted), Arc::clone(&answers));
            async move { answer(&noted, &answers, &headers, &uri).await }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(desk)).await });
        Self { folder, address, calls }
    }

    fn account(&self, key: &str) -> String {
        format!(
            "[carriers]\ndir = \"{}\"\n[accounts.probe]\ncarrier = \"probe\"\nbase_url = \"http://{}\"\nshops = \"*\"\n\
             [accounts.probe.credentials]\nkey = \"{key}\"\n",
            self.folder.path().display(),
            self.address
        )
    }

    async fn house(&self) -> House {
        Plan::new().more(&self.account("first-secret")).open().await
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn answer(noted: &Mutex<Vec<Call>>, answers: &Answers, headers: &HeaderMap, uri: &Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let call = Call {
        at: Instant::now(),
        path: uri.path().to_owned(),
        numbers: query.trim_start_matches("numbers=").split('.').map(str::to_owned).collect(),
        shown: headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned(),
    };
    let before = {
        let mut noted = noted.lock().unwrap();
        noted.push(call.clone());
        noted.len() - 1
    };
    let (status, retry_after, body) = answers(&call, before);
    // Long enough for calls that go out together to meet.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if !retry_after.is_empty() {
        response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
    }
    response
}

fn nothing_new(call: &Call) -> (u16, &'static str, String) {
    let parcels: Vec<_> = call.numbers.iter().map(|number| json!({"number": number, "events": []})).collect();
    (200, "", json!({ "parcels": parcels }).to_string())
}

/// Something that takes its time and goes on while an account is left alone.
async fn a_while(shop: &Shop) {
    let id = shop.track("SANDBOX-DELIVERED-1").await;
    shop.shows(&id, "a delivery elsewhere", |t| t["parcel"]["status"] == "delivered").await;
}

#[tokio::test]
async fn token_calls_are_counted_where_the_carrier_counts_them() {
    let limits = "per_second = 1000\nwindows = [{ calls = 6, per = \"1s\" }]\nconcurrent = 1\ntoken_calls_count = true";
    // A token that ends at once: each poll is two calls.
    let probe = Probe::start(limits, TOKEN, |call, _| match call.path.as_str() {
        "/token" => (200, "", json!({"token": "t", "life": 0}).to_string()),
        _ => nothing_new(call),
    })
    .await;
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    for n in 0..8 {
        shop.track(&format!("PROBE{n}")).await;
    }
    let calls = until("many calls", || async { Some(probe.calls()).filter(|calls| calls.len() >= 30) }).await;
    assert!(calls.iter().any(|call| call.path == "/token") && calls.iter().any(|call| call.path == "/parcels"));
    for window in calls.windows(7) {
        let span = window[6].at.duration_since(window[0].at);
        assert!(span >= Duration::from_secs(1), "seven calls within {span:?}: {window:?}");
    }
}

#[tokio::test]
async fn a_refused_login_is_tried_once_and_not_once_for_each_call() {
    let limits = "per_second = 100\nconcurrent = 4";
    let probe = Probe::start(limits, TOKEN, |_, _| (401, "", "{}".to_owned())).await;
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    let ids = [shop.track("PROBE1").await, shop.track("PROBE2").await, shop.track("PROBE3").await];
    house.first().logged("account_refused", 1).await;
    a_while(&shop).await;
    // All three may have been due together or one after the other; the account was left alone after the first try.
    assert_eq!(probe.calls().len(), 1, "{:?}", probe.calls());
    drop(ids);
}

#[tokio::test]
async fn a_token_of_other_credentials_is_not_used() {
    let limits = "per_second = 100\nconcurrent = 2";
    let probe = Probe::start(limits, TOKEN, |call, _| match call.path.as_str() {
        "/token" => (200, "", json!({"token": format!("token-of-{}", call.shown), "life": 3600}).to_string()),
        _ => nothing_new(call),
    })
    .await;
    // Only what the first configuration says is replaced.
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    shop.track("PROBE1").await;
    let with = |token: &'static str| {
        let probe = &probe;
        until(token, move || async move { probe.calls().into_iter().find(|call| call.shown == token) })
    };
    with("token-of-first-secret").await;
    let text = std::fs::read_to_string(house.config()).unwrap().replace("first-secret", "second-secret");
    std::fs::write(house.config(), text).unwrap();
    house.first().hup();
    with("token-of-second-secret").await;
}

#[tokio::test]
async fn the_second_half_of_a_split_call_waits_when_the_first_is_told_to() {
    let limits = "per_second = 100\nconcurrent = 1\nnumbers_per_call = 2";
    // A short pause first, so that both parcels are due when it ends; then a call for both, which is split.
    let split = AtomicBool::new(false);
    let probe = Probe::start(limits, KEY, move |call, _| match call.numbers.len() {
        2 => {
            split.store(true, Ordering::SeqCst);
            (400, "", "{}".to_owned())
        }
        _ => (429, if split.load(Ordering::SeqCst) { "3600" } else { "1" }, "{}".to_owned()),
    })
    .await;
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    shop.track("PROBE1").await;
    shop.track("PROBE2").await;
    let halves = || {
        let calls = probe.calls();
        let whole = calls.iter().position(|call| call.numbers.len() == 2);
        whole.map_or(0, |at| calls.len() - at - 1)
    };
    until("a half of the split call", || async { (halves() > 0).then_some(()) }).await;
    a_while(&shop).await;
    assert_eq!(halves(), 1, "nothing more is sent once the carrier asked for an hour: {:?}", probe.calls());
}

#[tokio::test]
async fn one_parcel_that_is_refused_does_not_come_first_for_ever_and_no_key_is_logged() {
    let limits = "per_second = 100\nconcurrent = 1";
    let refused = |_: &Call, _| (403, "", json!({"error": "the key first-secret may not see this"}).to_string());
    let probe = Probe::start(limits, KEY, refused).await;
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    let id = shop.track("PROBE1").await;
    let told = shop.shows(&id, "a refusal", |t| t["poll"]["outcome"] == "auth_failed").await;
    assert_eq!(told["poll"]["failures"], 1, "{told}");
    let log = house.first().log();
    assert!(log.contains("the key *** may not see this") && !log.contains("first-secret"), "{log}");
}

#[tokio::test]
async fn mended_credentials_end_the_rest_of_an_account_and_the_same_ones_do_not() {
    let limits = "per_second = 100\nconcurrent = 1";
    let probe = Probe::start(limits, KEY, |call, _| match call.shown.as_str() {
        "first-secret" => (403, "", json!({"error": "no such key"}).to_string()),
        _ => nothing_new(call),
    })
    .await;
    let house = probe.house().await;
    let shop = house.shop("boutique").await;
    shop.track("PROBE1").await;
    house.first().logged("account_refused", 1).await;
    shop.track("PROBE2").await;
    house.first().hup();
    house.first().logged("reloaded", 1).await;
    a_while(&shop).await;
    assert_eq!(probe.calls().len(), 1, "the same key is not tried again: {:?}", probe.calls());
    let text = std::fs::read_to_string(house.config()).unwrap().replace("first-secret", "second-secret");
    std::fs::write(house.config(), text).unwrap();
    house.first().hup();
    // Long before the five minutes are over.
    until("a call with the new key", || async {
        probe.calls().into_iter().find(|call| call.shown == "second-secret" && call.numbers == ["PROBE2"])
    })
    .await;
}

#[tokio::test]
async fn a_carrier_that_hangs_leaves_places_for_the_others() {
    let probe = Probe::start("per_second = 100\nconcurrent = 8", KEY, |call, _| nothing_new(call)).await;
    // It takes every connection, and answers none.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let (open, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
    let (now_open, most_open) = (Arc::clone(&open), Arc::clone(&most));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = silent.accept().await {
            most_open.fetch_max(now_open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let now_open = Arc::clone(&now_open);
            tokio::spawn(async move {
                let _ = tokio::io::copy(&mut socket, &mut tokio::io::sink()).await;
                now_open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    let account = probe.account("first-secret").replace(&probe.address.to_string(), &address.to_string());
    let house = Plan::new().calls_at_once(4).more(&account).open().await;
    let shop = house.shop("boutique").await;
    for n in 0..8 {
        shop.track(&format!("PROBE{n}")).await;
    }
    until("calls that hang", || async { (open.load(Ordering::SeqCst) >= 3).then_some(()) }).await;
    a_while(&shop).await;
    assert_eq!(most.load(Ordering::SeqCst), 3, "of four calls, one account makes three");
}
