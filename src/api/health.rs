//! Is it alive, is it of use.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::Api;

/// A store that takes longer is not of use; probes give up soon.
const PATIENCE: Duration = Duration::from_secs(1);

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
