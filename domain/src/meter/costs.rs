//! What instances have cost, all of them in one list.

use super::{Meter, MeterId, MeterLine};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::instance::InstanceId;
use crate::meter::Metered;
use crate::number::{self, Numbered};
use crate::page::{Page, Paged};
use crate::pool::Label;
use crate::store::{Reads, Store};
use crate::token::Permission;
use crate::user::{Caller, Viewer};

/// What an instance cost at one price. It is for the pool that it was in then, also when it has gone to
/// another since: whoever has it now sees what it has cost *them*.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Which instance.
    pub instance_id: InstanceId,
    /// What it is called now; of what has gone to somebody else's pool, what its meter was called.
    pub instance_name: String,
    /// What it cost by now.
    pub line: MeterLine,
}

/// A cost under the whole numbers of its meter and its instance.
#[derive(Clone, Debug)]
pub struct NumberedCost {
    /// The meter's.
    pub number: i64,
    /// The instance's.
    pub instance_number: i64,
    /// The cost.
    pub cost: Cost,
}

/// Which meters of instances.
#[derive(Clone, Copy, Debug, Default)]
pub struct CostFilter {
    /// Only of this instance.
    pub instance_id: Option<InstanceId>,
    /// Only those before this one.
    pub before: Option<MeterId>,
}

/// What instances have cost in the caller's pools, the newest meter first; of one instance, if one is given.
pub async fn costs(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    instance_id: Option<InstanceId>,
    page: Page<MeterId>,
) -> Result<Paged<Cost, MeterId>> {
    caller.may(Permission::BillingRead)?;
    let filter = CostFilter { instance_id, before: page.after };
    let part = (0, page.limit_and_one().unwrap_or(u32::MAX));
    let rows = found(store.reads(), caller.viewer(), filter, part, clock.now()).await?;
    Ok(Paged::cut(rows, page.limit, None, |cost| cost.line.meter.id))
}

/// The same by whole numbers: up to `limit` after the first `skip`.
pub async fn costs_part(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    instance: Option<i64>,
    part: (u32, u32),
) -> Result<Vec<NumberedCost>> {
    caller.may(Permission::BillingRead)?;
    let reads = store.reads();
    let instance_id = match instance {
        Some(number) => {
            let id = reads.numbered(Numbered::Instance, number).await?;
            Some(InstanceId::from_uuid(id.ok_or(Error::NotFound(Thing::Instance))?))
        }
        None => None,
    };
    let filter = CostFilter { instance_id, before: None };
    let costs = found(reads, caller.viewer(), filter, part, clock.now()).await?;
    let meters: Vec<_> = costs.iter().map(|cost| cost.line.meter.id.uuid()).collect();
    let instances: Vec<_> = costs.iter().map(|cost| cost.instance_id.uuid()).collect();
    let numbers = number::each(store, Numbered::Meter, &meters).await?;
    let instances = number::each(store, Numbered::Instance, &instances).await?;
    let numbered =
        |(cost, (number, instance_number))| NumberedCost { number, instance_number, cost };
    Ok(costs.into_iter().zip(numbers.into_iter().zip(instances)).map(numbered).collect())
}

/// An instance that the viewer neither sees nor has ever had is not found, however its costs are asked for.
async fn found(
    reads: &dyn Reads,
    viewer: Viewer,
    filter: CostFilter,
    part: (u32, u32),
    now: Timestamp,
) -> Result<Vec<Cost>> {
    let rows = reads.instance_meters_visible_to(viewer, filter, part).await?;
    if let (Some(id), true) = (filter.instance_id, rows.is_empty()) {
        let is_seen = reads.instance_visible_to(viewer, id).await?.is_some();
        let any = CostFilter { instance_id: Some(id), before: None };
        if !is_seen && reads.instance_meters_visible_to(viewer, any, (0, 1)).await?.is_empty() {
            return Err(Error::NotFound(Thing::Instance));
        }
    }
    Ok(rows.into_iter().filter_map(|row| cost(row, now)).collect())
}

fn cost((meter, name): (Meter, Option<Label>), now: Timestamp) -> Option<Cost> {
    let Metered::Instance(instance_id) = meter.metered else { return None };
    let instance_name = name.map_or_else(|| meter.name.clone(), |name| name.to_string());
    Some(Cost { instance_id, instance_name, line: MeterLine::read(meter, now) })
}
