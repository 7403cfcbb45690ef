//! Scripts of pools.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::page::Page;
use domain::pool::PoolId;
use domain::script::{Script, ScriptId, ScriptQueries, ScriptSummary, Scripts};
use domain::user::{UserId, Viewer};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::entity::script::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;

fn script(row: Model) -> Script {
    Script {
        id: ScriptId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        name: row.name,
        content: row.content,
        author: row.author_id.map(UserId::from_uuid),
        created_at: row.created_at,
    }
}

/// A row without what a list does not show, up to 64 KiB each.
#[derive(FromQueryResult)]
struct Summary {
    id: Uuid,
    pool_id: Uuid,
    name: String,
    author_id: Option<Uuid>,
    created_at: Timestamp,
}

fn summary(row: Summary) -> ScriptSummary {
    ScriptSummary {
        id: ScriptId::from_uuid(row.id),
        pool_id: PoolId::from_uuid(row.pool_id),
        name: row.name,
        author: row.author_id.map(UserId::from_uuid),
        created_at: row.created_at,
    }
}

fn visible_to(viewer: Viewer) -> Select<Entity> {
    Entity::find().filter(Column::PoolId.in_subquery(joined_pools(viewer)))
}

impl Handle {
    async fn summaries(&self, find: Select<Entity>) -> Result<Vec<ScriptSummary>> {
        let columns =
            [Column::Id, Column::PoolId, Column::Name, Column::AuthorId, Column::CreatedAt];
        let find = find.select_only().columns(columns).into_model::<Summary>();
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(summary).collect())
    }
}

#[async_trait]
impl ScriptQueries for Handle {
    async fn scripts_visible_to(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
        page: &Page<ScriptId>,
    ) -> Result<Vec<ScriptSummary>> {
        let find = visible_to(viewer)
            .apply_if(pool_id, |find, id| find.filter(Column::PoolId.eq(id.uuid())))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from));
        self.summaries(find).await
    }

    async fn script_visible_to(&self, viewer: Viewer, id: ScriptId) -> Result<Option<Script>> {
        let find = visible_to(viewer).filter(Column::Id.eq(id.uuid()));
        Ok(find.one(&self.connection).await.map_err(failed)?.map(script))
    }

    async fn scripts_among(
        &self,
        viewer: Viewer,
        ids: &BTreeSet<ScriptId>,
    ) -> Result<Vec<ScriptSummary>> {
        let find = visible_to(viewer)
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .order_by_asc(Column::Id);
        self.summaries(find).await
    }

    async fn scripts_of_pool(&self, pool_id: PoolId, ids: &[ScriptId]) -> Result<Vec<Script>> {
        let find = Entity::find()
            .filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())))
            .filter(Column::PoolId.eq(pool_id.uuid()))
            .order_by_asc(Column::Id);
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(script).collect())
    }

    async fn script_count(&self, pool_id: PoolId) -> Result<u64> {
        let find = Entity::find().filter(Column::PoolId.eq(pool_id.uuid()));
        find.count(&self.connection).await.map_err(failed)
    }

    async fn has_script(&self, pool_id: PoolId, digest: &[u8; 32]) -> Result<bool> {
        let find = Entity::find()
            .filter(Column::PoolId.eq(pool_id.uuid()))
            .filter(Column::Digest.eq(digest.to_vec()));
        find.count(&self.connection).await.map_err(failed).map(|count| count > 0)
    }
}

#[async_trait]
impl Scripts for Handle {
    async fn add_script(&self, script: &Script) -> Result<()> {
        let row = ActiveModel {
            id: Set(script.id.uuid()),
            pool_id: Set(script.pool_id.uuid()),
            name: Set(script.name.clone()),
            content: Set(script.content.clone()),
            digest: Set(script.digest().to_vec()),
            author_id: Set(script.author.map(UserId::uuid)),
            created_at: Set(script.created_at),
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(failed)
    }

    async fn delete_scripts(&self, ids: &BTreeSet<ScriptId>) -> Result<()> {
        let delete = Entity::delete_many().filter(Column::Id.is_in(ids.iter().map(|id| id.uuid())));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
