//! Software of pools, and the operator's.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::page::Page;
use domain::pool::PoolId;
use domain::software::{
    Scripts, Software, SoftwareId, SoftwareKey, SoftwareQueries, SoftwareRecords, SoftwareScope,
};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, FromQueryResult,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::Value;
use uuid::Uuid;

use crate::entity::software::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, to_json};

/// A row without the scripts, up to 128 KiB each.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    number: i64,
    pool_id: Option<Uuid>,
    name: String,
    description: String,
    category: String,
    options: Value,
    created_at: Timestamp,
    updated_at: Timestamp,
}

const COLUMNS: [Column; 9] = [
    Column::Id,
    Column::Number,
    Column::PoolId,
    Column::Name,
    Column::Description,
    Column::Category,
    Column::Options,
    Column::CreatedAt,
    Column::UpdatedAt,
];

fn software(row: Row) -> Result<Software> {
    Ok(Software {
        id: SoftwareId::from_uuid(row.id),
        number: row.number,
        pool_id: row.pool_id.map(PoolId::from_uuid),
        name: row.name,
        description: row.description,
        category: row.category,
        options: from_json(row.options)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn whole(row: Model) -> Result<(Software, Scripts)> {
    let scripts = Scripts { install: row.install_script, remove: row.remove_script };
    let row = Row {
        id: row.id,
        number: row.number,
        pool_id: row.pool_id,
        name: row.name,
        description: row.description,
        category: row.category,
        options: row.options,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok((software(row)?, scripts))
}

fn stored(software: &Software, scripts: &Scripts) -> Result<ActiveModel> {
    Ok(ActiveModel {
        id: Set(software.id.uuid()),
        number: Set(software.number),
        pool_id: Set(software.pool_id.map(PoolId::uuid)),
        name: Set(software.name.clone()),
        description: Set(software.description.clone()),
        category: Set(software.category.clone()),
        install_script: Set(scripts.install.clone()),
        remove_script: Set(scripts.remove.clone()),
        options: Set(to_json(&software.options)?),
        created_at: Set(software.created_at),
        updated_at: Set(software.updated_at),
    })
}

fn within(scope: SoftwareScope) -> Condition {
    let of = |viewer| Column::PoolId.in_subquery(joined_pools(viewer));
    match scope {
        SoftwareScope::Own(viewer, pool_id) => Condition::all()
            .add(of(viewer))
            .add_option(pool_id.map(|id| Column::PoolId.eq(id.uuid()))),
        SoftwareScope::Global => Condition::all().add(Column::PoolId.is_null()),
        SoftwareScope::Seen(viewer) => {
            Condition::any().add(of(viewer)).add(Column::PoolId.is_null())
        }
    }
}

#[async_trait]
impl SoftwareQueries for Handle {
    async fn software(
        &self,
        scope: SoftwareScope,
        key: SoftwareKey,
    ) -> Result<Option<(Software, Scripts)>> {
        let key = match key {
            SoftwareKey::Id(id) => Column::Id.eq(id.uuid()),
            SoftwareKey::Number(number) => Column::Number.eq(number),
        };
        let find = Entity::find().filter(key).filter(within(scope)).one(&self.connection);
        find.await.map_err(failed)?.map(whole).transpose()
    }

    async fn softwares(
        &self,
        scope: SoftwareScope,
        page: &Page<SoftwareId>,
    ) -> Result<Vec<Software>> {
        let find = Entity::find()
            .filter(within(scope))
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from))
            .select_only()
            .columns(COLUMNS)
            .into_model::<Row>();
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(software).collect()
    }

    async fn software_count_of(&self, pool_id: Option<PoolId>) -> Result<u64> {
        let of = match pool_id {
            Some(id) => Column::PoolId.eq(id.uuid()),
            None => Column::PoolId.is_null(),
        };
        Entity::find().filter(of).count(&self.connection).await.map_err(failed)
    }
}

#[async_trait]
impl SoftwareRecords for Handle {
    async fn global_software_for_update(
        &self,
        id: SoftwareId,
    ) -> Result<Option<(Software, Scripts)>> {
        let find = Entity::find_by_id(id.uuid()).filter(within(SoftwareScope::Global));
        let find = find.lock(LockType::NoKeyUpdate).one(&self.connection);
        find.await.map_err(failed)?.map(whole).transpose()
    }

    async fn add_software(&self, software: &Software, scripts: &Scripts) -> Result<()> {
        let insert = Entity::insert(stored(software, scripts)?);
        insert.exec_without_returning(&self.connection).await.map(|_| ()).map_err(failed)
    }

    async fn save_software(&self, software: &Software, scripts: &Scripts) -> Result<()> {
        stored(software, scripts)?.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_software(&self, id: SoftwareId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }
}
