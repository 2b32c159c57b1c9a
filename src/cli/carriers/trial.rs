//! `wismo carriers try`: one live call with an account, inside its quota.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::carrier::{Carrier, RawAnswer, Registry, ShownRequest};
use crate::cli::failure::Failure;
use crate::cli::{ConfigArgs, normalize, output, words};
use crate::daemon::{self, Tried};
use crate::model::AccountName;
use crate::settings::Settings;

/// The sandbox's account is in no configuration.
const SANDBOX: &str = "sandbox";

#[derive(Args)]
#[command(
    after_help = "The daemon that polls the account makes the call: it alone knows what is left of the quota. So one has to run, with\nthis configuration; it asks by the definition that it has loaded (reload it after a change), and the answer is\nmapped here by the definition as it is now. Run it as the daemon's own user, as for `wismo shops`.\n\nExamples:\n  wismo carriers try ups 1Z12345E0205271688 --account ups\n  wismo carriers try acme 12345678 --account acme --input postcode=75001 --save samples/moving.json\n\n--save writes what carriers/README.md calls a sample: numbers, names, streets, phones, e-mail addresses, tokens and\nwhat the definition drops are replaced. Read it before you give it to anybody.\n\nAn account that was refused (401) rests for five minutes, and is asked again by itself then. Exit code 0 when an\nanswer came, whatever it says (auth_failed, throttled and carrier_fault, too: see `outcome`), 1 when nothing was sent."
)]
pub struct TryArgs {
    /// The carrier's code or an alias
    code: String,
    /// Number to ask about
    number: String,
    /// Account to ask with, [accounts.NAME] of the configuration
    #[arg(long, value_name = "NAME")]
    account: AccountName,
    /// What the carrier asks for beside the number: name=value (`wismo carriers show CODE`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    input: Vec<(String, String)>,
    /// Write the answer without people and secrets to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// What is tried, once it is found to make sense.
struct Trial {
    settings: Settings,
    carrier: std::sync::Arc<Carrier>,
    environment: Option<String>,
    number: String,
}

/// Runs it.
pub async fn run(args: &TryArgs) -> Result<ExitCode, Failure> {
    let (settings, registry) = match args.config.load_with_carriers() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let trial = trial(args, settings, &registry)?;
    if let Some(file) = args.save.as_ref().filter(|file| file.exists()) {
        return Err(Failure::usage(format!("{} is there already: name a new file", file.display())));
    }
    let inputs = args.input.iter().cloned().collect();
    let tried = daemon::try_call(&trial.settings, &args.account, &trial.number, inputs).await;
    let tried = tried.map_err(|error| Failure::unavailable(error.to_string()))?;
    let raw = tried.answer.as_ref().map(daemon::TriedAnswer::raw);
    let read = |raw: &RawAnswer, number: &str| {
        normalize::view(&trial.carrier, trial.environment.as_deref(), &[number.to_owned()], raw, false)
    };
    let mapping = raw.as_ref().map(|raw| read(raw, &trial.number));
    let saved = match (&args.save, &raw) {
        (Some(file), Some(raw)) => Some(save(file, &trial, args, raw, &read)?),
        _ => None,
    };
    if args.json {
        output::json(&as_json(&tried, mapping.as_ref(), saved.as_ref()));
    } else {
        print(&tried, mapping.as_ref(), saved.as_ref());
    }
    Ok(if tried.answer.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn trial(args: &TryArgs, settings: Settings, registry: &Registry) -> Result<Trial, Failure> {
    let unknown = || Failure::usage(registry.unknown(&args.code));
    let carrier = registry.get(&args.code).ok_or_else(unknown)?;
    let account = settings.accounts.get(&args.account);
    let of = account.map_or(SANDBOX, |account| account.carrier.as_str());
    if account.is_none() && args.account.as_str() != SANDBOX {
        let known: Vec<&str> = settings.accounts.keys().map(AccountName::as_str).collect();
        return Err(Failure::usage(format!("there is no account {}; known: {}", args.account, known.join(", "))));
    }
    if registry.get(of).is_none_or(|theirs| theirs.code() != carrier.code()) {
        return Err(Failure::usage(format!("the account {} is one of {of}, not of {}", args.account, carrier.code())));
    }
    let inputs = args.input.iter().cloned().collect();
    if let Some(problem) = carrier.input_problems(&inputs).first() {
        return Err(Failure::usage(format!("{problem} (--input NAME=VALUE)")));
    }
    // A number that is none is worth trying, too: that answer has to be known.
    let number = carrier.normalise(&args.number).unwrap_or_else(|problem| {
        eprintln!("wismo: {problem}; asking about it as it stands");
        args.number.trim().to_owned()
    });
    let environment = account.map(|account| account.environment.clone());
    Ok(Trial { settings, carrier, environment, number })
}

/// Writes the sample; says what was replaced, and whether it still reads as the answer did.
fn save(
    file: &Path,
    trial: &Trial,
    args: &TryArgs,
    raw: &RawAnswer,
    read: &dyn Fn(&RawAnswer, &str) -> Value,
) -> Result<Value, Failure> {
    let account = trial.settings.accounts.get(&args.account);
    let secrets: Vec<&str> =
        account.into_iter().flat_map(|one| one.credentials.values().map(ExposeSecret::expose_secret)).collect();
    let scrubbed = trial.carrier.scrub(raw, &trial.number, &secrets);
    let open = std::fs::File::options().write(true).create_new(true).open(file);
    let written = open.and_then(|mut out| out.write_all(scrubbed.body.as_bytes()));
    written.map_err(|error| Failure::unavailable(format!("{} cannot be written: {error}", file.display())))?;
    let holds_number = scrubbed.body.contains(&scrubbed.number);
    let again = RawAnswer { body: scrubbed.body.into_bytes(), ..raw.clone() };
    let same = told(&read(raw, &trial.number)) == told(&read(&again, &scrubbed.number));
    Ok(json!({
        "file": file, "number": scrubbed.number, "http_status": raw.status, "kind": scrubbed.extension,
        "replaced": scrubbed.replaced, "reads_the_same": same, "holds_number": holds_number,
    }))
}

/// What must not change when people are taken out of an answer: outcomes, statuses, codes.
fn told(view: &Value) -> Value {
    let parcel = |parcel: &Value| {
        let events = parcel["events"].as_array().into_iter().flatten();
        let events: Vec<Value> =
            events.map(|event| json!([event["code"], event["substatus"], event["time"]])).collect();
        json!([parcel["outcome"], parcel["status"], parcel["substatus"], events])
    };
    let parcels: Vec<Value> = view["parcels"].as_array().into_iter().flatten().map(parcel).collect();
    json!([view["outcome"], parcels])
}

fn as_json(tried: &Tried, mapping: Option<&Value>, saved: Option<&Value>) -> Value {
    let answer = tried.answer.as_ref().map(|answer| {
        let raw = answer.raw();
        let headers: Vec<Value> =
            raw.headers.iter().map(|(name, value)| json!([name, shown_header(name, value)])).collect();
        json!({"status": raw.status, "headers": headers, "bytes": raw.body.len(), "took_ms": answer.took_ms})
    });
    json!({
        "request": tried.request, "fetched_token": tried.fetched_token, "answer": answer,
        "failure": tried.failure, "mapping": mapping, "saved": saved,
    })
}

/// Cookies of an answer are tokens.
fn shown_header<'v>(name: &str, value: &'v str) -> &'v str {
    let lower = name.to_ascii_lowercase();
    if ["cookie", "token", "auth", "secret"].iter().any(|word| lower.contains(word)) { "***" } else { value }
}

fn print(tried: &Tried, mapping: Option<&Value>, saved: Option<&Value>) {
    if tried.fetched_token {
        output::line("(a token was fetched first)");
    }
    if let Some(ShownRequest { method, url, headers, body }) = &tried.request {
        let unanswered = if tried.answer.is_none() { "  (no answer to it)" } else { "" };
        output::line(format!("{} {}{unanswered}", words::strong(method), words::plain(url)));
        for (name, value) in headers {
            output::line(format!("  {name}: {}", words::plain(value)));
        }
        for line in body.iter().flat_map(|body| body.lines()) {
            output::line(format!("  {}", words::plain(line)));
        }
    }
    if let Some(failure) = &tried.failure {
        output::line(format!("\n{}", words::plain(failure)));
    }
    if let Some(answer) = &tried.answer {
        let raw = answer.raw();
        output::line(format!("\nHTTP {} after {} ms, {} bytes", raw.status, answer.took_ms, raw.body.len()));
        for (name, value) in &raw.headers {
            output::line(format!("  {}: {}", words::plain(name), words::plain(shown_header(name, value))));
        }
        output::line("");
    }
    if let Some(mapping) = mapping {
        normalize::print(mapping);
    }
    if let Some(saved) = saved {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let replaced: Vec<String> = saved["replaced"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(what, times)| format!("{what} ({times})"))
            .collect();
        let replaced = if replaced.is_empty() { "nothing".to_owned() } else { replaced.join(", ") };
        output::line(format!("\nSaved as {}: replaced {replaced}.", text(&saved["file"])));
        let holds = saved["holds_number"] == json!(true);
        let number = if holds { format!("The number in it is {}. ", text(&saved["number"])) } else { String::new() };
        output::line(format!("{number}Read it before you give it to anybody."));
        if saved["reads_the_same"] == json!(false) {
            output::line("It does not read as the answer did: what was replaced mattered. Mend it by hand.");
        }
    }
}
