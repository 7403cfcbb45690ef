//! Graphics processors on the wire, as they are sold one by one.

use domain::gpu_offer::{Figures, GpuOffer, GpuOfferTerms, GpuRow};
use domain::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::field::Field;
use super::view::Stamp;

#[derive(Deserialize, ToSchema)]
pub struct GpuOfferBody {
    /// Whether renters see it; true if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub is_listed: Field<bool>,
    /// Whether containers are sold; true if it is not given.
    #[schema(value_type = Option<bool>, example = true)]
    #[serde(default)]
    pub containers: Field<bool>,
    /// Whether virtual machines are sold; false if it is not given.
    #[schema(value_type = Option<bool>, example = false)]
    #[serde(default)]
    pub machines: Field<bool>,
    /// One GPU for an hour on demand; without it none is sold so.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "0.34")]
    #[serde(default)]
    pub per_gpu: Field<String>,
    /// One GPU for an hour that may be ended for others; without it none is sold so.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "0.17")]
    #[serde(default)]
    pub spot_per_gpu: Field<String>,
    /// A GB of disk for a month; free if it is not given.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,7}([.][0-9]{1,8})?$", example = "0.05")]
    #[serde(default)]
    pub per_gb: Field<String>,
    /// For how many hours it is rented at least; 1 if it is not given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 87_600, example = 1)]
    #[serde(default)]
    pub min_hours: Field<i64>,
    /// For how many hours it is rented at once at most; 720 if it is not given.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 87_600, example = 720)]
    #[serde(default)]
    pub max_hours: Field<i64>,
    #[schema(value_type = Option<String>, max_length = 100, example = "AMD EPYC 7763")]
    #[serde(default)]
    pub cpu_model: Field<String>,
    #[schema(value_type = Option<String>, max_length = 100, example = "NVMe")]
    #[serde(default)]
    pub disk_type: Field<String>,
    /// MB/s.
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 6000)]
    #[serde(default)]
    pub disk_read_mbps: Field<i64>,
    /// MB/s.
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 4000)]
    #[serde(default)]
    pub disk_write_mbps: Field<i64>,
    /// Mbit/s.
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 1000)]
    #[serde(default)]
    pub download_mbps: Field<i64>,
    /// Mbit/s.
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 1000)]
    #[serde(default)]
    pub upload_mbps: Field<i64>,
    /// The newest CUDA that it runs.
    #[schema(value_type = Option<String>, example = "12.4")]
    #[serde(default)]
    pub cuda: Field<String>,
    /// The version of its GPUs' driver.
    #[schema(value_type = Option<String>, example = "550.54.15")]
    #[serde(default)]
    pub driver: Field<String>,
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 4)]
    #[serde(default)]
    pub pcie_generation: Field<i64>,
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 16)]
    #[serde(default)]
    pub pcie_width: Field<i64>,
    /// Gbit/s.
    #[schema(value_type = Option<u32>, maximum = 100_000_000, example = 25)]
    #[serde(default)]
    pub pcie_gbps: Field<i64>,
    /// Of one GPU.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,6}([.][0-9]{1,2})?$", example = "82.58")]
    #[serde(default)]
    pub tflops: Field<String>,
    /// Of one GPU, in the benchmark of deep learning.
    #[schema(value_type = Option<String>, pattern = "^[0-9]{1,6}([.][0-9]{1,2})?$", example = "104.70")]
    #[serde(default)]
    pub dlperf: Field<String>,
}

/// What of a server is sold, and for how much.
#[derive(Serialize, ToSchema)]
pub struct GpuTermsView {
    is_listed: bool,
    containers: bool,
    machines: bool,
    /// One GPU for an hour on demand.
    #[schema(example = "0.34")]
    per_gpu: Option<String>,
    /// One GPU for an hour that may be ended for others.
    #[schema(example = "0.17")]
    spot_per_gpu: Option<String>,
    /// A GB of disk for a month.
    #[schema(example = "0.05")]
    per_gb: String,
    min_hours: u32,
    max_hours: u32,
}

impl From<GpuOfferTerms> for GpuTermsView {
    fn from(terms: GpuOfferTerms) -> Self {
        Self {
            is_listed: terms.is_listed,
            containers: terms.sells_containers,
            machines: terms.sells_machines,
            per_gpu: terms.per_gpu.map(Money::exact),
            spot_per_gpu: terms.spot_per_gpu.map(Money::exact),
            per_gb: terms.per_gb.exact(),
            min_hours: terms.min_hours,
            max_hours: terms.max_hours,
        }
    }
}

/// What an operator measured of a server; zero or empty where it is not known.
#[derive(Serialize, ToSchema)]
pub struct FiguresView {
    cpu_model: String,
    disk_type: String,
    disk_read_mbps: u32,
    disk_write_mbps: u32,
    download_mbps: u32,
    upload_mbps: u32,
    #[schema(example = "12.4")]
    cuda: String,
    #[schema(example = "550.54.15")]
    driver: String,
    pcie_generation: u32,
    pcie_width: u32,
    pcie_gbps: u32,
    /// Of one GPU.
    #[schema(example = "82.58")]
    tflops: String,
    /// Of one GPU.
    #[schema(example = "104.70")]
    dlperf: String,
}

impl From<Figures> for FiguresView {
    fn from(figures: Figures) -> Self {
        let decimal =
            |e2: u32| Money::from_cents(e2.into()).map_or_else(|| e2.to_string(), Money::exact);
        Self {
            cpu_model: figures.cpu_model.to_string(),
            disk_type: figures.disk_type.to_string(),
            disk_read_mbps: figures.disk_read_mbps,
            disk_write_mbps: figures.disk_write_mbps,
            download_mbps: figures.download_mbps,
            upload_mbps: figures.upload_mbps,
            cuda: figures.cuda.to_string(),
            driver: figures.driver.to_string(),
            pcie_generation: figures.pcie_generation,
            pcie_width: figures.pcie_width,
            pcie_gbps: figures.pcie_gbps,
            tflops: decimal(figures.tflops_e2),
            dlperf: decimal(figures.dlperf_e2),
        }
    }
}

/// How the graphics processors of a server are offered.
#[derive(Serialize, ToSchema)]
pub struct GpuOfferView {
    server_id: String,
    /// Its name for clients that know numbers only.
    number: i64,
    terms: GpuTermsView,
    figures: FiguresView,
    #[schema(value_type = String, format = DateTime)]
    created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Stamp,
}

impl From<GpuOffer> for GpuOfferView {
    fn from(offer: GpuOffer) -> Self {
        Self {
            server_id: offer.host_id.to_string(),
            number: offer.number,
            terms: offer.terms.into(),
            figures: offer.figures.into(),
            created_at: Stamp(offer.created_at),
            updated_at: Stamp(offer.updated_at),
        }
    }
}

/// So many graphics processors of a server, with what comes with them.
#[derive(Serialize, ToSchema)]
pub struct GpuRowView {
    server_id: String,
    #[schema(example = "FIN-03")]
    location: String,
    gpus: u32,
    #[schema(example = "RTX 4090")]
    gpu_model: String,
    gpu_memory_mib: u32,
    cpus: u32,
    ram_mib: u32,
    /// How much disk can be had with them.
    disk_gb: u32,
    /// Whether they could be had now.
    is_available: bool,
    /// The share of its time in which the server was reached.
    #[schema(example = "99.98")]
    uptime_percent: String,
    terms: GpuTermsView,
    figures: FiguresView,
}

impl From<GpuRow> for GpuRowView {
    fn from(row: GpuRow) -> Self {
        let offer = row.offer.as_ref();
        Self {
            server_id: offer.host_id.to_string(),
            location: offer.location.to_string(),
            gpus: row.gpus,
            gpu_model: offer.gpu_model.to_string(),
            gpu_memory_mib: offer.gpu_memory_mib,
            cpus: row.cpus,
            ram_mib: row.ram_mib,
            disk_gb: row.disk_gb,
            is_available: row.is_available,
            uptime_percent: super::early_end::percent(row.uptime_bp),
            terms: offer.terms.clone().into(),
            figures: offer.figures.clone().into(),
        }
    }
}
