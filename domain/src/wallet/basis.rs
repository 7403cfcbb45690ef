//! What an amount was made from. A posting keeps it, hashed with the rest, so that anybody can compute
//! the amount again: [`Basis::amount`] is the one place that turns these numbers into money.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::PostingId;
use crate::clock::Timestamp;
use crate::host::Sla;
use crate::instance::{InstanceId, Unused};
use crate::meter::Usage;
use crate::money::{Fraction, Money};
use crate::outage::OutageId;
use crate::plan::Interval;
use crate::quote::QuoteId;
use crate::supplier::PayoutRunId;

/// Hundredths of a percent in the whole.
pub const WHOLE_BP: u32 = 10_000;

/// The numbers behind an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Basis {
    /// A period of rent, paid in advance.
    Rent {
        /// How many days it lasts.
        days: u32,
        /// The price of all of them on the day of the charge, or in the quote.
        price: Money,
        /// The end of the period; the posting names its start.
        until: Timestamp,
        /// The quote that fixed the price.
        quote_id: Option<QuoteId>,
        /// Whether a mandate renewed the rental.
        by_mandate: bool,
    },
    /// The unused days of a period that was ended early.
    EarlyEnd(EarlyEnd),
    /// All that was paid for a period of a server that never became ready.
    NeverReady {
        /// The charge that it gives back.
        charge_id: PostingId,
        /// What was charged.
        price: Money,
        /// What was given back before.
        returned: Money,
    },
    /// Downtime.
    Downtime(Downtime),
    /// Rent that a supplier has earned.
    Earning {
        /// From when.
        from: Timestamp,
        /// Until when; all that was left, where the rental has ended.
        until: Timestamp,
        /// The rent of this time.
        rent: Money,
        /// The operator's share, in hundredths of a percent.
        commission_bp: u32,
    },
    /// Money sent to a supplier's bank account.
    Payout {
        /// In which run.
        run_id: PayoutRunId,
        /// What was payable; the payout is its whole cents.
        payable: Money,
    },
    /// A reading of a meter.
    Usage(Usage),
    /// An interval of an instance, paid in advance.
    Interval(PaidInterval),
    /// An interval of the instance that an instance migrates to, less what is left of the old one's.
    Migration {
        /// What is paid.
        to: PaidInterval,
        /// What is left.
        from: Unused,
        /// What of a refund settles what the payer owes.
        settled: Money,
    },
    /// Paid time of an instance that could not be used.
    Unused {
        /// The time.
        unused: Unused,
        /// What of the refund settles what the payer owes.
        settled: Money,
    },
}

/// An interval of an instance, paid in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidInterval {
    /// Which instance.
    pub instance_id: InstanceId,
    /// Which of its payments, counted from 1.
    pub payment: u32,
    /// How long it is.
    pub interval: Interval,
    /// Its price on the day of the payment.
    pub price: Money,
}

/// The unused days of a period, and what they are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyEnd {
    /// The charge that paid for the period.
    pub charge_id: PostingId,
    /// What was really paid for it.
    pub price: Money,
    /// The days of the period.
    pub days: u32,
    /// Whole days of it that lie ahead.
    pub unused_days: u32,
    /// What the operator keeps of their value, in hundredths of a percent.
    pub fee_bp: u32,
    /// What was given back of this period before.
    pub returned: Money,
}

impl EarlyEnd {
    /// The value before rounding.
    pub fn exact(&self) -> Fraction {
        let kept = WHOLE_BP.saturating_sub(self.fee_bp);
        self.price.fraction(
            u64::from(self.unused_days) * u64::from(kept),
            u64::from(self.days) * u64::from(WHOLE_BP),
        )
    }

    /// Rounded down to the cent, and never more than is left of what was paid.
    pub fn amount(&self) -> Money {
        self.exact().floor_to_cents().min(self.price.saturating_sub(self.returned)).max(Money::ZERO)
    }
}

/// An outage within a period, and what the terms give for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Downtime {
    /// The outage.
    pub outage_id: OutageId,
    /// The charge that paid for the period.
    pub charge_id: PostingId,
    /// What was really paid for it.
    pub price: Money,
    /// The days of the period.
    pub days: u32,
    /// Whole minutes of the outage within the period.
    pub minutes: u32,
    /// What the terms promised.
    pub sla: Sla,
    /// What was given back of this period before.
    pub returned: Money,
}

impl Downtime {
    /// The value before rounding.
    pub fn exact(&self) -> Fraction {
        let minutes = u64::from(self.days) * 24 * 60;
        self.price
            .fraction(u64::from(self.minutes) * u64::from(self.sla.credit_percent), minutes * 100)
    }

    /// Rounded up to the cent, in the renter's favour, and never more than is left of what was paid.
    pub fn amount(&self) -> Money {
        self.exact().ceil_to_cents().min(self.price.saturating_sub(self.returned)).max(Money::ZERO)
    }
}

impl Basis {
    /// The amount that these numbers make, without a sign.
    pub fn amount(&self) -> Money {
        match self {
            Self::Rent { price, .. } => *price,
            Self::EarlyEnd(end) => end.amount(),
            Self::NeverReady { price, returned, .. } => price.saturating_sub(*returned),
            Self::Downtime(downtime) => downtime.amount(),
            Self::Earning { rent, commission_bp, .. } => {
                rent.saturating_sub(commission(*rent, *commission_bp))
            }
            Self::Payout { payable, .. } => payable.whole_cents(),
            Self::Usage(usage) => usage.amount(),
            Self::Interval(paid) => paid.price,
            Self::Migration { to, from, settled } => {
                to.price.saturating_sub(from.amount()).magnitude().saturating_sub(*settled)
            }
            Self::Unused { unused, settled } => unused.amount().saturating_sub(*settled),
        }
    }

    /// The amount before it was rounded.
    pub fn exact(&self) -> Decimal {
        match self {
            Self::EarlyEnd(end) => end.exact().to_decimal(),
            Self::Downtime(downtime) => downtime.exact().to_decimal(),
            Self::Earning { rent, commission_bp, .. } => {
                let kept = WHOLE_BP.saturating_sub(*commission_bp);
                rent.fraction(u64::from(kept), u64::from(WHOLE_BP)).to_decimal()
            }
            Self::Payout { payable, .. } => payable.to_decimal(),
            Self::Usage(usage) => usage.exact().to_decimal(),
            Self::Unused { unused, .. } => unused.exact().to_decimal(),
            Self::Rent { .. }
            | Self::NeverReady { .. }
            | Self::Interval(_)
            | Self::Migration { .. } => self.amount().to_decimal(),
        }
    }
}

/// The operator's share of a rent, rounded down to 10⁻⁸ in the supplier's favour.
pub fn commission(rent: Money, commission_bp: u32) -> Money {
    rent.fraction(u64::from(commission_bp), u64::from(WHOLE_BP)).floor()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn end(cents: i64, days: u32, unused_days: u32, fee_bp: u32) -> EarlyEnd {
        EarlyEnd {
            charge_id: PostingId::from_uuid(Uuid::nil()),
            price: Money::from_cents(cents).unwrap(),
            days,
            unused_days,
            fee_bp,
            returned: Money::ZERO,
        }
    }

    #[test]
    fn an_early_end_gives_back_whole_unused_days_less_the_fee() {
        let cases = [
            (7_000, 7, 6, 0, "60.00"),
            (7_000, 7, 6, 1_000, "54.00"),
            (10_000, 30, 7, 0, "23.33"),
            (10_000, 30, 7, 333, "22.55"),
            (7_000, 7, 7, 0, "70.00"),
            (7_000, 7, 0, 0, "0.00"),
            (7_000, 7, 6, 10_000, "0.00"),
            (1, 7, 6, 0, "0.00"),
        ];
        for (cents, days, unused, fee, refund) in cases {
            assert_eq!(end(cents, days, unused, fee).amount().to_string(), refund);
        }
    }

    #[test]
    fn what_was_given_back_before_is_not_given_back_again() {
        let ended = EarlyEnd { returned: Money::from_cents(6_500).unwrap(), ..end(7_000, 7, 6, 0) };
        assert_eq!(ended.amount().to_string(), "5.00");
    }

    proptest! {
        #[test]
        fn no_refund_is_above_the_charge_or_below_nothing(
            cents in 1i64..100_000_000, days in 1u32..3_650, unused in 0u32..3_650, fee in 0u32..=10_000,
        ) {
            let end = end(cents, days, unused.min(days), fee);
            prop_assert!(Money::ZERO <= end.amount() && end.amount() <= end.price);
            prop_assert!(end.amount().is_whole_cents());
        }

        #[test]
        fn a_share_of_the_rent_and_the_commission_are_the_rent(units in 0i64..1 << 50, bp in 0u32..=10_000) {
            let rent = Money::from_e8(units);
            let net = rent.saturating_sub(commission(rent, bp));
            prop_assert!(Money::ZERO <= net && net <= rent);
        }
    }
}
