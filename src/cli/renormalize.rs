//! `wismo renormalize`: the present definitions, run over the answers that are kept.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::Failure;
use super::progress::Progress;
use super::{ConfigArgs, output, words};
use crate::carrier::{CallItem, Carrier, KeptAnswer, Registry};
use crate::daemon::{self, Plan, Policy};
use crate::model::change::ChangeKind;
use crate::model::time::EventTime;
use crate::model::{AccountName, Shard, ShopId, Tracker, TrackerId};
use crate::settings::Settings;
use crate::store::{Commit, Store};
use crate::tracking::{self, Advance, Input};

/// Trackers that are read at once.
const BATCH: usize = 100;
/// How often a tracker that others change meanwhile is read again.
const RACES: usize = 5;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo renormalize                             what would change, and how often\n  wismo renormalize --carrier laposte --json\n  wismo renormalize --carrier laposte --apply   writes it; tells those who subscribed to tracker.reclassified by name\n  sudo -u wismo wismo renormalize               beside an installed daemon\n\nAnswers are kept for retention.answers after the last poll that they held for. A daemon reads new answers by the\ndefinitions that it was started or reloaded with: reload it first, or its next poll may say the old thing again."
)]
pub struct RenormalizeArgs {
    /// Only parcels of this carrier
    #[arg(long, value_name = "CODE")]
    carrier: Option<String>,
    /// Only parcels of this shop
    #[arg(long, value_name = "NAME")]
    shop: Option<ShopId>,
    /// Write what changes, as tracker.reclassified
    #[arg(long)]
    apply: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// One parcel that the present definition reads otherwise.
struct Difference {
    number: String,
    carrier: String,
    shop: ShopId,
    before: String,
    after: String,
    events: usize,
}

/// What became of all that was looked at.
#[derive(Default)]
struct Tally {
    /// Trackers whose newest answer is kept.
    kept: u64,
    /// Of these, such that the present definition can no longer read.
    unreadable: Vec<String>,
    /// Such as other daemons changed all the time, or that were erased meanwhile.
    missed: u64,
    differences: Vec<Difference>,
}

/// What a look at one tracker gave.
enum Look {
    Same,
    Otherwise(Box<Advance>, KeptAnswer),
    Unreadable,
}

struct Work<'a> {
    store: &'a Store,
    registry: &'a Registry,
    policy: Policy,
    /// Of each account.
    environments: BTreeMap<AccountName, String>,
    life: Duration,
    apply: bool,
}

/// Looks at every tracker of the shops, and writes where it is told to.
pub async fn run(args: &RenormalizeArgs) -> Result<ExitCode, Failure> {
    let settings = match args.config.load() {
        Ok(settings) => settings,
        Err(code) => return Ok(code),
    };
    let Plan { registry, mut policy, .. } = match daemon::plan(&settings) {
        Ok(plan) => plan,
        Err(problems) => return Ok(super::refuse(&problems)),
    };
    let only = match args.carrier.as_deref().map(|code| super::carrier(&registry, code)).transpose() {
        Ok(only) => only,
        Err(code) => return Ok(code),
    };
    if let Some(sandbox) = daemon::SANDBOX.parse().ok().filter(|_| settings.sandbox.enabled) {
        policy.days.entry(sandbox).or_insert(settings.sandbox.day);
    }
    let accounts = settings.accounts.iter();
    let environments = accounts.map(|(name, account)| (name.clone(), account.environment.clone())).collect();
    let store = daemon::visit_store(&settings).await?;
    let work = Work {
        store: &store,
        registry: &registry,
        policy,
        environments,
        life: settings.retention.answers,
        apply: args.apply,
    };
    let tally = work.all(&shops(&store, args.shop.as_ref()).await?, only.as_deref()).await?;
    report(&tally, args, &settings);
    Ok(ExitCode::from(u8::from(!tally.unreadable.is_empty())))
}

async fn shops(store: &Store, only: Option<&ShopId>) -> Result<Vec<ShopId>, Failure> {
    let all: Vec<ShopId> = store.shops().await?.into_iter().map(|shop| shop.id).collect();
    match only {
        Some(shop) if all.contains(shop) => Ok(vec![shop.clone()]),
        Some(shop) => Err(Failure::usage(format!("there is no shop {shop}; `wismo shops list` shows them"))),
        None => Ok(all),
    }
}

impl Work<'_> {
    async fn all(&self, shops: &[ShopId], only: Option<&Carrier>) -> Result<Tally, Failure> {
        let reader = self.store.reader();
        let mut total = 0;
        for shop in shops {
            total += reader.counts(shop).await?.iter().map(|(_, count)| count).sum::<u64>();
        }
        let (mut progress, mut tally) = (Progress::new("looked at", total, false), Tally::default());
        for shop in shops {
            for shard in Shard::all() {
                let ids: Vec<TrackerId> = reader.ids_in(shop, shard).await?.into_iter().collect();
                for batch in ids.chunks(BATCH) {
                    self.batch(batch, only, &mut tally).await?;
                    progress.step(batch.len() as u64);
                }
            }
        }
        progress.end();
        tally.differences.sort_by(|a, b| (&a.carrier, &a.number).cmp(&(&b.carrier, &b.number)));
        Ok(tally)
    }

    async fn batch(&self, ids: &[TrackerId], only: Option<&Carrier>, tally: &mut Tally) -> Result<(), Failure> {
        let kept = self.store.kept_answers(ids).await?;
        let some: Vec<TrackerId> =
            ids.iter().zip(&kept).filter(|(_, k)| k.is_some()).map(|(id, _)| id.clone()).collect();
        for tracker in self.store.load_many(&some).await?.into_iter().flatten() {
            if only.is_some_and(|carrier| *carrier.code() != tracker.carrier) {
                continue;
            }
            let at = ids.iter().position(|id| *id == tracker.id);
            let Some(text) = at.and_then(|at| kept[at].as_deref()) else { continue };
            self.one(tracker, text, tally).await?;
        }
        Ok(())
    }

    async fn one(&self, mut tracker: Tracker, text: &[u8], tally: &mut Tally) -> Result<(), Failure> {
        let Ok(kept) = serde_json::from_slice::<KeptAnswer>(text) else { return Ok(()) };
        tally.kept += 1;
        for _ in 0..RACES {
            let (advance, again) = match self.look(&tracker, &kept, crate::clock::now()) {
                Look::Same => return Ok(()),
                Look::Unreadable => {
                    tally.unreadable.push(format!("{} {}", tracker.carrier, tracker.number));
                    return Ok(());
                }
                Look::Otherwise(advance, again) => (advance, again),
            };
            let difference = difference(&tracker, &advance.tracker);
            if self.apply {
                match self.store.commit(&tracker, &advance.tracker, &advance.changes, &advance.timers).await? {
                    Commit::Done { .. } => self.keep(&tracker.id, &again).await?,
                    Commit::Gone => break,
                    Commit::LostRace => match self.store.load(&tracker.id).await? {
                        Some(fresh) => {
                            tracker = fresh;
                            continue;
                        }
                        None => break,
                    },
                }
            }
            tally.differences.push(difference);
            return Ok(());
        }
        tally.missed += 1;
        Ok(())
    }

    /// The answer has another digest now: under its old one nobody could read it again.
    async fn keep(&self, id: &TrackerId, kept: &KeptAnswer) -> Result<(), Failure> {
        let text = serde_json::to_vec(kept).map_err(|error| Failure::unavailable(error.to_string()))?;
        Ok(self.store.keep_answer(id, &text, self.life.max(Duration::from_secs(1))).await?)
    }

    fn look(&self, tracker: &Tracker, kept: &KeptAnswer, now: Timestamp) -> Look {
        // An answer that is not the newest any more says nothing of today.
        let newest = tracking::rereads(tracker, kept.observed_at, kept.digest);
        let Some(carrier) = self.registry.get(tracker.carrier.as_str()).filter(|_| newest) else { return Look::Same };
        let inputs = carrier.inputs(&tracker.registration, tracker.registered_at);
        let environment = self.environments.get(&tracker.account).map(String::as_str);
        let item = CallItem { number: tracker.number.clone(), inputs, ..CallItem::default() };
        let Some(observation) = carrier.reread(environment, &item, kept).observation else { return Look::Unreadable };
        if observation.digest == kept.digest {
            return Look::Same;
        }
        let rules = self.policy.rules(&tracker.account);
        let mut advance = tracking::advance(tracker, Input::Reclassified(&observation), now, &rules);
        if !advance.changes.iter().any(|change| change.kind == ChangeKind::Reclassified) {
            return Look::Same;
        }
        let next = &mut advance.tracker.poll.next_at;
        *next = next.or_else(|| self.policy.next_poll(tracker, now));
        Look::Otherwise(Box::new(advance), KeptAnswer { digest: observation.digest, ..kept.clone() })
    }
}

fn difference(before: &Tracker, after: &Tracker) -> Difference {
    let read = |tracker: &Tracker| -> BTreeMap<(String, String), (String, EventTime)> {
        let events = tracker.events.iter();
        let key = |event: &crate::model::tracker::KeptEvent| (event.code.clone(), event.time.raw.clone());
        events.map(|event| (key(event), (format!("{:?}", event.meaning), event.time.clone()))).collect()
    };
    let (was, is) = (read(before), read(after));
    let otherwise = is.iter().filter(|(key, value)| was.get(*key) != Some(value)).count();
    let gone = was.keys().filter(|key| !is.contains_key(*key)).count();
    Difference {
        number: after.number.clone(),
        carrier: after.carrier.to_string(),
        shop: after.shop.clone(),
        before: before.substatus.to_string(),
        after: after.substatus.to_string(),
        events: otherwise + gone,
    }
}

fn report(tally: &Tally, args: &RenormalizeArgs, settings: &Settings) {
    let mut counts: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for d in &tally.differences {
        *counts.entry((&d.carrier, &d.before, &d.after)).or_default() += 1;
    }
    if args.json {
        output::json(&as_json(tally, &counts, args.apply));
        return;
    }
    for d in &tally.differences {
        let events = output::count(d.events, "scan", "scans");
        output::line(format!(
            "{} {} of {}: {} → {}, {events} read otherwise",
            d.carrier, d.number, d.shop, d.before, d.after
        ));
    }
    if !counts.is_empty() {
        let rows: Vec<[String; 4]> = counts
            .iter()
            .map(|((carrier, before, after), count)| {
                [(*carrier).to_owned(), (*before).to_owned(), (*after).to_owned(), count.to_string()]
            })
            .collect();
        output::line(words::table(["CARRIER", "BEFORE", "AFTER", "PARCELS"], &rows));
    }
    for parcel in &tally.unreadable {
        output::line(words::alarm(&format!("{parcel}: the present definition cannot read its newest answer")));
    }
    if tally.missed > 0 {
        output::line(format!("{} were changed or erased meanwhile; run it again.", tally.missed));
    }
    let done =
        if args.apply { "were read otherwise and written" } else { "would be read otherwise (--apply writes it)" };
    output::line(format!("Of {} kept answers {} {done}.", tally.kept, tally.differences.len()));
    if tally.kept == 0 && settings.retention.answers.is_zero() {
        output::line("retention.answers is 0s, so no answers are kept.");
    }
}

fn as_json(tally: &Tally, counts: &BTreeMap<(&str, &str, &str), u64>, applied: bool) -> Value {
    let parcels: Vec<Value> = tally
        .differences
        .iter()
        .map(|d| json!({"shop": d.shop, "carrier": d.carrier, "number": d.number, "before": d.before, "after": d.after, "scans": d.events}))
        .collect();
    let counts: Vec<Value> = counts
        .iter()
        .map(|((carrier, before, after), count)| json!({"carrier": carrier, "before": before, "after": after, "parcels": count}))
        .collect();
    json!({"applied": applied, "kept": tally.kept, "changed": parcels, "counts": counts, "unreadable": tally.unreadable, "missed": tally.missed})
}
