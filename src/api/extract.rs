//! Parts of a request, with problems like any other where they cannot be had.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::problem::Problem;
use super::state::Api;

/// The whole body of a request.
pub struct Body(pub Bytes);

impl FromRequest<Api> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let refused = |rejection: BytesRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                format!("a body may have {} bytes (server.max_body)", api.max_body),
            ),
            _ => Problem::new(StatusCode::BAD_REQUEST, "The body cannot be read", "it broke off"),
        };
        Bytes::from_request(request, api).await.map(Self).map_err(refused)
    }
}

/// The id in the path. One that is no text is nobody's.
pub struct Id(pub String);

impl FromRequestParts<Api> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Path(id) = Path::<String>::from_request_parts(parts, api).await.unwrap_or_else(|_| Path(String::new()));
        Ok(Self(id))
    }
}
