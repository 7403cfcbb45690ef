//! Clusters: several instances and a volume that all of them mount, ordered, billed and deleted as one.
//! All of it is made, or none.

mod create;
mod delete;
mod port;
mod show;

pub(crate) use create::event;
pub use create::{CreateCluster, MOST_NODES, create};
pub use delete::delete;
pub(crate) use delete::member_gone;
pub use port::{ClusterQueries, Clusters};
pub use show::{ClusterWithInstances, list, show};

use crate::clock::Timestamp;
use crate::id::entity_id;
use crate::instance::{Instance, Phase, Status};
use crate::location::LocationCode;
use crate::plan::PlanCode;
use crate::pool::PoolId;
use crate::tag::Tags;
use crate::user::UserId;
use crate::volume::VolumeId;

entity_id!(
    /// Identifies a cluster.
    ClusterId
);

/// Instances that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Identifies the cluster.
    pub id: ClusterId,
    /// Whose it is.
    pub pool_id: PoolId,
    /// Who pays.
    pub payer_id: UserId,
    /// Who ordered it.
    pub author: UserId,
    /// What its instances' names begin with.
    pub hostname: String,
    /// In the owner's words.
    pub description: String,
    /// The plan of each instance.
    pub plan: PlanCode,
    /// Where it is.
    pub location: LocationCode,
    /// How many instances it has.
    pub nodes: u32,
    /// The volume that all mount.
    pub volume_id: Option<VolumeId>,
    /// Labels that the owner's programs keep with it.
    pub tags: Tags,
    /// When it was ordered.
    pub created_at: Timestamp,
    /// When its owner wanted it gone.
    pub deleted_at: Option<Timestamp>,
}

impl Cluster {
    /// Its state: what is true of the instance that lags behind most.
    pub fn status(&self, instances: &[Instance]) -> Status {
        let live = instances.iter().any(Instance::is_live);
        // What is gone says nothing of those that are there.
        let instances: Vec<&Instance> = instances
            .iter()
            .filter(|i| !live || !matches!(i.phase, Phase::Deleted { .. }))
            .collect();
        let is = |status| instances.iter().any(|instance| instance.status() == status);
        let failed = [Status::NoCapacity, Status::Error].into_iter().find(|status| is(*status));
        match (failed, self.deleted_at.is_some(), live) {
            (_, true, true) => Status::Deleting,
            (_, true, false) | (None, false, false) => Status::Deleted,
            (Some(status), false, _) => status,
            (None, false, true) if instances.iter().all(|i| i.status() == Status::Running) => {
                Status::Running
            }
            (None, false, true) if is(Status::Ordered) || is(Status::Provisioning) => {
                Status::Provisioning
            }
            (None, false, true) => instances
                .iter()
                .map(|instance| instance.status())
                .find(|s| *s != Status::Running)
                .unwrap_or(Status::Running),
        }
    }
}
