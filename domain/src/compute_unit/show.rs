//! Looks at compute units and their hosts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::deallocate::sees_all;
use super::{ComputeHost, ComputeUnit, HostPhase, ServerName, UnitFilter, UnitState};
use crate::error::{Error, Result, Thing};
use crate::host::HostId;
use crate::instance::{Instance, InstanceId, Phase, Wanted};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Operator};

/// The label by which the units of one deployment are found.
const DEPLOYMENT: &str = "deployment_id";

/// The state of a unit, or of a host without units to show, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitStatus {
    /// Whoever asks can have it.
    Free,
    /// Somebody asked for it.
    Allocating,
    /// Somebody has it.
    Allocated,
    /// It could not be made ready for who asked; an operator has to see to it.
    AllocationFailed,
    /// It is being wiped.
    Deallocating,
    /// It could not be wiped; that is tried again.
    DeallocationFailed,
    /// Nobody can have it at this moment, as its host does not answer or takes nothing new; or somebody has it
    /// and stopped it, or ran out of money.
    Unavailable,
    /// The host is being cut.
    Initializing,
    /// The host could not be cut.
    InitFailed,
    /// The host is being put back.
    Decommissioning,
    /// The host could not be put back.
    DecommissionFailed,
    /// The host is as it was.
    Decommissioned,
}

impl UnitStatus {
    /// The word, as clients know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "FREE",
            Self::Allocating => "ALLOCATING",
            Self::Allocated => "ALLOCATED",
            Self::AllocationFailed => "ALLOCATION_FAIL",
            Self::Deallocating => "DEALLOCATING",
            Self::DeallocationFailed => "DEALLOCATION_FAIL",
            Self::Unavailable => "UNAVAILABLE",
            Self::Initializing => "INITIALIZING",
            Self::InitFailed => "INIT_FAIL",
            Self::Decommissioning => "DECOMMISSIONING",
            Self::DecommissionFailed => "DECOMMISSION_FAIL",
            Self::Decommissioned => "DECOMMISSIONED",
        }
    }

    /// The word for an instance that has a unit.
    fn of_instance(instance: &Instance) -> Self {
        match (&instance.phase, instance.wanted) {
            (Phase::Undoing { .. } | Phase::Failed { .. }, _) => Self::AllocationFailed,
            (_, Wanted::Deleted) if instance.driver_fault.is_some() => Self::DeallocationFailed,
            (_, Wanted::Deleted) => Self::Deallocating,
            (Phase::Ordered | Phase::Provisioning { .. }, _) => Self::Allocating,
            (Phase::Running | Phase::Starting { .. }, Wanted::Running) => Self::Allocated,
            // Its owner has it, and nobody can log in.
            _ => Self::Unavailable,
        }
    }

    /// The word for a host without units to show; none where they are to be shown.
    const fn of_host(phase: &HostPhase) -> Option<Self> {
        match phase {
            HostPhase::Ready => None,
            HostPhase::Initializing => Some(Self::Initializing),
            HostPhase::InitFailed { .. } => Some(Self::InitFailed),
            HostPhase::Decommissioning => Some(Self::Decommissioning),
            HostPhase::DecommissionFailed { .. } => Some(Self::DecommissionFailed),
            HostPhase::Decommissioned => Some(Self::Decommissioned),
        }
    }
}

/// One line of the list.
#[derive(Clone, Debug)]
pub enum Listed {
    /// A unit.
    Unit(Box<ListedUnit>),
    /// A host that has no units to show.
    Host(Box<ListedHost>),
}

/// A unit as it is listed.
#[derive(Clone, Debug)]
pub struct ListedUnit {
    /// The unit.
    pub unit: ComputeUnit,
    /// Its host.
    pub host: Arc<ComputeHost>,
    /// Its state.
    pub status: UnitStatus,
    /// What has it.
    pub instance: Option<Instance>,
}

/// A host as it is listed in place of its units.
#[derive(Clone, Debug)]
pub struct ListedHost {
    /// The host.
    pub host: ComputeHost,
    /// Its state.
    pub status: UnitStatus,
}

impl ListedUnit {
    /// Why it could not be allocated or wiped, for operators.
    pub fn reason(&self) -> Option<&str> {
        match &self.unit.state {
            UnitState::Failed { reason } => Some(reason),
            UnitState::Held { .. } => {
                let instance = self.instance.as_ref()?;
                instance.driver_fault.as_deref().or(match &instance.phase {
                    // No driver told of a fault where time was what ended it.
                    Phase::Undoing { failure } => Some(&failure.message),
                    _ => None,
                })
            }
            UnitState::Planned | UnitState::Free | UnitState::Leaving => None,
        }
    }

    /// Whether its allocation carries this label.
    fn is_deployed_as(&self, wanted: &str) -> bool {
        let UnitState::Held { tags: Some(tags), .. } = &self.unit.state else { return false };
        match tags.get(DEPLOYMENT) {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Number(number)) => number.to_string() == wanted,
            Some(Value::Array(texts)) => texts.iter().any(|text| text == wanted),
            _ => false,
        }
    }
}

/// The units that a filter names, with those that nobody has and the caller's own; an operator sees
/// everybody's. Hosts that have none to show stand there themselves. By four statements, however many there are.
pub async fn list(store: &dyn Store, caller: &Caller, filter: &UnitFilter) -> Result<Vec<Listed>> {
    caller.may(Permission::InstancesRead)?;
    let is_operator = sees_all(caller, Permission::AdminRead).is_some();
    let viewer = (!is_operator).then(|| caller.viewer());
    let reads = store.reads();
    let mut instances = by_id(reads.unit_instances(viewer).await?);
    let closed: HashSet<HostId> = reads.closed_compute_hosts().await?.into_iter().collect();
    let mut units: HashMap<HostId, Vec<ComputeUnit>> = HashMap::new();
    for unit in reads.compute_units(filter).await? {
        units.entry(unit.host_id).or_default().push(unit);
    }
    let mut lines = Vec::new();
    for host in reads.compute_hosts(filter).await? {
        if let Some(status) = UnitStatus::of_host(&host.phase) {
            if is_listed_itself(&host, filter) {
                lines.push(Listed::Host(Box::new(ListedHost { host, status })));
            }
            continue;
        }
        // One for all its units, as it names every one of them.
        let host = Arc::new(host);
        for unit in units.remove(&host.host_id).unwrap_or_default() {
            let instance = unit.holder().and_then(|id| instances.remove(&id));
            let is_closed = closed.contains(&host.host_id);
            let line = line(unit, host.clone(), (instance, is_closed));
            let line = line.filter(|line| {
                filter.deployment_id.as_ref().is_none_or(|wanted| line.is_deployed_as(wanted))
            });
            lines.extend(line.map(|line| Listed::Unit(Box::new(line))));
        }
    }
    lines.retain(|line| {
        let status = match line {
            Listed::Unit(line) => line.status,
            Listed::Host(line) => line.status,
        };
        filter.status.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(status.as_str()))
    });
    Ok(lines)
}

/// Whether a host that stands for its units passes what is asked of those: its name, and no CPU.
fn is_listed_itself(host: &ComputeHost, filter: &UnitFilter) -> bool {
    filter.name.as_ref().is_none_or(|name| name == host.hostname.as_str())
        && filter.cpu_count.is_none_or(|count| count == 0)
        && filter.deployment_id.is_none()
}

/// A unit of a host that is cut; none where the caller may not know who has it.
fn line(
    unit: ComputeUnit,
    host: Arc<ComputeHost>,
    (instance, is_closed): (Option<Instance>, bool),
) -> Option<ListedUnit> {
    let status = match (&unit.state, &instance) {
        (UnitState::Held { .. }, None) => return None,
        (UnitState::Held { .. }, Some(instance)) => UnitStatus::of_instance(instance),
        (UnitState::Failed { .. }, _) => UnitStatus::AllocationFailed,
        (UnitState::Free, _) if !is_closed => UnitStatus::Free,
        (UnitState::Free | UnitState::Planned | UnitState::Leaving, _) => UnitStatus::Unavailable,
    };
    Some(ListedUnit { unit, host, status, instance })
}

/// The unit that an allocation has, as it is at this moment.
pub async fn allocated(store: &dyn Store, id: InstanceId) -> Result<ListedUnit> {
    let missing = || Error::NotFound(Thing::ComputeUnit);
    let reads = store.reads();
    let instance = reads.instance(id).await?.ok_or_else(missing)?;
    let unit = reads.compute_unit_of(id).await?.ok_or_else(missing)?;
    let host = reads.compute_host(unit.host_id).await?.ok_or_else(missing)?;
    line(unit, Arc::new(host), (Some(instance), false)).ok_or_else(missing)
}

/// A host with its units, for operators.
#[derive(Clone, Debug)]
pub struct HostWithUnits {
    /// The host.
    pub host: ComputeHost,
    /// Its units; those that are to be made or removed, too.
    pub units: Vec<ListedUnit>,
}

/// Every host that is or was cut into units, by name, for operators.
pub async fn hosts(store: &dyn Store, operator: &Operator) -> Result<Vec<ComputeHost>> {
    operator.may(Permission::AdminRead)?;
    store.reads().compute_hosts(&UnitFilter::default()).await
}

/// One of them with its units, for operators.
pub async fn host(
    store: &dyn Store,
    operator: &Operator,
    hostname: &ServerName,
) -> Result<HostWithUnits> {
    operator.may(Permission::AdminRead)?;
    let reads = store.reads();
    let host = reads.compute_host_named(hostname).await?;
    let host = host.ok_or(Error::NotFound(Thing::Server))?;
    let is_closed = reads.closed_compute_hosts().await?.contains(&host.host_id);
    let mut instances = by_id(reads.live_instances_of_host(host.host_id).await?);
    let units = reads.units_of_host(host.host_id).await?.into_iter();
    let shared = Arc::new(host.clone());
    let line = |unit: ComputeUnit| {
        let instance = unit.holder().and_then(|id| instances.remove(&id));
        line(unit, shared.clone(), (instance, is_closed))
    };
    let units = units.filter_map(line).collect();
    Ok(HostWithUnits { host, units })
}

fn by_id(instances: Vec<Instance>) -> HashMap<InstanceId, Instance> {
    instances.into_iter().map(|instance| (instance.id, instance)).collect()
}
