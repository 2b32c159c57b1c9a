//! What stands behind the `?`: every name known, every value judged.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::input::short;
use super::problem::Problem;
use super::state::Api;

/// Values of one filter at once.
const MOST_VALUES: usize = 20;

/// Names and values, as they were given.
pub struct Query(Vec<(String, String)>);

impl FromRequestParts<Api> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    /// Refuses names that the route does not know.
    pub fn knows(&self, names: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((unknown, _)) => {
                let shown: String = unknown.chars().take(60).collect();
                let detail = format!("this route knows no {shown:?}; it knows: {}", names.join(", "));
                Err(Problem::field(&shown, detail))
            }
            None => Ok(()),
        }
    }

    /// All values of a name, each once, in a fixed order.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Problem> {
        let mut values: Vec<String> =
            self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect();
        for value in &values {
            short(name, value, 1, 200)?;
        }
        values.sort();
        values.dedup();
        if values.len() > MOST_VALUES {
            return Err(Problem::field(name, format!("{} values are too many: {MOST_VALUES} at most", values.len())));
        }
        Ok(values)
    }

    /// All values of a name, each read.
    pub fn all<T: Ord>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Problem> {
        let texts = self.texts(name)?;
        let mut values: Vec<T> = texts
            .iter()
            .map(|text| read(text))
            .collect::<Result<_, _>>()
            .map_err(|detail| Problem::field(name, detail))?;
        values.sort();
        values.dedup();
        Ok(values)
    }

    /// The value of a name that may stand there once.
    pub fn one<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Problem> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let value = values.next();
        if values.next().is_some() {
            return Err(Problem::field(name, "it may be given once"));
        }
        value.map(|(_, text)| read(text)).transpose().map_err(|detail| Problem::field(name, detail))
    }

    /// How many rows are wanted.
    pub fn limit(&self, usual: usize, most: usize) -> Result<usize, Problem> {
        let read = |text: &str| {
            let number: Option<usize> = text.parse().ok().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| format!("a number from 1 to {most} belongs here"))
        };
        Ok(self.one("limit", read)?.unwrap_or(usual))
    }
}
