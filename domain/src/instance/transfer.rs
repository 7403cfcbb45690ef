//! Gives an instance and its volumes to another pool.

use tracing::instrument;

use super::create::{event, require_funds, require_quota};
use super::{Instance, InstanceId, InstancePolicy, Offered, Phase};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::meter::{MeterId, Metered, Standing, begin, finish};
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{self, Volume};

/// Gives an instance and what it has to another pool, whose owner pays from this second on. The caller
/// is an owner or admin of both, and its plan is for the other pool as well.
#[instrument(name = "instance.transfer", skip_all, fields(%id))]
pub async fn transfer(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (policy, caller): (&InstancePolicy, &Caller),
    (id, pool_id): (InstanceId, PoolId),
) -> Result<Instance> {
    caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        handed(tx, random, (policy, caller), (id, pool_id), now).await
    })
    .await
}

async fn handed(
    tx: &dyn Tx,
    random: &dyn Random,
    (policy, caller): (&InstancePolicy, &Caller),
    (id, pool_id): (InstanceId, PoolId),
    now: Timestamp,
) -> Result<Instance> {
    let missing = || Error::NotFound(Thing::Instance);
    let seen = tx.instance_visible_to(caller.viewer(), id).await?.ok_or_else(missing)?;
    let target = tx.owner_of(caller.viewer(), Some(pool_id)).await?;
    let (_, owner_id) = target.ok_or(Error::NotFound(Thing::Pool))?;
    let mut payers = [seen.payer_id, owner_id];
    payers.sort();
    for payer_id in payers {
        tx.wallet_for_update(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
    }
    let mut pools = [seen.pool_id, pool_id];
    pools.sort();
    for pool_id in pools {
        let pool = tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(Thing::Pool))?;
        require(role_of(tx, pool.id, caller.user_id).await?, PoolRole::Admin)?;
    }
    let instance = tx.instance_for_update(id).await?.ok_or_else(missing)?;
    if instance.pool_id != seen.pool_id || instance.payer_id != seen.payer_id {
        return Err(Error::Contention);
    }
    if instance.pool_id == pool_id {
        return Ok(instance);
    }
    if instance.cluster_id.is_some() {
        return Err(Error::Conflict(Conflict::PartOfCluster));
    }
    let is_settled = matches!(instance.phase, Phase::Running | Phase::Stopped | Phase::Hibernated);
    let moves = instance.successor_id.is_some() || instance.pending_move().is_some();
    if !is_settled || moves || instance.next_step().is_some() {
        return Err(Error::Conflict(Conflict::InstanceBusy));
    }
    if matches!(tx.standing(instance.payer_id).await?, Some(Standing::Stopped { .. })) {
        // Nothing of it is metered, and nothing would begin to be.
        let advice =
            "cannot be given what is not paid for: first the payer's wallet is to be filled";
        return Err(Error::invalid("/pool_id", advice));
    }
    require_for(tx, &instance, pool_id).await?;
    require_quota(tx, pool_id, 1).await?;
    let volumes = tx.volumes_of_instances(&[id]).await?;
    volume::require_quota(tx, pool_id, volumes.len()).await?;
    let handing = Handing { tx, random, policy, now };
    handing.pay_from_now_on(&instance, &volumes, (owner_id, pool_id)).await?;
    let instance = Instance { pool_id, payer_id: owner_id, ..instance };
    tx.save_instance(&instance).await?;
    for volume in volumes {
        let volume =
            tx.volume_for_update(volume.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        tx.save_volume(&Volume { pool_id, payer_id: owner_id, ..volume }).await?;
    }
    tx.record(vec![event("instance.transferred", &instance, caller.actor(), now)]).await?;
    Ok(instance)
}

/// Refuses a pool that an instance's plan is not for.
async fn require_for(tx: &dyn Tx, instance: &Instance, pool_id: PoolId) -> Result<()> {
    let Offered::Plan { plan_id, .. } = instance.terms.offered else { return Ok(()) };
    match tx.plan(plan_id).await? {
        Some(plan) if !plan.is_for(pool_id) => {
            Err(Error::invalid("/pool_id", "is no pool that the instance's plan is offered to"))
        }
        _ => Ok(()),
    }
}

struct Handing<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    policy: &'a InstancePolicy,
    now: Timestamp,
}

impl Handing<'_> {
    /// Ends the meters of one payer and begins those of the other.
    async fn pay_from_now_on(
        &self,
        instance: &Instance,
        volumes: &[Volume],
        (payer_id, pool_id): (crate::user::UserId, PoolId),
    ) -> Result<()> {
        let Self { tx, random, policy, now } = *self;
        let from = tx.wallet(instance.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
        let volume_ids = volumes.iter().map(|volume| Metered::Volume(volume.id));
        let metered: Vec<Metered> = volume_ids.chain([Metered::Instance(instance.id)]).collect();
        let open = tx.open_meters_of(&metered).await?;
        let running: Vec<_> = open.into_iter().filter(|m| m.ended_at.is_none()).collect();
        finish(tx, random, from, &metered, now).await?;
        let to = tx.wallet(payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
        let per_hour = running.iter().map(|meter| meter.rate.hourly()).sum();
        require_funds(tx, &to, per_hour, policy.funds).await?;
        for meter in running {
            let id = MeterId::generate(now, random);
            let meter = crate::meter::Meter {
                id,
                payer_id,
                pool_id,
                started_at: now,
                billed: crate::money::Money::ZERO,
                bills: 0,
                ..meter
            };
            begin(tx, meter).await?;
        }
        Ok(())
    }
}
