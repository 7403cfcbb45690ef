use std::ops::Range;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::pool::PoolId;

/// How many requests there were in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// When the window began.
    pub since: Timestamp,
    /// How many, the present one among them.
    pub requests: u32,
}

/// Counts requests.
#[async_trait]
pub trait RequestCounts {
    /// Counts a request of a pool: among all of them, and among those of one endpoint, which is told by a
    /// digest. The times are now, and between which instants a window began that still lasts: another one
    /// begins anew. The present lies in the middle, as another server's clock may be a little ahead.
    async fn count_request(
        &self,
        pool_id: PoolId,
        endpoint: &[u8; 32],
        times: (Timestamp, Range<Timestamp>),
    ) -> Result<(RequestCount, RequestCount)>;

    /// Deletes what was counted in windows that began before an instant; answers how many.
    async fn forget_counts(&self, before: Timestamp) -> Result<u64>;
}
