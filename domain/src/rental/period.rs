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

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::clock::days;
    use crate::testing::{instant, posting, rental};

    fn period(cents: i64, length: u32) -> Period {
        let rental = Rental { ends_at: instant() + days(length), ..rental() };
        periods(&rental, &[posting(PostingKind::Charge, 1, instant(), -cents)])[0]
    }

    #[test]
    fn periods_follow_each_other_and_know_who_paid_and_what_was_given_back() {
        let (second, third) = (instant() + days(7), instant() + days(37));
        let rental = Rental { ends_at: instant() + days(44), ..rental() };
        // In whatever order they come.
        let postings = [
            posting(PostingKind::Charge, 1, third, -500),
            posting(PostingKind::Credit, 2, second + Duration::hours(5), 30),
            posting(PostingKind::Earning, 3, second, 900),
            posting(PostingKind::Charge, 2, second, -24_000),
            posting(PostingKind::Refund, 2, second, 70),
            posting(PostingKind::Charge, 1, instant(), -7_000),
            posting(PostingKind::Credit, 1, third - Duration::microseconds(1), 1),
        ];
        let found = periods(&rental, &postings);
        let seen: Vec<_> = found
            .iter()
            .map(|p| (p.starts_at, p.days(), p.price.cents_floor(), p.returned.cents_floor()))
            .collect();
        let expected = [(instant(), 7, 7_000, 0), (second, 30, 24_000, 101), (third, 7, 500, 0)];
        assert_eq!(seen, expected);
        let payers: Vec<_> = found.iter().map(|period| period.payer_id).collect();
        assert_eq!(payers, [1, 2, 1].map(|user| UserId::from_uuid(Uuid::from_u128(user))));
        assert_eq!(periods(&rental, &[]), []);
    }

    #[test]
    fn a_begun_day_is_neither_used_nor_unused() {
        let cases = [
            (Duration::days(-3), 0, 7),
            (Duration::zero(), 0, 7),
            (Duration::microseconds(1), 0, 6),
            (Duration::days(1), 1, 6),
            (Duration::hours(25), 1, 5),
            (Duration::days(7) - Duration::microseconds(1), 6, 0),
            (Duration::days(7), 7, 0),
            (Duration::days(70), 7, 0),
        ];
        for (after, used, unused) in cases {
            let (period, now) = (period(7_000, 7), instant() + after);
            assert_eq!((period.used_days(now), period.unused_days(now)), (used, unused), "{after}");
        }
    }

    proptest! {
        #[test]
        fn what_is_earned_only_grows_and_ends_at_the_price(
            cents in 1i64..10_000_000, length in 1u32..400, first in 0i64..10_000, more in 0i64..10_000,
        ) {
            let period = period(cents, length);
            let early = instant() + Duration::hours(first);
            let late = early + Duration::hours(more);
            prop_assert!(Money::ZERO <= period.earned(early));
            prop_assert!(period.earned(early) <= period.earned(late));
            prop_assert!(period.earned(late) <= period.price);
            prop_assert_eq!(period.earned(period.ends_at), period.price);
        }
    }
}
