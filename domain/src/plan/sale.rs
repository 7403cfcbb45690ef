//! What is sold where: a plan at one of its locations, for surfaces that sell by whole numbers.

use std::collections::BTreeMap;

use super::{Interval, Plan, PlanFilter, PlanId, PlanScope};
use crate::capacity::{Fit, Rooms};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::id::{digest, entity_id};
use crate::location::{Location, LocationCode};
use crate::money::Money;
use crate::number::{self, Numbered};
use crate::page::Page;
use crate::pool::{PoolId, PoolRole, PoolSummary, require};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

entity_id!(
    /// Names a plan at a location, and is made of the two.
    SaleId
);

impl SaleId {
    /// The id that goes with a plan and a location.
    pub fn of(plan_id: PlanId, location: &LocationCode) -> Self {
        Self(digest(&format!("{plan_id}@{location}")))
    }
}

/// A listed plan at a location where it is sold by the hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Names it for as long as it is sold, and again when it is sold there again.
    pub number: i64,
    /// What is sold.
    pub plan: Plan,
    /// Where.
    pub location: Location,
    /// What an hour costs in advance.
    pub per_hour: Money,
}

/// Whether they may look at what is sold, for whoever keeps an answer of [`sales`]. Anybody may; only
/// credentials that came along are checked.
pub fn may_look(caller: Option<&Caller>) -> Result<()> {
    may_if_known(caller, Permission::MarketplaceRead)
}

/// Whether somebody sees more of what is sold than everybody does, who all see the same.
pub async fn sees_private(store: &dyn Store, caller: Option<&Caller>) -> Result<bool> {
    match caller {
        Some(caller) => store.reads().sees_private_plans(caller.viewer()).await,
        None => Ok(false),
    }
}

/// A number that rises with every change of plans by this process, for whoever keeps an answer of [`sales`];
/// those of other processes are seen by asking anew.
pub fn generation(store: &dyn Store) -> u64 {
    store.reads().plan_generation()
}

/// All that is sold to the caller, the cheapest plan first and then by location.
pub async fn sales(store: &dyn Store, caller: Option<&Caller>) -> Result<Vec<Sale>> {
    may_look(caller)?;
    let offered = offered(store, caller).await?;
    let ids: Vec<_> = offered.iter().map(|(id, ..)| id.uuid()).collect();
    let numbers = number::each(store, Numbered::Sale, &ids).await?;
    let sale = |((_, plan, location, per_hour), number)| Sale { number, plan, location, per_hour };
    Ok(offered.into_iter().zip(numbers).map(sale).collect())
}

/// What is sold to the caller by this number.
pub async fn sale(store: &dyn Store, caller: Option<&Caller>, number: i64) -> Result<Sale> {
    may_look(caller)?;
    let unknown = || Error::NotFound(Thing::Plan);
    let id = store.reads().numbered(Numbered::Sale, number).await?.ok_or_else(unknown)?;
    let mut offered = offered(store, caller).await?.into_iter();
    let found = offered.find(|(sale_id, ..)| sale_id.uuid() == id);
    let (_, plan, location, per_hour) = found.ok_or_else(unknown)?;
    Ok(Sale { number, plan, location, per_hour })
}

/// The pool that an order of a plan is for where none is named; `None` is the one that all orders of the
/// caller are for. That of a plan which is for other pools of theirs is for the oldest of these, rather one
/// in which they may order.
pub async fn pool_for(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    plan: &Plan,
) -> Result<Option<PoolId>> {
    if !plan.is_private() || caller.pool_id.is_some() {
        return Ok(None);
    }
    let reads = store.reads();
    let usual = reads.default_pool_of(caller.user_id).await?;
    if usual.is_some_and(|id| plan.is_for(id)) {
        return Ok(None);
    }
    let all = Page { after: None, limit: None };
    let mut joined = reads.pools_of(caller.user_id, clock.now(), &all).await?;
    joined.retain(|joined| plan.is_for(joined.pool.id));
    let may_order = |joined: &&PoolSummary| require(joined.role, PoolRole::Admin).is_ok();
    let found = joined.iter().find(may_order).or(joined.first());
    Ok(found.map(|joined| joined.pool.id))
}

/// Of each of these how many could be had now, and where: true when it is told, for nothing is reserved.
pub async fn fits(store: &dyn Store, sales: &[Sale]) -> Result<Vec<Fit>> {
    let rooms = Rooms::new(store.reads().rooms(None).await?);
    let fit = |sale: &Sale| rooms.fit(&sale.plan.shape, &sale.location.code);
    Ok(sales.iter().map(fit).collect())
}

/// In which country each location is.
pub async fn countries(store: &dyn Store) -> Result<BTreeMap<LocationCode, String>> {
    let locations = store.reads().locations(&Page { after: None, limit: None }).await?;
    Ok(locations.into_iter().map(|location| (location.code, location.country)).collect())
}

async fn offered(
    store: &dyn Store,
    caller: Option<&Caller>,
) -> Result<Vec<(SaleId, Plan, Location, Money)>> {
    let reads = store.reads();
    let filter = PlanFilter { scope: PlanScope::of(caller), ..PlanFilter::default() };
    let plans = reads.plans(&filter, &Page { after: None, limit: None }).await?;
    let locations = reads.locations(&Page { after: None, limit: None }).await?;
    let locations: BTreeMap<_, _> =
        locations.into_iter().map(|location| (location.code.clone(), location)).collect();
    let mut offered = Vec::new();
    for plan in plans {
        let Some(per_hour) = plan.pricing.prepaid(Interval::Hour) else { continue };
        let here = plan.locations.iter().filter_map(|code| locations.get(code));
        let here = here.map(|location| {
            (SaleId::of(plan.id, &location.code), plan.clone(), location.clone(), per_hour)
        });
        offered.extend(here);
    }
    Ok(offered)
}
