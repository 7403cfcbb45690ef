//! Gives up a host that will never answer again.

use tracing::instrument;

use super::{ComputeHost, ComputeUnit, HostPhase, ServerName};
use crate::capacity::{Capacity, Health, Purpose};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::instance::{self, InstanceId};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// A host that is to be given up.
#[derive(Clone, Debug)]
pub struct Forget {
    /// Who asks.
    pub operator: Operator,
    /// Which host.
    pub hostname: ServerName,
    /// Whether whoever has one of its units loses it.
    pub ends_instances: bool,
}

/// Counts a host as decommissioned without a word to it: what is left there is the operator's to remove, the keys of
/// who had a unit as well. Those who lose one have paid until the host fell silent. Refused with
/// [`Conflict::HostAnswers`] unless it is silent, or could not be initialised or decommissioned; and with
/// [`Conflict::UnitsAllocated`] while somebody has one of its units and is not to lose it. Asked twice, or after a
/// crash in between, it is done once.
#[instrument(name = "compute_unit.forget", skip_all, fields(hostname = %request.hostname))]
pub async fn forget(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: &Forget,
) -> Result<ComputeHost> {
    request.operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Server);
    if request.ends_instances {
        let reads = store.reads();
        let host = reads.compute_host_named(&request.hostname).await?.ok_or_else(missing)?;
        let units = reads.units_of_host(host.host_id).await?;
        for id in units.iter().filter_map(ComputeUnit::holder) {
            atomically(store, async |tx: &dyn Tx| lose(tx, random, (&host, id), now).await).await?;
        }
    }
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.compute_host_named(&request.hostname).await?.ok_or_else(missing)?;
        let host = tx.compute_host_for_update(seen.host_id).await?.ok_or_else(missing)?;
        if !host.phase.is_cut() {
            return Ok(host);
        }
        silent_since(tx, &host, now).await?;
        let idle = tx.idle_units_for_update(host.host_id).await?;
        if tx.units_of_host(host.host_id).await?.len() > idle.len() {
            return Err(Error::Conflict(Conflict::UnitsAllocated));
        }
        for unit in idle {
            tx.remove_unit(unit.id).await?;
        }
        if let Some(capacity) = tx.capacity_for_update(host.host_id).await? {
            let capacity = Capacity { purpose: Purpose::Nothing, updated_at: now, ..capacity };
            tx.save_capacity(&capacity).await?;
        }
        let (phase, is_prepared) = (HostPhase::Decommissioned, false);
        let (system, limits) = (None, None);
        let host = ComputeHost { phase, system, limits, is_prepared, updated_at: now, ..host };
        tx.save_compute_host(&host).await?;
        let actor = request.operator.actor();
        tx.record(vec![host.event("compute_host.forgotten", (actor, now))]).await?;
        Ok(host)
    })
    .await
}

/// Takes a unit from who has it: an instance whose host is gone.
async fn lose(
    tx: &dyn Tx,
    random: &dyn Random,
    (host, id): (&ComputeHost, InstanceId),
    now: Timestamp,
) -> Result<()> {
    let since = silent_since(tx, host, now).await?;
    let instance = tx.instance(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
    // It may have ended by itself.
    if !instance.is_live() || instance::lost(tx, random, &instance, (since, now)).await? {
        return Ok(());
    }
    Err(Error::Contention)
}

/// Since when a host serves nobody.
async fn silent_since(tx: &dyn Tx, host: &ComputeHost, now: Timestamp) -> Result<Timestamp> {
    let capacity = tx.capacity(host.host_id).await?;
    match capacity.map(|capacity| capacity.health) {
        Some(Health::Unreachable { since }) => Ok(since),
        _ if host.phase.reason().is_some() => Ok(now),
        _ => Err(Error::Conflict(Conflict::HostAnswers)),
    }
}
