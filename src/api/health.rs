//! Is it alive, is it of use.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::Api;
use crate::telemetry::metrics;

/// A store that takes longer is not of use; probes give up soon.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a proxy adds: whoever came through one is not on this machine.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Figures for Prometheus, on the operators' own listener.
pub async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render()).into_response()
}

/// The same on the listener of shops, while that is reached from this machine alone: figures tell of all shops.
pub async fn metrics_among_shops(State(api): State<Api>, headers: HeaderMap) -> Response {
    if !api.metrics_here || FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Problem::no_route().into_response();
    }
    metrics().await
}

/// The process answers: nothing else is asked.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// The store answers and the daemon is not about to stop.
pub async fn readyz(State(api): State<Api>) -> Response {
    if api.stopping.is_cancelled() {
        return Problem::unavailable("stopping").into_response();
    }
    match api.store() {
        Err(problem) => problem.into_response(),
        Ok(store) => match tokio::time::timeout(PATIENCE, store.now()).await {
            Ok(Ok(_)) => (StatusCode::OK, "ok\n").into_response(),
            Ok(Err(error)) => Problem::from(error).into_response(),
            Err(_) => Problem::unavailable(format!("the store has not answered within {PATIENCE:?}")).into_response(),
        },
    }
}
