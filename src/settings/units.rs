//! Units as people write them in a configuration.

use std::time::Duration;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Reads `500ms`, `15s`, `10m`, `2h`, `14d`.
///
/// # Errors
/// A sentence that says what would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("{text:?} is no duration: write a whole number and a unit, such as 500ms, 15s, 10m, 2h or 14d");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let millis = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(bad()),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(bad)
}

/// Reads `64mb`, `2gb`: binary units, as Redis has them.
///
/// # Errors
/// A sentence that says what would be right.
pub fn bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no size: write a whole number and mb or gb, such as 512mb, or half, or none");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let number: u64 = text[..digits].parse().map_err(|_| bad())?;
    let unit = match text[digits..].trim() {
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return Err(bad()),
    };
    number.checked_mul(unit).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("14d").unwrap(), Duration::from_secs(14 * 86_400));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["", "5", "s", "-1s", "1.5h", "99999999999999999999d", "3 weeks"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_need_a_unit() {
        assert_eq!(bytes("2gb").unwrap(), 2 << 30);
        for bad in ["", "5", "mb", "1.5gb", "99999999999999999gb", "3 kilos"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
