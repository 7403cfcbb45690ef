//! Tries again what failed on a host, as an operator asks.

use tracing::instrument;

use super::{ComputeHost, ComputeUnit, HostPhase, ServerName, UnitState, is_unit_name};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result, Thing};
use crate::instance::{Instance, Phase};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// Goes on with a host whose initialising or decommissioning failed; refused with
/// [`Conflict::NothingToRetry`] where neither did.
#[instrument(name = "compute_unit.retry_host", skip_all, fields(%hostname))]
pub async fn retry_host(
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
        let phase = match host.phase {
            HostPhase::InitFailed { .. } => HostPhase::Initializing,
            HostPhase::DecommissionFailed { .. } => HostPhase::Decommissioning,
            _ => return Err(Error::Conflict(Conflict::NothingToRetry)),
        };
        let host = ComputeHost { phase, updated_at: now, ..host };
        tx.save_compute_host(&host).await?;
        let kind = JobKind::AlignComputeHost { host_id: host.host_id };
        tx.schedule(&Job::new(kind, now, random)).await?;
        tx.record(vec![host.event("compute_host.retried", (operator.actor(), now))]).await?;
        Ok(host)
    })
    .await
}

/// Makes a unit whole that could not be allocated, so that it is free again, or goes on at once with taking back
/// one that did not go. Refused with [`Conflict::NothingToRetry`] where nothing failed.
#[instrument(name = "compute_unit.retry", skip_all, fields(name))]
pub async fn retry_unit(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    name: &str,
) -> Result<()> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let missing = || Error::NotFound(Thing::ComputeUnit);
    if !is_unit_name(name) {
        return Err(missing());
    }
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.compute_unit_named(name).await?.ok_or_else(missing)?;
        let host = tx.compute_host_for_update(seen.host_id).await?;
        let host = host.ok_or(Error::NotFound(Thing::Server))?;
        let unit = tx.unit_for_update(seen.id).await?.ok_or_else(missing)?;
        let kind = match unit.state {
            UnitState::Failed { .. } if host.phase == HostPhase::Ready => {
                let state = UnitState::Planned;
                tx.save_unit(&ComputeUnit { state, changed_at: now, ..unit }).await?;
                JobKind::AlignComputeHost { host_id: host.host_id }
            }
            UnitState::Held { instance_id, .. } => {
                let instance = tx.instance(instance_id).await?;
                let failed = |instance: &Instance| {
                    let is_undone = matches!(instance.phase, Phase::Undoing { .. });
                    is_undone || (instance.driver_fault.is_some() && !instance.is_settled())
                };
                if !instance.as_ref().is_some_and(failed) {
                    return Err(Error::Conflict(Conflict::NothingToRetry));
                }
                JobKind::AlignInstance { instance_id }
            }
            _ => return Err(Error::Conflict(Conflict::NothingToRetry)),
        };
        tx.hasten(&Job::new(kind, now, random)).await?;
        tx.record(vec![host.event("compute_unit.retried", (operator.actor(), now))]).await
    })
    .await
}
