//! Looks at one's own wallet.

use super::{Checkpoint, Posting, PostingId, TransactionFilter, TransactionSort, Wallet};
use crate::error::{Error, Result, Thing};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// A numbered page of transactions.
#[derive(Clone, Debug)]
pub struct TransactionPage {
    /// The page's rows.
    pub rows: Vec<Posting>,
    /// How many there are on all pages.
    pub total: u64,
    /// Which page, from 1.
    pub page: u64,
    /// Rows on a page.
    pub limit: u64,
}

/// The caller's wallet.
pub async fn balance(store: &dyn Store, caller: &Caller) -> Result<Wallet> {
    caller.may(Permission::WalletRead)?;
    store.reads().wallet(caller.user_id).await?.ok_or(Error::NotFound(Thing::User))
}

/// One of the caller's transactions.
pub async fn transaction(store: &dyn Store, caller: &Caller, id: PostingId) -> Result<Posting> {
    caller.may(Permission::WalletRead)?;
    let posting = store.reads().posting_of(caller.user_id, id).await?;
    posting.ok_or(Error::NotFound(Thing::Transaction))
}

/// Checkpoints of the ledger by number, ascending, for everybody who signs in.
pub async fn checkpoints(
    store: &dyn Store,
    caller: &Caller,
    after: i64,
    limit: u32,
) -> Result<Vec<Checkpoint>> {
    caller.may(Permission::WalletRead)?;
    store.reads().checkpoints(after, limit).await
}

/// A page of the caller's transactions.
pub async fn transactions(
    store: &dyn Store,
    caller: &Caller,
    filter: &TransactionFilter,
    sort: TransactionSort,
    (page, limit): (u64, u64),
) -> Result<TransactionPage> {
    caller.may(Permission::WalletRead)?;
    let offset = page.saturating_sub(1).saturating_mul(limit);
    let part = (offset, limit);
    let (rows, total) = store.reads().postings_of(caller.user_id, filter, sort, part).await?;
    Ok(TransactionPage { rows, total, page, limit })
}
