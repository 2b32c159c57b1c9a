//! The figures of an audit, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

const NOTES_KEPT: usize = 50;

/// What one carrier saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CarrierFigures {
    /// Carrier code.
    pub carrier: String,
    /// Tracking calls.
    pub calls: u64,
    /// Token calls.
    pub token_calls: u64,
    /// Numbers asked for in all calls.
    pub numbers_asked: u64,
    /// Calls that were refused as too many.
    pub refused: u64,
    /// Calls that failed by the carrier's fault, or that broke.
    pub failed: u64,
    /// Scans told.
    pub scans_told: u64,
    /// Calls that the quota does not allow.
    pub quota_violations: u64,
}

/// Every figure of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Tracking calls at all carriers.
    pub calls: u64,
    /// Token calls at all carriers.
    pub token_calls: u64,
    /// Calls that no quota allows, over windows that begin at any instant.
    pub quota_violations: u64,
    /// Scans that the carriers told at least once.
    pub scans_told: u64,
    /// Different changes of trackers that arrived.
    pub changes: u64,
    /// Deliveries that an endpoint accepted, repeats left out.
    pub webhooks_delivered: u64,
    /// Those whose signature and shape were right.
    pub webhooks_verified: u64,
    /// Scans and changes that should have arrived and did not.
    pub lost: u64,
    /// Scans told to the daemon that are in no accepted change.
    pub lost_scans: u64,
    /// Sequence numbers left out.
    pub missing_changes: u64,
    /// Scans or sequence numbers in more than one change.
    pub duplicated: u64,
    /// First arrivals out of their tracker's order.
    pub reordered: u64,
    /// Events that no carrier told.
    pub invented: u64,
    /// Requests to endpoints, whatever became of them.
    pub attempts: u64,
    /// Deliveries that came again after they were accepted.
    pub repeated: u64,
    /// Repeats with other bytes than the first time.
    pub bytes_differ: u64,
    /// From a scan's becoming visible to its being told, median.
    pub detection_p50_ms: Option<f64>,
    /// The same, 95th of 100.
    pub detection_p95_ms: Option<f64>,
    /// From a scan's being told to the first verified webhook with it, median.
    pub webhook_p50_ms: Option<f64>,
    /// The same, 95th of 100.
    pub webhook_p95_ms: Option<f64>,
    /// False when a ledger ran full, which makes the audit worthless.
    pub whole: bool,
    /// Carrier by carrier.
    pub carriers: Vec<CarrierFigures>,
    /// Breaches of the carriers' protocols.
    pub complaints: Vec<String>,
    /// The first findings in words.
    pub notes: Vec<String>,
}

impl Report {
    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_KEPT {
            self.notes.push(note);
        }
    }

    pub(super) fn note_all(&mut self, notes: impl Iterator<Item = String>) {
        notes.for_each(|note| self.note(note));
    }

    /// What is wrong, one sentence each; empty when all is delivered, verified and within quota.
    pub fn problems(&self) -> Vec<String> {
        let counts = [
            (self.quota_violations, "calls beyond a quota"),
            (self.lost_scans, "scans lost"),
            (self.missing_changes, "changes missing"),
            (self.duplicated, "scans or changes doubled"),
            (self.reordered, "first arrivals out of order"),
            (self.invented, "events that no carrier told"),
            (self.bytes_differ, "repeats with other bytes"),
            (self.webhooks_delivered.saturating_sub(self.webhooks_verified), "deliveries that cannot be trusted"),
        ];
        let mut problems: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if self.webhooks_delivered == 0 {
            problems.push("nothing was delivered".into());
        }
        if !self.whole {
            problems.push("a ledger ran full".into());
        }
        problems
    }

    /// True when all is delivered, verified and within quota.
    pub fn is_clean(&self) -> bool {
        self.problems().is_empty()
    }

    /// A page for people.
    pub fn summary(&self) -> String {
        let mut page = String::new();
        let ms = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0} ms"));
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "carriers   {} calls, {} beyond a quota, {} token calls",
            self.calls, self.quota_violations, self.token_calls
        );
        for carrier in &self.carriers {
            let CarrierFigures { carrier, calls, numbers_asked, refused, failed, scans_told, .. } = carrier;
            let _ = writeln!(
                page,
                "  {carrier:<13} {calls:>6} calls for {numbers_asked:>6} numbers, {scans_told:>5} scans told, {refused} refused, {failed} failed"
            );
        }
        let _ = writeln!(
            page,
            "webhooks   {} changes, {} delivered, {} verified, {} attempts",
            self.changes, self.webhooks_delivered, self.webhooks_verified, self.attempts
        );
        let _ = writeln!(
            page,
            "proof      {} lost, {} doubled, {} reordered, {} invented",
            self.lost, self.duplicated, self.reordered, self.invented
        );
        let _ = writeln!(
            page,
            "speed      scan to detection {} (95 %: {}), detection to webhook {} (95 %: {})",
            ms(self.detection_p50_ms),
            ms(self.detection_p95_ms),
            ms(self.webhook_p50_ms),
            ms(self.webhook_p95_ms)
        );
        let verdict = if self.is_clean() {
            "all delivered, verified and within quota".to_owned()
        } else {
            self.problems().join("; ")
        };
        let _ = writeln!(page, "verdict    {verdict}");
        page
    }
}

/// Median and 95th of 100, in milliseconds with one decimal.
pub(super) fn percentiles(times: &mut [Duration]) -> (Option<f64>, Option<f64>) {
    times.sort_unstable();
    let at = |share: usize| {
        let rank = (times.len() * share).div_ceil(100).saturating_sub(1);
        times.get(rank).map(|time| (time.as_secs_f64() * 10_000.0).round() / 10.0)
    };
    (at(50), at(95))
}
