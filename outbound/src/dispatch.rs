//! The driver that each host names.

use std::sync::Arc;

use async_trait::async_trait;
use domain::instance::{
    Copying, Driven, DriverKind, InstanceDriver, InstanceId, InstanceSpec, Inventory, Load,
    Sighting, Site, Task, TaskState,
};
use domain::volume::VolumeId;
use serde_json::{Map, Value};

/// All drivers, as one.
pub struct Drivers {
    /// For hosts that are not there.
    pub simulated: Arc<dyn InstanceDriver>,
    /// For hosts with the Docker API.
    pub docker: Arc<dyn InstanceDriver>,
}

impl Drivers {
    fn of(&self, site: &Site) -> &dyn InstanceDriver {
        self.named(site.driver)
    }

    fn named(&self, driver: DriverKind) -> &dyn InstanceDriver {
        match driver {
            DriverKind::Simulated => self.simulated.as_ref(),
            DriverKind::Docker => self.docker.as_ref(),
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
