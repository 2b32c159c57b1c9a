use serde_json::json;

use super::*;
use crate::carrier::Registry;

fn scrubbed(code: &str, body: &str, number: &str) -> Scrubbed {
    let carrier = Registry::builtin().get(code).unwrap();
    let response = RawAnswer {
        status: 200,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        observed_at: "2026-03-11T10:00:00Z".parse().unwrap(),
    };
    carrier.scrub(&response, number, &["sup3r-secret"])
}

#[test]
fn people_and_accounts_are_gone_and_the_shape_stays() {
    let body = json!({"trackResponse": {"shipment": [{"inquiryNumber": "1Z12345E0205271688", "package": [{
        "trackingNumber": "1Z12345E0205271688",
        "deliveryDate": [{"type": "DEL", "date": "20261125"}],
        "deliveryInformation": {"receivedBy": "MARTIN", "location": "FRONT DOOR", "signature": {"image": "R0lG".repeat(100)}},
        "receiver": {"name": "Jeanne Martin", "phone": "06 12 34 56 78", "emailAddress": "jeanne@martin.example", "address": {"addressLine1": "12 rue des Lilas", "city": "Lyon", "postalCode": "69003", "countryCode": "FR"}},
        "referenceNumber": [{"type": "SHIPMENT", "number": "ORDER-778812"}],
        "activity": [{"status": {"type": "D", "code": "FS", "description": "Delivered to jeanne@martin.example"}, "date": "20261125", "time": "142900", "gmtOffset": "+01:00"}],
        "note": "call +33 6 12 34 56 78, parcel 1Z12345E0205271688 of 998877665544, key sup3r-secret",
        "latitude": 45.76, "created": 1_764_000_000_000_i64}]}]}});
    let out = scrubbed("ups", &body.to_string(), "1Z12345E0205271688");
    for gone in [
        "1Z12345E0205271688",
        "MARTIN",
        "Martin",
        "Lilas",
        "06 12",
        "6 12 34",
        "jeanne",
        "998877665544",
        "sup3r",
        "R0lG",
        "45.76",
    ] {
        assert!(!out.body.contains(gone), "{gone} in {}", out.body);
    }
    for kept in
        ["\"FS\"", "20261125", "142900", "+01:00", "FRONT DOOR", "Lyon", "69003", "1764000000000", "Delivered to"]
    {
        assert!(out.body.contains(kept), "{kept} not in {}", out.body);
    }
    assert_eq!(out.extension, "json");
    let ups = Registry::builtin().get("ups").unwrap();
    assert_eq!(ups.check_number(&out.number).unwrap().checksum, crate::carrier::ChecksumState::Verified);
    assert!(out.body.contains(&out.number), "another number of the same format stands there");
    let told: Vec<&str> = out.replaced.keys().copied().collect();
    assert_eq!(
        told,
        [
            "coordinates",
            "e-mail addresses",
            "names",
            "numbers",
            "phone numbers",
            "streets",
            "tokens",
            "what the definition drops"
        ]
    );
}

#[test]
fn xml_stays_as_it_was_written_but_for_what_is_replaced() {
    let body = "<?xml version=\"1.0\"?>\n<a:R xmlns:a=\"urn:x\"><STAT>81</STAT><!-- kept --><Consignee><Name>Jeanne &amp; Paul</Name></Consignee><Expedition id=\"12345678\">12345678</Expedition></a:R>";
    let out = scrubbed("mondialrelay", body, "12345678");
    assert!(out.body.starts_with("<?xml version=\"1.0\"?>\n<a:R xmlns:a=\"urn:x\"><STAT>81</STAT><!-- kept --><Consignee><Name>Camille Example</Name>"), "{}", out.body);
    assert!(!out.body.contains("12345678") && out.extension == "xml", "{}", out.body);
}

#[test]
fn what_the_definition_drops_and_what_is_no_document_are_scrubbed_too() {
    let out = scrubbed("ups", "Bad request for 1Z12345E0205271688 by jeanne@martin.example", "1Z12345E0205271688");
    assert_eq!(out.extension, "txt");
    assert_eq!(out.body, format!("Bad request for {} by someone@example.org", out.number));
}
