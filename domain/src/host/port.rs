use async_trait::async_trait;

use super::{Browse, Facets, Filters, Host, HostId};
use crate::error::Result;
use crate::page::Page;

/// Looks at hosts, whether they are offered or not.
#[async_trait]
pub trait HostQueries {
    /// The host.
    async fn host(&self, id: HostId) -> Result<Option<Host>>;

    /// Hosts by age, oldest first.
    async fn hosts(&self, page: &Page<HostId>) -> Result<Vec<Host>>;

    /// How many hosts there are.
    async fn host_count(&self) -> Result<u64>;

    /// Hosts by the operator's own identifiers.
    async fn hosts_by_external_id(&self, external_ids: &[String]) -> Result<Vec<Host>>;
}

/// The offers that people browse: hosts that are listed, priced and free. An implementation may lag
/// behind a commit by seconds, because renting decides on the host itself.
#[async_trait]
pub trait Catalogue {
    /// Offers that pass all filters, in order. The page's key is opaque to everybody else.
    async fn browse(&self, browse: &Browse) -> Result<Vec<(Host, String)>>;

    /// A number that rises with every change of offers by this process.
    fn generation(&self) -> u64;

    /// How many offers pass all filters.
    async fn offer_count(&self, filters: &Filters) -> Result<u64>;

    /// How many offers pass all filters, by country, category, RAM type and disk type.
    async fn facets(&self, filters: &Filters) -> Result<Facets>;
}

/// Changes hosts.
#[async_trait]
pub trait Hosts {
    /// The host, locked until the transaction ends.
    async fn host_for_update(&self, id: HostId) -> Result<Option<Host>>;

    /// The hosts that there are of these, by id, locked until the transaction ends.
    async fn hosts_for_update(&self, ids: &[HostId]) -> Result<Vec<Host>>;

    /// Stores that these locked hosts are wiped after the rentals that they had.
    async fn save_cleaning(&self, ids: &[HostId]) -> Result<()>;

    /// Adds hosts; an external id that another host has is refused as `/external_id`.
    async fn add_hosts(&self, hosts: &[Host]) -> Result<()>;

    /// Stores specifications, prices and listing of a locked host.
    async fn save_host(&self, host: &Host) -> Result<()>;

    /// Stores who has a locked host.
    async fn save_occupancy(&self, host: &Host) -> Result<()>;
}
