//! Installs: software that is put onto an instance, and taken away from it, by scripts.
//!
//! What is wanted is written down by requests; one job an instance does it, step by step and one install after
//! another, in the order in which that was asked for. Each run of a script has a number, which is written down before anything is begun and given to the driver, so that a script
//! never runs twice for one run: a job that was cut off asks for the same run again. A run ends with its
//! script, with its instance, or when it has taken too long.

mod act;
mod add;
mod align;
mod port;
mod show;

use std::collections::BTreeMap;

use chrono::Duration;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use act::{ActOnInstall, remove, retry};
pub(crate) use add::added;
pub use add::{AddInstall, add};
pub use align::{align, realign};
pub(crate) use align::{awaits, resume};
pub use port::{InstallKey, InstallQueries, Installs};
pub use show::{MOST_INSTANCES, list, of_instances, show};

use crate::clock::{Random, Timestamp};
use crate::error::{Conflict, Error, Result};
use crate::event::{Actor, Event, Subject};
use crate::id::entity_id;
use crate::instance::InstanceId;
use crate::job::{Job, JobKind};
use crate::software::SoftwareId;
use crate::store::Tx;
use crate::user::UserId;

entity_id!(
    /// Identifies an install.
    InstallId
);

/// How long a script may run.
pub const LONGEST_RUN: Duration = Duration::hours(1);

/// Software on an instance. It goes with its instance, and to another pool with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// Identifies the install.
    pub id: InstallId,
    /// Its whole number, which no other thing ever has.
    pub number: i64,
    /// On which instance.
    pub instance_id: InstanceId,
    /// Of which software, which may have changed since or be deleted: the scripts and the name are kept as
    /// they were when it was ordered.
    pub software_id: SoftwareId,
    /// The software's number.
    pub software_number: i64,
    /// The software's name.
    pub name: String,
    /// Who asked last for what is wanted of it: ordered it, had it tried again or taken away.
    pub wanted_by: UserId,
    /// The value of every option. Any of them may be a secret: for those who see the instance, and its scripts.
    pub config: BTreeMap<String, String>,
    /// Whether a script takes it away.
    pub has_remove_script: bool,
    /// What it is.
    pub phase: InstallPhase,
    /// How many runs of scripts were written down so far; the last of them has this number.
    pub runs: u32,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// Since when it is what it is.
    pub changed_at: Timestamp,
}

/// What an install is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum InstallPhase {
    /// It is put there as soon as its instance runs.
    Queued,
    /// Its script runs, or is about to.
    Running {
        /// This run.
        run: Run,
    },
    /// It is there.
    Completed {
        /// Since when.
        at: Timestamp,
    },
    /// It could not be put there, or not be taken away.
    Failed {
        /// Why.
        failure: InstallFailure,
        /// Since when.
        at: Timestamp,
    },
    /// It is taken away as soon as its instance runs. Then nothing is left of it here.
    Removing {
        /// The run of the script for that, once it was written down.
        run: Option<Run>,
    },
}

/// One run of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it is given up.
    pub until: Timestamp,
    /// Whether the driver has begun it for certain. From then on it is only looked at: a host that has lost
    /// its mark must not begin it anew.
    pub is_begun: bool,
}

/// Why an install failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallFailure {
    /// At which work.
    pub during: Work,
    /// What happened, for its owner.
    pub message: String,
    /// The end of what the script printed, for its owner.
    pub output: String,
}

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// To put the software there.
    Install,
    /// To take it away.
    Remove,
}

impl Work {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Remove => "remove",
        }
    }
}

/// An install's state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallStatus {
    /// It waits.
    Queued,
    /// Its script runs.
    Running,
    /// It is there.
    Completed,
    /// It could not be put there, or not be taken away.
    Failed,
    /// It is taken away.
    Removing,
}

impl InstallStatus {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Removing => "removing",
        }
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Write down a run of a script.
    Prepare(Work),
    /// Have it begun.
    Begin(Work, Run),
    /// See how far it is.
    Look(Work, Run),
}

impl Step {
    const fn on(work: Work, run: Run) -> Self {
        if run.is_begun { Self::Look(work, run) } else { Self::Begin(work, run) }
    }
}

impl Install {
    /// Its state in one word.
    pub const fn status(&self) -> InstallStatus {
        match self.phase {
            InstallPhase::Queued => InstallStatus::Queued,
            InstallPhase::Running { .. } => InstallStatus::Running,
            InstallPhase::Completed { .. } => InstallStatus::Completed,
            InstallPhase::Failed { .. } => InstallStatus::Failed,
            InstallPhase::Removing { .. } => InstallStatus::Removing,
        }
    }

    /// Whether nothing is to be done about it.
    pub const fn is_settled(&self) -> bool {
        self.next_step().is_none()
    }

    const fn next_step(&self) -> Option<Step> {
        match self.phase {
            InstallPhase::Queued => Some(Step::Prepare(Work::Install)),
            InstallPhase::Running { run } => Some(Step::on(Work::Install, run)),
            InstallPhase::Removing { run: None } => Some(Step::Prepare(Work::Remove)),
            InstallPhase::Removing { run: Some(run) } => Some(Step::on(Work::Remove, run)),
            InstallPhase::Completed { .. } | InstallPhase::Failed { .. } => None,
        }
    }

    /// Whether its host is to be asked for something; what is overdue is given up without it.
    fn needs_its_host(&self, now: Timestamp) -> bool {
        match self.next_step() {
            None => false,
            Some(Step::Prepare(_)) => true,
            Some(Step::Begin(_, run) | Step::Look(_, run)) => now < run.until,
        }
    }

    /// What the driver knows the present run by.
    fn task_name(&self) -> String {
        format!("{}-{}", self.id, self.runs)
    }

    /// The same with this run of a script under way.
    fn under_way(self, work: Work, run: Run) -> Self {
        let phase = match work {
            Work::Install => InstallPhase::Running { run },
            Work::Remove => InstallPhase::Removing { run: Some(run) },
        };
        Self { phase, ..self }
    }

    fn turned(self, phase: InstallPhase, now: Timestamp) -> Self {
        Self { phase, changed_at: now, ..self }
    }

    /// What failed is tried again.
    fn retried(self, (by, now): (UserId, Timestamp)) -> Result<Self> {
        let InstallPhase::Failed { failure, .. } = &self.phase else {
            return Err(Error::Conflict(Conflict::InstallNotFailed));
        };
        let phase = match failure.during {
            Work::Install => InstallPhase::Queued,
            Work::Remove => InstallPhase::Removing { run: None },
        };
        Ok(Self { wanted_by: by, ..self.turned(phase, now) })
    }

    /// It is taken away.
    fn removed(self, (by, now): (UserId, Timestamp)) -> Result<Self> {
        match &self.phase {
            InstallPhase::Running { .. } => Err(Error::Conflict(Conflict::InstallRunning)),
            InstallPhase::Removing { .. } => Ok(self),
            InstallPhase::Queued | InstallPhase::Completed { .. } | InstallPhase::Failed { .. } => {
                let install = self.turned(InstallPhase::Removing { run: None }, now);
                Ok(Self { wanted_by: by, ..install })
            }
        }
    }

    /// Whether a script takes it away: it has one, was ever begun, and that script did not fail before.
    fn is_removed_by_script(&self) -> bool {
        let has_failed = matches!(&self.phase,
            InstallPhase::Failed { failure, .. } if failure.during == Work::Remove);
        self.has_remove_script && self.runs > 0 && !has_failed
    }

    /// No value of an option and nothing that a script printed: either may be a secret.
    fn event(&self, kind: &'static str, (actor, at): (Actor, Timestamp)) -> Event {
        let failure = match &self.phase {
            InstallPhase::Failed { failure, .. } => Some(&failure.message),
            _ => None,
        };
        Event {
            kind,
            subject: Subject::Install(self.id),
            actor,
            before: None,
            data: json!({ "number": self.number, "instance_id": self.instance_id,
                "software_id": self.software_id, "name": self.name, "runs": self.runs,
                "failure": failure }),
            recipient: None,
            at,
        }
    }
}

async fn align_later(
    tx: &dyn Tx,
    random: &dyn Random,
    (instance_id, now): (InstanceId, Timestamp),
) -> Result<()> {
    tx.schedule(&Job::new(JobKind::AlignInstalls { instance_id }, now, random)).await
}
