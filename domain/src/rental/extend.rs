//! Extends a rental by a duration that its host is offered for.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::rent::{charge, charged};
use super::{Rental, RentalId, Terms};
use crate::clock::{self, Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::host::Host;
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::job::{Job, JobKind};
use crate::money::Money;
use crate::pool::{PoolRole, require, role_in};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::{Charge, post};

/// A wish to extend.
#[derive(Clone, Debug)]
pub struct ExtendRental {
    /// Who extends and pays: the renter, or an owner or admin of the rental's pool.
    pub caller: Caller,
    /// Which rental.
    pub rental_id: RentalId,
    /// By how many days; must be a tier of the host.
    pub days: u32,
    /// Refuse a charge above this.
    pub max_charge: Option<Money>,
    /// Refuse unless the rental ends at this instant, to the millisecond (the wire's precision).
    pub expected_end: Option<Timestamp>,
    /// Extends once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// An extended rental, and what it cost. Kept as the answer of its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extended {
    /// The rental after the extension.
    pub rental: Rental,
    /// The charge of the extension.
    pub charge: Charge,
}

/// Extends a rental at the host's price of the day; a rental on hold becomes active again.
#[instrument(name = "rental.extend", skip_all, fields(rental_id = %request.rental_id, days = request.days))]
pub async fn extend(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: ExtendRental,
) -> Result<Extended> {
    request.caller.may(Permission::RentalsExtend)?;
    let now = clock.now();
    let attempt = || Attempt {
        key: request.idempotency_key.as_ref(),
        user_id: request.caller.user_id,
        operation: "rental.extend",
        at: now,
    };
    let asked = (request.rental_id, request.days, request.max_charge, request.expected_end);
    atomically(store, async |tx: &dyn Tx| {
        once(tx, attempt(), &asked, async || prolong(tx, random, &request, now).await).await
    })
    .await
}

async fn prolong(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &ExtendRental,
    now: Timestamp,
) -> Result<Extended> {
    let payer_id = request.caller.user_id;
    let wallet = tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let (host, rental) = locked(tx, request).await?;
    if let Some(expected) = request.expected_end
        && expected.timestamp_millis() != rental.ends_at.timestamp_millis()
    {
        return Err(Error::Conflict(Conflict::ExtensionAlreadyApplied));
    }
    if !rental.clone().at(now).is_live() {
        return Err(Error::Conflict(Conflict::RentalEnded));
    }
    if !host.is_listed {
        return Err(Error::Conflict(Conflict::ServerUnavailable));
    }
    let terms = Terms::offered(&host, request.days, request.max_charge)?;
    let period_start = rental.ends_at;
    let overdue = clock::whole_days(period_start, now);
    let rental =
        rental.extended(terms, now)?.ok_or_else(|| host.pricing.invalid_duration(overdue))?;
    let draft = charge(&host, rental.id, period_start, terms);
    let (_, posting) = post(tx, random, wallet, now, draft).await?;
    tx.save_rental(&rental).await?;
    tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: rental.id }, now, random)).await?;
    let extended = Event {
        kind: "rental.extended",
        subject: Subject::Rental(rental.id),
        actor: Some(payer_id),
        data: json!({ "ends_at": rental.ends_at, "amount_e8": rental.amount }),
        at: now,
    };
    tx.record(vec![extended, charged(&posting)]).await?;
    Ok(Extended { rental, charge: Charge { id: posting.id, amount: terms.price, at: now } })
}

/// Locks the rental's pool, host and the rental itself, and checks that the caller may extend it.
async fn locked(tx: &dyn Tx, request: &ExtendRental) -> Result<(Host, Rental)> {
    let user_id = request.caller.user_id;
    let missing = || Error::NotFound(Thing::Rental);
    let seen = tx.rental_visible_to(user_id, request.rental_id).await?.ok_or_else(missing)?;
    if seen.rental.renter_id != user_id
        && let Some(pool_id) = seen.rental.pool_id
    {
        tx.pool_for_update(pool_id).await?.ok_or_else(missing)?;
        let role = tx.membership_of(pool_id, user_id).await?;
        let role = role_in(role.as_ref()).map_err(|_| missing())?;
        require(role, PoolRole::Admin)?;
    }
    let host = tx.host_for_update(seen.rental.host_id).await?.ok_or_else(missing)?;
    let rental = tx.rental_for_update(request.rental_id).await?.ok_or_else(missing)?;
    // The rental may have left the pool before the locks were taken.
    if rental.renter_id != user_id && rental.pool_id != seen.rental.pool_id {
        return Err(missing());
    }
    Ok((host, rental))
}
