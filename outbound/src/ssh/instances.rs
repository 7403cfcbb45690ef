//! What runs in a unit: its holder's sessions. An instance is a unit that is theirs; it has no
//! image, no volumes and no password.

use async_trait::async_trait;
use domain::instance::{
    Copying, Driven, DriverFault, DriverKind, InstanceDriver, InstanceId, InstanceSpec, Inventory,
    Load, Sighting, Site, Task, TaskState,
};
use domain::volume::VolumeId;
use serde_json::{Map, Value};

use super::hosts::value;
use super::script::Script;
use super::{Ssh, names};

const CREATE: &str = include_str!("scripts/create.sh");
const START: &str = include_str!("scripts/start.sh");
const LOOK: &str = include_str!("scripts/look.sh");
const STOP: &str = include_str!("scripts/stop.sh");
const REMOVE: &str = include_str!("scripts/remove.sh");
const INVENTORY: &str = include_str!("scripts/inventory.sh");
const LOAD: &str = include_str!("scripts/load.sh");

fn refused<T>(why: &str) -> Driven<T> {
    Err(DriverFault::Refused(why.to_owned()))
}

fn no_volumes<T>() -> Driven<T> {
    refused("a compute unit has no volumes")
}

fn no_tasks<T>() -> Driven<T> {
    refused("in a compute unit nothing is run but what its holder runs")
}

/// Tells what a unit cannot be.
fn check_spec(spec: &InstanceSpec) -> Driven<()> {
    if spec.password.is_some() {
        return refused("a compute unit lets in keys, not passwords");
    }
    if spec.disk.is_some() || spec.is_carried || !spec.mounts.is_empty() {
        return no_volumes();
    }
    if spec.script.is_some() || spec.runs_jupyter {
        return no_tasks();
    }
    if !spec.gpus.is_empty() || spec.address.is_some() {
        return refused("a compute unit has neither graphics processors nor an address of its own");
    }
    Ok(())
}

impl Ssh {
    async fn about(
        &self,
        site: &Site,
        step: (&'static str, &str),
        script: Script,
    ) -> Driven<String> {
        self.step(site.host_id, (step.0, Some(step.1.to_owned())), script).await
    }

    /// A step about an instance, wherever on the host it is.
    async fn of_instance(
        &self,
        site: &Site,
        (name, id): (&'static str, InstanceId),
        script: Script,
    ) -> Driven<String> {
        let id = id.to_string();
        self.about(site, (name, &id), script.with("instance", &id)).await
    }
}

#[async_trait]
impl InstanceDriver for Ssh {
    fn check(&self, _driver: DriverKind, settings: &Map<String, Value>) -> Driven<()> {
        match settings.keys().next() {
            None => Ok(()),
            Some(key) => Err(DriverFault::Refused(format!(
                "a host that is reached over SSH has no setting {key:?}; its login is said apart"
            ))),
        }
    }

    async fn create_volume(&self, _site: &Site, _id: VolumeId, _size_gb: u32) -> Driven<()> {
        no_volumes()
    }

    async fn resize_volume(&self, _site: &Site, _id: VolumeId, _size_gb: u32) -> Driven<()> {
        no_volumes()
    }

    async fn copy_volume(&self, _site: &Site, _from: VolumeId, _to: VolumeId) -> Driven<Copying> {
        no_volumes()
    }

    async fn delete_volume(&self, _site: &Site, _id: VolumeId) -> Driven<()> {
        no_volumes()
    }

    async fn create(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        check_spec(spec)?;
        let script = Script::new(CREATE).with("unit", names::unit(&spec.username)?);
        self.of_instance(site, ("create", spec.id), script).await.map(drop)
    }

    async fn carry(&self, _from: (&Site, InstanceId), _to: (&Site, InstanceId)) -> Driven<Copying> {
        refused("the files of a compute unit are not carried to another host")
    }

    async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        check_spec(spec)?;
        let script = Script::new(START)
            .with("unit", names::unit(&spec.username)?)
            .with("keys", &names::keys(&spec.public_keys)?);
        self.of_instance(site, ("start", spec.id), script).await.map(drop)
    }

    async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting> {
        let script = Script::new(LOOK)
            .with("unit", names::unit(&spec.username)?)
            .with("keys", &names::keys(&spec.public_keys)?);
        let printed = self.of_instance(site, ("look", spec.id), script).await?;
        match printed.trim() {
            "absent" => Ok(Sighting::Absent),
            "stopped" => Ok(Sighting::Stopped),
            "ready" => Ok(Sighting::Ready),
            other => Err(DriverFault::Failed(format!("look: cannot read {other:?}"))),
        }
    }

    async fn stop(&self, site: &Site, id: InstanceId, force: bool) -> Driven<()> {
        let script = Script::new(STOP).with("forced", if force { "yes" } else { "no" });
        self.of_instance(site, ("stop", id), script).await.map(drop)
    }

    async fn remove(&self, site: &Site, id: InstanceId, keep: Option<VolumeId>) -> Driven<()> {
        if keep.is_some() {
            return no_volumes();
        }
        self.of_instance(site, ("remove", id), Script::new(REMOVE)).await.map(drop)
    }

    async fn begin_task(&self, _site: &Site, _id: InstanceId, _task: &Task) -> Driven<()> {
        no_tasks()
    }

    async fn look_at_task(&self, _site: &Site, _id: InstanceId, _name: &str) -> Driven<TaskState> {
        no_tasks()
    }

    async fn end_task(&self, _site: &Site, _id: InstanceId, _name: &str) -> Driven<()> {
        no_tasks()
    }

    async fn inventory(&self, site: &Site) -> Driven<Option<Inventory>> {
        let printed = self.step(site.host_id, ("inventory", None), Script::new(INVENTORY)).await?;
        let mut inventory = Inventory::default();
        for line in printed.lines() {
            let seen =
                line.split_once(' ').and_then(|(id, runs)| Some((InstanceId::parse(id)?, runs)));
            let Some((id, runs)) = seen else {
                return Err(DriverFault::Failed(format!("inventory: cannot read {line:?}")));
            };
            inventory.instances.insert(id, runs == "yes");
        }
        Ok(Some(inventory))
    }

    /// Nothing: what a unit's sessions print, their holder has seen.
    async fn logs(&self, _site: &Site, _id: InstanceId, _lines: u32) -> Driven<String> {
        Ok(String::new())
    }

    /// Of the unit's processes at this moment. What crosses the network is not told apart by unit,
    /// and is 0.
    async fn load(&self, site: &Site, id: InstanceId) -> Driven<Option<Load>> {
        let printed = self.of_instance(site, ("load", id), Script::new(LOAD)).await?;
        if printed.is_empty() {
            return Ok(None);
        }
        let number = |name| value(&printed, name)?.trim().parse::<u64>().ok();
        let load = || {
            // Ticks in half a second.
            let cpu_milli = number("ticks")?.checked_mul(2_000)?.checked_div(number("hertz")?)?;
            let ram_bytes = number("ram_bytes")?;
            Some(Load { cpu_milli, ram_bytes, ..Load::default() })
        };
        let unreadable = || DriverFault::Failed(format!("load: cannot read {printed:?}"));
        load().map(Some).ok_or_else(unreadable)
    }
}
