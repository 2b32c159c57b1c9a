//! InPost, "ShipX" tracking: a public GET for one number; errors are JSON under their HTTP status.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Inpost;

const TOKEN: &str = "organisation.token";

impl StandIn for Inpost {
    fn code(&self) -> &'static str {
        "inpost"
    }

    fn number(&self) -> &'static str {
        "600000000000000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("token", TOKEN)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "PL" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "label_created",
            "accepted",
            "departed",
            "at_local_facility",
            "out_for_delivery",
            "at_locker",
            "pickup_reminder",
            "collected_by_recipient",
        ]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        // Public; but a token that is sent has to be a good one.
        if !asked.header("authorization").is_empty() && asked.bearer() != TOKEN {
            return refused(401, "token_invalid");
        }
        let Some(number) = asked.path.strip_prefix("/tracking/").filter(|_| asked.method == "GET") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if number.len() != 24 || number.bytes().any(|byte| !byte.is_ascii_digit()) {
            return refused(400, "invalid_parameter");
        }
        let (Some(newest), true) = (told.last(), number == self.number()) else {
            return refused(404, "resource_not_found");
        };
        let details: Vec<Value> = told.iter().rev().map(detail).collect();
        Said::json(
            200,
            &json!({
                "tracking_number": number, "type": "inpost_locker_standard", "service": "inpost_locker_standard",
                "status": word(newest.means), "created_at": time(&told[0]), "updated_at": time(newest),
                "custom_attributes": {
                    "size": "B", "target_machine_id": "KRA010",
                    "target_machine_detail": { "name": "KRA010", "address": { "line1": "Example 1", "line2": "30-001 Krakow" } },
                },
                "tracking_details": details, "expected_flow": [],
            }),
        )
    }
}

fn refused(status: u16, error: &str) -> Said {
    Said::json(status, &json!({ "status": status, "error": error, "message": "Refused" }))
}

fn time(scan: &Scan) -> String {
    scan.local("Europe/Warsaw", "%Y-%m-%dT%H:%M:%S.000%:z")
}

fn detail(scan: &Scan) -> Value {
    json!({ "status": word(scan.means), "origin_status": "XXX", "agency": null, "datetime": time(scan) })
}

fn word(means: &str) -> &'static str {
    match means {
        "label_created" => "confirmed",
        "accepted" => "dispatched_by_sender",
        "departed" => "sent_from_source_branch",
        "at_local_facility" => "adopted_at_target_branch",
        "out_for_delivery" => "out_for_delivery",
        "at_locker" => "ready_to_pickup",
        "pickup_reminder" => "pickup_reminder_sent",
        _ => "delivered",
    }
}
