//! Makes a plan, or replaces it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tracing::instrument;

use super::{Plan, PlanCode, PlanId, PlanPricing, Shape};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Violation};
use crate::event::{Event, Subject};
use crate::location::LocationCode;
use crate::pool::PoolId;
use crate::store::{Store, Tx, atomically};
use crate::text::{ONE_LINE_OF_100, line};
use crate::token::Permission;
use crate::user::Operator;

const MAX_LOCATIONS: usize = 100;
const MAX_POOLS: usize = 100;
const MAX_DESCRIPTION: usize = 1_000;

/// A plan as an operator describes it.
#[derive(Clone, Debug)]
pub struct PlanDraft {
    /// Names the plan.
    pub code: PlanCode,
    /// Its name for people, 1 to 100 characters.
    pub name: String,
    /// What it is good for, at most 1000 characters.
    pub description: String,
    /// What an instance has.
    pub shape: Shape,
    /// What an instance costs.
    pub pricing: PlanPricing,
    /// Where it is sold: at most 100 locations, each once.
    pub locations: Vec<LocationCode>,
    /// Whether it is shown to renters.
    pub is_listed: bool,
    /// The only pools that it is for: at most 100, each once; `None` for all.
    pub pools: Option<Vec<PoolId>>,
}

impl PlanDraft {
    /// Every fault that shows without a look at the database.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: &str| violations.push(Violation::new(path, message));
        if line(&self.name, 100).is_none() {
            fault("/name", ONE_LINE_OF_100);
        }
        let is_long = self.description.chars().count() > MAX_DESCRIPTION;
        if is_long || self.description.contains('\0') {
            fault("/description", "must be at most 1000 characters, none of them U+0000");
        }
        if self.locations.len() > MAX_LOCATIONS {
            fault("/locations", "has more than 100 entries");
        }
        let pools = self.pools.as_deref().unwrap_or_default();
        if pools.len() > MAX_POOLS {
            fault("/pools", "has more than 100 entries");
        }
        for at in repeated(&self.locations) {
            fault(&format!("/locations/{at}"), "is given twice");
        }
        for at in repeated(pools) {
            fault(&format!("/pools/{at}"), "is given twice");
        }
        violations.extend(self.shape.violations());
        violations.extend(self.pricing.violations());
        violations
    }

    /// The plan that it makes, of the one that was there.
    fn plan(&self, before: Option<&Plan>, new_id: PlanId, now: Timestamp) -> Plan {
        let mut shape = self.shape.clone();
        if let Some(gpu) = &mut shape.gpu {
            gpu.model = gpu.model.trim().to_owned();
        }
        let mut locations = self.locations.clone();
        locations.sort();
        let mut pools = self.pools.clone();
        if let Some(pools) = &mut pools {
            pools.sort();
        }
        Plan {
            id: before.map_or(new_id, |before| before.id),
            code: self.code.clone(),
            name: self.name.trim().to_owned(),
            description: self.description.clone(),
            shape,
            pricing: self.pricing.clone(),
            locations,
            is_listed: self.is_listed,
            pools,
            created_at: before.map_or(now, |before| before.created_at),
            updated_at: now,
        }
    }
}

/// Where something stands that stands before it as well.
fn repeated<T: Ord>(items: &[T]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let again = items.iter().enumerate().filter(|(_, item)| !seen.insert(*item));
    again.map(|(at, _)| at).collect()
}

/// Makes a plan, or replaces it; instances keep the terms that they were made with. One that is so
/// already stays as it is. Every change of its hourly prices is kept.
#[instrument(name = "plan.put", skip_all, fields(code = %draft.code))]
pub async fn put(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    operator: &Operator,
    draft: PlanDraft,
) -> Result<Plan> {
    operator.may(Permission::AdminWrite)?;
    Error::unless_empty(draft.violations())?;
    let now = clock.now();
    let new_id = PlanId::generate(now, random);
    atomically(store, async |tx: &dyn Tx| {
        // Before the plan, by the order of locks.
        require_pools(tx, draft.pools.as_deref().unwrap_or_default()).await?;
        let before = tx.plan_for_update(&draft.code).await?;
        known(tx, &draft.locations).await?;
        let plan = draft.plan(before.as_ref(), new_id, now);
        match &before {
            Some(before) if facts(before) == facts(&plan) => return Ok(before.clone()),
            Some(_) => tx.save_plan(&plan).await?,
            None => tx.add_plan(&plan).await?,
        }
        let hourly = |plan: &Plan| (plan.pricing.per_hour, plan.pricing.spot_per_hour);
        if before.as_ref().map(hourly) != Some(hourly(&plan)) {
            tx.add_plan_price(plan.id, &plan.price_now()).await?;
        }
        tx.record(vec![Event {
            kind: "plan.changed",
            subject: Subject::Plan(plan.id),
            actor: operator.actor(),
            before: before.as_ref().map(facts),
            data: facts(&plan),
            recipient: None,
            at: now,
        }])
        .await?;
        Ok(plan)
    })
    .await
}

/// Refuses locations that there are not.
async fn known(tx: &dyn Tx, wanted: &[LocationCode]) -> Result<()> {
    let known = tx.known_locations(wanted).await?;
    let unknown = wanted.iter().enumerate().filter(|(_, code)| !known.contains(code));
    let fault = |(at, code): (usize, &LocationCode)| {
        Violation::new(format!("/locations/{at}"), format!("there is no location `{code}`"))
    };
    Error::unless_empty(unknown.map(fault).collect())
}

/// Refuses pools that there are not.
async fn require_pools(tx: &dyn Tx, wanted: &[PoolId]) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let known = tx.pools_that_stay(wanted).await?;
    let unknown = wanted.iter().enumerate().filter(|(_, id)| !known.contains(id));
    let fault = |(at, id): (usize, &PoolId)| {
        Violation::new(format!("/pools/{at}"), format!("there is no pool `{id}`"))
    };
    Error::unless_empty(unknown.map(fault).collect())
}

fn facts(plan: &Plan) -> Value {
    json!({ "code": plan.code, "name": plan.name, "description": plan.description,
        "shape": plan.shape, "pricing": plan.pricing, "locations": plan.locations,
        "is_listed": plan.is_listed, "pools": plan.pools })
}
