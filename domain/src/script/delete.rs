//! Deletes scripts.

use std::collections::BTreeSet;

use tracing::instrument;

use super::ScriptId;
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::pool::{may_take, roles_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Deletes scripts, all or none: their author may, and admins and the owner of their pools.
#[instrument(name = "script.delete", skip_all, fields(count = ids.len()))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    ids: &BTreeSet<ScriptId>,
) -> Result<()> {
    caller.may(Permission::ScriptsWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Script);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.scripts_among(caller.viewer(), ids).await?;
        let pools = seen.iter().map(|script| script.pool_id).collect();
        let roles = roles_for_update(tx, pools, caller.user_id).await?;
        // Again, now that nobody else takes from these pools.
        let scripts = tx.scripts_among(caller.viewer(), ids).await?;
        if scripts.len() < ids.len() {
            return Err(missing());
        }
        for script in &scripts {
            let role = roles.get(&script.pool_id).ok_or_else(missing)?;
            may_take(*role, caller.user_id, script.author)?;
        }
        tx.delete_scripts(ids).await?;
        tx.record(scripts.iter().map(|script| script.deleted(caller.actor(), now)).collect()).await
    })
    .await
}
