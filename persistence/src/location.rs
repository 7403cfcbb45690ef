//! Locations.

use async_trait::async_trait;
use domain::location::{Location, LocationCode, LocationQueries, Locations, NOWHERE};
use domain::page::Page;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::entity::location::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed, overtaken};
use crate::store::Handle;

fn location(row: Model) -> Location {
    Location {
        code: LocationCode::from_stored(row.code),
        name: row.name,
        country: row.country,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn stored(location: &Location) -> ActiveModel {
    ActiveModel {
        code: Set(location.code.to_string()),
        name: Set(location.name.clone()),
        country: Set(location.country.clone()),
        created_at: Set(location.created_at),
        updated_at: Set(location.updated_at),
    }
}

#[async_trait]
impl LocationQueries for Handle {
    async fn locations(&self, page: &Page<LocationCode>) -> Result<Vec<Location>> {
        let find = Entity::find()
            .filter(Column::Country.ne(NOWHERE))
            .apply_if(page.after.as_ref(), |find, after| {
                find.filter(Column::Code.gt(after.as_str()))
            })
            .order_by_asc(Column::Code)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        Ok(rows.into_iter().map(location).collect())
    }

    async fn location_coded(&self, code: &LocationCode) -> Result<Option<Location>> {
        let find = Entity::find_by_id(code.as_str()).one(&self.connection);
        Ok(find.await.map_err(failed)?.map(location))
    }

    async fn known_locations(&self, codes: &[LocationCode]) -> Result<Vec<LocationCode>> {
        let find = Entity::find()
            .select_only()
            .column(Column::Code)
            .filter(Column::Country.ne(NOWHERE))
            .filter(Column::Code.is_in(codes.iter().map(LocationCode::as_str)));
        let known: Vec<String> = find.into_tuple().all(&self.connection).await.map_err(failed)?;
        Ok(known.into_iter().map(LocationCode::from_stored).collect())
    }
}

#[async_trait]
impl Locations for Handle {
    async fn location_for_update(&self, code: &LocationCode) -> Result<Option<Location>> {
        let find = Entity::find_by_id(code.as_str()).lock(LockType::NoKeyUpdate);
        Ok(find.one(&self.connection).await.map_err(failed)?.map(location))
    }

    async fn add_location(&self, location: &Location) -> Result<()> {
        let insert = Entity::insert(stored(location)).exec_without_returning(&self.connection);
        insert.await.map_err(overtaken).map(|_| ())
    }

    async fn save_location(&self, location: &Location) -> Result<()> {
        stored(location).update(&self.connection).await.map_err(failed).map(|_| ())
    }
}
