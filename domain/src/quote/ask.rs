//! Asks for a quote, and looks at one.

use chrono::Duration;
use tracing::instrument;

use super::{Quote, QuoteId, Signer};
use crate::clock::{Clock, Random, days};
use crate::error::{Conflict, Error, Result, Thing};
use crate::host::HostId;
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::rental::{RentalPolicy, Terms};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// A wish for a quote.
#[derive(Clone, Debug)]
pub struct AskQuote {
    /// Who asks, and may use it.
    pub caller: Caller,
    /// For which host.
    pub host_id: HostId,
    /// For how long: a tier of the host.
    pub days: u32,
    /// The pool whose members shall see the rental; the caller must be its owner or an admin.
    pub pool_id: Option<PoolId>,
    /// The operator's terms that are not the host's own.
    pub policy: RentalPolicy,
    /// How long it holds.
    pub lifetime: Duration,
}

/// Gives a quote at today's price.
#[instrument(name = "quote.ask", skip_all, fields(host_id = %request.host_id, days = request.days))]
pub async fn ask(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    signer: &dyn Signer,
    request: AskQuote,
) -> Result<Quote> {
    request.caller.may(Permission::RentalsRent)?;
    let (now, user_id) = (clock.now(), request.caller.user_id);
    atomically(store, async |tx: &dyn Tx| {
        if let Some(pool_id) = request.pool_id {
            require(role_of(tx, pool_id, user_id).await?, PoolRole::Admin)?;
        }
        let host = tx.host(request.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
        if !host.is_available() {
            return Err(Error::Conflict(Conflict::ServerUnavailable));
        }
        let mut quote = Quote {
            id: QuoteId::generate(now, random),
            user_id,
            host_id: host.id,
            pool_id: request.pool_id,
            terms: Terms::for_new_rental(tx, &host, request.days, &request.policy).await?,
            created_at: now,
            expires_at: now + request.lifetime,
            signature: Vec::new(),
            rental_id: None,
        };
        quote.signature = signer.sign(&quote.message());
        tx.add_quote(&quote).await?;
        Ok(quote)
    })
    .await
}

/// One of the caller's quotes.
pub async fn show(store: &dyn Store, caller: &Caller, id: QuoteId) -> Result<Quote> {
    caller.may(Permission::RentalsRent)?;
    let quote = store.reads().quote_of(caller.user_id, id).await?;
    quote.ok_or(Error::NotFound(Thing::Quote))
}

/// An unused quote can be looked at so long after it expired.
const KEPT_DAYS: u32 = 30;
/// Rows removed in one transaction.
const BATCH: u32 = 1_000;

/// Removes quotes that nobody used and that expired a month ago.
pub async fn remove_stale(store: &dyn Store, clock: &dyn Clock) -> Result<()> {
    let before = clock.now() - days(KEPT_DAYS);
    loop {
        let removed =
            atomically(store, async |tx: &dyn Tx| tx.remove_stale_quotes(before, BATCH).await);
        if removed.await? < u64::from(BATCH) {
            return Ok(());
        }
    }
}
