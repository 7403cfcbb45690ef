//! Offers by the graphics processor: what an operator sells of one host, GPU by GPU, each with its share of
//! the host's processors and memory; and [`Market`], where people look for them.

mod browse;
mod market;
mod port;
mod put;
mod version;

pub use browse::{
    BrowseGpus, Comparison, Direction, GpuOfferFilter, GpuOfferOrder, GpuRow, Range, list,
};
pub use market::{
    KEPT_CHANGES, Market, MarketChanges, MarketHost, MarketIndex, MarketMark, Offered, Uptime,
    trim_changes,
};
pub use port::{GpuOfferQueries, GpuOffers};
pub use put::{GpuOfferDraft, put, show};
pub use version::{Rank, Version};

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::clock::Timestamp;
use crate::host::HostId;
use crate::money::Money;

/// The most graphics processors that one row sells: more than hosts have that are sold so.
pub const MOST_GPUS: u32 = 16;

/// What is sold of a host by the graphics processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuOffer {
    /// Which host; it carries instances.
    pub host_id: HostId,
    /// Its name on surfaces that know numbers only.
    pub number: i64,
    /// What of it is sold, and for how much.
    pub terms: GpuOfferTerms,
    /// What an operator measured of it.
    pub figures: Figures,
    /// When it was first offered.
    pub created_at: Timestamp,
    /// When the offer was last changed.
    pub updated_at: Timestamp,
}

/// What is sold, and for how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GpuOfferTerms {
    /// Whether it is shown to renters.
    pub is_listed: bool,
    /// Whether containers are sold.
    pub sells_containers: bool,
    /// Whether virtual machines are sold.
    pub sells_machines: bool,
    /// The price of one GPU for an hour on demand; `None` where it is not sold so now.
    pub per_gpu: Option<Money>,
    /// The price of one GPU for an hour that may be ended for others; `None` where it is not sold so.
    pub spot_per_gpu: Option<Money>,
    /// The price of a GB of disk for a month.
    pub per_gb: Money,
    /// For how many hours it is rented at least.
    pub min_hours: u32,
    /// For how many hours it is rented at once at most; a longer use is renewed at the price of the day.
    pub max_hours: u32,
}

impl Default for GpuOfferTerms {
    /// Containers from an hour to a month of 30 days, at no price yet.
    fn default() -> Self {
        Self {
            is_listed: true,
            sells_containers: true,
            sells_machines: false,
            per_gpu: None,
            spot_per_gpu: None,
            per_gb: Money::ZERO,
            min_hours: 1,
            max_hours: 720,
        }
    }
}

impl GpuOfferTerms {
    /// Whether virtual machines are sold now, or else containers.
    pub const fn sells(&self, machines: bool) -> bool {
        self.is_listed && if machines { self.sells_machines } else { self.sells_containers }
    }

    /// Whether anything is sold at all.
    pub const fn is_priced(&self) -> bool {
        self.per_gpu.is_some() || self.spot_per_gpu.is_some()
    }

    /// A figure of one GPU for the price of its hour, in the figure's hundredths, rounded down. `None` where
    /// nothing is asked for it, or it is not sold on demand.
    pub fn per_price(&self, figure_e2: u32) -> Option<i64> {
        const ONE: i64 = 100_000_000;
        i64::from(figure_e2).saturating_mul(ONE).checked_div(self.per_gpu?.e8())
    }
}

/// What an operator measured of a host, or read off it. What is not known is zero or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Its processor.
    #[serde(serialize_with = "as_text")]
    pub cpu_model: Arc<str>,
    /// Its disks, such as `NVMe`.
    #[serde(serialize_with = "as_text")]
    pub disk_type: Arc<str>,
    /// Reading from disk, in MB/s.
    pub disk_read_mbps: u32,
    /// Writing to disk, in MB/s.
    pub disk_write_mbps: u32,
    /// From the Internet, in Mbit/s.
    pub download_mbps: u32,
    /// To the Internet, in Mbit/s.
    pub upload_mbps: u32,
    /// The newest CUDA that it runs.
    pub cuda: Version,
    /// The driver of its GPUs.
    pub driver: Version,
    /// The generation of its PCI Express.
    pub pcie_generation: u32,
    /// Lanes to each GPU.
    pub pcie_width: u32,
    /// To each GPU, in Gbit/s.
    pub pcie_gbps: u32,
    /// What one GPU computes, in hundredths of 10¹² operations a second.
    pub tflops_e2: u32,
    /// What one GPU makes in the benchmark of deep learning, in hundredths of its points.
    pub dlperf_e2: u32,
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
