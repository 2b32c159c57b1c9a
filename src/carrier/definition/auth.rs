//! `[auth]`: how calls prove who we are.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;

use super::answer::{Format, OutcomeRule};
use super::limits::some_duration;
use super::request::{Body, Param, RawBody};
use crate::carrier::expr::{Source, Template};

/// The ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// Nothing is asked.
    #[default]
    None,
    /// Headers.
    Headers,
    /// Parameters of the URL.
    Query,
    /// HTTP Basic.
    Basic,
    /// The templates of the request hold what is needed.
    Body,
    /// A token by OAuth 2.
    Oauth2,
    /// A token by a login call.
    Login,
}

/// `[auth]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSpec {
    /// Which way.
    pub kind: AuthKind,
    /// With `headers`, or beside any other kind: headers of each call.
    #[serde(default)]
    pub headers: IndexMap<String, Template>,
    /// With `query`, or beside any other kind: parameters of each call.
    #[serde(default)]
    pub query: IndexMap<String, Param>,
    /// With `basic`.
    #[serde(default)]
    pub user: Option<Template>,
    /// With `basic`.
    #[serde(default)]
    pub password: Option<Template>,
    /// With `basic`: between user and password.
    #[serde(default = "colon")]
    pub separator: String,
    /// With `oauth2` and `login`: how calls carry the token.
    #[serde(default)]
    pub header: Option<IndexMap<String, Template>>,
    /// With `oauth2` and `login`: how to get one.
    #[serde(default)]
    pub token: Option<TokenSpec>,
}

/// `[auth.token]`: the token call and how to read its answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawToken")]
pub struct TokenSpec {
    /// Usually `POST`.
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Parameters of the URL.
    pub query: IndexMap<String, Param>,
    /// Headers.
    pub headers: IndexMap<String, Template>,
    /// What to send.
    pub body: Body,
    /// Instead of the body's own.
    pub content_type: Option<String>,
    /// What the answer is written in; JSON that cannot be read is the text itself.
    pub format: Format,
    /// The token in the answer.
    pub value: Source,
    /// Seconds that it lives.
    pub expires_in: Option<Source>,
    /// When it ends: ISO 8601, seconds or milliseconds since 1970.
    pub expires_at: Option<Source>,
    /// Its own claim `exp` says when it ends.
    pub jwt: bool,
    /// Its life where the answer says nothing.
    pub life: Option<Duration>,
    /// How long before its end the next one is fetched.
    pub renew_before: Option<Duration>,
    /// What the answer means.
    pub outcome: Vec<OutcomeRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToken {
    #[serde(default = "post")]
    method: String,
    url: Template,
    #[serde(default)]
    query: IndexMap<String, Param>,
    #[serde(default)]
    headers: IndexMap<String, Template>,
    json: Option<toml::Value>,
    form: Option<IndexMap<String, Param>>,
    body: Option<Template>,
    soap: Option<Template>,
    content_type: Option<String>,
    #[serde(default)]
    format: Format,
    value: Source,
    expires_in: Option<Source>,
    expires_at: Option<Source>,
    #[serde(default)]
    jwt: bool,
    #[serde(default, deserialize_with = "some_duration")]
    life: Option<Duration>,
    #[serde(default, deserialize_with = "some_duration")]
    renew_before: Option<Duration>,
    #[serde(default)]
    outcome: Vec<OutcomeRule>,
}

impl TryFrom<RawToken> for TokenSpec {
    type Error = String;

    fn try_from(raw: RawToken) -> Result<Self, String> {
        let body = RawBody { json: raw.json, form: raw.form, body: raw.body, soap: raw.soap }.compile()?;
        Ok(Self {
            method: super::request::method(&raw.method)?,
            url: raw.url,
            query: raw.query,
            headers: raw.headers,
            body,
            content_type: raw.content_type,
            format: raw.format,
            value: raw.value,
            expires_in: raw.expires_in,
            expires_at: raw.expires_at,
            jwt: raw.jwt,
            life: raw.life,
            renew_before: raw.renew_before,
            outcome: raw.outcome,
        })
    }
}

fn colon() -> String {
    ":".to_owned()
}

fn post() -> String {
    "POST".to_owned()
}
