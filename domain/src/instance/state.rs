//! What is wanted of an instance, what it is, and the one step between.

use serde::{Deserialize, Serialize};

use super::Instance;
use crate::clock::Timestamp;

/// What the owner wants of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wanted", rename_all = "snake_case")]
pub enum Wanted {
    /// It runs.
    Running,
    /// It does not run, and keeps its place and its data.
    Stopped {
        /// Without asking what runs in it.
        force: bool,
    },
    /// It does not run, keeps its data and gives its processors and memory back.
    Hibernated,
    /// It is gone.
    Deleted,
}

impl Wanted {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped { .. } => "stopped",
            Self::Hibernated => "hibernated",
            Self::Deleted => "deleted",
        }
    }
}

/// What is being done about an instance that is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is made on its host, or brought to what is wanted now.
    Making,
    /// It is started.
    Starting,
    /// It runs and is not ready yet.
    Waiting,
}

/// What an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// It has its place, and nothing was made yet.
    Ordered,
    /// It is being made for the first time. If that fails, all of it is taken back.
    Provisioning {
        /// How far it is.
        stage: Stage,
    },
    /// It can be used.
    Running,
    /// It is started again. If that fails, it stays stopped with its data.
    Starting {
        /// How far it is.
        stage: Stage,
    },
    /// It does not run.
    Stopped,
    /// It does not run and holds nothing but its disk, and, if it is of a host's offer, its address.
    Hibernated,
    /// It could not be made and is being taken apart.
    Undoing {
        /// Why.
        failure: Failure,
    },
    /// It could not be made, or its host lost it; nothing of it is left.
    Failed {
        /// Why.
        failure: Failure,
        /// Since when.
        at: Timestamp,
    },
    /// It is gone.
    Deleted {
        /// Since when.
        at: Timestamp,
    },
}

/// Why there is no instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// For its owner.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It could not be made.
    Error,
    /// Its host had no room after all.
    NoCapacity,
    /// Its host does not have it any more.
    Lost,
    /// Its host did not answer.
    Unreachable,
}

/// An instance's state in one word, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing was made yet.
    Ordered,
    /// It is being made.
    Provisioning,
    /// It can be used.
    Running,
    /// It is being stopped and started.
    Restarting,
    /// It is being started.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It does not run.
    Stopped,
    /// It is on its way into hibernation.
    Hibernating,
    /// It holds only its disk, and maybe its address.
    Hibernated,
    /// It is being deleted.
    Deleting,
    /// It is gone.
    Deleted,
    /// It could not be made.
    Error,
    /// Its host had no room.
    NoCapacity,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 13] = [
        Self::Ordered,
        Self::Provisioning,
        Self::Running,
        Self::Restarting,
        Self::Starting,
        Self::Stopping,
        Self::Stopped,
        Self::Hibernating,
        Self::Hibernated,
        Self::Deleting,
        Self::Deleted,
        Self::Error,
        Self::NoCapacity,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Provisioning => "provisioning",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Hibernating => "hibernating",
            Self::Hibernated => "hibernated",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
            Self::NoCapacity => "no_capacity",
        }
    }

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is to be done on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make it, or bring it to what is wanted now.
    Make,
    /// Start it.
    Start,
    /// See whether it is ready.
    Await,
    /// Stop it.
    Stop { force: bool },
    /// Remove it.
    Remove,
}

impl Stage {
    const fn step(self) -> Step {
        match self {
            Self::Making => Step::Make,
            Self::Starting => Step::Start,
            Self::Waiting => Step::Await,
        }
    }
}

impl Instance {
    /// Its state in one word.
    pub const fn status(&self) -> Status {
        match (&self.phase, self.wanted) {
            (Phase::Failed { failure, .. } | Phase::Undoing { failure }, _) => match failure.kind {
                FailureKind::NoCapacity => Status::NoCapacity,
                FailureKind::Error | FailureKind::Lost | FailureKind::Unreachable => Status::Error,
            },
            (Phase::Deleted { .. }, _) => Status::Deleted,
            (_, Wanted::Deleted) => Status::Deleting,
            (Phase::Ordered, _) => Status::Ordered,
            (Phase::Provisioning { .. }, _) => Status::Provisioning,
            (Phase::Running | Phase::Starting { .. }, Wanted::Stopped { .. }) => Status::Stopping,
            (Phase::Running | Phase::Starting { .. }, Wanted::Hibernated) => Status::Hibernating,
            (Phase::Running, Wanted::Running) if self.restart => Status::Restarting,
            (Phase::Running, Wanted::Running) => Status::Running,
            (Phase::Starting { .. } | Phase::Stopped | Phase::Hibernated, Wanted::Running) => {
                Status::Starting
            }
            (Phase::Stopped, _) => Status::Stopped,
            (Phase::Hibernated, _) => Status::Hibernated,
        }
    }

    /// Whether it has a place on its host, or did not give all of it back yet.
    pub const fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Failed { .. } | Phase::Deleted { .. })
    }

    /// What is done first to start what stopped by itself, or has not begun to stop.
    pub(crate) const fn first_stage(&self) -> Stage {
        if self.origin.is_made() { Stage::Starting } else { Stage::Making }
    }

    /// Whether nothing is to be done about it on its host.
    pub const fn is_settled(&self) -> bool {
        self.next_step().is_none()
    }

    /// Whether what is being done to let it run takes too long, so that it is given up.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let advances = matches!(self.next_step(), Some(Step::Make | Step::Start | Step::Await));
        advances && self.stage_until.is_some_and(|until| until <= now)
    }

    /// What is to be done next on its host.
    pub(crate) const fn next_step(&self) -> Option<Step> {
        match (&self.phase, self.wanted) {
            (Phase::Failed { .. } | Phase::Deleted { .. }, _) => None,
            (Phase::Undoing { .. }, _) | (_, Wanted::Deleted) => Some(Step::Remove),
            (Phase::Ordered, _) | (Phase::Stopped | Phase::Hibernated, Wanted::Running) => {
                Some(Step::Make)
            }
            // What is being made for the first time is made first, whatever is wanted since.
            (Phase::Provisioning { stage }, _) | (Phase::Starting { stage }, Wanted::Running) => {
                Some(stage.step())
            }
            (Phase::Running, Wanted::Running) if self.restart => Some(Step::Stop { force: false }),
            (Phase::Running, Wanted::Running) => None,
            (Phase::Running | Phase::Starting { .. }, Wanted::Stopped { force }) => {
                Some(Step::Stop { force })
            }
            (Phase::Running | Phase::Starting { .. }, Wanted::Hibernated) => {
                Some(Step::Stop { force: false })
            }
            (Phase::Stopped | Phase::Hibernated, Wanted::Stopped { .. } | Wanted::Hibernated) => {
                None
            }
        }
    }

    /// What it is after a step was done; for a step that changes nothing, the same.
    pub(crate) fn after(&self, step: Step, now: Timestamp) -> Phase {
        let further = |stage| match self.phase {
            Phase::Ordered | Phase::Provisioning { .. } => Phase::Provisioning { stage },
            _ => Phase::Starting { stage },
        };
        match step {
            Step::Make => further(Stage::Starting),
            Step::Start => further(Stage::Waiting),
            Step::Await => Phase::Running,
            Step::Stop { .. } if self.wanted == Wanted::Hibernated => Phase::Hibernated,
            Step::Stop { .. } => Phase::Stopped,
            Step::Remove => match &self.phase {
                Phase::Undoing { failure } if self.wanted != Wanted::Deleted => {
                    Phase::Failed { failure: failure.clone(), at: now }
                }
                _ => Phase::Deleted { at: now },
            },
        }
    }

    /// What it is when the present step cannot be done: taken apart if it never ran, else stopped with
    /// its data.
    pub(crate) fn given_up(&self, failure: Failure) -> Self {
        let last_error = Some(failure.message.clone());
        match self.phase {
            Phase::Ordered | Phase::Provisioning { .. } => {
                let phase = Phase::Undoing { failure };
                Self { phase, last_error, stage_until: None, ..self.clone() }
            }
            _ => {
                let wanted = Wanted::Stopped { force: true };
                // A start that did not succeed may have left it running.
                let phase = match self.phase {
                    Phase::Stopped => Phase::Stopped,
                    _ => Phase::Starting { stage: Stage::Making },
                };
                Self { wanted, phase, last_error, stage_until: None, ..self.clone() }
            }
        }
    }
}
