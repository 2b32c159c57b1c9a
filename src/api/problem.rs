//! Errors as shops see them: problem+json (RFC 9457) that names the field and says what would be right.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// An answer that says what is wrong.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into(), more: Map::new(), retry_after: None }
    }

    /// 422: a field's value cannot be used.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "A field cannot be used", detail).with("field", field)
    }

    /// 404, worded the same whether it is somebody else's or nobody's.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", format!("there is no such {what}"))
    }

    /// 404: nothing is served there.
    pub fn no_route() -> Self {
        Self::not_found("route; there are /v1/trackers, /v1/changes, /v1/endpoints and /v1/carriers")
    }

    /// 429: it may be asked again after so many seconds.
    pub fn too_soon(seconds: u64, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests", detail);
        Self { retry_after: Some(seconds.max(1)), ..problem }
    }

    /// 503: the store does not answer.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available", detail);
        Self { retry_after: Some(1), ..problem }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says, as the answer's body has it.
    pub fn to_value(&self) -> Value {
        let mut body =
            json!({"type": "about:blank", "title": self.title, "status": self.status.as_u16(), "detail": self.detail});
        if let Value::Object(members) = &mut body {
            members.extend(self.more.clone());
        }
        body
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }
}

impl From<crate::store::StoreError> for Problem {
    /// 409 where somebody else wrote the same thing in this moment. Else 503, and the detail goes to the log: it may
    /// name hosts and keys that are nobody's business.
    fn from(error: crate::store::StoreError) -> Self {
        if let crate::store::StoreError::Conflict(detail) = error {
            return Self::new(StatusCode::CONFLICT, "Changed by somebody else", detail);
        }
        tracing::warn!(event = "api_store_error", %error, "A request failed because the store did.");
        Self::unavailable("the store does not answer; try again in a moment")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.to_value().to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_conflict_is_the_callers_to_solve_and_all_else_the_stores() {
        let conflict = Problem::from(StoreError::Conflict("the endpoint ep_1 was deleted".to_owned()));
        assert_eq!(
            (conflict.status, conflict.detail.as_str()),
            (StatusCode::CONFLICT, "the endpoint ep_1 was deleted")
        );
        let refused = Problem::from(StoreError::Refused("10.0.0.1 is full".to_owned()));
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!refused.detail.contains("10.0.0.1"));
    }
}
