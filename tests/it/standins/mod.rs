//! Stand-ins for the carriers' servers: one file a carrier, written from the carrier's documents and never from its
//! definition. Each knows one client and one parcel, refuses who cannot prove to be that client, and tells what the
//! parcel has lived through so far, in the carrier's own protocol.
//!
//! They are pure: a request and a life in, an answer out. `lives.rs` puts them behind a socket.

use std::collections::HashSet;
use std::sync::Mutex;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

mod amazon_shipping;
mod aramex;
mod asendia;
mod asendia_us;
mod australiapost;
mod bluedart;
mod bpost;
mod cainiao;
mod canadapost;
mod canpar;
mod chronopost;
mod colisprive;
mod correios;
mod correos;
mod delhivery;
mod dhl;
mod dhl_express;
mod dhl_parcel_nl;
mod dpd;
mod dpd_be;
mod dpd_de;
mod dpd_nl;
mod dtdc;
mod fourpx;
mod geodis;
mod gls;
mod gls_canada;
mod hermes;
mod inpost;
mod jtexpress;
mod landmark;
mod nationex;
mod ninjavan;
mod ontrac;
mod ontrac_web;
mod poste_italiane;
mod postnl;
mod postnord;
mod purolator;
mod relaiscolis;
mod royalmail;
mod seko;
mod sendle;
mod sf_express;
mod tnt;
mod usps;
mod usps_v3;
mod yanwen;
mod yunexpress;
mod zoom2u;

/// One of each.
pub fn all() -> Vec<Box<dyn StandIn>> {
    vec![
        Box::new(amazon_shipping::AmazonShipping::default()),
        Box::new(aramex::Aramex),
        Box::new(asendia::Asendia::default()),
        Box::new(asendia_us::AsendiaUs),
        Box::new(australiapost::AustraliaPost),
        Box::new(bluedart::BlueDart),
        Box::new(bpost::Bpost),
        Box::new(cainiao::Cainiao),
        Box::new(canadapost::CanadaPost),
        Box::new(canpar::Canpar),
        Box::new(chronopost::Chronopost),
        Box::new(colisprive::ColisPrive),
        Box::new(correios::Correios::default()),
        Box::new(correos::Correos),
        Box::new(delhivery::Delhivery),
        Box::new(dhl::Dhl),
        Box::new(dhl_express::DhlExpress),
        Box::new(dhl_parcel_nl::DhlParcelNl),
        Box::new(dpd::Dpd),
        Box::new(dpd_be::be()),
        Box::new(dpd_de::de()),
        Box::new(dpd_nl::nl()),
        Box::new(dtdc::Dtdc::default()),
        Box::new(fourpx::FourPx),
        Box::new(geodis::Geodis),
        Box::new(gls::Gls::default()),
        Box::new(gls_canada::GlsCanada),
        Box::new(hermes::Hermes::default()),
        Box::new(inpost::Inpost),
        Box::new(jtexpress::JtExpress),
        Box::new(landmark::Landmark),
        Box::new(nationex::Nationex),
        Box::new(ninjavan::NinjaVan::default()),
        Box::new(ontrac::OnTrac),
        Box::new(ontrac_web::OnTracWeb),
        Box::new(poste_italiane::PosteItaliane::default()),
        Box::new(postnl::Postnl),
        Box::new(postnord::Postnord),
        Box::new(purolator::Purolator),
        Box::new(relaiscolis::RelaisColis),
        Box::new(royalmail::RoyalMail),
        Box::new(seko::Seko),
        Box::new(sendle::Sendle),
        Box::new(sf_express::SfExpress),
        Box::new(tnt::Tnt),
        Box::new(usps::Usps::default()),
        Box::new(usps_v3::UspsV3::default()),
        Box::new(yanwen::Yanwen),
        Box::new(yunexpress::YunExpress::default()),
        Box::new(zoom2u::Zoom2u),
    ]
}

/// A carrier's server.
pub trait StandIn: Send + Sync {
    /// The carrier's code.
    fn code(&self) -> &'static str;

    /// The one parcel that it knows.
    fn number(&self) -> &'static str;

    /// Names and values of the one client that it knows. Whoever calls with others is refused as the documents say.
    fn credentials(&self) -> &'static [(&'static str, &'static str)];

    /// The environment of the account.
    fn environment(&self) -> &'static str {
        "production"
    }

    /// What the shop tells beside number and carrier when it registers the parcel.
    fn registration(&self) -> Value {
        json!({})
    }

    /// The substatuses that the parcel goes through, from the label to the delivery, a scan each.
    fn life(&self) -> &'static [&'static str];

    /// Where its clocks hang, for answers whose times have no offset.
    fn zone(&self) -> &'static str {
        "UTC"
    }

    /// True where a scan has a day and no hour.
    fn days_only(&self) -> bool {
        false
    }

    /// Answers a call. `told` is what the parcel has lived through, oldest first; empty: nobody knows the number yet.
    fn answer(&self, asked: &Asked, told: &[Scan]) -> Said;

    /// Forgets every token that was given: the next call with one is refused.
    fn forget_tokens(&self) {}
}

/// One scan of the parcel.
#[derive(Debug, Clone, Copy)]
pub struct Scan {
    /// Its place in [`StandIn::life`].
    pub step: usize,
    /// What it means; the stand-in says it in the carrier's code.
    pub means: &'static str,
    /// When, to the minute.
    pub at: Timestamp,
}

impl Scan {
    /// Its time on the clocks of a zone, by a `strftime` format.
    pub fn local(&self, zone: &str, format: &str) -> String {
        self.at.to_zoned(TimeZone::get(zone).unwrap()).strftime(format).to_string()
    }
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// The path below the account's base URL, with its leading `/`, percent escapes decoded.
    pub path: String,
    /// Parameters of the query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// A header's value, or nothing as an empty text.
    pub fn header(&self, name: &str) -> &str {
        find(&self.headers, &name.to_lowercase())
    }

    /// A query parameter's value, or nothing as an empty text.
    pub fn param(&self, name: &str) -> &str {
        find(&self.query, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of a body that is a form, decoded. Empty where its content type says something else.
    pub fn form(&self) -> Vec<(String, String)> {
        if !self.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return Vec::new();
        }
        pairs(&self.text())
    }

    /// A form field's value, or nothing as an empty text.
    pub fn field(&self, name: &str) -> String {
        find(&self.form(), name).to_owned()
    }

    /// The text of the first XML element of this local name in the body.
    pub fn element(&self, name: &str) -> String {
        let text = self.text();
        let Ok(document) = roxmltree::Document::parse(text.trim_start()) else { return String::new() };
        let node = document.descendants().find(|node| node.tag_name().name() == name);
        node.and_then(|node| node.text()).unwrap_or_default().to_owned()
    }

    /// True when the call says who it is as HTTP Basic with this name and password.
    pub fn basic(&self, user: &str, password: &str) -> bool {
        let token = data_encoding::BASE64.encode(format!("{user}:{password}").as_bytes());
        self.header("authorization") == format!("Basic {token}")
    }

    /// The token of `Authorization: Bearer ..`, or nothing as an empty text.
    pub fn bearer(&self) -> &str {
        self.header("authorization").strip_prefix("Bearer ").unwrap_or_default()
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// Names and values of a query or a form.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
        })
        .collect()
}

/// Percent escapes taken out.
pub fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = escape.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// Headers beside the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Said {
    fn new(status: u16, kind: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body }
    }

    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string().into_bytes())
    }

    /// XML, with its declaration in the text where the carrier sends one.
    pub fn xml(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/xml; charset=utf-8", body.into().into_bytes())
    }

    /// Anything else.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into().into_bytes())
    }
}

/// Access tokens of one stand-in.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<(u32, HashSet<String>)>);

impl Tokens {
    /// A new one.
    pub fn issue(&self, code: &str) -> String {
        let mut inner = self.0.lock().unwrap();
        inner.0 += 1;
        let token = format!("{code}-token-{}", inner.0);
        inner.1.insert(token.clone());
        token
    }

    /// True for one that was given and not forgotten.
    pub fn accepts(&self, token: &str) -> bool {
        self.0.lock().unwrap().1.contains(token)
    }

    /// Forgets all.
    pub fn forget(&self) {
        self.0.lock().unwrap().1.clear();
    }
}
