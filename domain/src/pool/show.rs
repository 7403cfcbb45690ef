//! Looks at pools.

use super::{MembershipState, PoolDetail, PoolId, PoolRole, PoolSummary, require, role_in};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::money::Money;
use crate::page::{Page, Paged};
use crate::store::{Reads, Store};
use crate::token::Permission;
use crate::user::{Caller, UserId};

/// The pools that the caller is a member of, oldest first.
pub async fn list(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    page: Page<PoolId>,
) -> Result<Paged<PoolSummary, PoolId>> {
    caller.may(Permission::PoolsRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.pools_of(caller.user_id, clock.now(), &fetch).await?;
    let total = match page.limit {
        Some(_) => Some(reads.pool_count(caller.user_id).await?),
        None => None,
    };
    Ok(Paged::cut(rows, page.limit, total, |row| row.pool.id))
}

/// One pool with its members and servers. Open invitations are for its owner and admins only.
pub async fn show(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    pool_id: PoolId,
) -> Result<PoolDetail> {
    caller.may(Permission::PoolsRead)?;
    let reads = store.reads();
    let now = clock.now();
    let members = reads.members(pool_id).await?;
    let own = members.iter().map(|(member, _)| member).find(|m| m.user_id == caller.user_id);
    let role = role_in(own)?;
    let pool = reads.pool(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
    let servers = reads.pool_servers(pool_id, now).await?;
    let sees_invitations = role >= PoolRole::Admin;
    let members = members
        .into_iter()
        .filter(|(m, _)| {
            m.state == MembershipState::Accepted || (sees_invitations && m.is_open(now))
        })
        .collect();
    Ok(PoolDetail { pool, members, servers })
}

/// What the wallet holds that pays for a pool, its owner's, for the pool's owner and admins.
pub async fn balance(store: &dyn Store, caller: &Caller, pool_id: PoolId) -> Result<Money> {
    let reads = store.reads();
    let payer_id = payer_of(reads, caller, Some(pool_id)).await?;
    let wallet = reads.wallet(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    Ok(wallet.balance)
}

/// Whose wallet pays for a pool, its owner's, for whoever may see what it holds; without a pool, for the
/// default one.
pub(crate) async fn payer_of(
    reads: &dyn Reads,
    caller: &Caller,
    pool_id: Option<PoolId>,
) -> Result<UserId> {
    caller.may(Permission::BalanceRead)?;
    let seen = reads.owner_of(caller.viewer(), pool_id).await?;
    let (pool_id, owner_id) = seen.ok_or(Error::NotFound(Thing::Pool))?;
    let membership = reads.membership_of(pool_id, caller.user_id).await?;
    require(role_in(membership.as_ref())?, PoolRole::Admin)?;
    Ok(owner_id)
}
