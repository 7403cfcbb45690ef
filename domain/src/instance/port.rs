use async_trait::async_trait;

use super::{Finding, FindingId, Instance, InstanceId, Status};
use crate::clock::Timestamp;
use crate::cluster::ClusterId;
use crate::error::Result;
use crate::host::HostId;
use crate::location::LocationCode;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::{UserId, Viewer};

/// Which instances of a user's pools.
#[derive(Clone, Debug, Default)]
pub struct InstanceFilter {
    /// Only of this pool.
    pub pool_id: Option<PoolId>,
    /// Only in this state; without it those that are deleted are left out.
    pub status: Option<Status>,
    /// Only here.
    pub location: Option<LocationCode>,
    /// Only of this cluster.
    pub cluster_id: Option<ClusterId>,
    /// Only where a name, the host name or the image contains this, without regard to case.
    pub search: Option<String>,
    /// Without those that are being deleted.
    pub without_going: bool,
}

/// Which of everybody's instances.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostedFilter {
    /// Only on this host.
    pub host_id: Option<HostId>,
    /// Only what this user pays for.
    pub payer_id: Option<UserId>,
    /// Only in this state; without it those that are deleted are left out.
    pub status: Option<Status>,
}

/// Looks at instances.
#[async_trait]
pub trait InstanceQueries {
    /// An instance.
    async fn instance(&self, id: InstanceId) -> Result<Option<Instance>>;

    /// An instance of a pool that the user is an accepted member of.
    async fn instance_visible_to(&self, viewer: Viewer, id: InstanceId)
    -> Result<Option<Instance>>;

    /// Instances of the pools that the user is an accepted member of, newest first.
    async fn instances_visible_to(
        &self,
        viewer: Viewer,
        filter: &InstanceFilter,
        page: &Page<InstanceId>,
    ) -> Result<Vec<Instance>>;

    /// Everybody's instances, newest first.
    async fn hosted_instances(
        &self,
        filter: &HostedFilter,
        page: &Page<InstanceId>,
    ) -> Result<Vec<Instance>>;

    /// Up to so many (the second number) of the same after the first few (the first one).
    async fn instances_part(
        &self,
        viewer: Viewer,
        filter: &InstanceFilter,
        part: (u32, u32),
    ) -> Result<Vec<Instance>>;

    /// How many there are of these.
    async fn instance_count(&self, viewer: Viewer, filter: &InstanceFilter) -> Result<u64>;

    /// The newest instances that have a place in pools that the user is an accepted member of, and how many
    /// there are in all.
    async fn live_instances_visible_to(
        &self,
        viewer: Viewer,
        limit: u32,
    ) -> Result<(Vec<InstanceId>, u64)>;

    /// The payer's instances that have a place, by id.
    async fn live_instances_of_payer(&self, payer_id: UserId) -> Result<Vec<Instance>>;

    /// The instances of a cluster, by id.
    async fn instances_of_cluster(&self, id: ClusterId) -> Result<Vec<Instance>>;

    /// The instances of several clusters, by id.
    async fn instances_of_clusters(&self, ids: &[ClusterId]) -> Result<Vec<Instance>>;

    /// The instances that have their disks on a host still, while they come to another one.
    async fn instances_leaving(&self, host_id: HostId) -> Result<Vec<Instance>>;

    /// The instances that have a place on a host, by id.
    async fn live_instances_of_host(&self, host_id: HostId) -> Result<Vec<Instance>>;

    /// The instances among these ids, live or not.
    async fn instances_among(&self, ids: &[InstanceId]) -> Result<Vec<Instance>>;

    /// Instances with something to be done and no job that will do it.
    async fn misaligned_instances(&self, limit: u32) -> Result<Vec<InstanceId>>;

    /// Spot instances whose notice is over.
    async fn instances_to_evict(&self, now: Timestamp, limit: u32) -> Result<Vec<InstanceId>>;

    /// Live instances whose term is over and that are not being deleted.
    async fn instances_to_renew(&self, now: Timestamp, limit: u32) -> Result<Vec<InstanceId>>;

    /// Findings of the reconciler, newest first.
    async fn findings(&self, page: &Page<FindingId>) -> Result<Vec<Finding>>;

    /// A finding.
    async fn finding(&self, id: FindingId) -> Result<Option<Finding>>;

    /// Hosts at this location with live spot instances.
    async fn hosts_with_spot(&self, location: &LocationCode, limit: u32) -> Result<Vec<HostId>>;

    /// How many live instances the pool has.
    async fn live_instance_count(&self, pool_id: PoolId) -> Result<u64>;
}

/// Changes instances.
#[async_trait]
pub trait Instances {
    /// Adds an instance.
    async fn add_instance(&self, instance: &Instance) -> Result<()>;

    /// The instance, locked until the transaction ends.
    async fn instance_for_update(&self, id: InstanceId) -> Result<Option<Instance>>;

    /// Stores a locked instance.
    async fn save_instance(&self, instance: &Instance) -> Result<()>;

    /// Notes what the reconciler found, or that it was repaired. What was found and not repaired before
    /// is not noted again: answers whether it is new.
    async fn save_finding(&self, finding: &Finding) -> Result<bool>;
}
