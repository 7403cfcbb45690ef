//! What makes instances on hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::InstanceId;
use crate::host::HostId;
use crate::volume::VolumeId;

/// A host as its driver needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Which host.
    pub host_id: HostId,
    /// Which driver.
    pub driver: DriverKind,
    /// How the driver reaches the host; each driver says what it reads.
    pub settings: Map<String, Value>,
    /// Where the host's published ports are reached.
    pub address: IpAddr,
}

/// The drivers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Makes nothing and remembers what it was asked for.
    Simulated,
    /// Any engine that serves the Docker API.
    Docker,
    /// A Linux host that is cut into compute units over SSH.
    Ssh,
}

impl DriverKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Simulated, Self::Docker, Self::Ssh];

    /// Its spelling, on the wire and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Docker => "docker",
            Self::Ssh => "ssh",
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an instance is to be on its host.
#[derive(Clone, Debug)]
pub struct InstanceSpec {
    /// Which instance; all that is made for it is named by this, so that a call that comes too late
    /// can never meet another instance's.
    pub id: InstanceId,
    /// What it calls itself.
    pub hostname: String,
    /// What it is made from, in the driver's words.
    pub image: String,
    /// How that is fetched.
    pub pull: Pull,
    /// Whether its disk is made of what was carried from another host, not of the image.
    pub is_carried: bool,
    /// How often it was to be made of another image. What is on the disk of an earlier edition goes.
    pub edition: u32,
    /// Who logs in.
    pub username: String,
    /// The password that logs in beside its keys, if there is one.
    pub password: Option<SecretString>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// The CPUs of the host that are its own; empty where it shares them.
    pub pinned_cpus: Vec<u32>,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// The volume that its own disk is, if it outlives the instance.
    pub disk: Option<Disk>,
    /// Its own disk in GB; bounded only where the host can do that.
    pub disk_gb: u32,
    /// The host's graphics processors that are its own, by number from 0.
    pub gpus: Vec<u32>,
    /// Its own address, where the host has some to give.
    pub address: Option<IpAddr>,
    /// Ports reached through the host's address.
    pub ports: Vec<PublishedPort>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// OpenSSH public keys that may log in.
    pub public_keys: Vec<String>,
    /// Runs once, when the instance starts for the first time.
    pub script: Option<String>,
    /// Whether the script runs at every start instead.
    pub is_autostart: bool,
    /// Whether a Jupyter server is started, where the image has one, with the token that the variable
    /// [`JUPYTER_TOKEN`] holds.
    pub runs_jupyter: bool,
    /// Disks beside its own.
    pub mounts: Vec<Mount>,
}

/// The port of an SSH server.
pub const SSH_PORT: u16 = 22;
/// The port of a Jupyter server.
pub const JUPYTER_PORT: u16 = 8888;
/// The environment variable with the token that a Jupyter server asks for.
pub const JUPYTER_TOKEN: &str = "JUPYTER_TOKEN";

/// How an image is fetched.
#[derive(Clone, Debug, Default)]
pub struct Pull {
    /// Whether its registry is asked although the host has an image of that name. So it is for names that
    /// renters chose: what a host has may be somebody else's.
    pub always: bool,
    /// Who asks; nobody is named where the image is for everybody.
    pub login: Option<RegistryLogin>,
}

/// A name and password for a registry of images.
#[derive(Clone, Debug)]
pub struct RegistryLogin {
    /// The registry.
    pub host: String,
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// A volume that is an instance's own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Which volume.
    pub volume_id: VolumeId,
    /// Whether an instance ran on it: then it is never made anew from an image.
    pub has_data: bool,
}

/// A port inside the instance and where the host publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PublishedPort {
    /// Inside.
    pub inside: u16,
    /// On the host.
    pub outside: u16,
}

/// A volume in an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Which volume.
    pub volume_id: VolumeId,
    /// Where, an absolute path.
    pub path: String,
}

/// What a host says about one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It is not there.
    Absent,
    /// It is there and does not run.
    Stopped,
    /// It runs and is not ready to be used yet.
    Starting,
    /// It runs and can be used.
    Ready,
}

/// How far the copy of a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copying {
    /// The volume has its data, and nothing of the copying is left.
    Done,
    /// The host works on it; ask again.
    UnderWay,
}

/// All that carries our mark on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Instances, and whether each runs.
    pub instances: BTreeMap<InstanceId, bool>,
    /// Volumes.
    pub volumes: Vec<VolumeId>,
}

/// What an instance uses at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Thousandths of one CPU.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub ram_bytes: u64,
    /// Bytes received since it started.
    pub received_bytes: u64,
    /// Bytes sent since it started.
    pub sent_bytes: u64,
}

/// A script that is run in an instance once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Names this run among all of the instance, for ever: 1 to 64 of `0-9a-z-`.
    pub name: String,
    /// What runs; without `#!` the instance's `/bin/sh` runs it.
    pub script: String,
    /// What it finds in its environment.
    pub environment: BTreeMap<String, String>,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It was never begun.
    Unknown,
    /// It runs.
    Running,
    /// It ended by itself.
    Ended {
        /// With this exit status; 0 is good.
        status: i64,
        /// The end of what it printed, if that can be told: at most 2000 bytes, or a few more.
        output: String,
    },
    /// It was cut off, as when its instance stopped.
    Lost,
}

/// Why a driver did not do what it was asked for, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverFault {
    /// It may work another time: the host does not answer, something was slow.
    #[error("{0}")]
    Failed(String),
    /// It never will: there is no such image, the host cannot do this.
    #[error("{0}")]
    Refused(String),
    /// The host has no room, whatever our books say.
    #[error("{0}")]
    NoRoom(String),
}

/// The answer of a driver.
pub type Driven<T> = std::result::Result<T, DriverFault>;

/// Makes and ends instances on a host. Every call may come twice, also after a crash in the middle of
/// it, and must then find its work done; each returns well within a job's lease
/// ([`crate::job::LEASE`]) or fails.
#[async_trait]
pub trait InstanceDriver: Send + Sync {
    /// Refuses settings that this driver cannot read, in words for the operator.
    fn check(&self, driver: DriverKind, settings: &Map<String, Value>) -> Driven<()>;

    /// Makes an empty volume.
    async fn create_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()>;

    /// Makes a volume at least so large, keeping its data.
    async fn resize_volume(&self, site: &Site, id: VolumeId, size_gb: u32) -> Driven<()>;

    /// Fills a volume that was just made with the data of another on the same host: begins that, or
    /// finds it under way and leaves it alone. Asked after it is done or has failed, it begins anew. The
    /// other may be a kept disk; then so is this one, and it was not made before.
    async fn copy_volume(&self, site: &Site, from: VolumeId, to: VolumeId) -> Driven<Copying>;

    /// Destroys a volume, or a kept disk, and its data; done if it is not there.
    async fn delete_volume(&self, site: &Site, id: VolumeId) -> Driven<()>;

    /// Makes the instance without starting it, its image fetched or its kept disk put in, its volumes
    /// mounted, its ports published, its keys in place. One that is there with other volumes, keys,
    /// limits or devices is brought to what is asked for now and keeps the data of its own disk.
    async fn create(&self, site: &Site, spec: &InstanceSpec) -> Driven<()>;

    /// Brings the data of the own disk of an instance that does not run to a host, the same one or another,
    /// for an instance that is not made there yet ([`InstanceSpec::is_carried`]): begins that, or finds it
    /// under way and leaves it alone. What it is brought from stays as it is. Asked after it is done, it is
    /// done, until that instance is removed; asked after it has failed, it begins anew.
    async fn carry(&self, from: (&Site, InstanceId), to: (&Site, InstanceId)) -> Driven<Copying>;

    /// Starts it; nothing happens if it runs. At its first start the script is run as well.
    async fn start(&self, site: &Site, spec: &InstanceSpec) -> Driven<()>;

    /// What the host says about it.
    async fn look(&self, site: &Site, spec: &InstanceSpec) -> Driven<Sighting>;

    /// Stops it and keeps its data: asks it first, unless forced. Done if it does not run.
    async fn stop(&self, site: &Site, id: InstanceId, force: bool) -> Driven<()>;

    /// Removes it, running or not; volumes stay. The data of its own disk goes as well, unless it is to be
    /// kept as that volume. Done if it is not there.
    async fn remove(&self, site: &Site, id: InstanceId, keep: Option<VolumeId>) -> Driven<()>;

    /// Begins a task inside the instance, which runs, as its root. A task of this name that was begun before,
    /// however that went and whatever became of the answer, is not begun again.
    async fn begin_task(&self, site: &Site, id: InstanceId, task: &Task) -> Driven<()>;

    /// How far a task is. Also of an instance that stopped since. [`DriverFault::NoRoom`] where that could not be
    /// written down, and it does not run.
    async fn look_at_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<TaskState>;

    /// Ends a task that runs, and what it started with it as far as that can be found; done if it does not
    /// run.
    async fn end_task(&self, site: &Site, id: InstanceId, name: &str) -> Driven<()>;

    /// All that carries our mark there, for the reconciler; `None` where nothing is remembered.
    async fn inventory(&self, site: &Site) -> Driven<Option<Inventory>>;

    /// The newest lines that it printed, the oldest first.
    async fn logs(&self, site: &Site, id: InstanceId, lines: u32) -> Driven<String>;

    /// What it uses now; `None` if it does not run.
    async fn load(&self, site: &Site, id: InstanceId) -> Driven<Option<Load>>;
}
