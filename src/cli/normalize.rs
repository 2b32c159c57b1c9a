//! `wismo normalize`: what the daemon would make of a raw answer.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigArgs, DATA, USAGE, fail, output};
use crate::carrier::{Carrier, ParcelAnswer, RawAnswer};
use crate::tracking;

/// Largest answer that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo normalize ups answer.json\n  wismo normalize laposte answer.json --http-status 207 --number 6A10020030045 --explain\n  curl ... | wismo normalize fedex - --json"
)]
pub struct NormalizeArgs {
    /// The carrier's code
    code: String,
    /// File with the body of the answer; - for standard input
    file: PathBuf,
    /// HTTP status that it came with
    #[arg(long, default_value_t = 200, value_name = "STATUS")]
    http_status: u16,
    /// Environment of the account that asked, where the definition reads what differs between them
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A number that was asked; without, every number that the answer names
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<String>,
    /// Say where each field comes from and which table a code hit
    #[arg(long)]
    explain: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Prints the outcome and the parcels.
pub fn run(args: &NormalizeArgs) -> ExitCode {
    let (_, registry) = match args.config.load_with_carriers() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let carrier = match super::carrier(&registry, &args.code) {
        Ok(carrier) => carrier,
        Err(code) => return code,
    };
    let known = &carrier.definition().environments;
    if let Some(given) = args.environment.as_ref().filter(|given| !known.contains_key(*given)) {
        let known: Vec<&str> = known.keys().map(String::as_str).collect();
        return fail(
            USAGE,
            format!("{} has no environment {given:?}: use one of {}", carrier.code(), known.join(", ")),
        );
    }
    let body = match read(&args.file) {
        Ok(body) => body,
        Err(error) => return fail(DATA, format!("{}: {error}", args.file.display())),
    };
    let raw = RawAnswer { status: args.http_status, headers: Vec::new(), body, observed_at: crate::clock::now() };
    let result = view(&carrier, args.environment.as_deref(), &args.numbers, &raw, args.explain);
    if args.json {
        output::json(&result);
    } else {
        print(&result);
    }
    ExitCode::SUCCESS
}

/// `{"outcome", "parcels": [{"number", "outcome", ...the parcel...}]}`; documented in docs/normalize.md and kept stable.
pub(super) fn view(
    carrier: &Carrier,
    environment: Option<&str>,
    numbers: &[String],
    raw: &RawAnswer,
    explain: bool,
) -> Value {
    let numbers: Vec<String> =
        numbers.iter().map(|raw| carrier.normalise(raw).unwrap_or_else(|_| raw.clone())).collect();
    let read = carrier.normalize_in(environment, &numbers, raw, explain);
    let parcels: Vec<Value> = read.answer.parcels.iter().map(|parcel| row(carrier, parcel)).collect();
    let mut shown = json!({
        "outcome": read.answer.call.name(),
        "message": read.answer.message,
        "reason": read.reason,
        "parcels": parcels,
    });
    if explain {
        shown["explain"] = json!(read.explain);
    }
    shown
}

fn row(carrier: &Carrier, parcel: &ParcelAnswer) -> Value {
    let mut row = json!({"number": parcel.number, "outcome": parcel.outcome.name(), "message": parcel.message});
    if let (Some(observation), Value::Object(row)) = (&parcel.observation, &mut row) {
        let shape =
            serde_json::to_value(tracking::preview(carrier.code(), &parcel.number, observation)).unwrap_or_default();
        if let Value::Object(fields) = shape {
            row.extend(fields);
        }
    }
    row
}

pub(super) fn print(result: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    output::line(format!("outcome: {}", text(&result["outcome"])));
    for key in ["message", "reason"] {
        if let Some(told) = result[key].as_str() {
            output::line(format!("{key}: {told}"));
        }
    }
    for parcel in result["parcels"].as_array().into_iter().flatten() {
        output::line(format!("\n{} ({})", text(&parcel["number"]), text(&parcel["outcome"])));
        for (name, value) in parcel.as_object().into_iter().flatten() {
            if !value.is_null() && !["number", "outcome", "events"].contains(&name.as_str()) && *value != json!([]) {
                output::line(format!("  {name:<18} {}", text(value)));
            }
        }
        for event in parcel["events"].as_array().into_iter().flatten() {
            let meaning = event["substatus"].as_str().or(event["effect"].as_str()).unwrap_or_default();
            let told = [&event["code"], &event["description"]].map(|part| part.as_str().unwrap_or_default().to_owned());
            output::line(format!("  {:<26} {meaning:<24} {} {}", time(&event["time"]), told[0], told[1]));
        }
    }
    for line in result["explain"].as_array().into_iter().flatten() {
        output::line(format!("  {line}"));
    }
}

/// The wall clock and the offset as they were read, or that the text was not understood.
fn time(time: &Value) -> String {
    let part = |name: &str| time[name].as_str().unwrap_or_default();
    match (part("local"), part("raw")) {
        ("", "") => "no time".to_owned(),
        ("", raw) => format!("not understood: {raw:?}"),
        (local, _) => format!("{local}{}", part("offset")),
    }
}

fn read(file: &PathBuf) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BYTES).read_to_end(&mut body)?;
    } else {
        std::fs::File::open(file)?.take(MAX_BYTES).read_to_end(&mut body)?;
    }
    Ok(body)
}
