//! Ends a rental before its time, and gives back what was not used.

use serde::{Deserialize, Serialize};
use tracing::instrument;

use super::settlement::{Share, lock, settle, settlement};
use super::{Rental, RentalId, periods};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::money::Money;
use crate::pool::{PoolRole, require, role_in};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::Charge;

/// A wish to end a rental.
#[derive(Clone, Debug)]
pub struct TerminateRental {
    /// Who asks: the renter, or an owner or admin of the rental's pool.
    pub caller: Caller,
    /// Which rental.
    pub rental_id: RentalId,
    /// Refuse unless exactly this is given back.
    pub expected_refund: Option<Money>,
    /// Ends once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// What ending a rental now would give back.
#[derive(Clone, Debug)]
pub struct TerminationPreview {
    /// The rental as it stands now.
    pub rental: Rental,
    /// The moment that it holds for.
    pub at: Timestamp,
    /// All that would be given back.
    pub refund: Money,
    /// The same by periods.
    pub shares: Vec<Share>,
}

/// A rental that was ended. Kept as the answer of its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// The rental.
    pub rental: Rental,
    /// All that was given back.
    pub refund: Money,
    /// The same by posting.
    pub refunds: Vec<Charge>,
}

/// What ending the rental now would give back, and why.
pub async fn termination_preview(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: RentalId,
) -> Result<TerminationPreview> {
    caller.may(Permission::RentalsRead)?;
    let reads = store.reads();
    let now = clock.now();
    let seen = reads.rental_visible_to(caller.viewer(), id).await?;
    let rental = seen.ok_or(Error::NotFound(Thing::Rental))?.rental.at(now);
    if !rental.is_live() {
        return Err(Error::Conflict(Conflict::RentalEnded));
    }
    let paid = periods(&rental, &reads.postings_about(id).await?);
    let shares = settlement(&rental, &paid, now);
    let refund = shares.iter().map(|share| share.amount).sum();
    Ok(TerminationPreview { rental, at: now, refund, shares })
}

/// Ends a rental: its host is taken back and wiped, unused days are refunded to whoever paid for them.
#[instrument(name = "rental.terminate", skip_all, fields(rental_id = %request.rental_id))]
pub async fn terminate(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: TerminateRental,
) -> Result<Terminated> {
    request.caller.may(Permission::RentalsTerminate)?;
    let now = clock.now();
    let attempt = || Attempt {
        key: request.idempotency_key.as_ref(),
        user_id: request.caller.user_id,
        operation: "rental.terminate",
        at: now,
    };
    let asked = (request.rental_id, request.expected_refund);
    atomically(store, async |tx: &dyn Tx| {
        once(tx, attempt(), &asked, async || end(tx, random, &request, now).await).await
    })
    .await
}

async fn end(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &TerminateRental,
    now: Timestamp,
) -> Result<Terminated> {
    let (user_id, missing) = (request.caller.user_id, || Error::NotFound(Thing::Rental));
    tx.rental_visible_to(request.caller.viewer(), request.rental_id).await?.ok_or_else(missing)?;
    let locked = lock(tx, request.rental_id, async |seen: &Rental| {
        if seen.renter_id != user_id
            && let Some(pool_id) = seen.pool_id
        {
            tx.pool_for_update(pool_id).await?.ok_or_else(missing)?;
        }
        Ok(())
    });
    let mut locked = locked.await?;
    // Decided on the locked rental: it may have left the pool meanwhile.
    if locked.rental.renter_id != user_id {
        let pool_id = locked.rental.pool_id.ok_or_else(missing)?;
        let membership = tx.membership_of(pool_id, user_id).await?;
        let role = role_in(membership.as_ref()).map_err(|_| missing())?;
        require(role, PoolRole::Admin)?;
    }
    locked.rental = locked.rental.at(now);
    if !locked.rental.is_live() {
        return Err(Error::Conflict(Conflict::RentalEnded));
    }
    let shares = settlement(&locked.rental, &locked.periods, now);
    let refund = shares.iter().map(|share| share.amount).sum();
    if let Some(expected) = request.expected_refund.filter(|expected| *expected != refund) {
        return Err(Error::Conflict(Conflict::RefundChanged { refund, expected }));
    }
    let cause = ("Unused days", request.caller.actor());
    let (rental, postings) = settle(tx, random, locked, cause, now).await?;
    let refunds = postings
        .iter()
        .map(|posting| Charge { id: posting.id, amount: posting.amount, at: posting.at })
        .collect();
    Ok(Terminated { rental, refund, refunds })
}
