//! A request as it may be shown: without credentials, tokens and what is made of them.
//!
//! Secrets are not searched for in the request that was sent. The request is written twice more with invented ones;
//! wherever the two differ, something secret has its place. So nothing secret can be overlooked, whatever a definition
//! does with it: it was never there.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::at_work::Carrier;
use super::call::{AccountContext, CallContext, CallItem, CallProblem, CallRequest};
use super::definition::AuthKind;

/// What stands for a secret.
const MASK: &str = "***";
/// Parts between which secrets are told apart, in headers and bodies.
const BETWEEN: [char; 9] = ['&', '<', '>', '"', ',', ' ', '\n', '\t', '\r'];

/// A request for people's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRequest {
    /// `GET`, `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<String>,
}

impl Carrier {
    /// The call that asks about these parcels, with every secret masked. `call` is that of the call that is shown.
    pub fn shown_call(
        &self,
        account: &AccountContext<'_>,
        items: &[CallItem],
        call: &CallContext,
    ) -> Result<ShownRequest, CallProblem> {
        let one = self.with_invented(account, items, call, "a1")?;
        let other = self.with_invented(account, items, call, "b2")?;
        let headers = one.headers.iter().zip(&other.headers).map(|((name, one), (_, other))| {
            (name.clone(), masked(one.expose_secret(), other.expose_secret(), &BETWEEN))
        });
        let text =
            |request: &CallRequest| request.body.as_deref().map(|body| String::from_utf8_lossy(body).into_owned());
        Ok(ShownRequest {
            method: one.method.clone(),
            url: masked_url(&one.url, &other.url),
            headers: headers.collect(),
            body: text(&one).zip(text(&other)).map(|(one, other)| masked(&one, &other, &BETWEEN)),
        })
    }

    fn with_invented(
        &self,
        account: &AccountContext<'_>,
        items: &[CallItem],
        call: &CallContext,
        pattern: &str,
    ) -> Result<CallRequest, CallProblem> {
        let invented =
            |like: &str| SecretString::from(pattern.chars().cycle().take(like.chars().count()).collect::<String>());
        let known = &self.definition().credentials;
        let credentials: BTreeMap<String, SecretString> = account
            .credentials
            .iter()
            .map(|(name, value)| {
                let secret = known.get(name).is_none_or(|spec| spec.secret);
                (name.clone(), if secret { invented(value.expose_secret()) } else { value.clone() })
            })
            .collect();
        let needs_token = matches!(self.definition().auth.kind, AuthKind::Oauth2 | AuthKind::Login);
        let token = needs_token.then(|| invented("a token of the usual length"));
        let account = AccountContext { credentials: &credentials, ..account.clone() };
        self.plan_call(&account, items, token.as_ref(), call)
    }
}

/// What both have in common, part by part; where they differ, the mask.
fn masked(one: &str, other: &str, between: &[char]) -> String {
    let parts = |text: &str| text.split_inclusive(between).map(str::to_owned).collect::<Vec<_>>();
    let (ones, others) = (parts(one), parts(other));
    if ones.len() != others.len() {
        return MASK.to_owned();
    }
    ones.iter().zip(&others).map(|(one, other)| masked_part(one, other, between)).collect()
}

fn masked_part(one: &str, other: &str, between: &[char]) -> String {
    if one == other {
        return one.to_owned();
    }
    let end = one.chars().last().filter(|last| between.contains(last));
    let common = one.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b).last();
    let common = common.map_or("", |((at, c), _)| &one[..at + c.len_utf8()]);
    // Letters in common are an accident; the name before them is none.
    let name = common.rfind(['=', ':', '-', '/']).map_or("", |at| &common[..=at]);
    name.chars().chain(MASK.chars()).chain(end).collect()
}

/// In an address a part of the path is one of its own.
fn masked_url(one: &str, other: &str) -> String {
    let halves =
        |url: &str| url.split_once('?').map_or((url.to_owned(), None), |(a, b)| (a.to_owned(), Some(b.to_owned())));
    let ((path, query), (other_path, other_query)) = (halves(one), halves(other));
    let path = masked(&path, &other_path, &['/']);
    match query.zip(other_query) {
        Some((query, other)) => format!("{path}?{}", masked(&query, &other, &['&'])),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::Registry;

    const SECRET: &str = "S3CR3T/VALUE+42==";

    fn shown(code: &str, credentials: &[(&str, &str)]) -> ShownRequest {
        let carrier = Registry::builtin().get(code).unwrap();
        let credentials = credentials.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let account = AccountContext {
            environment: "production".to_owned(),
            base_url: None,
            credentials: &credentials,
            language: None,
        };
        let number = carrier.definition().numbers.iter().find_map(|format| format.examples.first()).unwrap();
        let item = CallItem { number: carrier.normalise(number).unwrap(), ..CallItem::default() };
        let call = CallContext { now: "2026-03-11T10:00:00Z".parse().unwrap(), request_id: "req-1".to_owned() };
        carrier.shown_call(&account, &[item], &call).unwrap()
    }

    fn header<'r>(request: &'r ShownRequest, name: &str) -> &'r str {
        let found = request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    #[test]
    fn secrets_tokens_and_signatures_are_masked_and_all_else_is_shown() {
        let fedex = shown("fedex", &[("client_id", "id"), ("client_secret", SECRET)]);
        assert_eq!(header(&fedex, "authorization"), "Bearer ***");
        assert_eq!(header(&fedex, "content-type"), "application/json");
        assert!(fedex.body.as_ref().unwrap().contains("\"trackingNumber\":"), "{fedex:?}");
        assert!(!fedex.body.as_ref().unwrap().contains(MASK), "{fedex:?}");
        let laposte = shown("laposte", &[("key", SECRET)]);
        assert_eq!(header(&laposte, "x-okapi-key"), MASK);
        assert!(laposte.url.starts_with("https://api.laposte.fr/suivi/v2/idships/") && !laposte.url.contains(MASK));
        // The brand is no secret; the signature is made of one.
        let mondialrelay = shown("mondialrelay", &[("enseigne", "BRAND001"), ("private_key", SECRET)]);
        let body = mondialrelay.body.unwrap();
        assert!(body.contains("<Enseigne>BRAND001<") && body.contains("<Security>***<"), "{body}");
    }

    #[test]
    fn whatever_differs_is_gone() {
        assert_eq!(
            masked_url("https://h/a1a1/x?k=a1a1&n=1", "https://h/b2b2/x?k=b2b2&n=1"),
            "https://h/***/x?k=***&n=1"
        );
        assert_eq!(
            masked("sign=9f==&n=1", "sign=0a&b&n=1", &BETWEEN),
            MASK,
            "where parts cannot be told apart, all is"
        );
    }
}
