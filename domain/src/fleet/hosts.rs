//! The hosts that plans need.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Map;

use super::GpuHost;
use crate::capacity::{FurnishHost, NetworkName, PortRange, StorageDraft, StorageName};
use crate::host::{
    Category, Cpu, Disk, DiskType, HostDraft, HostId, Location, Network, Pricing, RamType, Specs,
};
use crate::instance::DriverKind;
use crate::location::{LocationCode, PutLocation};
use crate::plan::{GpuShape, PlanDraft, Shape};
use crate::user::Operator;

/// Of each kind at each location, so that two of the largest plan can be had, and one while the other
/// host is drained.
const HOSTS: u32 = 2;
/// Of each host's own specification.
const DISK_GB: u32 = 20_000;
/// Of the storage that all hosts of a location share, so that a volume can go to any of them.
const STORAGE_GB: u32 = 500_000;
const PORTS: PortRange = PortRange { from: 20_000, until: 29_999 };
/// As many as [`capacity::furnish`](crate::capacity::furnish) takes.
const MOST_ADDRESSES: u32 = 1_024;
const MIB_PER_GIB: u32 = 1_024;
/// In Mbit/s.
const BANDWIDTH: u32 = 10_000;

/// A host that a fleet needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NeededHost {
    pub location: LocationCode,
    /// All that instances can have of it.
    pub shape: Shape,
    /// Its number among its equals, from 1.
    pub number: u32,
    /// Whether its graphics processors are sold one by one, and it is not for the fleet's plans.
    pub is_sold_by_gpu: bool,
    /// The most instances that can be on it at once, each of which gets an address.
    pub instances: u32,
}

/// Hosts for every location and kind of graphics processor, and for plans without any: each is as large
/// as the largest of its plans.
pub(super) fn needed(plans: &[PlanDraft]) -> Vec<NeededHost> {
    let mut kinds: BTreeMap<(&LocationCode, Option<&str>), Vec<&Shape>> = BTreeMap::new();
    let mut least_cpus: BTreeMap<&LocationCode, u32> = BTreeMap::new();
    for plan in plans {
        let model = plan.shape.gpu.as_ref().map(|gpu| gpu.model.as_str());
        for location in &plan.locations {
            kinds.entry((location, model)).or_default().push(&plan.shape);
            let least = least_cpus.entry(location).or_insert(plan.shape.cpus);
            *least = plan.shape.cpus.min(*least);
        }
    }
    let mut hosts = Vec::new();
    for ((location, _), shapes) in kinds {
        let shape = around(&shapes);
        // Also the smallest plan of the location without graphics processors may land here.
        let least = least_cpus.get(location).copied().unwrap_or(1);
        let instances = shape.cpus.checked_div(least).unwrap_or(1).min(MOST_ADDRESSES);
        hosts.extend((1..=HOSTS).map(|number| NeededHost {
            location: location.clone(),
            shape: shape.clone(),
            number,
            is_sold_by_gpu: false,
            instances,
        }));
    }
    hosts
}

/// A host for any of these shapes, on which processors and memory do not run out before the graphics
/// processors do.
fn around(shapes: &[&Shape]) -> Shape {
    let gpus = shapes.iter().map(|shape| shape.gpus()).max().unwrap_or_default();
    let most = |of: fn(&Shape) -> u32| {
        let all_of_it = |shape: &&Shape| {
            let at_once = gpus.checked_div(shape.gpus()).unwrap_or(1);
            of(shape).saturating_mul(at_once)
        };
        shapes.iter().map(all_of_it).max().unwrap_or_default()
    };
    let kinds = || shapes.iter().filter_map(|shape| shape.gpu.as_ref());
    let memory_mib = kinds().map(|gpu| gpu.memory_mib).max().unwrap_or_default();
    Shape {
        cpus: most(|shape| shape.cpus),
        ram_mib: most(|shape| shape.ram_mib),
        gpu: kinds().next().map(|gpu| GpuShape {
            model: gpu.model.clone(),
            count: gpus,
            memory_mib,
        }),
        disk_gb: DISK_GB,
    }
}

/// The same of hosts whose graphics processors are sold one by one, equal ones numbered. Each instance has at
/// least one GPU, and so each GPU an address.
pub(super) fn sold_by_gpu(hosts: &[GpuHost]) -> Vec<(NeededHost, &GpuHost)> {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut needed = Vec::new();
    for host in hosts {
        let mut one = NeededHost {
            location: host.location.clone(),
            shape: host.shape.clone(),
            number: 0,
            is_sold_by_gpu: true,
            instances: host.shape.gpus().min(MOST_ADDRESSES),
        };
        let number = numbers.entry(one.external_id()).or_default();
        *number = number.saturating_add(1);
        one.number = *number;
        needed.push((one, host));
    }
    needed
}

impl NeededHost {
    /// Tells what it has, so that a file with larger plans brings more hosts and changes none that
    /// carries somebody's instances.
    pub fn external_id(&self) -> String {
        let Self { location, shape, number, .. } = self;
        let gpus = shape.gpu.as_ref();
        let gpus = gpus.map(|gpu| format!("{}x{}-{}M.", gpu.count, gpu.model, gpu.memory_mib));
        let (gpus, ram_gib) = (gpus.unwrap_or_default(), shape.ram_mib.div_ceil(MIB_PER_GIB));
        let kind = if self.is_sold_by_gpu { "simulated-gpu" } else { "simulated" };
        format!("{kind}.{location}.{gpus}{}V.{ram_gib}G.{number}", shape.cpus)
    }

    /// As a server of the operator's list. It has no price, and so is never offered as a whole.
    pub fn draft(&self, location: &PutLocation) -> HostDraft {
        let Shape { cpus, ram_mib, gpu, disk_gb } = &self.shape;
        let external_id = self.external_id();
        let disk = Disk { count: 1, capacity_gb: *disk_gb, kind: DiskType::Nvme, interface: None };
        let specs = Specs {
            name: external_id.clone(),
            location: Location {
                country: location.country.clone(),
                region: location.country.to_ascii_lowercase(),
                city: location.name.clone(),
                datacenter: location.code.to_string(),
            },
            model: "Simulated host of instances".to_owned(),
            is_vm: false,
            category: if gpu.is_some() { Category::Gpu } else { Category::Compute },
            featured: false,
            popularity_rank: None,
            setup_time_minutes: 0,
            cpu: Cpu { model: "Simulated".to_owned(), cores: *cpus, threads: *cpus, score: None },
            ram_gb: ram_mib.div_ceil(MIB_PER_GIB),
            ram_type: RamType::EccDdr5,
            ram_speed_mhz: None,
            disks: vec![disk],
            network: Network {
                bandwidth_mbps: BANDWIDTH,
                traffic_tb: None,
                ipv4_count: self.instances.saturating_add(1),
                ipv6_enabled: false,
            },
            gpu: gpu.as_ref().map(|gpu| format!("{}x {}", gpu.count, gpu.model)),
        };
        HostDraft { external_id: Some(external_id), specs, pricing: Pricing::default() }
    }

    /// What it has for instances, with addresses of which the first is its own; `None` where they are
    /// too few.
    pub fn furnishing(
        &self,
        host_id: HostId,
        free: &mut impl Iterator<Item = IpAddr>,
    ) -> Option<FurnishHost> {
        let address = free.next()?;
        let count = usize::try_from(self.instances).ok()?;
        let storage = StorageName::parse(&format!("simulated.{}", self.location)).ok()?;
        let addresses: Vec<IpAddr> = free.take(count).collect();
        (addresses.len() == count).then(|| FurnishHost {
            operator: Operator::Console,
            host_id,
            location: self.location.clone(),
            storage: StorageDraft { name: Some(storage), size_gb: STORAGE_GB },
            driver: DriverKind::Simulated,
            settings: Map::new(),
            address,
            addresses,
            network: NetworkName::parse("simulated").ok(),
            ports: PORTS,
            pins_cpus: false,
            cpus: self.shape.cpus,
            ram_mib: self.shape.ram_mib,
            gpu: self.shape.gpu.clone(),
            benchmark: Map::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlanCode, PlanPricing};

    fn plan(cpus: u32, gib: u32, gpu: Option<(&str, u32)>, locations: &[&str]) -> PlanDraft {
        let gpu = gpu.map(|(model, count)| GpuShape {
            model: model.to_owned(),
            count,
            memory_mib: 81_920 + count,
        });
        PlanDraft {
            code: PlanCode::from_stored(format!("{cpus}")),
            name: "plan".to_owned(),
            description: String::new(),
            shape: Shape { cpus, ram_mib: gib * 1_024, gpu, disk_gb: 50 },
            pricing: PlanPricing::default(),
            locations: locations.iter().map(|code| LocationCode::parse(code).unwrap()).collect(),
            is_listed: true,
            pools: None,
        }
    }

    fn names(hosts: &[NeededHost]) -> Vec<String> {
        hosts.iter().map(NeededHost::external_id).collect()
    }

    #[test]
    fn each_kind_at_each_location_gets_two_hosts_for_its_largest_plan() {
        let plans = [
            plan(4, 16, None, &["FIN-01", "FIN-03"]),
            plan(32, 128, None, &["FIN-03"]),
            plan(22, 120, Some(("A100", 1)), &["FIN-01", "FIN-03"]),
            plan(80, 400, Some(("A100", 4)), &["FIN-03"]),
        ];
        let hosts = needed(&plans);
        assert_eq!(
            names(&hosts),
            [
                "simulated.FIN-01.4V.16G.1",
                "simulated.FIN-01.4V.16G.2",
                "simulated.FIN-01.1xA100-81921M.22V.120G.1",
                "simulated.FIN-01.1xA100-81921M.22V.120G.2",
                "simulated.FIN-03.32V.128G.1",
                "simulated.FIN-03.32V.128G.2",
                // For four of the small plan there, rather than one of the large one.
                "simulated.FIN-03.4xA100-81924M.88V.480G.1",
                "simulated.FIN-03.4xA100-81924M.88V.480G.2",
            ]
        );
        let instances: Vec<u32> = hosts.iter().map(|host| host.instances).collect();
        assert_eq!(instances, [1, 1, 5, 5, 8, 8, 22, 22]);
    }

    #[test]
    fn a_host_has_an_address_for_each_instance_or_is_not_furnished() {
        let host = needed(&[plan(4, 16, None, &["FIN-01"]), plan(8, 16, None, &["FIN-01"])]);
        let id = HostId::from_uuid(uuid::Uuid::from_u128(1));
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| text.parse().unwrap());
        let furnished = host[0].furnishing(id, &mut addresses.into_iter()).unwrap();
        assert_eq!(
            (furnished.address, furnished.addresses.as_slice()),
            (addresses[0], &addresses[1..])
        );
        assert!(host[0].furnishing(id, &mut addresses[1..].iter().copied()).is_none());
    }
}
