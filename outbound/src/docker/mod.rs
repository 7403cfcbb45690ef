//! Instances as containers of any engine that serves the Docker API: Docker, and Podman's service.
//!
//! What the two do otherwise stands where it matters: names that are taken (`create`), owners of
//! files in archives (`volumes`, `engine`), health checks (`look`), meters (`observe`).

mod answers;
mod carry;
mod carrying;
mod create;
mod engine;
mod exec;
mod fault;
mod fetching;
mod files;
mod images;
mod look;
mod names;
mod observe;
mod password;
mod plan;
mod settings;
mod start;
mod task;
mod volumes;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::host::HostId;
use domain::instance::{
    Copying, Driven, DriverFault, DriverKind, InstanceDriver, InstanceId, InstanceSpec, Inventory,
    Load, Sighting, Site, Task, TaskState,
};
use domain::volume::VolumeId;
// Bollard tells every request and answer to `log` at its level "debug", environments included. The
// feature of this crate that its manifest asks for keeps such lines out of every program's log.
use log as _;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub use settings::check_settings;

use carry::Way;
use carrying::Carrying;
use engine::Engine;
use fault::ALL_CALLS;
use fetching::Fetching;
use settings::Settings;

/// Certificates are read anew as often as this, as they are replaced while we run.
const KEPT: Duration = Duration::from_mins(10);

/// The driver.
pub struct Docker {
    deployment: String,
    engines: Mutex<HashMap<HostId, Kept>>,
    /// Of all hosts together.
    fetching: Fetching,
    carrying: Carrying,
}

struct Kept {
    settings: Map<String, Value>,
    since: Instant,
    engine: Arc<Engine>,
}

impl Docker {
    /// A driver that touches only what carries the name of this deployment. It connects when it is
    /// first asked.
    pub fn new(deployment: String) -> Self {
        Self {
            deployment,
            engines: Mutex::default(),
            fetching: Fetching::default(),
            carrying: Carrying::default(),
        }
    }

    fn engine(&self, site: &Site) -> Driven<Arc<Engine>> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = engines.get(&site.host_id);
        let is_current =
            |kept: &&Kept| kept.settings == site.settings && kept.since.elapsed() < KEPT;
        if let Some(kept) = kept.filter(is_current) {
            return Ok(Arc::clone(&kept.engine));
        }
        let settings = Settings::parse(&site.settings)
            .map_err(|fault| DriverFault::Refused(format!("settings of the host: {fault}")))?;
        let engine = Arc::new(Engine::connect(settings, &self.deployment, self.fetching.clone())?);
        let (settings, since) = (site.settings.clone(), Instant::now());
        let kept = Kept { settings, since, engine: Arc::clone(&engine) };
        engines.insert(site.host_id, kept);
        Ok(engine)
    }
}

/// Each call has its deadline; this one is for all that one of the driver's makes.
async fn in_time<T>(calls: impl Future<Output = Driven<T>> + Send) -> Driven<T> {
    let late = || {
        let seconds = ALL_CALLS.as_secs();
        Err(DriverFault::Failed(format!("the engine did not finish within {seconds} s")))
    };
    tokio::time::timeout(ALL_CALLS, Box::pin(calls)).await.unwrap_or_else(|_| late())
}

#[async_trait]
impl InstanceDriver for Docker {
    fn check(&self, _driver: DriverKind, settings: &Map<String, Value>) -> Driven<()> {
        check_settings(settings).map_err(DriverFault::Refused)
    }

    async fn create_volume(&self, site: &Site, id: VolumeId, _size_gb: u32) -> Driven<()> {
        in_time(self.engine(site)?.create_volume(id)).await
    }

    async fn resize_volume(&self, site: &Site, id: VolumeId, _size_gb: u32) -> Driven<()> {
        in_time(self.engine(site)?.resize_volume(id)).await
    }

    async fn copy_volume(&self, site: &Site, from: VolumeId, to: VolumeId) -> Driven<Copying> {
        in_time(self.engine(site)?.copy_volume(from, to)).await
    }

    async fn delete_volume(&self, site: &Site, id: VolumeId) -> Driven<()> {
        in_time(self.engine(site)?.delete_volume(id)).await
    }

    async fn create(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        in_time(self.engine(site)?.create(spec)).await
    }

    async fn carry(
        &self,
        (from, source): (&Site, InstanceId),
        (to, target): (&Site, InstanceId),
    ) -> Driven<Copying> {
        let host_id = to.host_id;
        let way = Way { from: self.engine(from)?, source, to: self.engine(to)?, target };
        in_time(self.carrying.ask((host_id, target), way)).await
    }

    async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        in_time(self.engine(site)?.start(site, spec)).await
    }

    async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting> {
        in_time(self.engine(site)?.look(site, spec)).await
    }

    async fn stop(&self, site: &Site, id: InstanceId, force: bool) -> Driven<()> {
        in_time(self.engine(site)?.stop(id, force)).await
    }

    async fn remove(&self, site: &Site, id: InstanceId, keep: Option<VolumeId>) -> Driven<()> {
        self.carrying.end((site.host_id, id));
        in_time(self.engine(site)?.remove(id, keep)).await
    }

    async fn begin_task(&self, site: &Site, id: InstanceId, task: &Task) -> Driven<()> {
        in_time(self.engine(site)?.begin_task(id, task)).await
    }

    async fn look_at_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<TaskState> {
        in_time(self.engine(site)?.look_at_task(id, name)).await
    }

    async fn end_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<()> {
        in_time(self.engine(site)?.end_task(id, name)).await
    }

    async fn inventory(&self, site: &Site) -> Driven<Option<Inventory>> {
        in_time(self.engine(site)?.inventory()).await.map(Some)
    }

    async fn logs(&self, site: &Site, id: InstanceId, lines: u32) -> Driven<String> {
        in_time(self.engine(site)?.logs(id, lines)).await
    }

    async fn load(&self, site: &Site, id: InstanceId) -> Driven<Option<Load>> {
        in_time(self.engine(site)?.load(id)).await
    }
}
