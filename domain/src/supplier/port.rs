use async_trait::async_trait;

use super::{Payout, PayoutRun, PayoutRunId, Supplier};
use crate::error::Result;
use crate::money::Money;
use crate::page::Page;
use crate::user::UserId;

/// Looks at suppliers and their payouts.
#[async_trait]
pub trait SupplierQueries {
    /// The supplier.
    async fn supplier(&self, user_id: UserId) -> Result<Option<Supplier>>;

    /// Suppliers with their usernames, by age.
    async fn suppliers(&self, page: &Page<UserId>) -> Result<Vec<(Supplier, String)>>;

    /// Those to whom at least this much is payable, by id: up to `limit` of them.
    async fn suppliers_to_pay(&self, minimum: Money, limit: u32) -> Result<Vec<UserId>>;

    /// What sits in escrow for the supplier's rentals.
    async fn escrow_of(&self, user_id: UserId) -> Result<Money>;

    /// Runs of payouts, newest first.
    async fn payout_runs(&self, page: &Page<PayoutRunId>) -> Result<Vec<PayoutRun>>;

    /// The payouts of a run, `None` where there was no such run.
    async fn payouts_of_run(&self, id: PayoutRunId) -> Result<Option<(PayoutRun, Vec<Payout>)>>;

    /// A supplier's payouts, newest first.
    async fn payouts_to(&self, user_id: UserId, limit: u32) -> Result<Vec<Payout>>;
}

/// Changes suppliers.
#[async_trait]
pub trait Suppliers {
    /// The supplier, locked until the transaction ends. Lock their wallet before.
    async fn supplier_for_update(&self, user_id: UserId) -> Result<Option<Supplier>>;

    /// Adds a supplier, or stores a locked one.
    async fn save_supplier(&self, supplier: &Supplier) -> Result<()>;

    /// Adds a run with its payouts.
    async fn add_payouts(&self, run: &PayoutRun, payouts: &[Payout]) -> Result<()>;
}
