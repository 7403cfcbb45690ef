//! Berth's own row shape: flat names, so that a column in CSV and a key in JSON are the same.
//!
//! In JSON a number may also be given as a text. Blank and null count as absent.
//!
//! | field | meaning | if absent |
//! |---|---|---|
//! | `external_id` | the operator's identifier, by which a later import finds the server again | fault |
//! | `name` | the operator's name for it | the external id |
//! | `country` | ISO 3166-1 alpha-2 | fault |
//! | `region` | the operator's region, such as `eu-central` | the country in lower case |
//! | `city` | | fault |
//! | `datacenter` | the operator's name of the building | the city |
//! | `model` | the machine or product | the CPU's model |
//! | `is_vm` | `true` if it is virtual | `false` |
//! | `category` | `compute`, `memory`, `storage`, `general` or `gpu` | `gpu` with a `gpu`, else `storage` from 16,000 GB of disk, else `memory` from 256 GiB, else `compute` from 16 cores, else `general` |
//! | `featured` | `true` to show it first | `false` |
//! | `popularity_rank` | its place among the others, from 1 | unranked |
//! | `setup_time_minutes` | from the rent until it can be used | 15 |
//! | `cpu_model` | the maker's name | fault |
//! | `cpu_cores` | physical cores of all processors together | fault |
//! | `cpu_threads` | hardware threads of all together | as many as cores |
//! | `cpu_score` | a benchmark figure; goes with `cpu_score_type` | unknown |
//! | `cpu_score_type` | `passmark`, `geekbench_single` or `geekbench_multi` | unknown |
//! | `ram_gb` | memory in GiB | fault |
//! | `ram_type` | `DDR3`, `DDR4`, `DDR5`, `ECC DDR3`, `ECC DDR4` or `ECC DDR5` | fault |
//! | `ram_speed_mhz` | memory clock | unknown |
//! | `disks` | `2x1000 NVMe (PCIe 4.0) + 6x15000 HDD`: count, size of each in GB, `HDD`, `SSD` or `NVMe`, and the interface if known; `none` for no disks. In JSON also an array of `{"count", "capacity_gb", "type", "interface"}` | fault |
//! | `bandwidth_mbps` | port speed | fault |
//! | `traffic_tb` | included traffic a month, or `unlimited` | fault |
//! | `ipv4_count` | IPv4 addresses | 1 |
//! | `ipv6_enabled` | `true` if it has IPv6 | `false` |
//! | `gpu` | graphics processor | none |
//! | `price_<days>d` | the price of so many days, such as `price_30d`, in the deployment's currency and whole cents | not offered for these days |
//! | `hold_<days>d` | for how many days the server is kept for the renter after these days | 0 |
//! | `prices` | JSON only, beside or in place of the two above: `{"30": {"price": "70.00", "hold_days": 2}}` | |
//!
//! What a renter is promised has no default. A server without any price is imported and cannot be
//! rented.

use domain::host::{Category, Cpu, HostDraft, Location, Network, RamType, Score, ScoreType, Specs};

use super::fields::{Fields, count, flag, text, traffic, word};
use super::{SETUP_MINUTES, category, disks, prices};

/// The columns that a CSV file must have.
pub(super) const REQUIRED: &[&str] = &[
    "external_id",
    "country",
    "city",
    "cpu_model",
    "cpu_cores",
    "ram_gb",
    "ram_type",
    "disks",
    "bandwidth_mbps",
    "traffic_tb",
];

const OPTIONAL: &[&str] = &[
    "name",
    "region",
    "datacenter",
    "model",
    "is_vm",
    "category",
    "featured",
    "popularity_rank",
    "setup_time_minutes",
    "cpu_threads",
    "cpu_score",
    "cpu_score_type",
    "ram_speed_mhz",
    "ipv4_count",
    "ipv6_enabled",
    "gpu",
];

/// Whether a CSV file may have this column.
pub(super) fn is_column(name: &str) -> bool {
    REQUIRED.contains(&name) || OPTIONAL.contains(&name) || prices::is_column(name)
}

/// Reads a row, noting its faults in the fields.
pub(super) fn draft(fields: &mut Fields) -> HostDraft {
    let external_id = fields.need("external_id", |value| text(value).map(Some), None);
    let name = fields.want("name", text).or_else(|| external_id.clone());
    let location = location(fields);
    let cpu = cpu(fields);
    let ram_gb = fields.need("ram_gb", count, 1);
    let disks = disks::take(fields);
    let gpu = fields.want("gpu", text);
    let given = fields.want("category", word(Category::parse));
    let specs = Specs {
        name: name.unwrap_or_else(|| "unnamed".to_owned()),
        location,
        model: fields.want("model", text).unwrap_or_else(|| cpu.model.clone()),
        is_vm: fields.want("is_vm", flag).unwrap_or(false),
        category: given.unwrap_or_else(|| category(gpu.as_deref(), &disks, ram_gb, cpu.cores)),
        featured: fields.want("featured", flag).unwrap_or(false),
        popularity_rank: fields.want("popularity_rank", count),
        setup_time_minutes: fields.want("setup_time_minutes", count).unwrap_or(SETUP_MINUTES),
        cpu,
        ram_gb,
        ram_type: fields.need("ram_type", word(RamType::parse), RamType::Ddr4),
        ram_speed_mhz: fields.want("ram_speed_mhz", count),
        disks,
        network: network(fields),
        gpu,
    };
    HostDraft { external_id, specs, pricing: prices::take(fields) }
}

fn location(fields: &mut Fields) -> Location {
    let country = fields.need("country", text, "ZZ".to_owned()).to_ascii_uppercase();
    let city = fields.need("city", text, "unknown".to_owned());
    Location {
        region: fields.want("region", text).unwrap_or_else(|| country.to_ascii_lowercase()),
        datacenter: fields.want("datacenter", text).unwrap_or_else(|| city.clone()),
        country,
        city,
    }
}

fn cpu(fields: &mut Fields) -> Cpu {
    let cores = fields.need("cpu_cores", count, 1);
    Cpu {
        model: fields.need("cpu_model", text, "unknown".to_owned()),
        cores,
        threads: fields.want("cpu_threads", count).unwrap_or(cores),
        score: score(fields),
    }
}

fn score(fields: &mut Fields) -> Option<Score> {
    let names = fields.names();
    let given = |wanted: &str| names.iter().any(|name| name == wanted);
    if given("cpu_score") != given("cpu_score_type") {
        fields.fault("cpu_score", "a score needs its cpu_score_type, and the other way round");
    }
    let value = fields.want("cpu_score", count);
    let kind = fields.want("cpu_score_type", word(ScoreType::parse));
    value.zip(kind).map(|(value, kind)| Score { value, kind })
}

fn network(fields: &mut Fields) -> Network {
    Network {
        bandwidth_mbps: fields.need("bandwidth_mbps", count, 1),
        traffic_tb: fields.need("traffic_tb", traffic, None),
        ipv4_count: fields.want("ipv4_count", count).unwrap_or(1),
        ipv6_enabled: fields.want("ipv6_enabled", flag).unwrap_or(false),
    }
}
