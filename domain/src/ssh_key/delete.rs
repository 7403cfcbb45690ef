//! Deletes SSH keys.

use std::collections::BTreeSet;

use tracing::instrument;

use super::SshKeyId;
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::pool::{may_take, roles_for_update};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// Deletes keys, all or none: their author may, and admins and the owner of their pools.
#[instrument(name = "ssh_key.delete", skip_all, fields(count = ids.len()))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    ids: &BTreeSet<SshKeyId>,
) -> Result<()> {
    caller.may(Permission::KeysWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::SshKey);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.ssh_keys_among(caller.viewer(), ids).await?;
        let pools = seen.iter().map(|key| key.pool_id).collect();
        let roles = roles_for_update(tx, pools, caller.user_id).await?;
        // Again, now that nobody else takes from these pools.
        let keys = tx.ssh_keys_among(caller.viewer(), ids).await?;
        if keys.len() < ids.len() {
            return Err(missing());
        }
        for key in &keys {
            let role = roles.get(&key.pool_id).ok_or_else(missing)?;
            may_take(*role, caller.user_id, key.author)?;
        }
        tx.delete_ssh_keys(ids).await?;
        tx.record(keys.iter().map(|key| key.deleted(caller.actor(), now)).collect()).await
    })
    .await
}
