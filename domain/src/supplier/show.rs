//! Looks at suppliers and payouts.

use super::{Payout, PayoutRun, PayoutRunId, Supplier};
use crate::error::{Error, Result, Thing};
use crate::money::Money;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Operator, UserId};

/// What a supplier sees of their money.
#[derive(Clone, Debug)]
pub struct SupplierAccount {
    /// The supplier.
    pub supplier: Supplier,
    /// Rent that was paid for their machines and is not earned yet, the commission included.
    pub escrow: Money,
    /// The newest payouts.
    pub payouts: Vec<Payout>,
}

/// The caller's account as a supplier.
pub async fn account(store: &dyn Store, caller: &Caller) -> Result<SupplierAccount> {
    caller.may(Permission::WalletRead)?;
    let reads = store.reads();
    let supplier = reads.supplier(caller.user_id).await?;
    let supplier = supplier.ok_or(Error::NotFound(Thing::Supplier))?;
    let escrow = reads.escrow_of(caller.user_id).await?;
    let payouts = reads.payouts_to(caller.user_id, 100).await?;
    Ok(SupplierAccount { supplier, escrow, payouts })
}

/// Every supplier with their username, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<UserId>,
) -> Result<Paged<(Supplier, String), UserId>> {
    operator.may(Permission::AdminRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().suppliers(&fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |(supplier, _)| supplier.user_id))
}

/// Runs of payouts, newest first, for operators.
pub async fn payout_runs(
    store: &dyn Store,
    operator: &Operator,
    page: Page<PayoutRunId>,
) -> Result<Paged<PayoutRun, PayoutRunId>> {
    operator.may(Permission::AdminRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().payout_runs(&fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |run| run.id))
}

/// A run and its payouts, for operators.
pub async fn payout_run(
    store: &dyn Store,
    operator: &Operator,
    id: PayoutRunId,
) -> Result<(PayoutRun, Vec<Payout>)> {
    operator.may(Permission::AdminRead)?;
    store.reads().payouts_of_run(id).await?.ok_or(Error::NotFound(Thing::PayoutRun))
}
