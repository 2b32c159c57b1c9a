//! Words for people: how long ago, which time, tables.

use std::io::IsTerminal;

use jiff::{SignedDuration, Timestamp};

use crate::model::time::{EventTime, Local, Moment, ZoneSource};

/// `3 h ago`, `in 20 min`, `now`.
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    let apart = at.duration_since(now);
    if apart.abs() < SignedDuration::from_secs(1) {
        return "now".to_owned();
    }
    let length = length(apart.abs());
    if apart.is_negative() { format!("{length} ago") } else { format!("in {length}") }
}

/// `45 s`, `20 min`, `3 h`, `12 days`.
pub fn length(of: SignedDuration) -> String {
    let seconds = of.as_secs();
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// An instant, in UTC.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// An instant with how long ago it is.
pub fn instant_ago(now: Timestamp, at: Timestamp) -> String {
    format!("{} ({})", instant(at), ago(now, at))
}

/// A moment as finely as it is known; a wall clock without zone says so.
pub fn moment(moment: Moment) -> String {
    match moment {
        Moment::Date(date) => date.to_string(),
        Moment::Local(_) => format!("{} (zone unknown)", moment.to_string().replace('T', " ")),
        Moment::Exact(..) => moment.to_string().replace('T', " "),
    }
}

/// The time of a scan as the carrier gave it: its wall clock, with the offset where that is known.
pub fn scan_time(time: &EventTime) -> String {
    let Some(local) = time.local else { return format!("{:?} (unreadable)", time.raw) };
    let wall = match local {
        Local::Date(date) => return date.to_string(),
        Local::DateTime(at) => at.strftime("%Y-%m-%d %H:%M").to_string(),
    };
    match (time.offset, time.zone_source) {
        (Some(offset), _) => format!("{wall} {}", crate::model::time::offset_text(offset)),
        (None, ZoneSource::None) => format!("{wall} ?"),
        (None, _) => wall,
    }
}

/// Whether to colour what goes to standard output.
pub fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The text in bold on a terminal.
pub fn strong(text: &str) -> String {
    paint(text, "1")
}

/// The text in red on a terminal.
pub fn alarm(text: &str) -> String {
    paint(text, "31")
}

/// The text in green on a terminal.
pub fn fine(text: &str) -> String {
    paint(text, "32")
}

fn paint(text: &str, code: &str) -> String {
    if colour() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Text of strangers on one line: no control characters, which could play with a terminal.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

/// Rows under a head, each column as wide as its longest cell; nothing trails.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let missing = width.saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(missing))
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&head.map(str::to_owned))];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::from_millis;

    #[test]
    fn times_are_told_as_finely_as_they_are_known() {
        let now = from_millis(1_795_420_800_000);
        let at = |seconds: i64| from_millis(1_795_420_800_000 + seconds * 1000);
        assert_eq!(ago(now, at(-45)), "45 s ago");
        assert_eq!(ago(now, at(-3 * 3600)), "3 h ago");
        assert_eq!(ago(now, at(1200)), "in 20 min");
        assert_eq!(ago(now, now), "now");
        assert_eq!(moment("2026-11-25".parse().unwrap()), "2026-11-25");
        assert_eq!(moment("2026-11-25T14:29:00".parse().unwrap()), "2026-11-25 14:29:00 (zone unknown)");
        assert_eq!(moment("2026-11-25T14:29:00+01:00".parse().unwrap()), "2026-11-25 14:29:00+01:00");
    }

    #[test]
    fn a_table_is_as_wide_as_its_cells() {
        let rows = [["a".to_owned(), "bb".to_owned()], ["ccc".to_owned(), String::new()]];
        assert_eq!(table(["x", "y"], &rows), "x    y\na    bb\nccc");
        assert_eq!(plain("a\u{1b}[31m\nb"), "a [31m b");
    }
}
