//! What is sold where: a plan at one of its locations, for surfaces that sell by whole numbers.

use std::collections::BTreeMap;

use super::{Interval, Plan, PlanFilter, PlanId};
use crate::capacity::{Fit, Rooms};
use crate::error::{Error, Result, Thing};
use crate::id::{digest, entity_id};
use crate::location::{Location, LocationCode};
use crate::money::Money;
use crate::number::{self, Numbered};
use crate::page::Page;
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

/// All that is sold, the cheapest plan first and then by location: the same for all who may look.
pub async fn sales(store: &dyn Store, caller: Option<&Caller>) -> Result<Vec<Sale>> {
    may_look(caller)?;
    let offered = offered(store).await?;
    let ids: Vec<_> = offered.iter().map(|(id, ..)| id.uuid()).collect();
    let numbers = number::each(store, Numbered::Sale, &ids).await?;
    let sale = |((_, plan, location, per_hour), number)| Sale { number, plan, location, per_hour };
    Ok(offered.into_iter().zip(numbers).map(sale).collect())
}

/// What is sold by this number.
pub async fn sale(store: &dyn Store, caller: Option<&Caller>, number: i64) -> Result<Sale> {
    may_look(caller)?;
    let unknown = || Error::NotFound(Thing::Plan);
    let id = store.reads().numbered(Numbered::Sale, number).await?.ok_or_else(unknown)?;
    let mut offered = offered(store).await?.into_iter();
    let found = offered.find(|(sale_id, ..)| sale_id.uuid() == id);
    let (_, plan, location, per_hour) = found.ok_or_else(unknown)?;
    Ok(Sale { number, plan, location, per_hour })
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

async fn offered(store: &dyn Store) -> Result<Vec<(SaleId, Plan, Location, Money)>> {
    let reads = store.reads();
    let filter = PlanFilter { listed_only: true, ..PlanFilter::default() };
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
