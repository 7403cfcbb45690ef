//! What the renter of a host gets for downtime.

use serde::{Deserialize, Serialize};

use crate::error::Violation;

const MAX_GRACE_MINUTES: u32 = 30 * 24 * 60;
const MAX_CREDIT_PERCENT: u32 = 1_000;

/// A promise about downtime. A rental keeps the one that it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sla {
    /// Outages up to so many minutes are not credited; longer ones are, in whole.
    pub grace_minutes: u32,
    /// How much of the price of the time that the host was down is credited: 100 gives back just that
    /// price, 1000 ten times as much. Never more than was paid for the period.
    pub credit_percent: u32,
}

impl Sla {
    /// What is wrong with it.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut fault = |path: &str, message: String| {
            violations.push(Violation { path: path.to_owned(), message });
        };
        if self.grace_minutes > MAX_GRACE_MINUTES {
            fault("/sla/grace_minutes", format!("must be 0 to {MAX_GRACE_MINUTES}"));
        }
        if !(1..=MAX_CREDIT_PERCENT).contains(&self.credit_percent) {
            fault("/sla/credit_percent", format!("must be 1 to {MAX_CREDIT_PERCENT}"));
        }
        violations
    }
}
