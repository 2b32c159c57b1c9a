//! What the types of a definition cannot say: names that must exist, things that only make sense together.

use std::collections::BTreeSet;

use super::checksum;
use super::definition::answer;
use super::definition::numbers::Over;
use super::definition::request::{Body, JsonTemplate, Param};
use super::definition::{AuthKind, Definition, NumberFormat, SCHEMA, TokenSpec};
use super::document::{self, Shared};
use super::expr::Template;
use super::numbers::clean;
use crate::spelling::nearest;

/// Key and sentence.
type Found = (String, String);

/// Puts what is shared in its place.
pub(super) fn resolve(definition: &mut Definition, shared: &Shared) -> Result<(), Found> {
    answer::check::resolve(definition, &|name| {
        let Some(text) = shared.get(name) else {
            let near = nearest(name, shared.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!(": did you mean {near:?}?"));
            return Err(format!("there is no shared file _shared/{name}.toml{hint}"));
        };
        document::read(&format!("_shared/{name}.toml"), text).map_err(|problems| problems[0].to_string())
    })
}

/// Collects everything that is wrong.
pub(super) fn check(definition: &Definition, problems: &mut Vec<Found>) {
    let mut tell = |key: String, message: String| problems.push((key, message));
    identity(definition, &mut tell);
    numbers(definition, &mut tell);
    limits(definition, &mut tell);
    auth(definition, &mut tell);
    names(definition, &mut tell);
    batches(definition, &mut tell);
    answer::check::check(definition, &mut tell);
}

type Tell<'t> = dyn FnMut(String, String) + 't;

fn identity(definition: &Definition, tell: &mut Tell<'_>) {
    if definition.schema != SCHEMA {
        tell("schema".into(), format!("this build reads schema {SCHEMA}, not {}", definition.schema));
    }
    for (at, country) in definition.countries.iter().enumerate() {
        if super::country::lookup(country) != Some(country.as_str()) {
            tell(format!("countries[{at}]"), format!("{country:?} is no ISO 3166-1 alpha-2 code such as FR"));
        }
    }
    if !(1_000..=120_000).contains(&definition.timeout_ms) {
        tell("timeout_ms".into(), "between 1000 and 120000".into());
    }
    if definition.environments.is_empty() {
        tell("environments".into(), "at least one, usually [environments.production]".into());
    }
    if let Some(name) = definition.credentials.keys().find(|name| !is_name(name)) {
        tell(format!("credentials.{name}"), "a name is made of a-z, 0-9 and _".into());
    }
    if let Some(name) = definition.inputs.keys().find(|name| !is_name(name)) {
        tell(format!("inputs.{name}"), "a name is made of a-z, 0-9 and _".into());
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn numbers(definition: &Definition, tell: &mut Tell<'_>) {
    for (at, format) in definition.numbers.iter().enumerate() {
        let key = |name: &str| format!("numbers[{at}].{name}");
        let Some(regex) = format.regex.get() else { continue };
        if regex.is_match("") {
            tell(key("regex"), "it matches an empty text".into());
        }
        if format.part.is_some_and(|part| part >= regex.captures_len()) {
            tell(key("part"), "the pattern has no such group".into());
        }
        for rule in &format.checksum.0 {
            if let Over::Group(group) = rule.over
                && group >= regex.captures_len()
            {
                let groups = regex.captures_len() - 1;
                tell(key("checksum.over"), format!("group {group}: the pattern has {groups}"));
            }
        }
        for example in &format.examples {
            match regex.captures(&clean(&definition.normalise, example)) {
                None => tell(key("examples"), format!("{example:?} does not match the pattern")),
                Some(groups) if !format.checksum.0.is_empty() && !checksum::holds(&format.checksum, &groups) => {
                    tell(key("examples"), wrong_check(format, example, &groups));
                }
                Some(groups) => {
                    let length = groups.get(0).map_or(0, |whole| whole.as_str().chars().count());
                    let beyond = format.checksum.0.iter().find_map(|rule| match rule.over {
                        Over::Range(from, to) if to > length && format.checksum.0.len() == 1 => Some((from, to)),
                        _ => None,
                    });
                    if let Some((from, to)) = beyond {
                        let message = format!("characters {from}-{to}, and {example:?} has {length}");
                        tell(key("checksum.over"), message);
                    }
                }
            }
        }
    }
}

fn wrong_check(format: &NumberFormat, example: &str, groups: &regex::Captures<'_>) -> String {
    let said = format!("the check character of {example:?} is wrong");
    match checksum::expected(&format.checksum, groups) {
        Some((given, right)) => format!("{said}: it is {given}, by this rule {right}"),
        None => said,
    }
}

fn limits(definition: &Definition, tell: &mut Tell<'_>) {
    if !definition.limits.contains_key("default") {
        tell("limits".into(), "[limits.default] is missing".into());
    }
    for (environment, limits) in &definition.limits {
        let key = |name: &str| format!("limits.{environment}.{name}");
        if environment != "default" && !definition.environments.contains_key(environment) {
            let near = nearest(environment, definition.environments.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!(": did you mean {near:?}?"));
            tell(format!("limits.{environment}"), format!("there is no environment of this name{hint}"));
        }
        if limits.concurrent == 0 {
            tell(key("concurrent"), "at least 1".into());
        }
        if limits.burst == Some(0) {
            tell(key("burst"), "at least 1".into());
        }
        if limits.windows.iter().any(|window| window.calls == 0) {
            tell(key("windows"), "a window allows at least 1 call".into());
        }
        if !(1..=1_000).contains(&limits.numbers_per_call) {
            tell(key("numbers_per_call"), "between 1 and 1000".into());
        }
    }
}

fn auth(definition: &Definition, tell: &mut Tell<'_>) {
    let auth = &definition.auth;
    let with_token = matches!(auth.kind, AuthKind::Oauth2 | AuthKind::Login);
    match auth.kind {
        AuthKind::Headers if auth.headers.is_empty() => {
            tell("auth.headers".into(), "kind = \"headers\" names them".into());
        }
        AuthKind::Query if auth.query.is_empty() => tell("auth.query".into(), "kind = \"query\" names them".into()),
        AuthKind::Basic if auth.user.is_none() || auth.password.is_none() => {
            tell("auth".into(), "kind = \"basic\" names user and password".into());
        }
        AuthKind::Oauth2 | AuthKind::Login if auth.token.is_none() => {
            tell("auth.token".into(), "this kind needs [auth.token]: the call that gives the token".into());
        }
        AuthKind::Login if auth.header.is_none() && auth.query.is_empty() && !mentions_token(definition) => {
            tell("auth.header".into(), "kind = \"login\" says how calls carry the token".into());
        }
        _ => {}
    }
    if !with_token && (auth.token.is_some() || auth.header.is_some()) {
        tell("auth.token".into(), "token and header go with kind = \"oauth2\" or \"login\"".into());
    }
    if auth.kind != AuthKind::Basic && (auth.user.is_some() || auth.password.is_some()) {
        tell("auth.user".into(), "user and password go with kind = \"basic\"".into());
    }
}

fn mentions_token(definition: &Definition) -> bool {
    let mut found = false;
    each_template(definition, &mut |_, template| found |= template.names().iter().any(|name| name == "token"));
    found || definition.request.lets.values().any(|one| one.mentions("token"))
}

/// A call that names only the first number asks about no other, however many it may hold.
fn batches(definition: &Definition, tell: &mut Tell<'_>) {
    let of_all = |name: &str| matches!(name.split('.').next(), Some("numbers" | "items"));
    let mut asked = definition.request.lets.values().any(|one| one.names().iter().any(|name| of_all(name)));
    each_template(definition, &mut |key, template| {
        asked |= key.starts_with("request.") && template.names().iter().any(|name| of_all(name));
    });
    if let Body::Json(json) = &definition.request.body {
        asked |= repeats(json);
    }
    for (environment, _) in definition.limits.iter().filter(|(_, limits)| !asked && limits.numbers_per_call > 1) {
        let key = format!("limits.{environment}.numbers_per_call");
        tell(
            key,
            "the request names one number only: use `numbers` or `items` in url, query, body or let, or set 1".into(),
        );
    }
}

fn repeats(json: &JsonTemplate) -> bool {
    match json {
        JsonTemplate::ForEach { .. } => true,
        JsonTemplate::List(items) => items.iter().any(repeats),
        JsonTemplate::Object(fields) => fields.values().any(repeats),
        JsonTemplate::Fixed(_) | JsonTemplate::Text(_) => false,
    }
}

/// Names that every template of a request can see.
const REQUEST_NAMES: &[&str] = &[
    "number",
    "numbers",
    "items",
    "inputs",
    "credentials",
    "base_url",
    "auth_base_url",
    "environment",
    "env",
    "language",
    "token",
    "now_s",
    "now_ms",
    "now_iso",
    "request_id",
    "body",
    "item",
    "range",
    "dict",
    "namespace",
    "debug",
];

/// Names in templates: a misspelt one would only show as an empty text in a call.
fn names(definition: &Definition, tell: &mut Tell<'_>) {
    let lets: Vec<&str> = definition.request.lets.keys().map(String::as_str).collect();
    let variables: BTreeSet<&str> =
        definition.environments.values().flat_map(|environment| environment.vars.keys().map(String::as_str)).collect();
    let mut look = |key: &str, names: &[String], lets: &[&str]| {
        for name in names {
            let (head, field) =
                name.split_once('.').map_or((name.as_str(), None), |(head, rest)| (head, rest.split('.').next()));
            let known: Vec<&str> = match (head, field) {
                ("credentials", Some(_)) => definition.credentials.keys().map(String::as_str).collect(),
                ("inputs", Some(_)) => definition.inputs.keys().map(String::as_str).collect(),
                ("env", Some(_)) => variables.iter().copied().collect(),
                _ => REQUEST_NAMES.iter().chain(lets).copied().collect(),
            };
            let wanted = if matches!(head, "credentials" | "inputs" | "env") { field.unwrap_or(head) } else { head };
            if known.contains(&wanted) || (field.is_none() && REQUEST_NAMES.contains(&head)) {
                continue;
            }
            let hint = nearest(wanted, known.iter().copied()).map(|near| format!(": did you mean {near:?}?"));
            tell(key.to_owned(), format!("{name:?} is not declared{}", hint.unwrap_or_default()));
        }
    };
    each_template(definition, &mut |key, template| look(key, template.names(), &lets));
    for (at, (name, one)) in definition.request.lets.iter().enumerate() {
        let key = format!("request.let.{name}");
        look(&key, one.names(), &lets[..at]);
    }
}

/// Every template of a request with its key.
fn each_template(definition: &Definition, visit: &mut dyn FnMut(&str, &Template)) {
    for (name, environment) in &definition.environments {
        visit(&format!("environments.{name}.base_url"), &environment.base_url);
        if let Some(url) = &environment.auth_base_url {
            visit(&format!("environments.{name}.auth_base_url"), url);
        }
    }
    let auth = &definition.auth;
    auth.headers.iter().for_each(|(name, t)| visit(&format!("auth.headers.{name}"), t));
    params("auth.query", &auth.query, visit);
    auth.header.iter().flatten().for_each(|(name, t)| visit(&format!("auth.header.{name}"), t));
    auth.user.iter().for_each(|t| visit("auth.user", t));
    auth.password.iter().for_each(|t| visit("auth.password", t));
    if let Some(token) = &auth.token {
        token_templates(token, visit);
    }
    let request = &definition.request;
    visit("request.url", &request.url);
    params("request.query", &request.query, visit);
    request.headers.iter().for_each(|(name, t)| visit(&format!("request.headers.{name}"), t));
    body("request", &request.body, visit);
}

fn token_templates(token: &TokenSpec, visit: &mut dyn FnMut(&str, &Template)) {
    visit("auth.token.url", &token.url);
    params("auth.token.query", &token.query, visit);
    token.headers.iter().for_each(|(name, t)| visit(&format!("auth.token.headers.{name}"), t));
    body("auth.token", &token.body, visit);
}

fn params(key: &str, all: &indexmap::IndexMap<String, Param>, visit: &mut dyn FnMut(&str, &Template)) {
    for (name, param) in all {
        param.0.iter().for_each(|template| visit(&format!("{key}.{name}"), template));
    }
}

fn body(key: &str, spec: &Body, visit: &mut dyn FnMut(&str, &Template)) {
    match spec {
        Body::None => {}
        Body::Json(json) => json_templates(&format!("{key}.json"), json, visit),
        Body::Form(form) => params(&format!("{key}.form"), form, visit),
        Body::Text(template) => visit(&format!("{key}.body"), template),
        Body::Soap(template) => visit(&format!("{key}.soap"), template),
    }
}

fn json_templates(key: &str, json: &JsonTemplate, visit: &mut dyn FnMut(&str, &Template)) {
    match json {
        JsonTemplate::Fixed(_) => {}
        JsonTemplate::Text(template) => visit(key, template),
        JsonTemplate::List(items) => items.iter().for_each(|item| json_templates(key, item, visit)),
        JsonTemplate::Object(fields) => {
            fields.iter().for_each(|(name, field)| json_templates(&format!("{key}.{name}"), field, visit));
        }
        JsonTemplate::ForEach { item, .. } => json_templates(&format!("{key}.item"), item, visit),
    }
}
