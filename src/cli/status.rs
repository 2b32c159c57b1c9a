//! `wismo status`: is all well, and if not, what is the one thing to look at?

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::desk::{Desk, ReadArgs};
use super::failure::Failure;
use super::{output, words};
use crate::model::{AccountName, ShopId, Status};
use crate::store::reader::{AccountView, Daemon, EndpointView};

/// A daemon tells of itself every ten seconds; after so long it is missed.
const SILENT: SignedDuration = SignedDuration::from_secs(45);
/// Polls that wait longer than this are behind.
const BEHIND: SignedDuration = SignedDuration::from_mins(10);
/// An endpoint that has failed for so long, or will be left alone for so long, fails: one retry soon after is no news.
const FAILING: SignedDuration = SignedDuration::from_secs(30);

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo status            exit code 1 when something is wrong\n  wismo status --watch    redraws itself every two seconds\n  wismo status --json | jq -r .wrong"
)]
pub struct StatusArgs {
    /// Redraw every two seconds until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Everything that is known of how it goes.
struct View {
    daemons: Vec<Daemon>,
    accounts: Vec<AccountView>,
    shops: Vec<ShopView>,
}

struct ShopView {
    id: ShopId,
    counts: Vec<(Status, u64)>,
    endpoints: Vec<EndpointView>,
}

/// Shows it once, or again and again.
pub async fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    loop {
        let wrong = match look(args).await {
            Ok(wrong) => wrong,
            // Who watches wants to see it come back.
            Err(failure) if args.watch => {
                clear();
                output::line(words::alarm(&failure.text));
                true
            }
            Err(failure) => return Err(failure),
        };
        if !args.watch {
            return Ok(ExitCode::from(u8::from(wrong)));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn clear() {
    print!("\u{1b}[2J\u{1b}[H");
}

async fn look(args: &StatusArgs) -> Result<bool, Failure> {
    let desk = args.read.open().await?;
    let view = view(&desk).await?;
    let wrong = wrong(&view, desk.now);
    if args.watch {
        clear();
    }
    if args.json {
        output::json(&as_json(&view, wrong.as_deref(), desk.now));
    } else {
        output::line(as_text(&view, wrong.as_deref(), desk.now));
    }
    Ok(wrong.is_some())
}

async fn view(desk: &Desk) -> Result<View, Failure> {
    let daemons = desk.reader.daemons().await?;
    let names: std::collections::BTreeSet<AccountName> =
        daemons.iter().flat_map(|daemon| daemon.told.accounts.iter().cloned()).collect();
    let mut view = View { daemons, accounts: Vec::new(), shops: Vec::new() };
    for name in &names {
        view.accounts.push(desk.reader.account(name, desk.now).await?);
    }
    for id in &desk.shops {
        let mut endpoints = Vec::new();
        for endpoint in desk.reader.endpoint_ids(id).await? {
            endpoints.push(desk.reader.deliveries(&endpoint, desk.now).await?);
        }
        view.shops.push(ShopView { id: id.clone(), counts: desk.reader.counts(id).await?, endpoints });
    }
    Ok(view)
}

fn is_alive(daemon: &Daemon, now: Timestamp) -> bool {
    now.duration_since(daemon.seen_at) < SILENT
}

/// The one thing to look at first, the worst before the rest.
fn wrong(view: &View, now: Timestamp) -> Option<String> {
    if !view.daemons.iter().any(|daemon| is_alive(daemon, now)) {
        return Some(match view.daemons.first() {
            Some(last) => format!(
                "no daemon is at work: the last one ({} on {}) was heard of {}; systemctl status wismo",
                last.told.pid,
                last.told.host,
                words::ago(now, last.seen_at)
            ),
            None => "no daemon has been at work in the last day: start `wismo run`".to_owned(),
        });
    }
    let alive = view.daemons.iter().filter(|daemon| is_alive(daemon, now));
    if let Some((daemon, carrier)) =
        alive.flat_map(|daemon| daemon.told.stale.iter().map(move |code| (daemon, code))).next()
    {
        return Some(format!(
            "the new definition of carrier {carrier} is broken, daemon {} on {} goes by the old one: see `wismo check`, mend it, reload",
            daemon.told.pid, daemon.told.host
        ));
    }
    let paused = view.accounts.iter().filter_map(|account| Some((account, account.pause.as_ref()?)));
    let longest = paused.max_by_key(|(_, pause)| pause.until);
    if let Some((account, pause)) = longest {
        return Some(format!(
            "account {} is not polled until {}: {}{}",
            account.name,
            words::instant(pause.until),
            words::plain(&pause.why),
            advice(&pause.why)
        ));
    }
    let behind = view.accounts.iter().filter_map(|account| Some((account, account.due_since?)));
    if let Some((account, since)) =
        behind.min_by_key(|(_, since)| *since).filter(|(_, since)| now.duration_since(*since) > BEHIND)
    {
        let held = if account.holder.is_none() { " and no daemon polls it" } else { "" };
        return Some(format!(
            "account {} is behind by {}{held}: {} of its parcels are due",
            account.name,
            words::length(now.duration_since(since)),
            account.due
        ));
    }
    let endpoints = view.shops.iter().flat_map(|shop| shop.endpoints.iter().map(move |endpoint| (shop, endpoint)));
    let dead = endpoints.clone().filter(|(_, endpoint)| endpoint.dead > 0).max_by_key(|(_, endpoint)| endpoint.dead);
    if let Some((shop, endpoint)) = dead {
        return Some(format!(
            "{} to {} of shop {} given up: with the shop's key, `wismo endpoints dead {}` says why; mend and enable it, then \
             `wismo endpoints replay {} --all`",
            match endpoint.dead {
                1 => "1 delivery".to_owned(),
                dead => format!("{dead} deliveries"),
            },
            endpoint.id,
            shop.id,
            endpoint.id,
            endpoint.id
        ));
    }
    endpoints
        .filter(|(_, endpoint)| !endpoint.held && endpoint.waiting.subjects > 0)
        .find_map(|(shop, endpoint)| fails(shop, endpoint, now))
}

fn fails(shop: &ShopView, endpoint: &EndpointView, now: Timestamp) -> Option<String> {
    let rests = endpoint.paused_until.filter(|until| until.duration_since(now) > FAILING);
    let since = endpoint.failing_since.filter(|since| now.duration_since(*since) > FAILING);
    if rests.is_none() && since.is_none() {
        return None;
    }
    let since = since.map(|since| format!(" since {}", words::instant(since))).unwrap_or_default();
    let why = endpoint.last_error.as_deref().map(|error| format!(" ({})", words::plain(error))).unwrap_or_default();
    let wait = rests.map_or_else(
        || "its deliveries are tried again".to_owned(),
        |until| format!("its deliveries wait until {}", words::instant(until)),
    );
    Some(format!("endpoint {} of shop {} fails{since}{why}: {wait}", endpoint.id, shop.id))
}

/// What to do about an account that rests; it is asked again by itself when the time has come.
fn advice(why: &str) -> &'static str {
    match why.split(|c: char| c == ':' || c.is_whitespace()).next() {
        Some("auth_failed") => ". Mend its credentials and reload: the rest ends then",
        Some("carrier_fault") => ". The carrier does not answer as it should; it is asked again when the pause ends",
        Some("throttled") => {
            ". The carrier wants fewer calls: see the account's limits; it is asked again when the pause ends"
        }
        _ => "",
    }
}

fn as_text(view: &View, wrong: Option<&str>, now: Timestamp) -> String {
    let mut parts = vec![match wrong {
        None => words::fine("All is well."),
        Some(wrong) => words::alarm(&format!("Wrong: {wrong}")),
    }];
    let daemons: Vec<_> = view.daemons.iter().map(|daemon| daemon_row(daemon, now)).collect();
    parts.push(words::table(["DAEMON", "HOST", "VERSION", "API", "SINCE", "HEARD OF"], &daemons));
    let accounts: Vec<_> = view.accounts.iter().map(|account| account_row(account, now)).collect();
    parts.push(words::table(["ACCOUNT", "POLLED", "PARCELS", "DUE", "LAG"], &accounts));
    for shop in &view.shops {
        let told: Vec<String> = shop
            .counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        let told = if told.is_empty() { "no parcels".to_owned() } else { told.join(", ") };
        parts.push(format!("{}: {told}", words::strong(shop.id.as_str())));
        if !shop.endpoints.is_empty() {
            let rows: Vec<_> = shop.endpoints.iter().map(|endpoint| endpoint_row(endpoint, now)).collect();
            parts.push(words::table(["ENDPOINT", "WAITING FOR IT", "NEXT ATTEMPT", "GIVEN UP"], &rows));
        }
    }
    parts.join("\n\n")
}

fn daemon_row(daemon: &Daemon, now: Timestamp) -> [String; 6] {
    let told = &daemon.told;
    let heard = words::ago(now, daemon.seen_at);
    [
        format!("process {}", told.pid),
        told.host.clone(),
        told.version.clone(),
        told.listen.clone(),
        words::ago(now, told.started_at),
        if is_alive(daemon, now) { heard } else { format!("{heard} (silent)") },
    ]
}

fn account_row(account: &AccountView, now: Timestamp) -> [String; 5] {
    let polled = match (&account.pause, &account.holder) {
        (Some(pause), _) => format!("paused until {}", words::instant(pause.until)),
        (None, Some(_)) => "yes".to_owned(),
        (None, None) => "by nobody".to_owned(),
    };
    let lag = account.due_since.map_or_else(|| "-".to_owned(), |since| words::length(now.duration_since(since)));
    [account.name.to_string(), polled, account.tracked.to_string(), account.due.to_string(), lag]
}

fn endpoint_row(endpoint: &EndpointView, now: Timestamp) -> [String; 4] {
    let next = match (endpoint.held, endpoint.paused_until.or(endpoint.waiting.next_at)) {
        (true, _) => "held: paused or disabled".to_owned(),
        (false, Some(at)) if at > now => words::ago(now, at),
        (false, Some(_)) => "now".to_owned(),
        (false, None) => "-".to_owned(),
    };
    [endpoint.id.to_string(), endpoint.waiting.subjects.to_string(), next, endpoint.dead.to_string()]
}

fn as_json(view: &View, wrong: Option<&str>, now: Timestamp) -> Value {
    let daemons: Vec<Value> = view
        .daemons
        .iter()
        .map(|daemon| {
            let told = &daemon.told;
            json!({
                "pid": told.pid, "host": told.host, "version": told.version, "listen": told.listen,
                "started_at": told.started_at, "seen_at": daemon.seen_at, "alive": is_alive(daemon, now),
            })
        })
        .collect();
    let accounts: Vec<Value> = view
        .accounts
        .iter()
        .map(|account| {
            json!({
                "account": account.name, "holder": account.holder, "parcels": account.tracked, "due": account.due,
                "due_since": account.due_since,
                "paused": account.pause.as_ref().map(|pause| json!({"until": pause.until, "why": pause.why})),
            })
        })
        .collect();
    let shops: Vec<Value> = view.shops.iter().map(shop_json).collect();
    json!({"ok": wrong.is_none(), "wrong": wrong, "daemons": daemons, "accounts": accounts, "shops": shops})
}

fn shop_json(shop: &ShopView) -> Value {
    let counts: serde_json::Map<String, Value> =
        shop.counts.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
    let endpoints: Vec<Value> = shop
        .endpoints
        .iter()
        .map(|endpoint| {
            json!({
                "endpoint": endpoint.id.to_string(), "waiting": endpoint.waiting.subjects,
                "next_at": endpoint.waiting.next_at, "paused_until": endpoint.paused_until, "held": endpoint.held,
                "dead": endpoint.dead, "last_error": endpoint.last_error, "failing_since": endpoint.failing_since,
            })
        })
        .collect();
    json!({"shop": shop.id, "parcels": counts, "endpoints": endpoints})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::reader::Waiting;

    #[test]
    fn an_endpoint_fails_from_its_first_failure_that_is_not_made_good_soon() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let shop = ShopView { id: "boutique".parse().unwrap(), counts: Vec::new(), endpoints: Vec::new() };
        let told = |failing: Option<i64>, rests: Option<i64>| {
            let endpoint = EndpointView {
                id: "ep_aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap(),
                waiting: Waiting { subjects: 1, next_at: None },
                paused_until: rests.map(|seconds| now + SignedDuration::from_secs(seconds)),
                held: false,
                dead: 0,
                last_error: failing.map(|_| "503".to_owned()),
                failing_since: failing.map(|seconds| now - SignedDuration::from_secs(seconds)),
            };
            fails(&shop, &endpoint, now).unwrap_or_default()
        };
        assert_eq!(told(None, None), "");
        assert_eq!(told(Some(20), Some(20)), "", "it is tried again soon");
        // Between two attempts nothing rests, and yet it fails.
        let since = words::instant(now - SignedDuration::from_secs(31));
        let said = told(Some(31), None);
        assert!(said.ends_with(&format!(" fails since {since} (503): its deliveries are tried again")), "{said}");
        assert!(told(Some(2), Some(31)).contains("(503): its deliveries wait until "));
        assert!(told(None, Some(31)).contains(" fails: its deliveries wait until "));
    }
}
