//! Images.

use async_trait::async_trait;
use domain::image::{Image, ImageCode, ImageId, ImageQueries, Images};
use domain::page::Page;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};

use crate::entity::image::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed, overtaken};
use crate::store::Handle;
use crate::words::{contains, from_json, number, to_json};

fn image(row: Model) -> Result<Image> {
    Ok(Image {
        id: ImageId::from_uuid(row.id),
        code: ImageCode::from_stored(row.code),
        name: row.name,
        category: row.category,
        details: from_json(row.details)?,
        reference: row.reference,
        username: row.username,
        min_disk_gb: number(row.min_disk_gb)?,
        aliases: from_json(row.aliases)?,
        is_default: row.is_default,
        is_listed: row.is_listed,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn stored(image: &Image) -> Result<ActiveModel> {
    Ok(ActiveModel {
        id: Set(image.id.uuid()),
        code: Set(image.code.to_string()),
        name: Set(image.name.clone()),
        category: Set(image.category.clone()),
        details: Set(to_json(&image.details)?),
        reference: Set(image.reference.clone()),
        username: Set(image.username.clone()),
        min_disk_gb: Set(image.min_disk_gb.into()),
        aliases: Set(to_json(&image.aliases)?),
        is_default: Set(image.is_default),
        is_listed: Set(image.is_listed),
        created_at: Set(image.created_at),
        updated_at: Set(image.updated_at),
        // A text that is searched for has no line break, so that none is found across two of them.
        search_text: Set(
            format!("{}\n{}\n{}", image.name, image.code, image.category).to_lowercase()
        ),
    })
}

#[async_trait]
impl ImageQueries for Handle {
    async fn image(&self, id: ImageId) -> Result<Option<Image>> {
        let find = Entity::find_by_id(id.uuid()).one(&self.connection);
        find.await.map_err(failed)?.map(image).transpose()
    }

    async fn image_coded(&self, code: &ImageCode) -> Result<Option<Image>> {
        let find = Entity::find().filter(Column::Code.eq(code.as_str())).one(&self.connection);
        find.await.map_err(failed)?.map(image).transpose()
    }

    async fn listed_images(
        &self,
        search: Option<&str>,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<Image>> {
        let search = search.map(|text| contains(Column::SearchText, &text.to_lowercase()));
        let find = Entity::find()
            .filter(Column::IsListed.into_expr())
            .apply_if(search, QueryFilter::filter)
            .order_by_asc(Column::Code)
            .offset(u64::from(skip))
            .limit(u64::from(limit));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(image).collect()
    }

    async fn images(&self, listed_only: bool, page: &Page<ImageCode>) -> Result<Vec<Image>> {
        let find = Entity::find()
            .apply_if(listed_only.then_some(()), |find, ()| {
                find.filter(Column::IsListed.into_expr())
            })
            .apply_if(page.after.as_ref(), |find, after| {
                find.filter(Column::Code.gt(after.as_str()))
            })
            .order_by_asc(Column::Code)
            .limit(page.limit.map(u64::from));
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(image).collect()
    }
}

#[async_trait]
impl Images for Handle {
    async fn image_for_update(&self, code: &ImageCode) -> Result<Option<Image>> {
        let find = Entity::find().filter(Column::Code.eq(code.as_str()));
        let find = find.lock(LockType::NoKeyUpdate).one(&self.connection);
        find.await.map_err(failed)?.map(image).transpose()
    }

    async fn add_image(&self, image: &Image) -> Result<()> {
        let insert = Entity::insert(stored(image)?).exec_without_returning(&self.connection);
        insert.await.map_err(overtaken).map(|_| ())
    }

    async fn save_image(&self, image: &Image) -> Result<()> {
        stored(image)?.update(&self.connection).await.map_err(failed).map(|_| ())
    }
}
