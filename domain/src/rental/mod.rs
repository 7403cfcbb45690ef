//! Rentals: who has which host, until when, and for how much.
//!
//! Time moves a rental on by itself: `active` until its end, `hold` for its hold days, then
//! `expired`. [`Rental::at`] is the one place that knows this; the expiry sweep only writes down
//! what it says, so nothing depends on the sweep being punctual.

mod abandon;
mod access;
mod earn;
mod expire;
mod extend;
mod log_in;
mod mandate;
mod period;
mod port;
mod renew;
mod rent;
mod settlement;
mod show;
mod terminate;

use serde::{Deserialize, Serialize};

pub use abandon::abandon_unready;
pub use access::{Access, Driver, DriverError, RENTER, Tenant, align, realign};
pub use earn::earn_due;
pub use expire::expire_due;
pub use extend::{ExtendRental, Extended, extend};
pub use log_in::{LogIn, log_in, renew_access};
pub use mandate::{GiveMandate, Mandate, give_mandate, revoke_mandate, show_mandate};
pub use period::{Period, periods};
pub use port::{RentalQueries, Rentals};
pub use renew::renew_due;
pub use rent::{RentServer, Rented, rent};
pub use settlement::{Share, settlement};
pub use show::{RentalKey, RentalWithHost, list, show};
pub use terminate::{
    TerminateRental, Terminated, TerminationPreview, terminate, termination_preview,
};

use crate::clock::{self, Timestamp};
use crate::error::{Conflict, Error, Result};
use crate::host::{Host, HostId, Sla, Tier};
use crate::id::entity_id;
use crate::money::Money;
use crate::pool::PoolId;
use crate::store::Tx;
use crate::user::UserId;
use crate::wallet::{Account, Charge, Entry, PostingId, commission, entries};

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
    /// What was given back of it: refunds and credits; never more.
    #[serde(default)]
    pub refunded: Money,
    /// What it was made with.
    pub terms: Terms,
    /// The posting that paid for the first period.
    pub charge_id: PostingId,
    /// What the renter can reach at the moment.
    pub access: Access,
    /// Rent that waits to be earned, if the host is a supplier's.
    #[serde(default)]
    pub escrow: Option<Escrow>,
    /// When access was granted first.
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
    /// Not ready by then, everything is given back.
    #[serde(default)]
    pub ready_by: Option<Timestamp>,
}

/// Rent that was paid for a supplier's host and that the supplier has not earned yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    /// How much.
    pub held: Money,
    /// The whole days until then are earned.
    pub earned_until: Timestamp,
    /// When there is something to earn next.
    pub next_at: Option<Timestamp>,
}

impl Escrow {
    /// The escrow of a new rental.
    pub fn begun(held: Money, now: Timestamp) -> Self {
        Self { held, earned_until: now, next_at: Some(now + clock::days(1)) }
    }
}

/// What an operator configured about rentals, beside what each host says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RentalPolicy {
    /// What is kept of the value of unused days at an early end, in hundredths of a percent.
    pub early_end_fee_bp: u32,
    /// How long after its own setup time a host may take to become ready.
    pub ready_within: chrono::Duration,
}

impl RentalPolicy {
    /// How long after the rent a host must be ready.
    pub fn ready_within(&self, host: &Host) -> chrono::Duration {
        chrono::Duration::minutes(i64::from(host.specs.setup_time_minutes)) + self.ready_within
    }
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
    /// What is kept of the value of unused days at an early end, in hundredths of a percent.
    #[serde(default)]
    pub early_end_fee_bp: u32,
    /// What is promised about downtime.
    #[serde(default)]
    pub sla: Option<Sla>,
    /// The supplier's part, if the host is a supplier's.
    #[serde(default)]
    pub supplier: Option<SupplierTerms>,
}

/// A supplier's part in a rental.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplierTerms {
    /// Who.
    pub supplier_id: UserId,
    /// What the operator keeps of the rent, in hundredths of a percent.
    pub commission_bp: u32,
}

impl SupplierTerms {
    /// The supplier's share of a rent, and the operator's.
    pub fn split(self, rent: Money) -> (Money, Money) {
        let kept = commission(rent, self.commission_bp);
        (rent.saturating_sub(kept), kept)
    }
}

impl Terms {
    /// The price terms of a host for so many days now; refused above the most that the payer would
    /// pay. An extension needs no more: the rest stays as it was at the rental's beginning.
    pub fn offered(host: &Host, days: u32, max_charge: Option<Money>) -> Result<Self> {
        let Tier { price, hold_days } = host.pricing.tier(days)?;
        let terms =
            Self { days, price, hold_days, early_end_fee_bp: 0, sla: host.sla, supplier: None };
        terms.within(max_charge)
    }

    /// The whole terms of a rental that begins now.
    pub async fn for_new_rental(
        tx: &dyn Tx,
        host: &Host,
        days: u32,
        policy: &RentalPolicy,
    ) -> Result<Self> {
        let supplier = match host.supplier_id {
            Some(supplier_id) => tx.supplier(supplier_id).await?.map(|supplier| SupplierTerms {
                supplier_id,
                commission_bp: supplier.commission_bp,
            }),
            None => None,
        };
        let early_end_fee_bp = policy.early_end_fee_bp;
        Ok(Self { early_end_fee_bp, supplier, ..Self::offered(host, days, None)? })
    }

    /// The terms, refused above the most that the payer would pay.
    pub fn within(self, max_charge: Option<Money>) -> Result<Self> {
        match max_charge.filter(|max| self.price > *max) {
            Some(max) => {
                Err(Error::Conflict(Conflict::ChargeExceedsMax { charge: self.price, max }))
            }
            None => Ok(self),
        }
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
        Ok(Some(
            Self {
                phase: Phase::Active,
                ends_at,
                hold_days: rental.hold_days.max(terms.hold_days),
                amount: rental.amount.checked_add(terms.price).ok_or_else(overflow)?,
                escrow: match rental.escrow {
                    Some(escrow) => Some(Escrow {
                        held: escrow.held.checked_add(terms.price).ok_or_else(overflow)?,
                        ..escrow
                    }),
                    None => None,
                },
                ..rental
            }
            .earning_at(now),
        ))
    }

    /// The account that its rent is paid into.
    pub const fn rent_account(&self) -> Account {
        if self.escrow.is_some() { Account::Escrow(self.id) } else { Account::Revenue }
    }

    /// What of a refund is in escrow, and what its supplier has earned already. A refund leaves what was
    /// earned, unless days were earned by a clock that ran ahead and was set right.
    pub fn sources(&self, refund: Money) -> (Money, Money) {
        let held = self.escrow.map_or(refund, |escrow| escrow.held.min(refund));
        (held, refund.saturating_sub(held))
    }

    /// The entries that pay a refund into an account: out of what its rent was paid into, and where that
    /// is not enough, out of the shares of what was earned.
    pub fn given_back(&self, refund: Money, to: Account) -> Vec<Entry> {
        let (held, earned) = self.sources(refund);
        let mut sides = vec![(to, refund), (self.rent_account(), held.negated())];
        if let Some(terms) = self.terms.supplier {
            let (share, kept) = terms.split(earned);
            sides.push((Account::Payable(terms.supplier_id), share.negated()));
            sides.push((Account::Revenue, kept.negated()));
        }
        entries(sides)
    }

    /// Whether its host should have been ready by now and never was, and money is still to be given
    /// back for that.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let late = self.ready_at.is_none() && self.ready_by.is_some_and(|by| by <= now);
        let terminated = self.status() == RentalStatus::Terminated;
        late && (self.is_live() || (!terminated && self.refunded < self.amount))
    }

    /// The rental after so much of its rent was given back.
    pub fn with_refund(self, amount: Money) -> Result<Self> {
        let (from_escrow, _) = self.sources(amount);
        let rental = self.with_credit(amount)?;
        let less =
            |escrow: Escrow| Escrow { held: escrow.held.saturating_sub(from_escrow), ..escrow };
        Ok(Self { escrow: rental.escrow.map(less), ..rental })
    }

    /// The rental after so much was credited for downtime. A supplier's part of that is taken from what
    /// is payable to them, not from the escrow.
    pub fn with_credit(self, amount: Money) -> Result<Self> {
        let refunded = self.refunded.checked_add(amount).filter(|all| *all <= self.amount);
        let refunded = refunded.ok_or_else(|| Error::internal("a credit is above the charges"))?;
        Ok(Self { refunded, ..self })
    }

    /// The rental with the moment that its supplier earns next: at once where it has ended.
    #[must_use]
    pub fn earning_at(self, now: Timestamp) -> Self {
        let is_over = !self.is_live();
        let escrow = self.escrow.map(|escrow| {
            let next_at = match escrow.held {
                Money::ZERO => None,
                _ if is_over => Some(now),
                _ => Some(escrow.earned_until + clock::days(1)),
            };
            Escrow { next_at, ..escrow }
        });
        Self { escrow, ..self }
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
        Terms { days, ..rental().terms }
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
