//! The driver that each host names.

use std::sync::Arc;

use async_trait::async_trait;
use domain::instance::{
    Copying, Driven, DriverFault, DriverKind, InstanceDriver, InstanceId, InstanceSpec, Inventory,
    Load, Sighting, Site, Task, TaskState,
};
use domain::volume::VolumeId;
use serde_json::{Map, Value};

/// All drivers, as one.
pub struct Drivers {
    /// For hosts that are not there.
    pub simulated: Arc<dyn InstanceDriver>,
    /// For hosts with the Docker API.
    pub docker: Arc<dyn InstanceDriver>,
    /// For Linux hosts that are cut into compute units.
    pub ssh: Arc<dyn InstanceDriver>,
}

impl Drivers {
    fn of(&self, site: &Site) -> &dyn InstanceDriver {
        self.named(site.driver)
    }

    fn named(&self, driver: DriverKind) -> &dyn InstanceDriver {
        match driver {
            DriverKind::Simulated => self.simulated.as_ref(),
            DriverKind::Docker => self.docker.as_ref(),
            DriverKind::Ssh => self.ssh.as_ref(),
        }
    }
}

#[async_trait]
impl InstanceDriver for Drivers {
    fn check(&self, driver: DriverKind, settings: &Map<String, Value>) -> Driven<()> {
        self.named(driver).check(driver, settings)
    }

    async fn create_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()> {
        self.of(site).create_volume(site, id, size_gb).await
    }

    async fn resize_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()> {
        self.of(site).resize_volume(site, id, size_gb).await
    }

    async fn copy_volume(&self, site: &Site, from: VolumeId, to: VolumeId) -> Driven<Copying> {
        self.of(site).copy_volume(site, from, to).await
    }

    async fn delete_volume(&self, site: &Site, id: VolumeId) -> Driven<()> {
        self.of(site).delete_volume(site, id).await
    }

    async fn create(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        self.of(site).create(site, spec).await
    }

    async fn carry(&self, from: (&Site, InstanceId), to: (&Site, InstanceId)) -> Driven<Copying> {
        let (here, there) = (from.0.driver, to.0.driver);
        if here != there {
            let (here, there) = (here.as_str(), there.as_str());
            let why = format!("a disk is not carried from a {here} host to a {there} one");
            return Err(DriverFault::Refused(why));
        }
        self.named(here).carry(from, to).await
    }

    async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        self.of(site).start(site, spec).await
    }

    async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting> {
        self.of(site).look(site, spec).await
    }

    async fn stop(&self, site: &Site, id: InstanceId, force: bool) -> Driven<()> {
        self.of(site).stop(site, id, force).await
    }

    async fn remove(&self, site: &Site, id: InstanceId, keep: Option<VolumeId>) -> Driven<()> {
        self.of(site).remove(site, id, keep).await
    }

    async fn begin_task(&self, site: &Site, id: InstanceId, task: &Task) -> Driven<()> {
        self.of(site).begin_task(site, id, task).await
    }

    async fn look_at_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<TaskState> {
        self.of(site).look_at_task(site, id, name).await
    }

    async fn end_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<()> {
        self.of(site).end_task(site, id, name).await
    }

    async fn inventory(&self, site: &Site) -> Driven<Option<Inventory>> {
        self.of(site).inventory(site).await
    }

    async fn logs(&self, site: &Site, id: InstanceId, lines: u32) -> Driven<String> {
        self.of(site).logs(site, id, lines).await
    }

    async fn load(&self, site: &Site, id: InstanceId) -> Driven<Option<Load>> {
        self.of(site).load(site, id).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use domain::host::HostId;
    use domain::instance::Pull;

    use super::*;
    use crate::simulated_instances::{Conduct, SimulatedInstances};

    fn site(number: u8, driver: DriverKind) -> Site {
        let host_id = HostId::parse(&format!("{number:024x}")).unwrap();
        Site { host_id, driver, settings: Map::new(), address: Ipv4Addr::LOCALHOST.into() }
    }

    fn id(number: u8) -> InstanceId {
        InstanceId::parse(&format!("{number:024x}")).unwrap()
    }

    fn spec(number: u8, is_carried: bool) -> InstanceSpec {
        InstanceSpec {
            id: id(number),
            hostname: "machine".to_owned(),
            image: "image:1".to_owned(),
            pull: Pull::default(),
            is_carried,
            edition: 0,
            username: "root".to_owned(),
            password: None,
            cpus: 1,
            pinned_cpus: Vec::new(),
            ram_mib: 256,
            disk: None,
            disk_gb: 1,
            gpus: Vec::new(),
            address: None,
            ports: Vec::new(),
            environment: std::collections::BTreeMap::new(),
            public_keys: Vec::new(),
            script: None,
            is_autostart: false,
            runs_jupyter: false,
            mounts: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_is_carried_in_the_simulation_has_the_data_of_the_first() {
        let conduct = Conduct { copy_looks: 1, remembers: true, ..Conduct::default() };
        let simulated = Arc::new(SimulatedInstances::new(conduct));
        let docker = Arc::new(crate::docker::Docker::new("here".to_owned()));
        let drivers = Drivers { simulated: simulated.clone(), docker, ssh: simulated.clone() };
        let (here, there) = (site(1, DriverKind::Simulated), site(2, DriverKind::Simulated));
        drivers.create(&here, &spec(1, false)).await.unwrap();
        let early = drivers.create(&there, &spec(2, true)).await;
        assert!(matches!(early, Err(DriverFault::Failed(_))), "{early:?}");
        drivers.start(&here, &spec(1, false)).await.unwrap();
        let running = drivers.carry((&here, id(1)), (&there, id(2))).await;
        assert_eq!(running, Err(DriverFault::Failed(format!("{} runs", id(1)))));
        drivers.stop(&here, id(1), false).await.unwrap();

        // To another host, and from there to the same once more.
        for (from, to) in [((&here, 1), (&there, 2)), ((&there, 2), (&there, 3))] {
            let ends = ((from.0, id(from.1)), (to.0, id(to.1)));
            for answer in [Copying::UnderWay, Copying::Done, Copying::Done] {
                assert_eq!(drivers.carry(ends.0, ends.1).await, Ok(answer));
            }
            drivers.create(to.0, &spec(to.1, true)).await.unwrap();
            assert_eq!(simulated.data_of(to.0.host_id, id(to.1)), Some(id(1)));
        }
        drivers.remove(&there, id(2), None).await.unwrap();
        let gone = drivers.create(&there, &spec(2, true)).await;
        assert!(matches!(gone, Err(DriverFault::Failed(_))), "{gone:?}");
        let elsewhere = site(3, DriverKind::Docker);
        let refused = drivers.carry((&here, id(1)), (&elsewhere, id(4))).await;
        let why = "a disk is not carried from a simulated host to a docker one".to_owned();
        assert_eq!(refused, Err(DriverFault::Refused(why)));
    }
}
