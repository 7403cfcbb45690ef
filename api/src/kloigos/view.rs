//! What clients see of units and hosts.

use chrono::SecondsFormat;
use domain::clock::Timestamp;
use domain::compute_unit::{Listed, ListedHost, ListedUnit, UnitState, UnitTags};
use serde::Serialize;

/// As the framework spells instants.
fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A unit, or a host that has none to show; every member is always there.
#[derive(Debug, Serialize)]
pub struct ComputeUnitResponse {
    compute_id: String,
    hostname: String,
    ip: String,
    cpu_count: u32,
    cpu_range: String,
    region: String,
    zone: String,
    status: &'static str,
    started_at: Option<String>,
    tags: Option<UnitTags>,
    cpu_list: String,
    ports_range: Option<String>,
}

impl From<Listed> for ComputeUnitResponse {
    fn from(line: Listed) -> Self {
        match line {
            Listed::Unit(unit) => (*unit).into(),
            Listed::Host(host) => (*host).into(),
        }
    }
}

impl From<ListedUnit> for ComputeUnitResponse {
    fn from(line: ListedUnit) -> Self {
        let ListedUnit { unit, host, status, instance } = line;
        let cpus: Vec<String> = unit.range.cpus().iter().map(u32::to_string).collect();
        let tags = match unit.state {
            UnitState::Held { tags, .. } => tags,
            _ => None,
        };
        Self {
            compute_id: unit.name,
            hostname: host.hostname.to_string(),
            ip: host.address.to_string(),
            cpu_count: unit.range.count(),
            cpu_range: unit.range.to_string(),
            region: host.region.clone(),
            zone: host.zone.clone(),
            status: status.as_str(),
            started_at: instance.and_then(|instance| instance.ready_at).map(instant),
            tags,
            cpu_list: cpus.join(","),
            ports_range: Some(format!("{}-{}", unit.ports.from, unit.ports.until)),
        }
    }
}

impl From<ListedHost> for ComputeUnitResponse {
    fn from(ListedHost { host, status }: ListedHost) -> Self {
        Self {
            compute_id: host.hostname.to_string(),
            hostname: host.hostname.to_string(),
            ip: host.address.to_string(),
            cpu_count: 0,
            cpu_range: "0-0".to_owned(),
            region: host.region,
            zone: host.zone,
            status: status.as_str(),
            started_at: None,
            tags: None,
            cpu_list: String::new(),
            ports_range: None,
        }
    }
}
