//! Changes and removes members.

use serde_json::json;
use tracing::instrument;

use super::{MemberKey, Membership, MembershipState, PoolId, PoolRole, require, role_in};
use crate::clock::{Clock, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// A wish to give a member another role.
#[derive(Clone, Debug)]
pub struct ChangeRole {
    /// Who asks: only the owner may.
    pub caller: Caller,
    /// In which pool.
    pub pool_id: PoolId,
    /// Whom.
    pub member: MemberKey,
    /// The new role; never owner.
    pub role: PoolRole,
}

/// Gives a member another role.
#[instrument(name = "pool.change_role", skip_all, fields(pool_id = %request.pool_id))]
pub async fn change_role(store: &dyn Store, clock: &dyn Clock, request: ChangeRole) -> Result<()> {
    request.caller.may(Permission::PoolsWrite)?;
    let ChangeRole { caller, pool_id, member, role } = request;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (own, found) = locked(tx, &caller, pool_id, (member, now)).await?;
        require(own, PoolRole::Owner)?;
        let found = found.filter(|m| m.state == MembershipState::Accepted);
        let found = found.ok_or(Error::NotFound(Thing::Member))?;
        if found.role == PoolRole::Owner || role == PoolRole::Owner {
            return Err(Error::Conflict(Conflict::OwnerRoleFixed));
        }
        let (user_id, before) = (found.user_id, json!({ "role": found.role }));
        tx.save_membership(&Membership { role, ..found }).await?;
        tx.record(vec![Event {
            kind: "pool.member_role_changed",
            subject: Subject::Pool(pool_id),
            actor: caller.actor(),
            before: Some(before),
            data: json!({ "user_id": user_id, "role": role }),
            recipient: Some(user_id),
            at: now,
        }])
        .await
    })
    .await
}

/// Removes a member, withdraws an invitation, or leaves. Admins remove users only; the owner stays.
/// The removed member's own rentals leave the pool with them.
#[instrument(name = "pool.remove_member", skip_all, fields(%pool_id))]
pub async fn remove(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    pool_id: PoolId,
    member: MemberKey,
) -> Result<()> {
    caller.may(Permission::PoolsWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (own, found) = locked(tx, caller, pool_id, (member, now)).await?;
        let oneself = found.as_ref().is_some_and(|m| m.user_id == caller.user_id);
        if !oneself {
            require(own, PoolRole::Admin)?;
        }
        let found = found.ok_or(Error::NotFound(Thing::Member))?;
        match found.role {
            PoolRole::Owner => return Err(Error::Conflict(Conflict::OwnerRoleFixed)),
            PoolRole::Admin if !oneself => require(own, PoolRole::Owner)?,
            PoolRole::Admin | PoolRole::User => {}
        }
        tx.unassign_rentals(pool_id, found.user_id).await?;
        let user_id = found.user_id;
        tx.save_membership(&found.removed()).await?;
        // Should they come back, whoever knows the secrets does not.
        tx.delete_client_credentials_of(pool_id, user_id).await?;
        tx.record(vec![Event {
            kind: "pool.member_removed",
            subject: Subject::Pool(pool_id),
            actor: caller.actor(),
            before: None,
            recipient: None,
            data: json!({ "user_id": user_id }),
            at: now,
        }])
        .await
    })
    .await
}

/// Locks the pool; the caller's role in it, and the member or open invitation named.
async fn locked(
    tx: &dyn Tx,
    caller: &Caller,
    pool_id: PoolId,
    (member, now): (MemberKey, Timestamp),
) -> Result<(PoolRole, Option<Membership>)> {
    tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
    let members = tx.members(pool_id).await?;
    let own = members.iter().map(|(m, _)| m).find(|m| m.user_id == caller.user_id);
    let role = role_in(own)?;
    let mut members = members.into_iter().map(|(m, _)| m);
    Ok((role, members.find(|m| member.names(m) && m.is_present(now))))
}
