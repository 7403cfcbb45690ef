//! Finds a host for an instance and takes what it needs there.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Capacity, Health, Kept, Need, Placement, Purpose, Slot};
use crate::error::{Conflict, Error, Result, Thing};
use crate::host::HostId;
use crate::instance::{InstanceId, PublishedPort};
use crate::plan::Shape;
use crate::store::Tx;

/// Hosts that are waited for, one after the other, and turned out to be full by then.
const ROUNDS: u32 = 64;

/// What an instance has of its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Graphics processors, by number.
    pub gpus: Vec<u32>,
    /// CPUs of its own, by number; empty where the host shares them out.
    pub cpus: Vec<u32>,
    /// An address of its own.
    pub address: Option<IpAddr>,
    /// The host that it has this address of, if that is another one of its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent_by: Option<HostId>,
    /// Ports published on the host's address.
    pub ports: Vec<PublishedPort>,
    /// The ports that are published until it is made anew, if those are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Vec<PublishedPort>>,
}

/// Where an instance was placed.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The host, with what it has left.
    pub capacity: Capacity,
    /// What the instance has of it.
    pub claim: Claim,
}

/// Takes what an instance needs on the best host that has it: first on one that nobody else holds at
/// this moment, then by waiting for those who do, so that neither two get the same nor one is refused
/// while there is room. Refuses with [`Conflict::NoCapacity`].
pub async fn place(
    tx: &dyn Tx,
    need: &Need,
    placement: Placement,
    (id, inside): (InstanceId, &[u16]),
) -> Result<Placed> {
    if let Some(capacity) = tx.free_capacity_for_update(need, placement).await?
        && let Some(placed) = take(tx, capacity, need, (id, inside)).await?
    {
        return Ok(placed);
    }
    // Those that lack only slots seem to have room again and again.
    let mut full = BTreeSet::new();
    for _ in 0..ROUNDS {
        let best = tx.host_with_room(need, placement, &full).await?;
        let host_id = best.ok_or(Error::Conflict(Conflict::NoCapacity))?;
        let capacity = tx.capacity_for_update(host_id).await?;
        let capacity = capacity.ok_or(Error::NotFound(Thing::Server))?;
        if !capacity.is_open() || !capacity.has_room(&need.shape) {
            continue;
        }
        if let Some(placed) = take(tx, capacity, need, (id, inside)).await? {
            return Ok(placed);
        }
        full.insert(host_id);
    }
    Err(Error::Busy)
}

/// Takes a compute unit's CPUs and memory of its host for an instance; `None` where the host takes nothing new.
pub(crate) async fn place_on_unit(
    tx: &dyn Tx,
    host_id: HostId,
    (id, shape): (InstanceId, &Shape),
    cpus: &[u32],
) -> Result<Option<Placed>> {
    let capacity = tx.capacity_for_update(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let is_cut = capacity.purpose == Purpose::ComputeUnits && !capacity.is_draining;
    if !is_cut || capacity.health != Health::Healthy {
        return Ok(None);
    }
    let claim = Claim { cpus: cpus.to_vec(), ..Claim::default() };
    tx.add_slots(host_id, id, &slots(&claim)).await?;
    let capacity = capacity.taken(shape);
    tx.save_used(&capacity).await?;
    Ok(Some(Placed { capacity, claim }))
}

/// Takes it from a locked host; `None` where slots or disk are lacking.
async fn take(
    tx: &dyn Tx,
    capacity: Capacity,
    need: &Need,
    (id, inside): (InstanceId, &[u16]),
) -> Result<Option<Placed>> {
    let held = tx.slots_of(capacity.host_id).await?;
    let held: HashSet<Slot> = held.into_iter().map(|(slot, _)| slot).collect();
    let Some(claim) = choose(&capacity, need, inside, &held) else { return Ok(None) };
    if !tx.take_disk(&capacity.storage, need.disk_gb()).await? {
        return Ok(None);
    }
    let mut slots = slots(&claim);
    slots.retain(|slot| need.keeps.is_none_or(|kept| *slot != Slot::Address(kept.address)));
    if !slots.is_empty() {
        tx.add_slots(capacity.host_id, id, &slots).await?;
    }
    let capacity = capacity.taken(&need.shape);
    tx.save_used(&capacity).await?;
    Ok(Some(Placed { capacity, claim }))
}

/// Wants other ports of an instance published on its locked host: those that are published keep their outside, and
/// are held until it is made anew. `None` where too few are free. What has an address of its own needs none.
pub async fn republish(
    tx: &dyn Tx,
    host_id: HostId,
    (id, claim): (InstanceId, &Claim),
    inside: &[u16],
) -> Result<Option<Claim>> {
    if claim.address.is_some() {
        return Ok(Some(claim.clone()));
    }
    let capacity = tx.capacity(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let before = claim.published.as_ref().unwrap_or(&claim.ports);
    // What was wanted since and never made.
    tx.free_ports(host_id, id, before).await?;
    let held: HashSet<Slot> =
        tx.slots_of(host_id).await?.into_iter().map(|(slot, _)| slot).collect();
    let is_new = |port: &&u16| !before.iter().any(|there| there.inside == **port);
    let new: Vec<u16> = inside.iter().filter(is_new).copied().collect();
    let Some(more) = published(&capacity, &new, &held) else { return Ok(None) };
    let slots: Vec<Slot> = more.iter().map(|port| Slot::Port(port.outside)).collect();
    if !slots.is_empty() {
        tx.add_slots(host_id, id, &slots).await?;
    }
    let kept = before.iter().filter(|port| inside.contains(&port.inside)).copied();
    let mut ports: Vec<PublishedPort> = kept.chain(more).collect();
    ports.sort_by_key(|port| inside.iter().position(|named| *named == port.inside));
    Ok(Some(Claim { ports, published: Some(before.clone()), ..claim.clone() }))
}

/// What of its place an instance gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Everything,
    /// All but its disk, which a hibernated instance keeps.
    AllButDisk,
    /// The disk, where it holds nothing else any more.
    Disk,
}

/// Gives back what an instance has of its host, but its address ([`Capacities::free_addresses`]).
///
/// [`Capacities::free_addresses`]: super::Capacities::free_addresses
pub async fn release(
    tx: &dyn Tx,
    host_id: HostId,
    (id, shape): (InstanceId, &Shape),
    part: Part,
) -> Result<()> {
    let capacity = tx.capacity_for_update(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    if part != Part::AllButDisk {
        tx.give_disk_back(&capacity.storage, shape.disk_gb).await?;
    }
    if part != Part::Disk {
        tx.free_slots(host_id, id).await?;
        tx.save_used(&capacity.given_back(shape)).await?;
    }
    Ok(())
}

fn slots(claim: &Claim) -> Vec<Slot> {
    let gpus = claim.gpus.iter().copied().map(Slot::Gpu);
    let cpus = claim.cpus.iter().copied().map(Slot::Cpu);
    let ports = claim.ports.iter().map(|port| Slot::Port(port.outside));
    let address = claim.address.map(Slot::Address);
    gpus.chain(cpus).chain(ports).chain(address).collect()
}

/// The lowest free slots; `None` where there are not enough.
fn choose(capacity: &Capacity, need: &Need, inside: &[u16], held: &HashSet<Slot>) -> Option<Claim> {
    let shape = &need.shape;
    let gpus = capacity.gpu.as_ref().map_or(0, |gpu| gpu.count);
    let gpus = lowest(shape.gpus(), 0..gpus, |number| held.contains(&Slot::Gpu(*number)))?;
    let pinned = if capacity.pins_cpus { shape.cpus } else { 0 };
    let cpus = lowest(pinned, 0..capacity.cpus, |number| held.contains(&Slot::Cpu(*number)))?;
    let claim = Claim { gpus, cpus, ..Claim::default() };
    if let Some(Kept { address, of }) = need.keeps {
        let lent_by = Some(of).filter(|of| *of != capacity.host_id);
        return Some(Claim { address: Some(address), lent_by, ..claim });
    }
    if !capacity.addresses.is_empty() {
        let free = |address: &&IpAddr| !held.contains(&Slot::Address(**address));
        let address = capacity.addresses.iter().find(free).copied()?;
        return Some(Claim { address: Some(address), ..claim });
    }
    Some(Claim { ports: published(capacity, inside, held)?, ..claim })
}

/// Ports inside, each with the lowest free one outside.
fn published(
    capacity: &Capacity,
    inside: &[u16],
    held: &HashSet<Slot>,
) -> Option<Vec<PublishedPort>> {
    let range = capacity.ports.from..=capacity.ports.until;
    let count = u32::try_from(inside.len()).ok()?;
    let outside = lowest(count, range, |number| held.contains(&Slot::Port(*number)))?;
    let ports = inside.iter().zip(outside);
    Some(ports.map(|(inside, outside)| PublishedPort { inside: *inside, outside }).collect())
}

fn lowest<T>(
    count: u32,
    all: impl Iterator<Item = T>,
    is_held: impl Fn(&T) -> bool,
) -> Option<Vec<T>> {
    let count = usize::try_from(count).ok()?;
    let chosen: Vec<T> = all.filter(|item| !is_held(item)).take(count).collect();
    (chosen.len() == count).then_some(chosen)
}
