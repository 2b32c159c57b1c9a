//! HTTP for shops: who asks (a key), what they ask, and answers that say what is wrong.

mod carriers;
mod changes;
mod cursor;
mod endpoints;
mod extract;
mod health;
mod input;
mod misfit;
mod named;
mod own;
mod patience;
mod problem;
mod query;
mod rate;
mod serve;
mod state;
mod trackers;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};

use trackers::{batch, change, history, list};

pub use problem::Problem;
pub use rate::Rate;
pub use serve::{Face, serve};
pub use state::{AccountInfo, Api, ApiParts, Reloadable};
pub use trackers::view;

/// Every route.
pub fn router(api: Api) -> Router {
    let max_body = api.max_body;
    let timeout = api.request_timeout;
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics_among_shops))
        .route("/v1/trackers", post(trackers::register).get(list::list))
        .route("/v1/trackers/batch", post(batch::register_all))
        .route("/v1/trackers/{id}", get(trackers::show).patch(change::patch).delete(trackers::delete))
        .route("/v1/trackers/{id}/pause", post(change::pause))
        .route("/v1/trackers/{id}/resume", post(change::resume))
        .route("/v1/trackers/{id}/refresh", post(change::refresh))
        .route("/v1/trackers/{id}/set", post(change::set))
        .route("/v1/trackers/{id}/changes", get(history::changes))
        .route("/v1/changes", get(changes::list))
        .route("/v1/carriers", get(carriers::list))
        .route("/v1/carriers/detect", get(carriers::detect))
        .route("/v1/carriers/{code}", get(carriers::show))
        .route("/v1/endpoints", post(endpoints::create).get(endpoints::list))
        .route("/v1/endpoints/{id}", get(endpoints::show).patch(endpoints::patch).delete(endpoints::delete))
        .route("/v1/endpoints/{id}/test", post(endpoints::test))
        .route("/v1/endpoints/{id}/enable", post(endpoints::enable))
        .route("/v1/endpoints/{id}/dead", get(endpoints::dead))
        .route("/v1/endpoints/{id}/replay", post(endpoints::replay))
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "this route does not take it; the header Allow names what it takes",
            )
        })
        .fallback(|| async { Problem::no_route() })
        .layer(DefaultBodyLimit::max(max_body))
        .layer(axum::middleware::from_fn(count))
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| deadline(timeout, request, next)))
        .with_state(api)
}

/// What operators ask, on a listener of its own (`metrics.listen`).
pub fn operators(api: Api) -> Router {
    let timeout = api.request_timeout;
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| deadline(timeout, request, next)))
        .with_state(api)
}

/// Counts a request by its route and what was answered.
async fn count(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    let route = request.extensions().get::<axum::extract::MatchedPath>().map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    crate::telemetry::metrics::request(route.as_deref().unwrap_or("none"), response.status().as_u16());
    response
}

/// A request that does not arrive or is not answered in time is given up: a slow client holds nothing up.
async fn deadline(
    limit: Duration,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    use axum::response::IntoResponse;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "Too slow", format!("the request took longer than {limit:?}"))
                .into_response()
        }
    }
}
