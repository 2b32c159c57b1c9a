//! `wismo import`: registers the parcels of a CSV file.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::{ApiArgs, Client};
use super::failure::Failure;
use super::progress::Progress;
use super::{DATA, output};
use crate::spelling::nearest;

/// Parcels in one call.
const BATCH: usize = 100;
/// Columns that are a field of the registration as they stand.
const PLAIN: [&str; 8] = ["number", "carrier", "account", "customer_ref", "direction", "ship_by", "locale", "history"];
/// The other columns.
const OTHER: [&str; 11] = [
    "order",
    "order_placed_at",
    "promised_from",
    "promised_to",
    "promised_zone",
    "country",
    "postcode",
    "zone",
    "tags",
    "related",
    "importance",
];

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo import parcels.csv\n  wismo import - < parcels.csv\n  wismo import parcels.csv --check        only say which lines are wrong\n\nThe first line names the columns: number (the only one that is needed), carrier, account, order, order_placed_at,\ncustomer_ref, direction, promised_from, promised_to, promised_zone, ship_by, country, postcode, zone, locale, tags and\nrelated (several with | between), importance, history, and metadata.NAME and inputs.NAME. Commas, semicolons or tabs part the cells; empty ones are left out.\nExit code 65 when lines were wrong; all others are registered. A number that is followed already takes over what is\ngiven, so a file may be imported again."
)]
pub struct ImportArgs {
    /// The file; - is standard input
    file: PathBuf,
    /// Register nothing; only read the file and report lines that are no registration. What only the daemon can judge
    /// (carriers, dates, countries) is reported when it is imported
    #[arg(long)]
    check: bool,
    /// Print a summary as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

/// What became of the file.
#[derive(Default)]
struct Tally {
    created: u64,
    updated: u64,
    bad: Vec<(u64, String)>,
    /// So many of these are printed.
    printed: usize,
}

impl Tally {
    fn wrong(&mut self, line: u64, why: String) {
        self.bad.push((line, why));
    }

    /// Prints what was found since it was last printed, in the order of the file.
    fn tell(&mut self) {
        self.bad[self.printed..].sort();
        for (line, why) in &self.bad[self.printed..] {
            eprintln!("line {line}: {why}");
        }
        self.printed = self.bad.len();
    }
}

/// Registers them in batches; a bad line is reported and harms no other.
pub async fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let text = read(&args.file)?;
    let mut format = csv::ReaderBuilder::new();
    format.flexible(true).trim(csv::Trim::All).delimiter(delimiter(&text));
    let open = open_quote(&text, delimiter(&text));
    let whole = open.map_or(text.as_str(), |open| &text[..open.record]);
    let mut rows = format.from_reader(whole.as_bytes());
    let head = rows.headers().map_err(|error| Failure::data(format!("the first line: {error}")))?.clone();
    if let Some(open) = open.filter(|open| open.record == 0) {
        return Err(Failure::data(open.text()));
    }
    check_columns(&head)?;
    let client = if args.check { None } else { Some(args.api.client()?) };
    let mut tally = Tally::default();
    let mut progress = Progress::new("lines read", u64::try_from(text.lines().count()).unwrap_or_default(), args.check);
    let mut batch: Vec<(u64, Value)> = Vec::new();
    for row in rows.records() {
        let line = row.as_ref().map_or_else(|error| error.position(), |row| row.position()).map(csv::Position::line);
        progress.reach(line.unwrap_or_default());
        match row {
            Ok(row) => {
                let line = row.position().map_or(0, csv::Position::line);
                match registration(&head, &row) {
                    Ok(registration) => batch.push((line, registration)),
                    Err(why) => tally.wrong(line, why),
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                tally.wrong(line, error.to_string());
            }
        }
        if batch.len() == BATCH {
            let sent = send(client.as_ref(), &mut batch, &mut tally).await;
            tally.tell();
            sent?;
        }
    }
    if let Some(open) = open {
        tally.wrong(open.line, open.text());
    }
    let sent = send(client.as_ref(), &mut batch, &mut tally).await;
    tally.tell();
    sent?;
    progress.finish();
    Ok(summary(args, &tally))
}

fn read(file: &std::path::Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let outcome = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    outcome.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = good.matches('\n').count() + 1;
        Failure::data(format!("{} is not UTF-8: line {line}; save it as UTF-8 and run it again", file.display()))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// What parts the cells: spreadsheets of many countries write semicolons, or tabs.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|one| (head.matches(char::from(*one)).count(), *one == b','))
        .unwrap_or(b',')
}

/// A quote that nothing closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenQuote {
    /// Where the record begins that it is in.
    record: usize,
    /// The line that it stands in, from 1.
    line: u64,
}

impl OpenQuote {
    fn text(self) -> String {
        format!("a quote opened in line {} is never closed; nothing after it was read", self.line)
    }
}

/// Finds it. The rest of the file would be one long cell, and its parcels would be lost without a word.
fn open_quote(text: &str, delimiter: u8) -> Option<OpenQuote> {
    /// Where in a cell the reader is.
    enum At {
        Start,
        Bare,
        Quoted(u64),
        Closed(u64),
    }
    let (mut at, mut record, mut line) = (At::Start, 0, 1);
    for (place, byte) in text.bytes().enumerate() {
        let ends_record = matches!(byte, b'\n' | b'\r');
        at = match (at, byte) {
            (At::Start, b'"') => At::Quoted(line),
            (At::Quoted(opened), b'"') => At::Closed(opened),
            (At::Closed(opened), b'"') | (At::Quoted(opened), _) => At::Quoted(opened),
            (_, byte) if ends_record || byte == delimiter => At::Start,
            _ => At::Bare,
        };
        line += u64::from(byte == b'\n');
        if ends_record && matches!(at, At::Start) {
            record = place + 1;
        }
    }
    match at {
        At::Quoted(line) => Some(OpenQuote { record, line }),
        _ => None,
    }
}

fn check_columns(head: &csv::StringRecord) -> Result<(), Failure> {
    let known = || PLAIN.into_iter().chain(OTHER);
    let mut seen = std::collections::HashSet::new();
    for name in head {
        let free = ["metadata.", "inputs."].iter().any(|start| name.len() > start.len() && name.starts_with(start));
        if !free && !known().any(|one| one == name) {
            let hint = nearest(name, known()).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            return Err(Failure::data(format!("the first line names a column {name:?} that is none{hint}")));
        }
        if !seen.insert(name) {
            return Err(Failure::data(format!("the first line names the column {name:?} twice")));
        }
    }
    if seen.contains("number") {
        return Ok(());
    }
    Err(Failure::data("the first line names no column \"number\"; see wismo import --help"))
}

/// A line as the API takes it.
fn registration(head: &csv::StringRecord, row: &csv::StringRecord) -> Result<Value, String> {
    if row.len() != head.len() {
        let cells = output::count(row.len(), "cell", "cells");
        return Err(format!("{cells}, and the first line names {} columns", head.len()));
    }
    let cells: Vec<(&str, &str)> = head.iter().zip(row).filter(|(_, cell)| !cell.is_empty()).collect();
    let cell = |name: &str| cells.iter().find(|(known, _)| *known == name).map(|(_, cell)| *cell);
    if cell("number").is_none() {
        return Err("there is no number".to_owned());
    }
    let mut body = Map::new();
    let plain = PLAIN.iter().filter_map(|name| Some(((*name).to_owned(), json!(cell(name)?))));
    body.extend(plain);
    let object = |names: &[(&str, &str)]| {
        let fields = names.iter().filter_map(|(column, field)| Some(((*field).to_owned(), json!(cell(column)?))));
        let object: Map<String, Value> = fields.collect();
        (!object.is_empty()).then_some(Value::Object(object))
    };
    let mut put = |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
    put("orders", object(&[("order", "reference"), ("order_placed_at", "placed_at")]).map(|order| json!([order])));
    put("promised", object(&[("promised_from", "from"), ("promised_to", "to"), ("promised_zone", "zone")]));
    put("destination", object(&[("country", "country"), ("postcode", "postcode"), ("zone", "zone")]));
    for name in ["tags", "related"] {
        let parts = cell(name).map(|cell| cell.split('|').map(str::trim).filter(|part| !part.is_empty()).collect());
        put(name, parts.map(|parts: Vec<&str>| json!(parts)));
    }
    if let Some(given) = cell("importance") {
        let number: u8 = given.parse().map_err(|_| format!("importance: {given:?} is no whole number from 1 to 10"))?;
        put("importance", Some(json!(number)));
    }
    for group in ["metadata", "inputs"] {
        let prefix = format!("{group}.");
        let fields =
            cells.iter().filter_map(|(name, cell)| Some((name.strip_prefix(&prefix)?.to_owned(), json!(cell))));
        let fields: Map<String, Value> = fields.collect();
        put(group, (!fields.is_empty()).then_some(Value::Object(fields)));
    }
    Ok(Value::Object(body))
}

async fn send(client: Option<&Client>, batch: &mut Vec<(u64, Value)>, tally: &mut Tally) -> Result<(), Failure> {
    let (Some(client), Some((first, _))) = (client, batch.first().cloned()) else {
        batch.clear();
        return Ok(());
    };
    let items: Vec<&Value> = batch.iter().map(|(_, item)| item).collect();
    let answer = client.json(Method::POST, "/v1/trackers/batch", Some(&json!({"trackers": items}))).await;
    let answer = answer.map_err(|failure| Failure {
        text: match tally.created + tally.updated {
            0 => format!("{} (nothing of the file is registered yet: run it again)", failure.text),
            _ => format!("{} (what is right before line {first} is registered: run the same file again)", failure.text),
        },
        ..failure
    })?;
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    for (at, (line, _)) in batch.iter().enumerate() {
        let result = results.iter().find(|result| result["index"].as_u64() == u64::try_from(at).ok());
        match result.and_then(|result| Some((result["status"].as_u64()?, result))) {
            Some((201, _)) => tally.created += 1,
            Some((200, _)) => tally.updated += 1,
            Some((_, result)) => {
                let problem = super::client::Refusal {
                    status: reqwest::StatusCode::UNPROCESSABLE_ENTITY,
                    problem: result["problem"].clone(),
                };
                tally.wrong(*line, problem.text());
            }
            None => tally.wrong(*line, "the daemon did not say what became of it; import it again".to_owned()),
        }
    }
    batch.clear();
    Ok(())
}

fn summary(args: &ImportArgs, tally: &Tally) -> ExitCode {
    let bad: Vec<Value> = tally.bad.iter().map(|(line, why)| json!({"line": line, "why": why})).collect();
    if args.json {
        output::json(&json!({"created": tally.created, "updated": tally.updated, "bad": bad}));
    } else {
        let wrong = output::count(bad.len(), "line was wrong", "lines were wrong");
        output::line(if args.check {
            format!("{wrong}; nothing was registered.")
        } else {
            format!("{} new, {} known already, {wrong}.", tally.created, tally.updated)
        });
    }
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DATA) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_nothing_closes_is_found_where_it_opens() {
        let found = |text: &str| open_quote(text, b',');
        for closed in ["a,b\n1,2\n", "\"a\",b\n\"x \"\"y\"\" z\",\"two\nlines\"\n", "a,5\" pipe\n1,\"\"\n", ""] {
            assert_eq!(found(closed), None, "{closed}");
        }
        assert_eq!(found("a,b\n1,\"x\n2,y\n"), Some(OpenQuote { record: 4, line: 2 }));
        assert_eq!(found("a,b\r\n\"1\n1\",\"x\"\"\r\n"), Some(OpenQuote { record: 5, line: 3 }));
        assert_eq!(found("\"a,b\n1,2\n").map(|open| open.record), Some(0));
    }
}
