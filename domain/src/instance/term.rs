//! For how long an instance was ordered, and what happens then.

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::paid::PaidTime;
use super::{InstanceTerms, Offered};
use crate::clock::Timestamp;
use crate::money::Money;

/// The term of an instance: of one whose offer has a longest time, or of time that is paid in advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// When it ends, or is renewed for as long as the offer of that day says; none while paid time is not
    /// being used.
    pub expires_at: Option<Timestamp>,
    /// Whether it is renewed.
    pub renewal: Renewal,
    /// The time that was paid, where it is paid in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<PaidTime>,
}

impl Term {
    /// A term of an offer that begins now.
    pub fn begin(now: Timestamp, hours: u32, renewal: Renewal) -> Self {
        let expires_at = Some(now + Duration::hours(hours.into()));
        Self { expires_at, renewal, paid: None }
    }

    /// A term of time that is paid.
    pub fn paid(paid: PaidTime, renewal: Renewal) -> Self {
        Self { expires_at: paid.ends_at(), renewal, paid: Some(paid) }
    }

    /// Whether it is renewed when it ends.
    pub fn renews(&self) -> bool {
        self.renewal.is_on && self.paid.is_none_or(|paid| paid.interval.renews())
    }

    /// Whether it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Whether an instance is renewed when its term ends, at the price of that day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Whether it is.
    pub is_on: bool,
    /// Only if it costs at most so much then; without it at any price. Of what is sold by the graphics
    /// processor it is the price of one for an hour, and the disk may cost no more than before; of time that
    /// is paid in advance it is the price of the interval.
    #[serde(rename = "max_per_gpu")]
    pub max_price: Option<Money>,
}

impl Default for Renewal {
    /// At any price, as its owner would rather pay than lose what is on it.
    fn default() -> Self {
        Self { is_on: true, max_price: None }
    }
}

impl Renewal {
    /// Whether an interval is paid at this price.
    pub(super) fn takes_interval(&self, price: Money) -> bool {
        self.max_price.is_none_or(|max| price <= max)
    }

    /// Whether it renews at the terms of today. Whoever has named a greatest price pays no more for the
    /// disk, either.
    pub(super) fn takes(&self, before: &InstanceTerms, today: &InstanceTerms) -> bool {
        let Offered::Gpus { per_gpu, .. } = today.offered else { return false };
        let is_within = |max| per_gpu <= max && today.disk_per_month <= before.disk_per_month;
        self.is_on && self.max_price.is_none_or(is_within)
    }
}
