//! What is installed on instances.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::install::{Install, InstallId, InstallKey, InstallQueries, Installs};
use domain::instance::InstanceId;
use domain::job::JobKind;
use domain::software::{Scripts, SoftwareId};
use domain::user::{UserId, Viewer};
use sea_orm::sea_query::{Expr, LockType, Query, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use serde_json::Value;
use uuid::Uuid;

use crate::entity::install::{ActiveModel, Column, Entity};
use crate::entity::instance;
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{from_json, number, to_json};

/// A row without the scripts, up to 128 KiB, which only a run needs.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    number: i64,
    instance_id: Uuid,
    software_id: Uuid,
    software_number: i64,
    name: String,
    author_id: Uuid,
    config: Value,
    has_remove_script: bool,
    phase: Value,
    runs: i64,
    created_at: Timestamp,
    changed_at: Timestamp,
}

const COLUMNS: [Column; 13] = [
    Column::Id,
    Column::Number,
    Column::InstanceId,
    Column::SoftwareId,
    Column::SoftwareNumber,
    Column::Name,
    Column::AuthorId,
    Column::Config,
    Column::HasRemoveScript,
    Column::Phase,
    Column::Runs,
    Column::CreatedAt,
    Column::ChangedAt,
];

fn install(row: Row) -> Result<Install> {
    Ok(Install {
        id: InstallId::from_uuid(row.id),
        number: row.number,
        instance_id: InstanceId::from_uuid(row.instance_id),
        software_id: SoftwareId::from_uuid(row.software_id),
        software_number: row.software_number,
        name: row.name,
        wanted_by: UserId::from_uuid(row.author_id),
        config: from_json(row.config)?,
        has_remove_script: row.has_remove_script,
        phase: from_json(row.phase)?,
        runs: number(row.runs)?,
        created_at: row.created_at,
        changed_at: row.changed_at,
    })
}

/// What changes of one.
fn changed(install: &Install) -> Result<ActiveModel> {
    Ok(ActiveModel {
        author_id: Set(install.wanted_by.uuid()),
        phase: Set(to_json(&install.phase)?),
        status: Set(install.status().as_str().to_owned()),
        is_settled: Set(install.is_settled()),
        runs: Set(install.runs.into()),
        changed_at: Set(install.changed_at),
        ..Default::default()
    })
}

/// The instances of somebody's pools.
fn seen_instances(viewer: Viewer) -> SelectStatement {
    Query::select()
        .column(instance::Column::Id)
        .from(instance::Entity)
        .and_where(instance::Column::PoolId.in_subquery(joined_pools(viewer)))
        .take()
}

impl Handle {
    async fn one_install(&self, find: Select<Entity>) -> Result<Option<Install>> {
        let find = find.select_only().columns(COLUMNS).into_model::<Row>();
        find.one(&self.connection).await.map_err(failed)?.map(install).transpose()
    }
}

#[async_trait]
impl InstallQueries for Handle {
    async fn install_visible_to(&self, viewer: Viewer, key: InstallKey) -> Result<Option<Install>> {
        let find = match key {
            InstallKey::Id(on, id) => {
                Entity::find_by_id(id.uuid()).filter(Column::InstanceId.eq(on.uuid()))
            }
            InstallKey::Number(number) => Entity::find().filter(Column::Number.eq(number)),
        };
        let seen = Column::InstanceId.in_subquery(seen_instances(viewer));
        self.one_install(find.filter(seen)).await
    }

    async fn installs_visible_to(
        &self,
        viewer: Viewer,
        instances: &[InstanceId],
    ) -> Result<Vec<Install>> {
        let find = Entity::find()
            .filter(Column::InstanceId.is_in(instances.iter().map(|id| id.uuid())))
            .filter(Column::InstanceId.in_subquery(seen_instances(viewer)))
            .order_by_asc(Column::Id)
            .select_only()
            .columns(COLUMNS)
            .into_model::<Row>();
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(install).collect()
    }

    async fn install_scripts(&self, id: InstallId) -> Result<Option<Scripts>> {
        let find = Entity::find_by_id(id.uuid())
            .select_only()
            .columns([Column::InstallScript, Column::RemoveScript])
            .into_tuple();
        let row: Option<(String, Option<String>)> =
            find.one(&self.connection).await.map_err(failed)?;
        Ok(row.map(|(install, remove)| Scripts { install, remove }))
    }

    async fn next_install_of(&self, id: InstanceId) -> Result<Option<Install>> {
        let find = Entity::find()
            .filter(Column::InstanceId.eq(id.uuid()))
            .filter(Expr::cust("NOT is_settled"))
            .order_by_asc(Expr::cust("phase ->> 'run' IS NULL"))
            .order_by_asc(Column::ChangedAt)
            .order_by_asc(Column::Number)
            .limit(1);
        self.one_install(find).await
    }

    async fn installs_beside(&self, install: &Install) -> Result<(u64, bool)> {
        let find = Entity::find()
            .select_only()
            .column(Column::SoftwareId)
            .filter(Column::InstanceId.eq(install.instance_id.uuid()))
            .into_tuple();
        let there: Vec<Uuid> = find.all(&self.connection).await.map_err(failed)?;
        let count = u64::try_from(there.len()).map_err(domain::Error::internal)?;
        Ok((count, there.contains(&install.software_id.uuid())))
    }

    async fn misaligned_installs(&self, limit: u32) -> Result<Vec<InstanceId>> {
        // Those that wait for their instance are taken up by its start.
        let rows = "(SELECT DISTINCT i.id, n.is_settled FROM installs n JOIN instances i \
                    ON i.id = n.instance_id WHERE i.status = 'running' AND NOT n.is_settled) \
                    AS misaligned";
        let kind = |id| JobKind::AlignInstalls { instance_id: InstanceId::from_uuid(id) };
        let ids = self.unsettled_without_job(rows, |id| kind(id).lane(), limit).await?;
        Ok(ids.into_iter().map(InstanceId::from_uuid).collect())
    }
}

#[async_trait]
impl Installs for Handle {
    async fn add_install(&self, install: &Install, scripts: &Scripts) -> Result<()> {
        let row = ActiveModel {
            id: Set(install.id.uuid()),
            number: Set(install.number),
            instance_id: Set(install.instance_id.uuid()),
            software_id: Set(install.software_id.uuid()),
            software_number: Set(install.software_number),
            name: Set(install.name.clone()),
            install_script: Set(scripts.install.clone()),
            remove_script: Set(scripts.remove.clone()),
            config: Set(to_json(&install.config)?),
            has_remove_script: Set(install.has_remove_script),
            created_at: Set(install.created_at),
            ..changed(install)?
        };
        let insert = Entity::insert(row).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(failed)
    }

    async fn install_for_update(&self, id: InstallId) -> Result<Option<Install>> {
        self.one_install(Entity::find_by_id(id.uuid()).lock(LockType::NoKeyUpdate)).await
    }

    async fn save_install(&self, install: &Install) -> Result<()> {
        let save = Entity::update_many().set(changed(install)?);
        let save = save.filter(Column::Id.eq(install.id.uuid())).exec(&self.connection);
        save.await.map_err(failed).map(|_| ())
    }

    async fn delete_install(&self, id: InstallId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }

    async fn move_installs(&self, from: InstanceId, to: InstanceId) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::InstanceId, Expr::value(to.uuid()))
            .filter(Column::InstanceId.eq(from.uuid()));
        update.exec(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_installs_of(&self, id: InstanceId) -> Result<()> {
        let delete = Entity::delete_many().filter(Column::InstanceId.eq(id.uuid()));
        delete.exec(&self.connection).await.map_err(failed).map(|_| ())
    }
}
