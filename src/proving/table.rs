//! All carriers of a folder on one page: the table of `docs/carriers.md`.

use std::time::Duration;

use super::{CarrierFolder, House, codes};
use crate::carrier::definition::answer::codes::{CodeEntry, LookupBody};
use crate::carrier::{Carrier, Definition, Limits, Problem};
use crate::model::Substatus;

/// Substatuses that say no more than their status: a table that is full of them tells a shop little.
const GENERIC: &[Substatus] = &[Substatus::InTransit, Substatus::OnHold, Substatus::Delayed, Substatus::AttemptFailed];
/// So many countries are named.
const NAMED_COUNTRIES: usize = 8;

/// Stands before and after the table in a page.
pub const START: &str = "<!-- carriers: written by a test, see CONTRIBUTING.md -->";
/// See [`START`].
pub const END: &str = "<!-- end of carriers -->";

const HEAD: &str = "| carrier | countries | protocol | auth | numbers a call | limits | confidence | samples | codes | generic |\n|---|---|---|---|---:|---|---|---:|---:|---:|\n";

/// The table in Markdown, with its sums.
///
/// # Errors
/// What is wrong with the first definition that does not load.
pub fn markdown(house: &House) -> Result<String, Vec<Problem>> {
    let mut rows = String::new();
    let (mut samples, mut all) = (0, Share::default());
    for folder in &house.carriers {
        let carrier = house.load(folder)?;
        let share = Share::of(carrier.definition());
        samples += folder.samples.len();
        all = Share { generic: all.generic + share.generic, all: all.all + share.all };
        rows.push_str(&row(folder, &carrier, share));
    }
    let sums = format!(
        "{} carriers, {samples} samples, {} codes and texts, {} of them on generic substatuses.\n",
        house.carriers.len(),
        all.all,
        all.percent()
    );
    Ok(format!("{sums}\n{HEAD}{rows}"))
}

/// The page with what stands between the marks replaced; nothing where the marks are missing.
#[must_use]
pub fn placed(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(START)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{START}\n{table}{END}{after}"))
}

fn row(folder: &CarrierFolder, carrier: &Carrier, share: Share) -> String {
    let d = carrier.definition();
    let limits = carrier.limits("default");
    let cells = [
        format!("{} `{}`{}", d.name, d.code, if d.enabled { "" } else { " (off by default)" }),
        countries(&d.countries),
        carrier.protocol(),
        carrier.auth_name().to_owned(),
        limits.numbers_per_call.to_string(),
        self::limits(limits),
        d.confidence.name().to_owned(),
        folder.samples.len().to_string(),
        codes(carrier).to_string(),
        share.percent(),
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn countries(all: &[String]) -> String {
    match all.len() {
        0 => "world".to_owned(),
        1..=NAMED_COUNTRIES => all.join(" "),
        more => format!("{} and {} more", all[..NAMED_COUNTRIES - 1].join(" "), more - NAMED_COUNTRIES + 1),
    }
}

fn limits(limits: &Limits) -> String {
    let mut told = vec![format!("{}/s", limits.per_second)];
    told.extend(limits.windows.iter().map(|window| format!("{} in {}", window.calls, length(window.per))));
    told.extend(limits.per_parcel.map(|least| format!("a parcel every {}", length(least))));
    if limits.source.starts_with("not published") {
        told.push("not published".to_owned());
    }
    told.join(", ")
}

fn length(of: Duration) -> String {
    let seconds = of.as_secs();
    match seconds {
        0 => format!("{} ms", of.as_millis()),
        _ if seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

/// How many entries of the look-ups say no more than their status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    generic: usize,
    all: usize,
}

impl Share {
    fn of(definition: &Definition) -> Self {
        let mut share = Self::default();
        for lookup in &definition.codes {
            match &lookup.body {
                LookupBody::Table(table) => table.values().for_each(|entry| share.count(entry)),
                LookupBody::Integers(table) => table.values().for_each(|entry| share.count(entry)),
                LookupBody::Text(rules) => rules.all().for_each(|rule| share.count(&rule.is)),
                LookupBody::Include(_) => {}
            }
        }
        share
    }

    /// What it means otherwise counts, else its first case.
    fn count(&mut self, entry: &CodeEntry) {
        let first = || entry.cases.first().map(|(_, meaning)| *meaning);
        let meaning = entry.otherwise.or_else(first).and_then(crate::model::Meaning::substatus);
        self.all += 1;
        self.generic += usize::from(meaning.is_some_and(|meaning| GENERIC.contains(&meaning)));
    }

    fn percent(self) -> String {
        // Rounded; a table without entries has none.
        format!("{} %", (self.generic * 200 + self.all) / (self.all.max(1) * 2))
    }
}
