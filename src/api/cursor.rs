//! Cursors: where the next page of a list begins, sealed, so that nobody can read, alter or borrow one.

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::ShopId;
use crate::store::Store;

/// Longest cursor that is looked at.
const LONGEST: usize = 2000;

/// One list of one shop: its cursors open for no other shop, route or filter.
pub struct List {
    purpose: String,
    field: &'static str,
    hint: &'static str,
}

impl List {
    /// The list of this shop, route and filters.
    pub fn new(shop: &ShopId, route: &str, filters: &impl Serialize) -> Self {
        // Plain structs of texts can always be written.
        let filters = serde_json::to_string(filters).unwrap_or_default();
        Self {
            purpose: format!("cursor {shop} {route} {filters}"),
            field: "cursor",
            hint: "hand back `next_cursor` of the last page as it was, with the same filters",
        }
    }

    /// Every change of this shop.
    pub fn feed(shop: &ShopId) -> Self {
        Self { field: "after", hint: "hand back `cursor` of the last page as it was", ..Self::new(shop, "feed", &()) }
    }

    /// A cursor for a place in the list.
    pub fn seal(&self, store: &Store, place: &impl Serialize) -> Result<String, Problem> {
        Ok(store.master_key().seal(&self.purpose, &serde_json::to_vec(place).unwrap_or_default())?)
    }

    /// The place of a cursor. Whatever is wrong with it, the answer is the same.
    pub fn open<T: DeserializeOwned>(&self, store: &Store, cursor: &str) -> Result<T, Problem> {
        if cursor.len() > LONGEST {
            return Err(self.refused());
        }
        let plain = store.master_key().open(&self.purpose, cursor).map_err(|_| self.refused())?;
        serde_json::from_slice(plain.expose_secret()).map_err(|_| self.refused())
    }

    /// What is answered to a cursor that is none of this list.
    pub fn refused(&self) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "The cursor cannot be used", self.hint).with("field", self.field)
    }
}
