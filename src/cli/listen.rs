//! `wismo listen`: a shop's webhooks on a developer's machine.
//!
//! Nothing is opened for it: it reads the shop's changes over the API, signs them with a secret of its own, and hands
//! them to a program here. The address guard of the daemon stays as it is.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{ApiArgs, Client, escaped};
use super::failure::Failure;
use super::{output, words};
use crate::model::ChangeKind;
use crate::spelling::nearest;
use crate::webhook::sign;

/// How often the changes are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Waits before the same webhook is tried again.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo listen                                            show them\n  wismo listen --forward-to http://127.0.0.1:9000/hooks   show them, and post them there, signed\n  wismo listen --secret whsec_… --forward-to http://127.0.0.1:9000/hooks\n\nA webhook that your program does not take is tried a few times, then left behind."
)]
pub struct ListenArgs {
    /// Post each to this address, signed as the daemon would
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Secret to sign with [default: a new one, printed]
    #[arg(long, value_name = "WHSEC", env = "WISMO_LISTEN_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Only these types, or prefixes with `*`, with commas between
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    events: Vec<String>,
    /// Begin with the oldest change that is kept, not with what comes from now on
    #[arg(long)]
    from_start: bool,
    /// Print each body as a line of JSON
    #[arg(long)]
    json: bool,
    /// Stop after so many
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Deserialize)]
struct Page {
    changes: Vec<Box<RawValue>>,
    cursor: String,
    more: bool,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
}

/// Shows and forwards until interrupted.
pub async fn run(args: &ListenArgs) -> Result<ExitCode, Failure> {
    check_types(&args.events)?;
    let client = args.api.client()?;
    let target = args.forward_to.as_deref().map(target).transpose()?;
    let secret = secret(args)?;
    let key = sign::decode(&secret).map_err(|problem| Failure::usage(problem.to_string()))?;
    let mut cursor = if args.from_start { None } else { Some(page(&client, Some("now")).await?.cursor) };
    eprintln!("Listening to {}. Interrupt to end.", client.base());
    if target.is_some() && args.secret.is_none() {
        eprintln!("Signed with {}", secret.expose_secret());
    }
    let mut seen = 0;
    loop {
        let page = page(&client, cursor.as_deref()).await?;
        for body in &page.changes {
            let head: Head = serde_json::from_str(body.get())
                .map_err(|error| Failure::unavailable(format!("{} told no change: {error}", client.base())))?;
            if !wanted(&args.events, &head.kind) {
                continue;
            }
            show(args, &head, body.get());
            if let Some(target) = &target {
                forward(target, key.expose_secret(), &head, body.get()).await;
            }
            seen += 1;
            if args.count.is_some_and(|count| seen >= count) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        cursor = Some(page.cursor);
        if !page.more {
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn secret(args: &ListenArgs) -> Result<SecretString, Failure> {
    match &args.secret {
        Some(given) => Ok(SecretString::from(given.as_str())),
        None => sign::generate_secret().map_err(|problem| Failure::unavailable(problem.to_string())),
    }
}

fn target(given: &str) -> Result<(reqwest::Client, url::Url), Failure> {
    let bad = || Failure::usage(format!("{given:?} is no address to forward to: write http://127.0.0.1:9000/hooks"));
    let url = url::Url::parse(given).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)?;
    crate::tls::install_provider();
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(15))
        .user_agent(concat!("wismo/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::unavailable(error.to_string()))?;
    Ok((http, url))
}

async fn page(client: &Client, after: Option<&str>) -> Result<Page, Failure> {
    let path = after.map_or_else(|| "/v1/changes".to_owned(), |after| format!("/v1/changes?after={}", escaped(after)));
    let text = client.text(Method::GET, &path, None).await??;
    serde_json::from_str(&text)
        .map_err(|error| Failure::unavailable(format!("{} told no changes: {error}", client.base())))
}

/// Refuses types that there are not: they would be waited for in silence.
fn check_types(events: &[String]) -> Result<(), Failure> {
    let names: Vec<String> = ChangeKind::all().map(|kind| kind.to_string()).collect();
    let unknown = events.iter().find(|given| !names.iter().any(|name| wanted(std::slice::from_ref(given), name)));
    let Some(unknown) = unknown else { return Ok(()) };
    let near = nearest(unknown, names.iter().map(String::as_str));
    let hint = near.map_or_else(|| format!("there are {}", names.join(", ")), |near| format!("did you mean {near}?"));
    Err(Failure::usage(format!("{unknown:?} is no type of webhook; {hint}")))
}

fn wanted(events: &[String], kind: &str) -> bool {
    events.is_empty()
        || events.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => wanted == kind,
        })
}

fn show(args: &ListenArgs, head: &Head, body: &str) {
    if args.json {
        output::line(body);
        return;
    }
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let data = &body["data"];
    let number = words::plain(data["tracker"]["number"].as_str().unwrap_or_default());
    let more = match (head.kind.as_str(), &data["delay"]["kind"], &data["parcel"]["substatus"]) {
        ("tracker.delayed" | "tracker.delay_cleared", Value::String(kind), _) => kind.clone(),
        (_, _, Value::String(substatus)) => substatus.clone(),
        _ => String::new(),
    };
    output::line(format!("{}  {:<26} {number}  {}", head.timestamp, words::strong(&head.kind), words::plain(&more)));
}

/// Posts one webhook, some times where it is not taken.
async fn forward((http, url): &(reqwest::Client, url::Url), key: &[u8], head: &Head, body: &str) {
    for (attempt, wait) in std::iter::once(Duration::ZERO).chain(AGAIN).enumerate() {
        tokio::time::sleep(wait).await;
        let timestamp = crate::clock::now().as_second();
        let request = http
            .post(url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &head.id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", sign::signature(key, &head.id, timestamp, body.as_bytes()))
            .body(body.to_owned());
        let problem = match request.send().await {
            Ok(response) if response.status().is_success() => return,
            Ok(response) => response.status().to_string(),
            Err(error) if error.is_connect() => "nobody listens there".to_owned(),
            Err(error) => error.without_url().to_string(),
        };
        eprintln!("  {url} did not take {} (attempt {}): {problem}", head.id, attempt + 1);
    }
    eprintln!("  {} is left behind.", head.id);
}
