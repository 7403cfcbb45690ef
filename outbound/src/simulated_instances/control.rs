//! What tests look at, and what they let happen to hosts that are not there.

use domain::compute_unit::UnitPlan;
use domain::host::HostId;
use domain::instance::{InstanceId, InstanceSpec, Inventory, Task, TaskState};
use domain::volume::VolumeId;

use super::SimulatedInstances;

impl SimulatedInstances {
    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// What is on a host: instances with whether each runs, and volumes.
    pub fn inventory_of(&self, host_id: HostId) -> Inventory {
        let state = self.state();
        let host = state.hosts.get(&host_id);
        let instances = host.into_iter().flat_map(|host| &host.instances);
        // What was carried and not made of yet does not run.
        let carried = host.into_iter().flat_map(|host| host.carried.keys().map(|id| (*id, false)));
        Inventory {
            instances: carried.chain(instances.map(|(id, made)| (*id, made.runs))).collect(),
            volumes: host.into_iter().flat_map(|host| host.volumes.keys().copied()).collect(),
        }
    }

    /// What an instance was made as.
    pub fn spec_of(&self, host_id: HostId, id: InstanceId) -> Option<InstanceSpec> {
        let state = self.state();
        state.hosts.get(&host_id)?.instances.get(&id).map(|made| made.spec.clone())
    }

    /// The instance that the data of an instance's own disk began with: itself, unless they were carried.
    pub fn data_of(&self, host_id: HostId, id: InstanceId) -> Option<InstanceId> {
        let state = self.state();
        state.hosts.get(&host_id)?.instances.get(&id).map(|made| made.data)
    }

    /// The scripts that were run in an instance, in this order.
    pub fn tasks_of(&self, host_id: HostId, id: InstanceId) -> Vec<Task> {
        let state = self.state();
        let made = state.hosts.get(&host_id).and_then(|host| host.instances.get(&id));
        made.into_iter().flat_map(|made| &made.tasks).map(|ran| ran.task.clone()).collect()
    }

    /// Whether a script was cut off.
    pub fn is_cut_off(&self, host_id: HostId, id: InstanceId, name: &str) -> bool {
        let state = self.state();
        let made = state.hosts.get(&host_id).and_then(|host| host.instances.get(&id));
        let mut tasks = made.into_iter().flat_map(|made| &made.tasks);
        tasks.any(|ran| ran.task.name == name && ran.looks.is_none())
    }

    /// Lets a script end well, without a look at it.
    pub fn finish_task(&self, host_id: HostId, id: InstanceId, name: &str) {
        let mut state = self.state();
        let made = state.hosts.entry(host_id).or_default().instances.get_mut(&id);
        let tasks = made.map(|made| &mut made.tasks).into_iter().flatten();
        for ran in tasks.filter(|ran| ran.task.name == name) {
            ran.ended = Some(TaskState::Ended { status: 0, output: String::new() });
        }
    }

    /// The compute units of a host; none where it is not prepared for any.
    pub fn units_of(&self, host_id: HostId) -> Option<Vec<UnitPlan>> {
        let state = self.state();
        let host = state.hosts.get(&host_id).filter(|host| host.is_prepared)?;
        Some(host.units.values().cloned().collect())
    }

    /// Lets an instance stop by itself.
    pub fn crash(&self, host_id: HostId, id: InstanceId) {
        if let Some(made) = self.state().hosts.entry(host_id).or_default().instances.get_mut(&id) {
            made.stop();
        }
    }

    /// Lets a host forget an instance.
    pub fn lose(&self, host_id: HostId, id: InstanceId) {
        self.state().hosts.entry(host_id).or_default().instances.remove(&id);
    }

    /// Lets a host have a volume that nobody made.
    pub fn bring_volume(&self, host_id: HostId, id: VolumeId, size_gb: u32) {
        self.state().hosts.entry(host_id).or_default().volumes.insert(id, size_gb);
    }

    /// Lets a host forget a volume.
    pub fn lose_volume(&self, host_id: HostId, id: VolumeId) {
        self.state().hosts.entry(host_id).or_default().volumes.remove(&id);
    }

    /// Lets a host stop answering, or answer again.
    pub fn reach(&self, host_id: HostId, answers: bool) {
        let mut state = self.state();
        if answers {
            state.down.remove(&host_id);
        } else {
            state.down.insert(host_id);
        }
    }
}
