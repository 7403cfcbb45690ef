use async_trait::async_trait;

use super::{Outage, OutageId};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::page::Page;

/// Looks at outages.
#[async_trait]
pub trait OutageQueries {
    /// Outages, newest first; of one host, if one is given.
    async fn outages(&self, host_id: Option<HostId>, page: &Page<OutageId>) -> Result<Vec<Outage>>;

    /// Whether an outage of the host overlaps this time.
    async fn has_outage_between(
        &self,
        host_id: HostId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<bool>;
}

/// Changes outages.
#[async_trait]
pub trait Outages {
    /// Adds an outage. Lock its host before.
    async fn add_outage(&self, outage: &Outage) -> Result<()>;
}
