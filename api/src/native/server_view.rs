//! What a server looks like on the wire.

use domain::host::{Category, Disk, Host, Pricing, Specs};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub struct CpuView {
    #[schema(example = "AMD EPYC 7763")]
    model: String,
    cores: u32,
    threads: u32,
    score: Option<u32>,
    /// The benchmark of `score`: `passmark`, `geekbench_single` or `geekbench_multi`.
    score_type: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub struct RamView {
    capacity_gb: u32,
    #[serde(rename = "type")]
    #[schema(example = "ECC DDR5")]
    kind: &'static str,
    speed_mhz: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct DiskView {
    count: u32,
    capacity_gb: u32,
    #[serde(rename = "type")]
    #[schema(example = "NVMe")]
    kind: &'static str,
    interface: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct DisksView {
    config: Vec<DiskView>,
    total_gb: u32,
    #[schema(example = "2x1TB NVMe + 6x15TB NVMe")]
    summary: String,
}

#[derive(Serialize, ToSchema)]
pub struct NetworkView {
    bandwidth_mbps: u32,
    #[schema(example = "10 Gbps")]
    bandwidth_formatted: String,
    /// A month; null if it is unlimited.
    traffic_tb: Option<u32>,
    traffic_unlimited: bool,
}

#[derive(Serialize, ToSchema)]
pub struct AdditionalView {
    ipv4_count: u32,
    ipv6_enabled: bool,
    /// Graphics processor, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct SpecsView {
    cpu: CpuView,
    ram: RamView,
    disks: DisksView,
    network: NetworkView,
    additional: AdditionalView,
}

/// A server with what it is made of.
#[derive(Serialize, ToSchema)]
pub struct ServerView {
    #[schema(example = "507f1f77bcf86cd799439014")]
    id: String,
    #[schema(example = "node-us-nyc-1")]
    name: String,
    #[schema(example = "US")]
    country: String,
    #[schema(example = "us-east")]
    region: String,
    city: String,
    datacenter: String,
    model: String,
    is_vm: bool,
    specs: SpecsView,
}

#[derive(Serialize, ToSchema)]
pub struct TierView {
    #[schema(example = "70.00")]
    price: String,
    /// How long the server is kept after an end without an extension.
    hold_days: u32,
}

#[derive(Serialize, ToSchema)]
pub struct PricingView {
    /// The price of each number of days, shortest first.
    #[serde(serialize_with = "in_order")]
    #[schema(value_type = HashMap<String, String>, example = json!({"7": "70.00"}))]
    prices: Vec<(u32, String)>,
    /// The same with the hold days.
    #[serde(serialize_with = "in_order")]
    #[schema(value_type = HashMap<String, TierView>)]
    price_tiers: Vec<(u32, TierView)>,
}

/// A server on the marketplace.
#[derive(Serialize, ToSchema)]
pub struct OfferView {
    #[schema(example = "507f1f77bcf86cd799439014")]
    id: String,
    #[schema(example = "node-us-nyc-1")]
    name: String,
    #[schema(example = "US")]
    country: String,
    #[schema(example = "us-east")]
    region: String,
    city: String,
    datacenter: String,
    model: String,
    is_vm: bool,
    /// `compute`, `memory`, `storage`, `general` or `gpu`.
    #[schema(value_type = String, example = "compute")]
    category: Category,
    featured: bool,
    popularity_rank: Option<u32>,
    setup_time_minutes: u32,
    pricing: PricingView,
    specs: SpecsView,
}

/// An object with its keys in the order of the pairs.
fn in_order<T: Serialize, S: Serializer>(
    pairs: &[(u32, T)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

impl From<Specs> for SpecsView {
    fn from(specs: Specs) -> Self {
        let total_gb = specs.total_storage_gb();
        let network = specs.network;
        Self {
            cpu: CpuView {
                model: specs.cpu.model,
                cores: specs.cpu.cores,
                threads: specs.cpu.threads,
                score: specs.cpu.score.map(|score| score.value),
                score_type: specs.cpu.score.map(|score| score.kind.as_str()),
            },
            ram: RamView {
                capacity_gb: specs.ram_gb,
                kind: specs.ram_type.as_str(),
                speed_mhz: specs.ram_speed_mhz,
            },
            disks: DisksView {
                summary: summary(&specs.disks),
                config: specs.disks.into_iter().map(Into::into).collect(),
                total_gb,
            },
            network: NetworkView {
                bandwidth_mbps: network.bandwidth_mbps,
                bandwidth_formatted: bandwidth(network.bandwidth_mbps),
                traffic_tb: network.traffic_tb,
                traffic_unlimited: network.traffic_tb.is_none(),
            },
            additional: AdditionalView {
                ipv4_count: network.ipv4_count,
                ipv6_enabled: network.ipv6_enabled,
                gpu: specs.gpu,
            },
        }
    }
}

impl From<Disk> for DiskView {
    fn from(disk: Disk) -> Self {
        let Disk { count, capacity_gb, kind, interface } = disk;
        Self { count, capacity_gb, kind: kind.as_str(), interface }
    }
}

/// `2x1TB NVMe + 6x480GB SSD`.
fn summary(disks: &[Disk]) -> String {
    let one = |disk: &Disk| {
        let size = match disk.capacity_gb {
            gb if gb >= 1_000 && gb % 1_000 == 0 => format!("{}TB", gb / 1_000),
            gb => format!("{gb}GB"),
        };
        format!("{}x{size} {}", disk.count, disk.kind.as_str())
    };
    disks.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// `10 Gbps`, `2.5 Gbps`, `500 Mbps`.
fn bandwidth(mbps: u32) -> String {
    match (mbps / 1_000, mbps % 1_000) {
        (0, _) => format!("{mbps} Mbps"),
        (gbps, 0) => format!("{gbps} Gbps"),
        (gbps, rest) => {
            let decimals = format!("{rest:03}");
            format!("{gbps}.{} Gbps", decimals.trim_end_matches('0'))
        }
    }
}

impl From<Host> for ServerView {
    fn from(host: Host) -> Self {
        let specs = host.specs;
        Self {
            id: host.id.to_string(),
            name: specs.name.clone(),
            country: specs.location.country.clone(),
            region: specs.location.region.clone(),
            city: specs.location.city.clone(),
            datacenter: specs.location.datacenter.clone(),
            model: specs.model.clone(),
            is_vm: specs.is_vm,
            specs: specs.into(),
        }
    }
}

impl From<Pricing> for PricingView {
    fn from(pricing: Pricing) -> Self {
        Self {
            prices: pricing.tiers().map(|(days, tier)| (days, tier.price.to_string())).collect(),
            price_tiers: pricing
                .tiers()
                .map(|(days, tier)| {
                    let view =
                        TierView { price: tier.price.to_string(), hold_days: tier.hold_days };
                    (days, view)
                })
                .collect(),
        }
    }
}

impl From<Host> for OfferView {
    fn from(host: Host) -> Self {
        let specs = host.specs;
        Self {
            id: host.id.to_string(),
            name: specs.name.clone(),
            country: specs.location.country.clone(),
            region: specs.location.region.clone(),
            city: specs.location.city.clone(),
            datacenter: specs.location.datacenter.clone(),
            model: specs.model.clone(),
            is_vm: specs.is_vm,
            category: specs.category,
            featured: specs.featured,
            popularity_rank: specs.popularity_rank,
            setup_time_minutes: specs.setup_time_minutes,
            pricing: host.pricing.into(),
            specs: specs.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (mbps, text) in [(10_000, "10 Gbps"), (2_500, "2.5 Gbps"), (500, "500 Mbps")] {
            assert_eq!(bandwidth(mbps), text);
        }
    }
}
