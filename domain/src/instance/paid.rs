//! Time of an instance that is paid in advance.
//!
//! It is kept in shares: hundredths of a millisecond at the whole price. While the instance runs, each
//! millisecond uses 100 of them, while it is stopped as many as its plan's percentage says, and while it is
//! frozen none. So what is left is one whole number, exact however often the instance is stopped and started.

use chrono::{DateTime, Duration, Months};
use serde::{Deserialize, Serialize};

use super::InstanceId;
use crate::clock::Timestamp;
use crate::money::{Fraction, Money};
use crate::plan::Interval;

/// Shares of a millisecond at the whole price.
pub(super) const WHOLE: u32 = 100;

/// Time that was paid, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidTime {
    /// How much is paid at once.
    pub interval: Interval,
    /// What the newest interval cost.
    pub price: Money,
    /// How long that is, in milliseconds.
    pub length_ms: i64,
    /// The shares that were left at `counted_at`; below zero where an end was noticed late.
    pub left: i64,
    /// When that was.
    pub counted_at: Timestamp,
    /// How many shares a millisecond uses since then: 0 to 100.
    pub percent: u32,
    /// How many intervals were paid.
    pub payments: u32,
}

/// Paid time that is not used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// Whose it was.
    pub instance_id: InstanceId,
    /// Which of its payments, counted from 1.
    pub payment: u32,
    /// What that cost.
    pub price: Money,
    /// The shares that it paid for.
    pub shares: u64,
    /// The shares that are left.
    pub left: u64,
}

impl Unused {
    /// The value before rounding.
    pub fn exact(&self) -> Fraction {
        self.price.fraction(self.left, self.shares)
    }

    /// Rounded down to 10⁻⁸.
    pub fn amount(&self) -> Money {
        self.exact().floor()
    }
}

impl Interval {
    /// When one ends that begins then.
    pub fn after(self, from: Timestamp) -> Timestamp {
        let later = match self {
            Self::Hour => from.checked_add_signed(Duration::hours(1)),
            Self::Day => from.checked_add_signed(Duration::days(1)),
            Self::Week => from.checked_add_signed(Duration::weeks(1)),
            Self::Month => from.checked_add_months(Months::new(1)),
            Self::Year => from.checked_add_months(Months::new(12)),
        };
        later.unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
    }

    /// Whether the next one is paid by itself when one is over; of shorter ones each is wanted anew.
    pub const fn renews(self) -> bool {
        matches!(self, Self::Week | Self::Month | Self::Year)
    }
}

impl PaidTime {
    /// The first interval, all of it ahead, and not running yet.
    pub fn first((interval, price): (Interval, Money), now: Timestamp) -> Self {
        let none = Self {
            interval,
            price,
            length_ms: 0,
            left: 0,
            counted_at: now,
            percent: 0,
            payments: 0,
        };
        none.paid(price, now)
    }

    /// With another interval of the same length that begins where what is left ends, or then.
    #[must_use]
    pub fn paid(self, price: Money, from: Timestamp) -> Self {
        let length_ms = (self.interval.after(from) - from).num_milliseconds();
        let left = self.left.saturating_add(length_ms.saturating_mul(WHOLE.into()));
        Self { price, length_ms, left, payments: self.payments.saturating_add(1), ..self }
    }

    /// Counted up to an instant. A clock that was set back counts nothing twice.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let passed = (now - self.counted_at).num_milliseconds().max(0);
        let used = passed.saturating_mul(self.percent.into());
        let left = self.left.saturating_sub(used);
        Self { left, counted_at: now.max(self.counted_at), ..self }
    }

    /// From an instant on it uses so many shares of each millisecond.
    #[must_use]
    pub fn using(self, percent: u32, now: Timestamp) -> Self {
        Self { percent, ..self.at(now) }
    }

    /// When it is used up, if it is being used.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.would_end_at(self.percent)
    }

    /// When it would be used up at so many shares of each millisecond; `None` at none.
    fn would_end_at(&self, percent: u32) -> Option<Timestamp> {
        let each = i64::from(percent);
        // Up to the millisecond, so that nothing of it is left over.
        let up = self.left.saturating_add(each.saturating_sub(1));
        let ahead = Duration::try_milliseconds(up.checked_div_euclid(each)?)?;
        self.counted_at.checked_add_signed(ahead)
    }

    /// Until when it lasts, or would last if the instance ran from now on.
    pub fn lasts_until(&self, now: Timestamp) -> Timestamp {
        let running = || self.at(now).would_end_at(WHOLE);
        self.ends_at().or_else(running).unwrap_or(now)
    }

    /// Whole seconds of it that are left at an instant, at the whole price.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        self.at(now).left.max(0) / (1_000 * i64::from(WHOLE))
    }

    /// Whether something is left of it.
    pub fn is_left(&self, now: Timestamp) -> bool {
        self.at(now).left > 0
    }

    /// What of the newest payment is left at an instant.
    pub fn unused(&self, instance_id: InstanceId, now: Timestamp) -> Unused {
        let shares = self.length_ms.saturating_mul(WHOLE.into());
        let shares = u64::try_from(shares).unwrap_or(0);
        let left = u64::try_from(self.at(now).left).unwrap_or(0).min(shares);
        Unused { instance_id, payment: self.payments, price: self.price, shares, left }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::testing::instant;

    fn day() -> PaidTime {
        PaidTime::first((Interval::Day, Money::from_e8(864_000)), instant())
    }

    fn id() -> InstanceId {
        InstanceId::from_uuid(Uuid::nil())
    }

    #[test]
    fn an_interval_is_one_of_the_calendar() {
        let from = "2024-01-31T12:00:00Z".parse().unwrap();
        let ends = [
            (Interval::Hour, "2024-01-31T13:00:00Z"),
            (Interval::Day, "2024-02-01T12:00:00Z"),
            (Interval::Week, "2024-02-07T12:00:00Z"),
            (Interval::Month, "2024-02-29T12:00:00Z"),
            (Interval::Year, "2025-01-31T12:00:00Z"),
        ];
        for (interval, end) in ends {
            assert_eq!(interval.after(from), end.parse::<Timestamp>().unwrap(), "{interval:?}");
        }
    }

    #[test]
    fn what_stands_still_uses_less_and_what_is_frozen_nothing() {
        let hour = Duration::hours(1);
        let paid = day();
        assert_eq!(paid.ends_at(), None, "it has not begun");
        let runs = paid.using(100, instant());
        assert_eq!(runs.ends_at(), Some(instant() + hour * 24));
        // Six hours at the whole price leave eighteen, which at 35 % last 51 3/7.
        let stopped = runs.using(35, instant() + hour * 6);
        let lasts = Duration::milliseconds(185_142_858);
        assert_eq!(stopped.ends_at(), Some(instant() + hour * 6 + lasts));
        let frozen = stopped.using(0, instant() + hour * 16);
        assert_eq!(frozen.ends_at(), None);
        let again = frozen.using(100, instant() + hour * 1_000);
        assert_eq!(again.ends_at(), Some(instant() + hour * 1_000 + hour * 29 / 2));
        assert_eq!(frozen.unused(id(), instant() + hour * 500).amount(), Money::from_e8(522_000));
    }

    #[test]
    fn a_clock_that_is_set_back_counts_nothing_twice() {
        let runs = day().using(100, instant());
        let ahead = runs.using(100, instant() + Duration::hours(2));
        let back = ahead.using(100, instant() + Duration::hours(1));
        assert_eq!((back.left, back.ends_at()), (ahead.left, ahead.ends_at()));
    }

    proptest! {
        /// However often it is stopped and started, shares are neither lost nor made.
        #[test]
        fn what_was_used_and_what_is_left_are_what_was_paid(
            turns in prop::collection::vec((0i64..5_000_000, 0u32..=100), 0..40),
        ) {
            let mut paid = day();
            let (mut now, mut percent, mut used) = (instant(), 0_i64, 0_i64);
            for (passed, next) in turns {
                now += Duration::milliseconds(passed);
                used += passed * percent;
                paid = paid.using(next, now);
                percent = next.into();
            }
            prop_assert_eq!(paid.left + used, 24 * 3_600_000 * 100);
            let value = paid.unused(id(), now).amount();
            prop_assert!(Money::ZERO <= value && value <= paid.price);
        }
    }
}
