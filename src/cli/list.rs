//! `wismo list`: parcels, the newest news first.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use super::desk::ReadArgs;
use super::failure::Failure;
use super::{registry, rows};
use crate::model::{DelayKind, Moment, Status, Tracker};
use crate::spelling::nearest;
use crate::store::reader::Listing;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo list                                   the 50 with the newest news\n  wismo list --status exception --status attempt_failed\n  wismo list --delay late --carrier ups        late parcels of one carrier\n  wismo list --tag gift --since 2026-11-20 --limit 500 --json"
)]
pub struct ListArgs {
    /// Only this status; may be given several times
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<Status>,
    /// Only parcels with this delay open
    #[arg(
        long,
        value_name = "KIND",
        value_parser = delay,
        help = "Only parcels with this delay open: late, not_handed_over, stalled, carrier"
    )]
    delay: Option<DelayKind>,
    /// Only this carrier
    #[arg(long, value_name = "CODE")]
    carrier: Option<String>,
    /// Only parcels with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only parcels whose status changed since this date (UTC) or moment
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Timestamp>,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

fn status(text: &str) -> Result<Status, String> {
    let names = || Status::ALL.iter().map(|status| status.name());
    Status::ALL.iter().copied().find(|status| status.name() == text).ok_or_else(|| match nearest(text, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("known are: {}", names().collect::<Vec<_>>().join(", ")),
    })
}

fn delay(text: &str) -> Result<DelayKind, String> {
    let names = || DelayKind::ALL.iter().map(|kind| kind.name());
    let found = DelayKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| format!("known are: {}", names().collect::<Vec<_>>().join(", ")))
}

fn since(text: &str) -> Result<Timestamp, String> {
    match text.parse::<Moment>()? {
        Moment::Date(date) => Moment::Exact(date.at(0, 0, 0, 0), jiff::tz::Offset::UTC),
        Moment::Local(at) => Moment::Exact(at, jiff::tz::Offset::UTC),
        exact @ Moment::Exact(..) => exact,
    }
    .timestamp()
    .ok_or_else(|| "it lies outside of all time".to_owned())
}

/// Lists them.
pub async fn run(args: &ListArgs) -> Result<ExitCode, Failure> {
    let desk = args.read.open().await?;
    let listing = Listing { statuses: args.status.clone(), delay: args.delay };
    let found = desk.reader.list(&desk.shops, &listing, args.limit as usize, |tracker| wanted(args, tracker)).await?;
    if found.is_empty() && !args.json {
        eprintln!("No parcel is like that.");
        if let Some(carrier) = args.carrier.as_ref().filter(|code| registry().get(code).is_none()) {
            eprintln!("{carrier:?} is no carrier that wismo brings along; `wismo carriers list` shows them.");
        }
        return Ok(ExitCode::SUCCESS);
    }
    rows::print(&found, desk.now, args.json);
    Ok(ExitCode::SUCCESS)
}

fn wanted(args: &ListArgs, tracker: &Tracker) -> bool {
    args.carrier.as_ref().is_none_or(|carrier| tracker.carrier.as_str() == carrier)
        && args.tag.as_ref().is_none_or(|tag| tracker.registration.tags.contains(tag))
        && args.since.is_none_or(|since| tracker.status_since >= since)
        && (args.status.is_empty() || args.status.contains(&tracker.substatus.status()))
}
