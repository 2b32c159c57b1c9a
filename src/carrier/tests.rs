//! The compiled-in carriers: they load, they know their numbers, their calls are what the protocols ask for.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::model::PollOutcome::{AuthFailed, CarrierFault, Drifted, Throttled};

fn registry() -> Registry {
    Registry::load_whole(None).unwrap_or_else(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", told.join("\n"))
    })
}

struct Account {
    credentials: BTreeMap<String, SecretString>,
    environment: &'static str,
    base_url: Option<&'static str>,
    language: Option<&'static str>,
}

impl Account {
    fn new(credentials: &[(&str, &str)]) -> Self {
        let credentials = credentials.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        Self { credentials, environment: "production", base_url: None, language: None }
    }

    fn context(&self) -> AccountContext<'_> {
        AccountContext {
            environment: self.environment.to_owned(),
            base_url: self.base_url.map(str::to_owned),
            credentials: &self.credentials,
            language: self.language.map(str::to_owned),
        }
    }
}

fn item(number: &str) -> CallItem {
    CallItem { number: number.to_owned(), ..CallItem::default() }
}

fn call() -> CallContext {
    CallContext { now: "2026-03-11T10:00:00Z".parse().unwrap(), request_id: "req-1".to_owned() }
}

fn header<'r>(request: &'r CallRequest, name: &str) -> Option<&'r str> {
    request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.expose_secret())
}

fn body(request: &CallRequest) -> String {
    String::from_utf8(request.body.clone().unwrap_or_default()).unwrap()
}

#[test]
fn all_compiled_in_carriers_load() {
    let registry = registry();
    assert_eq!(registry.all().count(), builtin::CARRIERS.len());
    assert!(Registry::builtin().get("ups").is_some());
    assert_eq!(registry.get("Mondial_Relay").unwrap().code().as_str(), "mondialrelay");
    assert!(registry.get("nobody").is_none());
}

#[test]
fn a_carrier_is_known_by_the_name_that_people_see() {
    let registry = Registry::builtin();
    for carrier in registry.all() {
        let name = &carrier.outline().name;
        for name in [name.clone(), name.to_uppercase(), carrier.code().as_str().replace('_', "-")] {
            assert_eq!(registry.get(&name).map(|found| found.code().clone()), Some(carrier.code().clone()), "{name}");
        }
    }
    assert!(registry.get("--").is_none() && registry.get("La Poste Mobile").is_none());
    assert!(registry.unknown("lapost").contains("did you mean \"laposte\"?"), "{}", registry.unknown("lapost"));
    assert!(registry.unknown("zzzzzzzzzz").contains("`wismo carriers list`"));
}

#[test]
fn every_folder_of_carriers_is_compiled_in() {
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/carriers")).unwrap();
    let mut names: Vec<String> = folders
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('_'))
        .collect();
    names.sort();
    let compiled: Vec<&str> = builtin::CARRIERS.iter().map(|(code, _)| *code).collect();
    assert_eq!(names, compiled);
}

#[test]
fn mondialrelay_signs_as_its_sheet_says() {
    let carrier = registry().get("mondialrelay").unwrap();
    let account = Account::new(&[("enseigne", "TESTMR01"), ("private_key", "PrivateK")]);
    let request = carrier.plan_call(&account.context(), &[item("12345678")], None, &call()).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://api.mondialrelay.com/Web_Services.asmx")
    );
    let body = body(&request);
    assert!(body.starts_with("<?xml"), "{body}");
    assert!(body.contains("<Security>BD183E0ADB73CEE05D7B9168F88D46D0</Security>"), "{body}");
    assert!(!body.contains("PrivateK"), "the key signs and is never sent");
    assert_eq!(header(&request, "content-type"), Some("text/xml; charset=utf-8"));
    assert!(header(&request, "soapaction").unwrap().contains("WSI2_TracingColisDetaille"));
}

#[test]
fn laposte_asks_ten_numbers_in_one_path() {
    let carrier = registry().get("laposte").unwrap();
    let account = Account { language: Some("en-GB"), ..Account::new(&[("key", "k3y")]) };
    let items = [item("6A10020030045"), item("6A99999999991")];
    let request = carrier.plan_call(&account.context(), &items, None, &call()).unwrap();
    assert_eq!(request.url, "https://api.laposte.fr/suivi/v2/idships/6A10020030045,6A99999999991?lang=en_GB");
    assert_eq!(header(&request, "x-okapi-key"), Some("k3y"));
    let eleven = vec![item("6A10020030045"); 11];
    let refused = carrier.plan_call(&account.context(), &eleven, None, &call());
    assert!(matches!(refused, Err(CallProblem::Count { most: 10, given: 11, .. })));
}

#[test]
fn fedex_posts_a_list_and_gets_its_token_with_a_form() {
    let carrier = registry().get("fedex").unwrap();
    let account = Account {
        base_url: Some("http://127.0.0.1:9/x/"),
        ..Account::new(&[("client_id", "id&1"), ("client_secret", "s3cr3t")])
    };
    let token = SecretString::from("tok");
    let items = [item("986578788855"), item("477179081230")];
    let request = carrier.plan_call(&account.context(), &items, Some(&token), &call()).unwrap();
    assert_eq!(request.url, "http://127.0.0.1:9/x/track/v1/trackingnumbers");
    assert_eq!(header(&request, "authorization"), Some("Bearer tok"));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    let json: serde_json::Value = serde_json::from_str(&body(&request)).unwrap();
    assert_eq!(json["includeDetailedScans"], true);
    assert_eq!(json["trackingInfo"][1]["trackingNumberInfo"]["trackingNumber"], "477179081230");
    let login = carrier.token_call(&account.context(), &call()).unwrap().unwrap();
    assert_eq!(login.url, "http://127.0.0.1:9/x/oauth/token", "the override holds for the token call, too");
    assert_eq!(body(&login), "grant_type=client_credentials&client_id=id%261&client_secret=s3cr3t");
    assert!(matches!(carrier.plan_call(&account.context(), &items, None, &call()), Err(CallProblem::Token(_))));
}

#[test]
fn ups_asks_one_number_with_its_own_headers() {
    let carrier = registry().get("ups").unwrap();
    let account = Account::new(&[("client_id", "id"), ("client_secret", "secret")]);
    let token = SecretString::from("tok");
    let request = carrier.plan_call(&account.context(), &[item("1Z12345E0205271688")], Some(&token), &call()).unwrap();
    assert!(
        request.url.starts_with("https://onlinetools.ups.com/api/track/v1/details/1Z12345E0205271688"),
        "{}",
        request.url
    );
    assert!(header(&request, "transid").is_some() && header(&request, "transactionsrc").is_some());
    let login = carrier.token_call(&account.context(), &call()).unwrap().unwrap();
    // printf id:secret | base64
    assert_eq!(header(&login, "authorization"), Some("Basic aWQ6c2VjcmV0"));
    assert_eq!(body(&login), "grant_type=client_credentials");
}

#[test]
fn sandbox_repeats_its_parameter() {
    let carrier = registry().get("sandbox").unwrap();
    let account = Account::new(&[]);
    let items = [item("SANDBOX-LATE"), item("SANDBOX-LOST-1")];
    let request = carrier.plan_call(&account.context(), &items, None, &call()).unwrap();
    assert!(request.url.ends_with("?number=SANDBOX-LATE&number=SANDBOX-LOST-1"), "{}", request.url);
    assert!(!carrier.definition().scripts.is_empty());
}

#[test]
fn what_is_missing_is_named_without_values() {
    let carrier = registry().get("ups").unwrap();
    let account = Account::new(&[("client_id", "id")]);
    let problem = carrier.token_call(&account.context(), &call()).unwrap().unwrap_err();
    assert!(problem.to_string().contains("client_secret"), "{problem}");
    let elsewhere = Account { environment: "prod", ..Account::new(&[("client_id", "a"), ("client_secret", "b")]) };
    let problem = carrier.token_call(&elsewhere.context(), &call()).unwrap().unwrap_err();
    assert!(problem.to_string().contains("production"), "{problem}");
    let bad = Account { base_url: Some("file:///etc"), ..Account::new(&[("client_id", "a"), ("client_secret", "b")]) };
    assert!(matches!(carrier.token_call(&bad.context(), &call()), Some(Err(CallProblem::Url { .. }))));
    let newline = SecretString::from("a\r\nX-Evil: 1");
    let good = Account::new(&[("client_id", "a"), ("client_secret", "b")]);
    let problem = carrier.plan_call(&good.context(), &[item("1Z12345E0205271688")], Some(&newline), &call());
    assert!(matches!(problem, Err(CallProblem::Header { .. })));
}

#[test]
fn secrets_never_show_in_debug() {
    let registry = registry();
    let secret = "S3CR3T-VALUE";
    for carrier in registry.all() {
        let names: Vec<(&str, &str)> =
            carrier.definition().credentials.keys().map(|name| (name.as_str(), secret)).collect();
        let account = Account::new(&names);
        let token = SecretString::from(secret);
        let number = carrier.definition().numbers.iter().find_map(|format| format.examples.first()).unwrap();
        let number = carrier.normalise(number).unwrap();
        let inputs =
            |value: &str| carrier.definition().inputs.keys().map(|name| (name.clone(), value.to_owned())).collect();
        let fitting = ["69001", "FR", "2026-03-12", "4711", "AMZN_FR"].map(inputs);
        let inputs = fitting.into_iter().find(|inputs| carrier.input_problems(inputs).is_empty()).unwrap_or_default();
        let asked = CallItem { inputs, ..item(&number) };
        let request = carrier.plan_call(&account.context(), &[asked], Some(&token), &call()).unwrap();
        let login = carrier.token_call(&account.context(), &call()).map(Result::unwrap);
        let shown = format!("{request:?} {login:?} {}", request.shown_url());
        assert!(!shown.contains(secret) && !shown.contains(&number), "{shown}");
    }
}

#[test]
fn tokens_are_read_with_their_life() {
    let registry = registry();
    let now = call().now;
    let read = |code: &str, status: u16, body: &str| {
        let answer = RawAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), observed_at: now };
        registry.get(code).unwrap().read_token(&answer, now)
    };
    let token = read("ups", 200, r#"{"access_token":"abc","expires_in":"14399","status":"approved"}"#).unwrap();
    assert_eq!(token.value.expose_secret(), "abc");
    assert_eq!(token.expires_at.duration_since(now).as_secs(), 14_399);
    assert!(token.renew_at < token.expires_at && token.renew_at > now);
    assert!(!format!("{token:?}").contains("abc"));
    let token = read("fedex", 200, r#"{"access_token":"x","expires_in":3599}"#).unwrap();
    assert_eq!(token.expires_at.duration_since(now).as_secs(), 3_599);
    for (status, body, outcome) in [
        (401, "{}", AuthFailed),
        (429, "", Throttled),
        (503, "<html>", CarrierFault),
        (200, "{}", Drifted),
        (200, "", Drifted),
    ] {
        assert_eq!(read("ups", status, body).unwrap_err().outcome, outcome, "{status} {body}");
    }
}
