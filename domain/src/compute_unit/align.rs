//! Cuts a host, or undoes that, one step at a time.

use chrono::Duration;
use tracing::{instrument, warn};

use super::{
    ComputeHost, ComputeUnit, ComputeUnitId, CpuRange, HostPhase, Inspection, UnitState, ports,
    share,
};
use crate::capacity::{Capacity, Health, PortRange, Purpose, Storage, StorageName, Used};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::Actor;
use crate::host::{Disk, Host, HostId, Specs};
use crate::instance::{Driven, DriverFault};
use crate::job::{Job, JobContext, JobKind, Progress};
use crate::location::{Location, LocationCode, NOWHERE};
use crate::store::{Store, Tx, atomically};

/// How long one claim of the job goes on before it makes way for others; a lease lasts longer than this and
/// one more step together.
const AT_ONCE: Duration = Duration::seconds(30);
const MIB_PER_GIB: u32 = 1_024;
/// All that units can have, see [`super::ports`].
const PORTS: PortRange = PortRange { from: 10_000, until: u16::MAX };

/// What is to be done next about a host.
enum Step {
    /// Look at it.
    Inspect,
    /// Make what all units need.
    Prepare,
    /// Make a unit, or make one whole.
    Make(ComputeUnit),
    /// Remove a unit.
    Remove(ComputeUnit),
    /// All units are made.
    Open,
    /// No unit is left.
    Restore,
}

/// Cuts a host or undoes that, as is wanted; of one that is cut, makes units whole. Safe to repeat after a crash
/// at any point. What fails waits for an operator.
#[instrument(name = "compute_unit.align", skip_all, fields(host_id = %id))]
pub async fn align(context: JobContext<'_>, id: HostId) -> Result<Progress> {
    let reads = context.store.reads();
    let began = context.clock.now();
    loop {
        let host = reads.compute_host(id).await?.ok_or(Error::NotFound(Thing::Server))?;
        let Some(step) = next_step(&host, reads.units_of_host(id).await?) else {
            return Ok(Progress::Finished);
        };
        match perform(context, &host, &step).await {
            Ok(inspection) => {
                let work = async |tx: &dyn Tx| {
                    done(tx, context, &host, (&step, inspection.as_ref())).await
                };
                if let Err(fault) = atomically(context.store, work).await? {
                    fail(context, &host, &step, fault).await?;
                }
            }
            Err(fault) => fail(context, &host, &step, fault.to_string()).await?,
        }
        let now = context.clock.now();
        if now - began >= AT_ONCE {
            return Ok(Progress::Again(now));
        }
    }
}

fn next_step(host: &ComputeHost, units: Vec<ComputeUnit>) -> Option<Step> {
    let one = |state: &UnitState| units.iter().find(|unit| unit.state == *state).cloned();
    let make = || one(&UnitState::Planned).map(Step::Make);
    match host.phase {
        HostPhase::Initializing => {
            let next = || match (&host.system, host.is_prepared) {
                (None, _) => Some(Step::Inspect),
                (_, false) => Some(Step::Prepare),
                (_, true) => make(),
            };
            let step = one(&UnitState::Leaving).map(Step::Remove).or_else(next);
            Some(step.unwrap_or(Step::Open))
        }
        HostPhase::Ready => make(),
        HostPhase::Decommissioning => {
            let remove = one(&UnitState::Leaving).map(Step::Remove);
            Some(remove.unwrap_or(Step::Restore))
        }
        HostPhase::InitFailed { .. }
        | HostPhase::DecommissionFailed { .. }
        | HostPhase::Decommissioned => None,
    }
}

/// Asks the driver.
async fn perform(
    context: JobContext<'_>,
    host: &ComputeHost,
    step: &Step,
) -> Driven<Option<Inspection>> {
    let (driver, site) = (context.hosts, host.site());
    match step {
        Step::Inspect => {
            let inspection = driver.inspect(&site).await?;
            require_online(&host.ranges, &inspection.cpus)?;
            return Ok(Some(inspection));
        }
        Step::Prepare => driver.prepare(&site).await?,
        Step::Make(unit) => driver.make_unit(&site, &unit.plan()).await?,
        Step::Remove(unit) => driver.remove_unit(&site, &unit.plan()).await?,
        Step::Open => {}
        Step::Restore => driver.restore(&site).await?,
    }
    Ok(None)
}

fn require_online(ranges: &[CpuRange], online: &[u32]) -> Driven<()> {
    let lacks = |range: &&CpuRange| range.cpus().iter().any(|cpu| !online.contains(cpu));
    let Some(range) = ranges.iter().find(lacks) else { return Ok(()) };
    let there: Vec<String> = online.iter().map(u32::to_string).collect();
    let there = there.join(",");
    Err(DriverFault::Refused(format!("not all CPUs of {range} are online; these are: {there}")))
}

/// Writes down that a step was done; `Err` in it says why it does not do.
async fn done(
    tx: &dyn Tx,
    context: JobContext<'_>,
    seen: &ComputeHost,
    (step, inspection): (&Step, Option<&Inspection>),
) -> Result<std::result::Result<(), String>> {
    let now = context.clock.now();
    let host = tx.compute_host_for_update(seen.host_id).await?;
    let host = host.ok_or(Error::NotFound(Thing::Server))?;
    match step {
        // What is wanted changed while the driver worked; the next look says what is to be done.
        Step::Inspect | Step::Prepare | Step::Make(_) if !host.is_still(seen) => {}
        Step::Inspect => {
            if let Some(inspection) = inspection {
                return inspected(tx, context.random, host, (inspection, now)).await;
            }
        }
        Step::Prepare => {
            let host = ComputeHost { is_prepared: true, updated_at: now, ..host };
            tx.save_compute_host(&host).await?;
        }
        Step::Make(unit) => {
            settle_unit(tx, unit.id, (&UnitState::Planned, UnitState::Free), now).await?;
        }
        Step::Remove(unit) => {
            let unit = tx.unit_for_update(unit.id).await?;
            if let Some(unit) = unit.filter(|unit| unit.state == UnitState::Leaving) {
                tx.remove_unit(unit.id).await?;
            }
        }
        Step::Open if host.phase == HostPhase::Initializing => {
            let units = tx.units_of_host(host.host_id).await?;
            if units.iter().all(|unit| unit.state == UnitState::Free) && !units.is_empty() {
                let host = ComputeHost { phase: HostPhase::Ready, updated_at: now, ..host };
                tx.save_compute_host(&host).await?;
                tx.record(vec![host.event("compute_host.ready", (Actor::System, now))]).await?;
            }
        }
        Step::Restore if host.phase == HostPhase::Decommissioning => {
            let phase = HostPhase::Decommissioned;
            let (system, limits, is_prepared) = (None, None, false);
            let host = ComputeHost { phase, system, limits, is_prepared, updated_at: now, ..host };
            withdraw(tx, &host, now).await?;
        }
        Step::Open | Step::Restore => {}
    }
    Ok(Ok(()))
}

/// The host is as it was before, and has nothing to give any more.
async fn withdraw(tx: &dyn Tx, host: &ComputeHost, now: Timestamp) -> Result<()> {
    tx.save_compute_host(host).await?;
    if let Some(capacity) = tx.capacity_for_update(host.host_id).await? {
        let capacity = Capacity { purpose: Purpose::Nothing, updated_at: now, ..capacity };
        tx.save_capacity(&capacity).await?;
    }
    tx.record(vec![host.event("compute_host.decommissioned", (Actor::System, now))]).await
}

async fn settle_unit(
    tx: &dyn Tx,
    id: ComputeUnitId,
    (from, to): (&UnitState, UnitState),
    now: Timestamp,
) -> Result<()> {
    let Some(unit) = tx.unit_for_update(id).await? else { return Ok(()) };
    if unit.state != *from {
        return Ok(());
    }
    tx.save_unit(&ComputeUnit { state: to, changed_at: now, ..unit }).await
}

/// Writes down what a locked host has, and plans its units.
async fn inspected(
    tx: &dyn Tx,
    random: &dyn Random,
    host: ComputeHost,
    (inspection, now): (&Inspection, Timestamp),
) -> Result<std::result::Result<(), String>> {
    furnish(tx, &host, (inspection, now)).await?;
    let online = u32::try_from(inspection.cpus.len()).unwrap_or(u32::MAX);
    let ram_mib = |range: &CpuRange| share(inspection.ram_mib, range.count(), online);
    let there = tx.units_of_host(host.host_id).await?;
    for unit in &there {
        let ram_mib = ram_mib(&unit.range);
        tx.save_unit(&ComputeUnit { ram_mib, ..unit.clone() }).await?;
    }
    let is_new = |range: &&CpuRange| !there.iter().any(|unit| unit.range == **range);
    let mut free =
        (0..).map_while(ports).filter(|ports| !there.iter().any(|unit| unit.ports == *ports));
    let mut new = Vec::new();
    for range in host.ranges.iter().filter(is_new) {
        let Some(ports) = free.next() else {
            return Ok(Err("there are no ports left for so many units".to_owned()));
        };
        new.push(ComputeUnit {
            id: ComputeUnitId::generate(now, random),
            host_id: host.host_id,
            name: format!("{}_{}", host.hostname, range.in_a_name()),
            range: range.clone(),
            ports,
            ram_mib: ram_mib(range),
            state: UnitState::Planned,
            changed_at: now,
        });
    }
    tx.add_units(&new).await?;
    let system = Some(inspection.system.clone());
    let limits = Some(inspection.limits);
    tx.save_compute_host(&ComputeHost { system, limits, updated_at: now, ..host }).await?;
    Ok(Ok(()))
}

/// What the host has for instances, which find their place by its units alone.
async fn furnish(
    tx: &dyn Tx,
    host: &ComputeHost,
    (inspection, now): (&Inspection, Timestamp),
) -> Result<()> {
    let location = location(tx, &host.region, now).await?;
    let server = tx.host_for_update(host.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let cpus = u32::try_from(inspection.cpus.len()).unwrap_or(u32::MAX);
    let specs = described(&server, cpus, inspection);
    tx.save_host(&Host { specs, updated_at: now, ..server }).await?;
    let before = tx.capacity_for_update(host.host_id).await?;
    let own_name = StorageName::from_stored(host.host_id.to_string());
    let storage = before.as_ref().map_or(own_name.clone(), |before| before.storage.clone());
    // Homes are no volumes: no disk is given away here.
    let own = Storage { name: own_name, location: location.clone(), size_gb: 0, used_gb: 0 };
    match tx.storage_for_update(&storage).await? {
        None => tx.save_storage(&Storage { name: storage.clone(), ..own }).await?,
        // The host is elsewhere by now.
        Some(there) if there.name == own.name && there.used_gb == 0 => {
            tx.save_storage(&Storage { location: own.location, ..there }).await?;
        }
        Some(_) => {}
    }
    let capacity = Capacity {
        host_id: host.host_id,
        location,
        storage,
        purpose: Purpose::ComputeUnits,
        driver: host.driver,
        settings: host.site().settings,
        address: host.address,
        addresses: Vec::new(),
        network: None,
        ports: PORTS,
        pins_cpus: true,
        cpus,
        ram_mib: inspection.ram_mib,
        gpu: None,
        used: Used::default(),
        health: Health::Healthy,
        down_seconds: before.as_ref().map_or(0, |before| before.down_seconds),
        is_draining: before.as_ref().is_some_and(|before| before.is_draining),
        benchmark: before.as_ref().map(|before| before.benchmark.clone()).unwrap_or_default(),
        created_at: before.as_ref().map_or(now, |before| before.created_at),
        updated_at: now,
    };
    tx.save_capacity(&capacity).await?;
    tx.save_health(&capacity, now).await
}

/// The location that stands for a region, made if there is none.
async fn location(tx: &dyn Tx, region: &str, now: Timestamp) -> Result<LocationCode> {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || "._~-".contains(letter) { letter } else { '-' }
    };
    let code: String = region.chars().map(plain).collect();
    let code = LocationCode::parse(&code).map_err(|advice| Error::invalid("/region", advice))?;
    if tx.location_coded(&code).await?.is_none() {
        let (name, country) = (region.to_owned(), NOWHERE.to_owned());
        let location =
            Location { code: code.clone(), name, country, created_at: now, updated_at: now };
        tx.add_location(&location).await?;
    }
    Ok(code)
}

/// What a server is in truth.
fn described(server: &Host, cpus: u32, inspection: &Inspection) -> Specs {
    let mut specs = server.specs.clone();
    (specs.cpu.cores, specs.cpu.threads) = (cpus.max(1), cpus.max(1));
    specs.ram_gb = inspection.ram_mib.div_ceil(MIB_PER_GIB).max(1);
    if let [Disk { capacity_gb, .. }] = specs.disks.as_mut_slice() {
        *capacity_gb = inspection.disk_gb.clamp(1, 1_000_000);
    }
    specs
}

/// Writes down that a step cannot be done: a host waits for an operator, and so does a unit of one that is cut.
async fn fail(
    context: JobContext<'_>,
    seen: &ComputeHost,
    step: &Step,
    reason: String,
) -> Result<()> {
    warn!(host_id = %seen.host_id, hostname = %seen.hostname, reason, "a host could not be cut");
    let reason: String = reason.chars().take(500).collect();
    let now = context.clock.now();
    atomically(context.store, async |tx: &dyn Tx| {
        let host = tx.compute_host_for_update(seen.host_id).await?;
        let host = host.ok_or(Error::NotFound(Thing::Server))?;
        if !host.is_still(seen) {
            return Ok(());
        }
        if let (HostPhase::Ready, Step::Make(unit)) = (&host.phase, step) {
            let failed = UnitState::Failed { reason: reason.clone() };
            return settle_unit(tx, unit.id, (&UnitState::Planned, failed), now).await;
        }
        let Some(host) = host.failed(reason.clone()) else { return Ok(()) };
        let host = ComputeHost { updated_at: now, ..host };
        tx.save_compute_host(&host).await?;
        tx.record(vec![host.event("compute_host.failed", (Actor::System, now))]).await
    })
    .await
}

/// Schedules a job for every host with something to be done that nobody works on; answers how many.
#[instrument(name = "compute_unit.realign", skip_all)]
pub async fn realign(store: &dyn Store, random: &dyn Random, now: Timestamp) -> Result<usize> {
    let lost = store.reads().misaligned_compute_hosts(1_000).await?;
    if lost.is_empty() {
        return Ok(0);
    }
    let kind = |id: &HostId| JobKind::AlignComputeHost { host_id: *id };
    let jobs: Vec<Job> = lost.iter().map(|id| Job::new(kind(id), now, random)).collect();
    atomically(store, async |tx: &dyn Tx| tx.schedule_all(&jobs).await).await?;
    Ok(lost.len())
}
