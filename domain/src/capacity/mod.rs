//! What hosts have to give to instances: processors, memory, disk, addresses and ports.
//!
//! A host is rented as a whole ([`crate::rental`]) or carries instances, never both. What two instances
//! cannot share (a graphics processor, a pinned CPU, an address, a port) is a [`Slot`], held by a unique
//! key; the rest is counted, and the database keeps every counter within its bounds.

mod availability;
mod furnish;
mod place;
mod port;
mod resources;
mod room;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use availability::{AvailabilityFilter, Available, available};
pub use furnish::{
    FurnishHost, HostCarrying, HostChange, StorageDraft, all, change, furnish, show,
};
pub(crate) use place::place_on_unit;
pub use place::{Claim, Part, Placed, place, release, republish};
pub use port::{Capacities, CapacityQueries};
pub use resources::Resources;
pub use room::{Fit, Free, Room, Rooms};

use crate::clock::Timestamp;
use crate::host::HostId;
use crate::instance::{DriverKind, Site};
use crate::location::LocationCode;
use crate::plan::{GpuShape, Shape};

/// What a host has for instances, and how much of it is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// Which host.
    pub host_id: HostId,
    /// Where people find it.
    pub location: LocationCode,
    /// Where its volumes are: hosts that name the same storage share them.
    pub storage: StorageName,
    /// What it is for.
    pub purpose: Purpose,
    /// What makes instances there.
    pub driver: DriverKind,
    /// How that reaches the host.
    pub settings: Map<String, Value>,
    /// Where published ports are reached.
    pub address: IpAddr,
    /// Addresses that it can give away; without any, instances share the host's own by ports.
    pub addresses: Vec<IpAddr>,
    /// The network that brings the addresses of any of its hosts to any other of them, if there is one.
    pub network: Option<NetworkName>,
    /// The ports that it can publish, the last one included.
    pub ports: PortRange,
    /// Whether every instance gets CPUs of its own.
    pub pins_cpus: bool,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Graphics processors.
    pub gpu: Option<GpuShape>,
    /// What instances have of it.
    pub used: Used,
    /// Whether its driver reaches it.
    pub health: Health,
    /// For how many seconds its driver did not reach it, all past times together.
    pub down_seconds: u64,
    /// Whether no new instance is to come.
    pub is_draining: bool,
    /// Figures of benchmarks, as the operator recorded them.
    pub benchmark: Map<String, Value>,
    /// When it was furnished.
    pub created_at: Timestamp,
    /// When what it has was last changed.
    pub updated_at: Timestamp,
}

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Instances find a place on it by their shapes.
    Instances,
    /// It is cut into compute units ([`crate::compute_unit`]), and nothing else comes to it.
    ComputeUnits,
    /// It was taken back, and has nothing to give.
    Nothing,
}

impl Purpose {
    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::ComputeUnits => "compute_units",
            Self::Nothing => "nothing",
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Instances, Self::ComputeUnits, Self::Nothing]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}

/// What is taken of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Graphics processors.
    pub gpus: u32,
    /// Instances that hold something.
    pub instances: u32,
}

/// Ports of a host, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub until: u16,
}

/// Whether a host's driver reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered the last time, or was not asked yet.
    Healthy,
    /// It does not answer.
    Unreachable {
        /// Since when.
        since: Timestamp,
    },
}

crate::text::code!(
    /// The name of a storage.
    StorageName
);

crate::text::code!(
    /// The name of a network.
    NetworkName
);

/// Disks of one or more hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Its name.
    pub name: StorageName,
    /// Where it is.
    pub location: LocationCode,
    /// Its size in GB of 10⁹ bytes.
    pub size_gb: u32,
    /// What is taken of it.
    pub used_gb: u32,
}

/// A thing that one instance has alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// A graphics processor, by number from 0.
    Gpu(u32),
    /// A CPU, by number from 0.
    Cpu(u32),
    /// A port of the host.
    Port(u16),
    /// An address of its own.
    Address(IpAddr),
}

impl Slot {
    /// Its kind and its name among them, as stored.
    pub fn stored(self) -> (&'static str, String) {
        match self {
            Self::Gpu(number) => ("gpu", number.to_string()),
            Self::Cpu(number) => ("cpu", number.to_string()),
            Self::Port(number) => ("port", number.to_string()),
            Self::Address(address) => ("address", address.to_string()),
        }
    }

    /// The slot that was stored so.
    pub fn from_stored(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "gpu" => name.parse().ok().map(Self::Gpu),
            "cpu" => name.parse().ok().map(Self::Cpu),
            "port" => name.parse().ok().map(Self::Port),
            "address" => name.parse().ok().map(Self::Address),
            _ => None,
        }
    }
}

/// How an operator wants hosts to be filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The host that has the least left afterwards: large ones stay free for large plans.
    #[default]
    BestFit,
    /// The host with the fewest instances.
    Spread,
    /// The host with the most instances.
    Pack,
}

/// What an instance needs of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Where.
    pub location: LocationCode,
    /// Only hosts at this storage, because volumes are there.
    pub storage: Option<StorageName>,
    /// Only this host.
    pub host_id: Option<HostId>,
    /// How much.
    pub shape: Shape,
    /// The size in GB of new volumes that are to be where it is.
    pub volumes_gb: u32,
    /// The address that it has already and goes on with.
    pub keeps: Option<Kept>,
}

/// An address that an instance holds, whether it runs or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub address: IpAddr,
    /// The host that gave it away.
    pub of: HostId,
}

impl Need {
    /// All that it takes of a storage, in GB.
    pub const fn disk_gb(&self) -> u32 {
        self.shape.disk_gb.saturating_add(self.volumes_gb)
    }
}

impl Capacity {
    /// The host as its driver needs it.
    pub fn site(&self) -> Site {
        Site {
            host_id: self.host_id,
            driver: self.driver,
            settings: self.settings.clone(),
            address: self.address,
        }
    }

    /// Whether new instances may come.
    pub fn is_open(&self) -> bool {
        let takes = self.purpose == Purpose::Instances && !self.is_draining;
        takes && self.health == Health::Healthy
    }

    /// The host after its driver was or was not answered; `None` where that is no news.
    pub fn after_asking(&self, answers: bool, now: Timestamp) -> Option<Self> {
        match (self.health, answers) {
            (Health::Healthy, false) => {
                Some(Self { health: Health::Unreachable { since: now }, ..self.clone() })
            }
            (Health::Unreachable { since }, true) => {
                let down = u64::try_from((now - since).num_seconds()).unwrap_or(0);
                let down_seconds = self.down_seconds.saturating_add(down);
                Some(Self { health: Health::Healthy, down_seconds, ..self.clone() })
            }
            _ => None,
        }
    }

    /// What comes with so many of its graphics processors, by [`Resources::share`]. Disk is not shared out.
    pub fn share(&self, gpus: u32) -> Option<Shape> {
        let gpu = self.gpu.as_ref()?;
        let all = Resources { gpus: gpu.count, cpus: self.cpus, ram_mib: self.ram_mib };
        let share = all.share(gpus)?;
        Some(Shape {
            cpus: share.cpus,
            ram_mib: share.ram_mib,
            gpu: Some(GpuShape { count: gpus, ..gpu.clone() }),
            disk_gb: 0,
        })
    }

    /// With so much more taken.
    #[must_use]
    pub fn taken(self, shape: &Shape) -> Self {
        let used = Used {
            cpus: self.used.cpus.saturating_add(shape.cpus),
            ram_mib: self.used.ram_mib.saturating_add(shape.ram_mib),
            gpus: self.used.gpus.saturating_add(shape.gpus()),
            instances: self.used.instances.saturating_add(1),
        };
        Self { used, ..self }
    }

    /// With so much given back.
    #[must_use]
    pub fn given_back(self, shape: &Shape) -> Self {
        let used = Used {
            cpus: self.used.cpus.saturating_sub(shape.cpus),
            ram_mib: self.used.ram_mib.saturating_sub(shape.ram_mib),
            gpus: self.used.gpus.saturating_sub(shape.gpus()),
            instances: self.used.instances.saturating_sub(1),
        };
        Self { used, ..self }
    }
}
