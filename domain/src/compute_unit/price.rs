//! What compute units cost.

use tracing::instrument;

use super::{ComputeHost, ServerName};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::money::Money;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// Prices the units of a host, by the CPU and hour, for whoever allocates one from now on; nothing makes them
/// free. Whoever has one keeps its price.
#[instrument(name = "compute_unit.price", skip_all, fields(%hostname))]
pub async fn price(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    hostname: &ServerName,
    per_cpu_hour: Money,
) -> Result<ComputeHost> {
    operator.may(Permission::AdminWrite)?;
    if per_cpu_hour < Money::ZERO {
        return Err(Error::invalid("/price_per_cpu_hour", "must not be below 0"));
    }
    let now = clock.now();
    let missing = || Error::NotFound(Thing::Server);
    atomically(store, async |tx: &dyn Tx| {
        let seen = tx.compute_host_named(hostname).await?.ok_or_else(missing)?;
        let host = tx.compute_host_for_update(seen.host_id).await?.ok_or_else(missing)?;
        let host = ComputeHost { per_cpu_hour, updated_at: now, ..host };
        tx.save_compute_host(&host).await?;
        tx.record(vec![host.event("compute_host.priced", (operator.actor(), now))]).await?;
        Ok(host)
    })
    .await
}
