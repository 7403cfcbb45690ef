//! Clusters.

use async_trait::async_trait;
use domain::cluster::{Cluster, ClusterId, ClusterQueries, Clusters};
use domain::location::LocationCode;
use domain::page::Page;
use domain::plan::PlanCode;
use domain::pool::PoolId;
use domain::user::{UserId, Viewer};
use domain::volume::VolumeId;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::entity::cluster::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

fn cluster(row: Model) -> Result<Cluster> {
    Ok(Cluster {
        id: ClusterId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        payer_id: UserId::from_uuid(row.payer_id),
        author: UserId::from_uuid(row.author_id),
        hostname: row.hostname,
        description: row.description,
        plan: PlanCode::from_stored(row.plan),
        location: LocationCode::from_stored(row.location_code),
        nodes: number(row.nodes)?,
        volume_id: row.volume_id.map(VolumeId::from_uuid),
        tags: from_json(row.tags)?,
        created_at: row.created_at,
        deleted_at: row.deleted_at,
    })
}

#[async_trait]
impl ClusterQueries for Handle {
    async fn cluster(&self, id: ClusterId) -> Result<Option<Cluster>> {
        let row = Entity::find_by_id(id.uuid()).one(&self.connection).await;
        row.map_err(failed)?.map(cluster).transpose()
    }

    async fn cluster_visible_to(&self, viewer: Viewer, id: ClusterId) -> Result<Option<Cluster>> {
        let find =
            Entity::find_by_id(id.uuid()).filter(Column::PoolId.in_subquery(joined_pools(viewer)));
        find.one(&self.connection).await.map_err(failed)?.map(cluster).transpose()
    }

    async fn clusters_visible_to(
        &self,
        viewer: Viewer,
        page: &Page<ClusterId>,
    ) -> Result<Vec<Cluster>> {
        let find = Entity::find()
            .filter(Column::PoolId.in_subquery(joined_pools(viewer)))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(cluster).collect()
    }
}

#[async_trait]
impl Clusters for Handle {
    async fn save_cluster(&self, cluster: &Cluster) -> Result<()> {
        let row = ActiveModel {
            id: Set(cluster.id.uuid()),
            pool_id: Set(cluster.pool_id.uuid()),
            payer_id: Set(cluster.payer_id.uuid()),
            author_id: Set(cluster.author.uuid()),
            hostname: Set(cluster.hostname.clone()),
            description: Set(cluster.description.clone()),
            plan: Set(cluster.plan.to_string()),
            location_code: Set(cluster.location.to_string()),
            nodes: Set(cluster.nodes.into()),
            volume_id: Set(cluster.volume_id.map(VolumeId::uuid)),
            tags: Set(to_json(&cluster.tags)?),
            created_at: Set(cluster.created_at),
            deleted_at: Set(cluster.deleted_at),
        };
        let columns = [Column::VolumeId, Column::Tags, Column::DeletedAt];
        let replace = OnConflict::column(Column::Id).update_columns(columns).to_owned();
        let insert = Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }
}
