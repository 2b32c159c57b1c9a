//! Speaking to the daemon's API, as a shop.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ConfigArgs;
use super::failure::Failure;
use crate::settings;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait that a `429` may ask for; more is told instead of waited for.
const LONGEST_WAIT: u64 = 30;
/// Largest answer that is read: a page of changes, with room.
const LARGEST_ANSWER: usize = 64 << 20;
/// How often a call is made that is answered with "later".
const ROUNDS: usize = 20;
/// How often where the daemon cannot serve anybody: whoever waits should soon read why.
const ROUNDS_UNAVAILABLE: usize = 4;

/// Which daemon, and as whom.
#[derive(Args, Clone, Debug)]
pub struct ApiArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The API [default: server.listen of the configuration]
    #[arg(long, value_name = "URL", env = "WISMO_URL", global = true)]
    pub url: Option<String>,
    /// File with the shop's key
    #[arg(
        long,
        value_name = "FILE",
        env = "WISMO_KEY_FILE",
        global = true,
        help = "File with the shop's key [default: the variable WISMO_API_KEY, then ~/.config/wismo/key]"
    )]
    pub key_file: Option<PathBuf>,
}

/// A connection to the API.
pub struct Client {
    base: String,
    key: SecretString,
    /// Where the key was found, for messages.
    key_from: String,
    http: reqwest::Client,
}

/// An answer that is no success.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The problem's members.
    pub problem: Value,
}

impl Refusal {
    /// What is wrong, in one line: the field first, where one is.
    pub fn text(&self) -> String {
        let detail = self.problem["detail"].as_str().unwrap_or("no reason was given");
        let text = match self.problem["field"].as_str() {
            Some(field) => format!("{field}: {detail}"),
            None => detail.to_owned(),
        };
        match self.problem["candidates"].as_array().filter(|list| !list.is_empty()) {
            Some(list) => {
                let names: Vec<&str> = list.iter().filter_map(|one| one["carrier"].as_str()).collect();
                format!("{text} (it could be of {})", names.join(", "))
            }
            None => text,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.status {
            status if status.is_server_error() => Self::unavailable(refusal.text()),
            _ => Self::data(refusal.text()),
        }
    }
}

impl ApiArgs {
    /// Finds the daemon's address and the key.
    pub fn client(&self) -> Result<Client, Failure> {
        let base = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => local(&settings::reach(&self.config.sources()).map_err(Failure::usage)?.listen),
        };
        if url::Url::parse(&base).is_err() || !base.starts_with("http") {
            return Err(Failure::usage(format!("{base:?} is no address of an API: write http://127.0.0.1:8787")));
        }
        crate::tls::install_provider();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("wismo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::unavailable(error.to_string()))?;
        let (key, key_from) = self.key()?;
        Ok(Client { base, key, key_from, http })
    }

    fn key(&self) -> Result<(SecretString, String), Failure> {
        let file = match (&self.key_file, std::env::var("WISMO_API_KEY")) {
            (Some(file), _) => file.clone(),
            (None, Ok(key)) if !key.is_empty() => {
                return Ok((SecretString::from(key.trim()), "the variable WISMO_API_KEY".to_owned()));
            }
            (None, _) => usual_key_file(),
        };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Failure::usage(format!(
                "no shop's key: {} cannot be read ({error}). `wismo shops add NAME` prints a key; put it there, or into WISMO_API_KEY, or name its file with --key-file",
                file.display()
            ))
        })?;
        Ok((SecretString::from(text.trim()), file.display().to_string()))
    }
}

fn usual_key_file() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".config");
    std::env::var_os("XDG_CONFIG_HOME").map_or_else(home, PathBuf::from).join("wismo").join("key")
}

/// Where a daemon on this machine that listens there is reached.
fn local(listen: &str) -> String {
    match listen.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
        _ => format!("http://{listen}"),
    }
}

impl Client {
    /// The daemon's address, for messages.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// One call; a "later" is waited for. The answer's text.
    pub async fn text(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<String, Refusal>, Failure> {
        for round in 1..=ROUNDS {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()));
            if let Some(body) = body {
                request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
            }
            let response = request.send().await.map_err(|error| self.away(&error))?;
            let status = response.status();
            let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let text = self.whole(response).await?;
            if status.is_success() {
                return Ok(Ok(text));
            }
            if status == StatusCode::UNAUTHORIZED {
                return Err(Failure::usage(format!(
                    "{} does not know the key of {}; `wismo shops add NAME` prints a new one",
                    self.base, self.key_from
                )));
            }
            let later = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
            let rounds = if status == StatusCode::SERVICE_UNAVAILABLE { ROUNDS_UNAVAILABLE } else { ROUNDS };
            let again = later && round < rounds;
            if let Some(seconds) = wait.filter(|seconds| again && *seconds <= LONGEST_WAIT) {
                tokio::time::sleep(Duration::from_secs(u64::max(seconds, 1))).await;
                continue;
            }
            let problem = serde_json::from_str(&text).unwrap_or_else(
                |_| serde_json::json!({"detail": format!("{} answered {status}, which no wismo does", self.base)}),
            );
            return Ok(Err(Refusal { status, problem }));
        }
        Err(Failure::unavailable(format!("{} asks to wait again and again; try later", self.base)))
    }

    /// The whole answer, as long as it is one that the API gives.
    async fn whole(&self, mut response: reqwest::Response) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.away(&error))? {
            if bytes.len() + piece.len() > LARGEST_ANSWER {
                return Err(Failure::unavailable(format!("{} answered more than any wismo does", self.base)));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// One call whose refusal is the end of the command.
    pub async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let text = self.text(method, path, body).await??;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|error| Failure::unavailable(format!("{} answered no JSON: {error}", self.base)))
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let base = &self.base;
        if error.is_connect() {
            return Failure::unavailable(format!(
                "no daemon answers at {base}: is `wismo run` running (systemctl status wismo)? Another address: --url"
            ));
        }
        if error.is_timeout() {
            return Failure::unavailable(format!("{base} did not answer within {PATIENCE:?}"));
        }
        Failure::unavailable(format!("{base} broke off: {}", error.to_string().replace(self.key.expose_secret(), "…")))
    }
}

/// A path segment or query value.
pub fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
