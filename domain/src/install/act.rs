//! What owners do with what is installed: try it again, take it away.

use tracing::instrument;

use super::{Install, InstallKey, align_later};
use crate::clock::{Clock, Random};
use crate::error::{Error, Result, Thing};
use crate::pool::{PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// A wish to do something with an install.
#[derive(Clone, Debug)]
pub struct ActOnInstall {
    /// Who asks: an owner or admin of its instance's pool.
    pub caller: Caller,
    /// Which install.
    pub key: InstallKey,
}

/// Tries again what failed, with the same script and values: to put it there, or to take it away.
#[instrument(name = "install.retry", skip_all)]
pub async fn retry(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: &ActOnInstall,
) -> Result<Install> {
    request.caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let by = (request.caller.user_id, now);
        let install = locked(tx, request).await?.retried(by)?;
        tx.save_install(&install).await?;
        align_later(tx, random, (install.instance_id, now)).await?;
        let event = install.event("install.retry_requested", (request.caller.actor(), now));
        tx.record(vec![event]).await?;
        Ok(install)
    })
    .await
}

/// Takes software away from its instance: by its script, if it has one and was ever begun, else at once, as
/// nothing of it is there. One whose removal failed is forgotten without its script; one whose script runs is
/// refused until that has ended.
#[instrument(name = "install.remove", skip_all)]
pub async fn remove(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: &ActOnInstall,
) -> Result<Install> {
    request.caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let before = locked(tx, request).await?;
        let by = (request.caller.actor(), now);
        let install = before.clone().removed((request.caller.user_id, now))?;
        if !before.is_removed_by_script() {
            tx.delete_install(before.id).await?;
            tx.record(vec![before.event("install.forgotten", by)]).await?;
            return Ok(install);
        }
        if install != before {
            tx.save_install(&install).await?;
            align_later(tx, random, (install.instance_id, now)).await?;
            tx.record(vec![install.event("install.removal_requested", by)]).await?;
        }
        Ok(install)
    })
    .await
}

/// The install, locked, if the caller is an owner or admin of its instance's pool.
async fn locked(tx: &dyn Tx, request: &ActOnInstall) -> Result<Install> {
    let missing = || Error::NotFound(Thing::Install);
    let ActOnInstall { caller, key } = request;
    let seen = tx.install_visible_to(caller.viewer(), *key).await?.ok_or_else(missing)?;
    let instance = tx.instance(seen.instance_id).await?.ok_or_else(missing)?;
    tx.pool_for_update(instance.pool_id).await?.ok_or_else(missing)?;
    require(role_of(tx, instance.pool_id, caller.user_id).await?, PoolRole::Admin)?;
    // Whoever hands the instance to another pool waits for the lock on this one.
    let now = tx.instance(seen.instance_id).await?.ok_or_else(missing)?;
    if now.pool_id != instance.pool_id {
        return Err(Error::Contention);
    }
    tx.install_for_update(seen.id).await?.ok_or_else(missing)
}
