//! Rows of the marketplace on the wire.

use std::collections::BTreeMap;

use domain::clock::Timestamp;
use domain::gpu_offer::{GpuRow, Version};
use serde::Serialize;
use serde_json::Number;

use super::iri;
use super::view::instant;
use crate::floats::{amount, hundredths};

/// A row. Totals are of all its graphics processors.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarketRow<'a> {
    id: i64,
    instance_market: iri::MarketPath,
    cpu_core_count: u32,
    cpu_model: &'a str,
    disk_size: u32,
    disk_speed_read: u32,
    disk_speed_write: u32,
    disk_type: &'a str,
    download_speedtest: u32,
    /// Nothing is known to be wrong with what is offered.
    errors: [(); 0],
    gpu_count: u32,
    gpu_cuda_ver: &'a Version,
    gpu_driver_ver: &'a Version,
    gpu_memory_size: u32,
    gpu_model: &'a str,
    gpu_pcie_bandwidth: u32,
    gpu_pcie_gen: u32,
    gpu_pcie_width: u32,
    #[serde(rename = "gpuTFlops")]
    gpu_tflops: Number,
    expires_at: &'a str,
    is_available_for_demand: bool,
    is_available_for_interruptible: bool,
    price_per_disk_size: Number,
    price_per_dlp: Option<Number>,
    price_per_gpu: Option<Number>,
    #[serde(rename = "pricePerTFlops")]
    price_per_tflops: Option<Number>,
    rental_time_max: u32,
    sla: Number,
    sys_dlp: Number,
    system_memory: u32,
    upload_speedtest: u32,
}

/// When what is rented now would end, for each of the longest times of rows: there are few of them.
pub struct Ends(BTreeMap<u32, String>);

impl Ends {
    /// Of all these.
    pub fn of_all(rows: &[GpuRow], now: Timestamp) -> Self {
        let mut ends = BTreeMap::new();
        for row in rows {
            let hours = row.offer.terms.max_hours;
            let end = || instant(now + chrono::Duration::hours(hours.into()));
            ends.entry(hours).or_insert_with(end);
        }
        Self(ends)
    }

    fn of(&self, row: &GpuRow) -> &str {
        self.0.get(&row.offer.terms.max_hours).map_or("", String::as_str)
    }
}

/// A row as it stands now.
pub fn shown<'a>(row: &'a GpuRow, ends: &'a Ends) -> MarketRow<'a> {
    let id = iri::market_row(row.offer.number, row.gpus);
    let offer = row.offer.as_ref();
    let (terms, figures) = (&offer.terms, &offer.figures);
    let total = |e2: u32| hundredths(i64::from(e2).saturating_mul(row.gpus.into()));
    // The same for one as for all.
    let per_price = |e2: u32| terms.per_price(e2).map(hundredths);
    MarketRow {
        id,
        instance_market: iri::MarketPath(id),
        cpu_core_count: row.cpus,
        cpu_model: &figures.cpu_model,
        disk_size: row.disk_gb,
        disk_speed_read: figures.disk_read_mbps,
        disk_speed_write: figures.disk_write_mbps,
        disk_type: &figures.disk_type,
        download_speedtest: figures.download_mbps,
        errors: [],
        gpu_count: row.gpus,
        gpu_cuda_ver: &figures.cuda,
        gpu_driver_ver: &figures.driver,
        gpu_memory_size: offer.gpu_memory_mib,
        gpu_model: &offer.gpu_model,
        gpu_pcie_bandwidth: figures.pcie_gbps,
        gpu_pcie_gen: figures.pcie_generation,
        gpu_pcie_width: figures.pcie_width,
        gpu_tflops: total(figures.tflops_e2),
        expires_at: ends.of(row),
        is_available_for_demand: row.is_available && terms.per_gpu.is_some(),
        is_available_for_interruptible: row.is_available && terms.spot_per_gpu.is_some(),
        price_per_disk_size: amount(terms.per_gb),
        price_per_dlp: per_price(figures.dlperf_e2),
        price_per_gpu: terms.per_gpu.map(amount),
        price_per_tflops: per_price(figures.tflops_e2),
        rental_time_max: terms.max_hours,
        sla: hundredths(row.uptime_bp.into()),
        sys_dlp: total(figures.dlperf_e2),
        system_memory: row.ram_mib,
        upload_speedtest: figures.upload_mbps,
    }
}
