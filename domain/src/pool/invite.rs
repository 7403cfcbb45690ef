//! Invites somebody into a pool.

use chrono::Duration;
use serde_json::json;
use tracing::instrument;

use super::{Membership, MembershipId, MembershipState, PoolId, PoolRole, require, role_in};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Forbidden, Result, Thing};
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
        let own = members.iter().map(|(m, _)| m).find(|m| m.user_id == actor);
        let role = role_in(own)?;
        require(role, PoolRole::Admin)?;
        if request.role > role || request.role == PoolRole::Owner {
            return Err(Error::Forbidden(Forbidden::PoolOwnerRequired));
        }
        let counts = |m: &Membership| m.state == MembershipState::Accepted || m.is_open(now);
        if members.iter().filter(|(m, _)| counts(m)).count() >= MAX_MEMBERS {
            let message = format!("the pool has {MAX_MEMBERS} members and invitations already");
            return Err(Error::invalid("/username", message));
        }
        let invitee =
            tx.user_named(&request.username).await?.ok_or(Error::NotFound(Thing::User))?;
        match members.iter().map(|(m, _)| m).find(|m| m.user_id == invitee.id) {
            Some(m) if m.state == MembershipState::Accepted => {
                return Err(Error::Conflict(Conflict::AlreadyMember));
            }
            Some(m) if m.is_open(now) => return Err(Error::Conflict(Conflict::AlreadyInvited)),
            Some(expired) => {
                let withdrawn = MembershipState::Withdrawn;
                tx.save_membership(&Membership { state: withdrawn, ..expired.clone() }).await?;
            }
            None => {}
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
            actor: Some(actor),
            data: json!({ "user_id": invitee.id, "role": request.role }),
            at: now,
        }])
        .await?;
        Ok(membership)
    })
    .await
}
