//! `wismo endpoints`: where a shop's webhooks go.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{ApiArgs, Client, escaped};
use super::failure::Failure;
use super::{output, words};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo endpoints list\n  wismo endpoints add https://shop.example/hooks/wismo --events tracker.delivered,tracker.delayed\n  wismo endpoints test ep_…\n  wismo endpoints dead ep_…        what was given up, and why\n  wismo endpoints replay ep_… --all"
)]
pub struct EndpointsArgs {
    #[command(subcommand)]
    what: What,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Subcommand)]
enum What {
    /// List them
    #[command(after_help = "Example:\n  wismo endpoints list")]
    List,
    /// Subscribe an address; prints the secret, which is shown only this once
    #[command(
        after_help = "Example:\n  wismo endpoints add https://shop.example/hooks/wismo --events tracker.delivered,tracker.delayed"
    )]
    Add {
        /// Where to POST: https, and public unless the operator allowed its net
        address: String,
        /// Types, or prefixes with `*`, with commas between [default: everything]
        #[arg(long, value_name = "TYPES", value_delimiter = ',')]
        events: Vec<String>,
        /// Your words for it
        #[arg(long)]
        description: Option<String>,
    },
    /// Send it a test
    #[command(after_help = "Example:\n  wismo endpoints test ep_…")]
    Test {
        /// Its id
        id: String,
    },
    /// Send to it again, from now on
    #[command(after_help = "Example:\n  wismo endpoints enable ep_…")]
    Enable {
        /// Its id
        id: String,
    },
    /// Forget it, and what waits for it
    #[command(after_help = "Example:\n  wismo endpoints delete ep_…")]
    Delete {
        /// Its id
        id: String,
    },
    /// Deliveries to it that were given up, newest first
    #[command(after_help = "Example:\n  wismo endpoints dead ep_… --json")]
    Dead {
        /// Its id
        id: String,
    },
    /// Send given-up deliveries again: same id, same bytes
    #[command(after_help = "Example:\n  wismo endpoints replay ep_… --all")]
    Replay {
        /// Its id
        id: String,
        /// A change; or --all
        #[arg(required_unless_present = "all")]
        change: Vec<String>,
        /// Every one that is listed as given up
        #[arg(long, conflicts_with = "change")]
        all: bool,
    },
}

/// Does it.
pub async fn run(args: &EndpointsArgs) -> Result<ExitCode, Failure> {
    let client = args.api.client()?;
    let path = |id: &str, what: &str| format!("/v1/endpoints/{}{what}", escaped(id));
    match &args.what {
        What::List => {
            let answer = client.json(Method::GET, "/v1/endpoints", None).await?;
            show(args, &answer, || list(&answer));
        }
        What::Add { address, events, description } => {
            add(args, &client, address, events, description.as_deref()).await?;
        }
        What::Test { id } => {
            let answer = client.json(Method::POST, &path(id, "/test"), None).await?;
            show(args, &answer, || format!("A test is on its way: {}", text(&answer["id"])));
        }
        What::Enable { id } => {
            let answer = client.json(Method::POST, &path(id, "/enable"), None).await?;
            show(args, &answer, || format!("{} gets webhooks again, from now on.", text(&answer["id"])));
        }
        What::Delete { id } => {
            client.json(Method::DELETE, &path(id, ""), None).await?;
            show(args, &json!({"id": id, "deleted": true}), || format!("{id} is forgotten."));
        }
        What::Dead { id } => {
            let answer = client.json(Method::GET, &path(id, "/dead"), None).await?;
            show(args, &answer, || dead(&answer));
        }
        What::Replay { id, change, all } => {
            let changes = if *all { given_up(&client, &path(id, "/dead")).await? } else { change.clone() };
            for change in &changes {
                client.json(Method::POST, &path(id, "/replay"), Some(&json!({"change": change}))).await?;
            }
            let count = output::count(changes.len(), "change is", "changes are");
            show(args, &json!({"replayed": changes}), || format!("{count} on the way again."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &EndpointsArgs, answer: &Value, words: impl FnOnce() -> String) {
    if args.json { output::json(answer) } else { output::line(words()) }
}

async fn add(
    args: &EndpointsArgs,
    client: &Client,
    address: &str,
    events: &[String],
    description: Option<&str>,
) -> Result<(), Failure> {
    let mut body = json!({"url": address});
    if !events.is_empty() {
        body["events"] = json!(events);
    }
    if let Some(description) = description {
        body["description"] = json!(description);
    }
    let answer = client.json(Method::POST, "/v1/endpoints", Some(&body)).await?;
    show(args, &answer, || {
        format!("{}  {}\nsecret {}", text(&answer["id"]), text(&answer["url"]), text(&answer["secret"]))
    });
    if !args.json {
        eprintln!("The secret proves that a webhook is ours. It is shown only this once.");
    }
    Ok(())
}

async fn given_up(client: &Client, path: &str) -> Result<Vec<String>, Failure> {
    let answer = client.json(Method::GET, path, None).await?;
    let rows = answer["dead"].as_array().cloned().unwrap_or_default();
    // Oldest first, as they would have come.
    Ok(rows.iter().rev().filter_map(|row| row["change"].as_str().map(str::to_owned)).collect())
}

fn list(answer: &Value) -> String {
    let rows: Vec<_> = answer["endpoints"].as_array().into_iter().flatten().map(endpoint).collect();
    if rows.is_empty() {
        return "No endpoint yet; `wismo endpoints add URL` subscribes one.".to_owned();
    }
    words::table(["ENDPOINT", "STATE", "URL", "TYPES"], &rows)
}

fn endpoint(row: &Value) -> [String; 4] {
    let events: Vec<String> = row["events"].as_array().into_iter().flatten().map(text).collect();
    let state = match row["disabled_reason"].as_str() {
        Some(reason) => format!("{} ({reason})", text(&row["state"])),
        None => text(&row["state"]),
    };
    [text(&row["id"]), state, text(&row["url"]), events.join(",")]
}

fn dead(answer: &Value) -> String {
    let row = |row: &Value| {
        let attempts = row["attempts"].as_u64().unwrap_or(0).to_string();
        [text(&row["change"]), text(&row["tracker"]), text(&row["died_at"]), attempts, text(&row["error"])]
    };
    let rows: Vec<_> = answer["dead"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "Nothing was given up.".to_owned();
    }
    words::table(["CHANGE", "ABOUT", "GIVEN UP", "ATTEMPTS", "WHY"], &rows)
}

fn text(value: &Value) -> String {
    words::plain(value.as_str().unwrap_or("-"))
}
