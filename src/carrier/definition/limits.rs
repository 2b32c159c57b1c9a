//! `[limits]`: what a carrier allows an account.

use std::time::Duration;

use serde::Deserialize;
use serde::de::Error;

use super::Zone;

/// What a carrier allows one account in one environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls a second; below 1 for slower ones.
    #[serde(deserialize_with = "positive")]
    pub per_second: f64,
    /// Calls at a stroke, before the spacing starts; absent: 1.
    #[serde(default)]
    pub burst: Option<u32>,
    /// Longer windows.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// Calls at once.
    #[serde(default = "one")]
    pub concurrent: u32,
    /// Numbers in one call.
    #[serde(default = "one")]
    pub numbers_per_call: u32,
    /// Where these figures come from.
    pub source: String,
    /// Header of answers that says how many calls remain.
    #[serde(default)]
    pub remaining_header: Option<String>,
    /// Whether token calls count, too.
    #[serde(default)]
    pub token_calls_count: bool,
    /// Least time between two polls of one parcel.
    #[serde(default, deserialize_with = "some_duration")]
    pub per_parcel: Option<Duration>,
}

/// So many calls in such a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Calls.
    pub calls: u32,
    /// Its length.
    #[serde(deserialize_with = "duration")]
    pub per: Duration,
    /// Calendar window that starts anew at midnight of this zone (a month on its first day); absent: rolling.
    #[serde(default, rename = "reset")]
    pub calendar: Option<Zone>,
}

fn one() -> u32 {
    1
}

fn positive<'de, D: serde::Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(d)?;
    let good = rate.is_finite() && rate > 0.0 && rate <= 100_000.0;
    good.then_some(rate).ok_or_else(|| D::Error::custom("calls a second: a number above 0, 0.2 is one in 5 seconds"))
}

/// Reads `500ms`, `10s`, `5m`, `1h`, `1d`, `1w`.
pub fn duration<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(d)?;
    parse_duration(&text)
        .ok_or_else(|| D::Error::custom(format!("{text:?} is no length of time such as 500ms, 10s, 5m, 1h or 1d")))
}

/// The same where it may be absent.
pub fn some_duration<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    duration(d).map(Some)
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let amount: u64 = text[..split].parse().ok().filter(|n| (1..=1_000_000_000).contains(n))?;
    let millis = match text[split..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    Some(Duration::from_millis(amount.checked_mul(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        assert_eq!(parse_duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("1d"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse_duration("500 ms"), Some(Duration::from_millis(500)));
        for text in ["", "s", "0s", "10", "-1s", "1y", "99999999999999999999s", "1.5h"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
