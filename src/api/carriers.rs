//! The carriers that the daemon knows, and whose a number could be.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::extract::Id;
use super::problem::Problem;
use super::query::Query;
use super::state::{Api, Caller, Reloadable};
use crate::carrier::{Carrier, Hints};
use crate::model::{AccountName, CarrierCode, ShopId};

/// `GET /v1/carriers`
pub async fn list(State(api): State<Api>, Caller(shop): Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.knows(&[])?;
    let current = api.current();
    let rows: Vec<Value> = current.registry.all().map(|carrier| view(&current, &shop, carrier)).collect();
    Ok(Json(json!({"carriers": rows})))
}

/// `GET /v1/carriers/{code}`: by code or alias.
pub async fn show(State(api): State<Api>, Caller(shop): Caller, Id(code): Id) -> Result<Json<Value>, Problem> {
    let current = api.current();
    let carrier = current.registry.get(&code).ok_or_else(|| Problem::not_found("carrier"))?;
    Ok(Json(view(&current, &shop, &carrier)))
}

/// `GET /v1/carriers/detect?number=&country=`: candidates, the likeliest first; none is an answer, too.
pub async fn detect(State(api): State<Api>, Caller(shop): Caller, query: Query) -> Result<Json<Value>, Problem> {
    query.knows(&["number", "country"])?;
    let number = query.one("number", |text| Ok(text.to_owned()))?;
    let number = number.ok_or_else(|| Problem::field("number", "the number to look at is missing"))?;
    let country = query.one("country", |text| {
        let good = text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
        if good { Ok(text.to_ascii_uppercase()) } else { Err(format!("{text:?} is no country: write FR")) }
    })?;
    let current = api.current();
    let hints =
        Hints { carriers: own(&current, &shop).map(|(_, code)| code.clone()).collect(), country, ..Hints::default() };
    Ok(Json(current.registry.recognise(&number, &hints).view()))
}

/// The accounts that this shop may use, with their carriers.
fn own<'a>(current: &'a Reloadable, shop: &'a ShopId) -> impl Iterator<Item = (&'a AccountName, &'a CarrierCode)> {
    current.accounts.iter().filter(|(_, info)| info.shops.admits(shop)).map(|(name, info)| (name, &info.carrier))
}

/// A carrier, with the accounts through which this shop may track its parcels.
fn view(current: &Reloadable, shop: &ShopId, carrier: &Carrier) -> Value {
    let mut shown = carrier.describe();
    let accounts: Vec<&AccountName> =
        own(current, shop).filter(|(_, code)| *code == carrier.code()).map(|(name, _)| name).collect();
    shown["accounts"] = json!(accounts);
    shown
}
