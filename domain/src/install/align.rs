//! Does what is wanted of an install, one step at a time.

use std::collections::BTreeMap;

use chrono::Duration;
use tracing::{instrument, warn};

use super::{Install, InstallFailure, InstallPhase, LONGEST_RUN, Run, Step, Work, align_later};
use crate::clock::{Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event};
use crate::host::HostId;
use crate::instance::{DriverFault, Instance, InstanceId, Phase, Site, Task, TaskState, Wanted};
use crate::job::{Job, JobContext, JobKind, Progress};
use crate::software::variable;
use crate::store::{Store, Tx, atomically};

/// How soon to look again, at first and at last: in between after an eighth of the time that it has taken.
const SOONEST: Duration = Duration::seconds(1);
const LATEST: Duration = Duration::seconds(30);

/// Does what is wanted of the installs on an instance, whose turn it is. Safe to repeat after a crash at any
/// point.
#[instrument(name = "install.align", skip_all, fields(%id))]
pub async fn align(context: JobContext<'_>, id: InstanceId) -> Result<Progress> {
    let reads = context.store.reads();
    loop {
        let Some(seen) = reads.next_install_of(id).await? else { return Ok(Progress::Finished) };
        let Some(step) = seen.next_step() else { return Ok(Progress::Finished) };
        let instance = reads.instance(id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        if instance.wanted == Wanted::Deleted || !instance.is_live() {
            return Ok(Progress::Finished);
        }
        let found = match step {
            Step::Prepare(_) if !runs(&instance) => return Ok(waiting(context, &seen, &instance)),
            Step::Prepare(_) => Found::Prepared,
            // Whether it was begun is not known, and what there was of it has ended with its instance.
            Step::Begin(work, _) if !runs(&instance) => Found::Failed(interrupted(work)),
            Step::Begin(work, run) | Step::Look(work, run) => {
                let Some(found) =
                    Runner::on(context, &seen, &instance).await?.go_on(work, run).await?
                else {
                    return Ok(Progress::Again(soon(context, &seen)));
                };
                found
            }
        };
        let is_over = matches!(found, Found::Done | Found::Failed(_));
        settle(context, (&seen, step), found).await?;
        if is_over {
            // The next one has a lease of its own, and whoever has waited longer comes first.
            return Ok(Progress::Again(context.clock.now()));
        }
    }
}

/// Whether scripts can be begun on it.
fn runs(instance: &Instance) -> bool {
    instance.phase == Phase::Running && instance.is_settled()
}

/// What becomes ready takes its installs up again; what is on the way there is waited for.
fn waiting(context: JobContext<'_>, seen: &Install, instance: &Instance) -> Progress {
    if instance.is_settled() { Progress::Finished } else { Progress::Again(soon(context, seen)) }
}

fn soon(context: JobContext<'_>, seen: &Install) -> Timestamp {
    let now = context.clock.now();
    now + ((now - seen.changed_at) / 8).clamp(SOONEST, LATEST)
}

/// What came of a step.
enum Found {
    /// The next run is written down.
    Prepared,
    /// The run was begun.
    Begun,
    /// The script did its work.
    Done,
    /// It did not.
    Failed(InstallFailure),
}

fn failure(during: Work, message: impl Into<String>) -> InstallFailure {
    InstallFailure { during, message: message.into(), output: String::new() }
}

fn interrupted(during: Work) -> InstallFailure {
    failure(during, "the instance stopped before the script had ended")
}

/// A run of one install, on its host.
struct Runner<'a> {
    context: JobContext<'a>,
    seen: &'a Install,
    site: Site,
    name: String,
}

impl<'a> Runner<'a> {
    async fn on(context: JobContext<'a>, seen: &'a Install, instance: &Instance) -> Result<Self> {
        let capacity = context.store.reads().capacity(instance.host_id).await?;
        let site = capacity.ok_or(Error::NotFound(Thing::Server))?.site();
        Ok(Self { context, seen, site, name: seen.task_name() })
    }

    /// Has the run begun, or looks how far it is; `None` means to look again later.
    async fn go_on(&self, work: Work, run: Run) -> Result<Option<Found>> {
        let is_late = run.until <= self.context.clock.now();
        if !run.is_begun && is_late {
            self.end().await;
            return Ok(Some(Found::Failed(failure(
                work,
                "its host did not begin the script in time",
            ))));
        }
        let answer = if run.is_begun { self.look(work).await } else { self.begin(work).await? };
        match answer {
            Ok(None) if is_late => {
                self.end().await;
                Ok(Some(Found::Failed(failure(work, "the script took longer than an hour"))))
            }
            Ok(found) => Ok(found),
            Err(fault) => Ok(self.faulty(work, &fault, is_late)),
        }
    }

    async fn begin(&self, work: Work) -> Result<Result<Option<Found>, DriverFault>> {
        let scripts = self.context.store.reads().install_scripts(self.seen.id).await?;
        let scripts = scripts.ok_or(Error::NotFound(Thing::Install))?;
        let script = match work {
            Work::Install => scripts.install,
            Work::Remove => scripts.remove.unwrap_or_default(),
        };
        let named = |(key, value): (&String, &String)| (variable(key), value.clone());
        let environment: BTreeMap<String, String> = self.seen.config.iter().map(named).collect();
        let task = Task { name: self.name.clone(), script, environment };
        let begun =
            self.context.instances.begin_task(&self.site, self.seen.instance_id, &task).await;
        Ok(begun.map(|()| Some(Found::Begun)))
    }

    async fn look(&self, work: Work) -> Result<Option<Found>, DriverFault> {
        let (driver, id) = (self.context.instances, self.seen.instance_id);
        Ok(match driver.look_at_task(&self.site, id, &self.name).await? {
            TaskState::Running => None,
            TaskState::Ended { status: 0, .. } => Some(Found::Done),
            TaskState::Ended { status, output } => {
                let message = format!("the script ended with status {status}");
                Some(Found::Failed(InstallFailure {
                    output: shown(&output),
                    ..failure(work, message)
                }))
            }
            TaskState::Unknown | TaskState::Lost => Some(Found::Failed(interrupted(work))),
        })
    }

    /// What was given up is not to go on beside the next try. A host that cannot do that now is not waited for.
    async fn end(&self) {
        let (driver, id) = (self.context.instances, self.seen.instance_id);
        if let Err(fault) = driver.end_task(&self.site, id, &self.name).await {
            warn!(install_id = %self.seen.id, cause = %fault, "a script that was given up may run on");
        }
    }

    fn faulty(&self, work: Work, fault: &DriverFault, is_late: bool) -> Option<Found> {
        warn!(install_id = %self.seen.id, cause = %fault, "a host failed at a script");
        let message = match fault {
            DriverFault::Failed(_) if is_late => "its host did not answer in time",
            DriverFault::Failed(_) => return None,
            DriverFault::Refused(_) => "its host refused to run the script",
            DriverFault::NoRoom(_) => {
                "the instance's disk may be full: there was no room for the script or for how it ended"
            }
        };
        Some(Found::Failed(failure(work, message)))
    }
}

/// Without what a database or a terminal would stumble over.
fn shown(output: &str) -> String {
    let is_plain = |letter: &char| !letter.is_control() || ['\n', '\t'].contains(letter);
    output.chars().filter(is_plain).take(4_000).collect()
}

async fn settle(
    context: JobContext<'_>,
    (seen, step): (&Install, Step),
    found: Found,
) -> Result<()> {
    let now = context.clock.now();
    atomically(context.store, async |tx: &dyn Tx| {
        let Some(install) = tx.install_for_update(seen.id).await? else { return Ok(()) };
        if install.next_step() != Some(step) || install.runs != seen.runs {
            // What is wanted changed meanwhile; the loop looks again.
            return Ok(());
        }
        settled(tx, install, (step, &found), now).await
    })
    .await
}

async fn settled(
    tx: &dyn Tx,
    install: Install,
    (step, found): (Step, &Found),
    now: Timestamp,
) -> Result<()> {
    let by = (Actor::System, now);
    match (found, step) {
        (Found::Prepared, Step::Prepare(work)) => {
            let run = Run { until: now + LONGEST_RUN, is_begun: false };
            let runs = install.runs.saturating_add(1);
            let install = Install { runs, changed_at: now, ..install }.under_way(work, run);
            tx.save_install(&install).await
        }
        (Found::Begun, Step::Begin(work, _)) => {
            // From now on, however long its host took until then.
            let until = now + LONGEST_RUN;
            tx.save_install(&install.under_way(work, Run { is_begun: true, until })).await
        }
        (Found::Done, Step::Look(Work::Install, _)) => {
            let install = install.turned(InstallPhase::Completed { at: now }, now);
            tx.save_install(&install).await?;
            tx.record(vec![install.event("install.completed", by)]).await
        }
        (Found::Done, _) => {
            tx.delete_install(install.id).await?;
            tx.record(vec![install.event("install.removed", by)]).await
        }
        (Found::Failed(failure), _) => {
            let phase = InstallPhase::Failed { failure: failure.clone(), at: now };
            let install = install.turned(phase, now);
            tx.save_install(&install).await?;
            let told = install.event("install.failed", by);
            tx.record(vec![Event { recipient: Some(install.wanted_by), ..told }]).await
        }
        (Found::Prepared | Found::Begun, _) => Ok(()),
    }
}

/// The host without which nothing can be done about the installs on an instance now.
pub(crate) async fn awaits(context: JobContext<'_>, id: InstanceId) -> Result<Option<HostId>> {
    let reads = context.store.reads();
    let Some(install) = reads.next_install_of(id).await? else { return Ok(None) };
    if !install.needs_its_host(context.clock.now()) {
        return Ok(None);
    }
    Ok(reads.instance(id).await?.map(|instance| instance.host_id))
}

/// Goes on with what waited for its instance to run, which is locked.
pub(crate) async fn resume(
    tx: &dyn Tx,
    random: &dyn Random,
    (id, now): (InstanceId, Timestamp),
) -> Result<()> {
    match tx.next_install_of(id).await? {
        Some(_) => align_later(tx, random, (id, now)).await,
        None => Ok(()),
    }
}

/// Schedules a job for every instance that runs and has installs with something to be done that nobody works
/// on; answers how many.
#[instrument(name = "install.realign", skip_all)]
pub async fn realign(store: &dyn Store, random: &dyn Random, now: Timestamp) -> Result<usize> {
    let lost = store.reads().misaligned_installs(1_000).await?;
    if lost.is_empty() {
        return Ok(0);
    }
    let kind = |id: &InstanceId| JobKind::AlignInstalls { instance_id: *id };
    let jobs: Vec<Job> = lost.iter().map(|id| Job::new(kind(id), now, random)).collect();
    atomically(store, async |tx: &dyn Tx| tx.schedule_all(&jobs).await).await?;
    Ok(lost.len())
}
