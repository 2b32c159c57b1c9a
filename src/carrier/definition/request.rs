//! `[request]` and `[batch]`: the call.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

use crate::carrier::expr::{Let, Source, Template};

/// `[request]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RawRequest")]
pub struct RequestSpec {
    /// `GET`, `POST`, `PUT`.
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
    /// An account's language in the carrier's words; `default` for the others.
    pub languages: IndexMap<String, String>,
    /// Values that are made once a call, in this order.
    pub(in crate::carrier) lets: IndexMap<String, Let>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    #[serde(default = "get")]
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
    languages: IndexMap<String, String>,
    #[serde(default, rename = "let")]
    lets: IndexMap<String, Let>,
}

impl TryFrom<RawRequest> for RequestSpec {
    type Error = String;

    fn try_from(raw: RawRequest) -> Result<Self, String> {
        let body = RawBody { json: raw.json, form: raw.form, body: raw.body, soap: raw.soap }.compile()?;
        Ok(Self {
            method: method(&raw.method)?,
            url: raw.url,
            query: raw.query,
            headers: raw.headers,
            body,
            content_type: raw.content_type,
            languages: raw.languages,
            lets: raw.lets,
        })
    }
}

/// A parameter: one template, or several for a repeated one.
#[derive(Debug, Clone)]
pub struct Param(pub Vec<Template>);

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: de::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Param;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a template, or a list of them for a repeated parameter")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Param, E> {
                Template::compile(text).map(|one| Param(vec![one])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Param, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(Param(all))
            }
        }
        d.deserialize_any(Read)
    }
}

/// What a call sends.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(JsonTemplate),
    /// `application/x-www-form-urlencoded`.
    Form(IndexMap<String, Param>),
    /// Text of any kind.
    Text(Template),
    /// A whole SOAP envelope.
    Soap(Template),
}

/// JSON whose texts are templates.
#[derive(Debug, Clone)]
pub enum JsonTemplate {
    /// A number or truth value, as it is.
    Fixed(serde_json::Value),
    /// A text; one expression alone keeps the type that it gives.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(IndexMap<String, JsonTemplate>),
    /// One item for each element of a list, seen as `item`.
    ForEach {
        /// The list.
        list: Source,
        /// What is made of each.
        item: Box<JsonTemplate>,
    },
}

impl JsonTemplate {
    fn compile(value: toml::Value) -> Result<Self, String> {
        Ok(match value {
            toml::Value::String(text) => Self::Text(Template::compile(&text).map_err(|problem| problem.to_string())?),
            toml::Value::Integer(n) => Self::Fixed(n.into()),
            toml::Value::Float(n) => Self::Fixed(n.into()),
            toml::Value::Boolean(yes) => Self::Fixed(yes.into()),
            toml::Value::Datetime(at) => return Err(format!("write the date {at} as text")),
            toml::Value::Array(items) => {
                Self::List(items.into_iter().map(Self::compile).collect::<Result<_, String>>()?)
            }
            toml::Value::Table(mut table) => match table.remove("for_each") {
                None => Self::Object(
                    table
                        .into_iter()
                        .map(|(key, value)| Ok((key, Self::compile(value)?)))
                        .collect::<Result<_, String>>()?,
                ),
                Some(list) => {
                    let item = table.remove("item").ok_or("for_each needs an item")?;
                    if let Some((stray, _)) = table.into_iter().next() {
                        return Err(format!("for_each knows item beside it, not {stray:?}"));
                    }
                    let list = Source::from_toml(&list).map_err(|problem| problem.to_string())?;
                    Self::ForEach { list, item: Box::new(Self::compile(item)?) }
                }
            },
        })
    }
}

/// The ways to write a body, of which a request takes one.
pub(super) struct RawBody {
    pub(super) json: Option<toml::Value>,
    pub(super) form: Option<IndexMap<String, Param>>,
    pub(super) body: Option<Template>,
    pub(super) soap: Option<Template>,
}

impl RawBody {
    pub(super) fn compile(self) -> Result<Body, String> {
        match (self.json, self.form, self.body, self.soap) {
            (None, None, None, None) => Ok(Body::None),
            (Some(json), None, None, None) => JsonTemplate::compile(json).map(Body::Json),
            (None, Some(form), None, None) => Ok(Body::Form(form)),
            (None, None, Some(text), None) => Ok(Body::Text(text)),
            (None, None, None, Some(soap)) => Ok(Body::Soap(soap)),
            _ => Err("a request has one of json, form, body and soap, not two of them".to_owned()),
        }
    }
}

/// `[batch]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSpec {
    /// Only numbers for which all of these are equal share a call.
    pub group_by: Vec<Source>,
    /// A batch that fails as a whole for one bad number is asked again in halves.
    pub split: bool,
}

pub(super) fn method(given: &str) -> Result<String, String> {
    match given {
        "GET" | "POST" | "PUT" => Ok(given.to_owned()),
        _ => Err(format!("{given:?} is no method that carriers ask for: GET, POST or PUT")),
    }
}

fn get() -> String {
    "GET".to_owned()
}
