//! bpost, "tracking info": a GET for one item, Basic, XML in two namespaces, times with their offset.

use serde_json::{Value, json};

use super::{Asked, Said, Scan, StandIn};

pub struct Bpost;

const ACCOUNT: &str = "107423";
const PASSPHRASE: &str = "quiet:harbour";

impl StandIn for Bpost {
    fn code(&self) -> &'static str {
        "bpost"
    }

    fn number(&self) -> &'static str {
        "323200000000000000004711"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("account_id", ACCOUNT), ("passphrase", PASSPHRASE)]
    }

    fn registration(&self) -> Value {
        json!({ "destination": { "country": "BE" } })
    }

    fn life(&self) -> &'static [&'static str] {
        &["in_transit", "at_local_facility", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if !asked.basic(ACCOUNT, PASSPHRASE) {
            return Said::text(401, "");
        }
        let item =
            asked.path.strip_prefix("/services/trackedmail/item/").and_then(|rest| rest.strip_suffix("/trackingInfo"));
        let Some(item) = item.filter(|_| asked.method == "GET") else {
            return Said::text(404, "<html><body>Not Found</body></html>");
        };
        if item != self.number() || told.is_empty() {
            return Said::xml(
                404,
                "<businessException xmlns=\"http://schema.post.be/tracking/v1/\"><code>404</code>\
                 <message>Item not found</message></businessException>",
            );
        }
        let scans: String = told.iter().map(state_info).collect();
        Said::xml(
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><itemTracking xmlns=\"http://schema.post.be/tracking/v1/\" \
             xmlns:ns2=\"http://schema.post.be/announcement/common/v1/\"><itemCode>{}</itemCode>{scans}\
             <trackingId>qrstuvw</trackingId></itemTracking>",
                self.number(),
            ),
        )
    }
}

fn state_info(scan: &Scan) -> String {
    let (code, text) = match scan.means {
        "in_transit" => ("R00", "Received - received"),
        "at_local_facility" => ("T00", "Sorted - sorted_out"),
        "out_for_delivery" => ("L00", "BoundToRound - out_for_distribution"),
        _ => ("U01", "DistributedNormally - regular"),
    };
    let time = scan.local("Europe/Brussels", "%Y-%m-%dT%H:%M:%S%:z");
    format!(
        "<stateInfo><time>{time}</time><stateCode>{code}</stateCode><stateDescription>{text}</stateDescription></stateInfo>"
    )
}
