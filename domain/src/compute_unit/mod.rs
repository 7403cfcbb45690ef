//! Compute units: parts of a host with CPUs, ports and a Unix user of their own.
//!
//! A host is cut into them once, by a job that goes on after any crash ([`align`]); then each is free until
//! somebody allocates it. What is allocated is an [`Instance`](crate::instance::Instance) whose place is the
//! unit: it is made, metered, looked after and taken back like any other.

mod align;
mod allocate;
mod cpu_range;
mod deallocate;
mod decommission;
mod driver;
mod forget;
mod host;
mod init;
mod port;
mod price;
mod retry;
mod show;
mod take;

pub use align::{align, realign};
pub(crate) use allocate::within;
pub use allocate::{Allocate, Allocation, allocate, allocation, give_up};
pub use cpu_range::CpuRange;
pub use deallocate::deallocate;
pub use decommission::decommission;
pub use driver::{HostDriver, Inspection, Limits, UnitPlan};
pub use forget::{Forget, forget};
pub use host::{ComputeHost, HostPhase, ServerName};
pub use init::{InitHost, init};
pub use port::{ComputeUnitQueries, ComputeUnits, UnitFilter, UnitWish};
pub use price::price;
pub use retry::{retry_host, retry_unit};
pub use show::{
    HostWithUnits, Listed, ListedHost, ListedUnit, UnitStatus, allocated, host, hosts, list,
};
pub(crate) use take::vacate;

use serde_json::{Map, Value};

use crate::capacity::PortRange;
use crate::clock::Timestamp;
use crate::host::HostId;
use crate::id::entity_id;
use crate::instance::InstanceId;

entity_id!(
    /// Identifies a compute unit.
    ComputeUnitId
);

/// The first port that a unit can have.
const FIRST_PORT: u16 = 10_000;
/// How many ports every unit has.
const PORTS: u16 = 100;
/// The most units of one host, as many as there are ports for.
pub const MOST_UNITS: usize = 555;
/// The most labels of one allocation.
const MOST_TAGS: usize = 64;
/// The most bytes of them as JSON.
const MOST_TAG_BYTES: usize = 16 * 1024;

/// What an operator configured about compute units.
#[derive(Clone, Copy, Debug)]
pub struct UnitPolicy {
    /// How long after it was asked for a unit must be ready.
    pub allocated_within: chrono::Duration,
}

/// Labels of an allocation: texts, whole numbers or lists of texts.
pub type UnitTags = Map<String, Value>;

/// A part of a host with CPUs, ports and a Unix user of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ComputeUnit {
    /// Identifies the unit.
    pub id: ComputeUnitId,
    /// Of which host.
    pub host_id: HostId,
    /// What clients call it: `h1_c0-3`.
    pub name: String,
    /// Its CPUs.
    pub range: CpuRange,
    /// Its ports.
    pub ports: PortRange,
    /// Its memory in MiB.
    pub ram_mib: u32,
    /// Who has it.
    pub state: UnitState,
    /// Since when.
    pub changed_at: Timestamp,
}

/// Who has a compute unit.
#[derive(Clone, Debug, PartialEq)]
pub enum UnitState {
    /// Nobody: it is to be made on its host, or made whole again.
    Planned,
    /// Nobody.
    Free,
    /// An instance.
    Held {
        /// Which.
        instance_id: InstanceId,
        /// The labels that it was asked for with; none where they were null.
        tags: Option<UnitTags>,
    },
    /// Nobody, and nobody may have it before an operator has had it made whole: what was done there failed.
    Failed {
        /// Why, for operators.
        reason: String,
    },
    /// Nobody: it is to be removed from its host.
    Leaving,
}

impl UnitState {
    /// The word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Free => "free",
            Self::Held { .. } => "held",
            Self::Failed { .. } => "failed",
            Self::Leaving => "leaving",
        }
    }
}

impl ComputeUnit {
    /// The unit as its host is to have it.
    pub fn plan(&self) -> UnitPlan {
        UnitPlan {
            username: self.range.username(),
            cpus: self.range.cpus().to_vec(),
            ram_mib: self.ram_mib,
            tasks: self.tasks(),
            ports: self.ports,
        }
    }

    /// The instance that has it.
    pub const fn holder(&self) -> Option<InstanceId> {
        match self.state {
            UnitState::Held { instance_id, .. } => Some(instance_id),
            _ => None,
        }
    }

    /// The most processes and threads in it: 512 for each CPU, and never fewer than 2048, which a shell and a
    /// few services need.
    pub fn tasks(&self) -> u32 {
        self.range.count().saturating_mul(512).max(2_048)
    }
}

/// Whether a unit can be called so: all that a host's name and a range can make, and nothing that a database
/// refuses.
pub(crate) fn is_unit_name(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.contains(char::is_control)
}

/// The ports of a host's unit by its number from 0: blocks that never overlap.
pub(crate) fn ports(number: u16) -> Option<PortRange> {
    ports_from(number.checked_mul(PORTS)?.checked_add(FIRST_PORT)?)
}

/// The ports of the unit whose first is this; none beyond the last port there is.
pub fn ports_from(from: u16) -> Option<PortRange> {
    Some(PortRange { from, until: from.checked_add(PORTS - 1)? })
}

/// The share of a host's memory that so many of its CPUs have, in MiB: a twentieth stays for the system.
pub(crate) fn share(ram_mib: u32, cpus: u32, of: u32) -> u32 {
    let ram = u64::from(ram_mib) * 95 / 100;
    let share = (ram * u64::from(cpus)).checked_div(u64::from(of)).unwrap_or_default();
    u32::try_from(share).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_units_never_overlap_and_end_with_the_last_port_there_is() {
        let most = u16::try_from(MOST_UNITS).unwrap();
        let all: Vec<PortRange> = (0..most).map(|number| ports(number).unwrap()).collect();
        assert_eq!((all[0].from, all[0].until), (10_000, 10_099));
        assert!(all.windows(2).all(|pair| pair[0].until < pair[1].from));
        assert_eq!(all.last().unwrap().until, 65_499);
        assert_eq!(ports(most), None);
    }

    #[test]
    fn shares_of_memory_together_leave_a_twentieth() {
        assert_eq!(share(1_000, 4, 4), 950);
        assert_eq!(share(1_000, 1, 3), 316);
        assert_eq!(share(u32::MAX, 1, 1), u32::try_from(u64::from(u32::MAX) * 95 / 100).unwrap());
        assert_eq!(share(1_000, 4, 0), 0);
    }
}
