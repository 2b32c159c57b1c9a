//! The quick way through formats whose parts all have a fixed width: `%d/%m/%y %H:%M`, `%Y%m%d`.
//!
//! It reads what is written exactly so, with values that exist; everything else is left to the general reader, which
//! would read these texts just the same.

use jiff::civil::{Date, Time};

use super::{Reading, whole_seconds};
use crate::model::{Local, Precision};

/// What the text says by this format, if both are that simple.
pub fn read(text: &str, format: &str) -> Option<Reading> {
    let (mut text, mut format) = (text.as_bytes(), format.as_bytes());
    let (mut year, mut month, mut day) = (None, None, None);
    let (mut hour, mut minute, mut second) = (None, None, None);
    while let [first, rest @ ..] = format {
        format = rest;
        if *first != b'%' {
            // A blank of the format stands for several, and letters may be matched in ways of their own.
            let literal = matches!(first, b'-' | b'/' | b'.' | b':' | b'T')
                || (*first == b' ' && text.get(1).is_some_and(u8::is_ascii_digit));
            text = text.strip_prefix(std::slice::from_ref(first)).filter(|_| literal)?;
            continue;
        }
        let [directive, rest @ ..] = format else { return None };
        format = rest;
        let (part, width) = match directive {
            b'Y' => (&mut year, 4),
            b'm' => (&mut month, 2),
            b'd' => (&mut day, 2),
            b'H' => (&mut hour, 2),
            b'M' => (&mut minute, 2),
            b'S' => (&mut second, 2),
            b'y' => {
                let short = digits(&mut text, 2)?;
                set(&mut year, if short < 69 { 2000 + short } else { 1900 + short })?;
                continue;
            }
            _ => return None,
        };
        let number = digits(&mut text, width)?;
        set(part, number)?;
    }
    let small = |n: i16| i8::try_from(n).ok();
    let date = text.is_empty().then(|| Date::new(year?, small(month?)?, small(day?)?).ok())??;
    if hour.is_none() && minute.is_none() && second.is_none() {
        return Some(Reading { local: Local::Date(date), precision: Precision::Date, offset: None });
    }
    let time = Time::new(small(hour?)?, small(minute?)?, small(second.unwrap_or(0))?, 0).ok()?;
    let precision = if second.is_some() { Precision::Second } else { Precision::Minute };
    Some(Reading { local: Local::DateTime(whole_seconds(date, time)), precision, offset: None })
}

fn digits(text: &mut &[u8], width: usize) -> Option<i16> {
    let (head, tail) = text.split_at_checked(width)?;
    *text = tail;
    head.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0')))
}

/// A part that stands twice is the general reader's.
fn set(part: &mut Option<i16>, number: i16) -> Option<()> {
    part.replace(number).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use jiff::fmt::strtime::BrokenDownTime;
    use proptest::prelude::*;

    use std::fmt::Write as _;

    use super::*;

    /// The general reader alone.
    fn general(text: &str, format: &str) -> Option<Reading> {
        let broken = BrokenDownTime::parse(format, text).ok()?;
        let date = broken.to_date().ok()?;
        if broken.hour().is_none() {
            return Some(Reading { local: Local::Date(date), precision: Precision::Date, offset: None });
        }
        let time = broken.to_time().ok()?;
        let precision = if broken.second().is_some() { Precision::Second } else { Precision::Minute };
        Some(Reading { local: Local::DateTime(whole_seconds(date, time)), precision, offset: None })
    }

    #[test]
    fn common_formats_take_the_quick_way() {
        for (text, format) in [
            ("20261125", "%Y%m%d"),
            ("20261125 074700", "%Y%m%d %H%M%S"),
            ("25/11/26 07:47", "%d/%m/%y %H:%M"),
            ("2026-11-25T07:47:59", "%Y-%m-%dT%H:%M:%S"),
        ] {
            assert!(read(text, format).is_some(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn the_quick_way_reads_what_the_general_one_reads(
            parts in prop::collection::vec(
                (prop_oneof![Just("%Y"), Just("%y"), Just("%m"), Just("%d"), Just("%H"), Just("%M"), Just("%S")],
                 prop_oneof![Just(""), Just("-"), Just("/"), Just(" "), Just(":"), Just("T"), Just(".")], 0_i32..70, any::<bool>()), 1..8),
            usual in any::<bool>(), noise in "[ 0-9]{0,2}",
        ) {
            let order = ["%Y", "%m", "%d", "%H", "%M", "%S"];
            let (mut format, mut text) = (String::new(), String::new());
            for (at, (directive, gap, number, fits)) in parts.iter().enumerate() {
                let directive = if usual { order.get(at).unwrap_or(directive) } else { directive };
                format.push_str(directive);
                format.push_str(gap);
                let number = if *fits { number % 12 + 1 } else { *number };
                let century = if *directive == "%Y" { "20" } else { "" };
                let _ = write!(text, "{century}{number:02}");
                text.push_str(gap);
            }
            text.push_str(&noise);
            if let Some(reading) = read(&text, &format) {
                prop_assert_eq!(Some(reading), general(&text, &format), "{} {}", &text, &format);
            }
        }
    }
}
