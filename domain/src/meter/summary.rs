//! What somebody has, and for how long their money lasts, at a glance.

use chrono::Duration;

use super::show::burn_of;
use crate::clock::Clock;
use crate::error::Result;
use crate::instance::InstanceId;
use crate::money::Money;
use crate::number::{self, Numbered};
use crate::pool;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// The most instances that a summary names.
const MOST_INSTANCES: u32 = 10_000;

/// What somebody has, and for how long their money lasts.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The whole numbers of the instances of the caller's pools that have a place, the newest 10,000, newest
    /// first.
    pub instances: Vec<i64>,
    /// How many there are in all.
    pub instance_count: u64,
    /// What the wallet holds, as booked, that pays for the default pool.
    pub balance: Money,
    /// What an hour of all that this wallet pays for costs now, volumes included.
    pub per_hour: Money,
    /// How long it lasts at that rate, what was used and is not booked yet taken off; `None` where nothing
    /// costs anything.
    pub lasts: Option<Duration>,
}

/// What the caller has, and how long the wallet lasts that pays for what they order without naming a pool.
pub async fn summary(store: &dyn Store, clock: &dyn Clock, caller: &Caller) -> Result<Summary> {
    caller.may(Permission::InstancesRead)?;
    let (reads, now) = (store.reads(), clock.now());
    let payer_id = pool::payer_of(reads, caller, None).await?;
    let burn = burn_of(reads, payer_id, now).await?;
    let live = reads.live_instances_visible_to(caller.viewer(), MOST_INSTANCES).await?;
    let (ids, instance_count) = live;
    let ids: Vec<_> = ids.into_iter().map(InstanceId::uuid).collect();
    Ok(Summary {
        instances: number::each(store, Numbered::Instance, &ids).await?,
        instance_count,
        balance: burn.balance,
        per_hour: burn.per_hour,
        lasts: burn.runs_dry_at.map(|at| at - now),
    })
}
