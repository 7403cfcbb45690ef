//! Invites somebody into a pool.

use chrono::Duration;
use serde_json::json;
use tracing::instrument;

use super::{Membership, MembershipId, MembershipState, PoolId, PoolRole, require, role_in};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// A pool has at most this many members and open invitations, so that showing one has a bound.
const MAX_MEMBERS: usize = 1_000;

/// A wish to invite.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Who asks: the owner or an admin.
    pub caller: Caller,
    /// Into which pool.
    pub pool_id: PoolId,
    /// Whom, by name.
    pub username: String,
    /// The role offered; at most the caller's own, and never owner.
    pub role: PoolRole,
    /// How long the invitation can be accepted.
    pub lifetime: Duration,
}

/// Invites a user. An invitation that ran out unanswered is replaced.
#[instrument(name = "pool.invite", skip_all, fields(pool_id = %request.pool_id))]
pub async fn invite(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: Invite,
) -> Result<Membership> {
    request.caller.may(Permission::PoolsWrite)?;
    let actor = request.caller.user_id;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        tx.pool_for_update(request.pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
        let members = tx.members(request.pool_id).await?;
        let members: Vec<Membership> = members.into_iter().map(|(member, _)| member).collect();
        may_invite(&members, &request, now)?;
        let invitee =
            tx.user_named(&request.username).await?.ok_or(Error::NotFound(Thing::User))?;
        if let Some(former) = members.into_iter().find(|m| m.user_id == invitee.id) {
            tx.save_membership(&replaced(former, now)?).await?;
        }
        let membership = Membership {
            id: MembershipId::generate(now, random),
            pool_id: request.pool_id,
            user_id: invitee.id,
            role: request.role,
            state: MembershipState::Pending,
            invited_by: Some(actor),
            invited_at: now,
            expires_at: Some(now + request.lifetime),
            joined_at: None,
        };
        tx.add_membership(&membership).await?;
        tx.record(vec![Event {
            kind: "pool.member_invited",
            subject: Subject::Pool(request.pool_id),
            actor: request.caller.actor(),
            before: None,
            recipient: None,
            data: json!({ "user_id": invitee.id, "role": request.role }),
            at: now,
        }])
        .await?;
        Ok(membership)
    })
    .await
}

fn may_invite(members: &[Membership], request: &Invite, now: Timestamp) -> Result<()> {
    let role = role_in(members.iter().find(|m| m.user_id == request.caller.user_id))?;
    require(role, PoolRole::Admin)?;
    if request.role == PoolRole::Owner {
        return Err(Error::Conflict(Conflict::OwnerRoleFixed));
    }
    require(role, request.role)?;
    if members.iter().filter(|m| m.is_present(now)).count() >= MAX_MEMBERS {
        let message = format!("the pool has {MAX_MEMBERS} members and invitations already");
        return Err(Error::invalid("/username", message));
    }
    Ok(())
}

/// A former invitation that makes room for a new one because it ran out unanswered.
fn replaced(former: Membership, now: Timestamp) -> Result<Membership> {
    if former.state == MembershipState::Accepted {
        Err(Error::Conflict(Conflict::AlreadyMember))
    } else if former.is_open(now) {
        Err(Error::Conflict(Conflict::AlreadyInvited))
    } else {
        Ok(former.removed())
    }
}
