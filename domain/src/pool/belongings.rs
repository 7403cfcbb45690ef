//! What a pool keeps for its members: who may add to it, and take from it.

use std::collections::{BTreeMap, BTreeSet};

use super::{MembershipState, PoolId, PoolRole, require, role_of};
use crate::error::{Error, Result, Thing};
use crate::store::Tx;
use crate::user::{Caller, UserId};

/// The pool that something is to be added to, locked: the one that was named, the only one that the
/// credentials reach, or the user's default one. Every member may add.
pub(crate) async fn home_for_update(
    tx: &dyn Tx,
    named: Option<PoolId>,
    caller: &Caller,
) -> Result<PoolId> {
    let seen = tx.owner_of(caller.viewer(), named).await?;
    let (id, _) = seen.ok_or(Error::NotFound(Thing::Pool))?;
    tx.pool_for_update(id).await?.ok_or(Error::NotFound(Thing::Pool))?;
    role_of(tx, id, caller.user_id).await?;
    Ok(id)
}

/// The user's roles in those of the pools that they are a member of, all of these locked.
pub(crate) async fn roles_for_update(
    tx: &dyn Tx,
    pools: BTreeSet<PoolId>,
    user_id: UserId,
) -> Result<BTreeMap<PoolId, PoolRole>> {
    let mut roles = BTreeMap::new();
    for id in pools {
        tx.pool_for_update(id).await?;
        let membership = tx.membership_of(id, user_id).await?;
        let member = membership.filter(|member| member.state == MembershipState::Accepted);
        roles.extend(member.map(|member| (id, member.role)));
    }
    Ok(roles)
}

/// Whether the user may take away what `author` added: it is their own, or they are an admin or the
/// owner.
pub(crate) fn may_take(role: PoolRole, user_id: UserId, author: Option<UserId>) -> Result<()> {
    if author == Some(user_id) { Ok(()) } else { require(role, PoolRole::Admin) }
}
