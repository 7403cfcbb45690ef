use async_trait::async_trait;

use super::{GpuOffer, MarketChanges, MarketHost, MarketMark};
use crate::error::Result;
use crate::host::HostId;
use crate::page::Page;

/// Looks at offers by the graphics processor.
#[async_trait]
pub trait GpuOfferQueries {
    /// What is sold of a host.
    async fn gpu_offer(&self, host_id: HostId) -> Result<Option<GpuOffer>>;

    /// How far the market has come: whatever was committed before it was asked for lies before the mark.
    async fn market_mark(&self) -> Result<MarketMark>;

    /// Hosts whose graphics processors are listed, by id.
    async fn market_hosts(&self, page: &Page<HostId>) -> Result<Vec<MarketHost>>;

    /// All that lies behind a mark, in whatever order it was begun and committed, as it stands now, seen at
    /// one moment. `None` if that is no longer known, or the mark is not of this database: then everything is
    /// to be read anew.
    async fn market_changes(&self, since: &MarketMark) -> Result<Option<MarketChanges>>;
}

/// Changes offers by the graphics processor. They are guarded by the lock of their host's capacity.
#[async_trait]
pub trait GpuOffers {
    /// Adds an offer, or stores it.
    async fn save_gpu_offer(&self, offer: &GpuOffer) -> Result<()>;

    /// Forgets which changes there were of the market, but for so many of the last; answers how many were
    /// forgotten.
    async fn trim_market_changes(&self, keep: u32) -> Result<u64>;
}
