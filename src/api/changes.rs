//! Every change of a shop, for those who would rather ask than be told, and for those who missed something.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::cursor::List;
use super::problem::Problem;
use super::query::Query;
use super::state::{Api, Caller};
use crate::model::{ChangeKind, ShopId};
use crate::spelling::nearest;
use crate::store::{FeedPlace, Store};

/// A page of changes.
#[derive(Serialize)]
pub struct Page {
    changes: Vec<Box<RawValue>>,
    cursor: String,
    more: bool,
}

/// Says which types there are: whoever asks may have no pages at hand.
pub(super) fn no_such_type(wanted: &str) -> String {
    let types: Vec<String> = ChangeKind::all().map(|kind| kind.to_string()).collect();
    let near = nearest(wanted, types.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
    format!("{wanted:?} is no type of change; {near}there are {}, and prefixes such as tracker.*", types.join(", "))
}

/// `GET /v1/changes`: what follows `after`, each change once and with the bytes that webhooks carry.
pub async fn list(State(api): State<Api>, Caller(shop): Caller, query: Query) -> Result<Json<Page>, Problem> {
    query.knows(&["after", "limit", "type"])?;
    let limit = query.limit(100, 500)?;
    let types = query.all("type", |text| {
        let known = ChangeKind::all().any(|kind| wants(text, &kind.to_string()));
        if known { Ok(text.to_owned()) } else { Err(no_such_type(text)) }
    })?;
    let store = api.store()?;
    let feed = List::feed(&shop);
    let place = match query.one("after", |text| Ok(text.to_owned()))?.as_deref() {
        None => store.feed_start(&shop).await?,
        Some("now") => store.feed_end(&shop).await?,
        Some(cursor) => opened(store, &shop, &feed, cursor).await?,
    };
    let page = store.feed(&shop, &place, limit).await?;
    let changes = page
        .changes
        .into_iter()
        .filter(|change| types.is_empty() || types.iter().any(|wanted| wants(wanted, &change.kind)));
    // Entries of the log are JSON: this build or an older one wrote them.
    let changes = changes.filter_map(|change| RawValue::from_string(change.body()).ok()).collect();
    Ok(Json(Page { changes, cursor: sealed(store, &feed, &page.place)?, more: page.more }))
}

fn wants(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => wanted == kind,
    }
}

fn sealed(store: &Store, feed: &List, place: &FeedPlace) -> Result<String, Problem> {
    feed.seal(store, &BASE64URL_NOPAD.encode(&place.to_bytes()))
}

/// The place of a cursor, as long as nothing that follows it is lost.
async fn opened(store: &Store, shop: &ShopId, feed: &List, cursor: &str) -> Result<FeedPlace, Problem> {
    let text: String = feed.open(store, cursor)?;
    let place = BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| FeedPlace::from_bytes(&bytes));
    let place = place.ok_or_else(|| feed.refused())?;
    if !store.feed_lost(shop, &place).await? {
        return Ok(place);
    }
    let oldest = sealed(store, feed, &store.feed_start(shop).await?)?;
    Err(Problem::new(
        StatusCode::GONE,
        "The cursor is older than the log",
        "changes that follow it are no longer kept (retention.changes): read the trackers anew, and go on from `oldest`",
    )
    .with("field", "after")
    .with("code", "cursor_expired")
    .with("oldest", oldest))
}
