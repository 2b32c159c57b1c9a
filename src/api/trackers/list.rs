//! A shop's parcels, filtered, a page at a time.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{unknown_carrier, view};
use crate::api::cursor::List;
use crate::api::problem::Problem;
use crate::api::query::Query;
use crate::api::state::{Api, Caller, Reloadable};
use crate::model::{CarrierCode, DelayKind, ShopId, Status, Tracker, TrackerId, time};
use crate::store::{Listed, Position, Store, StoreError};

const NAMES: [&str; 11] = [
    "status",
    "carrier",
    "number",
    "order",
    "customer_ref",
    "tag",
    "condition",
    "updated_since",
    "limit",
    "cursor",
    "include",
];

/// Trackers looked at for one page, whatever the filters: a page may be short, and its cursor goes on.
const MOST_SCANNED: usize = 1000;
/// Trackers read at once while filters are at work.
const CHUNK: usize = 100;

/// What is asked for. Several values of a kind: either; several kinds: all.
#[derive(Serialize)]
struct Filters {
    statuses: Vec<Status>,
    carriers: Vec<CarrierCode>,
    numbers: Vec<String>,
    orders: Vec<String>,
    customers: Vec<String>,
    tags: Vec<String>,
    delays: Vec<DelayKind>,
    updated_since: Option<Timestamp>,
}

/// `GET /v1/trackers`
pub async fn list(State(api): State<Api>, Caller(shop): Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.knows(&NAMES)?;
    let current = api.current();
    let filters = Filters::read(&query, &current)?;
    let limit = query.limit(50, 100)?;
    let include = query.one("include", |text| match text {
        "events" => Ok(()),
        _ => Err(format!("{text:?} cannot be included; events can")),
    })?;
    let store = api.store()?;
    let list = List::new(&shop, "trackers", &filters);
    let cursor = query.one("cursor", |text| Ok(text.to_owned()))?;
    let place: Option<(i64, String)> = cursor.map(|cursor| list.open(store, &cursor)).transpose()?;
    let after = place.map(|(at, member)| Position { at, member });
    let page = if filters.numbers.is_empty() {
        scan(store, &shop, &filters, after, limit).await?
    } else {
        by_number(store, &current, &shop, &filters, after.as_ref(), limit).await?
    };
    let next_cursor = page.next.map(|place| list.seal(store, &(place.at, place.member))).transpose()?;
    let shown: Vec<Value> = page.trackers.iter().map(|tracker| row(tracker, include.is_some())).collect();
    Ok(Json(json!({"trackers": shown, "next_cursor": next_cursor})))
}

fn row(tracker: &Tracker, events: bool) -> Value {
    let mut shown = view(tracker);
    if !events && let Some(parcel) = shown["parcel"].as_object_mut() {
        parcel.remove("events");
    }
    shown
}

impl Filters {
    fn read(query: &Query, current: &Reloadable) -> Result<Self, Problem> {
        let mut carriers = Vec::new();
        for given in query.texts("carrier")? {
            let carrier = current.registry.get(&given).ok_or_else(|| unknown_carrier(&current.registry, &given))?;
            carriers.push(carrier.code().clone());
        }
        Ok(Self {
            statuses: query.all("status", |text| {
                let names = || Status::ALL.iter().map(|status| status.name()).collect::<Vec<_>>().join(", ");
                let found = Status::ALL.iter().copied().find(|status| status.name() == text);
                found.ok_or_else(|| format!("{text:?} is no status; there are: {}", names()))
            })?,
            carriers,
            numbers: query.texts("number")?,
            orders: query.texts("order")?,
            customers: query.texts("customer_ref")?,
            tags: query.texts("tag")?,
            delays: query.all("condition", |text| {
                let names = || DelayKind::ALL.map(DelayKind::name).join(", ");
                let found = DelayKind::ALL.into_iter().find(|kind| kind.name() == text);
                found.ok_or_else(|| format!("{text:?} is no condition; there are: {}", names()))
            })?,
            updated_since: query.one("updated_since", |text| {
                text.parse().map_err(|_| {
                    format!("{text:?} is no instant: write 2026-11-25T14:29:00Z (a + of an offset is written %2B)")
                })
            })?,
        })
    }

    /// The sets to read: those that hold the least.
    fn source(&self) -> Listed<'_> {
        if !self.orders.is_empty() {
            Listed::Orders(&self.orders)
        } else if !self.customers.is_empty() {
            Listed::Customers(&self.customers)
        } else if !self.delays.is_empty() {
            Listed::Delays(&self.delays)
        } else if self.statuses.is_empty() {
            Listed::Statuses(Status::ALL)
        } else {
            Listed::Statuses(&self.statuses)
        }
    }

    /// Whether the source alone does not tell what is wanted.
    fn narrow(&self) -> bool {
        let lists = [&self.orders, &self.customers].iter().filter(|list| !list.is_empty()).count()
            + usize::from(!self.delays.is_empty())
            + usize::from(!self.statuses.is_empty());
        lists > 1 || !self.carriers.is_empty() || !self.tags.is_empty() || self.updated_since.is_some()
    }

    fn admit(&self, tracker: &Tracker, told: Option<Timestamp>) -> bool {
        let registration = &tracker.registration;
        let any = |wanted: &[String], has: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(has);
        (self.statuses.is_empty() || self.statuses.contains(&tracker.substatus.status()))
            && (self.carriers.is_empty() || self.carriers.contains(&tracker.carrier))
            && any(&self.orders, &|order| registration.orders.iter().any(|known| known.reference == *order))
            && any(&self.customers, &|customer| registration.customer_ref.as_ref() == Some(customer))
            && any(&self.tags, &|tag| registration.tags.contains(tag))
            && (self.delays.is_empty() || tracker.conditions.iter().any(|open| self.delays.contains(&open.kind)))
            && self.updated_since.is_none_or(|since| updated_at(tracker, told) >= since)
    }

    /// Trackers with what the log says of them, as far as that is asked.
    async fn load(&self, store: &Store, ids: &[TrackerId]) -> Result<Vec<Option<Tracker>>, StoreError> {
        let told = match self.updated_since {
            Some(_) => store.reader().last_told(ids).await?,
            None => vec![None; ids.len()],
        };
        let trackers = store.load_many(ids).await?;
        let admitted = |(tracker, told): (Option<Tracker>, _)| tracker.filter(|tracker| self.admit(tracker, told));
        Ok(trackers.into_iter().zip(told).map(admitted).collect())
    }
}

/// When something was last told of it; where the change log forgot, when its status or its answers last changed.
fn updated_at(tracker: &Tracker, told: Option<Timestamp>) -> Timestamp {
    let news = tracker.status_since.max(tracker.registered_at);
    news.max(told.unwrap_or(news)).max(tracker.answers.last().copied().unwrap_or(news))
}

struct Page {
    trackers: Vec<Tracker>,
    next: Option<Position>,
}

/// Goes down the source until the page is full, the list ends, or enough was looked at.
async fn scan(
    store: &Store,
    shop: &ShopId,
    filters: &Filters,
    mut after: Option<Position>,
    limit: usize,
) -> Result<Page, StoreError> {
    let (source, mut trackers, mut seen, mut scanned) = (filters.source(), Vec::new(), HashSet::new(), 0);
    while scanned < MOST_SCANNED {
        let wanted = if filters.narrow() { CHUNK } else { limit - trackers.len() };
        let part = store.reader().newest(shop, source, after.as_ref(), wanted).await?;
        let ids: Vec<TrackerId> = part.entries.iter().filter_map(|entry| entry.id.clone()).collect();
        let mut loaded = filters.load(store, &ids).await?.into_iter();
        let count = part.entries.len();
        for (index, entry) in part.entries.into_iter().enumerate() {
            scanned += 1;
            after = Some(entry.position);
            let Some(id) = entry.id else { continue };
            // One that moved while the sets were read may stand in two of them.
            if let Some(tracker) = loaded.next().flatten().filter(|tracker| tracker.shop == *shop)
                && seen.insert(id)
            {
                trackers.push(tracker);
            }
            if trackers.len() == limit {
                let next = after.filter(|_| !part.end || index + 1 < count);
                return Ok(page(trackers, next, source));
            }
        }
        if part.end {
            return Ok(page(trackers, None, source));
        }
    }
    Ok(page(trackers, after, source))
}

/// Look-ups are in the order in which they were written: within a page, the newest status comes first all the same.
fn page(mut trackers: Vec<Tracker>, next: Option<Position>, source: Listed<'_>) -> Page {
    if matches!(source, Listed::Orders(_) | Listed::Customers(_)) {
        trackers.sort_by_cached_key(|tracker| std::cmp::Reverse(place(tracker)));
    }
    Page { trackers, next }
}

/// Which parcels have a number follows from the number: it is not looked up where other shops' are noted, too.
async fn by_number(
    store: &Store,
    current: &Reloadable,
    shop: &ShopId,
    filters: &Filters,
    after: Option<&Position>,
    limit: usize,
) -> Result<Page, StoreError> {
    let carriers = current.registry.outlines();
    let asked = carriers.filter(|carrier| filters.carriers.is_empty() || filters.carriers.contains(&carrier.code));
    let mut ids: Vec<TrackerId> = asked
        .flat_map(|carrier| {
            let numbers = filters.numbers.iter().filter_map(|number| carrier.normalise(number).ok());
            numbers.map(|number| store.tracker_id(shop, &carrier.code, &number))
        })
        .collect();
    ids.sort();
    ids.dedup();
    let mut trackers: Vec<Tracker> = filters.load(store, &ids).await?.into_iter().flatten().collect();
    trackers.retain(|tracker| tracker.shop == *shop && after.is_none_or(|after| place(tracker) < *after));
    trackers.sort_by_cached_key(|tracker| std::cmp::Reverse(place(tracker)));
    let more = trackers.len() > limit;
    trackers.truncate(limit);
    let next = trackers.last().filter(|_| more).map(place);
    Ok(Page { trackers, next })
}

fn place(tracker: &Tracker) -> Position {
    Position { at: time::to_millis(tracker.status_since), member: tracker.id.to_string() }
}
