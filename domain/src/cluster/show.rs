//! Shows clusters to whom they belong.

use super::{Cluster, ClusterId};
use crate::error::{Error, Result, Thing};
use crate::instance::Instance;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// A cluster with its instances.
pub type ClusterWithInstances = (Cluster, Vec<Instance>);

/// Clusters of the caller's pools, newest first.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    page: Page<ClusterId>,
) -> Result<Paged<ClusterWithInstances, ClusterId>> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let clusters = reads.clusters_visible_to(caller.viewer(), &fetch).await?;
    let ids: Vec<ClusterId> = clusters.iter().map(|cluster| cluster.id).collect();
    let mut instances = reads.instances_of_clusters(&ids).await?;
    let with = |cluster: Cluster| {
        let own = instances.extract_if(.., |node| node.cluster_id == Some(cluster.id)).collect();
        (cluster, own)
    };
    let rows: Vec<ClusterWithInstances> = clusters.into_iter().map(with).collect();
    Ok(Paged::cut(rows, page.limit, None, |(cluster, _)| cluster.id))
}

/// A cluster of one of the caller's pools.
pub async fn show(
    store: &dyn Store,
    caller: &Caller,
    id: ClusterId,
) -> Result<ClusterWithInstances> {
    caller.may(Permission::InstancesRead)?;
    let reads = store.reads();
    let seen = reads.cluster_visible_to(caller.viewer(), id).await?;
    let cluster = seen.ok_or(Error::NotFound(Thing::Cluster))?;
    Ok((cluster, reads.instances_of_cluster(id).await?))
}
