//! Deletes a pool.

use serde_json::json;
use tracing::instrument;

use super::{PoolId, PoolRole, require, role_of};
use crate::clock::Clock;
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Deletes a pool with its SSH keys, scripts, templates and software. Its rentals stay with their renters and
/// belong to no pool; its members lose access to them. A plan that was for this pool only is for nobody then.
#[instrument(name = "pool.delete", skip_all, fields(%pool_id))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    pool_id: PoolId,
) -> Result<()> {
    caller.may(Permission::PoolsWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let pool = tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
        require(role_of(tx, pool_id, caller.user_id).await?, PoolRole::Owner)?;
        if pool.is_default {
            return Err(Error::Conflict(Conflict::DefaultPool));
        }
        let lives = tx.live_instance_count(pool_id).await? + tx.volume_count(pool_id).await?;
        if lives > 0 {
            return Err(Error::Conflict(Conflict::PoolInUse));
        }
        tx.delete_pool(pool_id).await?;
        tx.record(vec![Event {
            kind: "pool.deleted",
            subject: Subject::Pool(pool_id),
            actor: caller.actor(),
            before: None,
            recipient: None,
            data: json!({ "name": pool.name }),
            at: now,
        }])
        .await
    })
    .await
}
