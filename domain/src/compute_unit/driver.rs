//! What cuts hosts into compute units.

use async_trait::async_trait;

use crate::capacity::PortRange;
use crate::instance::{Driven, Site};

/// What a host says about itself before it is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its operating system, as it calls itself.
    pub system: String,
    /// The CPUs that are online, by number, ascending.
    pub cpus: Vec<u32>,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// What is free where home directories are, in GB of 10⁹ bytes.
    pub disk_gb: u32,
    /// What holds units to their share.
    pub limits: Limits,
}

/// What holds the processes of a unit to its CPUs, memory and number of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limits {
    /// A slice of systemd.
    Systemd,
    /// Files of the kernel's control groups.
    ControlGroups,
    /// Nothing: the host has neither, and the operator allows that.
    Nothing,
}

impl Limits {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Systemd, Self::ControlGroups, Self::Nothing];

    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::ControlGroups => "control_groups",
            Self::Nothing => "nothing",
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limits| limits.as_str() == text)
    }
}

/// A compute unit as it is to be on its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitPlan {
    /// Its Unix user, which names it on its host: `c` and digits with `-` and `_`, at most 32 characters.
    pub username: String,
    /// The CPUs that are its own, by number, ascending.
    pub cpus: Vec<u32>,
    /// Its memory in MiB.
    pub ram_mib: u32,
    /// The most processes and threads.
    pub tasks: u32,
    /// The ports that are its own.
    pub ports: PortRange,
}

/// Cuts hosts into compute units and undoes that. Every call may come twice, also after a crash in the
/// middle of it, and must then find its work done; each returns well within a job's lease
/// ([`crate::job::LEASE`]) or fails. What then runs in a unit is the work of
/// [`InstanceDriver`](crate::instance::InstanceDriver), whose `InstanceSpec::username` names the unit.
#[async_trait]
pub trait HostDriver: Send + Sync {
    /// Looks at a host; [`Refused`](crate::instance::DriverFault::Refused), with what is lacking, where it can
    /// never be cut.
    async fn inspect(&self, site: &Site) -> Driven<Inspection>;

    /// Makes what all units of a host need.
    async fn prepare(&self, site: &Site) -> Driven<()>;

    /// Makes a unit that nobody can log in to, or brings one to these CPUs, limits and ports.
    async fn make_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()>;

    /// Removes a unit with its user, processes and files; done if it is not there.
    async fn remove_unit(&self, site: &Site, unit: &UnitPlan) -> Driven<()>;

    /// Removes what is left of cutting a host, units too; done if nothing is.
    async fn restore(&self, site: &Site) -> Driven<()>;
}
