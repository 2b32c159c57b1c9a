//! Quota windows too long for one process's memory: calls are reserved in small blocks before they are made.
//!
//! A block is void after a short life, so a call of it reaches the carrier within that life and the deadline of one
//! call. A rolling window therefore counts every reservation over its length + that time + one bucket: the newest
//! reservation of any set of calls that one window holds saw all the others.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::lease::millis;
use super::periods::Period;
use super::script;
use crate::model::AccountName;
use crate::model::time::from_millis;
use crate::store::{Store, StoreError, keys};

script!(ROLLING, "rolling.lua");
script!(CALENDAR, "calendar.lua");

/// A rolling window is counted in this many buckets.
const BUCKETS: u32 = 96;
/// Longest life of a block.
const LONGEST_LIFE: Duration = Duration::from_secs(60);

/// One window of an account's quota that is longer than [`super::IN_MEMORY_WINDOW`].
#[derive(Debug, Clone, PartialEq)]
pub struct LongWindow {
    /// Calls that it allows.
    pub calls: u32,
    /// Its length.
    pub per: Duration,
    /// The zone of its reset, where it goes by the calendar (`per` is then an hour, a day, a week or a month).
    pub calendar: Option<TimeZone>,
    /// Longest time from the start of a call until the carrier counted it: the deadline of the whole exchange.
    pub deadline: Duration,
    /// How wrong the carrier's clock may be beside ours (calendar windows).
    pub skew: Duration,
}

impl LongWindow {
    /// A window that rolls: at most so many calls in any stretch of this length.
    #[must_use]
    pub const fn rolling(calls: u32, per: Duration, deadline: Duration) -> Self {
        Self { calls, per, calendar: None, deadline, skew: Duration::ZERO }
    }

    /// A window that is emptied at fixed times in a zone.
    #[must_use]
    pub const fn calendar(calls: u32, per: Duration, zone: TimeZone, deadline: Duration, skew: Duration) -> Self {
        Self { calls, per, calendar: Some(zone), deadline, skew }
    }

    /// How long after its reservation a block may be used.
    #[must_use]
    pub fn life(&self) -> Duration {
        LONGEST_LIFE.min(self.per / 100)
    }

    /// The most calls that one block may hold.
    #[must_use]
    pub fn largest_block(&self) -> u32 {
        (self.calls / 200).max(1)
    }

    fn bucket_millis(&self) -> u64 {
        millis(self.per / BUCKETS).max(1)
    }

    fn horizon_millis(&self) -> u64 {
        millis(self.per) + millis(self.life()) + millis(self.deadline)
    }

    /// Names its ledger. The quota is no part of it: calls made count whatever is allowed since.
    fn ledger(&self) -> String {
        match &self.calendar {
            None => format!("rolling-{}", millis(self.per)),
            Some(zone) => format!("calendar-{}-{}", millis(self.per), zone.iana_name().unwrap_or("fixed")),
        }
    }
}

/// What a reservation brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Calls that may be started.
    pub granted: u32,
    /// Not later than so long after the moment before the reservation was asked for.
    pub void_after: Duration,
    /// Nothing was granted: ask again at this time (of the store's clock).
    pub retry_at: Option<Timestamp>,
}

impl Reservation {
    fn none(retry_at: i64) -> Self {
        Self { granted: 0, void_after: Duration::ZERO, retry_at: Some(from_millis(retry_at)) }
    }
}

impl Store {
    /// Calls that are counted in a long window now: those of the present period, or of the last stretch of its length.
    pub async fn calls_counted(&self, account: &AccountName, window: &LongWindow) -> Result<u64, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(keys::window(account, &window.ledger()));
        let counted: Vec<(u64, u64)> = command.query_async(&mut self.connection()).await?;
        Ok(match window.calendar {
            Some(_) => counted.into_iter().max().map_or(0, |(_, calls)| calls),
            None => counted.into_iter().map(|(_, calls)| calls).sum(),
        })
    }

    /// Reserves up to `block` calls in a long window of an account, by the store's clock. A reservation whose answer
    /// is lost wastes its calls, and exceeds nothing.
    pub async fn reserve_calls(
        &self,
        account: &AccountName,
        window: &LongWindow,
        block: u32,
    ) -> Result<Reservation, StoreError> {
        self.reserve_calls_by(account, window, block, None).await
    }

    /// As [`Store::reserve_calls`], by a clock of the caller's: for simulations, where no other clock is used.
    #[doc(hidden)]
    pub async fn reserve_calls_at(
        &self,
        account: &AccountName,
        window: &LongWindow,
        block: u32,
        at: Timestamp,
    ) -> Result<Reservation, StoreError> {
        self.reserve_calls_by(account, window, block, Some(at)).await
    }

    async fn reserve_calls_by(
        &self,
        account: &AccountName,
        window: &LongWindow,
        block: u32,
        at: Option<Timestamp>,
    ) -> Result<Reservation, StoreError> {
        let wanted = block.clamp(1, window.largest_block());
        match &window.calendar {
            None => self.reserve_rolling(account, window, wanted, at).await,
            Some(zone) => self.reserve_in_period(account, window, zone, wanted, at).await,
        }
    }

    async fn reserve_rolling(
        &self,
        account: &AccountName,
        window: &LongWindow,
        wanted: u32,
        at: Option<Timestamp>,
    ) -> Result<Reservation, StoreError> {
        let mut call = ROLLING.key(keys::window(account, &window.ledger()));
        call.arg(window.calls).arg(wanted).arg(window.bucket_millis()).arg(window.horizon_millis());
        call.arg(at.map(|at| at.as_millisecond().to_string()).unwrap_or_default());
        let (granted, retry_at): (u32, i64) = call.invoke_async(&mut self.connection()).await?;
        if granted == 0 {
            return Ok(Reservation::none(retry_at));
        }
        Ok(Reservation { granted, void_after: window.life(), retry_at: None })
    }

    async fn reserve_in_period(
        &self,
        account: &AccountName,
        window: &LongWindow,
        zone: &TimeZone,
        wanted: u32,
        at: Option<Timestamp>,
    ) -> Result<Reservation, StoreError> {
        let unfit = || StoreError::Refused(format!("a window of {:?} does not follow the calendar", window.per));
        let period = Period::of(window.per).ok_or_else(unfit)?;
        let now = match at {
            Some(at) => at,
            None => self.now().await?,
        };
        let (start, end) = period.around(now, zone).ok_or_else(unfit)?;
        let (start, end) = (start.as_millisecond(), end.as_millisecond());
        let skew = signed(window.skew);
        let (opens, closes) = (start + skew, end - signed(window.deadline) - skew);
        if opens >= closes {
            return Err(StoreError::Refused(format!(
                "a calendar window of {:?} is too short for a deadline of {:?}",
                window.per, window.deadline
            )));
        }
        let mut call = CALENDAR.key(keys::window(account, &window.ledger()));
        call.arg(window.calls).arg(wanted).arg(start).arg(opens).arg(closes).arg(2 * (end - start));
        call.arg(at.map(|at| at.as_millisecond().to_string()).unwrap_or_default());
        let (granted, decided): (u32, i64) = call.invoke_async(&mut self.connection()).await?;
        if granted == 0 {
            // Before the period opens its opening, else the opening of the next one.
            return Ok(Reservation::none(if decided < opens { opens } else { end + skew }));
        }
        let left = Duration::from_millis(u64::try_from(closes - decided).unwrap_or(0));
        Ok(Reservation { granted, void_after: window.life().min(left), retry_at: None })
    }
}

fn signed(time: Duration) -> i64 {
    i64::try_from(millis(time)).unwrap_or(i64::MAX / 4)
}
