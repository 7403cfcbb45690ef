//! The prices of a row in Berth's own shape.

use std::collections::BTreeMap;

use domain::host::{Pricing, Tier};
use domain::money::Money;
use serde_json::Value;

use super::fields::{Fields, amount, count};

const NAME: &str = "prices";

/// Reads every `price_<days>d` with its `hold_<days>d`, and the object `prices`.
pub(super) fn take(fields: &mut Fields) -> Pricing {
    let mut tiers = BTreeMap::new();
    for name in fields.names() {
        if let Some(days) = days_of("price_", &name) {
            let price = fields.want(&name, amount);
            let hold_days = fields.want(&format!("hold_{days}d"), count).unwrap_or(0);
            add(fields, &mut tiers, &name, days, price.map(|price| Tier { price, hold_days }));
        }
    }
    match fields.take(NAME) {
        Some(Value::Object(object)) => {
            for (days, tier) in object {
                take_tier(fields, &mut tiers, &days, tier);
            }
        }
        Some(_) => fields.fault(NAME, "must be an object such as {\"7\": {\"price\": \"70.00\"}}"),
        None => {}
    }
    for name in fields.names() {
        if let Some(days) = days_of("hold_", &name) {
            fields.take(&name);
            fields.fault(&name, format!("there is no price_{days}d that it belongs to"));
        }
    }
    Pricing::parse(tiers).unwrap_or_else(|fault| {
        fields.fault(NAME, fault);
        Pricing::default()
    })
}

/// Whether a column holds the price or the hold of some days.
pub(super) fn is_column(name: &str) -> bool {
    days_of("price_", name).or(days_of("hold_", name)).is_some()
}

fn take_tier(fields: &mut Fields, tiers: &mut BTreeMap<u32, Tier>, days: &str, value: Value) {
    let name = format!("{NAME}.{days}");
    let Some(number) = whole(days) else {
        fields.fault(&name, "the name of a price must be a number of days");
        return;
    };
    let tier = fields.within(&name, value, |tier| Tier {
        price: tier.need("price", amount, Money::ZERO),
        hold_days: tier.want("hold_days", count).unwrap_or(0),
    });
    add(fields, tiers, &name, number, tier);
}

/// Adds a tier, if it could be read, after checking it alone so that each bad tier is told.
fn add(
    fields: &mut Fields,
    tiers: &mut BTreeMap<u32, Tier>,
    name: &str,
    days: u32,
    tier: Option<Tier>,
) {
    let Some(tier) = tier else { return };
    match Pricing::parse(BTreeMap::from([(days, tier)])) {
        Err(fault) => fields.fault(name, fault),
        Ok(_) if tiers.insert(days, tier).is_some() => {
            fields.fault(name, format!("the price of {days} days is given twice"));
        }
        Ok(_) => {}
    }
}

fn days_of(prefix: &str, name: &str) -> Option<u32> {
    whole(name.strip_prefix(prefix)?.strip_suffix('d')?)
}

/// A number in its one spelling, so that `price_07d` is not a second `price_7d`.
fn whole(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|number: &u32| number.to_string() == digits)
}
