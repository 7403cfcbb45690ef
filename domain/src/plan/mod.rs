//! Plans: shapes of instances, what they cost, and where they are sold.

mod browse;
mod port;
mod pricing;
mod put;
mod sale;
mod shape;

use serde::Serialize;

pub use browse::{PlanFilter, PlanPlace, PlanScope, all, list, price_changes, prices, show};
pub use port::{PlanQueries, Plans};
pub use pricing::{Interval, IntervalPrice, LongTerm, LongTermCode, PlanPricing};
pub use put::{PlanDraft, put};
pub use sale::{
    Sale, SaleId, countries, fits, generation, may_look, pool_for, sale, sales, sees_private,
};
pub use shape::{GpuShape, Shape};

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::location::LocationCode;
use crate::money::Money;
use crate::pool::PoolId;
use crate::text::code;

entity_id!(
    /// Identifies a plan.
    PlanId
);

code!(
    /// Names a plan.
    PlanCode
);

/// A kind of instance that can be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Identifies the plan.
    pub id: PlanId,
    /// Names the plan.
    pub code: PlanCode,
    /// Its name for people.
    pub name: String,
    /// What it is good for; may be empty.
    pub description: String,
    /// What an instance of it has.
    pub shape: Shape,
    /// What an instance of it costs.
    pub pricing: PlanPricing,
    /// Where it is sold, by code.
    pub locations: Vec<LocationCode>,
    /// Whether it is shown to renters.
    pub is_listed: bool,
    /// The only pools that it is for, by id; `None` where it is for all. It is for nobody where the last of
    /// them was deleted.
    pub pools: Option<Vec<PoolId>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Plan {
    /// Whether it is for some pools only.
    pub const fn is_private(&self) -> bool {
        self.pools.is_some()
    }

    /// Whether it is for what belongs to this pool.
    pub fn is_for(&self, pool_id: PoolId) -> bool {
        self.pools.as_ref().is_none_or(|pools| pools.contains(&pool_id))
    }

    /// Whether this pool can order it, come to it from another plan, or pay for another interval of it. What
    /// is paid by the second goes on when it no longer can, and what is paid in advance until that time is
    /// used up: a plan that is taken from a pool is like one that is no longer listed.
    pub fn is_offered_to(&self, pool_id: PoolId) -> bool {
        self.is_listed && self.is_for(pool_id)
    }

    /// What it costs by the hour from now on, as a row of its history.
    pub fn price_now(&self) -> PlanPrice {
        let PlanPricing { per_hour, spot_per_hour, .. } = self.pricing;
        PlanPrice { changed_at: self.updated_at, per_hour, spot_per_hour }
    }
}

/// What a plan cost by the hour since an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPrice {
    /// Since when.
    pub changed_at: Timestamp,
    /// On demand; `None` where it was not sold so.
    pub per_hour: Option<Money>,
    /// At the spot price; `None` where it was not sold so.
    pub spot_per_hour: Option<Money>,
}
