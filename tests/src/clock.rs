//! A clock that stands still until a test steps it.

use std::sync::Mutex;

use chrono::Duration;
use domain::clock::{Clock, Timestamp};

/// Begins at 2025-01-21T22:00:00Z, the moment of the published API's examples.
pub struct SteppedClock(Mutex<Timestamp>);

impl Default for SteppedClock {
    fn default() -> Self {
        Self(Mutex::new("2025-01-21T22:00:00Z".parse().unwrap()))
    }
}

impl SteppedClock {
    /// Lets time pass, or jump back with a negative duration.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}
