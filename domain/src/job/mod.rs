//! Jobs: work that leaves the database. A job is written in the transaction that makes it
//! necessary, and done later by a worker that holds a lease on it.

mod port;
mod work;

use chrono::Duration;
use serde::{Deserialize, Serialize};

pub use port::{JobQueries, Jobs};
pub use work::{JobContext, LEASE, Progress, bring_forward, dead, retry, run_next};

use crate::clock::{Random, Timestamp};
use crate::host::HostId;
use crate::id::entity_id;
use crate::instance::InstanceId;
use crate::rental::RentalId;
use crate::volume::VolumeId;

entity_id!(
    /// Identifies a job.
    JobId
);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Bring the access to a rental's host to what its phase asks for.
    AlignAccess {
        /// Which rental.
        rental_id: RentalId,
    },
    /// Bring an instance on its host to what is wanted.
    AlignInstance {
        /// Which instance.
        instance_id: InstanceId,
    },
    /// Bring a volume on its host to what is wanted.
    AlignVolume {
        /// Which volume.
        volume_id: VolumeId,
    },
    /// Bring what is installed on an instance to what is wanted, one after another: two scripts at once would
    /// fight for the locks of package managers.
    AlignInstalls {
        /// On which instance.
        instance_id: InstanceId,
    },
    /// Cut a host into compute units, or undo that.
    AlignComputeHost {
        /// Which host.
        host_id: HostId,
    },
}

impl JobKind {
    /// Jobs of one lane are one: scheduling it again while it waits changes nothing, and while it
    /// runs makes it run once more.
    pub fn lane(self) -> String {
        match self {
            Self::AlignAccess { rental_id } => format!("align_access:{rental_id}"),
            Self::AlignInstance { instance_id } => format!("align_instance:{instance_id}"),
            Self::AlignVolume { volume_id } => format!("align_volume:{volume_id}"),
            Self::AlignInstalls { instance_id } => format!("{INSTALLS}{instance_id}"),
            Self::AlignComputeHost { host_id } => format!("align_compute_host:{host_id}"),
        }
    }
}

/// How the lanes of jobs begin that wait for scripts inside of instances, where their renters decide how long
/// everything takes.
pub const INSTALLS: &str = "align_installs:";

/// Which jobs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Any.
    All,
    /// All but those whose lanes begin with [`INSTALLS`].
    AllButInstalls,
    /// Only this one.
    Only(JobKind),
}

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Identifies the job.
    pub id: JobId,
    /// What is to be done.
    pub kind: JobKind,
    /// Not before this instant.
    pub run_at: Timestamp,
    /// How often it was tried since it last went well.
    pub attempts: u32,
    /// How often it was claimed; never falls, so that it tells one claim from any other.
    pub claims: u32,
    /// What went wrong the last time.
    pub last_error: Option<String>,
    /// When it was first scheduled.
    pub created_at: Timestamp,
}

/// After so many failures a job is dead and waits for an operator.
const MAX_ATTEMPTS: u32 = 10;

/// What becomes of a job that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is tried again.
    RetryAt(Timestamp),
    /// It waits for an operator.
    Dead,
}

impl Job {
    /// A job that may run at once.
    pub fn new(kind: JobKind, now: Timestamp, random: &dyn Random) -> Self {
        Self {
            id: JobId::generate(now, random),
            kind,
            run_at: now,
            attempts: 0,
            claims: 0,
            last_error: None,
            created_at: now,
        }
    }

    /// What becomes of it when the present attempt fails: 2 s, 4 s, … up to 5 minutes of waiting.
    pub fn after_failure(&self, now: Timestamp) -> AfterFailure {
        if self.attempts >= MAX_ATTEMPTS {
            return AfterFailure::Dead;
        }
        let seconds = 1i64.checked_shl(self.attempts).unwrap_or(300).min(300);
        AfterFailure::RetryAt(now + Duration::seconds(seconds))
    }
}
