use async_trait::async_trait;

use super::{Cluster, ClusterId};
use crate::error::Result;
use crate::page::Page;
use crate::user::Viewer;

/// Looks at clusters.
#[async_trait]
pub trait ClusterQueries {
    /// A cluster.
    async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>>;

    /// A cluster of a pool that the user is an accepted member of.
    async fn cluster_visible_to(&self, viewer: Viewer, id: ClusterId) -> Result<Option<Cluster>>;

    /// Clusters of the pools that the user is an accepted member of, newest first.
    async fn clusters_visible_to(
        &self,
        viewer: Viewer,
        page: &Page<ClusterId>,
    ) -> Result<Vec<Cluster>>;
}

/// Changes clusters. A cluster is guarded by the lock on its payer's wallet.
#[async_trait]
pub trait Clusters {
    /// Adds a cluster, or stores it.
    async fn save_cluster(&self, cluster: &Cluster) -> Result<()>;
}
