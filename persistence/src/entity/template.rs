//! Templates.

use sea_orm::entity::prelude::*;

/// A row of `templates`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "templates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number: i64,
    pub pool_id: Option<Uuid>,
    pub author_id: Option<Uuid>,
    pub name: String,
    pub image: String,
    pub tag: String,
    pub category: String,
    pub disk_gb: i64,
    pub ports: Json,
    pub start_script: String,
    pub build_arguments: String,
    pub environment: Json,
    pub notes: String,
    pub runs_ssh: bool,
    pub runs_jupyter: bool,
    pub registry_host: Option<String>,
    pub registry_username: Option<String>,
    pub registry_password: Option<Vec<u8>>,
    pub search_text: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
