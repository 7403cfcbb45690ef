//! Does jobs.

use chrono::Duration;
use tracing::{error, instrument, warn};

use super::{AfterFailure, Job, JobId, JobKind, Taking};
use crate::capacity::Health;
use crate::clock::{Clock, Random, Timestamp};
use crate::compute_unit::{self, HostDriver};
use crate::error::{Error, Result, Thing};
use crate::install;
use crate::instance::{self, InstanceDriver, InstancePolicy};
use crate::rental::{self, Driver};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Operator;
use crate::vault::Vault;
use crate::volume;

/// How long a worker may hold a job. Later another takes it, whatever became of the first; so what a
/// job waits for must give up well before.
pub const LEASE: Duration = Duration::minutes(3);
/// How soon to see again whether a host answers that did not.
const HOST_AWAY: Duration = Duration::seconds(30);

/// No job is put off for longer, and no lease lasts longer; with some minutes by which the clocks of several
/// workers may differ.
const FARTHEST: Duration = Duration::minutes(15);

/// What doing a job needs.
#[derive(Clone, Copy)]
pub struct JobContext<'a> {
    /// Where jobs and everything else are.
    pub store: &'a dyn Store,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub random: &'a dyn Random,
    /// What reaches hosts that are rented as a whole.
    pub driver: &'a dyn Driver,
    /// What makes instances on hosts.
    pub instances: &'a dyn InstanceDriver,
    /// What cuts hosts into compute units.
    pub hosts: &'a dyn HostDriver,
    /// What an operator configured about instances.
    pub policy: &'a InstancePolicy,
    /// What opens the secrets of others that hosts need.
    pub vault: &'a dyn Vault,
}

/// How far a job came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Finished,
    /// It waits for something outside, and goes on then.
    Again(Timestamp),
}

/// Does the job that has waited longest of those that are taken and may run now; answers whether there was
/// one.
#[instrument(name = "job.run_next", skip_all)]
pub async fn run_next(context: JobContext<'_>, taking: Taking) -> Result<bool> {
    let now = context.clock.now();
    let claim = async |tx: &dyn Tx| tx.claim_job(taking, now, now + LEASE).await;
    let Some(job) = atomically(context.store, claim).await? else {
        return Ok(false);
    };
    let outcome = match waits_for_its_host(context, job.kind).await {
        Ok(true) => Ok(Progress::Again(context.clock.now() + HOST_AWAY)),
        Ok(false) => perform(context, &job).await,
        Err(failure) => Err(failure),
    };
    record(context, &job, outcome).await?;
    Ok(true)
}

/// Whether nothing can be done before a host answers again, which the reconciler finds out: asking it
/// meanwhile would hold up the jobs of others, and use up the attempts of this one. However long that
/// takes, the job goes on afterwards.
async fn waits_for_its_host(context: JobContext<'_>, kind: JobKind) -> Result<bool> {
    let reads = context.store.reads();
    match kind {
        // What is wrong with a host that is being cut is told at once.
        JobKind::AlignAccess { .. } | JobKind::AlignComputeHost { .. } => Ok(false),
        JobKind::AlignInstance { instance_id } => {
            let Some(instance) = reads.instance(instance_id).await? else { return Ok(false) };
            if instance.is_settled() || instance.is_overdue(context.clock.now()) {
                return Ok(false);
            }
            for host_id in instance.hosts_it_needs() {
                let capacity = reads.capacity(host_id).await?;
                if capacity.is_some_and(|host| matches!(host.health, Health::Unreachable { .. })) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        JobKind::AlignInstalls { instance_id } => {
            let Some(host_id) = install::awaits(context, instance_id).await? else {
                return Ok(false);
            };
            let capacity = reads.capacity(host_id).await?;
            Ok(capacity.is_some_and(|host| matches!(host.health, Health::Unreachable { .. })))
        }
        JobKind::AlignVolume { volume_id } => {
            let Some(volume) = reads.volume(volume_id).await? else { return Ok(false) };
            if volume.is_settled() {
                return Ok(false);
            }
            let Some(disk) = &volume.disk else {
                return Ok(reads.hosts_at(&volume.storage).await?.is_empty());
            };
            let capacity = reads.capacity(disk.host_id).await?;
            Ok(capacity.is_some_and(|host| matches!(host.health, Health::Unreachable { .. })))
        }
    }
}

async fn perform(context: JobContext<'_>, job: &Job) -> Result<Progress> {
    let JobContext { store, clock, random, driver, .. } = context;
    match job.kind {
        JobKind::AlignAccess { rental_id } => {
            let aligned = rental::align(store, clock, random, driver, rental_id);
            aligned.await.map(|()| Progress::Finished)
        }
        JobKind::AlignInstance { instance_id } => instance::align(context, instance_id).await,
        JobKind::AlignVolume { volume_id } => volume::align(context, volume_id).await,
        JobKind::AlignInstalls { instance_id } => install::align(context, instance_id).await,
        JobKind::AlignComputeHost { host_id } => compute_unit::align(context, host_id).await,
    }
}

async fn record(context: JobContext<'_>, job: &Job, outcome: Result<Progress>) -> Result<()> {
    let failure = match outcome {
        Ok(Progress::Finished) => {
            return atomically(context.store, async |tx: &dyn Tx| tx.finish_job(job).await).await;
        }
        Ok(Progress::Again(at)) => {
            let work = async |tx: &dyn Tx| tx.postpone_job(job, at).await;
            return atomically(context.store, work).await;
        }
        Err(failure) => failure,
    };
    let cause = failure.for_the_log();
    let then = job.after_failure(context.clock.now());
    match then {
        AfterFailure::RetryAt(at) => {
            warn!(job_id = %job.id, attempt = job.attempts, %cause, %at, "job failed, will be retried");
        }
        AfterFailure::Dead => {
            error!(job_id = %job.id, kind = ?job.kind, %cause, "job failed too often and waits for an operator");
        }
    }
    let cause: String = cause.chars().take(500).collect();
    atomically(context.store, async |tx: &dyn Tx| tx.fail_job(job, &cause, then).await).await
}

/// Makes due what was put off until long after now, by a clock that ran ahead and was set back since; answers how
/// much.
#[instrument(name = "job.bring_forward", skip_all)]
pub async fn bring_forward(store: &dyn Store, clock: &dyn Clock) -> Result<u32> {
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| tx.bring_forward(now + FARTHEST, now).await).await
}

/// Jobs that failed too often, for operators.
pub async fn dead(store: &dyn Store, operator: &Operator) -> Result<Vec<Job>> {
    operator.may(Permission::AdminRead)?;
    store.reads().dead_jobs(500).await
}

/// Queues a dead job again.
#[instrument(name = "job.retry", skip_all, fields(%id))]
pub async fn retry(
    store: &dyn Store,
    clock: &dyn Clock,
    operator: &Operator,
    id: JobId,
) -> Result<()> {
    operator.may(Permission::AdminWrite)?;
    let now = clock.now();
    let revived = atomically(store, async |tx: &dyn Tx| tx.revive_job(id, now).await).await?;
    if revived { Ok(()) } else { Err(Error::NotFound(Thing::Job)) }
}
