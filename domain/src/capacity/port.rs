use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use async_trait::async_trait;

use super::{Capacity, Need, NetworkName, Placement, Room, Slot, Storage, StorageName};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::instance::{InstanceId, PublishedPort};
use crate::location::LocationCode;
use crate::page::Page;

/// Looks at what hosts have to give.
#[async_trait]
pub trait CapacityQueries {
    /// The hosts of a network.
    async fn hosts_of_network(&self, name: &NetworkName) -> Result<Vec<Capacity>>;

    /// What a host has, if it carries instances.
    async fn capacity(&self, host_id: HostId) -> Result<Option<Capacity>>;

    /// All hosts that carry instances, by age, oldest first.
    async fn capacities(&self, page: &Page<HostId>) -> Result<Vec<Capacity>>;

    /// Where these hosts are reached.
    async fn addresses_of_hosts(&self, ids: &BTreeSet<HostId>) -> Result<BTreeMap<HostId, IpAddr>>;

    /// A storage.
    async fn storage(&self, name: &StorageName) -> Result<Option<Storage>>;

    /// The best host with room for this by what is committed, but for those. Slots are not looked at.
    async fn host_with_room(
        &self,
        need: &Need,
        placement: Placement,
        except: &BTreeSet<HostId>,
    ) -> Result<Option<HostId>>;

    /// Every host that new instances may come to, everywhere or at a location, by what is committed,
    /// by one statement.
    async fn rooms(&self, location: Option<&LocationCode>) -> Result<Vec<Room>>;

    /// What is held of a host, and by whom.
    async fn slots_of(&self, host_id: HostId) -> Result<Vec<(Slot, InstanceId)>>;
}

/// Changes what hosts have to give.
#[async_trait]
pub trait Capacities {
    /// What a host has, locked until the transaction ends.
    async fn capacity_for_update(&self, host_id: HostId) -> Result<Option<Capacity>>;

    /// The best host with room that nobody else holds at this moment, locked. `None` says only that
    /// none can be had without waiting.
    async fn free_capacity_for_update(
        &self,
        need: &Need,
        placement: Placement,
    ) -> Result<Option<Capacity>>;

    /// Adds what a host has, or stores it for a locked one.
    async fn save_capacity(&self, capacity: &Capacity) -> Result<()>;

    /// Stores what is taken of a locked host; the database refuses more than there is.
    async fn save_used(&self, capacity: &Capacity) -> Result<()>;

    /// Stores whether a host is reached.
    async fn save_health(&self, capacity: &Capacity, now: Timestamp) -> Result<()>;

    /// A storage, locked until the transaction ends.
    async fn storage_for_update(&self, name: &StorageName) -> Result<Option<Storage>>;

    /// Adds a storage, or stores a locked one; the database refuses more taken than there is.
    async fn save_storage(&self, storage: &Storage) -> Result<()>;

    /// Takes disk of a storage; false if there is not so much of it.
    async fn take_disk(&self, name: &StorageName, size_gb: u32) -> Result<bool>;

    /// Gives disk back to a storage; the database refuses more than was taken.
    async fn give_disk_back(&self, name: &StorageName, size_gb: u32) -> Result<()>;

    /// Gives slots of a locked host to an instance. A slot that is held violates a unique key.
    async fn add_slots(
        &self,
        host_id: HostId,
        instance_id: InstanceId,
        slots: &[Slot],
    ) -> Result<()>;

    /// Gives back every slot that an instance holds of a locked host, but addresses.
    async fn free_slots(&self, host_id: HostId, instance_id: InstanceId) -> Result<()>;

    /// Gives back the ports that an instance holds of a locked host, but those of `kept`.
    async fn free_ports(
        &self,
        host_id: HostId,
        instance_id: InstanceId,
        kept: &[PublishedPort],
    ) -> Result<()>;

    /// Gives back the addresses that an instance holds, of whichever hosts, but those of `kept`.
    async fn free_addresses(&self, instance_id: InstanceId, kept: Option<HostId>) -> Result<()>;
}
