//! Metered billing: what runs is charged by the second, at a price per hour or per month.
//!
//! A [`Meter`] runs at one price. A change of price ends it and begins another, so what a meter has
//! made by some moment is one multiplication and one rounding, whenever and however often it is read.

mod bill;
mod costs;
mod end;
mod port;
mod show;
mod summary;

use serde::{Deserialize, Serialize};

pub use bill::{EVERY, FundsPolicy, bill_due, delete_unpaid};
pub(crate) use bill::{begin, begin_all, close, finish, finish_by};
pub use costs::{Cost, CostFilter, NumberedCost, costs, costs_part};
pub use end::Standing;
pub use port::{MeterQueries, Meters};
pub(crate) use show::charges_of;
pub use show::{Burn, MeterLine, burn};
pub use summary::{Summary, summary};

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::instance::InstanceId;
use crate::money::{Fraction, Money};
use crate::pool::PoolId;
use crate::user::UserId;
use crate::volume::VolumeId;

entity_id!(
    /// Identifies a meter.
    MeterId
);

/// Seconds in the month that a price per month is for: a twelfth of 365 days.
pub const SECONDS_PER_MONTH: u32 = 730 * SECONDS_PER_HOUR;
/// Seconds in an hour.
pub const SECONDS_PER_HOUR: u32 = 3_600;

/// What is metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metered {
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
}

/// A price for time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The price.
    pub price: Money,
    /// Of so many seconds.
    pub seconds: u32,
}

impl Rate {
    /// A price per hour.
    pub const fn per_hour(price: Money) -> Self {
        Self { price, seconds: SECONDS_PER_HOUR }
    }

    /// A price per month.
    pub const fn per_month(price: Money) -> Self {
        Self { price, seconds: SECONDS_PER_MONTH }
    }

    /// The price of so many seconds, rounded down to 10⁻⁸.
    pub fn of(&self, seconds: u64) -> Money {
        self.price.fraction(seconds, u64::from(self.seconds)).floor()
    }

    /// The price of an hour, rounded up to 10⁻⁸: for forecasts, never for charges.
    pub fn hourly(&self) -> Money {
        let floor = self.of(u64::from(SECONDS_PER_HOUR));
        let exact = i128::from(self.price.e8()) * i128::from(SECONDS_PER_HOUR);
        let is_whole = exact.checked_rem(self.seconds.into()).is_none_or(|rest| rest == 0);
        if is_whole { floor } else { floor.checked_add(Money::from_e8(1)).unwrap_or(floor) }
    }
}

/// One thing running at one price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Identifies the meter.
    pub id: MeterId,
    /// Who pays.
    pub payer_id: UserId,
    /// For which pool.
    pub pool_id: PoolId,
    /// What runs.
    pub metered: Metered,
    /// What people call it.
    pub name: String,
    /// At what price.
    pub rate: Rate,
    /// Whether that is the price of an instance that could be evicted.
    pub is_spot: bool,
    /// Since when.
    pub started_at: Timestamp,
    /// Until when, if that is known.
    pub ended_at: Option<Timestamp>,
    /// What was booked of it so far.
    pub billed: Money,
    /// How many times something was booked.
    pub bills: u32,
    /// When it is read next; `None` once it has ended and all is booked.
    pub bill_at: Option<Timestamp>,
}

impl Meter {
    /// Whole seconds that it has run by an instant.
    pub fn seconds(&self, now: Timestamp) -> u64 {
        let until = self.ended_at.unwrap_or(now);
        u64::try_from((until - self.started_at).num_seconds()).unwrap_or(0)
    }

    /// What is to be booked at an instant: what it has made by then, less what was booked. Below zero
    /// where a clock ran ahead and was set right since.
    pub fn due(&self, now: Timestamp) -> Money {
        self.rate.of(self.seconds(now)).saturating_sub(self.billed)
    }

    /// The reading that makes a posting now.
    pub fn reading(&self, now: Timestamp, owed: Money) -> Usage {
        Usage {
            meter_id: self.id,
            metered: self.metered,
            bill: self.bills.saturating_add(1),
            rate: self.rate,
            from: self.started_at,
            seconds: self.seconds(now),
            billed: self.billed,
            owed,
        }
    }
}

/// A reading of a meter, and what was booked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Which meter.
    pub meter_id: MeterId,
    /// What it measures.
    pub metered: Metered,
    /// Its bookings are counted from 1.
    pub bill: u32,
    /// At what price.
    pub rate: Rate,
    /// Since when.
    pub from: Timestamp,
    /// Whole seconds since then.
    pub seconds: u64,
    /// What was booked of it before.
    pub billed: Money,
    /// What of it the wallet could not give, so that it is owed.
    pub owed: Money,
}

impl Usage {
    /// What the reading makes beyond what was booked; below zero, it was too much.
    pub fn due(&self) -> Money {
        self.rate.of(self.seconds).saturating_sub(self.billed)
    }

    /// What all of it costs, before rounding.
    pub fn exact(&self) -> Fraction {
        self.rate.price.fraction(self.seconds, u64::from(self.rate.seconds))
    }

    /// What the wallet gives or gets of that, without a sign.
    pub fn amount(&self) -> Money {
        self.due().saturating_sub(self.owed).magnitude()
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::testing::instant;

    fn meter(price_e8: i64, seconds: u32) -> Meter {
        Meter {
            id: MeterId::from_uuid(Uuid::nil()),
            payer_id: UserId::from_uuid(Uuid::nil()),
            pool_id: PoolId::from_uuid(Uuid::nil()),
            metered: Metered::Instance(InstanceId::from_uuid(Uuid::nil())),
            name: "node".to_owned(),
            rate: Rate { price: Money::from_e8(price_e8), seconds },
            is_spot: false,
            started_at: instant(),
            ended_at: None,
            billed: Money::ZERO,
            bills: 0,
            bill_at: None,
        }
    }

    #[test]
    fn a_forecast_is_rounded_up_and_only_where_it_must_be() {
        let month = |price| Rate::per_month(Money::from_e8(price)).hourly();
        for (price, hourly) in [(730, 1), (731, 2), (1, 1), (0, 0), (25_550_000_000, 35_000_000)] {
            assert_eq!(month(price), Money::from_e8(hourly), "{price}");
        }
        assert_eq!(Rate::per_hour(Money::from_e8(7)).hourly(), Money::from_e8(7));
    }

    #[test]
    fn every_second_counts_and_part_of_one_does_not() {
        let meter = meter(3_600, SECONDS_PER_HOUR);
        for (after, due) in [(0, 0), (999, 0), (1_000, 1), (61_999, 61), (3_600_000, 3_600)] {
            let now = instant() + Duration::milliseconds(after);
            assert_eq!(meter.due(now), Money::from_e8(due), "after {after} ms");
        }
        assert_eq!(meter.due(instant() - Duration::hours(1)), Money::ZERO);
        let ended = Meter { ended_at: Some(instant() + Duration::seconds(5)), ..meter };
        assert_eq!(ended.due(instant() + Duration::hours(1)), Money::from_e8(5));
        assert_eq!(
            ended.due(instant()),
            Money::from_e8(5),
            "its end is known, whatever a clock says"
        );
    }

    proptest! {
        /// Whenever it is read, also by a clock that jumps, and however often: the same total.
        #[test]
        fn the_moments_of_reading_do_not_change_the_total(
            price in 0i64..1 << 40, monthly: bool,
            reads in prop::collection::vec(-100_000i64..10_000_000, 0..40), end in 0i64..5_000_000,
        ) {
            let seconds = if monthly { SECONDS_PER_MONTH } else { SECONDS_PER_HOUR };
            let mut meter = meter(price, seconds);
            let mut booked = Money::ZERO;
            let ended_at = instant() + Duration::seconds(end);
            for after in reads {
                let usage = meter.reading(instant() + Duration::seconds(after), Money::ZERO);
                booked = booked.checked_add(usage.due()).unwrap();
                meter.billed = booked;
                prop_assert!(booked >= Money::ZERO);
            }
            meter.ended_at = Some(ended_at);
            booked = booked.checked_add(meter.due(ended_at)).unwrap();
            let exact = i128::from(price) * i128::from(end) / i128::from(seconds);
            prop_assert_eq!(i128::from(booked.e8()), exact);
        }
    }
}
