//! One exchange with a carrier: bounded in time and size, never redirected, never through a proxy of the environment.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Method, redirect, retry};
use secrecy::ExposeSecret;
use thiserror::Error;

use crate::carrier::{CallRequest, RawAnswer};

/// Largest answer, after decompression.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Why no answer came.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// No connection, or it broke.
    #[error("the carrier could not be reached: {0}")]
    Unreachable(String),
    /// It took longer than the definition allows.
    #[error("the carrier did not answer within {0:?}")]
    Timeout(Duration),
    /// More than 4 MiB.
    #[error("the carrier's answer is larger than {MAX_BODY} bytes")]
    TooLarge,
    /// The definition made a request that is none.
    #[error("the request cannot be sent: {0}")]
    Request(String),
}

/// How an exchange ended, as a word for figures: the class of its HTTP status, or why there is none.
#[must_use]
pub fn outcome(answer: &Result<RawAnswer, Fault>) -> &'static str {
    match answer {
        Ok(raw) => match raw.status {
            200..300 => "ok",
            401 | 403 => "refused",
            404 => "not_found",
            429 => "throttled",
            400..500 => "client_error",
            500.. => "server_error",
            _ => "other",
        },
        Err(Fault::Unreachable(_)) => "unreachable",
        Err(Fault::Timeout(_)) => "timeout",
        Err(Fault::TooLarge) => "too_large",
        Err(Fault::Request(_)) => "unsendable",
    }
}

/// The client for all carriers.
pub fn client() -> Result<Client, Fault> {
    crate::tls::install_provider();
    Client::builder()
        .redirect(redirect::Policy::none())
        // One permit, one request: also a refused HTTP/2 stream may have been counted.
        .retry(retry::never())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_secs(60))
        .user_agent(concat!("wismo/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Fault::Request(error.to_string()))
}

/// Sends a call and reads its whole answer, within the call's deadline.
pub async fn send(client: &Client, call: &CallRequest) -> Result<RawAnswer, Fault> {
    match tokio::time::timeout(call.timeout, exchange(client, call)).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Timeout(call.timeout)),
    }
}

async fn exchange(client: &Client, call: &CallRequest) -> Result<RawAnswer, Fault> {
    let method = Method::from_bytes(call.method.as_bytes()).map_err(|error| Fault::Request(error.to_string()))?;
    let mut request = client.request(method, call.url.as_str());
    for (name, value) in &call.headers {
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| Fault::Request("a header holds characters that cannot be sent".to_owned()))?;
        // Libraries that write what they do into a log at its finest write a mark instead of it.
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    if let Some(body) = &call.body {
        request = request.body(body.clone());
    }
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Fault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RawAnswer { status, headers, body, observed_at: crate::clock::now() })
}

/// The innermost cause, without the URL: it may hold a secret.
fn unreachable(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        return Fault::Request("the URL or a header is malformed".to_owned());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = if error.source().is_some() { cause.to_string() } else { "the connection failed".to_owned() };
    Fault::Unreachable(cause)
}
