//! Servers as operators see and describe them.

use std::collections::BTreeMap;

use domain::host::{Host, Occupancy, Pricing, Sla, Specs, Tier};
use domain::money::Money;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::field::Field;
use super::server_view::PricingView;
use super::view::Stamp;

/// A server as an operator describes it.
#[derive(Deserialize, ToSchema)]
pub struct ServerBody {
    /// The operator's own identifier; an import finds the server again by it.
    #[schema(value_type = Option<String>, max_length = 100)]
    #[serde(default)]
    pub external_id: Field<String>,
    /// What it is and where, in the shape of `specs` in the answer.
    #[schema(value_type = Option<Object>)]
    #[serde(default)]
    pub specs: Field<Map<String, Value>>,
    /// The price of each number of days.
    #[schema(value_type = Option<Object>, example = json!({"7": {"price": "70.00", "hold_days": 2}}))]
    #[serde(default)]
    pub prices: Field<Map<String, Value>>,
    /// Whether it is offered.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub is_listed: Field<bool>,
    /// What is promised about downtime to who rents it from now on: an outage of more than
    /// `grace_minutes` is credited with `credit_percent` of the price of its time. Null takes it back.
    #[schema(value_type = Option<Object>, example = json!({"grace_minutes": 30, "credit_percent": 200}))]
    #[serde(default)]
    pub sla: Field<Map<String, Value>>,
    /// Whose server it is, by username; null makes it the operator's own. Rentals that run keep theirs.
    #[schema(value_type = Option<String>, max_length = 100)]
    #[serde(default)]
    pub supplier: Field<String>,
}

/// A server as operators see it.
#[derive(Serialize, ToSchema)]
pub struct AdminServerView {
    id: String,
    external_id: Option<String>,
    is_listed: bool,
    /// `free`, `rented` or `cleaning`.
    #[schema(example = "free")]
    occupancy: &'static str,
    /// The rental that has it, or whose data are being wiped.
    rental_id: Option<String>,
    #[schema(value_type = Object)]
    specs: Value,
    pricing: PricingView,
    #[schema(value_type = Option<Object>)]
    sla: Option<Sla>,
    supplier_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<Host> for AdminServerView {
    fn from(host: Host) -> Self {
        let (occupancy, rental_id) = match host.occupancy {
            Occupancy::Free => ("free", None),
            Occupancy::Rented(id) => ("rented", Some(id.to_string())),
            Occupancy::Cleaning(id) => ("cleaning", Some(id.to_string())),
        };
        Self {
            id: host.id.to_string(),
            external_id: host.external_id,
            is_listed: host.is_listed,
            occupancy,
            rental_id,
            specs: serde_json::to_value(host.specs).unwrap_or_default(),
            pricing: host.pricing.into(),
            sla: host.sla,
            supplier_id: host.supplier_id.map(|id| id.to_string()),
            created_at: Stamp(host.created_at),
            updated_at: Stamp(host.updated_at),
        }
    }
}

/// A description in the shape that the answer has.
pub fn described(specs: Map<String, Value>) -> Result<Specs, String> {
    serde_json::from_value(Value::Object(specs)).map_err(|fault| fault.to_string())
}

#[derive(Deserialize)]
struct TierBody {
    price: String,
    #[serde(default)]
    hold_days: u32,
}

/// Prices by days.
pub fn priced(prices: Map<String, Value>) -> Result<Pricing, String> {
    let mut tiers = BTreeMap::new();
    for (days, tier) in prices {
        let number = days.parse().map_err(|_| format!("`{days}` is not a number of days"))?;
        let tier: TierBody =
            serde_json::from_value(tier).map_err(|fault| format!("`{days}`: {fault}"))?;
        let fault = || format!("the price of {days} days must be a decimal number as a string");
        let price = Money::parse(&tier.price).ok_or_else(fault)?;
        tiers.insert(number, Tier { price, hold_days: tier.hold_days });
    }
    Pricing::parse(tiers)
}

/// A promise about downtime.
pub fn promised(sla: Map<String, Value>) -> Result<Sla, String> {
    serde_json::from_value(Value::Object(sla)).map_err(|fault| fault.to_string())
}
