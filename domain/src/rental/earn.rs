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
use crate::wallet::{Account, Basis, Entry, PostingDraft, PostingKind, commission, post};

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
    let passed = clock::whole_days(escrow.earned_until, now);
    let until = escrow.earned_until + clock::days(passed);
    // As it stands now, also where no sweep has written that down yet.
    let is_over = !rental.clone().at(now).is_live();
    let by = |at: Timestamp| -> Money { periods.iter().map(|period| period.earned(at)).sum() };
    let rent = if is_over {
        escrow.held
    } else {
        by(until).saturating_sub(by(escrow.earned_until)).min(escrow.held)
    };
    let held = escrow.held.saturating_sub(rent);
    let next_at = (!is_over || held > Money::ZERO).then(|| until + clock::days(1));
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
    let sides = [
        (Account::Payable(supplier_id), basis.amount()),
        (Account::Revenue, commission(rent, commission_bp)),
        (Account::Escrow(rental.id), rent.negated()),
    ];
    let sides = sides.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
    PostingDraft {
        kind: PostingKind::Earning,
        entries: sides.map(|(account, amount)| Entry { account, amount }).collect(),
        reason: "Rent earned".to_owned(),
        author: None,
        period: Some((rental.id, from)),
        metadata: json!({ "rental_id": rental.id, "server_id": rental.host_id }),
        basis: Some(basis),
        corrects: None,
    }
}
