use async_trait::async_trait;

use super::{Direction, GpuOffer, GpuOfferFilter, GpuOfferOrder, GpuRow};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;

/// Looks at offers by the graphics processor.
#[async_trait]
pub trait GpuOfferQueries {
    /// What is sold of a host.
    async fn gpu_offer(&self, host_id: HostId) -> Result<Option<GpuOffer>>;

    /// Listed rows that pass the filter now, in order: up to `limit` after the first `skip`.
    async fn gpu_rows(
        &self,
        filter: &GpuOfferFilter,
        orders: &[(GpuOfferOrder, Direction)],
        now: Timestamp,
        part: (u32, u32),
    ) -> Result<Vec<GpuRow>>;
}

/// Changes offers by the graphics processor. They are guarded by the lock of their host's capacity.
#[async_trait]
pub trait GpuOffers {
    /// Adds an offer, or stores it.
    async fn save_gpu_offer(&self, offer: &GpuOffer) -> Result<()>;
}
