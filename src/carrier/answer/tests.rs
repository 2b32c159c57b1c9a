use serde_json::json;

use super::*;
use crate::model::{Local, Meaning, Rule, Substatus};

const HEAD: &str = r#"
schema = 1
code = "test"
name = "Test"
confidence = "low"
zone = "Europe/Paris"
environments = { production = { base_url = "https://carrier.example" } }
limits = { default = { per_second = 1, concurrent = 1, numbers_per_call = 10, source = "test" } }
auth = { kind = "none" }
request = { method = "GET", url = "{{ base_url }}" }
"#;

/// Like La Poste: several numbers, each with its own return code, newest event first.
const BATCH: &str = r#"
batch = { split = true }
answer = { number = ["shipment.idShip", "idShip"], missing = "drifted" }
drops = { paths = ["shipment.recipient"] }
outcome = [
  { http = 400, is = "invalid_number", message = "root.returnMessage" },
  { http = [401], is = "auth_failed", refresh = true },
]
item_outcome = [{ when = "p.returnCode == 104", is = "not_found", message = "p.returnMessage" }, { when = "p.returnCode != 200", is = "drifted" }]
[map.parcel]
service = "shipment.product"
eta_to = { source = "shipment.estimDate", as = "date" }
delivered_to = "shipment.recipient.name"
[map.events]
list = "shipment.event"
order = "newest_first"
code = "code"
description = "label"
time = "date"
[[codes]]
on = "label"
text = [{ contains = ["incident"], is = "on_hold" }]
[[codes]]
table = { DR1 = "label_created", PC1 = "accepted", DI1 = "delivered", RV = "revoke" }
"#;

fn with_reader<T>(tail: &str, run: impl FnOnce(AnswerReader<'_>) -> T) -> T {
    let definition: Definition = toml::from_str(&format!("{HEAD}{tail}")).unwrap();
    let normalise = |raw: &str| Some(raw.replace(' ', "").to_ascii_uppercase());
    let page = |item: &CallItem| Some(format!("https://carrier.example/t?n={}", item.number));
    run(AnswerReader {
        definition: &definition,
        version: 1,
        reads_headers: false,
        env: &Value::Null,
        normalise: &normalise,
        public_url: &page,
    })
}

fn response(status: u16, body: &str) -> RawAnswer {
    RawAnswer {
        status,
        headers: vec![("Retry-After".into(), "7".into()), ("Content-Type".into(), "application/json".into())],
        body: body.as_bytes().to_vec(),
        observed_at: "2025-02-05T09:00:00Z".parse().unwrap(),
    }
}

fn items(numbers: &[&str]) -> Vec<CallItem> {
    numbers.iter().map(|number| CallItem { number: (*number).to_owned(), ..CallItem::default() }).collect()
}

fn read(tail: &str, numbers: &[&str], status: u16, body: &str) -> Answer {
    with_reader(tail, |reader| reader.read(&items(numbers), &response(status, body)))
}

fn shipment(number: &str) -> Value {
    json!({"returnCode": 200, "shipment": {"idShip": number, "product": "colissimo", "recipient": {"name": "Jeanne"},
        "estimDate": "2025-02-05T00:00:00+01:00", "event": [
        {"code": "ZZ9", "label": "quelque chose", "date": "2025-02-05T08:12:00+01:00"},
        {"code": "PC1", "label": "INCIDENT \u{202e}de tri", "date": "2025-02-04T03:27:00"},
        {"code": "DR1", "label": "Annonce", "date": "2025-02-03"}]}})
}

#[test]
fn a_mixed_batch_is_matched_by_number_and_never_by_position() {
    let body = json!([{"returnCode": 104, "returnMessage": "pas encore", "idShip": "B2"}, shipment("a 1"), shipment("STRANGER")]);
    let answer = read(BATCH, &["A1", "B2", "C3"], 207, &body.to_string());
    assert_eq!(answer.call, PollOutcome::Ok);
    let told: Vec<_> = answer.parcels.iter().map(|p| (p.number.as_str(), p.outcome)).collect();
    assert_eq!(told, [("A1", PollOutcome::Ok), ("B2", PollOutcome::NotFound), ("C3", PollOutcome::Drifted)]);
    assert_eq!(answer.parcels[1].message.as_deref(), Some("pas encore"));

    let seen = answer.parcels[0].observation.as_ref().unwrap();
    let meanings: Vec<_> = seen.events.iter().map(|event| event.meaning).collect();
    assert_eq!(
        meanings,
        [
            Meaning::Moves(Substatus::LabelCreated, Rule::Plain),
            Meaning::Moves(Substatus::OnHold, Rule::Plain),
            Meaning::Unmapped
        ]
    );
    assert_eq!(seen.events[1].description.as_deref(), Some("INCIDENT de tri"));
    assert_eq!(seen.events[1].time.utc.unwrap().to_string(), "2025-02-04T02:27:00Z");
    assert!(matches!(seen.events[0].time.local, Some(Local::Date(_))));
    assert_eq!(seen.facts.eta_to.unwrap().to_string(), "2025-02-05");
    assert_eq!(seen.facts.delivered_to, None, "dropped");
    assert_eq!(seen.facts.public_url.as_deref(), Some("https://carrier.example/t?n=A1"));
}

/// Of a list that is documented as newest first, the codes in the order that is read.
fn order_of(events: &Value) -> Vec<String> {
    let body = json!([{"returnCode": 200, "shipment": {"idShip": "A1", "event": events}}]).to_string();
    let answer = read(BATCH, &["A1"], 200, &body);
    let seen = answer.parcels[0].observation.as_ref().unwrap();
    seen.events.iter().map(|event| event.code.clone()).collect()
}

#[test]
fn a_list_that_comes_the_other_way_round_is_turned() {
    let at = |code: &str, date: &str| json!({"code": code, "label": "x", "date": date});
    let turned = json!([
        at("DR1", "2025-02-03T08:00:00Z"),
        at("PC1", "2025-02-03T08:00:00Z"),
        at("DI1", "2025-02-03T09:00:00Z")
    ]);
    assert_eq!(order_of(&turned), ["DR1", "PC1", "DI1"]);
    let as_documented = json!([at("DI1", "2025-02-05"), at("PC1", "2025-02-04"), at("DR1", "2025-02-04")]);
    assert_eq!(order_of(&as_documented), ["DR1", "PC1", "DI1"]);
    // Of one instant, or with a time that does not fall: the carrier's order stands.
    let equal = json!([at("DI1", "2025-02-05T08:00:00Z"), at("DR1", "2025-02-05T08:00:00Z")]);
    assert_eq!(order_of(&equal), ["DR1", "DI1"]);
    let corrected = json!([
        at("PC1", "2025-02-04T08:00:00Z"),
        at("DI1", "2025-02-05T08:00:00Z"),
        at("DR1", "2025-02-03T08:00:00Z")
    ]);
    assert_eq!(order_of(&corrected), ["DR1", "DI1", "PC1"]);
    // Days without a clock turn a list only where they are further apart than zones are.
    let next_day = json!([at("DR1", "2025-02-03"), at("DI1", "2025-02-04")]);
    assert_eq!(order_of(&next_day), ["DI1", "DR1"]);
    let next_week = json!([at("DR1", "2025-02-03"), at("DI1", "2025-02-10")]);
    assert_eq!(order_of(&next_week), ["DR1", "DI1"]);
}

#[test]
fn an_unchanged_parcel_is_not_mapped_again() {
    let body = json!([shipment("A1")]).to_string();
    let first = read(BATCH, &["A1"], 200, &body);
    let digest = first.parcels[0].observation.as_ref().unwrap().digest;
    with_reader(BATCH, |reader| {
        let known = vec![CallItem { number: "A1".into(), known_digest: Some(digest), ..CallItem::default() }];
        let again = reader.read(&known, &response(200, &body));
        assert!(again.parcels[0].unchanged && again.parcels[0].observation.is_none());
        assert_eq!(again.parcels[0].outcome, PollOutcome::Ok);
        let mended = AnswerReader { version: 2, ..reader };
        assert!(!mended.read(&known, &response(200, &body)).parcels[0].unchanged, "another definition reads anew");
        // What is dropped is not looked at, not even for a change.
        let moved = body.replace("Jeanne", "Marie");
        assert!(reader.read(&known, &response(200, &moved)).parcels[0].unchanged);
    });
}

#[test]
fn an_answer_of_the_same_bytes_is_not_even_parsed() {
    let body = json!([shipment("A1")]).to_string();
    let raw = response(200, &body);
    with_reader(BATCH, |reader| {
        let fresh = CallItem { number: "A1".into(), ..CallItem::default() };
        let first = reader.read(std::slice::from_ref(&fresh), &raw);
        let told = &first.parcels[0];
        let known_digest = told.observation.as_ref().map(|seen| seen.digest);
        let known = CallItem { known_digest, known_bytes: told.bytes, ..fresh };
        let again = reader.repeated(&known, &raw).expect("the same bytes");
        let mapped = CallItem { known_bytes: None, ..known.clone() };
        assert_eq!(again, reader.read(&[mapped], &raw), "it says what reading would have said");
        let other = |item: CallItem, raw: &RawAnswer, reader: AnswerReader<'_>| {
            assert_eq!(reader.repeated(&item, raw), None);
        };
        other(known.clone(), &response(201, &body), reader);
        other(known.clone(), &response(200, &format!("{body} ")), reader);
        other(known.clone(), &raw, AnswerReader { version: 2, ..reader });
        other(CallItem { known_digest: Some(7), ..known.clone() }, &raw, reader);
        other(CallItem { number: "A2".into(), ..known.clone() }, &raw, reader);
        let with = |name: &str, value: &str| {
            let mut raw = raw.clone();
            raw.headers.insert(0, (name.to_owned(), value.to_owned()));
            raw
        };
        other(known.clone(), &with("Content-Type", "text/xml; charset=latin1"), reader);
        assert!(reader.repeated(&known, &with("Date", "today")).is_some(), "nobody looks at this header");
        other(known, &with("Date", "today"), AnswerReader { reads_headers: true, ..reader });
        // Of several numbers, or where there is more to tell than that all is well, nothing is known.
        let two = ["A1", "B2"].map(|number| CallItem { number: number.into(), ..CallItem::default() });
        assert!(reader.read(&two, &raw).parcels.iter().all(|parcel| parcel.bytes.is_none()));
        assert_eq!(read(BATCH, &["A1"], 200, "[]").parcels[0].bytes, None);
    });
}

#[test]
fn whether_headers_are_looked_at_shows_in_the_definition() {
    let looks = |more: &str| toml::from_str::<Definition>(&format!("{HEAD}{more}")).unwrap().reads_headers();
    assert!(!looks(BATCH));
    for (expression, wanted) in [
        ("http.headers['x-trouble']", true),
        ("'a' ~ http.headers.date", true),
        ("http['headers'].date", true),
        ("http.status == 200", false),
        ("'https://carrier.example/' ~ p.x", false),
    ] {
        let with = BATCH.replace("[map.parcel]", &format!("[map.parcel]\npublic_url = \"{expression}\""));
        assert_eq!(looks(&with), wanted, "{expression}");
    }
}

#[test]
fn a_batch_that_one_number_spoilt_is_split_and_nobody_is_accused() {
    let body = r#"{"returnCode":400,"returnMessage":"bad"}"#;
    let several = read(BATCH, &["A1", "B2"], 400, body);
    assert!(several.split);
    assert!(several.parcels.iter().all(|parcel| parcel.outcome == PollOutcome::CarrierFault));
    let one = read(BATCH, &["A1"], 400, body);
    assert!(!one.split);
    assert_eq!((one.parcels[0].outcome, one.parcels[0].message.as_deref()), (PollOutcome::InvalidNumber, Some("bad")));
}

#[test]
fn trouble_of_the_account_is_told_for_the_call() {
    let refused = read(BATCH, &["A1", "B2"], 401, "{}");
    assert!(refused.token_refused && refused.call == PollOutcome::AuthFailed && refused.parcels.len() == 2);
    let throttled = read(BATCH, &["A1"], 429, "<html>");
    assert_eq!(throttled.call, PollOutcome::Throttled);
    assert_eq!(throttled.retry_after, Some(RetryAfter::Wait(jiff::SignedDuration::from_secs(7))));
    assert_eq!(read(BATCH, &["A1"], 200, "<html>").call, PollOutcome::Drifted);
    assert_eq!(read(BATCH, &["A1"], 200, "").call, PollOutcome::Drifted);
}

#[test]
fn a_list_of_events_without_anything_we_know_is_drift() {
    let renamed = json!({"returnCode": 200, "shipment": {"idShip": "A1", "event": [{"kode": "X"}]}});
    assert_eq!(read(BATCH, &["A1"], 200, &renamed.to_string()).parcels[0].outcome, PollOutcome::Drifted);
    let empty = json!({"returnCode": 200, "shipment": {"idShip": "A1", "event": {}}});
    assert_eq!(read(BATCH, &["A1"], 200, &empty.to_string()).parcels[0].outcome, PollOutcome::Ok);
}

#[test]
fn a_number_used_twice_means_its_newest_parcel() {
    let mut old = shipment("A1");
    old["shipment"]["event"] = json!([{"code": "DI1", "label": "x", "date": "2023-01-01T10:00:00+01:00"}]);
    for body in [json!([old, shipment("A1")]), json!([shipment("A1"), old])] {
        let answer = read(BATCH, &["A1"], 200, &body.to_string());
        assert_eq!(answer.parcels[0].observation.as_ref().unwrap().events.len(), 3);
    }
}

/// Like Mondial Relay: XML, nothing echoed, texts instead of codes, rows without anything.
const XML: &str = r#"
answer = { format = "xml", lists = ["row"], echo = false, parcels = "root.r" }
item_outcome = [{ when = "p.STAT == '94'", is = "not_found" }]
[map.events]
list = "Tracing.row"
order = "unordered"
where = "e.Date"
description = "Libelle"
place = { city = "Emplacement", country = "Pays" }
time = [{ text = "e.Date ~ ' ' ~ e.Heure", formats = ["%d/%m/%y %H:%M"] }, { text = "Date", formats = ["%d/%m/%y"] }]
[map.headline]
on = "STAT"
[[codes]]
on = "Libelle"
text = [{ contains = ["livré"], is = "delivered" }, { all = ["prise en charge", "site logistique"], is = "arrived" }]
[[codes]]
of = "headline"
table = { 81 = "in_transit" }
"#;

#[test]
fn xml_without_numbers_or_codes() {
    let body = "<r xmlns='urn:x'><STAT>81</STAT><Tracing>\
        <row><Libelle>Colis LIVRE</Libelle><Date>05/02/25</Date><Heure/></row>\
        <row><Libelle>Prise en charge sur notre site logistique</Libelle><Date>04/02/25</Date><Heure>07:11</Heure><Emplacement>LILLE</Emplacement><Pays>fr</Pays></row>\
        <row><Libelle/><Date/></row></Tracing></r>";
    let answer = read(XML, &["12345678"], 200, body);
    let seen = answer.parcels[0].observation.as_ref().unwrap();
    assert_eq!(seen.headline.as_ref().unwrap().substatus, Substatus::InTransit);
    assert_eq!(seen.events.len(), 2);
    assert_eq!(seen.events[0].meaning, Meaning::Moves(Substatus::Arrived, Rule::Plain));
    assert_eq!(seen.events[0].place.as_ref().unwrap().country.as_deref(), Some("FR"));
    assert_eq!(seen.events[1].time.local.unwrap().to_string(), "2025-02-05");
    assert_eq!(read(XML, &["1"], 200, "<r><STAT>94</STAT></r>").parcels[0].outcome, PollOutcome::NotFound);
    let several = read(XML, &["1", "2"], 200, body);
    assert!(
        several.parcels.iter().all(|parcel| parcel.outcome == PollOutcome::Drifted),
        "nobody gets another's answer"
    );
}

#[test]
fn normalize_takes_the_numbers_that_the_answer_names() {
    let body = json!([shipment("A1"), shipment("B 2"), shipment("a1")]).to_string();
    with_reader(BATCH, |reader| {
        let read = reader.normalize(&[], &response(200, &body), true);
        let numbers: Vec<_> = read.answer.parcels.iter().map(|parcel| parcel.number.as_str()).collect();
        assert_eq!(numbers, ["A1", "B2"]);
        let line = read.explain.iter().find(|line| line.field == "parcels[0].events[1].meaning").unwrap();
        assert_eq!(line.source.as_deref(), Some("codes[0] incident"));
        assert_eq!(line.value, "on_hold");
        assert!(line.tried[0].hit);
        assert!(reader.normalize(&[], &response(200, &body), false).explain.is_empty());
    });
    with_reader(XML, |reader| {
        let read = reader.normalize(&[], &response(200, "<r><STAT>81</STAT></r>"), false);
        assert_eq!(read.answer.parcels[0].number, "");
        assert_eq!(read.answer.parcels[0].outcome, PollOutcome::Ok);
    });
}

#[test]
fn an_accounts_environment_is_known_in_answers() {
    let text = format!("{HEAD}{BATCH}").replace("zone = \"Europe/Paris\"\n", "").replace(
        "environments = { production = { base_url = \"https://carrier.example\" } }",
        "environments = { egypt = { base_url = \"https://eg.example\", vars = { zone = \"Africa/Cairo\" } }, chile = { base_url = \"https://cl.example\", vars = { zone = \"America/Santiago\" } } }",
    );
    let text = text.replace("time = \"date\"", "time = \"date\"\nzone = \"env.zone\"");
    let carrier = crate::carrier::Carrier::new(toml::from_str(&text).unwrap(), 1);
    let body = r#"[{"returnCode":200,"idShip":"A1","shipment":{"event":[{"code":"PC1","label":"x","date":"2025-02-04T12:00:00"}]}}]"#;
    let read = |environment: &str, item: &CallItem| {
        carrier.read_answer_in(environment, std::slice::from_ref(item), &response(200, body)).parcels.remove(0)
    };
    let item = &items(&["A1"])[0];
    let (egypt, chile) = (read("egypt", item), read("chile", item));
    let instant = |parcel: &ParcelAnswer| parcel.observation.as_ref().unwrap().events[0].time.utc.unwrap().to_string();
    assert_eq!((instant(&egypt), instant(&chile)), ("2025-02-04T10:00:00Z".into(), "2025-02-04T15:00:00Z".into()));
    // The same words mean another time under another environment: they are read anew.
    let digest = egypt.observation.as_ref().map(|seen| seen.digest);
    let known = CallItem { known_digest: digest, known_bytes: egypt.bytes, ..item.clone() };
    assert!(read("egypt", &known).unchanged && !read("chile", &known).unchanged);
    let unnamed = carrier.normalize(&["A1".to_owned()], &response(200, body), false).answer.parcels.remove(0);
    assert_eq!(instant(&unnamed), instant(&egypt), "without production, the first environment is meant");
}

#[test]
fn rows_of_one_number_are_one_parcel() {
    const ROWS: &str = r#"
        [answer]
        format = "json"
        parcels = "root.rows"
        number = "n"
        rows = true
        [map.events]
        list = "rows"
        order = "oldest_first"
        code = "c"
        time = "t"
        [[codes]]
        on = "c"
        [codes.table]
        A = "accepted"
        D = "delivered"
        [drops]
        paths = ["rows.who"]
    "#;
    let row = |n: &str, c: &str, t: &str| json!({"n": n, "c": c, "t": t, "who": "Jeanne"});
    let (one, two) = ("2025-02-03T08:00:00Z", "2025-02-04T08:00:00Z");
    let body = json!({"rows": [row("A1", "A", one), row("B2", "A", one), row("A1", "D", two)]}).to_string();
    let asked = ["A1", "B2", "C3"];
    let keeping = asked.map(|number| CallItem { number: number.into(), keep: true, ..CallItem::default() });
    let answer = with_reader(ROWS, |reader| reader.read(&keeping, &response(200, &body)));
    let events = |at: usize| answer.parcels[at].observation.as_ref().map(|seen| seen.events.len());
    assert_eq!((events(0), events(1), events(2)), (Some(2), Some(1), None));
    assert_eq!(answer.parcels[2].outcome, PollOutcome::NotFound);
    let kept = answer.parcels[0].kept.as_deref().unwrap();
    let rows: Vec<_> = kept.root["rows"].as_array().unwrap().iter().filter(|row| !row.is_null()).collect();
    assert_eq!(rows.len(), 2, "nobody else's: {kept:?}");
    assert!(!kept.root.to_string().contains("Jeanne"));
}
