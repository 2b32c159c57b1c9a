//! One attempt: judge the URL, sign, send, read a little of the answer, all under one deadline.
//!
//! The deadline covers the answer's body as well: an endpoint that drips it holds a slot no longer than one that
//! never answers. What is read of it is capped, so that its size is the receiver's own business.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response};
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::{ClientError, Clients};
use super::fault::{self, Fault};
use super::guard::{Guard, Refusal};
use super::sign;
use crate::model::ShopId;

/// Bytes of an answer that are read before the rest is dropped.
const MOST_READ: usize = 16 * 1024;

/// Bytes of an answer that are kept for the error text.
const SNIPPET: usize = 1024;

/// How attempts are made.
#[derive(Debug, Clone)]
pub struct AttemptRules {
    /// Longest wait for a connection: name look-up, TCP and TLS.
    pub connect_timeout: Duration,
    /// Longest time for the whole exchange, the body of the answer included.
    pub deadline: Duration,
    /// Certificate authorities trusted besides the system's.
    pub more_roots: Vec<CertificateDer<'static>>,
    /// Idle connections kept to one host for one shop: as many as an endpoint gets attempts at once.
    pub kept_connections: usize,
}

impl Default for AttemptRules {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(15),
            more_roots: Vec::new(),
            kept_connections: 8,
        }
    }
}

/// What is sent where.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// Whose endpoint.
    pub shop: &'a ShopId,
    /// Its URL.
    pub url: &'a str,
    /// The `webhook-id`.
    pub id: &'a str,
    /// 1 for the first attempt.
    pub number: u32,
    /// The exact bytes.
    pub body: &'a str,
    /// The decoded signing secret.
    pub key: &'a [u8],
    /// The moment of this attempt: the `webhook-timestamp`.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// The endpoint answered, and its answer ended (or its first 16 KiB were read).
    Answered(Answer),
    /// It did not.
    Failed(Fault),
}

/// What an endpoint answered, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as given.
    pub retry_after: Option<String>,
    /// `Location`, escaped and shortened.
    pub location: Option<String>,
    /// `webhook-delivery`: the receiver's word on what to do.
    pub control: Option<String>,
    /// The start of the body, escaped.
    pub snippet: String,
}

/// Makes attempts. One for the daemon.
pub struct Sender {
    clients: Clients,
    deadline: Duration,
}

impl Sender {
    /// A sender behind this guard.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(guard: Guard, rules: AttemptRules) -> Result<Self, ClientError> {
        let clients = Clients::new(guard, rules.connect_timeout, rules.more_roots, rules.kept_connections)?;
        Ok(Self { clients, deadline: rules.deadline })
    }

    /// The longest that [`Self::send`] takes.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Makes one attempt. Always ends within the deadline.
    pub async fn send(&self, attempt: Attempt<'_>) -> Exchange {
        self.exchange(attempt).await.map_or_else(Exchange::Failed, Exchange::Answered)
    }

    async fn exchange(&self, attempt: Attempt<'_>) -> Result<Answer, Fault> {
        let until = Instant::now() + self.deadline;
        let url = self.clients.guard().check_url(attempt.url)?;
        let client = self.clients.of(attempt.shop, &url).map_err(|error| Fault::Internal(error.to_string()))?;
        let response = match timeout_at(until, post(&client, url, attempt)).await {
            Ok(answered) => answered.map_err(|error| fault::of(&error))?,
            Err(_) => return Err(Fault::Timeout("no answer".to_owned())),
        };
        let mut answer = head(&response);
        match timeout_at(until, start_of_body(response)).await {
            Ok(body) => answer.snippet = escaped(&body.map_err(|error| fault::of(&error))?, SNIPPET),
            Err(_) => return Err(Fault::Timeout(format!("answered {} and did not end its body", answer.status))),
        }
        Ok(answer)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

async fn post(client: &Client, url: Url, attempt: Attempt<'_>) -> Result<Response, reqwest::Error> {
    let timestamp = attempt.at.as_second();
    let signature = sign::signature(attempt.key, attempt.id, timestamp, attempt.body.as_bytes());
    client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", attempt.id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .header("webhook-attempt", attempt.number)
        .body(attempt.body.to_owned())
        .send()
        .await
}

fn head(response: &Response) -> Answer {
    let headers = response.headers();
    Answer {
        status: response.status().as_u16(),
        retry_after: text_of(headers, RETRY_AFTER.as_str(), 64),
        location: text_of(headers, LOCATION.as_str(), 200),
        control: text_of(headers, "webhook-delivery", 32),
        snippet: String::new(),
    }
}

fn text_of(headers: &HeaderMap, name: &str, most: usize) -> Option<String> {
    headers.get(name).map(|value| escaped(value.as_bytes(), most))
}

async fn start_of_body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut kept = Vec::new();
    let mut read = 0;
    while read < MOST_READ {
        let Some(piece) = response.chunk().await? else { break };
        read += piece.len();
        let room = SNIPPET.saturating_sub(kept.len());
        kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }
    Ok(kept)
}

/// Text of strangers, safe for a terminal, a log line and JSON, at most `most` bytes long.
fn escaped(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        let start = text.len();
        if character.is_control() || is_invisible(character) {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
        if text.len() > most {
            text.truncate(start);
            break;
        }
    }
    text
}

/// Marks that turn or hide the text around them.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_is_escaped_and_bounded() {
        assert_eq!(escaped(b"no\r\n\x1b[31mred", 100), "no\\u{d}\\u{a}\\u{1b}[31mred");
        assert_eq!(escaped("a\u{202e}b".as_bytes(), 100), "a\\u{202e}b");
        assert_eq!(escaped(&[0xff, b'a'], 100), "\u{fffd}a");
        assert_eq!(escaped("ééé".as_bytes(), 5), "éé");
        assert!(escaped(&[0; 1024], 1024).len() <= 1024);
    }
}
