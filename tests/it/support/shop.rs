//! A shop's side of the API, and waiting.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use wismo::simulator::world::Parcel;

use super::daemon::Daemon;
use super::world::World;

/// Longest wait for anything that must come: generous, because it is only waited for in full when all is lost.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A shop's way to the API.
#[derive(Clone)]
pub struct Shop {
    pub key: String,
    base: String,
    client: reqwest::Client,
    patient: bool,
}

/// An HTTP client without proxies. It takes no connection that was idle for long: the daemon may be closing it.
pub fn client() -> reqwest::Client {
    wismo::tls::install_provider();
    reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_millis(500)).build().unwrap()
}

impl Shop {
    /// Somebody with a key.
    pub fn with_key(base: &str, key: &str) -> Self {
        Self { key: key.to_owned(), base: base.to_owned(), client: client(), patient: false }
    }

    /// The same shop at another daemon.
    pub fn at(&self, daemon: &Daemon) -> Self {
        Self { base: daemon.base.clone(), ..self.clone() }
    }

    /// The same shop, which sends again what no daemon answers, or with a 5xx: for tests that kill daemons.
    pub fn patient(&self) -> Self {
        Self { patient: true, ..self.clone() }
    }

    /// One request; the answer's body as JSON, or as text where it is none.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
        let start = Instant::now();
        loop {
            let answer = self.once(method, path, body).await;
            let served = answer.as_ref().is_ok_and(|(status, _)| *status < 500);
            if served || !self.patient {
                return answer.unwrap();
            }
            assert!(start.elapsed() < PATIENCE, "{method} {path} is not served: {answer:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn once(&self, method: &str, path: &str, body: Option<&str>) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}{path}", self.base);
        let patience = if self.patient { Duration::from_secs(10) } else { PATIENCE };
        let mut request = self.client.request(method.parse().unwrap(), url).timeout(patience);
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, Some(&body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.ask("DELETE", path, None).await
    }

    /// Registers a parcel that is new, and gives its id.
    pub async fn track(&self, number: &str) -> String {
        self.register(&json!({ "number": number })).await
    }

    /// Registers a parcel that is new with more than its number.
    pub async fn register(&self, body: &Value) -> String {
        let (status, told) = self.post("/v1/trackers", body).await;
        // What a patient one sends again may have arrived the first time.
        assert!(status == 201 || (self.patient && status == 200), "{status} {told}");
        told["id"].as_str().unwrap().to_owned()
    }

    /// Registers a parcel of a stand-in.
    pub async fn follow(&self, parcel: &Parcel) -> String {
        let destination = json!({ "country": parcel.destination.country });
        let (number, carrier) = (&parcel.number, parcel.network.code());
        self.register(&json!({ "number": number, "carrier": carrier, "destination": destination })).await
    }

    /// Adds an endpoint of the world's receiver, which knows its secret before the first webhook.
    pub async fn endpoint(&self, world: &World, name: &str, events: &[&str]) -> String {
        let secret = format!("whsec_{}", data_encoding::BASE64.encode(format!("{name:_<32}").as_bytes()));
        world.receiver.expect(name, &secret);
        let body = json!({ "url": world.receiver.url(name), "events": events, "secret": secret });
        let (status, told) = self.post("/v1/endpoints", &body).await;
        assert_eq!(status, 201, "{told}");
        told["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a parcel shows what is wanted.
    pub async fn shows(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async {
            let (status, tracker) = self.get(&format!("/v1/trackers/{id}")).await;
            assert_eq!(status, 200, "{tracker}");
            wanted(&tracker).then_some(tracker)
        })
        .await
    }
}

/// Asks again and again until there is an answer; panics with the name of what did not come.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
