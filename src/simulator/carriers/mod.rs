//! The stand-in servers: one file a carrier, and the front desk that all of them share.
//!
//! The desk stamps each call's arrival, lets planned faults strike, refuses what exceeds the quota as the ledger proves
//! it, and notes what was told. What a carrier says, and in which shape, is in its own file.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use tokio_util::sync::CancellationToken;

use super::faults::{Fault, Faults};
use super::ledger::{CallKind, Ledger, OpenCall, Shown};
use super::net::{self, Knife};
use super::quota::Quota;
use super::world::{Network, World};

pub mod fedex;
pub mod laposte;
pub mod mondialrelay;
pub mod sandbox;
mod tokens;
pub mod ups;

/// How a stand-in is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on loopback; 0 takes a free one.
    pub port: u16,
    /// What the account may do; breaches are refused with the carrier's own error while `enforce` is on.
    pub quota: Quota,
    /// Refuse what exceeds the quota. Off: everything is served, and the ledger alone tells.
    pub enforce: bool,
    /// How long an access token lives, where the carrier has tokens.
    pub token_life: Duration,
    /// How long every answer takes.
    pub latency: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            quota: Quota::none(),
            enforce: true,
            token_life: Duration::from_secs(3_600),
            latency: Duration::ZERO,
        }
    }
}

/// A stand-in at work. It stops with the token that it was started with.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// Carrier code.
    pub code: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it saw and said.
    pub ledger: Ledger,
    /// Its switchboard.
    pub faults: Faults,
    /// What its account may do.
    pub quota: Quota,
    /// Its parcels.
    pub world: Arc<World>,
    /// What a caller must show, by name (`key`, `client_id`, ...).
    pub credentials: Vec<(&'static str, String)>,
    tokens: Option<tokens::Tokens>,
}

impl StandIn {
    /// The base address to give to the caller in place of the carrier's own.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes all access tokens invalid at once, as carriers do now and then.
    pub fn revoke_tokens(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.revoke();
        }
    }
}

/// Starts the stand-in of one of the four real carriers.
pub async fn start(
    network: Network,
    world: Arc<World>,
    options: Options,
    stop: CancellationToken,
) -> io::Result<StandIn> {
    match network {
        Network::LaPoste => laposte::start(world, options, stop).await,
        Network::FedEx => fedex::start(world, options, stop).await,
        Network::Ups => ups::start(world, options, stop).await,
        Network::MondialRelay => mondialrelay::start(world, options, stop).await,
    }
}

/// What a carrier answers, before faults have their way with it.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub shown: Vec<Shown>,
}

impl Reply {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), shown: Vec::new() }
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn html(status: u16, title: &str) -> Self {
        let body =
            format!("<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
        Self::new(status, "text/html; charset=utf-8", body)
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn showing(mut self, shown: Vec<Shown>) -> Self {
        self.shown = shown;
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert("content-type", HeaderValue::from_static(self.content_type));
        }
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        response
    }
}

/// How a carrier words the errors that do not depend on what was asked.
pub(super) trait Tongue: Send + Sync {
    /// Too many calls.
    fn throttled(&self) -> Reply;
    /// A fault of its own, with an HTTP status.
    fn broken(&self, status: u16) -> Reply;
}

/// The front desk: what every stand-in does with a call before and after its own part.
#[derive(Clone)]
pub(super) struct Desk {
    pub world: Arc<World>,
    pub ledger: Ledger,
    pub faults: Faults,
    quota: Quota,
    enforce: bool,
    tongue: Arc<dyn Tongue>,
}

impl Desk {
    pub fn new(world: Arc<World>, options: &Options, tongue: impl Tongue + 'static) -> Self {
        let clock = world.clock();
        let faults = Faults::new(clock);
        faults.set_latency(options.latency);
        let (quota, enforce) = (options.quota.clone(), options.enforce);
        Self { world, ledger: Ledger::new(clock), faults, quota, enforce, tongue: Arc::new(tongue) }
    }

    /// Serves one call: `answer` is asked once the call passed faults and quota.
    pub async fn serve(
        &self,
        knife: &Knife,
        kind: CallKind,
        account: &str,
        numbers: &[String],
        answer: impl FnOnce() -> Reply,
    ) -> Response {
        let call = self.ledger.arrive(kind, account, numbers);
        // Judged as of its arrival: calls that come in while this one waits are not before it.
        let refused = self.within_quota(kind, account, &call);
        let latency = self.faults.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let reply = match self.faults.strike(kind) {
            Some(fault) => match self.struck(fault, knife, answer).await {
                Ok(reply) => reply,
                Err(response) => return close_broken(call, response),
            },
            None => refused.unwrap_or_else(answer),
        };
        respond(call, reply)
    }

    fn within_quota(&self, kind: CallKind, account: &str, call: &OpenCall) -> Option<Reply> {
        if !self.enforce || kind == CallKind::Token {
            return None;
        }
        let wait = self.quota.refuse(&self.ledger, self.world.clock(), account, call.arrived())?;
        Some(self.tongue.throttled().with("retry-after", wait.as_secs().saturating_add(1).to_string()))
    }

    /// The reply that a fault leaves, or the end of the connection.
    async fn struck(&self, fault: Fault, knife: &Knife, answer: impl FnOnce() -> Reply) -> Result<Reply, Response> {
        Ok(match fault {
            Fault::Throttle(Some(wait)) => {
                self.tongue.throttled().with("retry-after", wait.as_secs().max(1).to_string())
            }
            Fault::Throttle(None) => self.tongue.throttled(),
            Fault::Status(status) => self.tongue.broken(status),
            Fault::Slow(wait) => {
                tokio::time::sleep(wait).await;
                answer()
            }
            Fault::Hang => std::future::pending().await,
            Fault::Garbage => Reply::new(200, "application/json", "\u{1}\u{2}]}{<<&;&\u{fffd}"),
            Fault::Html => Reply::html(200, "We will be back soon"),
            Fault::Empty => Reply::new(200, "", ""),
            Fault::Reset => {
                knife.cut_after(0);
                return Err(Response::default());
            }
            Fault::Truncated => {
                let reply = answer();
                // The head of the answer and half of its body go out.
                knife.cut_after(100 + reply.body.len() / 2);
                return Err(reply.into_response());
            }
        })
    }

    /// Starts the server and hands out its card.
    pub async fn open(
        self,
        code: &'static str,
        options: &Options,
        router: Router,
        stop: CancellationToken,
    ) -> io::Result<StandIn> {
        let address = net::serve(options.port, router, stop).await?;
        let Self { world, ledger, faults, quota, .. } = self;
        Ok(StandIn { code, address, ledger, faults, quota, world, credentials: Vec::new(), tokens: None })
    }
}

fn respond(call: OpenCall, mut reply: Reply) -> Response {
    let shown = std::mem::take(&mut reply.shown);
    let status = reply.status;
    let response = reply.into_response();
    call.answered(status, shown);
    response
}

/// The call is over without an answer that counts: dropping the entry says so.
fn close_broken(call: OpenCall, response: Response) -> Response {
    drop(call);
    response
}

/// A header as text, empty when absent.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The fields of a form or a query, decoded.
pub(super) fn fields(encoded: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// A body as text; bytes that are none become marks.
pub(super) fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// The token after `Bearer `.
pub(super) fn bearer(headers: &HeaderMap) -> &str {
    header(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default()
}

#[cfg(test)]
mod tests;
