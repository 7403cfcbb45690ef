use async_trait::async_trait;

use super::{ComputeHost, ComputeUnit, ComputeUnitId, ServerName, UnitState};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::instance::{Instance, InstanceId};
use crate::user::Viewer;

/// Which units are listed; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct UnitFilter {
    /// Its name.
    pub name: Option<String>,
    /// Its host's name.
    pub hostname: Option<String>,
    /// Where its host is.
    pub region: Option<String>,
    /// Where there.
    pub zone: Option<String>,
    /// How many CPUs it has.
    pub cpu_count: Option<u32>,
    /// A label `deployment_id` that its allocation carries.
    pub deployment_id: Option<String>,
    /// Its status, upper or lower case.
    pub status: Option<String>,
}

/// Which unit is wanted; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitWish {
    /// With exactly so many CPUs.
    pub cpu_count: Option<u32>,
    /// Of hosts in this region.
    pub region: Option<String>,
    /// Of hosts in this zone.
    pub zone: Option<String>,
}

/// Looks at hosts that are cut into compute units.
#[async_trait]
pub trait ComputeUnitQueries {
    /// A host.
    async fn compute_host(&self, host_id: HostId) -> Result<Option<ComputeHost>>;

    /// The host of this name.
    async fn compute_host_named(&self, name: &ServerName) -> Result<Option<ComputeHost>>;

    /// The hosts that a filter names, by name.
    async fn compute_hosts(&self, filter: &UnitFilter) -> Result<Vec<ComputeHost>>;

    /// The units that a filter names, by host and the first of their CPUs, labels and status aside.
    async fn compute_units(&self, filter: &UnitFilter) -> Result<Vec<ComputeUnit>>;

    /// The units of a host, by the first of their CPUs.
    async fn units_of_host(&self, host_id: HostId) -> Result<Vec<ComputeUnit>>;

    /// The unit of this name.
    async fn compute_unit_named(&self, name: &str) -> Result<Option<ComputeUnit>>;

    /// The unit that an instance has.
    async fn compute_unit_of(&self, instance_id: InstanceId) -> Result<Option<ComputeUnit>>;

    /// The hosts among those cut into units whose driver does not reach them, or that take nothing new.
    async fn closed_compute_hosts(&self) -> Result<Vec<HostId>>;

    /// The instances that have units, of pools that the user is an accepted member of; everybody's without
    /// a user.
    async fn unit_instances(&self, viewer: Option<Viewer>) -> Result<Vec<Instance>>;

    /// Some unit that is free by what is committed, on a host that takes something new.
    async fn free_unit(&self, wish: &UnitWish) -> Result<Option<ComputeUnitId>>;

    /// Hosts with something to be done and no job that will do it.
    async fn misaligned_compute_hosts(&self, limit: u32) -> Result<Vec<HostId>>;
}

/// Changes hosts that are cut into compute units.
#[async_trait]
pub trait ComputeUnits {
    /// A host, locked until the transaction ends.
    async fn compute_host_for_update(&self, host_id: HostId) -> Result<Option<ComputeHost>>;

    /// Adds a host, or stores a locked one.
    async fn save_compute_host(&self, host: &ComputeHost) -> Result<()>;

    /// Adds units that overlap with no other of their host; the database refuses what does.
    async fn add_units(&self, units: &[ComputeUnit]) -> Result<()>;

    /// The units of a host that no instance has, locked. It waits for those that are just being allocated.
    async fn idle_units_for_update(&self, host_id: HostId) -> Result<Vec<ComputeUnit>>;

    /// A free unit on a host that takes something new, that nobody else holds at this moment, locked. `None`
    /// says only that none can be had without waiting.
    async fn free_unit_for_update(&self, wish: &UnitWish) -> Result<Option<ComputeUnit>>;

    /// A unit, locked.
    async fn unit_for_update(&self, id: ComputeUnitId) -> Result<Option<ComputeUnit>>;

    /// The unit that an instance has, locked.
    async fn unit_of_for_update(&self, instance_id: InstanceId) -> Result<Option<ComputeUnit>>;

    /// Stores the state and memory of a locked unit.
    async fn save_unit(&self, unit: &ComputeUnit) -> Result<()>;

    /// Stores the state of the unit that an instance has; nothing happens if it has none.
    async fn vacate_unit(
        &self,
        instance_id: InstanceId,
        state: &UnitState,
        now: Timestamp,
    ) -> Result<()>;

    /// Removes a unit that is gone from its host.
    async fn remove_unit(&self, id: ComputeUnitId) -> Result<()>;
}
