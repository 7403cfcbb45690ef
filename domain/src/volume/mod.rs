//! Volumes: disks that outlive an instance. They are charged per GB and month while they exist, wait
//! in the trash before they are gone, and are mounted by the instances that they are attached to.

mod align;
mod attach;
mod create;
mod delete;
mod disk;
mod edit;
mod port;
mod show;

use chrono::Duration;
use serde::{Deserialize, Serialize};

pub use align::{align, realign};
pub(crate) use attach::{Mounting, mount, mount_disk, unmount};
pub use attach::{attach, detach};
pub use create::{CloneVolume, CreateVolume, VolumeType, clone, create};
pub(crate) use create::{Draft, add_taken, event, require_quota};
pub use delete::{delete, empty_trash, restore};
pub(crate) use delete::{delete_unpaid, discard};
pub(crate) use disk::{lose_disk, made_disk};
pub use edit::{EditVolume, edit};
pub use port::{VolumeFilter, VolumeQueries, Volumes};
pub use show::{charges, list, show, types};

use crate::capacity::StorageName;
use crate::clock::Timestamp;
use crate::error::{Conflict, Error, Result};
use crate::host::HostId;
use crate::id::entity_id;
use crate::instance::{InstanceId, SourceImage};
use crate::location::LocationCode;
use crate::meter::{Meter, MeterId, Metered, Rate};
use crate::money::Money;
use crate::pool::PoolId;
use crate::tag::Tags;
use crate::user::UserId;

entity_id!(
    /// Identifies a volume.
    VolumeId
);

/// How long a volume waits in the trash (the published API of Verda says 96 hours).
pub const IN_TRASH: Duration = Duration::hours(96);

/// A disk of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Identifies the volume.
    pub id: VolumeId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Who pays for it.
    pub payer_id: UserId,
    /// Who made it.
    pub author: UserId,
    /// Where it is.
    pub location: LocationCode,
    /// On which disks there.
    pub storage: StorageName,
    /// What people call it.
    pub name: String,
    /// Its kind, by the operator's list.
    pub kind: String,
    /// Its size in GB of 10⁹ bytes, as wanted.
    pub size_gb: u32,
    /// Its size as made; 0 before it is.
    pub made_gb: u32,
    /// The price of a GB for a month, as it was when the volume was made.
    pub price_per_gb: Money,
    /// The volume that it is a copy of, until the copy is made.
    pub copy_of: Option<VolumeId>,
    /// Whether all instances of a cluster may have it at once.
    pub is_shared: bool,
    /// What it is as the disk of an instance, if it is one.
    pub disk: Option<OsDisk>,
    /// Whether it is there.
    pub state: VolumeState,
    /// What mounts it.
    pub attachment: Option<Attachment>,
    /// What becomes of it when the spot instance that it is attached to is evicted.
    pub on_eviction: Afterwards,
    /// Labels that the owner's programs keep with it.
    pub tags: Tags,
    /// When it was ordered.
    pub created_at: Timestamp,
}

/// A volume that holds an operating system: an instance's own disk, which outlives it. It is made with its
/// instance, and is there once that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsDisk {
    /// What was put on it first.
    #[serde(flatten)]
    pub image: SourceImage,
    /// Where it is: a disk does not leave its host.
    pub host_id: HostId,
}

/// Where the disk of an instance is mounted.
pub(crate) const ROOT: &str = "/";

/// Whether a volume is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum VolumeState {
    /// It is, or is about to be.
    Live,
    /// It can be restored.
    Trashed {
        /// Since when.
        at: Timestamp,
        /// Until when.
        delete_at: Timestamp,
    },
    /// It is being destroyed.
    Deleting,
    /// It is gone.
    Deleted {
        /// Since when.
        at: Timestamp,
    },
    /// It could not be made.
    Failed {
        /// Why, for people.
        message: String,
        /// Since when.
        at: Timestamp,
    },
}

/// What mounts a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The instance; for a shared volume any of its cluster.
    pub instance_id: InstanceId,
    /// Where, an absolute path.
    pub path: String,
    /// What becomes of the volume when the instance goes.
    pub afterwards: Afterwards,
}

/// What becomes of a volume when its instance goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Afterwards {
    /// It stays, attached to nothing.
    #[default]
    KeepDetached,
    /// It goes to the trash.
    MoveToTrash,
    /// It is destroyed.
    DeletePermanently,
}

impl Afterwards {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::KeepDetached, Self::MoveToTrash, Self::DeletePermanently];

    /// Its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeepDetached => "keep_detached",
            Self::MoveToTrash => "move_to_trash",
            Self::DeletePermanently => "delete_permanently",
        }
    }

    /// Reads a spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.as_str() == text)
    }
}

/// A volume's state in one word, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeStatus {
    /// It is not made yet.
    Creating,
    /// An instance has it.
    Attached,
    /// Nothing has it.
    Detached,
    /// It waits in the trash.
    Trashed,
    /// It is being destroyed.
    Deleting,
    /// It is gone.
    Deleted,
    /// It could not be made.
    Failed,
}

impl VolumeStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Creating,
        Self::Attached,
        Self::Detached,
        Self::Trashed,
        Self::Deleting,
        Self::Deleted,
        Self::Failed,
    ];

    /// Reads a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Attached => "attached",
            Self::Detached => "detached",
            Self::Trashed => "trashed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

/// What is to be done about a volume on its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VolumeStep {
    Create,
    Copy(VolumeId),
    Resize,
    Delete,
}

/// What a month of so many GB costs.
fn price_per_month(price_per_gb: Money, size_gb: u32) -> Money {
    price_per_gb.fraction(u64::from(size_gb), 1).floor()
}

impl Volume {
    /// The same volume, of which this becomes when the instance goes that has it.
    #[must_use]
    pub(crate) fn afterwards(self, afterwards: Afterwards) -> Self {
        let attachment = self.attachment.map(|at| Attachment { afterwards, ..at });
        Self { attachment, ..self }
    }

    /// Its state in one word.
    pub const fn status(&self) -> VolumeStatus {
        match self.state {
            VolumeState::Trashed { .. } => VolumeStatus::Trashed,
            VolumeState::Deleting => VolumeStatus::Deleting,
            VolumeState::Deleted { .. } => VolumeStatus::Deleted,
            VolumeState::Failed { .. } => VolumeStatus::Failed,
            VolumeState::Live if !self.is_made() => VolumeStatus::Creating,
            VolumeState::Live if self.attachment.is_some() => VolumeStatus::Attached,
            VolumeState::Live => VolumeStatus::Detached,
        }
    }

    /// Whether it has its data.
    pub const fn is_made(&self) -> bool {
        self.made_gb > 0 && self.copy_of.is_none()
    }

    /// Whether it is a disk that is made with its instance, and is not yet.
    pub const fn is_new_disk(&self) -> bool {
        self.disk.is_some() && self.made_gb == 0 && self.copy_of.is_none()
    }

    /// Whether it is a disk that had data and is lost: what is found of it is for an operator to look at.
    pub const fn is_lost_disk(&self) -> bool {
        self.disk.is_some() && self.made_gb > 0 && matches!(self.state, VolumeState::Failed { .. })
    }

    /// Whether it exists for its owner: it is there or will be, in the trash or not.
    pub const fn is_live(&self) -> bool {
        matches!(self.state, VolumeState::Live | VolumeState::Trashed { .. })
    }

    /// Whether nothing is to be done about it on its host.
    pub const fn is_settled(&self) -> bool {
        self.next_step().is_none()
    }

    /// What is to be done next on its host.
    pub(crate) const fn next_step(&self) -> Option<VolumeStep> {
        match self.state {
            VolumeState::Deleting => Some(VolumeStep::Delete),
            VolumeState::Live if self.is_new_disk() => None,
            VolumeState::Live if self.made_gb == 0 => Some(VolumeStep::Create),
            VolumeState::Live => match self.copy_of {
                Some(source) => Some(VolumeStep::Copy(source)),
                None if self.made_gb < self.size_gb => Some(VolumeStep::Resize),
                None => None,
            },
            VolumeState::Trashed { .. }
            | VolumeState::Deleted { .. }
            | VolumeState::Failed { .. } => None,
        }
    }

    /// What a month of it costs.
    pub fn price_per_month(&self) -> Money {
        price_per_month(self.price_per_gb, self.size_gb)
    }

    /// The meter that runs for it from a moment on.
    pub(crate) fn meter(&self, id: MeterId, now: Timestamp) -> Meter {
        Meter {
            id,
            payer_id: self.payer_id,
            pool_id: self.pool_id,
            metered: Metered::Volume(self.id),
            name: format!("volume {}", self.name),
            rate: Rate::per_month(self.price_per_month()),
            is_spot: false,
            started_at: now,
            ended_at: None,
            billed: Money::ZERO,
            bills: 0,
            bill_at: None,
        }
    }

    /// Gives it to an instance.
    pub(crate) fn attached(self, attachment: Attachment) -> Result<Self> {
        let is_free = self.attachment.is_none() && self.state == VolumeState::Live;
        if is_free {
            Ok(Self { attachment: Some(attachment), ..self })
        } else {
            Err(Error::Conflict(Conflict::VolumeInUse))
        }
    }
}
