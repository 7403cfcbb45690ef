//! For how long an instance was ordered, and what happens then.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::{InstanceTerms, Offered};
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
    /// Only if one graphics processor costs at most so much an hour then, and the disk no more than before;
    /// without it at any price.
    pub max_per_gpu: Option<Money>,
}

impl Default for Renewal {
    /// At any price, as its owner would rather pay than lose what is on it.
    fn default() -> Self {
        Self { is_on: true, max_per_gpu: None }
    }
}

impl Renewal {
    /// Whether it renews at the terms of today. Whoever has named a greatest price pays no more for the
    /// disk, either.
    pub fn takes(&self, before: &InstanceTerms, today: &InstanceTerms) -> bool {
        let Offered::Gpus { per_gpu, .. } = today.offered else { return false };
        let is_within = |max| per_gpu <= max && today.disk_per_month <= before.disk_per_month;
        self.is_on && self.max_per_gpu.is_none_or(is_within)
    }
}
