//! Rents a host for a fixed number of days, paid in advance.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Access, Phase, Rental, RentalId, Terms};
use crate::clock::{self, Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::host::{Host, HostId};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::job::{Job, JobKind};
use crate::money::Money;
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::{Account, Charge, Posting, PostingDraft, PostingKind, post};

/// A wish to rent.
#[derive(Clone, Debug)]
pub struct RentServer {
    /// Who rents and pays.
    pub caller: Caller,
    /// Which host.
    pub host_id: HostId,
    /// For how long; must be a tier of the host.
    pub days: u32,
    /// The pool whose members shall see it; the caller must be its owner or an admin.
    pub pool_id: Option<PoolId>,
    /// Refuse a charge above this.
    pub max_charge: Option<Money>,
    /// Rents once however often it is sent.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A rental that was made, and what it cost. Kept as the answer of its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rented {
    /// The rental as it was made.
    pub rental: Rental,
    /// Its charge.
    pub charge: Charge,
}

/// Rents a host: charges the wallet, gives the host to the rental and asks the worker to grant
/// access, all or nothing.
#[instrument(name = "rental.rent", skip_all, fields(host_id = %request.host_id, days = request.days))]
pub async fn rent(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: RentServer,
) -> Result<Rented> {
    request.caller.may(Permission::RentalsRent)?;
    let now = clock.now();
    let attempt = || Attempt {
        key: request.idempotency_key.as_ref(),
        user_id: request.caller.user_id,
        operation: "rental.rent",
        at: now,
    };
    let asked = (request.host_id, request.days, request.pool_id, request.max_charge);
    atomically(store, async |tx: &dyn Tx| {
        once(tx, attempt(), &asked, async || allocate(tx, random, &request, now).await).await
    })
    .await
}

async fn allocate(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &RentServer,
    now: Timestamp,
) -> Result<Rented> {
    let renter_id = request.caller.user_id;
    let wallet = tx.wallet_for_update(renter_id).await?.ok_or(Error::NotFound(Thing::User))?;
    if let Some(pool_id) = request.pool_id {
        tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
        require(role_of(tx, pool_id, renter_id).await?, PoolRole::Admin)?;
    }
    let host = tx.host_for_update(request.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let id = RentalId::generate(now, random);
    let host = host.rent_to(id)?;
    let terms = Terms::offered(&host, request.days, request.max_charge)?;
    let draft = charge(&host, id, now, terms);
    let (_, posting) = post(tx, random, wallet, now, draft).await?;
    let rental = Rental {
        id,
        host_id: host.id,
        renter_id,
        pool_id: request.pool_id,
        phase: Phase::Active,
        started_at: now,
        ends_at: now + clock::days(terms.days),
        hold_days: terms.hold_days,
        amount: terms.price,
        terms,
        charge_id: posting.id,
        access: Access::Pending,
    };
    tx.add_rental(&rental).await?;
    tx.save_occupancy(&host).await?;
    tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: id }, now, random)).await?;
    tx.record(vec![rented(&rental), charged(&posting)]).await?;
    Ok(Rented { charge: rental.first_charge(), rental })
}

/// The posting's draft for one paid period.
pub(super) fn charge(
    host: &Host,
    rental_id: RentalId,
    start: Timestamp,
    terms: Terms,
) -> PostingDraft {
    PostingDraft {
        kind: PostingKind::Charge,
        amount: terms.price.negated(),
        against: Account::Revenue,
        reason: format!("Rent of {} for {} days", host.specs.name, terms.days),
        author: None,
        period: Some((rental_id, start)),
        metadata: json!({ "rental_id": rental_id, "server_id": host.id, "days": terms.days }),
    }
}

pub(super) fn charged(posting: &Posting) -> Event {
    Event {
        kind: "wallet.charged",
        subject: Subject::Wallet(posting.user_id),
        actor: Some(posting.user_id),
        data: json!({ "posting_id": posting.id, "amount_e8": posting.amount }),
        at: posting.at,
    }
}

fn rented(rental: &Rental) -> Event {
    Event {
        kind: "rental.started",
        subject: Subject::Rental(rental.id),
        actor: Some(rental.renter_id),
        data: json!({
            "host_id": rental.host_id,
            "pool_id": rental.pool_id,
            "ends_at": rental.ends_at,
            "amount_e8": rental.amount,
        }),
        at: rental.started_at,
    }
}
