//! Extends a rental by a duration that its host is offered for.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::rent::{charge, charged};
use super::{Rental, RentalId, Terms};
use crate::clock::{self, Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::host::Host;
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::job::{Job, JobKind};
use crate::money::Money;
use crate::pool::{PoolRole, require, role_in};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, UserId, Viewer};
use crate::wallet::{Basis, Charge, post};

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
        once(tx, attempt(), &asked, async || prolong(tx, random, &(&request).into(), now).await)
            .await
    })
    .await
}

/// One extension, by a caller or by a mandate.
pub(super) struct Extension {
    /// Whose wallet pays: the renter's, or that of an owner or admin of the rental's pool.
    pub payer_id: UserId,
    /// Who does it.
    pub actor: Actor,
    /// Which rental.
    pub rental_id: RentalId,
    /// By how many days.
    pub days: u32,
    /// Refuse a charge above this.
    pub max_charge: Option<Money>,
    /// Refuse unless the rental ends at this instant, to the millisecond.
    pub expected_end: Option<Timestamp>,
    /// Whether a mandate asks for it.
    pub by_mandate: bool,
}

impl From<&ExtendRental> for Extension {
    fn from(request: &ExtendRental) -> Self {
        Self {
            payer_id: request.caller.user_id,
            actor: request.caller.actor(),
            rental_id: request.rental_id,
            days: request.days,
            max_charge: request.max_charge,
            expected_end: request.expected_end,
            by_mandate: false,
        }
    }
}

/// Charges and lengthens, in this transaction. Takes the wallet's lock, then the others in order.
pub(super) async fn prolong(
    tx: &dyn Tx,
    random: &dyn Random,
    extension: &Extension,
    now: Timestamp,
) -> Result<Extended> {
    let payer_id = extension.payer_id;
    let wallet = tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let (host, rental) = payer_may_extend(tx, payer_id, extension.rental_id).await?;
    if let Some(expected) = extension.expected_end
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
    let terms = Terms::offered(&host, extension.days, extension.max_charge)?;
    let period_start = rental.ends_at;
    let overdue = clock::whole_days(period_start, now);
    let before = json!({ "ends_at": rental.ends_at, "amount_e8": rental.amount });
    let rental =
        rental.extended(terms, now)?.ok_or_else(|| host.pricing.invalid_duration(overdue))?;
    let basis = Basis::Rent {
        days: terms.days,
        price: terms.price,
        until: rental.ends_at,
        quote_id: None,
        by_mandate: extension.by_mandate,
    };
    let draft = charge(&rental, &host, (payer_id, period_start), basis);
    let (_, posting) = post(tx, random, wallet, now, draft).await?;
    tx.save_rental(&rental).await?;
    tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: rental.id }, now, random)).await?;
    let extended = Event {
        kind: "rental.extended",
        subject: Subject::Rental(rental.id),
        actor: extension.actor,
        before: Some(before),
        data: json!({ "ends_at": rental.ends_at, "amount_e8": rental.amount,
            "by_mandate": extension.by_mandate }),
        recipient: (extension.by_mandate).then_some(payer_id),
        at: now,
    };
    tx.record(vec![extended, charged(&posting, extension.actor)]).await?;
    Ok(Extended { rental, charge: Charge { id: posting.id, amount: terms.price, at: now } })
}

/// Locks the rental's pool, host and the rental itself, and checks that this user may pay for it: the
/// renter, or an owner or admin of its pool.
pub(super) async fn payer_may_extend(
    tx: &dyn Tx,
    user_id: UserId,
    rental_id: RentalId,
) -> Result<(Host, Rental)> {
    let missing = || Error::NotFound(Thing::Rental);
    let seen =
        tx.rental_visible_to(Viewer::whole(user_id), rental_id).await?.ok_or_else(missing)?;
    if seen.rental.renter_id != user_id
        && let Some(pool_id) = seen.rental.pool_id
    {
        tx.pool_for_update(pool_id).await?.ok_or_else(missing)?;
        let role = tx.membership_of(pool_id, user_id).await?;
        let role = role_in(role.as_ref()).map_err(|_| missing())?;
        require(role, PoolRole::Admin)?;
    }
    let host = tx.host_for_update(seen.rental.host_id).await?.ok_or_else(missing)?;
    let rental = tx.rental_for_update(rental_id).await?.ok_or_else(missing)?;
    // The rental may have left the pool before the locks were taken.
    if rental.renter_id != user_id && rental.pool_id != seen.rental.pool_id {
        return Err(missing());
    }
    Ok((host, rental))
}
