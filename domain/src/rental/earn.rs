//! Turns escrow into earnings, day by day.

use serde_json::json;
use tracing::{error, instrument};

use super::{Escrow, Period, Rental, RentalId, SupplierTerms, periods};
use crate::clock::{self, Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::supplier::Supplier;
use crate::wallet::{Account, Basis, PostingDraft, PostingKind, entries, post};

/// Rentals looked up at a time; each is written in a transaction of its own.
const BATCH: u32 = 200;

/// Books what suppliers have earned: the rent of whole days that have passed, and all that is left
/// where a rental has ended; answers how many rentals earned. Safe to run twice, at once, and after
/// any pause: a day is earned once by a unique key.
#[instrument(name = "rental.earn_due", skip_all)]
pub async fn earn_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let mut earned = 0;
    loop {
        let now = clock.now();
        let due = store.reads().rentals_to_earn(now, BATCH).await?;
        let before = earned;
        for id in &due {
            match earn(store, random, *id, now).await {
                Ok(true) => earned += 1,
                Ok(false) => {}
                // A row that cannot be read must not keep all the others from earning.
                Err(error @ Error::Internal(_)) => {
                    error!(rental_id = %id, cause = error.for_the_log(), "a rental did not earn");
                }
                Err(error) => return Err(error),
            }
        }
        if earned == before {
            return Ok(earned);
        }
    }
}

async fn earn(
    store: &dyn Store,
    random: &dyn Random,
    id: RentalId,
    now: Timestamp,
) -> Result<bool> {
    atomically(store, async |tx: &dyn Tx| {
        let missing = || Error::NotFound(Thing::Rental);
        let seen = tx.rental_with_host(id).await?.ok_or_else(missing)?.rental;
        let Some(terms) = seen.terms.supplier else {
            return Ok(false);
        };
        let wallet = tx.wallet_for_update(terms.supplier_id).await?;
        let wallet = wallet.ok_or(Error::NotFound(Thing::User))?;
        let supplier = tx.supplier_for_update(terms.supplier_id).await?;
        let supplier = supplier.ok_or(Error::NotFound(Thing::Supplier))?;
        let rental = tx.rental_for_update(id).await?.ok_or_else(missing)?;
        let periods = periods(&rental, &tx.postings_about(id).await?);
        let Some((escrow, rent, after)) = earned(&rental, &periods, now) else {
            return Ok(false);
        };
        let net = if rent > Money::ZERO {
            let draft = earning(&rental, terms, escrow, (rent, after.earned_until));
            let (_, posting) = post(tx, random, wallet, now, draft).await?;
            posting.amount
        } else {
            Money::ZERO
        };
        tx.save_supplier(&Supplier {
            earned: supplier.earned.checked_add(net).ok_or_else(too_much)?,
            payable: supplier.payable.checked_add(net).ok_or_else(too_much)?,
            ..supplier
        })
        .await?;
        tx.save_rental(&Rental { escrow: Some(after), ..rental.clone() }).await?;
        tx.record(vec![Event {
            kind: "supplier.earned",
            subject: Subject::Rental(id),
            actor: Actor::System,
            before: None,
            data: json!({ "supplier_id": terms.supplier_id, "amount_e8": net,
                "until": after.earned_until }),
            recipient: None,
            at: now,
        }])
        .await?;
        Ok(true)
    })
    .await
}

fn too_much() -> Error {
    Error::internal("a supplier's earnings do not fit")
}

/// What is earned by now: the escrow before, the rent of it, and the escrow after.
fn earned(rental: &Rental, periods: &[Period], now: Timestamp) -> Option<(Escrow, Money, Escrow)> {
    let escrow = rental.escrow.filter(|escrow| escrow.next_at.is_some_and(|at| at <= now))?;
    rental.ready_at?;
    // Days on hold are paid for by an extension, or not at all.
    let passed = clock::whole_days(escrow.earned_until, now.min(rental.ends_at));
    let until = escrow.earned_until + clock::days(passed);
    // As it stands now, also where no sweep has written that down yet.
    let is_over = now >= rental.ends_at || !rental.is_live();
    let by = |at: Timestamp| -> Money { periods.iter().map(|period| period.earned(at)).sum() };
    let rent = if is_over {
        escrow.held
    } else {
        by(until).saturating_sub(by(escrow.earned_until)).min(escrow.held)
    };
    let held = escrow.held.saturating_sub(rent);
    let next_at = (held > Money::ZERO).then(|| until + clock::days(1));
    Some((escrow, rent, Escrow { held, earned_until: until, next_at }))
}

fn earning(
    rental: &Rental,
    terms: SupplierTerms,
    escrow: Escrow,
    (rent, until): (Money, Timestamp),
) -> PostingDraft {
    let SupplierTerms { supplier_id, commission_bp } = terms;
    let from = escrow.earned_until;
    let basis = Basis::Earning { from, until, rent, commission_bp };
    let (share, kept) = terms.split(rent);
    let sides = [
        (Account::Payable(supplier_id), share),
        (Account::Revenue, kept),
        (Account::Escrow(rental.id), rent.negated()),
    ];
    PostingDraft {
        kind: PostingKind::Earning,
        entries: entries(sides),
        reason: "Rent earned".to_owned(),
        author: None,
        period: Some((rental.id, from)),
        metadata: json!({ "rental_id": rental.id, "server_id": rental.host_id }),
        basis: Some(basis),
        corrects: None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;
    use crate::rental::{EndReason, Phase};
    use crate::testing::{instant, posting, rental};

    fn supplied(cents: i64, length: u32) -> (Rental, Vec<Period>) {
        let held = Money::from_cents(cents).unwrap();
        let rental = Rental {
            ends_at: instant() + clock::days(length),
            escrow: Some(Escrow::begun(held, instant())),
            ready_at: Some(instant()),
            ..rental()
        };
        let charge = posting(PostingKind::Charge, 1, instant(), -cents);
        let periods = periods(&rental, &[charge]);
        (rental, periods)
    }

    #[test]
    fn whole_days_are_earned_and_all_that_is_left_at_the_end() {
        let (rental, periods) = supplied(7_000, 7);
        let rent = |rental: &Rental, after| {
            earned(rental, &periods, instant() + after).map(|(_, rent, escrow)| {
                let next = escrow.next_at.map(|at| (at - instant()).num_days());
                (rent.to_string(), escrow.held.to_string(), next)
            })
        };
        let some = |rent: &str, held: &str, next| Some((rent.to_owned(), held.to_owned(), next));
        assert_eq!(rent(&rental, Duration::hours(23)), None);
        assert_eq!(rent(&rental, Duration::hours(24)), some("10.00", "60.00", Some(2)));
        assert_eq!(rent(&rental, Duration::hours(71)), some("20.00", "50.00", Some(3)));
        assert_eq!(rent(&rental, Duration::days(7)), some("70.00", "0.00", None));
        assert_eq!(rent(&rental, Duration::days(8)), some("70.00", "0.00", None), "on hold");
        let unready = Rental { ready_at: None, ..rental.clone() };
        assert_eq!(rent(&unready, Duration::days(30)), None);
        let at = instant() + Duration::hours(1);
        let phase = Phase::Ended { at, reason: EndReason::Terminated };
        let ended = Rental { phase, ..rental.clone() }.earning_at(at);
        assert_eq!(rent(&ended, Duration::hours(1)), some("70.00", "0.00", None));
        assert_eq!(rent(&Rental { escrow: None, ..rental }, Duration::days(30)), None);
    }

    proptest! {
        #[test]
        fn however_often_it_is_swept_the_rent_is_earned_once(
            cents in 1i64..10_000_000, length in 1u32..60,
            pauses in prop::collection::vec(0i64..200, 0..40),
        ) {
            let (mut rental, periods) = supplied(cents, length);
            let price = periods[0].price;
            let (mut now, mut sum) = (instant(), Money::ZERO);
            for hours in pauses.into_iter().chain([24 * 60]) {
                now += Duration::hours(hours);
                if let Some((before, rent, after)) = earned(&rental, &periods, now) {
                    prop_assert_eq!(before, rental.escrow.unwrap());
                    prop_assert!(rent >= Money::ZERO);
                    // Otherwise the sweep would find it again, and again.
                    prop_assert!(after.next_at.is_none_or(|at| at > now));
                    sum = sum.checked_add(rent).unwrap();
                    rental.escrow = Some(after);
                }
                prop_assert_eq!(sum.checked_add(rental.escrow.unwrap().held).unwrap(), price);
                prop_assert_eq!(sum, periods[0].earned(now));
            }
            prop_assert_eq!(sum, price);
        }
    }
}
