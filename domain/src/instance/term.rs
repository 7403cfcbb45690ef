//! For how long an instance was ordered, and what happens then.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::money::Money;

/// The term of an instance whose offer has a longest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// When it ends, or is renewed for as long as the offer of that day says.
    pub expires_at: Timestamp,
    /// Whether it is renewed.
    pub renewal: Renewal,
}

impl Term {
    /// A term that begins now.
    pub fn begin(now: Timestamp, hours: u32, renewal: Renewal) -> Self {
        Self { expires_at: now + Duration::hours(hours.into()), renewal }
    }
}

/// Whether an instance is renewed when its term ends, at the price of that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Whether it is.
    pub is_on: bool,
    /// Only if one graphics processor costs at most so much an hour then; without it at any price.
    pub max_per_gpu: Option<Money>,
}

impl Default for Renewal {
    /// At any price, as its owner would rather pay than lose what is on it.
    fn default() -> Self {
        Self { is_on: true, max_per_gpu: None }
    }
}

impl Renewal {
    /// Whether it renews at a price.
    pub fn takes(&self, per_gpu: Money) -> bool {
        self.is_on && self.max_per_gpu.is_none_or(|max| per_gpu <= max)
    }
}
