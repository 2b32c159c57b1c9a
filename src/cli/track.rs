//! `wismo track`: registers a parcel.

use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::client::ApiArgs;
use super::failure::Failure;
use super::{output, words};

#[derive(Args)]
#[command(
    after_help = "Examples:\n  wismo track SANDBOX-DELIVERED\n  wismo track 1Z12345E0205271686 --order 1234 --promised 2026-11-28 --country FR\n  wismo track 6A10020030045 --carrier laposte --customer c-77 --tag gift --json\n\nA number that is followed already takes over what is given."
)]
pub struct TrackArgs {
    /// Tracking number; blanks and lower case do not matter, nor do dashes that are no part of it
    number: String,
    /// Its carrier, where the number alone does not tell (`wismo detect`)
    #[arg(long, value_name = "CODE")]
    carrier: Option<String>,
    /// The operator's account at the carrier
    #[arg(long)]
    account: Option<String>,
    /// Order that it belongs to; may be given several times
    #[arg(long, value_name = "REFERENCE")]
    order: Vec<String>,
    /// Your reference of the customer
    #[arg(long, value_name = "REFERENCE")]
    customer: Option<String>,
    /// Last day, or moment, of what was promised: 2026-11-28 or 2026-11-28T18:00:00+01:00
    #[arg(long, value_name = "WHEN")]
    promised: Option<String>,
    /// Country it goes to (FR)
    #[arg(long, value_name = "CC", alias = "destination")]
    country: Option<String>,
    /// Post code it goes to; some carriers ask for it
    #[arg(long)]
    postcode: Option<String>,
    /// outbound, return or exchange
    #[arg(long, value_name = "WAY")]
    direction: Option<String>,
    /// A label of yours; may be given several times
    #[arg(long)]
    tag: Vec<String>,
    /// What the carrier asks for beside the number: name=value (`wismo carriers show CODE`)
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    input: Vec<(String, String)>,
    /// Print the tracker as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    api: ApiArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl TrackArgs {
    fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("number".to_owned(), json!(self.number));
        let mut put = |name: &str, value: Option<Value>| body.extend(value.map(|value| (name.to_owned(), value)));
        put("carrier", self.carrier.as_ref().map(|text| json!(text)));
        put("account", self.account.as_ref().map(|text| json!(text)));
        let orders: Vec<Value> = self.order.iter().map(|reference| json!({"reference": reference})).collect();
        put("orders", (!orders.is_empty()).then(|| json!(orders)));
        put("customer_ref", self.customer.as_ref().map(|text| json!(text)));
        put("promised", self.promised.as_ref().map(|to| json!({"to": to})));
        let mut destination = Map::new();
        destination.extend(self.country.as_ref().map(|text| ("country".to_owned(), json!(text))));
        destination.extend(self.postcode.as_ref().map(|text| ("postcode".to_owned(), json!(text))));
        put("destination", (!destination.is_empty()).then(|| json!(destination)));
        put("direction", self.direction.as_ref().map(|text| json!(text)));
        put("tags", (!self.tag.is_empty()).then(|| json!(self.tag)));
        let inputs: Map<String, Value> = self.input.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        put("inputs", (!inputs.is_empty()).then(|| json!(inputs)));
        Value::Object(body)
    }
}

/// Registers it.
pub async fn run(args: &TrackArgs) -> Result<ExitCode, Failure> {
    let client = args.api.client()?;
    let tracker = client.json(Method::POST, "/v1/trackers", Some(&args.body())).await?;
    if args.json {
        output::json(&tracker);
        return Ok(ExitCode::SUCCESS);
    }
    let text = |value: &Value| words::plain(value.as_str().unwrap_or("?"));
    let parcel = &tracker["parcel"];
    output::line(format!(
        "{}  {}  {}  {}",
        words::strong(&text(&parcel["number"])),
        text(&parcel["carrier"]),
        text(&parcel["status"]),
        text(&tracker["id"])
    ));
    Ok(ExitCode::SUCCESS)
}
