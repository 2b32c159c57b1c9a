//! From a definition to the request that is sent.

mod bag;

use std::time::Duration;

use indexmap::IndexMap;
use minijinja::Value as Engine;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use self::bag::Bag;
use super::at_work::Carrier;
use super::call::{AccountContext, CallContext, CallItem, CallProblem, CallRequest};
use super::definition::request::{Body, JsonTemplate, Param};
use super::definition::{AuthKind, AuthSpec, Definition};
use super::expr::{ExprProblem, Scope, Template, percent_encode};

impl Carrier {
    /// The call that asks about these parcels.
    pub fn plan_call(
        &self,
        account: &AccountContext<'_>,
        items: &[CallItem],
        token: Option<&SecretString>,
        call: &CallContext,
    ) -> Result<CallRequest, CallProblem> {
        let definition = self.definition();
        let most = self.limits(&account.environment).numbers_per_call;
        if items.is_empty() || u32::try_from(items.len()).is_ok_and(|given| given > most) {
            return Err(CallProblem::Count { carrier: self.code().to_string(), most, given: items.len() });
        }
        let needs_token = matches!(definition.auth.kind, AuthKind::Oauth2 | AuthKind::Login);
        if needs_token && token.is_none() {
            return Err(CallProblem::Token(self.code().to_string()));
        }
        check_inputs(definition, items)?;
        let bag = Bag::new(definition, account, items, call)?;
        Writer { definition, timeout: timeout(definition) }.call(&bag, token)
    }

    /// The call that gets a token, where the carrier wants one.
    pub fn token_call(
        &self,
        account: &AccountContext<'_>,
        call: &CallContext,
    ) -> Option<Result<CallRequest, CallProblem>> {
        let definition = self.definition();
        let token = definition.auth.token.as_ref()?;
        let write = || {
            let bag = Bag::new(definition, account, &[], call)?;
            let scope = bag.scope();
            let writer = Writer { definition, timeout: timeout(definition) };
            let body = writer.body("auth.token", &token.body, &scope)?;
            let mut draft = Draft::new(&token.method);
            draft.url = writer.render("auth.token.url", &token.url, &scope)?;
            writer.query("auth.token.query", &token.query, &scope, &mut draft)?;
            writer.headers("auth.token.headers", &token.headers, &scope, &mut draft)?;
            writer.finish("auth.token", draft, body, token.content_type.as_deref())
        };
        Some(write())
    }
}

fn timeout(definition: &Definition) -> Duration {
    Duration::from_millis(u64::from(definition.timeout_ms))
}

fn check_inputs(definition: &Definition, items: &[CallItem]) -> Result<(), CallProblem> {
    for (name, field) in definition.inputs.iter().filter(|(_, field)| field.required) {
        let lacks = |item: &CallItem| item.inputs.get(name).is_none_or(|value| value.trim().is_empty());
        if items.iter().any(lacks) {
            let (carrier, name, help) = (definition.code.to_string(), name.clone(), field.help.clone());
            return Err(CallProblem::Input { carrier, name, help });
        }
    }
    Ok(())
}

/// A request being written.
struct Draft {
    method: String,
    url: String,
    headers: Vec<(String, SecretString)>,
}

impl Draft {
    fn new(method: &str) -> Self {
        Self { method: method.to_owned(), url: String::new(), headers: Vec::new() }
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }

    fn push_query(&mut self, name: &str, value: &str) {
        self.url.push(if self.url.contains('?') { '&' } else { '?' });
        self.url.push_str(&percent_encode(name));
        self.url.push('=');
        self.url.push_str(&percent_encode(value));
    }
}

/// A body with its content type.
type Written = Option<(Vec<u8>, Option<&'static str>)>;

struct Writer<'d> {
    definition: &'d Definition,
    timeout: Duration,
}

impl Writer<'_> {
    fn call(&self, bag: &Bag, token: Option<&SecretString>) -> Result<CallRequest, CallProblem> {
        let request = &self.definition.request;
        let mut scope = bag.scope();
        if let Some(token) = token {
            scope.set("token", Engine::from(token.expose_secret()));
        }
        // A signature over the body can only be made when the body is written; all other values come before it.
        let (after, before): (Vec<_>, Vec<_>) = request.lets.iter().partition(|(_, one)| one.mentions("body"));
        let later: Vec<&str> = after.iter().map(|(name, _)| name.as_str()).collect();
        let mut waits = later.clone();
        for (name, one) in before {
            if waits.iter().any(|name| one.mentions(name)) {
                waits.push(name);
                continue;
            }
            let value = one.run(&scope).map_err(|problem| self.problem(&format!("request.let.{name}"), &problem))?;
            scope.set(name, value);
        }
        let body = self.body("request", &request.body, &scope)?;
        let text = body.as_ref().map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        scope.set("body", Engine::from(text));
        for (name, one) in request.lets.iter().filter(|(name, _)| waits.contains(&name.as_str())) {
            let value = one.run(&scope).map_err(|problem| self.problem(&format!("request.let.{name}"), &problem))?;
            scope.set(name, value);
        }
        let mut draft = Draft::new(&request.method);
        draft.url = self.render("request.url", &request.url, &scope)?;
        self.query("request.query", &request.query, &scope, &mut draft)?;
        self.headers("request.headers", &request.headers, &scope, &mut draft)?;
        self.auth(&self.definition.auth, &scope, &mut draft)?;
        self.finish("request", draft, body, request.content_type.as_deref())
    }

    fn auth(&self, auth: &AuthSpec, scope: &Scope<'_>, draft: &mut Draft) -> Result<(), CallProblem> {
        self.headers("auth.headers", &auth.headers, scope, draft)?;
        self.query("auth.query", &auth.query, scope, draft)?;
        match (auth.kind, &auth.header) {
            (AuthKind::Basic, _) => {
                let of = |place: &str, template: &Option<Template>| {
                    template.as_ref().map_or(Ok(String::new()), |template| self.render(place, template, scope))
                };
                let pair = [of("auth.user", &auth.user)?, of("auth.password", &auth.password)?].join(&auth.separator);
                let value = format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()));
                draft.headers.push(("Authorization".to_owned(), value.into()));
            }
            (AuthKind::Oauth2 | AuthKind::Login, Some(header)) => self.headers("auth.header", header, scope, draft)?,
            (AuthKind::Oauth2, None) => {
                let bearer = self.engine_text("auth.header", "'Bearer ' ~ token", scope)?;
                draft.headers.push(("Authorization".to_owned(), bearer.into()));
            }
            _ => {}
        }
        Ok(())
    }

    fn engine_text(&self, place: &str, expression: &str, scope: &Scope<'_>) -> Result<String, CallProblem> {
        let template = Template::compile(&format!("{{{{ {expression} }}}}"));
        template.and_then(|template| template.render(scope)).map_err(|problem| self.problem(place, &problem))
    }

    fn render(&self, place: &str, template: &Template, scope: &Scope<'_>) -> Result<String, CallProblem> {
        template.render(scope).map_err(|problem| self.problem(place, &problem))
    }

    fn problem(&self, place: &str, problem: &ExprProblem) -> CallProblem {
        template_problem(self.definition, place, problem)
    }

    /// Parameters whose expressions give nothing are left out; an expression that gives a list repeats its name.
    fn params(
        &self,
        place: &str,
        params: &IndexMap<String, Param>,
        scope: &Scope<'_>,
    ) -> Result<Vec<(String, String)>, CallProblem> {
        let mut all = Vec::new();
        for (name, param) in params {
            for template in &param.0 {
                let place = format!("{place}.{name}");
                let value = template.json(scope).map_err(|problem| self.problem(&place, &problem))?;
                if let Value::Array(list) = &value {
                    all.extend(list.iter().map(|item| (name.clone(), plain_text(item))));
                    continue;
                }
                let value = self.render(&place, template, scope)?;
                if !value.is_empty() || template.is_fixed() {
                    all.push((name.clone(), value));
                }
            }
        }
        Ok(all)
    }

    fn query(
        &self,
        place: &str,
        params: &IndexMap<String, Param>,
        scope: &Scope<'_>,
        draft: &mut Draft,
    ) -> Result<(), CallProblem> {
        for (name, value) in self.params(place, params, scope)? {
            draft.push_query(&name, &value);
        }
        Ok(())
    }

    fn headers(
        &self,
        place: &str,
        headers: &IndexMap<String, Template>,
        scope: &Scope<'_>,
        draft: &mut Draft,
    ) -> Result<(), CallProblem> {
        for (name, template) in headers {
            let value = self.render(&format!("{place}.{name}"), template, scope)?;
            if value.is_empty() && !template.is_fixed() {
                continue;
            }
            let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            if name.is_empty() || !name.bytes().all(token) || value.chars().any(char::is_control) {
                return Err(CallProblem::Header { carrier: self.definition.code.to_string(), name: name.clone() });
            }
            draft.headers.push((name.clone(), value.into()));
        }
        Ok(())
    }

    fn body(&self, place: &str, body: &Body, scope: &Scope<'_>) -> Result<Written, CallProblem> {
        Ok(match body {
            Body::None => None,
            Body::Json(template) => {
                let value = self.json(&format!("{place}.json"), template, scope)?.unwrap_or(Value::Null);
                Some((value.to_string().into_bytes(), Some("application/json")))
            }
            Body::Form(form) => {
                let pairs = self.params(&format!("{place}.form"), form, scope)?;
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                Some((text.into_bytes(), Some("application/x-www-form-urlencoded")))
            }
            Body::Text(template) => {
                Some((self.render(&format!("{place}.body"), template, scope)?.trim().to_owned().into_bytes(), None))
            }
            Body::Soap(template) => {
                let text = self.render(&format!("{place}.soap"), template, scope)?;
                Some((text.trim().to_owned().into_bytes(), Some("text/xml; charset=utf-8")))
            }
        })
    }

    /// Nothing: the field is left out, as an input that was not given, or an object of nothing but such.
    fn json(&self, place: &str, template: &JsonTemplate, scope: &Scope<'_>) -> Result<Option<Value>, CallProblem> {
        Ok(match template {
            JsonTemplate::Fixed(value) => Some(value.clone()),
            JsonTemplate::Text(text) => {
                let value = text.json(scope).map_err(|problem| self.problem(place, &problem))?;
                let given = text.is_fixed() || value.as_str().is_none_or(|text| !text.is_empty());
                Some(value).filter(|value| given && !value.is_null())
            }
            JsonTemplate::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(self.json(place, item, scope)?);
                }
                (items.is_empty() || !list.is_empty()).then_some(Value::Array(list))
            }
            JsonTemplate::Object(fields) => {
                let mut object = serde_json::Map::new();
                for (name, field) in fields {
                    if let Some(value) = self.json(&format!("{place}.{name}"), field, scope)? {
                        object.insert(name.clone(), value);
                    }
                }
                (fields.is_empty() || !object.is_empty()).then_some(Value::Object(object))
            }
            JsonTemplate::ForEach { list, item } => {
                let elements = list.try_eval(scope).map_err(|problem| self.problem(place, &problem))?;
                let mut made = Vec::new();
                for element in elements.as_deref().and_then(Value::as_array).into_iter().flatten() {
                    let inner = scope.inside().with("item", element);
                    let inner = match (element.get("number"), element.get("inputs")) {
                        (Some(number), Some(inputs)) => inner.with("number", number).with("inputs", inputs),
                        _ => inner,
                    };
                    made.extend(self.json(place, item, &inner)?);
                }
                Some(Value::Array(made))
            }
        })
    }

    fn finish(
        &self,
        place: &str,
        mut draft: Draft,
        body: Written,
        content_type: Option<&str>,
    ) -> Result<CallRequest, CallProblem> {
        let valid =
            url::Url::parse(&draft.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid || draft.url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(CallProblem::Url { carrier: self.definition.code.to_string(), place: format!("{place}.url") });
        }
        let own = body.as_ref().and_then(|(_, kind)| *kind);
        if let Some(kind) = content_type.or(own).filter(|_| !draft.has_header("content-type")) {
            draft.headers.push(("Content-Type".to_owned(), kind.to_owned().into()));
        }
        Ok(CallRequest {
            method: draft.method,
            url: draft.url,
            headers: draft.headers,
            body: body.map(|(bytes, _)| bytes),
            timeout: self.timeout,
        })
    }
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn template_problem(definition: &Definition, place: &str, problem: &ExprProblem) -> CallProblem {
    let (carrier, place, problem) = (definition.code.to_string(), place.to_owned(), problem.to_string());
    CallProblem::Template { carrier, place, problem }
}
