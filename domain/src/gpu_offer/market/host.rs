//! A host as the market knows it.

use std::sync::Arc;

use super::super::{Figures, GpuOfferOrder, GpuOfferTerms, MOST_GPUS, Rank};
use crate::capacity::{Resources, StorageName};
use crate::clock::Timestamp;
use crate::host::HostId;
use crate::location::LocationCode;
use crate::money::Money;

/// What all rows of a host have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Which host.
    pub host_id: HostId,
    /// The offer's number.
    pub number: i64,
    /// Where.
    pub location: LocationCode,
    /// Which graphics processors.
    pub gpu_model: Arc<str>,
    /// The memory of each, in MiB.
    pub gpu_memory_mib: u32,
    /// What is sold, and for how much.
    pub terms: GpuOfferTerms,
    /// What was measured of the host.
    pub figures: Figures,
}

impl Offered {
    /// The texts that other hosts have as well.
    pub(super) fn texts(&mut self) -> [&mut Arc<str>; 5] {
        let Figures { cpu_model, disk_type, cuda, driver, .. } = &mut self.figures;
        [&mut self.gpu_model, cpu_model, disk_type, cuda.text_mut(), driver.text_mut()]
    }
}

/// A listed host, as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketHost {
    /// What all its rows have alike.
    pub offer: Offered,
    /// The country of its location (ISO 3166-1 alpha-2).
    pub country: String,
    /// All that it has; no row has more graphics processors than [`MOST_GPUS`].
    pub all: Resources,
    /// What of that nobody has.
    pub free: Resources,
    /// Where its disks are.
    pub storage: StorageName,
    /// GB that are free there.
    pub disk_gb: u32,
    /// Whether its driver reaches it.
    pub is_reached: bool,
    /// Whether new instances may come.
    pub accepts: bool,
    /// For how long it was reached.
    pub uptime: Uptime,
}

/// For how much of its time a host was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// When it was furnished, in seconds since 1970.
    furnished_at: i64,
    /// Since when it is not reached, if so, likewise.
    away_since: Option<i64>,
    /// Seconds in which it was not reached before that.
    down_seconds: i64,
}

impl Uptime {
    /// Of a host that was furnished at one time, is away since another, and was away before for so many
    /// seconds.
    pub fn new(furnished: Timestamp, away: Option<Timestamp>, down_seconds: u64) -> Self {
        Self {
            furnished_at: furnished.timestamp(),
            away_since: away.map(|away| away.timestamp()),
            down_seconds: i64::try_from(down_seconds).unwrap_or(i64::MAX),
        }
    }

    /// The share of its time until now, in seconds since 1970, in hundredths of a percent, rounded down.
    pub fn bp(self, now_s: i64) -> u32 {
        let age = now_s.saturating_sub(self.furnished_at).max(1);
        let away = self.away_since.map_or(0, |since| now_s.saturating_sub(since).max(0));
        let up = age.saturating_sub(self.down_seconds.saturating_add(away)).max(0);
        u32::try_from(up.saturating_mul(10_000) / age).unwrap_or_default()
    }
}

/// What is looked at in every host, without a way to what only its rows show.
#[derive(Debug)]
pub struct Listed {
    pub offer: Arc<Offered>,
    pub number: i64,
    pub all: Resources,
    pub free: Resources,
    pub per_gpu: Option<Money>,
    pub uptime: Uptime,
    pub driver: Rank,
    pub cuda: Rank,
    /// Numbers of the market's tables.
    pub storage: usize,
    pub location: usize,
    pub model: usize,
    /// Whether it could give any, disk aside.
    pub is_open: bool,
    pub sells_containers: bool,
    pub sells_machines: bool,
}

impl Listed {
    /// The most graphics processors of a row.
    pub fn most(&self) -> u32 {
        self.all.gpus.min(MOST_GPUS)
    }

    /// Whether so many graphics processors could be had with what comes with them.
    pub fn fits(&self, gpus: u32) -> bool {
        self.all.share(gpus).is_some_and(|share| self.free.covers(share))
    }

    /// The figure by which a row of so many graphics processors is sorted; `None` where it has none.
    pub fn figure(&self, order: GpuOfferOrder, gpus: u32, now_s: i64) -> Option<i64> {
        let terms = &self.offer.terms;
        let Figures { tflops_e2, dlperf_e2, .. } = self.offer.figures;
        let of_all = |figure: u32| i64::from(figure).saturating_mul(gpus.into());
        match order {
            GpuOfferOrder::Gpus => Some(gpus.into()),
            GpuOfferOrder::Uptime => Some(self.uptime.bp(now_s).into()),
            GpuOfferOrder::PricePerGpu => self.per_gpu.map(Money::e8),
            GpuOfferOrder::Dlperf => Some(of_all(dlperf_e2)),
            GpuOfferOrder::DlperfPerPrice => terms.per_price(dlperf_e2),
            GpuOfferOrder::Tflops => Some(of_all(tflops_e2)),
            GpuOfferOrder::TflopsPerPrice => terms.per_price(tflops_e2),
        }
    }
}
