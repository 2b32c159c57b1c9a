//! From settings to what the rooms need: accounts with their carriers, rules, tables. Everything is judged before
//! anything is opened, and every problem is told at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::api::AccountInfo;
use crate::carrier::{Carrier, Found, Registry};
use crate::model::{AccountName, CarrierCode};
use crate::polling::Account;
use crate::polling::account::{Limits, rate_window};
use crate::polling::longest_exchange;
use crate::polling::schedule::IntervalTable;
use crate::polling::settle::Policy;
use crate::polling::windows::ShortWindow;
use crate::settings::{self, Polling, Problem, Settings, Shops};
use crate::spelling::nearest;
use crate::store::{IN_MEMORY_WINDOW, LongWindow};

/// How wrong a carrier's clock may be beside ours, where a window of its starts at midnight.
const SKEW: Duration = Duration::from_secs(10);
use crate::tracking::Rules;
use crate::webhook::guard::{Guard, Ports};

/// Name of the account that the built-in sandbox is polled with.
pub const SANDBOX: &str = "sandbox";

/// Everything that follows from the settings.
pub struct Plan {
    /// Definitions of all carriers.
    pub registry: Arc<Registry>,
    /// Accounts to poll, the sandbox's apart.
    pub accounts: Vec<Account>,
    /// Who may use them.
    pub access: BTreeMap<AccountName, AccountInfo>,
    /// Delay rules and intervals.
    pub policy: Policy,
    /// Carriers whose new definition is broken, so that the old one stays in force; and why.
    pub stale: BTreeMap<CarrierCode, String>,
    /// Judges endpoints' addresses.
    pub guard: Guard,
}

/// Works the settings out, or says all that is wrong.
pub fn plan(settings: &Settings) -> Result<Plan, Vec<Problem>> {
    plan_beside(settings, &Registry::default())
}

/// What a daemon at work, with these definitions, would refuse.
pub fn problems_beside(settings: &Settings, old: &Registry) -> Vec<Problem> {
    plan_beside(settings, old).err().unwrap_or_default()
}

/// The same for a daemon at work: where a definition is broken, the one of `old` stays in force.
pub fn plan_beside(settings: &Settings, old: &Registry) -> Result<Plan, Vec<Problem>> {
    let mut found = Registry::find(settings.carriers_dir.as_deref());
    let stale = found.standing_in(old);
    let stale = stale.into_iter().map(|(code, problem)| (code, problem.to_string())).collect();
    let Found { registry, broken, problems } = found;
    let mut problems = carrier_problems(problems, settings);
    problems.extend(super::storage::master_key_problem(settings));
    let mut accounts = Vec::new();
    let mut access = BTreeMap::new();
    // Of a carrier whose definition is broken nothing is known that an account could be judged by.
    for (name, configured) in settings.accounts.iter().filter(|(_, account)| !broken.contains(&account.carrier)) {
        if let Some(account) = account(&registry, name, configured, &settings.polling, &mut problems) {
            let info = AccountInfo { carrier: account.carrier.code().clone(), shops: configured.shops.clone() };
            access.insert(name.clone(), info);
            accounts.push(account);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let ports = settings.webhook.extra_ports.iter().copied().chain([80, 443]).collect();
    Ok(Plan {
        registry: Arc::new(registry),
        policy: policy(settings, &accounts),
        accounts,
        access,
        stale,
        guard: Guard::new(settings.webhook.allow_nets.clone(), Ports { low: ports, high: true }),
    })
}

impl Plan {
    /// Adds the account of the sandbox that listens here, for every shop.
    pub fn add_sandbox(&mut self, listening: SocketAddr, settings: &Settings) {
        let Ok(name) = SANDBOX.parse::<AccountName>() else { return };
        let Some(carrier) = self.registry.get(SANDBOX).filter(|_| !self.access.contains_key(&name)) else { return };
        let configured = settings::Account {
            carrier: SANDBOX.to_owned(),
            environment: "production".to_owned(),
            base_url: Some(format!("http://{listening}")),
            language: None,
            credentials: BTreeMap::new(),
            limits: settings::AccountLimits::default(),
            shops: Shops::All,
        };
        self.access.insert(name.clone(), AccountInfo { carrier: carrier.code().clone(), shops: Shops::All });
        self.accounts.push(assemble(&name, carrier, &configured, &settings.polling));
        self.policy.days.insert(name, settings.sandbox.day);
    }
}

/// Problems of carrier definitions, as problems of the configuration.
#[must_use]
pub fn carrier_problems(problems: Vec<crate::carrier::Problem>, settings: &Settings) -> Vec<Problem> {
    let folder = settings.carriers_dir.as_ref().map(|folder| folder.display().to_string());
    let as_ours = |problem: crate::carrier::Problem| {
        // The folder itself is named by a key; what lies in it has a file of its own.
        if Some(&problem.file) == folder.as_ref() {
            return Problem::with_key("carriers.dir", format!("{}: {}", problem.file, problem.message));
        }
        Problem { origin: problem.file, line: problem.line, key: problem.key, message: problem.message }
    };
    problems.into_iter().map(as_ours).collect()
}

fn nearest_or_all<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

fn account(
    registry: &Registry,
    name: &AccountName,
    configured: &settings::Account,
    polling: &Polling,
    problems: &mut Vec<Problem>,
) -> Option<Account> {
    let told = |what: &str, message: String| Problem::with_key(format!("accounts.{name}.{what}"), message);
    let Some(carrier) = registry.get(&configured.carrier) else {
        let hint = nearest_or_all(&configured.carrier, registry.codes().map(CarrierCode::as_str));
        problems.push(told("carrier", format!("{:?} is no carrier; {hint}", configured.carrier)));
        return None;
    };
    let before = problems.len();
    let definition = carrier.definition();
    if !definition.environments.contains_key(&configured.environment) {
        let known: Vec<&str> = definition.environments.keys().map(String::as_str).collect();
        problems.push(told("environment", format!("{:?} is none of {}", configured.environment, known.join(", "))));
    }
    for (credential, spec) in &definition.credentials {
        if spec.required && !configured.credentials.contains_key(credential) {
            problems.push(told("credentials", format!("{credential} is missing: {}", spec.help)));
        }
    }
    for given in configured.credentials.keys().filter(|given| !definition.credentials.contains_key(*given)) {
        let hint = nearest_or_all(given, definition.credentials.keys().map(String::as_str));
        let message = format!("{given:?} is no credential of {}; {hint}", carrier.code());
        problems.push(told(&format!("credentials.{given}"), message));
    }
    (problems.len() == before).then(|| assemble(name, carrier, configured, polling))
}

fn assemble(name: &AccountName, carrier: Arc<Carrier>, configured: &settings::Account, polling: &Polling) -> Account {
    Account {
        name: name.clone(),
        limits: limits(&carrier, configured, polling),
        carrier,
        environment: configured.environment.clone(),
        base_url: configured.base_url.clone(),
        language: configured.language.clone(),
        credentials: configured.credentials.clone(),
    }
}

/// A window as it is published or configured.
struct Window {
    calls: u32,
    per: Duration,
    reset: Option<TimeZone>,
}

/// The carrier's published limits, with the account's own in their place where given.
fn limits(carrier: &Carrier, configured: &settings::Account, polling: &Polling) -> Limits {
    let published = carrier.limits(&configured.environment);
    let own = &configured.limits;
    let (calls, per) = rate_window(own.per_second.map_or(published.per_second, f64::from));
    let zone = |name: &String| TimeZone::get(name).ok();
    let windows: Vec<Window> = match &own.windows {
        Some(windows) => windows
            .iter()
            .map(|w| Window { calls: w.calls, per: w.per, reset: w.reset.as_ref().and_then(zone) })
            .collect(),
        None => published
            .windows
            .iter()
            .map(|w| Window { calls: w.calls, per: w.per, reset: w.calendar.as_ref().map(|z| z.zone.clone()) })
            .collect(),
    };
    let rate = Window { calls, per, reset: None };
    let (short, long): (Vec<_>, Vec<_>) =
        std::iter::once(rate).chain(windows).partition(|w| w.per <= IN_MEMORY_WINDOW && w.reset.is_none());
    let deadline = longest_exchange(polling.lease);
    let most = own.numbers_per_call.unwrap_or(published.numbers_per_call).clamp(1, published.numbers_per_call.max(1));
    Limits {
        short: short.into_iter().map(|w| ShortWindow { calls: w.calls, per: w.per }).collect(),
        long: long
            .into_iter()
            .map(|w| match w.reset {
                Some(zone) => LongWindow::calendar(w.calls, w.per, zone, deadline, SKEW),
                None => LongWindow::rolling(w.calls, w.per, deadline),
            })
            .collect(),
        concurrent: own.concurrent.unwrap_or(published.concurrent).min(share(polling.concurrency)),
        numbers_per_call: most as usize,
        token_calls_count: published.token_calls_count,
        per_parcel: own.per_parcel.or(published.per_parcel),
    }
}

/// Of all calls at once, those that one account may make: a carrier that hangs must not hold up the others.
fn share(all: usize) -> u32 {
    u32::try_from(all - all / 4).unwrap_or(u32::MAX)
}

fn policy(settings: &Settings, accounts: &[Account]) -> Policy {
    let (delays, polling) = (&settings.delays, &settings.polling);
    let signed = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    Policy {
        rules: Rules {
            not_handed_over_days: delays.not_handed_over,
            stalled_domestic_days: delays.stalled_domestic,
            stalled_international_days: delays.stalled_international,
            expire_after: signed(delays.expire),
            retention: signed(settings.retention.finished),
            unit: signed(delays.day),
        },
        table: IntervalTable {
            intervals: polling.intervals.clone(),
            otherwise: polling.ended,
            ended: (polling.ended, polling.ended_for),
            delivered: (polling.delivered, polling.delivered_for),
            retry: polling.retry,
            jitter: polling.jitter,
        },
        days: BTreeMap::new(),
        keep_answers: settings.retention.answers,
        per_parcel: accounts.iter().filter_map(|one| Some((one.name.clone(), one.limits.per_parcel?))).collect(),
    }
}
