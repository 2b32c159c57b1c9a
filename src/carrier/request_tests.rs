//! Requests, tokens and numbers of definitions that do what the compiled-in ones do not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::*;

const EVERYTHING: &str = include_str!("load/everything.toml");

fn carrier(changes: &[(&str, &str)]) -> Carrier {
    let text = changes.iter().fold(EVERYTHING.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let shared =
        document::Shared::from([("shared".to_owned(), "[[codes]]\ntable = { \"9\" = \"delivered\" }\n".to_owned())]);
    let definition = load::definition("test.toml", &text, &shared).unwrap_or_else(|told| panic!("{told:#?}"));
    Carrier::new(definition, 1)
}

fn plan(carrier: &Carrier, items: &[CallItem]) -> Result<CallRequest, CallProblem> {
    let credentials = BTreeMap::from([("key".to_owned(), SecretString::from("s3cret"))]);
    let account = AccountContext {
        environment: "production".to_owned(),
        base_url: None,
        credentials: &credentials,
        language: None,
    };
    let call = CallContext { now: "2026-03-11T10:00:00Z".parse().unwrap(), request_id: "r".to_owned() };
    carrier.plan_call(&account, items, Some(&SecretString::from("tok")), &call)
}

fn item(number: &str, postcode: Option<&str>) -> CallItem {
    let inputs = postcode.map(|code| ("postcode".to_owned(), code.to_owned())).into_iter().collect();
    CallItem { number: number.to_owned(), inputs, ..CallItem::default() }
}

fn header<'r>(request: &'r CallRequest, name: &str) -> &'r str {
    let found = request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.expose_secret()).unwrap_or_default()
}

/// The digest was made with `printf '{...}1773223200' | sha256sum`.
#[test]
fn a_signature_covers_the_body_that_is_sent() {
    let request = plan(&carrier(&[]), &[item("1", Some("75001")), item("2", None)]).unwrap();
    let body = String::from_utf8(request.body.clone().unwrap()).unwrap();
    assert_eq!(body, r#"{"fixed":1,"list":[{"n":"1","p":"75001"},{"n":"2"}]}"#, "what is absent is left out");
    assert_eq!(header(&request, "h"), "b103a1756380f418fdd936bfcfcf734d90900249062b8e15dc614954969853f8");
    assert_eq!(request.url, "https://api.example.org/1?a=1773223200&b=1&b=2&c=d");
    assert_eq!(header(&request, "authorization"), "Bearer tok");
}

#[test]
fn a_list_in_a_parameter_repeats_its_name_and_what_gives_nothing_is_left_out() {
    let query = "query = { n = \"{{ numbers }}\", gone = \"{{ inputs.postcode }}\", kept = \"\" }";
    let carrier = carrier(&[("query = { a = \"{{ a }}\", b = [\"1\", \"2\"] }", query)]);
    let request = plan(&carrier, &[item("1 a", None), item("2&", None)]).unwrap();
    assert_eq!(request.url, "https://api.example.org/1?n=1%20a&n=2%26&kept=&c=d");
}

#[test]
fn basic_joins_user_and_password_with_its_separator() {
    let token = &EVERYTHING[EVERYTHING.find("[auth.token]").unwrap()..EVERYTHING.find("[request]").unwrap()];
    let carrier = carrier(&[
        (token, ""),
        ("kind = \"oauth2\"", "kind = \"basic\"\nuser = \"u\"\npassword = \"{{ credentials.key }}\""),
        ("header = { Authorization = \"Bearer {{ token }}\" }\nseparator = \":\"", "separator = \";\""),
        ("is = \"auth_failed\"\nrefresh = true", "is = \"auth_failed\""),
    ]);
    // printf 'u;s3cret' | base64
    assert_eq!(header(&plan(&carrier, &[item("1", None)]).unwrap(), "authorization"), "Basic dTtzM2NyZXQ=");
}

#[test]
fn only_equal_inputs_share_a_call() {
    let carrier = carrier(&[]);
    let key = |postcode| carrier.group_key(&item("1", postcode));
    assert_eq!(key(Some("75001")), key(Some("75001")));
    assert_ne!(key(Some("75001")), key(Some("75002")));
    assert_ne!(key(Some("75001")), key(None));
}

#[test]
fn lives_of_tokens_are_read_in_all_their_forms() {
    let now: jiff::Timestamp = "2026-03-11T10:00:00Z".parse().unwrap();
    let life = |changes: &[(&str, &str)], body: &str| {
        let answer = RawAnswer { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec(), observed_at: now };
        let token = carrier(changes).read_token(&answer, now).unwrap();
        (token.value.expose_secret().to_owned(), token.expires_at.duration_since(now).as_secs())
    };
    assert_eq!(life(&[], r#"{"access_token":"a","expires_in":"90"}"#), ("a".into(), 90));
    assert_eq!(life(&[], r#"{"access_token":"a","expires_at":"2026-03-11T11:00:00+00:00"}"#).1, 3_600);
    assert_eq!(life(&[], r#"{"access_token":"a","expires_at":1773223260000}"#).1, 60);
    assert_eq!(life(&[], r#"{"access_token":"a","expires_at":"2020-01-01T00:00:00"}"#).1, 0, "never before now");
    assert_eq!(life(&[], r#"{"access_token":"a","expires_in":1e300}"#).1, 3_600, "the definition's own life");
    // {"exp":1773223320}
    assert_eq!(life(&[], r#"{"access_token":"x.eyJleHAiOjE3NzMyMjMzMjB9.y"}"#).1, 120);
    assert_eq!(life(&[("value = \"access_token\"", "value = \"root\"")], "bare-token\n").0, "bare-token");
    let soap = [
        ("format = \"json\"", "format = \"xml\""),
        ("value = \"access_token\"", "value = \"root.Envelope.Body.token\""),
    ];
    assert_eq!(life(&soap, "<s:Envelope xmlns:s='x'><s:Body><token>t</token></s:Body></s:Envelope>").0, "t");
}

#[test]
fn numbers_are_found_however_they_are_pasted() {
    let registry = Registry::builtin();
    let best = |raw: &str| registry.detect(raw, &Hints::default()).into_iter().next();
    for raw in [
        "1Z999AA10123456784",
        " 1z 999 aa1 01 2345 6784 ",
        "1Z999AA1-0123-4567-84",
        "1Z999AA1\u{2011}0123456784\u{200b}",
        "https://www.ups.com/track?loc=en_US&tracknum=1Z999AA10123456784&requester=WT/trackdetails",
        "www.ups.com/track?tracknum=1Z%20999AA10123456784",
    ] {
        let found = best(raw).unwrap_or_else(|| panic!("{raw}"));
        assert_eq!((found.carrier.as_str(), found.number.as_str()), ("ups", "1Z999AA10123456784"), "{raw}");
        assert_eq!(found.checksum, ChecksumState::Verified);
    }
    assert_eq!(best("1Z999AA10123456785"), None, "a wrong check digit is no candidate");
    let named = registry.get("ups").unwrap().check_number("1Z999AA10123456785").unwrap();
    assert_eq!(named.checksum, ChecksumState::Wrong, "with the carrier named it is taken, and the wrong digit told");
    let candidates = registry.detect("986578788855", &Hints::default());
    assert_eq!(candidates[0].carrier.as_str(), "fedex", "a right check digit goes before a shape: {candidates:?}");
    let hints = Hints { carriers: vec!["mondialrelay".parse().unwrap()], ..Hints::default() };
    assert_eq!(registry.detect("241234567801", &hints)[0].carrier.as_str(), "mondialrelay");
    for (raw, problem) in
        [("", "empty"), ("   ", "empty"), ("!", "no tracking number of UPS"), ("https://x.y/", "empty")]
    {
        let told = registry.get("ups").unwrap().normalise(raw).unwrap_err().to_string();
        assert!(told.contains(problem), "{raw}: {told}");
    }
    assert!(registry.get("ups").unwrap().normalise(&"1".repeat(3_000)).is_err());
}

#[test]
fn inputs_come_from_the_registration_where_the_definition_says_so() {
    let carrier = carrier(&[("required = false", "required = true")]);
    let at = "2026-03-11T10:00:00Z".parse().unwrap();
    let mut registration = crate::model::Registration::default();
    assert_eq!(carrier.inputs(&registration, at), BTreeMap::new());
    assert_eq!(carrier.input_problems(&carrier.inputs(&registration, at)).len(), 1);
    registration.destination =
        Some(crate::model::tracker::Destination { postcode: Some("75001".to_owned()), ..Default::default() });
    let inputs = carrier.inputs(&registration, at);
    assert_eq!(inputs["postcode"], "75001");
    assert_eq!(carrier.input_problems(&inputs), Vec::<String>::new());
    let wrong = BTreeMap::from([("postcode".to_owned(), "x".to_owned()), ("wat".to_owned(), "1".to_owned())]);
    assert_eq!(carrier.input_problems(&wrong).len(), 2);
    assert!(matches!(plan(&carrier, &[item("1", None)]), Err(CallProblem::Input { .. })));
}

proptest! {
    #[test]
    fn no_text_panics_a_carrier(raw in "\\PC{0,80}", postcode in "\\PC{0,10}", body in proptest::collection::vec(any::<u8>(), 0..80)) {
        thread_local!(static KNOWN: (Registry, Carrier) = (Registry::builtin(), carrier(&[])));
        KNOWN.with(|(registry, everything)| {
            let _ = registry.detect(&raw, &Hints::default());
            let _ = registry.detect(&format!("https://x.y/{raw}"), &Hints::default());
            for carrier in registry.all() {
                if let Ok(number) = carrier.normalise(&raw) {
                    prop_assert_eq!(carrier.normalise(&number).is_ok(), true);
                }
                let _ = carrier.public_url(&raw, &Hints::default());
            }
            let _ = plan(everything, &[item(&raw, Some(&postcode))]);
            let now = "2026-03-11T10:00:00Z".parse().unwrap();
            let answer = RawAnswer { status: 200, headers: Vec::new(), body, observed_at: now };
            let _ = everything.read_token(&answer, now);
            Ok(())
        })?;
    }
}
