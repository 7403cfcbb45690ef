//! Browses what is offered.

use super::{Category, DiskType, Host, HostId, RamType, ScoreType};
use crate::error::{Error, Result, Thing};
use crate::money::Money;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

/// How much later, at most, totals and the complete list show what another process has changed. What
/// this process has changed they show at once.
pub const CHANGES_SEEN_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

/// What an offer must be. Every filter given must pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filters {
    /// Country code, without regard to case.
    pub country: Option<String>,
    /// Region, without regard to case.
    pub region: Option<String>,
    /// The cheapest tier's price over its days is at most this.
    pub max_price_per_day: Option<Money>,
    /// All of these numbers of days are offered.
    pub durations: Vec<u32>,
    /// At least as many cores.
    pub min_cpu_cores: Option<u32>,
    /// At least this score, in this benchmark only.
    pub min_cpu_score: Option<CpuScore>,
    /// At least as much memory, in GiB.
    pub min_ram_gb: Option<u32>,
    /// One of these kinds of memory.
    pub ram_types: Vec<RamType>,
    /// At least as much storage, in GB.
    pub min_total_storage_gb: Option<u32>,
    /// Some disk of one of these kinds.
    pub disk_types: Vec<DiskType>,
    /// At least this port speed.
    pub min_bandwidth_mbps: Option<u32>,
    /// At least this much traffic a month; unlimited traffic passes.
    pub min_traffic_tb: Option<u32>,
    /// Only unlimited traffic.
    pub unlimited_traffic_only: bool,
    /// Category.
    pub category: Option<Category>,
    /// Only featured offers.
    pub featured_only: bool,
    /// Every word of it occurs in the name, CPU, GPU or city, without regard to case.
    pub text: Option<String>,
}

/// A score to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuScore {
    /// At least this.
    pub least: u32,
    /// In this benchmark.
    pub kind: ScoreType,
}

/// What to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SortKey {
    /// Featured first, then by popularity rank, unranked last: the default.
    #[default]
    Listing,
    /// The cheapest tier's price of a day.
    PricePerDay,
    /// CPU score, unknown as the lowest.
    CpuScore,
    /// Memory.
    Ram,
    /// Storage.
    Storage,
    /// Port speed.
    Bandwidth,
    /// When it was first listed, the newest first.
    Newest,
}

/// An order; equal ones are ordered by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sort {
    /// By what.
    pub key: SortKey,
    /// Whether the order is turned round.
    pub descending: bool,
}

/// A wish to browse.
#[derive(Clone, Debug)]
pub struct Browse {
    /// What to show.
    pub filters: Filters,
    /// In which order.
    pub sort: Sort,
    /// Which part.
    pub page: Page<String>,
}

/// A value and how many offers have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// The value.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// What the offers that pass are like, each list with the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// How many offers pass.
    pub total: u64,
    /// By country.
    pub countries: Vec<Facet>,
    /// By category.
    pub categories: Vec<Facet>,
    /// By kind of memory.
    pub ram_types: Vec<Facet>,
    /// By kind of disk; an offer with two kinds counts in both.
    pub disk_types: Vec<Facet>,
}

/// Offers that pass. Anybody may browse; only credentials that came along are checked.
pub async fn browse(
    store: &dyn Store,
    caller: Option<&Caller>,
    request: &Browse,
) -> Result<Paged<Host, String>> {
    allowed(caller)?;
    let reads = store.reads();
    let fetch = Browse {
        page: Page { limit: request.page.limit_and_one(), after: request.page.after.clone() },
        ..request.clone()
    };
    let rows = reads.browse(&fetch).await?;
    let total = match request.page.limit {
        Some(_) => Some(reads.offer_count(&request.filters).await?),
        None => None,
    };
    let page = Paged::cut(rows, request.page.limit, total, |(_, key)| key.clone());
    let rows = page.rows.into_iter().map(|(host, _)| host).collect();
    Ok(Paged { rows, next: page.next, total: page.total })
}

/// A number that rises with every change of offers by this process, for whoever keeps an answer of
/// [`browse`]; those of other processes are seen by asking anew after [`CHANGES_SEEN_WITHIN`].
pub fn generation(store: &dyn Store, caller: Option<&Caller>) -> Result<u64> {
    allowed(caller)?;
    Ok(store.reads().generation())
}

/// What the offers that pass are like.
pub async fn facets(
    store: &dyn Store,
    caller: Option<&Caller>,
    filters: &Filters,
) -> Result<Facets> {
    allowed(caller)?;
    store.reads().facets(filters).await
}

/// One offer. A host that is not offered now is not found.
pub async fn offer(store: &dyn Store, caller: Option<&Caller>, id: HostId) -> Result<Host> {
    allowed(caller)?;
    let host = store.reads().host(id).await?;
    host.filter(Host::is_offered).ok_or(Error::NotFound(Thing::Server))
}

fn allowed(caller: Option<&Caller>) -> Result<()> {
    may_if_known(caller, Permission::MarketplaceRead)
}
