//! Many registrations in one request: each is judged, done and answered by itself.

use axum::Json;
use axum::extract::State;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{register_one, view};
use crate::api::extract::Body;
use crate::api::input;
use crate::api::problem::Problem;
use crate::api::state::{Api, Caller};
use crate::model::ShopId;

/// Registrations in one request.
const MOST: usize = 100;
/// Registrations under way at once: they wait for the store's disk together.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    /// Unread: what is wrong with one of them is its own affair.
    trackers: Vec<Box<RawValue>>,
}

/// `POST /v1/trackers/batch`
pub async fn register_all(
    State(api): State<Api>,
    Caller(shop): Caller,
    Body(bytes): Body,
) -> Result<Json<Value>, Problem> {
    let body: BatchBody = input::body(&bytes)?;
    if !(1..=MOST).contains(&body.trackers.len()) {
        let count = body.trackers.len();
        return Err(Problem::field("trackers", format!("1 to {MOST} registrations belong here; {count} were given")));
    }
    let answers = body.trackers.into_iter().enumerate().map(|(index, item)| answer(&api, &shop, index, item));
    let results: Vec<Value> = stream::iter(answers).buffered(AT_ONCE).collect().await;
    Ok(Json(json!({ "results": results })))
}

async fn answer(api: &Api, shop: &ShopId, index: usize, item: Box<RawValue>) -> Value {
    let registered = match input::body(item.get().as_bytes()) {
        Ok(body) => register_one(api, shop, &body).await,
        Err(problem) => Err(problem),
    };
    match registered {
        Ok((status, tracker)) => json!({"index": index, "status": status.as_u16(), "tracker": view(&tracker)}),
        Err(problem) => {
            json!({"index": index, "status": problem.status().as_u16(), "problem": problem.to_value()})
        }
    }
}
