//! Rents a host for a fixed number of days, paid in advance.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Access, Escrow, Phase, Rental, RentalId, RentalPolicy, Terms};
use crate::clock::{self, Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::host::{Host, HostId};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::job::{Job, JobKind};
use crate::money::Money;
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::quote::{self, Quote, QuoteId, Signer};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::{Caller, UserId};
use crate::wallet::{
    Account, Basis, Charge, Posting, PostingDraft, PostingId, PostingKind, moved, post,
};

/// A wish to rent.
#[derive(Clone, Debug)]
pub struct RentServer {
    /// Who rents and pays.
    pub caller: Caller,
    /// Which host.
    pub host_id: HostId,
    /// For how long: a tier of the host. Not needed with a quote, and then its own if given.
    pub days: Option<u32>,
    /// The pool whose members shall see it; the caller must be its owner or an admin.
    pub pool_id: Option<PoolId>,
    /// Refuse a charge above this.
    pub max_charge: Option<Money>,
    /// Rent at the terms of this quote, or not at all.
    pub quote_id: Option<QuoteId>,
    /// The operator's terms that are not the host's own.
    pub policy: RentalPolicy,
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
#[instrument(name = "rental.rent", skip_all, fields(host_id = %request.host_id))]
pub async fn rent(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    signer: &dyn Signer,
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
    let RentServer { host_id, days, pool_id, max_charge, quote_id, .. } = request;
    let asked = json!([host_id, days, pool_id, max_charge]);
    let asked = quote_id.map_or(asked.clone(), |quote_id| json!([asked, quote_id]));
    atomically(store, async |tx: &dyn Tx| {
        let effect = async || allocate(tx, random, signer, &request, now).await;
        once(tx, attempt(), &asked, effect).await
    })
    .await
}

async fn allocate(
    tx: &dyn Tx,
    random: &dyn Random,
    signer: &dyn Signer,
    request: &RentServer,
    now: Timestamp,
) -> Result<Rented> {
    let renter_id = request.caller.user_id;
    let wallet = tx.wallet_for_update(renter_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let quote = match request.quote_id {
        Some(id) => Some(quote::redeemable(tx, signer, (renter_id, id), request, now).await?),
        None => None,
    };
    let pool_id = quote.as_ref().map_or(request.pool_id, |quote| quote.pool_id);
    if let Some(pool_id) = pool_id {
        tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
        require(role_of(tx, pool_id, renter_id).await?, PoolRole::Admin)?;
    }
    let host = tx.host_for_update(request.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let id = RentalId::generate(now, random);
    let host = host.rent_to(id)?;
    let terms = match &quote {
        Some(quote) => quote.terms.within(request.max_charge)?,
        None => asked_terms(tx, &host, request).await?,
    };
    let mut rental = Rental {
        id,
        host_id: host.id,
        renter_id,
        pool_id,
        phase: Phase::Active,
        started_at: now,
        ends_at: now + clock::days(terms.days),
        hold_days: terms.hold_days,
        amount: terms.price,
        refunded: Money::ZERO,
        terms,
        charge_id: PostingId::generate(now, random),
        access: Access::Pending,
        escrow: terms.supplier.map(|_| Escrow::begun(terms.price, now)),
        ready_at: None,
        ready_by: Some(now + request.policy.ready_within(&host)),
    };
    let basis = Basis::Rent {
        days: terms.days,
        price: terms.price,
        until: rental.ends_at,
        quote_id: request.quote_id,
        by_mandate: false,
    };
    let draft = charge(&rental, &host, (renter_id, now), basis);
    let (_, posting) = post(tx, random, wallet, now, draft).await?;
    rental.charge_id = posting.id;
    tx.add_rental(&rental).await?;
    if let Some(quote) = quote {
        tx.save_quote(&Quote { rental_id: Some(id), ..quote }).await?;
    }
    tx.save_occupancy(&host).await?;
    tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: id }, now, random)).await?;
    let actor = request.caller.actor();
    tx.record(vec![rented(&rental, actor), charged(&posting, actor)]).await?;
    Ok(Rented { charge: rental.first_charge(), rental })
}

/// Today's terms for the duration asked for.
async fn asked_terms(tx: &dyn Tx, host: &Host, request: &RentServer) -> Result<Terms> {
    let days = request.days.ok_or_else(|| Error::invalid("/rental_days", "is required"))?;
    Terms::for_new_rental(tx, host, days, &request.policy).await?.within(request.max_charge)
}

/// The posting's draft for one paid period.
pub(super) fn charge(
    rental: &Rental,
    host: &Host,
    (payer_id, start): (UserId, Timestamp),
    basis: Basis,
) -> PostingDraft {
    let days = clock::whole_days(start, rental.ends_at);
    PostingDraft {
        kind: PostingKind::Charge,
        entries: moved(basis.amount(), Account::Wallet(payer_id), rental.rent_account()),
        reason: format!("Rent of {} for {days} days", host.specs.name),
        author: None,
        period: Some((rental.id, start)),
        metadata: json!({ "rental_id": rental.id, "server_id": host.id, "days": days }),
        basis: Some(basis),
        corrects: None,
    }
}

pub(super) fn charged(posting: &Posting, actor: Actor) -> Event {
    Event {
        kind: "wallet.charged",
        subject: Subject::Wallet(posting.user_id),
        actor,
        before: None,
        data: json!({ "posting_id": posting.id, "amount_e8": posting.amount }),
        recipient: None,
        at: posting.at,
    }
}

fn rented(rental: &Rental, actor: Actor) -> Event {
    Event {
        kind: "rental.started",
        subject: Subject::Rental(rental.id),
        actor,
        before: None,
        data: json!({
            "host_id": rental.host_id,
            "pool_id": rental.pool_id,
            "ends_at": rental.ends_at,
            "amount_e8": rental.amount,
        }),
        recipient: None,
        at: rental.started_at,
    }
}
