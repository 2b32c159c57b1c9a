//! `wismo carriers test --mutate`: what nobody would notice.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::cli::progress::Progress;
use crate::cli::{output, words};
use crate::proving::House;
use crate::proving::mutate::{Hunted, hunt};

/// Alters, tries, lists.
pub fn run(house: &House, only: &[String], as_json: bool) -> ExitCode {
    let progress: Mutex<Option<(Progress, usize)>> = Mutex::new(None);
    let hunted = hunt(house, only, &|done, of| {
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let total = u64::try_from(of).unwrap_or(u64::MAX);
        let (shown, last) = progress.get_or_insert_with(|| (Progress::new("alterations tried", total, false), 0));
        shown.step(u64::try_from(done.saturating_sub(*last)).unwrap_or_default());
        *last = done.max(*last);
    });
    if let Some((mut shown, _)) = progress.into_inner().unwrap_or_else(PoisonError::into_inner) {
        shown.end();
    }
    let sum = |of: fn(&Hunted) -> usize| hunted.iter().map(of).sum::<usize>();
    let (mutants, survivors) = (sum(|one| one.mutants), sum(|one| one.survivors.len()));
    let refused = hunted.iter().filter(|one| one.refused.is_some()).count();
    if as_json {
        output::json(&json!({"carriers": hunted, "mutants": mutants, "survivors": survivors, "refused": refused}));
    } else {
        hunted.iter().for_each(print);
        let end = output::count(survivors, "survivor", "survivors");
        let end = if survivors == 0 { words::fine(&end) } else { words::alarm(&end) };
        output::line(format!("{}: {end}", output::count(mutants, "alteration", "alterations")));
    }
    if survivors + refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(hunted: &Hunted) {
    if let Some(why) = &hunted.refused {
        output::line(words::alarm(&format!("{}: not tried: {why}", hunted.carrier)));
        return;
    }
    let survivors = output::count(hunted.survivors.len(), "survivor", "survivors");
    output::line(format!(
        "{}: {}, {survivors}",
        hunted.carrier,
        output::count(hunted.mutants, "alteration", "alterations")
    ));
    for survivor in &hunted.survivors {
        let what = format!("{:?}", survivor.what).to_lowercase();
        let line = survivor.line.map_or_else(String::new, |line| format!("line {line}, "));
        output::line(format!("  {what:<8} {line}{} {}", words::strong(&survivor.key), survivor.change));
    }
}
