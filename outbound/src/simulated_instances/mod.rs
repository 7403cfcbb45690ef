//! Instances without hosts: it remembers what it was asked for, takes as long as it is told, and can
//! fail on purpose. The demo runs on it, and so do the tests. `hosts` cuts such hosts into compute units.

mod control;
mod hosts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::compute_unit::UnitPlan;
use domain::host::HostId;
use domain::instance::{
    Copying, Disk, Driven, DriverFault, DriverKind, InstanceDriver, InstanceId, InstanceSpec,
    Inventory, Load, Sighting, Site, Task, TaskState,
};
use domain::volume::VolumeId;
use serde_json::{Map, Value};

/// How simulated hosts behave.
#[derive(Clone, Debug, Default)]
pub struct Conduct {
    /// How long every call takes.
    pub delay: Duration,
    /// How often an instance is looked at before it is ready.
    pub looks: u32,
    /// Whether every instance ends as soon as it is started.
    pub exits: bool,
    /// How often a copy, or what is carried, is asked for before it is done.
    pub copy_looks: u32,
    /// How much longer every call about a script takes.
    pub task_delay: Duration,
    /// How often a script is looked at before it has ended.
    pub task_looks: u32,
    /// The exit status that every script ends with.
    pub task_status: i64,
    /// The call, counted from 1, that fails, and how; later ones work again.
    pub fail_call: Option<(u64, DriverFault)>,
    /// Whether the failing call does its work all the same, as when only its answer is lost.
    pub fails_late: bool,
    /// How many CPUs every host has; 256 where nothing is said.
    pub cpus: Option<u32>,
    /// Whether it knows what was asked for before this process started; then the reconciler believes
    /// it.
    pub remembers: bool,
}

/// The simulated driver.
#[derive(Default)]
pub struct SimulatedInstances {
    conduct: Mutex<Conduct>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    hosts: HashMap<HostId, Host>,
    down: BTreeSet<HostId>,
}

#[derive(Default)]
struct Host {
    instances: BTreeMap<InstanceId, Made>,
    volumes: BTreeMap<VolumeId, u32>,
    /// Copies under way, and how often each was asked for.
    copies: BTreeMap<VolumeId, u32>,
    /// What is carried here, for which instance.
    carried: BTreeMap<InstanceId, Carried>,
    /// Whether it is prepared for compute units.
    is_prepared: bool,
    /// Its compute units, by user.
    units: BTreeMap<String, UnitPlan>,
}

#[derive(Clone, Copy)]
enum Carried {
    /// It was asked for so often.
    UnderWay(u32),
    /// It is here: the data of this instance.
    Here(InstanceId),
}

struct Made {
    spec: InstanceSpec,
    /// The instance whose data its own disk began as: itself, or the first of those it was carried from.
    data: InstanceId,
    runs: bool,
    looks: u32,
    /// Scripts that were run, in this order.
    tasks: Vec<Ran>,
}

struct Ran {
    task: Task,
    /// How often it was looked at; `None` once it was cut off.
    looks: Option<u32>,
    ended: Option<TaskState>,
}

impl Made {
    fn new(spec: &InstanceSpec, data: InstanceId) -> Self {
        Self { spec: spec.clone(), data, runs: false, looks: 0, tasks: Vec::new() }
    }

    /// What runs in it is cut off.
    fn stop(&mut self) {
        self.runs = false;
        for ran in self.tasks.iter_mut().filter(|ran| ran.ended.is_none()) {
            ran.looks = None;
        }
    }
}

impl SimulatedInstances {
    /// With the conduct given.
    pub fn new(conduct: Conduct) -> Self {
        Self { conduct: Mutex::new(conduct), state: Mutex::default() }
    }

    /// From now on with another conduct.
    pub fn behave(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap_or_else(PoisonError::into_inner) = conduct;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conduct(&self) -> Conduct {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does something on a host, or fails as it was told to.
    async fn on<T>(
        &self,
        site: &Site,
        work: impl FnOnce(&mut Host) -> Driven<T> + Send,
    ) -> Driven<T> {
        let id = site.host_id;
        self.among(&[id], |hosts| work(hosts.entry(id).or_default())).await
    }

    /// The same on several, which all must answer.
    async fn among<T>(
        &self,
        ids: &[HostId],
        work: impl FnOnce(&mut HashMap<HostId, Host>) -> Driven<T> + Send,
    ) -> Driven<T> {
        let conduct = self.conduct();
        tokio::time::sleep(conduct.delay).await;
        let mut state = self.state();
        state.calls += 1;
        if ids.iter().any(|id| state.down.contains(id)) {
            return Err(DriverFault::Failed("the simulated host does not answer".to_owned()));
        }
        let fault = conduct.fail_call.filter(|(call, _)| *call == state.calls);
        match fault {
            Some((_, fault)) => {
                if conduct.fails_late {
                    let _outcome = work(&mut state.hosts);
                }
                Err(fault)
            }
            None => work(&mut state.hosts),
        }
    }
}

/// One look at what is carried to a host, which begins it at the first.
fn carry(host: &mut Host, (data, to): (InstanceId, InstanceId), looks: u32) -> Copying {
    let asked = match host.carried.get(&to) {
        Some(Carried::Here(_)) => return Copying::Done,
        Some(Carried::UnderWay(asked)) => *asked,
        None => 0,
    };
    let (next, answer) = if asked < looks {
        (Carried::UnderWay(asked + 1), Copying::UnderWay)
    } else {
        (Carried::Here(data), Copying::Done)
    };
    host.carried.insert(to, next);
    answer
}

#[async_trait]
impl InstanceDriver for SimulatedInstances {
    fn check(&self, _driver: DriverKind, settings: &Map<String, Value>) -> Driven<()> {
        match settings.keys().next() {
            Some(key) => Err(DriverFault::Refused(format!("the simulated driver has no `{key}`"))),
            None => Ok(()),
        }
    }

    async fn create_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()> {
        self.on(site, |host| {
            host.volumes.insert(id, size_gb);
            Ok(())
        })
        .await
    }

    async fn resize_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()> {
        self.create_volume(site, id, size_gb).await
    }

    async fn copy_volume(&self, site: &Site, _from: VolumeId, to: VolumeId) -> Driven<Copying> {
        let looks = self.conduct().copy_looks;
        self.on(site, |host| {
            let asked = host.copies.entry(to).or_default();
            if *asked < looks {
                *asked += 1;
                return Ok(Copying::UnderWay);
            }
            host.copies.remove(&to);
            host.volumes.entry(to).or_default();
            Ok(Copying::Done)
        })
        .await
    }

    async fn delete_volume(&self, site: &Site, id: VolumeId) -> Driven<()> {
        self.on(site, |host| {
            host.volumes.remove(&id);
            host.copies.remove(&id);
            Ok(())
        })
        .await
    }

    async fn create(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        let remembers = self.conduct().remembers;
        self.on(site, |host| {
            let is_lost = |disk: &Disk| {
                let is_new = !host.instances.contains_key(&spec.id);
                disk.has_data && is_new && !host.volumes.contains_key(&disk.volume_id)
            };
            if let Some(disk) = spec.disk.filter(|disk| remembers && is_lost(disk)) {
                return Err(DriverFault::Failed(format!("disk {} is not there", disk.volume_id)));
            }
            if let Some(there) = host.instances.get_mut(&spec.id) {
                if there.spec.edition != spec.edition {
                    *there = Made::new(spec, spec.id);
                }
                there.spec = spec.clone();
                return Ok(());
            }
            let data = match host.carried.get(&spec.id).filter(|_| spec.is_carried) {
                Some(Carried::Here(data)) => *data,
                _ if spec.is_carried && remembers => {
                    let what = format!("what was carried for {} is not there", spec.id);
                    return Err(DriverFault::Failed(what));
                }
                _ => spec.id,
            };
            let made = Made::new(spec, data);
            // From now on it is the instance's own.
            if let Some(disk) = spec.disk {
                host.volumes.remove(&disk.volume_id);
            }
            host.instances.insert(spec.id, made);
            Ok(())
        })
        .await
    }

    async fn carry(
        &self,
        (from_site, from): (&Site, InstanceId),
        (to_site, to): (&Site, InstanceId),
    ) -> Driven<Copying> {
        let Conduct { copy_looks, remembers, .. } = self.conduct();
        let (source, target) = (from_site.host_id, to_site.host_id);
        self.among(&[source, target], |hosts| {
            let there = hosts.entry(target).or_default();
            let is_here = matches!(there.carried.get(&to), Some(Carried::Here(_)));
            if is_here || there.instances.contains_key(&to) {
                return Ok(Copying::Done);
            }
            let data = match hosts.entry(source).or_default().instances.get(&from) {
                Some(made) if made.runs => {
                    return Err(DriverFault::Failed(format!("{from} runs")));
                }
                Some(made) => made.data,
                // It may have been made before this process started.
                None if !remembers => from,
                None => return Err(DriverFault::Failed(format!("{from} is not there"))),
            };
            Ok(carry(hosts.entry(target).or_default(), (data, to), copy_looks))
        })
        .await
    }

    async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()> {
        let exits = self.conduct().exits;
        self.on(site, |host| match host.instances.get_mut(&spec.id) {
            Some(made) if made.runs => Ok(()),
            Some(made) => {
                (made.runs, made.looks) = (!exits, 0);
                Ok(())
            }
            None => Err(DriverFault::Failed("it was not made".to_owned())),
        })
        .await
    }

    async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting> {
        let looks = self.conduct().looks;
        self.on(site, |host| {
            Ok(match host.instances.get_mut(&spec.id) {
                None => Sighting::Absent,
                Some(made) if !made.runs => Sighting::Stopped,
                Some(made) if made.looks < looks => {
                    made.looks += 1;
                    Sighting::Starting
                }
                Some(_) => Sighting::Ready,
            })
        })
        .await
    }

    async fn stop(&self, site: &Site, id: InstanceId, _force: bool) -> Driven<()> {
        self.on(site, |host| {
            if let Some(made) = host.instances.get_mut(&id) {
                made.stop();
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, site: &Site, id: InstanceId, keep: Option<VolumeId>) -> Driven<()> {
        self.on(site, |host| {
            host.carried.remove(&id);
            if let (Some(made), Some(volume_id)) = (host.instances.remove(&id), keep) {
                host.volumes.insert(volume_id, made.spec.disk_gb);
            }
            Ok(())
        })
        .await
    }

    async fn begin_task(&self, site: &Site, id: InstanceId, task: &Task) -> Driven<()> {
        let Conduct { remembers, task_delay, .. } = self.conduct();
        tokio::time::sleep(task_delay).await;
        self.on(site, |host| match host.instances.get_mut(&id) {
            Some(made) if made.runs => {
                if !made.tasks.iter().any(|ran| ran.task.name == task.name) {
                    let task = task.clone();
                    made.tasks.push(Ran { task, looks: Some(0), ended: None });
                }
                Ok(())
            }
            // It may have been made before this process started.
            None if !remembers => Ok(()),
            _ => Err(DriverFault::Failed("it does not run".to_owned())),
        })
        .await
    }

    async fn look_at_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<TaskState> {
        let Conduct { task_delay, task_looks, task_status, remembers, .. } = self.conduct();
        tokio::time::sleep(task_delay).await;
        self.on(site, |host| {
            let output = format!("{name} is simulated\n");
            let end = TaskState::Ended { status: task_status, output };
            if !remembers && !host.instances.contains_key(&id) {
                return Ok(end);
            }
            let tasks = host.instances.get_mut(&id).map(|made| &mut made.tasks);
            let ran = tasks.into_iter().flatten().find(|ran| ran.task.name == name);
            let Some(ran) = ran else { return Ok(TaskState::Unknown) };
            Ok(match (&ran.ended, ran.looks) {
                (Some(ended), _) => ended.clone(),
                (None, None) => TaskState::Lost,
                (None, Some(looks)) if looks < task_looks => {
                    ran.looks = Some(looks + 1);
                    TaskState::Running
                }
                (None, Some(_)) => ran.ended.insert(end).clone(),
            })
        })
        .await
    }

    async fn end_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<()> {
        tokio::time::sleep(self.conduct().task_delay).await;
        self.on(site, |host| {
            let tasks = host.instances.get_mut(&id).map(|made| &mut made.tasks);
            let ran = tasks.into_iter().flatten().find(|ran| ran.task.name == name);
            if let Some(ran) = ran.filter(|ran| ran.ended.is_none()) {
                ran.looks = None;
            }
            Ok(())
        })
        .await
    }

    async fn inventory(&self, site: &Site) -> Driven<Option<Inventory>> {
        let remembers = self.conduct().remembers;
        self.on(site, |_| Ok(())).await?;
        Ok(remembers.then(|| self.inventory_of(site.host_id)))
    }

    async fn logs(&self, site: &Site, id: InstanceId, _lines: u32) -> Driven<String> {
        self.on(site, |host| {
            let name = host.instances.get(&id).map(|made| made.spec.hostname.clone());
            Ok(name.map_or_else(String::new, |name| format!("{name} is simulated\n")))
        })
        .await
    }

    async fn load(&self, site: &Site, id: InstanceId) -> Driven<Option<Load>> {
        self.on(site, |host| {
            let runs = host.instances.get(&id).is_some_and(|made| made.runs);
            Ok(runs.then(Load::default))
        })
        .await
    }
}
