//! Amazon Shipping v2: a refresh token gives a token, which travels in a header of its own; one number a call.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn, Tokens};

#[derive(Default)]
pub struct AmazonShipping(Tokens);

const CLIENT: &str = "amzn1.application-oa2-client.4711";
const SECRET: &str = "amzn1.oa2-cs.v1.quiet+harbour/=";
const REFRESH: &str = "Atzr|IwEB&4711";
const BUSINESS: &str = "AmazonShipping_FR";
const NUMBER: &str = "TBA000111224711";
const CARRIER: &str = "AMZN_FR";

impl StandIn for AmazonShipping {
    fn code(&self) -> &'static str {
        "amazon_shipping"
    }

    fn number(&self) -> &'static str {
        NUMBER
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("client_id", CLIENT), ("client_secret", SECRET), ("refresh_token", REFRESH), ("business_id", BUSINESS)]
    }

    fn registration(&self) -> Value {
        json!({ "inputs": { "carrier_id": CARRIER }, "destination": { "country": "FR" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "collected_from_sender", "departed", "arrived", "out_for_delivery", "left_with_neighbour"]
    }

    fn forget_tokens(&self) {
        self.0.forget();
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/auth/o2/token") => self.token(asked),
            ("GET", "/shipping/v2/tracking") => self.track(asked, told),
            _ => Said::text(404, "Not Found"),
        }
    }
}

impl AmazonShipping {
    fn token(&self, asked: &Asked) -> Said {
        let wanted = [
            ("grant_type", "refresh_token"),
            ("refresh_token", REFRESH),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ];
        if wanted.iter().any(|(name, value)| asked.field(name) != *value) {
            return Said::json(
                400,
                &json!({ "error": "invalid_grant", "error_description": "Something is not valid" }),
            );
        }
        let token = self.0.issue("Atza|");
        Said::json(
            200,
            &json!({ "access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": REFRESH }),
        )
    }

    fn track(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.header("x-amz-access-token").is_empty() {
            return refused(401, "Unauthorized", "Access token is missing in the request header.");
        }
        if !self.0.accepts(asked.header("x-amz-access-token")) {
            return refused(403, "Unauthorized", "The access token you provided has expired.");
        }
        if asked.header("x-amzn-shipping-business-id") != BUSINESS || asked.param("carrierId") != CARRIER {
            return refused(400, "InvalidInput", "No such business or carrier.");
        }
        if asked.param("trackingId") != NUMBER || told.is_empty() {
            return refused(404, "NotFound", "No shipment with this tracking id.");
        }
        let means = told.last().map_or("", |scan| scan.means);
        let (status, details) = match means {
            "label_created" => ("PreTransit", json!([])),
            "out_for_delivery" => ("OutForDelivery", json!([])),
            "left_with_neighbour" => ("Delivered", json!(["DeliveredToNeighbor"])),
            _ => ("InTransit", json!([])),
        };
        Said::json(
            200,
            &json!({ "payload": {
                "trackingId": NUMBER, "alternateLegTrackingId": null, "promisedDeliveryDate": "2026-03-12T20:00:00Z",
                "eventHistory": told.iter().map(event).collect::<Vec<_>>(),
                "summary": { "status": status, "trackingDetailCodes": { "forward": details, "returns": [] } },
            } }),
        )
    }
}

fn refused(status: u16, code: &str, message: &str) -> Said {
    Said::json(status, &json!({ "errors": [{ "code": code, "message": message, "details": "" }] }))
}

fn event(scan: &Scan) -> Value {
    let code = match scan.means {
        "label_created" => "ReadyForReceive",
        "collected_from_sender" => "PickupDone",
        "departed" => "Departed",
        "arrived" => "ArrivedAtCarrierFacility",
        "out_for_delivery" => "OutForDelivery",
        _ => "Delivered",
    };
    json!({
        "eventCode": code, "eventTime": scan.local("UTC", "%Y-%m-%dT%H:%M:%SZ"), "shipmentType": "FORWARD",
        "location": { "city": "Lyon", "stateOrRegion": "", "countryCode": "FR", "postalCode": "69001" },
    })
}
