//! Plans on the wire.

use domain::money::Money;
use domain::plan::{GpuShape, IntervalPrice, LongTerm, Plan, PlanPrice, PlanPricing, Shape};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::early_end::percent;
use super::field::{Field, Nested};
use super::view::Stamp;

#[derive(Deserialize, ToSchema)]
pub struct PlanBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "One H100")]
    #[serde(default)]
    pub name: Field<String>,
    #[schema(value_type = Option<String>, max_length = 1000, example = "For training and inference")]
    #[serde(default)]
    pub description: Field<String>,
    #[schema(value_type = ShapeBody, required)]
    #[serde(default)]
    pub shape: Field<Nested<ShapeBody>>,
    #[schema(value_type = PlanPricingBody, required)]
    #[serde(default)]
    pub pricing: Field<Nested<PlanPricingBody>>,
    /// Where it is sold, by code; each once.
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    #[serde(default)]
    pub locations: Field<Vec<String>>,
    /// Whether renters see it; true if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub is_listed: Field<bool>,
    /// The only pools that see and order it, each once; everybody does if it is not given, and nobody if there
    /// is none in it.
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    #[serde(default)]
    pub pools: Field<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ShapeBody {
    #[schema(value_type = u32, required, minimum = 1, maximum = 4096, example = 30)]
    #[serde(default)]
    pub cpus: Field<i64>,
    #[schema(value_type = u32, required, minimum = 128, maximum = 67_108_864, example = 122_880)]
    #[serde(default)]
    pub ram_mib: Field<i64>,
    #[schema(value_type = Option<GpuBody>)]
    #[serde(default)]
    pub gpu: Field<Nested<GpuBody>>,
    /// The disk that comes with it and holds the operating system.
    #[schema(value_type = u32, required, minimum = 1, maximum = 1_000_000, example = 50)]
    #[serde(default)]
    pub disk_gb: Field<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct GpuBody {
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "H100")]
    #[serde(default)]
    pub model: Field<String>,
    #[schema(value_type = u32, required, minimum = 1, maximum = 1024, example = 1)]
    #[serde(default)]
    pub count: Field<i64>,
    /// Of each.
    #[schema(value_type = u32, required, minimum = 1, maximum = 16_777_216, example = 81_920)]
    #[serde(default)]
    pub memory_mib: Field<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct PlanPricingBody {
    /// An hour on demand; without it the plan is not sold so.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "2.1381")]
    #[serde(default)]
    pub per_hour: Field<String>,
    /// An hour that the operator may end; without it the plan is not sold so.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "0.8012")]
    #[serde(default)]
    pub spot_per_hour: Field<String>,
    /// Each interval at most once.
    #[schema(value_type = Option<Vec<IntervalPriceBody>>, max_items = 5)]
    #[serde(default)]
    pub intervals: Field<Vec<Nested<IntervalPriceBody>>>,
    /// Each code at most once.
    #[schema(value_type = Option<Vec<LongTermBody>>, max_items = 32)]
    #[serde(default)]
    pub long_terms: Field<Vec<Nested<LongTermBody>>>,
    /// The share of the hourly price while an instance is shut down; 100 if it is not given.
    #[schema(value_type = Option<u32>, maximum = 100, example = 100)]
    #[serde(default)]
    pub stopped_percent: Field<i64>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct IntervalPriceBody {
    #[schema(value_type = String, required, pattern = "^(HOUR|DAY|WEEK|MONTH|YEAR)$", example = "MONTH")]
    #[serde(default)]
    pub interval: Field<String>,
    /// For all of it.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "1200.00")]
    #[serde(default)]
    pub price: Field<String>,
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct LongTermBody {
    #[schema(value_type = String, required, pattern = "^[A-Za-z0-9._~-]{1,64}$", example = "3_MONTHS")]
    #[serde(default)]
    pub code: Field<String>,
    #[schema(value_type = String, required, min_length = 1, max_length = 100, example = "3 months")]
    #[serde(default)]
    pub name: Field<String>,
    #[schema(value_type = u32, required, minimum = 1, maximum = 120, example = 3)]
    #[serde(default)]
    pub months: Field<i64>,
    /// What is taken off the hourly price.
    #[schema(value_type = String, required, pattern = "^[0-9]{1,3}([.][0-9]{1,2})?$", example = "10.00")]
    #[serde(default)]
    pub discount_percent: Field<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PlanView {
    id: String,
    #[schema(example = "1H100.30V")]
    code: String,
    #[schema(example = "One H100")]
    name: String,
    description: String,
    shape: ShapeView,
    pricing: PlanPricingView,
    /// Where it is sold, by code.
    locations: Vec<String>,
    is_listed: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

/// A plan as operators see it.
#[derive(Serialize, ToSchema)]
pub struct AdminPlanView {
    #[serde(flatten)]
    plan: PlanView,
    /// The only pools that see and order it; null where everybody does. A pool that is deleted is none of them
    /// any more.
    pools: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct ShapeView {
    cpus: u32,
    ram_mib: u32,
    gpu: Option<GpuView>,
    disk_gb: u32,
}

#[derive(Serialize, ToSchema)]
pub struct GpuView {
    #[schema(example = "H100")]
    model: String,
    count: u32,
    /// Of each.
    memory_mib: u32,
}

#[derive(Serialize, ToSchema)]
pub struct PlanPricingView {
    /// Null where it is not sold on demand.
    #[schema(example = "2.1381")]
    per_hour: Option<String>,
    /// Null where there is no spot price.
    #[schema(example = "0.8012")]
    spot_per_hour: Option<String>,
    intervals: Vec<IntervalPriceView>,
    long_terms: Vec<LongTermView>,
    /// The share of the hourly price while an instance is shut down.
    stopped_percent: u32,
    #[schema(example = "USD")]
    currency: String,
}

#[derive(Serialize, ToSchema)]
pub struct IntervalPriceView {
    /// `HOUR`, `DAY`, `WEEK`, `MONTH` or `YEAR`.
    #[schema(example = "MONTH")]
    interval: &'static str,
    #[schema(example = "1200.00")]
    price: String,
}

#[derive(Serialize, ToSchema)]
pub struct LongTermView {
    #[schema(example = "3_MONTHS")]
    code: String,
    #[schema(example = "3 months")]
    name: String,
    months: u32,
    #[schema(example = "10.00")]
    discount_percent: String,
}

/// What a plan cost since an instant.
#[derive(Serialize, ToSchema)]
pub struct PlanPriceView {
    #[schema(value_type = String, format = DateTime)]
    changed_at: Stamp,
    #[schema(example = "2.1381")]
    per_hour: Option<String>,
    #[schema(example = "0.8012")]
    spot_per_hour: Option<String>,
}

pub fn plan_view(plan: Plan, currency: &str) -> PlanView {
    PlanView {
        id: plan.id.to_string(),
        code: plan.code.to_string(),
        name: plan.name,
        description: plan.description,
        shape: plan.shape.into(),
        pricing: pricing_view(plan.pricing, currency),
        locations: plan.locations.iter().map(ToString::to_string).collect(),
        is_listed: plan.is_listed,
        created_at: Stamp(plan.created_at),
        updated_at: Stamp(plan.updated_at),
    }
}

pub fn admin_plan_view(plan: Plan, currency: &str) -> AdminPlanView {
    let pools = plan.pools.as_ref();
    let pools = pools.map(|pools| pools.iter().map(ToString::to_string).collect());
    AdminPlanView { pools, plan: plan_view(plan, currency) }
}

fn pricing_view(pricing: PlanPricing, currency: &str) -> PlanPricingView {
    PlanPricingView {
        per_hour: pricing.per_hour.map(Money::exact),
        spot_per_hour: pricing.spot_per_hour.map(Money::exact),
        intervals: pricing.intervals.into_iter().map(Into::into).collect(),
        long_terms: pricing.long_terms.into_iter().map(Into::into).collect(),
        stopped_percent: pricing.stopped_percent,
        currency: currency.to_owned(),
    }
}

impl From<Shape> for ShapeView {
    fn from(Shape { cpus, ram_mib, gpu, disk_gb }: Shape) -> Self {
        Self { cpus, ram_mib, gpu: gpu.map(Into::into), disk_gb }
    }
}

impl From<GpuShape> for GpuView {
    fn from(GpuShape { model, count, memory_mib }: GpuShape) -> Self {
        Self { model, count, memory_mib }
    }
}

impl From<IntervalPrice> for IntervalPriceView {
    fn from(IntervalPrice { interval, price }: IntervalPrice) -> Self {
        Self { interval: interval.as_str(), price: price.exact() }
    }
}

impl From<LongTerm> for LongTermView {
    fn from(term: LongTerm) -> Self {
        Self {
            code: term.code.to_string(),
            name: term.name,
            months: term.months,
            discount_percent: percent(term.discount_bp),
        }
    }
}

impl From<PlanPrice> for PlanPriceView {
    fn from(price: PlanPrice) -> Self {
        Self {
            changed_at: Stamp(price.changed_at),
            per_hour: price.per_hour.map(Money::exact),
            spot_per_hour: price.spot_per_hour.map(Money::exact),
        }
    }
}
