use async_trait::async_trait;

use super::{Plan, PlanCode, PlanFilter, PlanId, PlanPlace, PlanPrice, PlanScope};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::page::Page;
use crate::user::Viewer;

/// Looks at plans.
#[async_trait]
pub trait PlanQueries {
    /// The plan, listed or not, whoever it is for.
    async fn plan(&self, id: PlanId) -> Result<Option<Plan>>;

    /// The plan that has this code, if it is one of these.
    async fn plan_coded(&self, scope: PlanScope, code: &PlanCode) -> Result<Option<Plan>>;

    /// Plans that pass the filter, in the order of their places.
    async fn plans(&self, filter: &PlanFilter, page: &Page<PlanPlace>) -> Result<Vec<Plan>>;

    /// Whether somebody sees a listed plan that not everybody does.
    async fn sees_private_plans(&self, viewer: Viewer) -> Result<bool>;

    /// A number that rises with every change of plans by this process.
    fn plan_generation(&self) -> u64;

    /// What a plan has cost by the hour, the newest price first: up to `limit` of them.
    async fn plan_prices(&self, id: PlanId, limit: u32) -> Result<Vec<PlanPrice>>;

    /// What all plans came to cost by the hour since a moment, the newest price first: up to `limit` prices.
    async fn prices_since(&self, since: Timestamp, limit: u32) -> Result<Vec<(PlanId, PlanPrice)>>;
}

/// Changes plans.
#[async_trait]
pub trait Plans {
    /// The plan, locked until the transaction ends.
    async fn plan_for_update(&self, code: &PlanCode) -> Result<Option<Plan>>;

    /// Adds a plan with its locations and pools; [`crate::Error::Contention`] where somebody was faster.
    async fn add_plan(&self, plan: &Plan) -> Result<()>;

    /// Stores a locked plan, its locations and its pools.
    async fn save_plan(&self, plan: &Plan) -> Result<()>;

    /// Adds to the history of a plan's prices.
    async fn add_plan_price(&self, id: PlanId, price: &PlanPrice) -> Result<()>;
}
