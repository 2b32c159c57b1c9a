//! A request against one that another tool made: `calls/NAME.json`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::differ::{Difference, differences};
use crate::carrier::{AccountContext, CallContext, CallItem, CallRequest, Carrier, Hints, RawAnswer};

/// One vector.
#[derive(Debug, Clone)]
pub struct Vector {
    /// `calls/NAME.json`.
    pub name: String,
    /// What stands in it.
    pub given: Given,
}

/// What a vector is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The call that asks about parcels.
    Request,
    /// The call that gets a token.
    Token,
}

/// What stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// How it was computed, and from what.
    pub about: String,
    /// Which call.
    pub of: Of,
    /// The account's environment.
    #[serde(default = "production")]
    pub environment: String,
    /// The account's own address.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The account's credentials: invented ones.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// The account's language.
    #[serde(default)]
    pub language: Option<String>,
    /// Values of the environment that are to be others than its own.
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
    /// The parcels that are asked about.
    #[serde(default)]
    pub items: Vec<Item>,
    /// The time of the call.
    #[serde(default = "usual")]
    pub now: Timestamp,
    /// Names the call.
    #[serde(default)]
    pub request_id: String,
    /// The token, where calls carry one.
    #[serde(default)]
    pub token: Option<String>,
    /// The request as the other tool made it.
    #[serde(default)]
    pub expect: Expected,
    /// Of a token call: what the carrier answers, and what is read in it.
    #[serde(default)]
    pub answer: Option<TokenAnswer>,
}

/// The answer of a token call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAnswer {
    #[serde(default = "good")]
    http_status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body: as JSON, or as text.
    json: Option<Value>,
    body: Option<String>,
    /// `token` and `expires_at`, or `outcome` and `message`.
    gives: Map<String, Value>,
}

fn good() -> u16 {
    200
}

impl TokenAnswer {
    fn compare(&self, carrier: &Carrier, now: Timestamp) -> Vec<Difference> {
        let body = self.json.as_ref().map(Value::to_string).or_else(|| self.body.clone()).unwrap_or_default();
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let response = RawAnswer { status: self.http_status, headers, body: body.into_bytes(), observed_at: now };
        let found = match carrier.read_token(&response, now) {
            Ok(token) => json!({"token": token.value.expose_secret(), "expires_at": token.expires_at}),
            Err(problem) => json!({"outcome": problem.outcome, "message": problem.message}),
        };
        differences("answer", &Value::Object(self.gives.clone()), &found, true)
    }
}

/// One parcel of a call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its number.
    pub number: String,
    /// What is asked beside it.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
}

/// What is expected of the request; what is left out is not compared.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    method: Option<String>,
    url: Option<String>,
    /// Only these are compared; `null`: it is not sent.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// The body as it is sent; `null`: none.
    #[serde(default)]
    body: Body,
    /// The body as JSON, whatever its keys are ordered like.
    json: Option<Value>,
    /// The page for people of the first parcel.
    page: Option<String>,
}

/// What is expected of the body.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Option<String>")]
enum Body {
    /// It is not looked at.
    #[default]
    Unasked,
    /// None is sent.
    Absent,
    /// It is this text.
    Text(String),
}

impl From<Option<String>> for Body {
    fn from(given: Option<String>) -> Self {
        given.map_or(Self::Absent, Self::Text)
    }
}

fn production() -> String {
    "production".to_owned()
}

fn usual() -> Timestamp {
    Timestamp::constant(1_773_316_800, 0)
}

impl Vector {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence, when it cannot be used.
    pub fn read(path: &Path, name: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let given: Given = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if given.expect.json.is_some() && given.expect.body != Body::Unasked {
            return Err("expect holds body or json, not both".to_owned());
        }
        if given.expect == Expected::default() && given.answer.is_none() {
            return Err("it expects nothing: name the request in `expect`, or what is read in `answer`".to_owned());
        }
        if given.answer.is_some() && given.of == Of::Request {
            return Err("`answer` goes with \"of\": \"token\": answers about parcels are samples".to_owned());
        }
        Ok(Self { name: name.to_owned(), given })
    }

    /// The request that a definition makes of it.
    ///
    /// # Errors
    /// A sentence, when it makes none.
    pub fn run(&self, carrier: &Carrier) -> Result<CallRequest, String> {
        let given = &self.given;
        let changed = (!given.vars.is_empty()).then(|| carrier.with_vars(&given.environment, &given.vars));
        let carrier = changed.as_ref().unwrap_or(carrier);
        let credentials: BTreeMap<String, SecretString> =
            given.credentials.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let account = AccountContext {
            environment: given.environment.clone(),
            base_url: given.base_url.clone(),
            credentials: &credentials,
            language: given.language.clone(),
        };
        let call = CallContext { now: given.now, request_id: given.request_id.clone() };
        let made = match given.of {
            Of::Token => carrier
                .token_call(&account, &call)
                .ok_or_else(|| "the definition has no [auth.token]: there is no such call".to_owned())?,
            Of::Request => {
                let item = |item: &Item| CallItem {
                    number: carrier.normalise(&item.number).unwrap_or_else(|_| item.number.clone()),
                    inputs: item.inputs.clone(),
                    ..CallItem::default()
                };
                let items: Vec<CallItem> = given.items.iter().map(item).collect();
                let token = given.token.clone().map(SecretString::from);
                carrier.plan_call(&account, &items, token.as_ref(), &call)
            }
        };
        made.map_err(|problem| problem.to_string())
    }

    /// Each place where the request is not the expected one.
    ///
    /// # Errors
    /// A sentence, when no request is made.
    pub fn differences(&self, carrier: &Carrier) -> Result<Vec<Difference>, String> {
        let made = self.run(carrier)?;
        let mut found = self.given.expect.compare(&made);
        if let (Some(page), Some(first)) = (&self.given.expect.page, self.given.items.first()) {
            let language = self.given.language.clone();
            let hints = Hints { inputs: first.inputs.clone(), language, ..Hints::default() };
            let number = carrier.normalise(&first.number).unwrap_or_else(|_| first.number.clone());
            found.extend(differences("page", &json!(page), &json!(carrier.public_url(&number, &hints)), false));
        }
        found.extend(self.given.answer.iter().flat_map(|answer| answer.compare(carrier, self.given.now)));
        Ok(found)
    }
}

impl Expected {
    fn compare(&self, made: &CallRequest) -> Vec<Difference> {
        let (mut expected, mut found) = (Map::new(), Map::new());
        if let Some(method) = &self.method {
            expected.insert("method".to_owned(), json!(method));
            found.insert("method".to_owned(), json!(made.method));
        }
        if let Some(url) = &self.url {
            expected.insert("url".to_owned(), json!(url));
            found.insert("url".to_owned(), json!(made.url));
        }
        for (name, value) in &self.headers {
            let sent = made.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            expected.insert(format!("headers.{name}"), json!(value));
            found.insert(format!("headers.{name}"), json!(sent.map(|(_, value)| value.expose_secret())));
        }
        let body = made.body.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let wanted = match &self.body {
            Body::Unasked => None,
            Body::Absent => Some(Value::Null),
            Body::Text(text) => Some(json!(text.trim())),
        };
        if let Some(wanted) = wanted {
            expected.insert("body".to_owned(), wanted);
            found.insert("body".to_owned(), json!(body.as_deref().map(str::trim)));
        }
        if let Some(wanted) = &self.json {
            let read = body.as_deref().map(|body| serde_json::from_str(body).unwrap_or_else(|_| json!(body)));
            expected.insert("json".to_owned(), wanted.clone());
            found.insert("json".to_owned(), read.unwrap_or_default());
        }
        differences("", &Value::Object(expected), &Value::Object(found), false)
    }
}
