//! Landmark Global, Track.php: XML by POST with the credentials in it, everything under HTTP 200, errors with a code.

use super::{Asked, Said, Scan, StandIn};

pub struct Landmark;

const USER: &str = "boutique";
const PASSWORD: &str = "quiet<harbour>&";
const CLIENT: &str = "4711";

impl StandIn for Landmark {
    fn code(&self) -> &'static str {
        "landmark"
    }

    fn number(&self) -> &'static str {
        "LTN90000471N1"
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        &[("username", USER), ("password", PASSWORD), ("client_id", CLIENT)]
    }

    fn life(&self) -> &'static [&'static str] {
        &["label_created", "departed", "customs_cleared", "handed_to_partner", "out_for_delivery", "delivered"]
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        if asked.path != "/v2/Track.php" || asked.method != "POST" {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        if !asked.header("content-type").starts_with("application/xml") {
            return failed("Request", "Content type must be application/xml");
        }
        if !asked.text().contains("<TrackRequest>") || asked.element("RetrievalType") != "Historical" {
            return failed("Request", "Not a TrackRequest");
        }
        let login = [asked.element("Username"), asked.element("Password"), asked.element("ClientID")];
        if login != [USER, PASSWORD, CLIENT] {
            return failed("Login", "Invalid username, password or client");
        }
        if asked.element("Test") != "false" {
            return failed("Request", "This account has no test mode");
        }
        if asked.element("TrackingNumber") != self.number() || told.is_empty() {
            return failed("Track", "The tracking number could not be found");
        }
        // Not in the order of time.
        let scans: String = told.iter().rev().map(event).collect();
        Said::xml(
            200,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><TrackResponse><Result><Success>true</Success>\
                 <ShipmentDetails><EndDeliveryCarrier>To Be Routed</EndDeliveryCarrier></ShipmentDetails><Packages><Package>\
                 <TrackingNumber>{0}</TrackingNumber><LandmarkTrackingNumber>{0}</LandmarkTrackingNumber>\
                 <PackageReference>ORD-1</PackageReference><Events>{scans}</Events></Package></Packages></Result></TrackResponse>",
                self.number(),
            ),
        )
    }
}

fn failed(code: &str, message: &str) -> Said {
    Said::xml(
        200,
        format!(
            "<TrackResponse><Result><Success>false</Success></Result><Errors><Error><ErrorCode>{code}</ErrorCode>\
             <ErrorMessage>{message}</ErrorMessage></Error></Errors></TrackResponse>"
        ),
    )
}

/// Both forms of dates occur.
fn event(scan: &Scan) -> String {
    let (code, status, format) = match scan.means {
        "label_created" => (50, "Shipment Data Uploaded", "%m/%d/%Y %I:%M %p"),
        "departed" => (150, "Crossing Border", "%m/%d/%Y %I:%M %p"),
        "customs_cleared" => (125, "Customs Cleared", "%Y-%m-%d %H:%M:%S"),
        "handed_to_partner" => (200, "Item scanned at postal facility", "%Y-%m-%d %H:%M:%S"),
        "out_for_delivery" => (300, "Item out for delivery", "%Y-%m-%d %H:%M:%S"),
        _ => (500, "Item successfully delivered", "%m/%d/%Y %I:%M %p"),
    };
    let date = scan.local("UTC", format);
    format!(
        "<Event><Status>{status}</Status><DateTime>{date}</DateTime><Location>Feltham, SRY</Location>\
         <EventCode>{code}</EventCode></Event>"
    )
}
