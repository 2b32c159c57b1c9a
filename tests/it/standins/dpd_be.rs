//! DPD group, `ParcelLifeCycleService` 2.0: a SOAP login that gives a token, the token in the header of the envelope,
//! children without a namespace, all stages of the parcel whether reached or not. Belgium here; the Netherlands and
//! Germany stand in the same house and differ in paths, versions and clocks.

use roxmltree::{Document, Node};

use super::{Asked, Said, Scan, StandIn, Tokens};

pub struct LifeCycle {
    pub land: Land,
    pub tokens: Tokens,
}

/// What differs between the countries.
pub struct Land {
    pub code: &'static str,
    pub country: &'static str,
    pub number: &'static str,
    pub credentials: &'static [(&'static str, &'static str)],
    pub login: &'static str,
    pub login_version: &'static str,
    pub tracking: &'static str,
    pub languages: &'static [&'static str],
    pub zone: &'static str,
    pub days: &'static str,
    pub town: &'static str,
}

pub fn be() -> LifeCycle {
    let land = Land {
        code: "dpd_be",
        country: "BE",
        number: "05300000047110",
        credentials: &[("delis_id", "BEKD4711"), ("password", "frites & <mayo>")],
        login: "/soap/services/LoginService/V2_1",
        login_version: "2.1",
        tracking: "/soap/services/ParcelLifeCycleService/V2_0",
        languages: &["en_EN", "en_US", "fr_FR", "nl_NL", "de_DE"],
        zone: "Europe/Brussels",
        days: "%-m/%-d/%Y %-I:%M:%S %p",
        town: "Mechelen (BE)",
    };
    LifeCycle { land, tokens: Tokens::default() }
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const LOGIN: &str = "http://dpd.com/common/service/types/LoginService/";
const AUTHENTICATION: &str = "http://dpd.com/common/service/types/Authentication/2.0";
const TRACKING: &str = "http://dpd.com/common/service/types/ParcelLifeCycleService/2.0";

impl StandIn for LifeCycle {
    fn code(&self) -> &'static str {
        self.land.code
    }

    fn number(&self) -> &'static str {
        self.land.number
    }

    fn credentials(&self) -> &'static [(&'static str, &'static str)] {
        self.land.credentials
    }

    fn registration(&self) -> serde_json::Value {
        serde_json::json!({ "destination": { "country": self.land.country } })
    }

    fn life(&self) -> &'static [&'static str] {
        &[
            "accepted",
            "in_transit",
            "at_local_facility",
            "out_for_delivery",
            "attempt_failed",
            "at_pickup_point",
            "delivered",
        ]
    }

    fn zone(&self) -> &'static str {
        self.land.zone
    }

    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said {
        let text = asked.text();
        let document = Document::parse(text.trim_start());
        if asked.method != "POST" || ![self.land.login, self.land.tracking].contains(&asked.path.as_str()) {
            return Said::text(404, "<html><body>Not Found</body></html>");
        }
        let Some(root) = document.as_ref().ok().map(Document::root_element) else { return fault("COMMON_1", "No XML") };
        let action = asked.header("soapaction").trim_matches('"');
        if asked.path == self.land.login { self.log_in(root, action) } else { self.track(root, action, told) }
    }

    fn forget_tokens(&self) {
        self.tokens.forget();
    }
}

impl LifeCycle {
    fn log_in(&self, root: Node<'_, '_>, action: &str) -> Said {
        let space = format!("{LOGIN}{}", self.land.login_version);
        let asked = inside(root, "Body").and_then(|body| under(body, Some(&space), "getAuth"));
        let Some(asked) = asked.filter(|_| action == format!("{space}/getAuth")) else {
            return fault("COMMON_2", "No such operation");
        };
        let [(_, user), (_, password)] = self.land.credentials else { unreachable!() };
        if text(asked, "delisId") != *user || text(asked, "password") != *password {
            return fault("LOGIN_8", "The combination of user and password is invalid.");
        }
        if !self.land.languages.contains(&text(asked, "messageLanguage").as_str()) {
            return fault("LOGIN_1", "The message language is unknown.");
        }
        let token = self.tokens.issue(self.land.code);
        envelope(
            200,
            &format!(
                "<ns2:getAuthResponse xmlns:ns2=\"{space}\"><return><delisId>{user}</delisId><customerUid>{user}\
                 </customerUid><authToken>{token}</authToken><depot>0530</depot>\
                 <authTokenExpires>2099-12-31T23:59:59.000000</authTokenExpires></return></ns2:getAuthResponse>"
            ),
        )
    }

    fn track(&self, root: Node<'_, '_>, action: &str, told: &[Scan]) -> Said {
        let asked = inside(root, "Body").and_then(|body| under(body, Some(TRACKING), "getTrackingData"));
        let Some(asked) = asked.filter(|_| action == format!("{TRACKING}/getTrackingData")) else {
            return fault("COMMON_2", "No such operation");
        };
        let who = inside(root, "Header").and_then(|header| under(header, Some(AUTHENTICATION), "authentication"));
        let Some(who) = who else { return fault("LOGIN_5", "The authtoken is invalid.") };
        if text(who, "delisId") != self.land.credentials[0].1 || !self.tokens.accepts(&text(who, "authToken")) {
            return fault("LOGIN_5", "The authtoken is invalid.");
        }
        if !self.land.languages.contains(&text(who, "messageLanguage").as_str()) {
            return fault("LOGIN_1", "The message language is unknown.");
        }
        let result = if text(asked, "parcelLabelNumber") == self.number() && !told.is_empty() {
            let reached: String = told.iter().map(|scan| self.stage(scan)).collect();
            format!(
                "<trackingresult><shipmentInfo><serviceDescription><content><content>DPD CLASSIC</content></content>\
                 </serviceDescription><status>SHIPMENT</status><statusHasBeenReached>false</statusHasBeenReached>\
                 </shipmentInfo>{reached}<statusInfo><status>Delivered</status><label><content>Delivered</content></label>\
                 <statusHasBeenReached>false</statusHasBeenReached></statusInfo></trackingresult>"
            )
        } else {
            String::new()
        };
        envelope(
            200,
            &format!("<ns2:getTrackingDataResponse xmlns:ns2=\"{TRACKING}\">{result}</ns2:getTrackingDataResponse>"),
        )
    }

    fn stage(&self, scan: &Scan) -> String {
        let (status, label) = match scan.means {
            "accepted" => ("ACCEPTED", "Accepted"),
            "in_transit" => ("BetweenDepots", "In transit"),
            "at_local_facility" => ("Depot", "At the depot"),
            "out_for_delivery" => ("Courier", "Out for delivery"),
            "attempt_failed" => ("DeliveryFailure", "Not delivered"),
            "at_pickup_point" => ("ParcelShop", "At the Pickup point"),
            _ => ("Delivered", "Delivered"),
        };
        let (date, town) = (scan.local(self.land.zone, self.land.days), self.land.town);
        format!(
            "<statusInfo><status>{status}</status><label><content>{label}</content></label><statusHasBeenReached>true\
             </statusHasBeenReached><isCurrentStatus>false</isCurrentStatus><location><content>{town}</content></location>\
             <date><content>{date}</content></date></statusInfo>"
        )
    }
}

fn inside<'a, 'i>(root: Node<'a, 'i>, part: &str) -> Option<Node<'a, 'i>> {
    under(root, Some(SOAP), part)
}

fn under<'a, 'i>(node: Node<'a, 'i>, space: Option<&str>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().namespace() == space && child.tag_name().name() == name)
}

/// The text of a child that has no namespace.
fn text(node: Node<'_, '_>, name: &str) -> String {
    under(node, None, name).and_then(|child| child.text()).unwrap_or_default().to_owned()
}

fn envelope(status: u16, inner: &str) -> Said {
    Said::xml(status, format!("<soap:Envelope xmlns:soap=\"{SOAP}\"><soap:Body>{inner}</soap:Body></soap:Envelope>"))
}

fn fault(code: &str, message: &str) -> Said {
    envelope(
        500,
        &format!(
            "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Fault occured</faultstring><detail>\
             <ns2:faults xmlns:ns2=\"urn:dpd\"><errorCode>{code}</errorCode><errorMessage>{message}</errorMessage>\
             </ns2:faults></detail></soap:Fault>"
        ),
    )
}
