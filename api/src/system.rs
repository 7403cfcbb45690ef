//! The machine's clock and randomness; nobody else may ask for them.

use domain::clock::{Clock, Random, Timestamp, truncate};
use rand::TryRng;
use rand::rngs::SysRng;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes in")]
    fn now(&self) -> Timestamp {
        truncate(chrono::Utc::now())
    }
}

/// The operating system's random source.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if SysRng.try_fill_bytes(bytes).is_err() {
            // Going on without randomness would hand out guessable secrets.
            std::process::abort();
        }
    }
}
