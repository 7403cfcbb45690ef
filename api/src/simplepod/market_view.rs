//! Rows of the marketplace on the wire.

use domain::clock::Timestamp;
use domain::gpu_offer::GpuRow;
use domain::money::Money;
use serde_json::{Value, json};

use super::iri;
use super::view::{hundredths, instant};
use crate::floats::amount;

/// A row as it stands now. Totals are of all its graphics processors.
pub fn shown(row: &GpuRow, now: Timestamp) -> Value {
    let id = iri::market_row(row.number, row.gpus);
    let (terms, figures) = (&row.terms, &row.figures);
    let until = now + chrono::Duration::hours(terms.max_hours.into());
    let total = |e2: u32| hundredths(i64::from(e2).saturating_mul(row.gpus.into()));
    // The same for one as for all.
    let per_price = |e2: u32| {
        let price = terms.per_gpu.filter(|price| *price > Money::ZERO)?.e8();
        Some(hundredths(i64::from(e2).saturating_mul(100_000_000) / price))
    };
    json!({
        "id": id,
        "instanceMarket": iri::market(id),
        "cpuCoreCount": row.cpus,
        "cpuModel": figures.cpu_model,
        "diskSize": row.disk_gb,
        "diskSpeedRead": figures.disk_read_mbps,
        "diskSpeedWrite": figures.disk_write_mbps,
        "diskType": figures.disk_type,
        "downloadSpeedtest": figures.download_mbps,
        "errors": [],
        "gpuCount": row.gpus,
        "gpuCudaVer": figures.cuda,
        "gpuDriverVer": figures.driver,
        "gpuMemorySize": row.gpu_memory_mib,
        "gpuModel": row.gpu_model,
        "gpuPcieBandwidth": figures.pcie_gbps,
        "gpuPcieGen": figures.pcie_generation,
        "gpuPcieWidth": figures.pcie_width,
        "gpuTFlops": total(figures.tflops_e2),
        "expiresAt": instant(until),
        "isAvailableForDemand": row.is_available && terms.per_gpu.is_some(),
        "isAvailableForInterruptible": row.is_available && terms.spot_per_gpu.is_some(),
        "pricePerDiskSize": amount(terms.per_gb),
        "pricePerDlp": per_price(figures.dlperf_e2),
        "pricePerGpu": terms.per_gpu.map(amount),
        "pricePerTFlops": per_price(figures.tflops_e2),
        "rentalTimeMax": terms.max_hours,
        "sla": hundredths(row.uptime_bp.into()),
        "sysDlp": total(figures.dlperf_e2),
        "systemMemory": row.ram_mib,
        "uploadSpeedtest": figures.upload_mbps,
    })
}
