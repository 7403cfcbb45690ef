//! What of the catalogue could be had at this moment.

use super::Rooms;
use crate::error::Result;
use crate::location::LocationCode;
use crate::page::Page;
use crate::plan::{Plan, PlanCode, PlanFilter, PlanScope};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct AvailabilityFilter {
    /// Only here.
    pub location: Option<LocationCode>,
    /// Only this plan.
    pub plan: Option<PlanCode>,
    /// At the spot price rather than on demand.
    pub is_spot: bool,
    /// How many instances that share a storage, as those of a cluster do; 0 and 1 mean one.
    pub nodes: u32,
}

/// The plans of which an instance, or so many, would find a place at a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// Where.
    pub location: LocationCode,
    /// Which, the cheapest first.
    pub plans: Vec<PlanCode>,
}

/// The plans that the caller could have now, for every location or the one that was asked for; a location without
/// any is named as well. It is true when it is told: nothing is reserved. As many statements whatever the number of plans and hosts.
pub async fn available(
    store: &dyn Store,
    caller: Option<&Caller>,
    filter: &AvailabilityFilter,
) -> Result<Vec<Available>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    let reads = store.reads();
    let locations = if let Some(code) = &filter.location {
        vec![code.clone()]
    } else {
        let found = reads.locations(&Page { after: None, limit: None }).await?;
        found.into_iter().map(|location| location.code).collect()
    };
    let listed = PlanFilter {
        scope: PlanScope::of(caller),
        location: filter.location.clone(),
        ..PlanFilter::default()
    };
    let plans = reads.plans(&listed, &Page { after: None, limit: None }).await?;
    let is_sold = |plan: &&Plan| {
        let price = if filter.is_spot { plan.pricing.spot_per_hour } else { plan.pricing.per_hour };
        price.is_some() && filter.plan.as_ref().is_none_or(|code| *code == plan.code)
    };
    let plans: Vec<&Plan> = plans.iter().filter(is_sold).collect();
    let rooms = Rooms::new(reads.rooms(filter.location.as_ref()).await?);
    let nodes = u64::from(filter.nodes.max(1));
    let fits = |code: &LocationCode| {
        let here = plans.iter().filter(|plan| {
            plan.locations.contains(code) && rooms.fit(&plan.shape, code).together >= nodes
        });
        here.map(|plan| plan.code.clone()).collect()
    };
    let available =
        locations.iter().map(|code| Available { location: code.clone(), plans: fits(code) });
    Ok(available.collect())
}
