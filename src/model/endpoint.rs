//! A URL that a shop subscribed, with its filters.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::ChangeKind;
use super::ids::{EndpointId, ShopId};

/// Whether an endpoint gets webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// It does.
    #[default]
    Enabled,
    /// Changes queue up for it and are not sent.
    Paused,
    /// It gets nothing until enabled again.
    Disabled,
}

/// What one endpoint wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Names it.
    pub id: EndpointId,
    /// Whose.
    pub shop: ShopId,
    /// Where to POST.
    pub url: String,
    /// The signing secret, sealed; only the webhook room opens it.
    pub sealed_secret: String,
    /// Types wanted: exact names, a prefix with `*` (`tracker.*`), or `*`.
    pub events: Vec<String>,
    /// Whether it gets webhooks.
    pub state: EndpointState,
    /// Why it was disabled: `gone`, `blocked_address`, `by_shop`.
    pub disabled_reason: Option<String>,
    /// The oldest change that it did not get when it was disabled.
    pub undelivered_since: Option<Timestamp>,
    /// The shop's own words.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Endpoint {
    /// Whether it wants a change of this type. `endpoint.*` changes go only to the endpoint they are about. What a
    /// mended definition reads otherwise happened long ago: only who asked for it by name is told.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        let by_name_only = ChangeKind::from_name(kind) == Some(ChangeKind::Reclassified);
        self.events.iter().any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => !by_name_only && kind.starts_with(prefix),
            None => wanted == kind,
        })
    }
}
