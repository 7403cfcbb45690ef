//! Puts software onto an instance.

use std::collections::BTreeMap;

use serde_json::json;
use tracing::instrument;

use super::{Install, InstallId, InstallKey, InstallPhase, align_later};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::idempotency::{Attempt, IdempotencyKey, once};
use crate::instance::{Instance, InstanceId, Phase, Wanted};
use crate::number::Numbered;
use crate::pool::{PoolRole, require, role_of};
use crate::software::{SoftwareKey, SoftwareScope, configured};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// The most installs on one instance.
const MOST: u64 = 32;

/// Software to be put onto an instance.
#[derive(Clone, Debug)]
pub struct AddInstall {
    /// Who asks: an owner or admin of the instance's pool.
    pub caller: Caller,
    /// Onto which instance: one that is there or being made, running or not.
    pub instance_id: InstanceId,
    /// Which software, of the caller's pools or the operator's.
    pub software: SoftwareKey,
    /// What is chosen of its options; the others are their defaults.
    pub config: BTreeMap<String, String>,
    /// The same key puts it there once.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// Orders software onto an instance, which has at most 32, none of them twice; a job puts it there when the
/// instance runs.
#[instrument(name = "install.add", skip_all, fields(instance_id = %request.instance_id))]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: &AddInstall,
) -> Result<Install> {
    request.caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    let software = match request.software {
        SoftwareKey::Id(id) => json!(id),
        SoftwareKey::Number(number) => json!(number),
    };
    let same = json!([request.instance_id, software, request.config]);
    let key = request.caller.idempotency_key(request.idempotency_key.as_ref());
    atomically(store, async |tx: &dyn Tx| {
        let attempt = Attempt {
            key: key.as_ref(),
            user_id: request.caller.user_id,
            operation: "install.add",
            at: now,
        };
        let id = once(tx, attempt, &same, async || added(tx, random, request, now).await).await?;
        // It may be gone since.
        let key = InstallKey::Id(request.instance_id, id);
        let install = tx.install_visible_to(request.caller.viewer(), key).await?;
        install.ok_or(Error::NotFound(Thing::Install))
    })
    .await
}

/// Orders software onto an instance in the transaction of another use case.
pub(crate) async fn added(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &AddInstall,
    now: Timestamp,
) -> Result<InstallId> {
    let AddInstall { caller, software, config, .. } = request;
    let instance = instance_for_update(tx, caller, request.instance_id).await?;
    if !instance.origin.is_made() {
        // The disk on which it would be is to go.
        return Err(Error::Conflict(Conflict::InstanceBusy));
    }
    let found = tx.software(SoftwareScope::Seen(caller.viewer()), *software).await?;
    let (software, scripts) = found.ok_or(Error::NotFound(Thing::Software))?;
    let config = configured(&software.options, config).map_err(Error::Invalid)?;
    let id = InstallId::generate(now, random);
    let install = Install {
        id,
        number: tx.give_number(Numbered::Install, id.uuid()).await?,
        instance_id: instance.id,
        software_id: software.id,
        software_number: software.number,
        name: software.name,
        wanted_by: caller.user_id,
        config,
        has_remove_script: scripts.remove.is_some(),
        phase: InstallPhase::Queued,
        runs: 0,
        created_at: now,
        changed_at: now,
    };
    match tx.installs_beside(&install).await? {
        (_, true) => return Err(Error::Conflict(Conflict::AlreadyInstalled)),
        (MOST.., _) => return Err(Error::Conflict(Conflict::InstallLimit { most: MOST })),
        _ => {}
    }
    tx.add_install(&install, &scripts).await?;
    align_later(tx, random, (instance.id, now)).await?;
    tx.record(vec![install.event("install.queued", (caller.actor(), now))]).await?;
    Ok(id)
}

/// The instance, locked, if the caller may put something onto it. Whoever deletes it takes its installs along
/// afterwards.
async fn instance_for_update(tx: &dyn Tx, caller: &Caller, id: InstanceId) -> Result<Instance> {
    let missing = || Error::NotFound(Thing::Instance);
    let seen = tx.instance_visible_to(caller.viewer(), id).await?.ok_or_else(missing)?;
    tx.pool_for_update(seen.pool_id).await?.ok_or_else(missing)?;
    require(role_of(tx, seen.pool_id, caller.user_id).await?, PoolRole::Admin)?;
    let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
    if instance.pool_id != seen.pool_id {
        return Err(Error::Contention);
    }
    if instance.terms.is_of_a_unit() {
        return Err(Error::Conflict(Conflict::NotForUnits));
    }
    // What is on the disk that it gets comes with installs of its own.
    if instance.awaits_a_disk() {
        return Err(Error::Conflict(Conflict::InstanceBusy));
    }
    let is_going = instance.wanted == Wanted::Deleted
        || !instance.is_live()
        || matches!(instance.phase, Phase::Undoing { .. });
    if is_going { Err(Error::Conflict(Conflict::InstanceDeleted)) } else { Ok(instance) }
}
