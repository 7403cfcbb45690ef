//! What operators do with hosts that carry instances: say what they have, drain them, look.

use serde_json::{Map, Value, json};
use tracing::instrument;

use super::{Capacity, Health, NetworkName, PortRange, Purpose, Slot, Storage, StorageName, Used};
use crate::clock::{Clock, Timestamp};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::event::{Event, Subject};
use crate::host::{Host, HostId, Occupancy};
use crate::instance::{DriverKind, InstanceDriver, InstanceId};
use crate::location::{LocationCode, NOWHERE};
use crate::page::{Page, Paged};
use crate::plan::GpuShape;
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;

/// The most addresses of one host.
const MOST_ADDRESSES: usize = 1_024;
/// The most bytes of settings, and of benchmark figures.
const MOST_SETTINGS: usize = 16 * 1024;

/// What a host has for instances, as an operator says it.
#[derive(Clone, Debug)]
pub struct FurnishHost {
    /// Who says it.
    pub operator: Operator,
    /// Which host; it is taken off the market of whole servers.
    pub host_id: HostId,
    /// Where people find it.
    pub location: LocationCode,
    /// Its disks.
    pub storage: StorageDraft,
    /// What makes instances there.
    pub driver: DriverKind,
    /// How that reaches the host.
    pub settings: Map<String, Value>,
    /// Where published ports are reached.
    pub address: std::net::IpAddr,
    /// Addresses to give away.
    pub addresses: Vec<std::net::IpAddr>,
    /// The network that brings these addresses to any of its hosts.
    pub network: Option<NetworkName>,
    /// Ports to publish.
    pub ports: PortRange,
    /// Whether every instance gets CPUs of its own.
    pub pins_cpus: bool,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Graphics processors.
    pub gpu: Option<GpuShape>,
    /// Figures of benchmarks.
    pub benchmark: Map<String, Value>,
}

/// The disks of a host.
#[derive(Clone, Debug)]
pub struct StorageDraft {
    /// The storage that it shares with others; without a name it has one of its own.
    pub name: Option<StorageName>,
    /// The whole storage's size in GB of 10⁹ bytes.
    pub size_gb: u32,
}

/// What to change in a host that carries instances; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostChange {
    /// Whether no new instance is to come.
    pub is_draining: Option<bool>,
}

/// A host that carries instances, with its storage and who holds what.
#[derive(Clone, Debug)]
pub struct HostCarrying {
    /// What it has.
    pub capacity: Capacity,
    /// Its disks.
    pub storage: Storage,
    /// What is held by whom.
    pub slots: Vec<(Slot, InstanceId)>,
}

/// Says, or says anew, what a host has for instances. Refused while it has less than what instances
/// hold of it.
#[instrument(name = "capacity.furnish", skip_all, fields(host_id = %request.host_id))]
pub async fn furnish(
    store: &dyn Store,
    clock: &dyn Clock,
    driver: &dyn InstanceDriver,
    request: FurnishHost,
) -> Result<HostCarrying> {
    request.operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let violations = violations(&request);
    if !violations.is_empty() {
        return Err(Error::Invalid(violations));
    }
    driver
        .check(request.driver, &request.settings)
        .map_err(|fault| Error::invalid("/settings", fault.to_string()))?;
    atomically(store, async |tx: &dyn Tx| {
        let host = tx.host_for_update(request.host_id).await?;
        let host = host.ok_or(Error::NotFound(Thing::Server))?;
        if host.occupancy != Occupancy::Free {
            return Err(Error::Conflict(Conflict::ServerUnavailable));
        }
        if host.supplier_id.is_some() {
            let advice = "belongs to a supplier, whose share of instances is not computed yet";
            return Err(Error::invalid("/server_id", advice));
        }
        let before = tx.capacity_for_update(host.id).await?;
        if tx.compute_host(host.id).await?.is_some_and(|cut| cut.phase.is_cut()) {
            return Err(Error::Conflict(Conflict::CutIntoUnits));
        }
        let location = tx.location_coded(&request.location).await?;
        if location.is_none_or(|location| location.country == NOWHERE) {
            return Err(Error::invalid("/location", "is no location; make it first"));
        }
        let storage = storage(tx, &request, before.as_ref()).await?;
        let capacity = described(&request, &storage.name, before.as_ref(), now);
        let slots = tx.slots_of(host.id).await?;
        check_used(&capacity, &slots)?;
        check_network(tx, (&capacity, before.as_ref()), &slots).await?;
        tx.save_storage(&storage).await?;
        tx.save_capacity(&capacity).await?;
        if host.is_listed {
            tx.save_host(&Host { is_listed: false, updated_at: now, ..host }).await?;
        }
        tx.record(vec![furnished(&request.operator, before.as_ref(), &capacity, now)]).await?;
        Ok(HostCarrying { capacity, storage, slots })
    })
    .await
}

fn violations(request: &FurnishHost) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fault = |path: &str, message: &str| {
        violations.push(Violation { path: path.to_owned(), message: message.to_owned() });
    };
    if request.driver == DriverKind::Ssh {
        fault("/driver", "cuts servers into compute units; it makes no other instances");
    }
    if request.cpus == 0 || request.cpus > 65_536 {
        fault("/cpus", "must be 1 to 65536");
    }
    if request.ram_mib < 64 {
        fault("/ram_mib", "must be at least 64");
    }
    if request.storage.size_gb == 0 {
        fault("/storage/size_gb", "must be at least 1");
    }
    if request.gpu.as_ref().is_some_and(|gpu| gpu.count == 0 || gpu.count > 1_024) {
        fault("/gpu/count", "must be 1 to 1024");
    }
    if request.ports.from == 0 || request.ports.from > request.ports.until {
        fault("/ports", "must be a range from the lower to the higher port, from 1 on");
    }
    let mut addresses = request.addresses.clone();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.len() != request.addresses.len() || addresses.len() > MOST_ADDRESSES {
        fault("/addresses", "must be at most 1024 different addresses");
    }
    for (path, map) in [("/settings", &request.settings), ("/benchmark", &request.benchmark)] {
        if serde_json::to_string(map).map_or(true, |text| text.len() > MOST_SETTINGS) {
            fault(path, "must be at most 16 KiB of JSON");
        }
    }
    violations
}

/// Refuses while instances are on a host, hibernated ones too, while disks that outlived their instances
/// are there, or while its storage has volumes that no other host could reach.
async fn require_unused(tx: &dyn Tx, capacity: &Capacity) -> Result<()> {
    let in_use = Error::Conflict(Conflict::CapacityInUse);
    let instances = tx.live_instances_of_host(capacity.host_id).await?;
    if !instances.is_empty() || !tx.instances_leaving(capacity.host_id).await?.is_empty() {
        return Err(in_use);
    }
    let volumes = tx.volumes_at(&capacity.storage).await?;
    let mut disks = volumes.iter().filter_map(|volume| volume.disk.as_ref());
    if disks.any(|disk| disk.host_id == capacity.host_id) {
        return Err(in_use);
    }
    let used_gb = tx.storage(&capacity.storage).await?.map_or(0, |storage| storage.used_gb);
    let hosts = tx.hosts_at(&capacity.storage).await?;
    if used_gb > 0 && hosts.iter().all(|host_id| *host_id == capacity.host_id) {
        return Err(in_use);
    }
    Ok(())
}

/// The storage as it is to be, locked where there is one.
async fn storage(tx: &dyn Tx, request: &FurnishHost, before: Option<&Capacity>) -> Result<Storage> {
    let own = || StorageName::from_stored(request.host_id.to_string());
    let name = request.storage.name.clone().unwrap_or_else(own);
    if let Some(before) = before.filter(|before| before.storage != name) {
        require_unused(tx, before).await?;
    }
    let (location, size_gb) = (request.location.clone(), request.storage.size_gb);
    let Some(storage) = tx.storage_for_update(&name).await? else {
        return Ok(Storage { name, location, size_gb, used_gb: 0 });
    };
    if storage.location != location {
        let message = format!("is at {}, as its other hosts are", storage.location);
        return Err(Error::invalid("/storage/name", message));
    }
    if storage.used_gb > size_gb {
        return Err(Error::Conflict(Conflict::CapacityInUse));
    }
    Ok(Storage { size_gb, ..storage })
}

fn described(
    request: &FurnishHost,
    storage: &StorageName,
    before: Option<&Capacity>,
    now: Timestamp,
) -> Capacity {
    Capacity {
        host_id: request.host_id,
        location: request.location.clone(),
        storage: storage.clone(),
        purpose: Purpose::Instances,
        driver: request.driver,
        settings: request.settings.clone(),
        address: request.address,
        addresses: request.addresses.clone(),
        network: request.network.clone(),
        ports: request.ports,
        pins_cpus: request.pins_cpus,
        cpus: request.cpus,
        ram_mib: request.ram_mib,
        gpu: request.gpu.clone(),
        used: before.map_or_else(Used::default, |before| before.used),
        health: before.map_or(Health::Healthy, |before| before.health),
        down_seconds: before.map_or(0, |before| before.down_seconds),
        is_draining: before.is_some_and(|before| before.is_draining),
        benchmark: request.benchmark.clone(),
        created_at: before.map_or(now, |before| before.created_at),
        updated_at: now,
    }
}

/// Refuses an address that another host of the network gives away too, and another network while addresses are
/// away from their host.
async fn check_network(
    tx: &dyn Tx,
    (capacity, before): (&Capacity, Option<&Capacity>),
    slots: &[(Slot, InstanceId)],
) -> Result<()> {
    let leaves_it =
        |before: &Capacity| before.network.is_some() && before.network != capacity.network;
    if before.is_some_and(leaves_it) {
        let own = tx.live_instances_of_host(capacity.host_id).await?;
        let borrows = own.iter().any(|instance| instance.claim.lent_by.is_some());
        let is_lent = |(slot, holder): &(Slot, InstanceId)| {
            matches!(slot, Slot::Address(_)) && !own.iter().any(|instance| instance.id == *holder)
        };
        if borrows || slots.iter().any(is_lent) {
            return Err(Error::Conflict(Conflict::CapacityInUse));
        }
    }
    let Some(network) = &capacity.network else { return Ok(()) };
    let hosts = tx.hosts_of_network(network).await?;
    let others = hosts.iter().filter(|host| host.host_id != capacity.host_id);
    let mut given = others.flat_map(|host| &host.addresses);
    if let Some(address) = given.find(|address| capacity.addresses.contains(address)) {
        let message = format!("{address} is given away by another server of the network");
        return Err(Error::invalid("/addresses", message));
    }
    Ok(())
}

/// Refuses what would take away what instances hold.
fn check_used(capacity: &Capacity, slots: &[(Slot, InstanceId)]) -> Result<()> {
    let gpus = capacity.gpu.as_ref().map_or(0, |gpu| gpu.count);
    let used = capacity.used;
    let ports = capacity.ports.from..=capacity.ports.until;
    let is_there = |slot: &Slot| match slot {
        Slot::Gpu(number) => *number < gpus,
        Slot::Cpu(number) => capacity.pins_cpus && *number < capacity.cpus,
        Slot::Port(number) => ports.contains(number),
        Slot::Address(address) => capacity.addresses.contains(address),
    };
    let fits = used.cpus <= capacity.cpus && used.ram_mib <= capacity.ram_mib && used.gpus <= gpus;
    let all_there = slots.iter().all(|(slot, _)| is_there(slot));
    if fits && all_there { Ok(()) } else { Err(Error::Conflict(Conflict::CapacityInUse)) }
}

/// Drains a host, or opens it again.
#[instrument(name = "capacity.change", skip_all, fields(%host_id))]
pub async fn change(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    host_id: HostId,
    change: HostChange,
) -> Result<HostCarrying> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let before = tx.capacity_for_update(host_id).await?;
        let before = before.ok_or(Error::NotFound(Thing::Server))?;
        let is_draining = change.is_draining.unwrap_or(before.is_draining);
        let capacity = Capacity { is_draining, updated_at: now, ..before.clone() };
        tx.save_capacity(&capacity).await?;
        tx.record(vec![furnished(operator, Some(&before), &capacity, now)]).await?;
        let storage = tx.storage(&capacity.storage).await?;
        let storage = storage.ok_or(Error::NotFound(Thing::Server))?;
        Ok(HostCarrying { slots: tx.slots_of(host_id).await?, storage, capacity })
    })
    .await
}

/// A host that carries instances, for operators.
pub async fn show(store: &dyn Store, operator: &Operator, id: HostId) -> Result<HostCarrying> {
    operator.may(Permission::AdminRead)?;
    let reads = store.reads();
    let missing = || Error::NotFound(Thing::Server);
    let capacity = reads.capacity(id).await?.ok_or_else(missing)?;
    let storage = reads.storage(&capacity.storage).await?.ok_or_else(missing)?;
    Ok(HostCarrying { slots: reads.slots_of(id).await?, storage, capacity })
}

/// Every host that carries instances, for operators.
pub async fn all(
    store: &dyn Store,
    operator: &Operator,
    page: Page<HostId>,
) -> Result<Paged<Capacity, HostId>> {
    operator.may(Permission::AdminRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().capacities(&fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |capacity| capacity.host_id))
}

fn furnished(
    operator: &Operator,
    before: Option<&Capacity>,
    after: &Capacity,
    now: Timestamp,
) -> Event {
    Event {
        kind: "host.furnished",
        subject: Subject::Host(after.host_id),
        actor: operator.actor(),
        before: before.map(facts),
        data: facts(after),
        recipient: None,
        at: now,
    }
}

fn facts(capacity: &Capacity) -> Value {
    json!({ "location": capacity.location, "driver": capacity.driver, "cpus": capacity.cpus,
        "ram_mib": capacity.ram_mib, "gpu": capacity.gpu, "is_draining": capacity.is_draining })
}
