//! Looks for graphics processors.

use std::sync::Arc;

use super::{MarketIndex, Offered, Version};
use crate::clock::Clock;
use crate::error::Result;
use crate::location::Continent;
use crate::money::Money;
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

/// So many graphics processors of a host, as they could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuRow {
    /// What all rows of the host have alike.
    pub offer: Arc<Offered>,
    /// How many graphics processors.
    pub gpus: u32,
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

impl<T: Ord> Range<T> {
    /// Whether it has no bound.
    pub const fn is_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// Whether a figure lies in it; what has none only passes where there is no bound.
    pub fn has(&self, figure: Option<T>) -> bool {
        match figure {
            None => self.is_open(),
            Some(figure) => {
                self.min.as_ref().is_none_or(|min| figure >= *min)
                    && self.max.as_ref().is_none_or(|max| figure <= *max)
            }
        }
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

/// What is looked for, in which order, and which part of it.
#[derive(Clone, Debug, Default)]
pub struct BrowseGpus {
    /// What a row must be.
    pub filter: GpuOfferFilter,
    /// By what rows are sorted, the first one first; then by age of the offer.
    pub orders: Vec<(GpuOfferOrder, Direction)>,
    /// How many rows to leave out.
    pub skip: u32,
    /// How many rows to show at most.
    pub limit: u32,
}

/// Listed rows that pass the filter, sorted, as everything that was committed before the question makes
/// them. A host has a row for each number of graphics processors that it can still give, and where it can
/// give none, one for all of them. Anybody may look; only credentials that came along are checked.
pub async fn list(
    store: &dyn Store,
    clock: &dyn Clock,
    market: &MarketIndex,
    caller: Option<&Caller>,
    browse: &BrowseGpus,
) -> Result<Vec<GpuRow>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    market.refresh(store.reads()).await?;
    Ok(market.rows(browse, clock.now()))
}
