//! The paid periods of a rental, as the ledger has them.

use crate::clock::{self, Timestamp};
use crate::money::Money;
use crate::user::UserId;
use crate::wallet::{Posting, PostingId, PostingKind};

use super::Rental;

/// A period that somebody paid for. A rental's periods follow each other without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The posting that paid for it.
    pub charge_id: PostingId,
    /// Who paid, and gets back what is given back.
    pub payer_id: UserId,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// What was really paid for it.
    pub price: Money,
    /// What was given back of that: refunds and credits.
    pub returned: Money,
}

impl Period {
    /// How many days it has.
    pub fn days(&self) -> u32 {
        clock::whole_days(self.starts_at, self.ends_at)
    }

    /// Whole days of it that have passed.
    pub fn used_days(&self, now: Timestamp) -> u32 {
        clock::whole_days(self.starts_at, now.min(self.ends_at))
    }

    /// Whole days of it that lie ahead.
    pub fn unused_days(&self, now: Timestamp) -> u32 {
        clock::whole_days(now.max(self.starts_at), self.ends_at)
    }

    /// The rent of the whole days that have passed, rounded down to 10⁻⁸.
    pub fn earned(&self, now: Timestamp) -> Money {
        self.price.fraction(u64::from(self.used_days(now)), u64::from(self.days())).floor()
    }
}

/// The periods of a rental, made from all postings about it, in the order of time.
pub fn periods(rental: &Rental, postings: &[Posting]) -> Vec<Period> {
    let begun = |posting: &Posting| posting.period.map(|(_, start)| start);
    let mut charges: Vec<(Timestamp, &Posting)> = postings
        .iter()
        .filter(|posting| posting.kind == PostingKind::Charge)
        .filter_map(|posting| begun(posting).zip(Some(posting)))
        .collect();
    charges.sort_by_key(|(start, _)| *start);
    let ends: Vec<Timestamp> =
        charges.iter().skip(1).map(|(start, _)| *start).chain([rental.ends_at]).collect();
    let returned = |from: Timestamp, until: Timestamp| {
        let back = postings.iter().filter(|posting| {
            let within = begun(posting).is_some_and(|start| from <= start && start < until);
            within && matches!(posting.kind, PostingKind::Refund | PostingKind::Credit)
        });
        back.map(|posting| posting.amount).sum()
    };
    charges
        .into_iter()
        .zip(ends)
        .map(|((starts_at, charge), ends_at)| Period {
            charge_id: charge.id,
            payer_id: charge.user_id,
            starts_at,
            ends_at,
            price: charge.amount.negated(),
            returned: returned(starts_at, ends_at),
        })
        .collect()
}
