//! Brings instances on their hosts to what is wanted, one step at a time.

use chrono::Duration;
use secrecy::ExposeSecret;
use tracing::{instrument, warn};

use super::act::park;
use super::carry::{Brought, brought, clear, left_behind, sent_back};
use super::charge::{Charge, charge};
use super::create::event;
use super::giving_up::{GaveUp, failed, short};
use super::migrate::{take_over, undo};
use super::stop::{fail_cluster, free_all};
use super::{
    DriverFault, Failure, Instance, InstanceId, InstanceSpec, JUPYTER_TOKEN, Move, Phase,
    RegistryLogin, Sighting, Site, Stage, Step, Wanted,
};
use crate::capacity::{Claim, Part, release};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::host::HostId;
use crate::install;
use crate::job::{Job, JobContext, JobKind, Progress};
use crate::store::{Reads, Store, Tx, atomically};
use crate::vault::Vault;
use crate::volume::{self, Afterwards, Volume, VolumeId, VolumeState};
use crate::wallet::Wallet;

/// How long one claim of the job goes on: with one more call of the driver it ends within its lease.
const AT_ONCE: Duration = Duration::minutes(1);
/// How soon to look again at what is not ready.
const LOOK_AGAIN: Duration = Duration::seconds(1);

/// Does on its host what is wanted of an instance. Safe to repeat after a crash at any point.
#[instrument(name = "instance.align", skip_all, fields(%id))]
pub async fn align(context: JobContext<'_>, id: InstanceId) -> Result<Progress> {
    let reads = context.store.reads();
    let began = context.clock.now();
    loop {
        let seen = reads.instance(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        let Some(step) = seen.next_step() else {
            clear(context, id).await?;
            return Ok(Progress::Finished);
        };
        let now = context.clock.now();
        if now - began >= AT_ONCE {
            return Ok(Progress::Again(now));
        }
        let advances = matches!(step, Step::Make | Step::Start | Step::Await);
        if advances && seen.stage_until.is_some_and(|until| until <= now) {
            settle(context, (&seen, step), Found::GaveUp(GaveUp::late(&seen))).await?;
            continue;
        }
        let volumes = volumes(reads, &seen).await?;
        let is_there = |volume: &Volume| volume.is_made() || volume.is_new_disk();
        if step == Step::Make && !volumes.iter().all(is_there) {
            if volumes.iter().all(|volume| volume.state == VolumeState::Live) {
                match make(context, &volumes).await? {
                    Progress::Finished => continue,
                    again @ Progress::Again(_) => return Ok(again),
                }
            }
            settle(context, (&seen, step), Found::GaveUp(GaveUp::of_a_volume())).await?;
            continue;
        }
        let capacity = reads.capacity(seen.host_id).await?;
        let site = capacity.ok_or(Error::NotFound(Thing::Server))?.site();
        let found = match perform(context, &site, (&seen, &volumes), step).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Progress::Again(now + LOOK_AGAIN)),
            Err(fault) => Found::GaveUp(failed(context, &seen, step, fault).await?),
        };
        let is_set_back = matches!(found, Found::Back(_));
        settle(context, (&seen, step), found).await?;
        if seen.left_behind().is_some() {
            clear(context, id).await?;
        }
        if is_set_back {
            // What stops as soon as it is started would keep a worker for itself.
            return Ok(Progress::Again(now + LOOK_AGAIN));
        }
    }
}

/// Makes the volumes that are not there yet; their own jobs would, too, but later. A copy is left to
/// its own job alone, as two would get in each other's way.
async fn make(context: JobContext<'_>, volumes: &[Volume]) -> Result<Progress> {
    let unmade = volumes.iter().filter(|volume| !volume.is_made() && !volume.is_new_disk());
    let (copies, empty): (Vec<_>, Vec<_>) = unmade.partition(|volume| volume.copy_of.is_some());
    for volume in empty {
        volume::align(context, volume.id).await?;
    }
    if copies.is_empty() {
        return Ok(Progress::Finished);
    }
    Ok(Progress::Again(context.clock.now() + LOOK_AGAIN))
}

/// The volumes that an instance mounts: its own, and its cluster's.
async fn volumes(reads: &dyn Reads, instance: &Instance) -> Result<Vec<Volume>> {
    let mut volumes = reads.volumes_of_instances(&[instance.id]).await?;
    let cluster = match instance.cluster_id {
        Some(id) => reads.cluster(id).await?,
        None => None,
    };
    if let Some(volume_id) = cluster.and_then(|cluster| cluster.volume_id)
        && !volumes.iter().any(|volume| volume.id == volume_id)
    {
        volumes.extend(reads.volume(volume_id).await?);
    }
    Ok(volumes)
}

/// What came of a step.
enum Found {
    /// It was done.
    Done,
    /// What was made is in another state than it should be: back to this stage.
    Back(Stage),
    /// It cannot be done.
    GaveUp(GaveUp),
}

/// Gives up an instance that was never ready, as if its time were over; answers with it as it is then.
pub(crate) async fn give_up(context: JobContext<'_>, id: InstanceId) -> Result<Instance> {
    let reads = context.store.reads();
    loop {
        let seen = reads.instance(id).await?.ok_or(Error::NotFound(Thing::Instance))?;
        let is_unready = matches!(seen.phase, Phase::Ordered | Phase::Provisioning { .. });
        match seen.next_step() {
            Some(step) if is_unready && step != Step::Remove => {
                let late = Found::GaveUp(GaveUp::late(&seen));
                settle(context, (&seen, step), late).await?;
            }
            _ => return Ok(seen),
        }
    }
}

/// Asks the driver; `None` means to look again later.
async fn perform(
    context: JobContext<'_>,
    site: &Site,
    (instance, volumes): (&Instance, &[Volume]),
    step: Step,
) -> Result<Option<Found>, DriverFault> {
    let (driver, spec) = (context.instances, instance.spec(volumes));
    match step {
        Step::Make => {
            match brought(context, site, instance).await? {
                Brought::Later => return Ok(None),
                Brought::Never => return Ok(Some(Found::GaveUp(GaveUp::of_a_disk()))),
                Brought::Here => {}
            }
            driver.create(site, &with_secrets(context.vault, instance, spec)).await?;
        }
        Step::Start => {
            driver.start(site, &with_secrets(context.vault, instance, spec)).await?;
        }
        Step::Stop { force } => driver.stop(site, instance.id, force).await?,
        Step::Remove => {
            driver.remove(site, instance.id, kept_disk(volumes)).await?;
            if let Some(from) = left_behind(context, instance).await? {
                driver.remove(&from, instance.id, None).await?;
            }
        }
        Step::Await => {
            return Ok(match driver.look(site, &spec).await? {
                Sighting::Ready => Some(Found::Done),
                Sighting::Starting => None,
                Sighting::Stopped => Some(Found::Back(Stage::Starting)),
                Sighting::Absent => Some(Found::Back(Stage::Making)),
            });
        }
    }
    Ok(Some(Found::Done))
}

/// What it is to be, with the secrets that making it may take. One that cannot be opened, as after a
/// change of the signing key, is left out: most often it is made from its own disk, which needs none.
fn with_secrets(vault: &dyn Vault, instance: &Instance, mut spec: InstanceSpec) -> InstanceSpec {
    let closed = |fault: &Error| {
        warn!(instance_id = %instance.id, cause = fault.for_the_log(), "a secret stays closed");
    };
    spec.password = instance.password_or_none(vault);
    let Some(template) = &instance.origin.template else { return spec };
    let login = template.registry.as_ref().and_then(|registry| {
        let password = registry.opened(vault, template.template_id).inspect_err(closed).ok()?;
        let (host, username) = (registry.authority().to_owned(), registry.username.clone());
        Some(RegistryLogin { host, username, password })
    });
    spec.pull.login = login;
    if template.runs_jupyter && !spec.environment.contains_key(JUPYTER_TOKEN) {
        let token = instance.jupyter_token(vault).inspect_err(closed);
        let token = token.map(|token| token.expose_secret().to_owned()).unwrap_or_default();
        spec.environment.insert(JUPYTER_TOKEN.to_owned(), token);
    }
    spec
}

/// The volume that the instance's disk stays as, when it goes and the disk does not.
fn kept_disk(volumes: &[Volume]) -> Option<VolumeId> {
    let disk = volumes.iter().find(|volume| volume.disk.is_some() && volume.is_made())?;
    let afterwards = disk.attachment.as_ref().map(|attachment| attachment.afterwards);
    (afterwards != Some(Afterwards::DeletePermanently)).then_some(disk.id)
}

async fn settle(
    context: JobContext<'_>,
    (seen, step): (&Instance, Step),
    found: Found,
) -> Result<()> {
    let now = context.clock.now();
    let within = context.policy.stage_within;
    let work = async |tx: &dyn Tx| {
        let Some((wallet, instance)) = locked(tx, seen, step, &found).await? else {
            // What is wanted changed while the driver worked; the loop looks again.
            return Ok(());
        };
        let outcome = Settling { tx, random: context.random, now, within, wallet };
        match &found {
            Found::Done => Box::pin(outcome.done(instance, step)).await,
            Found::Back(stage) => {
                let phase = match instance.phase {
                    Phase::Provisioning { .. } => Phase::Provisioning { stage: *stage },
                    _ => Phase::Starting { stage: *stage },
                };
                tx.save_instance(&Instance { phase, ..instance }).await
            }
            Found::GaveUp(why) => Box::pin(outcome.given_up(instance, why)).await,
        }
    };
    atomically(context.store, work).await
}

/// What settling a step touches, locked, if the step is still the next one.
async fn locked(
    tx: &dyn Tx,
    seen: &Instance,
    step: Step,
    found: &Found,
) -> Result<Option<(Option<Wallet>, Instance)>> {
    let gives_up = matches!(found, Found::GaveUp(_));
    let is_paid = matches!(step, Step::Await | Step::Remove)
        || (step == Step::Start && seen.terms.is_prepaid);
    let wallet = if gives_up || is_paid {
        let wallet = tx.wallet_for_update(seen.payer_id).await?;
        Some(wallet.ok_or(Error::NotFound(Thing::User))?)
    } else {
        None
    };
    if step == Step::Remove && seen.terms.is_of_a_unit() {
        // Before its host, as whoever allocates one has it.
        tx.unit_of_for_update(seen.id).await?;
    }
    let moves = seen.left_behind();
    let gives_back = matches!(step, Step::Stop { .. } | Step::Remove) || moves.is_some();
    let mut hosts: Vec<HostId> =
        moves.into_iter().chain(gives_back.then_some(seen.host_id)).collect();
    hosts.sort_unstable();
    for host_id in hosts {
        tx.capacity_for_update(host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    }
    let instance = tx.instance_for_update(seen.id).await?;
    let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
    if instance.payer_id != seen.payer_id {
        return Err(Error::Contention);
    }
    let is_next = instance.next_step() == Some(step) && instance.phase == seen.phase;
    Ok(is_next.then_some((wallet, instance)))
}

/// One step whose outcome is written down.
struct Settling<'a> {
    tx: &'a dyn Tx,
    random: &'a dyn Random,
    now: Timestamp,
    within: Duration,
    wallet: Option<Wallet>,
}

impl Settling<'_> {
    async fn done(self, instance: Instance, step: Step) -> Result<()> {
        let before = instance.phase.clone();
        let phase = instance.after(step, self.now);
        let is_begun =
            |phase: &Phase| matches!(phase, Phase::Provisioning { .. } | Phase::Starting { .. });
        // What was set back and is tried once more has no more time for that.
        let goes_on = is_begun(&before) || instance.is_unready_unit();
        let until = instance.stage_until.filter(|_| goes_on);
        let stage_until = is_begun(&phase).then(|| until.unwrap_or_else(|| self.now + self.within));
        let restart = instance.restart && !matches!(step, Step::Stop { .. });
        let mut instance = Instance { restart, phase, stage_until, ..instance };
        match step {
            Step::Make => {
                return self.made(instance).await;
            }
            Step::Start => {
                // Who paid in advance decides when it greets; what computes uses paid time.
                let computes = instance.terms.is_prepaid && instance.ready_at.is_some();
                if let Some(wallet) = self.wallet.filter(|_| computes) {
                    let running = (instance, Charge::Running);
                    (_, instance) = charge(self.tx, self.random, wallet, running, self.now).await?;
                }
                return self.tx.save_instance(&instance).await;
            }
            Step::Await => {
                if instance.ready_at.is_none() {
                    instance.ready_at = Some(self.now);
                    volume::made_disk(self.tx, self.random, (instance.id, self.now)).await?;
                }
                (instance.last_error, instance.driver_fault) = (None, None);
                self.tx.save_instance(&instance).await?;
                let (tx, random, again) = (self.tx, self.random, (instance.id, self.now));
                self.ready(&instance).await?;
                // After what it takes the place of has left it its installs.
                install::resume(tx, random, again).await
            }
            Step::Stop { .. } => {
                // A restart goes on by itself, and has the time that a start has.
                instance.stage_until = Some(self.now + self.within);
                if instance.phase == Phase::Hibernated {
                    instance = park(self.tx, instance).await?;
                }
                self.tx.save_instance(&instance).await?;
                self.tell("instance.stopped", &instance).await
            }
            Step::Remove => {
                instance.claim = Claim::default();
                self.tx.save_instance(&instance).await?;
                self.removed(&instance, &before).await
            }
        }
    }

    /// It has its disk, so that nothing is left where that was, and what it is made from is there.
    async fn made(self, mut instance: Instance) -> Result<()> {
        if let Some(host_id) = instance.left_behind() {
            let held = (instance.id, &instance.terms.shape);
            release(self.tx, host_id, held, Part::Disk).await?;
            let kept = instance.kept().map(|kept| kept.of);
            self.tx.free_addresses(instance.id, kept).await?;
            instance.moved = instance.moved.map(|moved| Move {
                is_over: true,
                is_left: true,
                before: None,
                ..moved
            });
        }
        if !instance.origin.is_made() {
            instance.origin.made_edition = instance.origin.edition;
            instance.claim.published = None;
            let (tx, host_id) = (self.tx, instance.host_id);
            tx.free_ports(host_id, instance.id, &instance.claim.ports).await?;
        }
        self.tx.save_instance(&instance).await
    }

    /// From now on it costs its price.
    async fn ready(self, instance: &Instance) -> Result<()> {
        self.tell("instance.ready", instance).await?;
        let Some(wallet) = self.wallet.filter(|_| instance.wanted == Wanted::Running) else {
            return Ok(());
        };
        let (tx, random, now) = (self.tx, self.random, self.now);
        let (wallet, instance) =
            Box::pin(take_over(tx, random, wallet, instance.clone(), now)).await?;
        let running = (instance, Charge::Running);
        let (_, instance) = charge(tx, random, wallet, running, now).await?;
        tx.save_instance(&instance).await
    }

    /// Nothing is left of it: all that it held is free, and its volumes go their way.
    async fn removed(self, instance: &Instance, before: &Phase) -> Result<()> {
        let kind = match instance.phase {
            Phase::Failed { .. } => "instance.failed",
            _ => "instance.deleted",
        };
        self.tell(kind, instance).await?;
        let Some(wallet) = self.wallet else { return Ok(()) };
        free_all(self.tx, self.random, wallet, (instance, before), self.now).await
    }

    /// What never ran is taken back, with its cluster; what ran stays stopped, and costs what that does.
    async fn given_up(self, before: Instance, why: &GaveUp) -> Result<()> {
        let cause = why.fault.as_deref().unwrap_or(why.message);
        warn!(instance_id = %before.id, cause, "an instance was given up");
        let never_ran = matches!(before.phase, Phase::Ordered | Phase::Provisioning { .. });
        let failure = Failure { kind: why.kind, message: why.message.to_owned() };
        let driver_fault = why.fault.as_deref().map(short);
        let instance = Instance { driver_fault, ..before.given_up(failure) };
        self.tell("instance.given_up", &instance).await?;
        let Some(wallet) = self.wallet else { return self.tx.save_instance(&instance).await };
        let (tx, random, now) = (self.tx, self.random, self.now);
        let (wallet, instance) = if never_ran {
            undo(tx, random, wallet, instance, now).await?
        } else if let Some(host_id) = instance.left_behind() {
            let back = sent_back(tx, instance, host_id).await?;
            charge(tx, random, wallet, (back, Charge::Kept), now).await?
        } else {
            charge(tx, random, wallet, (instance, Charge::Stopped), now).await?
        };
        tx.save_instance(&instance).await?;
        if let Some(id) = instance.cluster_id.filter(|_| never_ran) {
            fail_cluster(tx, random, wallet, (id, now)).await?;
        }
        Ok(())
    }

    async fn tell(&self, kind: &'static str, instance: &Instance) -> Result<()> {
        let told = event(kind, instance, Actor::System, self.now);
        let is_bad = matches!(kind, "instance.given_up" | "instance.failed");
        let recipient = is_bad.then_some(instance.author);
        self.tx.record(vec![Event { recipient, ..told }]).await
    }
}

/// Schedules a job for every instance with something to be done that nobody works on; answers how
/// many.
#[instrument(name = "instance.realign", skip_all)]
pub async fn realign(store: &dyn Store, random: &dyn Random, now: Timestamp) -> Result<usize> {
    let lost = store.reads().misaligned_instances(1_000).await?;
    if lost.is_empty() {
        return Ok(0);
    }
    let kind = |id: &InstanceId| JobKind::AlignInstance { instance_id: *id };
    let jobs: Vec<Job> = lost.iter().map(|id| Job::new(kind(id), now, random)).collect();
    atomically(store, async |tx: &dyn Tx| tx.schedule_all(&jobs).await).await?;
    Ok(lost.len())
}
