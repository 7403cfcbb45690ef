//! How many requests the programs of a pool may make: counted in the database, so that all server
//! processes see one count, in windows that begin with a request and last a fixed time.

mod port;

use chrono::Duration;

pub use port::{RequestCount, RequestCounts};

use crate::clock::{Clock, Timestamp};
use crate::error::Result;
use crate::pool::PoolId;
use crate::store::{Store, Tx, atomically};
use crate::text::digest;

/// How long counts are kept that nobody asks for any more.
const KEPT: Duration = Duration::minutes(10);

/// The most requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Of all requests of a pool.
    pub pool: u32,
    /// Of those with one method and path.
    pub endpoint: u32,
    /// How long a window lasts, in seconds.
    pub seconds: u32,
}

/// How a limit stands after a request was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// How many more may come in this one.
    pub left: u32,
    /// In how many seconds the next one begins, at least 1.
    pub resets_in: u32,
    /// Whether this request was too many.
    pub is_exceeded: bool,
}

/// How the limits of a pool stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Of all requests.
    pub pool: Quota,
    /// Of those with the same method and path.
    pub endpoint: Quota,
}

impl Quotas {
    /// In how many seconds the request may be tried again, if it was too many.
    pub fn retry_after(&self) -> Option<u32> {
        let exceeded = [self.pool, self.endpoint].into_iter().filter(|quota| quota.is_exceeded);
        exceeded.map(|quota| quota.resets_in).max()
    }
}

/// Counts a request of a pool for `endpoint`, such as `GET /v1/instances`.
pub async fn count(
    store: &dyn Store,
    clock: &dyn Clock,
    limits: RateLimits,
    (pool_id, endpoint): (PoolId, &str),
) -> Result<Quotas> {
    let now = clock.now();
    let window = Duration::seconds(i64::from(limits.seconds));
    let digest = digest(endpoint);
    let (all, own) = atomically(store, async |tx: &dyn Tx| {
        tx.count_request(pool_id, &digest, (now, now - window..now + window)).await
    })
    .await?;
    let quota = |most: u32, count: RequestCount| Quota {
        left: most.saturating_sub(count.requests),
        resets_in: resets_in(count.since + window, now),
        is_exceeded: count.requests > most,
    };
    Ok(Quotas { pool: quota(limits.pool, all), endpoint: quota(limits.endpoint, own) })
}

fn resets_in(at: Timestamp, now: Timestamp) -> u32 {
    let milliseconds = u32::try_from((at - now).num_milliseconds().max(1)).unwrap_or(u32::MAX);
    milliseconds.div_ceil(1_000)
}

/// Forgets counts that say nothing any more.
pub async fn forget(store: &dyn Store, clock: &dyn Clock) -> Result<u64> {
    let before = clock.now() - KEPT;
    atomically(store, async |tx: &dyn Tx| tx.forget_counts(before).await).await
}
