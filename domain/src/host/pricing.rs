//! What a host costs: a price for each number of days that it is offered for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Unpayable};
use crate::money::Money;

const MAX_DAYS: u32 = 3_650;
const MAX_HOLD_DAYS: u32 = 365;
const MAX_TIERS: usize = 32;
/// A million of the currency: far above any server, far below what overflows.
const MAX_PRICE: Money = Money::from_e8(1_000_000 * 100_000_000);

/// The price of one duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// For the whole duration, in whole cents.
    pub price: Money,
    /// How long the server is kept for the renter after an end without an extension.
    pub hold_days: u32,
}

/// The durations that a host is offered for, in days of 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pricing(BTreeMap<u32, Tier>);

impl Pricing {
    /// Checks tiers: at most 32, of 1 to 3650 days, each with a positive price in whole cents and
    /// up to 365 days of hold. No tiers at all means that the host cannot be rented.
    pub fn parse(tiers: BTreeMap<u32, Tier>) -> Result<Self, String> {
        if tiers.len() > MAX_TIERS {
            return Err(format!("a server has at most {MAX_TIERS} price tiers"));
        }
        for (days, tier) in &tiers {
            if !(1..=MAX_DAYS).contains(days) {
                return Err(format!("a tier of {days} days: it must be 1 to {MAX_DAYS} days"));
            }
            let range = Money::ZERO < tier.price && tier.price <= MAX_PRICE;
            if !range || !tier.price.is_whole_cents() {
                return Err(format!(
                    "the price of {days} days must be whole cents, above 0 and at most {MAX_PRICE}"
                ));
            }
            if tier.hold_days > MAX_HOLD_DAYS {
                return Err(format!("the hold of {days} days is at most {MAX_HOLD_DAYS} days"));
            }
        }
        Ok(Self(tiers))
    }

    /// The tier of exactly these days; there is no interpolation.
    pub fn tier(&self, days: u32) -> Result<Tier> {
        if self.0.is_empty() {
            return Err(Error::Unpayable(Unpayable::NoPricing));
        }
        self.0.get(&days).copied().ok_or_else(|| self.invalid_duration(0))
    }

    /// The refusal of a duration, naming those of more than `above` days.
    pub fn invalid_duration(&self, above: u32) -> Error {
        let available = self.0.keys().copied().filter(|days| *days > above).collect();
        Error::Unpayable(Unpayable::InvalidDuration { available })
    }

    /// The tiers by days, ascending.
    pub fn tiers(&self) -> impl Iterator<Item = (u32, Tier)> {
        self.0.iter().map(|(days, tier)| (*days, *tier))
    }

    /// The lowest price of a day over all tiers, rounded down to 10⁻⁸.
    pub fn cheapest_per_day(&self) -> Option<Money> {
        self.0.iter().map(|(days, tier)| tier.price.per(*days)).min()
    }
}
