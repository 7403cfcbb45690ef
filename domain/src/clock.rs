//! Time and randomness come in as arguments, so that a test can say what day it is.

use chrono::{DateTime, Duration, SubsecRound, Utc};

/// An instant in UTC, whole microseconds (PostgreSQL keeps no more).
pub type Timestamp = DateTime<Utc>;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant, truncated to microseconds.
    fn now(&self) -> Timestamp;
}

/// Gives randomness that nobody can guess.
pub trait Random: Send + Sync {
    /// Fills `bytes` from a cryptographically secure source.
    fn fill(&self, bytes: &mut [u8]);
}

/// Cuts an instant to the microseconds that both databases keep.
pub fn truncate(instant: Timestamp) -> Timestamp {
    instant.trunc_subsecs(6)
}

/// A number of 24-hour days.
pub fn days(count: u32) -> Duration {
    Duration::days(i64::from(count))
}

/// Whole days between two instants, never below zero.
pub fn whole_days(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from((to - from).num_days().max(0)).unwrap_or(u32::MAX)
}

/// Days between two instants, a begun day counted whole, never below zero.
pub fn begun_days(from: Timestamp, to: Timestamp) -> u32 {
    let whole = whole_days(from, to);
    if to > from + days(whole) { whole.saturating_add(1) } else { whole }
}
