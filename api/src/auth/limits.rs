//! Limits on guessing: how often one address, and one account, may try.
//!
//! They are kept in this process: N processes let through N times as much, which still makes
//! guessing hopeless and needs no shared state.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::Duration;
use domain::clock::Clock;
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// How many attempts a minute.
#[derive(Clone, Copy, Debug)]
pub struct LimitsConfig {
    /// From one address, log-ins and refreshes each.
    pub per_address: NonZeroU32,
    /// On one account.
    pub per_account: NonZeroU32,
}

/// The limits of the routes that take credentials.
pub struct Limits {
    address: Limit<(IpAddr, String)>,
    account: Limit<String>,
}

/// What a limit says about one attempt, for the answer's headers.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Which limit.
    pub policy: &'static str,
    /// Attempts a minute.
    pub quota: u32,
    /// How many are left now.
    pub remaining: u32,
    /// Seconds until one more is allowed (when refused) or until all are again.
    pub reset_seconds: u64,
    /// Whether the attempt may go on.
    pub allowed: bool,
}

impl Limits {
    /// Limits that go by the clock given.
    pub fn new(config: LimitsConfig, clock: &Arc<dyn Clock>) -> Self {
        Self {
            address: Limit::new("address", config.per_address, clock),
            account: Limit::new("account", config.per_account, clock),
        }
    }

    /// An attempt from an address at a route. All of an IPv6 /64 counts as one address, since that
    /// is the least that a single customer gets (RFC 6177).
    pub fn from_address(&self, address: IpAddr, route: String) -> Decision {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        };
        self.address.check(&(address, route))
    }

    /// An attempt on an account, by the name that was tried, whether it exists or not.
    pub fn on_account(&self, login: &str) -> Decision {
        self.account.check(&login.to_lowercase())
    }

    /// Forgets keys that are back at their full quota, so that memory stays bounded.
    pub fn tidy(&self) {
        self.address.limiter.retain_recent();
        self.account.limiter.retain_recent();
    }
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, LimitClock, StateInformationMiddleware>;

struct Limit<K: Hash + Eq + Clone> {
    policy: &'static str,
    quota: NonZeroU32,
    limiter: Keyed<K>,
    clock: LimitClock,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(policy: &'static str, quota: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        let clock = LimitClock(clock.clone());
        let per_minute = Quota::per_minute(quota);
        let limiter = RateLimiter::<K, _, _, NoOpMiddleware<std::time::Duration>>::new(
            per_minute,
            DashMapStateStore::default(),
            clock.clone(),
        )
        .with_middleware();
        Self { policy, quota, limiter, clock }
    }

    fn check(&self, key: &K) -> Decision {
        let quota = self.quota.get();
        let (remaining, reset_seconds, allowed) = match self.limiter.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = u64::from(quota.saturating_sub(remaining));
                (remaining, (used * 60).div_ceil(u64::from(quota)), true)
            }
            Err(until) => {
                let wait = until.wait_time_from(governor::clock::Clock::now(&self.clock));
                (0, wait.as_secs().saturating_add(1), false)
            }
        };
        Decision { policy: self.policy, quota, remaining, reset_seconds, allowed }
    }
}

impl Decision {
    /// How long to wait, for a refused attempt.
    pub fn retry_after(&self) -> Duration {
        Duration::seconds(i64::try_from(self.reset_seconds).unwrap_or(60))
    }
}

/// The deployment's clock, as the limiter reads it.
#[derive(Clone)]
struct LimitClock(Arc<dyn Clock>);

impl governor::clock::Clock for LimitClock {
    type Instant = std::time::Duration;

    fn now(&self) -> std::time::Duration {
        let microseconds = u64::try_from(self.0.now().timestamp_micros()).unwrap_or(0);
        std::time::Duration::from_micros(microseconds)
    }
}
