//! Templates of pools, and the operator's.

use async_trait::async_trait;
use domain::clock::Timestamp;
use domain::page::Page;
use domain::pool::PoolId;
use domain::template::{
    Recipe, Registry, Template, TemplateFilter, TemplateId, TemplateKey, TemplateQueries,
    TemplateScope, TemplateSummary, Templates,
};
use domain::user::UserId;
use domain::vault::Sealed;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, FromQueryResult,
    PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use crate::entity::template::{ActiveModel, Column, Entity, Model};
use crate::failure::{Result, failed};
use crate::pool::joined_pools;
use crate::store::Handle;
use crate::words::{contains, from_json, number, to_json};

fn template(row: Model) -> Result<Template> {
    let registry = match (row.registry_host, row.registry_username, row.registry_password) {
        (Some(host), Some(username), Some(password)) => {
            Some(Registry { host, username, password: Sealed::from_bytes(password) })
        }
        _ => None,
    };
    Ok(Template {
        id: TemplateId::from_uuid(row.id),
        number: row.number,
        pool_id: row.pool_id.map(PoolId::from_uuid),
        author: row.author_id.map(UserId::from_uuid),
        recipe: Recipe {
            name: row.name,
            image: row.image,
            tag: row.tag,
            category: row.category,
            disk_gb: number(row.disk_gb)?,
            ports: from_json(row.ports)?,
            start_script: row.start_script,
            build_arguments: row.build_arguments,
            environment: from_json(row.environment)?,
            notes: row.notes,
            runs_ssh: row.runs_ssh,
            runs_jupyter: row.runs_jupyter,
        },
        registry,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn stored(template: &Template) -> Result<ActiveModel> {
    let Template { recipe, registry, .. } = template;
    let registry = registry.as_ref();
    Ok(ActiveModel {
        id: Set(template.id.uuid()),
        number: Set(template.number),
        pool_id: Set(template.pool_id.map(PoolId::uuid)),
        author_id: Set(template.author.map(UserId::uuid)),
        name: Set(recipe.name.clone()),
        image: Set(recipe.image.clone()),
        tag: Set(recipe.tag.clone()),
        category: Set(recipe.category.clone()),
        disk_gb: Set(recipe.disk_gb.into()),
        ports: Set(to_json(&recipe.ports)?),
        start_script: Set(recipe.start_script.clone()),
        build_arguments: Set(recipe.build_arguments.clone()),
        environment: Set(to_json(&recipe.environment)?),
        notes: Set(recipe.notes.clone()),
        runs_ssh: Set(recipe.runs_ssh),
        runs_jupyter: Set(recipe.runs_jupyter),
        registry_host: Set(registry.map(|registry| registry.host.clone())),
        registry_username: Set(registry.map(|registry| registry.username.clone())),
        registry_password: Set(registry.map(|registry| registry.password.as_bytes().to_vec())),
        // A text that is searched for has no line break, so that none is found across both.
        search_text: Set(format!("{}\n{}", recipe.name, recipe.image).to_lowercase()),
        created_at: Set(template.created_at),
        updated_at: Set(template.updated_at),
    })
}

/// A row without what a list does not show, up to half a MiB each.
#[derive(FromQueryResult)]
struct Summary {
    id: Uuid,
    number: i64,
    pool_id: Option<Uuid>,
    author_id: Option<Uuid>,
    name: String,
    image: String,
    tag: String,
    category: String,
    disk_gb: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

const SUMMARY: [Column; 11] = [
    Column::Id,
    Column::Number,
    Column::PoolId,
    Column::AuthorId,
    Column::Name,
    Column::Image,
    Column::Tag,
    Column::Category,
    Column::DiskGb,
    Column::CreatedAt,
    Column::UpdatedAt,
];

fn summary(row: Summary) -> Result<TemplateSummary> {
    Ok(TemplateSummary {
        id: TemplateId::from_uuid(row.id),
        number: row.number,
        pool_id: row.pool_id.map(PoolId::from_uuid),
        author: row.author_id.map(UserId::from_uuid),
        name: row.name,
        image: row.image,
        tag: row.tag,
        category: row.category,
        disk_gb: number(row.disk_gb)?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

fn within(scope: TemplateScope) -> Condition {
    let of = |viewer| Column::PoolId.in_subquery(joined_pools(viewer));
    match scope {
        TemplateScope::Own(viewer, pool_id) => Condition::all()
            .add(of(viewer))
            .add_option(pool_id.map(|id| Column::PoolId.eq(id.uuid()))),
        TemplateScope::Global => Condition::all().add(Column::PoolId.is_null()),
        TemplateScope::Seen(viewer) => {
            Condition::any().add(of(viewer)).add(Column::PoolId.is_null())
        }
    }
}

fn passing(filter: &TemplateFilter) -> Select<Entity> {
    let search =
        filter.search.as_ref().map(|text| contains(Column::SearchText, &text.to_lowercase()));
    Entity::find().filter(within(filter.scope)).apply_if(search, QueryFilter::filter)
}

#[async_trait]
impl TemplateQueries for Handle {
    async fn template(&self, scope: TemplateScope, key: TemplateKey) -> Result<Option<Template>> {
        let key = match key {
            TemplateKey::Id(id) => Column::Id.eq(id.uuid()),
            TemplateKey::Number(number) => Column::Number.eq(number),
        };
        let find = Entity::find().filter(key).filter(within(scope)).one(&self.connection);
        find.await.map_err(failed)?.map(template).transpose()
    }

    async fn templates(
        &self,
        filter: &TemplateFilter,
        page: &Page<TemplateId>,
    ) -> Result<Vec<TemplateSummary>> {
        let find = passing(filter)
            .apply_if(page.after, |find, after| find.filter(Column::Id.lt(after.uuid())))
            .order_by_desc(Column::Id)
            .limit(page.limit.map(u64::from))
            .select_only()
            .columns(SUMMARY)
            .into_model::<Summary>();
        let rows = find.all(&self.connection).await.map_err(failed)?;
        rows.into_iter().map(summary).collect()
    }

    async fn templates_part(
        &self,
        filter: &TemplateFilter,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<Template>> {
        let find = passing(filter).order_by_desc(Column::Id);
        let find = find.offset(u64::from(skip)).limit(u64::from(limit)).all(&self.connection);
        find.await.map_err(failed)?.into_iter().map(template).collect()
    }

    async fn template_count(&self, filter: &TemplateFilter) -> Result<u64> {
        passing(filter).count(&self.connection).await.map_err(failed)
    }

    async fn template_count_of(&self, pool_id: Option<PoolId>) -> Result<u64> {
        let of = match pool_id {
            Some(id) => Column::PoolId.eq(id.uuid()),
            None => Column::PoolId.is_null(),
        };
        Entity::find().filter(of).count(&self.connection).await.map_err(failed)
    }
}

#[async_trait]
impl Templates for Handle {
    async fn global_template_for_update(&self, id: TemplateId) -> Result<Option<Template>> {
        let find = Entity::find_by_id(id.uuid()).filter(within(TemplateScope::Global));
        let find = find.lock(LockType::NoKeyUpdate).one(&self.connection);
        find.await.map_err(failed)?.map(template).transpose()
    }

    async fn add_template(&self, template: &Template) -> Result<()> {
        let insert = Entity::insert(stored(template)?).exec_without_returning(&self.connection);
        insert.await.map(|_| ()).map_err(failed)
    }

    async fn save_template(&self, template: &Template) -> Result<()> {
        stored(template)?.update(&self.connection).await.map_err(failed).map(|_| ())
    }

    async fn delete_template(&self, id: TemplateId) -> Result<()> {
        let delete = Entity::delete_by_id(id.uuid()).exec(&self.connection);
        delete.await.map_err(failed).map(|_| ())
    }
}
