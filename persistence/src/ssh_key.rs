//! SSH keys of pools.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::page::Page;
use domain::pool::PoolId;
use domain::ssh_key::{SshKey, SshKeyId, SshKeyQueries, SshKeys};
use domain::user::{UserId, Viewer};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::entity::pool;
use crate::entity::ssh_key::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;

fn key(row: Model) -> SshKey {
    SshKey {
        id: SshKeyId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        name: row.name,
        public_key: row.public_key,
        fingerprint: row.fingerprint,
        author: row.author_id.map(UserId::from_uuid),
        created_at: row.created_at,
    }
}

#[async_trait]
impl SshKeyQueries for Handle {
    async fn ssh_keys_visible_to(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
        page: &Page<SshKeyId>,
    ) -> Result<Vec<SshKey>> {
        let find = Entity::find()
            .filter(Column::PoolId.in_subquery(joined_pools(viewer)))
            .apply_if(pool_id, |find, id| find.filter(Column::PoolId.eq(id.uuid())))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(key).collect())
    }

    async fn ssh_keys_among(
        &self,
        viewer: Viewer,
        ids: &BTreeSet<SshKeyId>,
    ) -> Result<Vec<SshKey>> {
        let find = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .filter(Column::PoolId.in_subquery(joined_pools(viewer)))
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(key).collect())
    }

    async fn ssh_keys_of_pool(&self, pool_id: PoolId, ids: &[SshKeyId]) -> Result<Vec<SshKey>> {
        let find = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .filter(Column::PoolId.eq(pool_id.uuid()))
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(key).collect())
    }

    async fn public_keys_of(&self, pool_id: Option<PoolId>, owner: UserId) -> Result<Vec<String>> {
        let theirs = pool::Entity::find()
            .select_only()
            .column(pool::Column::Id)
            .filter(pool::Column::OwnerId.eq(owner.uuid()))
            .into_query();
        let find = Entity::find().select_only().column(Column::PublicKey).order_by_asc(Column::Id);
        let find = match pool_id {
            Some(pool_id) => find.filter(Column::PoolId.eq(pool_id.uuid())),
            None => find.filter(Column::PoolId.in_subquery(theirs)),
        };
        find.into_tuple().all(&self.connection).await.map_err(failed)
    }

    async fn ssh_key_count(&self, pool_id: PoolId) -> Result<u64> {
        let find = Entity::find().filter(Column::PoolId.eq(pool_id.uuid()));
        find.count(&self.connection).await.map_err(failed)
    }

    async fn ssh_key_saying(&self, pool_id: PoolId, digest: &[u8; 32]) -> Result<Option<SshKey>> {
        let find = Entity::find()
            .filter(Column::PoolId.eq(pool_id.uuid()))
            .filter(Column::Digest.eq(digest.to_vec()))
            .order_by_asc(Column::Id);
        Ok(find.one(&self.connection).await.map_err(failed)?.map(key))
    }
}

#[async_trait]
impl SshKeys for Handle {
    async fn add_ssh_key(&self, key: &SshKey) -> Result<()> {
        let row = ActiveModel {
            id: Set(key.id.uuid()),
            pool_id: Set(key.pool_id.uuid()),
            name: Set(key.name.clone()),
            public_key: Set(key.public_key.clone()),
            fingerprint: Set(key.fingerprint.clone()),
            digest: Set(key.digest().to_vec()),
            author_id: Set(key.author.map(UserId::uuid)),
            created_at: Set(key.created_at),
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(failed)
    }

    async fn delete_ssh_keys(&self, ids: &BTreeSet<SshKeyId>) -> Result<()> {
        let delete = Entity::delete_many().filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
