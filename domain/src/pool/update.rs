//! Changes a pool's description and settings.

use serde_json::json;
use tracing::instrument;

use super::{PoolDescription, PoolId, PoolRole, PoolSettings, require, role_of};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::event::{Event, Subject};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// What to change; what is `None` stays.
#[derive(Clone, Debug)]
pub struct UpdatePool {
    /// Who asks: only the owner may.
    pub caller: Caller,
    /// Which pool.
    pub pool_id: PoolId,
    /// The new description; `Some(None)` removes it.
    pub description: Option<Option<PoolDescription>>,
    /// The new settings, in place of the old ones.
    pub settings: Option<PoolSettings>,
}

/// Changes a pool.
#[instrument(name = "pool.update", skip_all)]
pub async fn update(store: &dyn Store, clock: &dyn Clock, request: UpdatePool) -> Result<()> {
    request.caller.may(Permission::PoolsWrite)?;
    let actor = request.caller.user_id;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let pool = tx.pool_for_update(request.pool_id).await?;
        let mut pool = pool.ok_or(Error::NotFound(Thing::Pool))?;
        require(role_of(tx, pool.id, actor).await?, PoolRole::Owner)?;
        let before = json!({ "description": pool.description });
        if let Some(description) = &request.description {
            pool.description.clone_from(description);
        }
        if let Some(settings) = &request.settings {
            pool.settings.clone_from(settings);
        }
        pool.updated_at = now;
        tx.save_pool(&pool).await?;
        tx.record(vec![Event {
            kind: "pool.updated",
            subject: Subject::Pool(pool.id),
            actor: request.caller.actor(),
            before: Some(before),
            recipient: None,
            data: json!({ "description": pool.description }),
            at: now,
        }])
        .await
    })
    .await
}
