//! Volumes.

use async_trait::async_trait;
use domain::capacity::StorageName;
use domain::clock::Timestamp;
use domain::host::HostId;
use domain::instance::InstanceId;
use domain::job::JobKind;
use domain::location::LocationCode;
use domain::money::Money;
use domain::page::Page;
use domain::pool::PoolId;
use domain::user::{UserId, Viewer};
use domain::volume::{
    Afterwards, Attachment, Volume, VolumeFilter, VolumeId, VolumeQueries, VolumeState,
    VolumeStatus, Volumes,
};
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::entity::volume::{ActiveModel, Column, Entity, Model};
use crate::entity::{capacity, storage};
use crate::failure::{Result, corrupt, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

fn volume(row: Model) -> Result<Volume> {
    let then =
        |text: &str| Afterwards::parse(text).ok_or_else(|| corrupt("what becomes of a volume"));
    let attachment = match (row.instance_id, row.mount_path, row.afterwards) {
        (Some(id), Some(path), Some(afterwards)) => Some(Attachment {
            instance_id: InstanceId::from_uuid(id),
            path,
            afterwards: then(&afterwards)?,
        }),
        _ => None,
    };
    Ok(Volume {
        id: VolumeId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        payer_id: UserId::from_uuid(row.payer_id),
        author: UserId::from_uuid(row.author_id),
        location: LocationCode::from_stored(row.location_code),
        storage: StorageName::from_stored(row.storage),
        name: row.name,
        kind: row.kind,
        size_gb: number(row.size_gb)?,
        made_gb: number(row.made_gb)?,
        price_per_gb: Money::from_e8(row.price_per_gb_e8),
        copy_of: row.copy_of.map(VolumeId::from_uuid),
        is_shared: row.is_shared,
        disk: row.disk.map(from_json).transpose()?,
        tags: from_json(row.tags)?,
        state: from_json(row.state)?,
        attachment,
        on_eviction: then(&row.on_eviction)?,
        created_at: row.created_at,
    })
}

fn stored(volume: &Volume) -> Result<ActiveModel> {
    let attachment = volume.attachment.as_ref();
    let delete_at = match volume.state {
        VolumeState::Trashed { delete_at, .. } => Some(delete_at),
        _ => None,
    };
    Ok(ActiveModel {
        id: Set(volume.id.uuid()),
        pool_id: Set(volume.pool_id.uuid()),
        payer_id: Set(volume.payer_id.uuid()),
        author_id: Set(volume.author.uuid()),
        location_code: Set(volume.location.to_string()),
        storage: Set(volume.storage.to_string()),
        name: Set(volume.name.clone()),
        kind: Set(volume.kind.clone()),
        size_gb: Set(volume.size_gb.into()),
        made_gb: Set(volume.made_gb.into()),
        price_per_gb_e8: Set(volume.price_per_gb.e8()),
        copy_of: Set(volume.copy_of.map(VolumeId::uuid)),
        is_shared: Set(volume.is_shared),
        disk: Set(volume.disk.as_ref().map(to_json).transpose()?),
        tags: Set(to_json(&volume.tags)?),
        state: Set(to_json(&volume.state)?),
        instance_id: Set(attachment.map(|attachment| attachment.instance_id.uuid())),
        mount_path: Set(attachment.map(|attachment| attachment.path.clone())),
        afterwards: Set(attachment.map(|attachment| attachment.afterwards.as_str().to_owned())),
        on_eviction: Set(volume.on_eviction.as_str().to_owned()),
        created_at: Set(volume.created_at),
        delete_at: Set(delete_at),
        status: Set(volume.status().as_str().to_owned()),
        is_live: Set(volume.is_live()),
        is_settled: Set(volume.is_settled()),
    })
}

impl Handle {
    async fn found_volumes(&self, find: Select<Entity>) -> Result<Vec<Volume>> {
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(volume).collect()
    }
}

#[async_trait]
impl VolumeQueries for Handle {
    async fn volume(&self, id: VolumeId) -> Result<Option<Volume>> {
        let find = Entity::find_by_id(id.uuid()).one(&self.connection).await;
        find.map_err(failed)?.map(volume).transpose()
    }

    async fn volume_visible_to(&self, viewer: Viewer, id: VolumeId) -> Result<Option<Volume>> {
        let find =
            Entity::find_by_id(id.uuid()).filter(Column::PoolId.in_subquery(joined_pools(viewer)));
        find.one(&self.connection).await.map_err(failed)?.map(volume).transpose()
    }

    async fn volumes_visible_to(
        &self,
        viewer: Viewer,
        filter: &VolumeFilter,
        page: &Page<VolumeId>,
    ) -> Result<Vec<Volume>> {
        let pools = self.joined_pools(viewer, filter.pool_id).await?;
        let find = Entity::find()
            .filter(Column::PoolId.is_in(pools))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())));
        let find = match filter.status {
            Some(status) => find.filter(Column::Status.eq(status.as_str())),
            None => find.filter(Column::Status.is_not_in(["deleted", "trashed", "failed"])),
        };
        let find = find.order_by_desc(Column::Id).limit(page.limit.map(u64::from));
        self.found_volumes(find).await
    }

    async fn volumes_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<Volume>> {
        let find = Entity::find()
            .filter(Column::InstanceId.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(Column::Id);
        self.found_volumes(find).await
    }

    async fn volumes_of_payer(&self, payer_id: UserId) -> Result<Vec<Volume>> {
        let find = Entity::find()
            .filter(Column::PayerId.eq(payer_id.uuid()))
            .filter(Expr::cust("is_live"))
            .order_by_asc(Column::Id);
        self.found_volumes(find).await
    }

    async fn volumes_to_delete(&self, now: Timestamp, limit: u32) -> Result<Vec<VolumeId>> {
        let find = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::DeleteAt.is_not_null())
            .filter(Column::DeleteAt.lte(now))
            .order_by_asc(Column::DeleteAt)
            .limit(u64::from(limit));
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(VolumeId::from_uuid).collect())
    }

    async fn misaligned_volumes(&self, limit: u32) -> Result<Vec<VolumeId>> {
        let lane = |id| JobKind::AlignVolume { volume_id: VolumeId::from_uuid(id) }.lane();
        let ids = self.unsettled_without_job("volumes", lane, limit).await?;
        Ok(ids.into_iter().map(VolumeId::from_uuid).collect())
    }

    async fn volumes_at(&self, name: &StorageName) -> Result<Vec<Volume>> {
        let find = Entity::find()
            .filter(Column::Storage.eq(name.as_str()))
            .filter(Expr::cust("status <> 'deleted'"));
        self.found_volumes(find).await
    }

    async fn has_unfinished_copies(&self, id: VolumeId) -> Result<bool> {
        let find = Entity::find()
            .filter(Column::CopyOf.eq(id.uuid()))
            .filter(Column::Status.eq(VolumeStatus::Creating.as_str()));
        find.count(&self.connection).await.map_err(failed).map(|copies| copies > 0)
    }

    async fn hosts_at(&self, name: &StorageName) -> Result<Vec<HostId>> {
        let find = capacity::Entity::find()
            .select_only()
            .column(capacity::Column::HostId)
            .filter(capacity::Column::Storage.eq(name.as_str()))
            .filter(capacity::Column::UnreachableSince.is_null())
            .order_by_asc(capacity::Column::HostId);
        let ids: Vec<Uuid> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(ids.into_iter().map(HostId::from_uuid).collect())
    }

    async fn volume_count(&self, pool_id: PoolId) -> Result<u64> {
        let find =
            Entity::find().filter(Column::PoolId.eq(pool_id.uuid())).filter(Expr::cust("is_live"));
        find.count(&self.connection).await.map_err(failed)
    }
}

#[async_trait]
impl Volumes for Handle {
    async fn add_volume(&self, volume: &Volume) -> Result<()> {
        let insert = Entity::insert(stored(volume)?);
        insert.exec_without_returning(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn volume_for_update(&self, id: VolumeId) -> Result<Option<Volume>> {
        let find = Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate);
        find.one(&self.connection).await.map_err(failed)?.map(volume).transpose()
    }

    async fn roomiest_storage(
        &self,
        location: &LocationCode,
        size_gb: u32,
    ) -> Result<Option<StorageName>> {
        let free = || Expr::col(storage::Column::SizeGb).sub(Expr::col(storage::Column::UsedGb));
        let reached = capacity::Entity::find()
            .select_only()
            .column(capacity::Column::Storage)
            .filter(capacity::Column::LocationCode.eq(location.as_str()))
            .filter(capacity::Column::UnreachableSince.is_null())
            .filter(Expr::cust("NOT is_draining"))
            .into_query();
        let find = storage::Entity::find()
            .filter(storage::Column::Name.in_subquery(reached))
            .filter(free().gte(i64::from(size_gb)))
            .order_by(free(), Order::Desc)
            .order_by_asc(storage::Column::Name);
        let found = find.one(&self.connection).await.map_err(failed)?;
        Ok(found.map(|row| StorageName::from_stored(row.name)))
    }

    async fn save_volume(&self, volume: &Volume) -> Result<()> {
        let row = ActiveModel { id: sea_orm::NotSet, ..stored(volume)? };
        let update = Entity::update_many().set(row).filter(Column::Id.eq(volume.id.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
