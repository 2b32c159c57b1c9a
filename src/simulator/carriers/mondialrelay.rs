//! Mondial Relay `WSI2_TracingColisDetaille`: SOAP, a signature in the body, rows without codes, two-digit years,
//! a grid of fixed size whose unused rows are empty, and HTTP 200 for every business error.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use data_encoding::HEXUPPER;
use md5::{Digest, Md5};
use tokio_util::sync::CancellationToken;

use super::{Desk, Options, Reply, StandIn, Tongue, header, text};
use crate::simulator::ledger::{CallKind, Shown, Trace};
use crate::simulator::net::Knife;
use crate::simulator::world::{Scan, Step, View, World};

/// The only brand that is known here.
pub const BRAND: &str = "SIMULMR1";
/// Its private key.
pub const PRIVATE_KEY: &str = "SimulKey";
const NAMESPACE: &str = "http://www.mondialrelay.fr/webservice/";
const METHOD: &str = "WSI2_TracingColisDetaille";
const XML: &str = "text/xml; charset=utf-8";
const LANGUAGES: [&str; 7] = ["FR", "EN", "ES", "NL", "IT", "PT", "DE"];
/// Rows of the grid; longer lives get as many as they need.
const ROWS: usize = 12;

/// Starts the stand-in.
pub async fn start(world: Arc<World>, options: Options, stop: CancellationToken) -> io::Result<StandIn> {
    let desk = Desk::new(world, &options, Voice);
    let router = Router::new().route("/Web_Services.asmx", post(track)).with_state(desk.clone());
    let mut stand_in = desk.open("mondialrelay", &options, router, stop).await?;
    stand_in.credentials = vec![("enseigne", BRAND.to_owned()), ("private_key", PRIVATE_KEY.to_owned())];
    Ok(stand_in)
}

struct Voice;

impl Tongue for Voice {
    fn throttled(&self) -> Reply {
        // The edge protection answers, not the service.
        Reply::html(403, "Request blocked")
    }

    fn broken(&self, status: u16) -> Reply {
        if status == 500 {
            fault("Server", "Server was unable to process request.")
        } else {
            Reply::html(status, "Service unavailable")
        }
    }
}

fn fault(code: &str, message: &str) -> Reply {
    let body = format!(
        "<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{message}</faultstring><detail /></soap:Fault>"
    );
    Reply::new(500, XML, envelope(&body))
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}

/// What a caller sent.
#[derive(Debug, Default)]
struct Asked {
    brand: Option<String>,
    number: Option<String>,
    language: Option<String>,
    security: Option<String>,
}

impl Asked {
    /// Reads the request; `None` when it is no call of the tracing method.
    fn read(body: &str) -> Option<Self> {
        let document = roxmltree::Document::parse(body).ok()?;
        let method = document.descendants().find(|node| node.has_tag_name((NAMESPACE, METHOD)))?;
        let value = |name: &str| {
            let node = method.children().find(|node| node.has_tag_name((NAMESPACE, name)))?;
            Some(node.text().unwrap_or_default().trim().to_owned()).filter(|text| !text.is_empty())
        };
        Some(Self {
            brand: value("Enseigne"),
            number: value("Expedition"),
            language: value("Langue"),
            security: value("Security"),
        })
    }

    /// The code of what is wrong with the request; `None` when nothing is.
    fn objection(&self) -> Option<u8> {
        let Self { brand, number, language, security } = self;
        let (Some(brand), Some(security)) = (brand, security) else {
            return Some(if brand.is_none() { 2 } else { 97 });
        };
        if brand != BRAND {
            return Some(1);
        }
        let number = number.as_deref().unwrap_or_default();
        let language = language.as_deref().unwrap_or_default();
        if *security != signature(&[brand, number, language]) {
            return Some(97);
        }
        if number.is_empty() {
            return Some(98);
        }
        if !LANGUAGES.contains(&language) {
            return Some(74);
        }
        let well_formed = number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit());
        (!well_formed).then_some(24)
    }
}

/// The values in the method's order, then the private key, as bytes of Latin-1.
fn signature(values: &[&str]) -> String {
    let joined: String = values.iter().copied().chain([PRIVATE_KEY]).collect();
    let latin: Vec<u8> = joined.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect();
    HEXUPPER.encode(&Md5::digest(latin))
}

/// A request in the brand's name for no parcel in particular.
pub(crate) fn knock() -> String {
    envelope(&format!("<{METHOD} xmlns=\"{NAMESPACE}\"><Enseigne>{BRAND}</Enseigne></{METHOD}>"))
}

async fn track(
    State(desk): State<Desk>,
    ConnectInfo(knife): ConnectInfo<Knife>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked::read(&text(&body));
    let known = asked.as_ref();
    let numbers: Vec<String> = known.and_then(|asked| asked.number.clone()).into_iter().collect();
    let account = known.and_then(|asked| asked.brand.clone()).unwrap_or_default();
    desk.serve(&knife, CallKind::Track, &account, &numbers, || {
        let kind = header(&headers, "content-type");
        let action = header(&headers, "soapaction").trim_matches('"');
        let addressed = kind.starts_with("application/soap+xml") || action == format!("{NAMESPACE}{METHOD}");
        let Some(asked) = &asked else {
            desk.ledger.complain("mondialrelay: the body is no tracing request");
            return fault("Client", "Server did not recognize the request.");
        };
        if !addressed || !(kind.starts_with("text/xml") || kind.starts_with("application/soap+xml")) {
            desk.ledger.complain(format!("mondialrelay: content type {kind:?}, SOAPAction {action:?}"));
            return fault("Client", "Server did not recognize the value of HTTP Header SOAPAction.");
        }
        match asked.objection() {
            Some(code) => result(&format!("<STAT>{code}</STAT>")),
            None => answer(&desk.world, numbers.first().map_or("", String::as_str)),
        }
    })
    .await
}

fn result(inner: &str) -> Reply {
    let body =
        format!("<{METHOD}Response xmlns=\"{NAMESPACE}\"><{METHOD}Result>{inner}</{METHOD}Result></{METHOD}Response>");
    Reply::new(200, XML, envelope(&body))
}

fn answer(world: &World, number: &str) -> Reply {
    let Some(view) = world.view(number) else { return result("<STAT>94</STAT>") };
    let (Some(newest), pickup) = (view.newest(), view.pickup.unwrap_or(("", ""))) else {
        return result("<STAT>94</STAT>");
    };
    let headline = match newest.step {
        // This headline is met for parcels that still wait.
        Step::AtPickup => "Livraison au Point Relais",
        _ => &newest.text,
    };
    let mut inner = format!(
        "<STAT>{}</STAT><Libelle01>{}</Libelle01><Relais_Libelle>{}</Relais_Libelle><Relais_Num>{}</Relais_Num><Libelle02/><Tracing>",
        newest.code.kind,
        escaped(headline),
        escaped(pickup.1),
        pickup.0,
    );
    for scan in &view.scans {
        inner.push_str(&row(scan, &view));
    }
    for _ in view.scans.len()..ROWS {
        inner.push_str(
            "<ret_WSI2_sub_TracingColisDetaille><Libelle/><Date/><Heure/><Emplacement/><Relais_Num/><Relais_Pays/></ret_WSI2_sub_TracingColisDetaille>",
        );
    }
    inner.push_str("</Tracing>");
    let shown =
        view.scans.iter().map(|scan| Shown { number: number.to_owned(), visible: scan.visible, trace: trace(scan) });
    result(&inner).showing(shown.collect())
}

fn date_and_time(scan: &Scan) -> (String, String) {
    // Always the clock of Paris; no zone is written.
    let paris = scan.at.in_tz("Europe/Paris").unwrap_or_else(|_| scan.at.clone());
    (paris.strftime("%d/%m/%y").to_string(), paris.strftime("%H:%M").to_string())
}

fn trace(scan: &Scan) -> Trace {
    let (date, time) = date_and_time(scan);
    Trace {
        codes: Vec::new(),
        times: vec![format!("{date} {time}")],
        text: scan.text.clone(),
        place: scan.place.city.to_owned(),
    }
}

fn row(scan: &Scan, view: &View) -> String {
    let (date, time) = date_and_time(scan);
    let relay = if scan.step == Step::AtPickup { view.pickup.map_or("", |(id, _)| id) } else { "" };
    let country = if relay.is_empty() { "" } else { scan.place.country };
    let mut row = String::from("<ret_WSI2_sub_TracingColisDetaille>");
    let text = escaped(&scan.text);
    let cells = [
        ("Libelle", text.as_str()),
        ("Date", &date),
        ("Heure", &time),
        ("Emplacement", scan.place.city),
        ("Relais_Num", relay),
        ("Relais_Pays", country),
    ];
    for (name, value) in cells {
        let written = if value.is_empty() { write!(row, "<{name}/>") } else { write!(row, "<{name}>{value}</{name}>") };
        debug_assert!(written.is_ok(), "writing to a text cannot fail");
    }
    row.push_str("</ret_WSI2_sub_TracingColisDetaille>");
    row
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_upper_case_md5_of_values_and_key() {
        // The same computation as in the published check vector, with this stand-in's own key in its place.
        let vector = HEXUPPER.encode(&Md5::digest(b"TESTMR0112345678FRPrivateK"));
        assert_eq!(vector, "BD183E0ADB73CEE05D7B9168F88D46D0");
        assert_eq!(signature(&["A", "", "FR"]), HEXUPPER.encode(&Md5::digest(b"AFRSimulKey")));
    }
}
