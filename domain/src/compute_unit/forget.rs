//! Gives up a host that will never answer again.

use tracing::instrument;

use super::{ComputeHost, HostPhase, ServerName};
use crate::capacity::{Capacity, Purpose};
use crate::clock::Clock;
use crate::error::{Conflict, Error, Result, Thing};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// Counts a host as decommissioned without a word to it: what is left there is the operator's to remove. Refused
/// with [`Conflict::UnitsAllocated`] while somebody has one of its units, and with [`Conflict::NothingToRetry`]
/// unless it was its initialising or decommissioning that failed.
#[instrument(name = "compute_unit.forget", skip_all, fields(%hostname))]
pub async fn forget(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    hostname: &ServerName,
) -> Result<ComputeHost> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Server);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.compute_host_named(hostname).await?.ok_or_else(missing)?;
        let host = tx.compute_host_for_update(seen.host_id).await?.ok_or_else(missing)?;
        let has_failed = host.phase.reason().is_some();
        if !has_failed {
            return Err(Error::Conflict(Conflict::NothingToRetry));
        }
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
        tx.record(vec![host.event("compute_host.forgotten", (operator.actor(), now))]).await?;
        Ok(host)
    })
    .await
}
