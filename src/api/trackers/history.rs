//! What was told of one parcel.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::cursor::List;
use crate::api::extract::Id;
use crate::api::own::own;
use crate::api::problem::Problem;
use crate::api::query::Query;
use crate::api::state::{Api, Caller};
use crate::model::Tracker;

/// A page of changes.
#[derive(Serialize)]
pub struct Changes {
    changes: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// `GET /v1/trackers/{id}/changes`: newest first, each with the bytes that webhooks carry.
pub async fn changes(
    State(api): State<Api>,
    Caller(shop): Caller,
    Id(id): Id,
    query: Query,
) -> Result<Json<Changes>, Problem> {
    let tracker: Tracker = own(&api, &shop, &id).await?;
    query.knows(&["limit", "cursor"])?;
    let limit = query.limit(50, 100)?;
    let store = api.store()?;
    let list = List::new(&shop, "changes of", &tracker.id);
    let cursor = query.one("cursor", |text| Ok(text.to_owned()))?;
    let before: Option<u64> = cursor.map(|cursor| list.open(store, &cursor)).transpose()?;
    let mut changes = store.changes_of(&tracker, before, limit + 1).await?;
    let more = changes.len() > limit;
    changes.truncate(limit);
    let last = changes.last().filter(|_| more).map(|change| change.sequence);
    let next_cursor = last.map(|sequence| list.seal(store, &sequence)).transpose()?;
    // Entries of the log are JSON: this build or an older one wrote them.
    let changes = changes.into_iter().filter_map(|change| RawValue::from_string(change.body()).ok()).collect();
    Ok(Json(Changes { changes, next_cursor }))
}
