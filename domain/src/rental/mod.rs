//! Rentals: who has which host, until when, and for how much.
//!
//! Time moves a rental on by itself: `active` until its end, `hold` for its hold days, then
//! `expired`. [`Rental::at`] is the one place that knows this; the expiry sweep only writes down
//! what it says, so nothing depends on the sweep being punctual.

mod access;
mod expire;
mod extend;
mod port;
mod rent;
mod show;

use serde::{Deserialize, Serialize};

pub use access::{Access, Driver, DriverError, align, realign};
pub use expire::expire_due;
pub use extend::{ExtendRental, Extended, extend};
pub use port::{RentalQueries, Rentals};
pub use rent::{RentServer, Rented, rent};
pub use show::{RentalKey, RentalWithHost, list, show};

use crate::clock::{self, Timestamp};
use crate::error::{Conflict, Error, Result};
use crate::host::{Host, HostId, Tier};
use crate::id::entity_id;
use crate::money::Money;
use crate::pool::PoolId;
use crate::user::UserId;
use crate::wallet::{Charge, PostingId};

entity_id!(
    /// Identifies a rental.
    RentalId
);

/// Nobody rents further ahead than twenty years; far beyond, instants cannot be written any more.
const MAX_DAYS_AHEAD: u32 = 7_300;

/// The contract about one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rental {
    /// Identifies the rental.
    pub id: RentalId,
    /// Which host.
    pub host_id: HostId,
    /// Who rented it.
    pub renter_id: UserId,
    /// The pool whose members see it.
    pub pool_id: Option<PoolId>,
    /// Where it stands.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// Until when it is paid.
    pub ends_at: Timestamp,
    /// How long after its end the host is kept.
    pub hold_days: u32,
    /// All rent so far.
    pub amount: Money,
    /// What it was made with.
    pub terms: Terms,
    /// The posting that paid for the first period.
    pub charge_id: PostingId,
    /// What the renter can reach at the moment.
    pub access: Access,
}

/// The price terms that a rental was made with; later prices do not change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Days of 24 hours.
    pub days: u32,
    /// For all of them, paid in advance.
    pub price: Money,
    /// How long the host is kept after an end without an extension.
    pub hold_days: u32,
}

impl Terms {
    /// What a host costs for so many days now; refused above the most that the payer would pay.
    pub fn offered(host: &Host, days: u32, max_charge: Option<Money>) -> Result<Self> {
        let Tier { price, hold_days } = host.pricing.tier(days)?;
        if let Some(max) = max_charge.filter(|max| price > *max) {
            return Err(Error::Conflict(Conflict::ChargeExceedsMax { charge: price, max }));
        }
        Ok(Self { days, price, hold_days })
    }
}

/// Where a rental stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Paid and usable.
    Active,
    /// Not paid any more: the host is kept and access is cut.
    Hold,
    /// Over.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
    },
}

/// Why a rental is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// It was not extended in time.
    Expired,
    /// It was ended early.
    Terminated,
}

/// A phase in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RentalStatus {
    /// [`Phase::Active`].
    Active,
    /// [`Phase::Hold`].
    Hold,
    /// Ended by [`EndReason::Expired`].
    Expired,
    /// Ended by [`EndReason::Terminated`].
    Terminated,
}

impl Rental {
    /// When the host is given up if nothing happens.
    pub fn held_until(&self) -> Timestamp {
        self.ends_at + clock::days(self.hold_days)
    }

    /// The rental as it stands at an instant, whether or not a sweep has written it down.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        let phase = match self.phase {
            Phase::Active | Phase::Hold if now < self.ends_at => Phase::Active,
            Phase::Active | Phase::Hold if now < self.held_until() => Phase::Hold,
            Phase::Active | Phase::Hold => {
                Phase::Ended { at: self.held_until(), reason: EndReason::Expired }
            }
            ended @ Phase::Ended { .. } => ended,
        };
        Self { phase, ..self }
    }

    /// Lengthens a live rental by whole days from its end. The charge buys time from the old end,
    /// so days that would all lie in the past are refused by `None`.
    pub fn extended(self, terms: Terms, now: Timestamp) -> Result<Option<Self>> {
        let rental = self.at(now);
        if let Phase::Ended { .. } = rental.phase {
            return Err(Error::Conflict(Conflict::RentalEnded));
        }
        let ends_at = rental.ends_at + clock::days(terms.days);
        if ends_at <= now {
            return Ok(None);
        }
        if ends_at > now + clock::days(MAX_DAYS_AHEAD) {
            let message = format!("the rental would end more than {MAX_DAYS_AHEAD} days from now");
            return Err(Error::invalid("/days", message));
        }
        let overflow = || Error::invalid("/days", "the rental's amount would not fit");
        Ok(Some(Self {
            phase: Phase::Active,
            ends_at,
            hold_days: rental.hold_days.max(terms.hold_days),
            amount: rental.amount.checked_add(terms.price).ok_or_else(overflow)?,
            ..rental
        }))
    }

    /// The phase in one word.
    pub const fn status(&self) -> RentalStatus {
        match self.phase {
            Phase::Active => RentalStatus::Active,
            Phase::Hold => RentalStatus::Hold,
            Phase::Ended { reason: EndReason::Expired, .. } => RentalStatus::Expired,
            Phase::Ended { reason: EndReason::Terminated, .. } => RentalStatus::Terminated,
        }
    }

    /// Whether the renter can use the host: access is granted and should be.
    pub fn is_ready(&self) -> bool {
        self.access == Access::Granted && self.wanted_access() == Access::Granted
    }

    /// Whether the host is still the renter's.
    pub const fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Ended { .. })
    }

    /// Paid days left, a begun day counted whole.
    pub fn remaining_days(&self, now: Timestamp) -> u32 {
        match self.phase {
            Phase::Active => clock::begun_days(now, self.ends_at),
            Phase::Hold | Phase::Ended { .. } => 0,
        }
    }

    /// Whole days since it began, until it ended.
    pub fn usage_days(&self, now: Timestamp) -> u32 {
        let until = match self.phase {
            Phase::Active | Phase::Hold => now,
            Phase::Ended { at, .. } => at.min(now),
        };
        clock::whole_days(self.started_at, until.min(self.ends_at.max(self.started_at)))
    }

    /// The charge of its first period.
    pub const fn first_charge(&self) -> Charge {
        Charge { id: self.charge_id, amount: self.terms.price, at: self.started_at }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::days;
    use crate::testing::{instant, rental};

    fn terms(days: u32) -> Terms {
        Terms { days, price: Money::from_cents(7_000).unwrap(), hold_days: 2 }
    }

    #[test]
    fn a_begun_day_counts_whole_when_it_is_left_and_not_when_it_is_used() {
        let rental = rental();
        let one_day_in = instant() + days(1);
        let seen = rental.clone().at(one_day_in);
        assert_eq!((seen.usage_days(one_day_in), seen.remaining_days(one_day_in)), (1, 6));
        let extended = rental.extended(terms(7), one_day_in).unwrap().unwrap();
        assert_eq!(extended.remaining_days(one_day_in), 13);
        assert_eq!(extended.amount.to_string(), "140.00");
    }

    #[test]
    fn time_moves_a_rental_through_its_phases() {
        let cases = [
            (days(7) - Duration::microseconds(1), RentalStatus::Active),
            (days(7), RentalStatus::Hold),
            (days(9) - Duration::microseconds(1), RentalStatus::Hold),
            (days(9), RentalStatus::Expired),
            (days(900), RentalStatus::Expired),
        ];
        for (after, status) in cases {
            assert_eq!(rental().at(instant() + after).status(), status, "{after}");
        }
    }

    #[test]
    fn an_extension_in_the_hold_counts_from_the_old_end() {
        let in_hold = instant() + days(8);
        let extended = rental().extended(terms(7), in_hold).unwrap().unwrap();
        assert_eq!(extended.ends_at, instant() + days(14));
        assert_eq!(extended.status(), RentalStatus::Active);
        assert_eq!(rental().extended(terms(1), in_hold).unwrap(), None);
        assert!(rental().extended(terms(7), instant() + days(9)).is_err());
    }

    proptest! {
        #[test]
        fn looking_twice_is_looking_late(first in 0i64..30, second in 0i64..30) {
            let (early, late) = (first.min(second), first.max(second));
            let late_at = instant() + Duration::days(late);
            let stepped = rental().at(instant() + Duration::days(early)).at(late_at);
            prop_assert_eq!(stepped, rental().at(late_at));
        }

        #[test]
        fn an_extension_adds_exactly_its_days_and_its_price(count in 1u32..400, hours in 0i64..215) {
            let now = instant() + Duration::hours(hours);
            if let Some(extended) = rental().extended(terms(count), now).unwrap() {
                prop_assert_eq!(extended.ends_at - rental().ends_at, days(count));
                prop_assert!(extended.ends_at > now);
                prop_assert_eq!(extended.amount, rental().amount.checked_add(terms(count).price).unwrap());
            }
        }
    }
}
