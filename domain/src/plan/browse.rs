//! Looks at plans and what they have cost.

use std::collections::BTreeMap;
use std::fmt;

use super::{Plan, PlanCode, PlanId, PlanPrice};
use crate::clock::Timestamp;
use crate::error::{Error, Result, Thing};
use crate::location::LocationCode;
use crate::money::Money;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Operator, Viewer, may_if_known};

/// Which plans are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanScope {
    /// All that there are: for operators, and for what decides on the plan itself.
    #[default]
    All,
    /// Those that everybody sees: they are listed, and for all pools.
    Public,
    /// The same, and those that are listed for a pool whose things this one sees.
    Seen(Viewer),
}

impl PlanScope {
    /// What somebody sees, or anybody.
    pub fn of(caller: Option<&Caller>) -> Self {
        caller.map_or(Self::Public, |caller| Self::Seen(caller.viewer()))
    }
}

/// What a plan must be. Everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFilter {
    /// Only of these.
    pub scope: PlanScope,
    /// Sold there.
    pub location: Option<LocationCode>,
    /// With this graphics processor, without regard to case.
    pub gpu_model: Option<String>,
    /// At least as many graphics processors.
    pub min_gpus: Option<u32>,
    /// At least as many virtual CPUs.
    pub min_cpus: Option<u32>,
    /// At least as much memory, in MiB.
    pub min_ram_mib: Option<u32>,
}

/// Where a plan stands in a list: by its hourly price, those that are not sold on demand last, equal
/// ones by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanPlace {
    /// The hourly price.
    pub per_hour: Option<Money>,
    /// Which plan.
    pub id: PlanId,
}

impl PlanPlace {
    /// The place of a plan.
    pub const fn of(plan: &Plan) -> Self {
        Self { per_hour: plan.pricing.per_hour, id: plan.id }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (price, id) = text.split_once('.')?;
        let per_hour = match price {
            "-" => None,
            units => Some(Money::from_e8(units.parse().ok()?)),
        };
        Some(Self { per_hour, id: PlanId::parse(id)? })
    }
}

impl fmt::Display for PlanPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per_hour {
            Some(price) => write!(f, "{}.{}", price.e8(), self.id),
            None => write!(f, "-.{}", self.id),
        }
    }
}

/// Listed plans that pass the filter, the cheapest first: those for everybody, and those for pools of the
/// caller. Anybody may look; only credentials that came along are checked.
pub async fn list(
    store: &dyn Store,
    caller: Option<&Caller>,
    filter: PlanFilter,
    page: Page<PlanPlace>,
) -> Result<Paged<Plan, PlanPlace>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    find(store, PlanFilter { scope: PlanScope::of(caller), ..filter }, page).await
}

/// Every plan, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<PlanPlace>,
) -> Result<Paged<Plan, PlanPlace>> {
    operator.may(Permission::AdminRead)?;
    find(store, PlanFilter::default(), page).await
}

async fn find(
    store: &dyn Store,
    filter: PlanFilter,
    page: Page<PlanPlace>,
) -> Result<Paged<Plan, PlanPlace>> {
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().plans(&filter, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, PlanPlace::of))
}

/// One listed plan. To whoever is in none of its pools it is one that there never was.
pub async fn show(store: &dyn Store, caller: Option<&Caller>, code: &PlanCode) -> Result<Plan> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    let plan = store.reads().plan_coded(PlanScope::of(caller), code).await?;
    plan.ok_or(Error::NotFound(Thing::Plan))
}

/// The most prices that a history tells.
const MOST_PRICES: u32 = 10_000;

/// What each listed plan has come to cost by the hour since a moment, the newest price first, as [`list`]
/// shows them to the caller.
pub async fn price_changes(
    store: &dyn Store,
    caller: Option<&Caller>,
    since: Timestamp,
) -> Result<Vec<(Plan, Vec<PlanPrice>)>> {
    let all = Page { after: None, limit: None };
    let plans = list(store, caller, PlanFilter::default(), all).await?.rows;
    let mut prices: BTreeMap<PlanId, Vec<PlanPrice>> = BTreeMap::new();
    for (id, price) in store.reads().prices_since(since, MOST_PRICES).await? {
        prices.entry(id).or_default().push(price);
    }
    let with = |plan: Plan| {
        let own = prices.remove(&plan.id).unwrap_or_default();
        (plan, own)
    };
    Ok(plans.into_iter().map(with).collect())
}

/// What a listed plan has cost by the hour, the newest price first: up to `limit` of them.
pub async fn prices(
    store: &dyn Store,
    caller: Option<&Caller>,
    code: &PlanCode,
    limit: u32,
) -> Result<Vec<PlanPrice>> {
    let plan = show(store, caller, code).await?;
    store.reads().plan_prices(plan.id, limit).await
}
