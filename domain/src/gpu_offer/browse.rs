//! Looks for graphics processors.

use super::{Figures, GpuOfferTerms, Version};
use crate::clock::Clock;
use crate::error::Result;
use crate::host::HostId;
use crate::location::{Continent, LocationCode};
use crate::money::Money;
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

/// So many graphics processors of a host, as they could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuRow {
    /// Which host.
    pub host_id: HostId,
    /// The offer's number.
    pub number: i64,
    /// Where.
    pub location: LocationCode,
    /// How many graphics processors.
    pub gpus: u32,
    /// Which.
    pub gpu_model: String,
    /// The memory of each, in MiB.
    pub gpu_memory_mib: u32,
    /// The virtual CPUs that come with them.
    pub cpus: u32,
    /// The memory that comes with them, in MiB.
    pub ram_mib: u32,
    /// How much disk can be had with them, in GB.
    pub disk_gb: u32,
    /// Whether they could be had now; else somebody has them.
    pub is_available: bool,
    /// The share of its time in which the host was reached, in hundredths of a percent.
    pub uptime_bp: u32,
    /// What they cost.
    pub terms: GpuOfferTerms,
    /// What was measured of the host.
    pub figures: Figures,
}

/// From the least to the most, both included; what is `None` has no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<T> {
    /// The least.
    pub min: Option<T>,
    /// The most.
    pub max: Option<T>,
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self { min: None, max: None }
    }
}

/// How a version is to stand to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// The same or an older one.
    AtMost,
    /// The same or a newer one.
    AtLeast,
}

/// What a row must be. Everything given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuOfferFilter {
    /// Only this offer.
    pub host_id: Option<HostId>,
    /// Sold as virtual machines, or as containers.
    pub machines: Option<bool>,
    /// What could be had now, or what could not.
    pub is_available: Option<bool>,
    /// Where on earth.
    pub continent: Option<Continent>,
    /// Which graphics processor, without regard to case.
    pub gpu_model: Option<String>,
    /// How many.
    pub gpus: Range<i64>,
    /// The memory of each, in MiB.
    pub gpu_memory_mib: Range<i64>,
    /// Virtual CPUs.
    pub cpus: Range<i64>,
    /// Memory in MiB.
    pub ram_mib: Range<i64>,
    /// Disk in GB.
    pub disk_gb: Range<i64>,
    /// Writing to disk, in MB/s.
    pub disk_write_mbps: Range<i64>,
    /// From the Internet, in Mbit/s.
    pub download_mbps: Range<i64>,
    /// To the Internet, in Mbit/s.
    pub upload_mbps: Range<i64>,
    /// PCI Express, in Gbit/s.
    pub pcie_gbps: Range<i64>,
    /// What all of them compute, in hundredths of 10¹² operations a second.
    pub tflops_e2: Range<i64>,
    /// Uptime in hundredths of a percent.
    pub uptime_bp: Range<i64>,
    /// The shortest time for which it is rented, in hours.
    pub min_hours: Range<i64>,
    /// The price of one for an hour.
    pub per_gpu: Range<Money>,
    /// What is computed for the price of an hour, in hundredths of 10¹² operations a second.
    pub tflops_per_price_e2: Range<i64>,
    /// What is made in the benchmark for the price of an hour, in hundredths of its points.
    pub dlperf_per_price_e2: Range<i64>,
    /// The driver.
    pub driver: Option<(Comparison, Version)>,
    /// CUDA.
    pub cuda: Option<(Comparison, Version)>,
}

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuOfferOrder {
    /// How many graphics processors.
    Gpus,
    /// Uptime.
    Uptime,
    /// The price of one for an hour.
    PricePerGpu,
    /// What all of them make in the benchmark.
    Dlperf,
    /// The same for the price of an hour.
    DlperfPerPrice,
    /// What all of them compute.
    Tflops,
    /// The same for the price of an hour.
    TflopsPerPrice,
}

/// Which way round rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    Ascending,
    /// The most first.
    Descending,
}

/// Listed rows that pass the filter, sorted by each order in turn and then by age of the offer; `part` is how
/// many to skip and how many to take. A host has a row for each number of graphics processors that it can
/// still give, and where it can give none, one for all of them. Anybody may look; only credentials that came
/// along are checked.
pub async fn list(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: Option<&Caller>,
    filter: &GpuOfferFilter,
    (orders, part): (&[(GpuOfferOrder, Direction)], (u32, u32)),
) -> Result<Vec<GpuRow>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    store.reads().gpu_rows(filter, orders, clock.now(), part).await
}
