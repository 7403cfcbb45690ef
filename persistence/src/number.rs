//! Whole numbers that name things.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::number::{NumberQueries, Numbered, Numbers};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, NotSet, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::entity::number::{ActiveModel, Column, Entity};
use crate::failure::{Result, failed};
use crate::store::Handle;

/// Looked for or added by one statement: each takes up to two parameters, and SQLite takes 32,766.
const AT_ONCE: usize = 10_000;

#[async_trait]
impl NumberQueries for Handle {
    async fn numbers(&self, kind: Numbered, ids: &[Uuid]) -> Result<BTreeMap<Uuid, i64>> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let find = Entity::find()
                .select_only()
                .columns([Column::Id, Column::Number])
                .filter(Column::Kind.eq(kind.as_str()))
                .filter(Column::Id.is_in(ids.iter().copied()))
                .into_tuple();
            let rows: Vec<(Uuid, i64)> = find.all(&self.connection).await.map_err(failed)?;
            found.extend(rows);
        }
        Ok(found)
    }

    async fn numbered(&self, kind: Numbered, number: i64) -> Result<Option<Uuid>> {
        let find = Entity::find_by_id(number).filter(Column::Kind.eq(kind.as_str()));
        let row = find.one(&self.connection).await.map_err(failed)?;
        Ok(row.map(|row| row.id))
    }
}

#[async_trait]
impl Numbers for Handle {
    async fn give_number(&self, kind: Numbered, id: Uuid) -> Result<i64> {
        let row = ActiveModel { number: NotSet, kind: Set(kind.as_str().to_owned()), id: Set(id) };
        let insert = Entity::insert(row).exec(&self.connection).await.map_err(failed)?;
        Ok(insert.last_insert_id)
    }
    async fn give_numbers(&self, kind: Numbered, ids: &[Uuid]) -> Result<()> {
        let row = |id: &Uuid| {
            let kind = Set(kind.as_str().to_owned());
            ActiveModel { number: NotSet, kind, id: Set(*id) }
        };
        for ids in ids.chunks(AT_ONCE) {
            let same = OnConflict::columns([Column::Kind, Column::Id]).do_nothing().to_owned();
            let insert = Entity::insert_many(ids.iter().map(row)).on_conflict(same).try_insert();
            insert.exec_without_returning(&self.connection).await.map_err(failed)?;
        }
        Ok(())
    }
}
