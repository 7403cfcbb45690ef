//! Who pays for what is ordered for a pool: its owner.

use super::{PoolId, PoolRole, require, role_of};
use crate::error::{Error, Result, Thing};
use crate::store::Tx;
use crate::user::{Caller, UserId};
use crate::wallet::Wallet;

/// A pool that something is ordered for, locked with its owner's wallet.
#[derive(Clone, Debug)]
pub(crate) struct Paying {
    /// The owner's wallet.
    pub wallet: Wallet,
    /// The pool.
    pub pool_id: PoolId,
    /// Who orders.
    pub caller_id: UserId,
}

/// Locks the wallet of the pool's owner and the pool, if the caller is its owner or an admin; without
/// a pool the only one that the credentials reach, or the caller's default one.
pub(crate) async fn paying(
    tx: &dyn Tx,
    caller: &Caller,
    pool_id: Option<PoolId>,
) -> Result<Paying> {
    let missing = || Error::NotFound(Thing::Pool);
    let caller_id = caller.user_id;
    // Before anything of somebody else's is locked.
    let seen = tx.owner_of(caller.viewer(), pool_id).await?;
    let (pool_id, owner_id) = seen.ok_or_else(missing)?;
    let wallet = tx.wallet_for_update(owner_id).await?.ok_or(Error::NotFound(Thing::User))?;
    let pool = tx.pool_for_update(pool_id).await?.ok_or_else(missing)?;
    require(role_of(tx, pool_id, caller_id).await?, PoolRole::Admin)?;
    if pool.owner_id != wallet.user_id {
        return Err(Error::Contention);
    }
    Ok(Paying { wallet, pool_id, caller_id })
}
