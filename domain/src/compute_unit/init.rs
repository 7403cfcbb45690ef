//! Has a host cut into compute units, or cut anew.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tracing::instrument;

use super::{ComputeHost, ComputeUnit, CpuRange, HostPhase, MOST_UNITS, ServerName, UnitState};
use crate::capacity::Purpose;
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing, Violation};
use crate::host::{
    Category, Cpu, Disk, DiskType, Host, HostDraft, HostId, Location, Network, Occupancy, Pricing,
    RamType, Specs,
};
use crate::instance::DriverKind;
use crate::job::{Job, JobKind};
use crate::location::NOWHERE;
use crate::money::Money;
use crate::remote::{LoginDefaults, keep_login};
use crate::store::{Store, Tx, atomically};
use crate::text::line;
use crate::token::Permission;
use crate::user::Operator;

/// A host that is to be cut.
#[derive(Clone, Debug)]
pub struct InitHost {
    /// Who asks.
    pub operator: Operator,
    /// What clients call it; a server whose external id is this becomes it, else one is made.
    pub hostname: ServerName,
    /// Where it is reached.
    pub address: IpAddr,
    /// Where it is, in the operator's words: 1 to 50 characters.
    pub region: String,
    /// Where it is there: the same.
    pub zone: String,
    /// How to cut it: ranges that do not overlap.
    pub ranges: Vec<CpuRange>,
    /// What cuts it.
    pub driver: DriverKind,
    /// How it is logged in to, where that is what its driver does and nobody has said otherwise.
    pub logins: LoginDefaults,
}

impl InitHost {
    /// Every fault in it. Paths name the fields of a request.
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for (path, text) in [("/region", &self.region), ("/zone", &self.zone)] {
            if line(text, 50) != Some(text.as_str()) {
                let message = "must be 1 to 50 characters without blanks around them";
                violations.push(Violation::new(path, message));
            }
        }
        if self.ranges.is_empty() || self.ranges.len() > MOST_UNITS {
            let message = format!("must be 1 to {MOST_UNITS} CPU ranges");
            violations.push(Violation::new("/cpu_ranges", message));
        }
        let mut taken: BTreeMap<u32, &CpuRange> = BTreeMap::new();
        for (number, range) in self.ranges.iter().enumerate() {
            let other = range.cpus().iter().find_map(|cpu| taken.get(cpu));
            if let Some(other) = other {
                let message = format!("'{range}' overlaps with '{other}'");
                violations.push(Violation::new(format!("/cpu_ranges/{number}"), message));
            }
            taken.extend(range.cpus().iter().map(|cpu| (*cpu, range)));
        }
        violations
    }

    /// As a server of the operator's list that nobody can rent; what it is in truth is known when it was
    /// looked at.
    fn draft(&self) -> HostDraft {
        let cpus: u32 = self.ranges.iter().map(CpuRange::count).sum();
        let place = Location {
            country: NOWHERE.to_owned(),
            region: self.region.clone(),
            city: self.zone.clone(),
            datacenter: self.zone.clone(),
        };
        let specs = Specs {
            name: self.hostname.to_string(),
            location: place,
            model: "Host of compute units".to_owned(),
            is_vm: false,
            category: Category::Compute,
            featured: false,
            popularity_rank: None,
            setup_time_minutes: 0,
            cpu: Cpu { model: "unknown".to_owned(), cores: cpus, threads: cpus, score: None },
            ram_gb: 1,
            ram_type: RamType::Ddr4,
            ram_speed_mhz: None,
            disks: vec![Disk { count: 1, capacity_gb: 1, kind: DiskType::Ssd, interface: None }],
            network: Network {
                bandwidth_mbps: 1_000,
                traffic_tb: None,
                ipv4_count: 1,
                ipv6_enabled: false,
            },
            gpu: None,
        };
        HostDraft {
            external_id: Some(self.hostname.to_string()),
            specs,
            pricing: Pricing::default(),
        }
    }
}

/// Has a host cut into compute units; a job does it. Of a host that was cut before, units that are not named
/// any more are removed and the others made whole. Refused with [`Conflict::UnitsAllocated`] while somebody
/// has one of its units. Asked twice, it is done once.
#[instrument(name = "compute_unit.init", skip_all, fields(hostname = %request.hostname))]
pub async fn init(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    request: InitHost,
) -> Result<ComputeHost> {
    request.operator.may(Permission::AdminWrite)?;
    Error::unless_empty(request.violations())?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let before = match tx.compute_host_named(&request.hostname).await? {
            Some(seen) => tx.compute_host_for_update(seen.host_id).await?,
            None => None,
        };
        let host = match before {
            Some(before) => again(tx, &request, before, now).await?,
            None => first(tx, random, &request, now).await?,
        };
        tx.save_compute_host(&host).await?;
        if host.driver == DriverKind::Ssh {
            let there = (host.host_id, host.address);
            keep_login(tx, &request.logins, there, now).await?;
        }
        let kind = JobKind::AlignComputeHost { host_id: host.host_id };
        tx.schedule(&Job::new(kind, now, random)).await?;
        let actor = request.operator.actor();
        tx.record(vec![host.event("compute_host.init_requested", (actor, now))]).await?;
        Ok(host)
    })
    .await
}

/// A locked host that was cut before, or is being cut.
async fn again(
    tx: &dyn Tx,
    request: &InitHost,
    before: ComputeHost,
    now: Timestamp,
) -> Result<ComputeHost> {
    if before.driver != request.driver && before.phase != HostPhase::Decommissioned {
        let message = format!("is cut by the driver {} by now", before.driver.as_str());
        return Err(Error::invalid("/hostname", message));
    }
    let idle = tx.idle_units_for_update(before.host_id).await?;
    if tx.units_of_host(before.host_id).await?.len() > idle.len() {
        return Err(Error::Conflict(Conflict::UnitsAllocated));
    }
    for unit in idle {
        let stays = request.ranges.contains(&unit.range);
        let state = if stays { UnitState::Planned } else { UnitState::Leaving };
        tx.save_unit(&ComputeUnit { state, changed_at: now, ..unit }).await?;
    }
    if before.address != request.address && !before.phase.may_be_elsewhere() {
        let message = format!("is at {} by now; decommission it there first", before.address);
        return Err(Error::invalid("/ip", message));
    }
    let host = before.initializing()?;
    claim(tx, host.host_id).await?;
    Ok(ComputeHost {
        address: request.address,
        region: request.region.clone(),
        zone: request.zone.clone(),
        ranges: request.ranges.clone(),
        driver: request.driver,
        system: None,
        limits: None,
        is_prepared: false,
        updated_at: now,
        ..host
    })
}

/// A host that was never cut.
async fn first(
    tx: &dyn Tx,
    random: &dyn Random,
    request: &InitHost,
    now: Timestamp,
) -> Result<ComputeHost> {
    let external_id = request.hostname.to_string();
    let known = tx.hosts_by_external_id(&[external_id]).await?;
    let host_id = if let Some(host) = known.first() {
        host.id
    } else {
        let host = request.draft().checked()?.unlisted(now, random);
        tx.add_hosts(std::slice::from_ref(&host)).await.map_err(|error| match error {
            // Somebody else is just making it.
            Error::Invalid(_) => Error::Contention,
            other => other,
        })?;
        host.id
    };
    claim(tx, host_id).await?;
    Ok(ComputeHost {
        host_id,
        hostname: request.hostname.clone(),
        address: request.address,
        region: request.region.clone(),
        zone: request.zone.clone(),
        ranges: request.ranges.clone(),
        driver: request.driver,
        phase: HostPhase::Initializing,
        system: None,
        limits: None,
        is_prepared: false,
        per_cpu_hour: Money::ZERO,
        created_at: now,
        updated_at: now,
    })
}

/// Takes a host off the market of whole servers, unless somebody has it or it carries instances. It does not come back
/// there, nor to instances, before it is decommissioned.
async fn claim(tx: &dyn Tx, host_id: HostId) -> Result<()> {
    let host = tx.host_for_update(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    if host.occupancy != Occupancy::Free {
        return Err(Error::Conflict(Conflict::ServerUnavailable));
    }
    if host.supplier_id.is_some() {
        let advice = "belongs to a supplier, whose share of compute units is not computed yet";
        return Err(Error::invalid("/hostname", advice));
    }
    let capacity = tx.capacity_for_update(host_id).await?;
    if capacity.is_some_and(|capacity| capacity.purpose == Purpose::Instances) {
        return Err(Error::Conflict(Conflict::CarriesInstances));
    }
    if host.is_listed {
        tx.save_host(&Host { is_listed: false, ..host }).await?;
    }
    Ok(())
}
