//! Takes a host back out of compute units.

use tracing::instrument;

use super::{ComputeHost, ComputeUnit, HostPhase, ServerName, UnitState};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result, Thing};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// Has all that was made on a host removed; a job does it. Refused with [`Conflict::UnitsAllocated`] while
/// somebody has one of its units. Asked twice, it is done once.
#[instrument(name = "compute_unit.decommission", skip_all, fields(%hostname))]
pub async fn decommission(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    hostname: &ServerName,
) -> Result<ComputeHost> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Server);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.compute_host_named(hostname).await?.ok_or_else(missing)?;
        let host = tx.compute_host_for_update(seen.host_id).await?.ok_or_else(missing)?;
        if matches!(host.phase, HostPhase::Decommissioning | HostPhase::Decommissioned) {
            return Ok(host);
        }
        // Whoever allocates one at this moment is waited for, and then seen.
        let idle = tx.idle_units_for_update(host.host_id).await?;
        if tx.units_of_host(host.host_id).await?.len() > idle.len() {
            return Err(Error::Conflict(Conflict::UnitsAllocated));
        }
        for unit in idle {
            let state = UnitState::Leaving;
            tx.save_unit(&ComputeUnit { state, changed_at: now, ..unit }).await?;
        }
        let host = ComputeHost { updated_at: now, ..host.decommissioning() };
        tx.save_compute_host(&host).await?;
        let kind = JobKind::AlignComputeHost { host_id: host.host_id };
        tx.schedule(&Job::new(kind, now, random)).await?;
        let asked = host.event("compute_host.decommission_requested", (operator.actor(), now));
        tx.record(vec![asked]).await?;
        Ok(host)
    })
    .await
}
