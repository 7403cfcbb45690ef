//! Answers an invitation.

use serde_json::json;
use tracing::instrument;

use super::{Invitation, MembershipId, PoolRole};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Anybody can invite anybody, so the list of a user's invitations needs a bound.
pub(crate) const MAX_SHOWN: u32 = 500;

/// What the invited user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Joins the pool.
    Accept,
    /// Does not.
    Reject,
}

/// The caller's open invitations, newest first.
pub async fn pending(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
) -> Result<Vec<Invitation>> {
    caller.may(Permission::PoolsRead)?;
    store.reads().pending_invitations(caller.user_id, clock.now(), MAX_SHOWN).await
}

/// Answers an invitation; only the invited user can, and only once.
#[instrument(name = "pool.answer_invitation", skip_all, fields(%id))]
pub async fn answer(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: MembershipId,
    answer: Answer,
) -> Result<()> {
    caller.may(Permission::PoolsWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let missing = Error::NotFound(Thing::Invitation);
        let seen = tx.membership(id).await?.filter(|m| m.user_id == caller.user_id);
        // The owner's membership never was an invitation.
        let seen = seen.filter(|m| m.role != PoolRole::Owner).ok_or(missing)?;
        tx.pool_for_update(seen.pool_id).await?.ok_or(Error::NotFound(Thing::Invitation))?;
        // Read again: an answer or a withdrawal may have come before the lock.
        let current = tx.membership(id).await?.ok_or(Error::NotFound(Thing::Invitation))?;
        let answered = current.answered(answer, now)?;
        tx.save_membership(&answered).await?;
        tx.record(vec![Event {
            kind: match answer {
                Answer::Accept => "pool.invitation_accepted",
                Answer::Reject => "pool.invitation_rejected",
            },
            subject: Subject::Pool(answered.pool_id),
            actor: caller.actor(),
            before: None,
            recipient: None,
            data: json!({ "user_id": answered.user_id, "role": answered.role }),
            at: now,
        }])
        .await
    })
    .await
}
