//! Is it alive, is it of use.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::state::Api;

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
        Ok(store) => match store.now().await {
            Ok(_) => (StatusCode::OK, "ok\n").into_response(),
            Err(error) => Problem::from(error).into_response(),
        },
    }
}
