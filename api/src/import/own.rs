//! Berth's own row shape: flat names, so that a column in CSV and a key in JSON are the same.
//!
//! `catalogue/README.md` describes the fields and their defaults.
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
