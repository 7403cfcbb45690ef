//! What somebody has paid in, however they paid.

use super::{PaymentId, PaymentState};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::money::Money;
use crate::number::{self, Numbered};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::PostingId;

/// How money was paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositMethod {
    /// By card; the payment.
    Card(PaymentId),
    /// In some other way, and an operator booked it; the posting.
    Manual(PostingId),
}

/// Money that was paid in, or was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// How.
    pub method: DepositMethod,
    /// How far it has come; what an operator booked is paid.
    pub state: PaymentState,
    /// What was credited; where nothing was, what was asked for.
    pub amount: Money,
    /// How much of it outside has taken back again.
    pub reversed: Money,
    /// When the payment was begun or the operator booked it.
    pub created_at: Timestamp,
    /// When it was credited.
    pub confirmed_at: Option<Timestamp>,
}

impl Deposit {
    /// What outside has left of it.
    pub const fn remaining(&self) -> Money {
        self.amount.saturating_sub(self.reversed)
    }
}

/// What the caller has paid in, or was to pay in, newest first, each with its whole number: up to `limit`
/// after the first `skip`. Corrections by an operator are no deposits.
pub async fn deposits_part(
    store: &dyn Store,
    caller: &Caller,
    part: (u32, u32),
) -> Result<Vec<(Deposit, i64)>> {
    caller.may(Permission::BillingRead)?;
    let deposits = store.reads().deposits_of(caller.user_id, part).await?;
    let id = |deposit: &Deposit| match deposit.method {
        DepositMethod::Card(id) => id.uuid(),
        DepositMethod::Manual(id) => id.uuid(),
    };
    let ids: Vec<_> = deposits.iter().map(id).collect();
    let numbers = number::each(store, Numbered::Payment, &ids).await?;
    Ok(deposits.into_iter().zip(numbers).collect())
}
