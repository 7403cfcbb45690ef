//! Changes what an instance is called.

use tracing::instrument;

use super::create::event;
use super::{Hostname, Instance, InstanceId, Tags};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::pool::{PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// What to change in an instance; what is `None` stays.
#[derive(Clone, Debug)]
pub struct EditInstance {
    /// Who asks: an owner or admin of its pool.
    pub caller: Caller,
    /// Which instance.
    pub id: InstanceId,
    /// What it calls itself from its next start on.
    pub hostname: Option<Hostname>,
    /// In the owner's words.
    pub description: Option<String>,
    /// All labels.
    pub tags: Option<Tags>,
}

/// Changes an instance.
#[instrument(name = "instance.edit", skip_all, fields(id = %request.id))]
pub async fn edit(store: &dyn Store, clock: &dyn Clock, request: EditInstance) -> Result<Instance> {
    let caller = &request.caller;
    caller.may(Permission::InstancesWrite)?;
    let is_long = |text: &String| text.chars().count() > 500 || text.contains('\0');
    if request.description.as_ref().is_some_and(is_long) {
        return Err(Error::invalid("/description", "must be at most 500 characters"));
    }
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let missing = || Error::NotFound(Thing::Instance);
        let seen = tx.instance_visible_to(caller.viewer(), request.id).await?;
        let seen = seen.ok_or_else(missing)?;
        tx.pool_for_update(seen.pool_id).await?.ok_or_else(missing)?;
        require(role_of(tx, seen.pool_id, caller.user_id).await?, PoolRole::Admin)?;
        let instance = tx.instance_for_update(request.id).await?.ok_or_else(missing)?;
        if instance.pool_id != seen.pool_id {
            return Err(Error::Contention);
        }
        let instance = Instance {
            hostname: request.hostname.clone().unwrap_or(instance.hostname),
            description: request.description.clone().unwrap_or(instance.description),
            tags: request.tags.clone().unwrap_or(instance.tags),
            ..instance
        };
        tx.save_instance(&instance).await?;
        tx.record(vec![event("instance.edited", &instance, caller.actor(), now)]).await?;
        Ok(instance)
    })
    .await
}
