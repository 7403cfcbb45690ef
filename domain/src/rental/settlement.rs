//! What is given back when a rental ends before its time: computed here alone, for the preview and for
//! the booking, and booked here alone.

use std::collections::BTreeMap;

use serde_json::json;

use super::{EndReason, Period, Phase, Rental, RentalId, periods};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::host::Host;
use crate::job::{Job, JobKind};
use crate::money::Money;
use crate::store::Tx;
use crate::supplier::Supplier;
use crate::user::UserId;
use crate::wallet::{Account, Basis, EarlyEnd, Posting, PostingDraft, PostingKind, Wallet, post};

/// What is given back of one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The period.
    pub period: Period,
    /// How much, whole cents; nothing if its days are used up.
    pub amount: Money,
    /// What the amount is made from.
    pub basis: Basis,
}

/// What ending a rental at this moment gives back: the whole unused days of each period at the price
/// really paid, less the operator's fee; all of it, if the host never became ready.
pub fn settlement(rental: &Rental, periods: &[Period], now: Timestamp) -> Vec<Share> {
    let share = |period: &Period| {
        let Period { charge_id, price, returned, .. } = *period;
        let basis = if rental.ready_at.is_none() {
            Basis::NeverReady { charge_id, price, returned }
        } else {
            Basis::EarlyEnd(EarlyEnd {
                charge_id,
                price,
                days: period.days(),
                unused_days: period.unused_days(now),
                fee_bp: rental.terms.early_end_fee_bp,
                returned,
            })
        };
        Share { period: *period, amount: basis.amount(), basis }
    };
    periods.iter().map(share).collect()
}

/// A rental with all that ending it touches, locked.
pub(super) struct Locked {
    /// Of everybody who paid for it.
    pub wallets: BTreeMap<UserId, Wallet>,
    /// Its host.
    pub host: Host,
    /// The rental as it was stored.
    pub rental: Rental,
    /// Its paid periods.
    pub periods: Vec<Period>,
    /// Whose server it is, if it is not the operator's.
    pub supplier: Option<Supplier>,
}

/// Locks the wallets of everybody who paid, the supplier, then what `between` locks, the host and the
/// rental.
pub(super) async fn lock(
    tx: &dyn Tx,
    id: RentalId,
    between: impl AsyncFnOnce(&Rental) -> Result<()>,
) -> Result<Locked> {
    let missing = || Error::NotFound(Thing::Rental);
    let seen = tx.rental_with_host(id).await?.ok_or_else(missing)?;
    let paid = periods(&seen.rental, &tx.postings_about(id).await?);
    let mut wallets = BTreeMap::new();
    let payers: std::collections::BTreeSet<UserId> = paid.iter().map(|p| p.payer_id).collect();
    for payer_id in payers {
        let wallet = tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
        wallets.insert(payer_id, wallet);
    }
    let supplier = match seen.rental.terms.supplier {
        Some(terms) => Some(supplier(tx, terms.supplier_id).await?),
        None => None,
    };
    between(&seen.rental).await?;
    let host = tx.host_for_update(seen.host.id).await?.ok_or_else(missing)?;
    let rental = tx.rental_for_update(id).await?.ok_or_else(missing)?;
    let periods = periods(&rental, &tx.postings_about(id).await?);
    // Somebody else extended it while the locks were taken: begin anew with their wallet.
    if periods.iter().any(|period| !wallets.contains_key(&period.payer_id)) {
        return Err(Error::Contention);
    }
    Ok(Locked { wallets, host, rental, periods, supplier })
}

async fn supplier(tx: &dyn Tx, id: UserId) -> Result<Supplier> {
    tx.supplier_for_update(id).await?.ok_or(Error::NotFound(Thing::Supplier))
}

/// Books what is given back, and ends the rental if it still lives. Answers the rental afterwards and
/// the postings.
pub(super) async fn settle(
    tx: &dyn Tx,
    random: &dyn Random,
    locked: Locked,
    (reason, actor): (&str, Actor),
    now: Timestamp,
) -> Result<(Rental, Vec<Posting>)> {
    let Locked { mut wallets, host, mut rental, periods, mut supplier } = locked;
    let before = rental.clone();
    let mut events = Vec::new();
    let mut postings = Vec::new();
    for share in settlement(&rental, &periods, now) {
        if share.amount == Money::ZERO {
            continue;
        }
        let payer_id = share.period.payer_id;
        let wallet = wallets.remove(&payer_id).ok_or(Error::Contention)?;
        let draft = refund(&rental, &share, reason, &host);
        let (wallet, posting) = post(tx, random, wallet, now, draft).await?;
        wallets.insert(payer_id, wallet);
        if let (Some(supplier), Some(terms)) = (&mut supplier, rental.terms.supplier) {
            let (_, earned) = rental.sources(share.amount);
            supplier.payable = supplier.payable.saturating_sub(terms.split(earned).0);
        }
        rental = rental.with_refund(share.amount)?;
        events.push(refunded(&posting, actor));
        postings.push(posting);
    }
    if rental.is_live() {
        rental.phase = Phase::Ended { at: now, reason: EndReason::Terminated };
        tx.save_occupancy(&host.release_from(rental.id)).await?;
        tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: rental.id }, now, random)).await?;
        events.push(Event {
            kind: "rental.terminated",
            subject: Subject::Rental(rental.id),
            actor,
            before: Some(json!({ "status": before.status(), "refunded_e8": before.refunded })),
            data: json!({ "status": rental.status(), "refunded_e8": rental.refunded,
                "reason": reason }),
            recipient: Some(rental.renter_id),
            at: now,
        });
    }
    if let Some(supplier) = &supplier {
        tx.save_supplier(supplier).await?;
    }
    rental = rental.earning_at(now);
    tx.save_rental(&rental).await?;
    tx.record(events).await?;
    Ok((rental, postings))
}

fn refund(rental: &Rental, share: &Share, reason: &str, host: &Host) -> PostingDraft {
    PostingDraft {
        kind: PostingKind::Refund,
        entries: rental.given_back(share.amount, Account::Wallet(share.period.payer_id)),
        reason: format!("{reason}: {}", host.specs.name),
        author: None,
        period: Some((rental.id, share.period.starts_at)),
        metadata: json!({ "rental_id": rental.id, "server_id": host.id,
            "refunds": share.period.charge_id }),
        basis: Some(share.basis),
        corrects: None,
    }
}

fn refunded(posting: &Posting, actor: Actor) -> Event {
    Event {
        kind: "wallet.refunded",
        subject: Subject::Wallet(posting.user_id),
        actor,
        before: None,
        data: json!({ "posting_id": posting.id, "amount_e8": posting.amount }),
        recipient: Some(posting.user_id),
        at: posting.at,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::days;
    use crate::rental::Terms;
    use crate::testing::{instant, posting, rental};

    fn ready(fee_bp: u32) -> Rental {
        let rental = rental();
        let terms = Terms { early_end_fee_bp: fee_bp, ..rental.terms };
        Rental { ready_at: Some(instant()), terms, ..rental }
    }

    fn amounts(rental: &Rental, postings: &[Posting], now: Timestamp) -> Vec<String> {
        let shares = settlement(rental, &periods(rental, postings), now);
        shares.iter().map(|share| share.amount.to_string()).collect()
    }

    #[test]
    fn each_period_gives_back_its_own_unused_days() {
        let second = instant() + days(7);
        let rental = Rental { ends_at: instant() + days(37), ..ready(0) };
        let paid = [
            posting(PostingKind::Charge, 1, instant(), -7_000),
            posting(PostingKind::Charge, 2, second, -10_000),
        ];
        let cases = [
            (Duration::zero(), ["70.00", "100.00"]),
            (Duration::hours(1), ["60.00", "100.00"]),
            (Duration::days(7), ["0.00", "100.00"]),
            (Duration::days(14), ["0.00", "76.66"]),
            (Duration::days(37), ["0.00", "0.00"]),
        ];
        for (after, expected) in cases {
            assert_eq!(amounts(&rental, &paid, instant() + after), expected, "{after}");
        }
        let unready = Rental { ready_at: None, ..rental };
        assert_eq!(amounts(&unready, &paid, instant() + days(100)), ["70.00", "100.00"]);
    }

    #[test]
    fn what_was_credited_before_is_not_given_back_again() {
        let charge = posting(PostingKind::Charge, 1, instant(), -7_000);
        let postings = [charge, posting(PostingKind::Credit, 1, instant() + days(1), 6_500)];
        let now = instant() + days(2);
        assert_eq!(amounts(&ready(0), &postings, now), ["5.00"]);
        let unready = Rental { ready_at: None, ..ready(0) };
        assert_eq!(amounts(&unready, &postings, now), ["5.00"]);
    }

    proptest! {
        /// So what a supplier has not earned yet always covers it.
        #[test]
        fn a_refund_leaves_what_was_earned(
            cents in 1i64..10_000_000, length in 1u32..400, hours in 0i64..10_000,
            fee_bp in 0u32..=10_000, credited in 0i64..10_000_000,
        ) {
            let rental = Rental { ends_at: instant() + days(length), ..ready(fee_bp) };
            let postings = [
                posting(PostingKind::Charge, 1, instant(), -cents),
                posting(PostingKind::Credit, 1, instant(), credited.min(cents)),
            ];
            let paid = periods(&rental, &postings);
            let now = instant() + Duration::hours(hours);
            let share = settlement(&rental, &paid, now)[0];
            prop_assert!(share.amount >= Money::ZERO && share.amount.is_whole_cents());
            prop_assert!(share.amount <= share.period.price.saturating_sub(share.period.returned));
            let unearned = share.period.price.saturating_sub(share.period.earned(now));
            prop_assert!(share.amount <= unearned);
            let later = settlement(&rental, &paid, now + Duration::hours(1))[0];
            prop_assert!(later.amount <= share.amount);
        }
    }
}
