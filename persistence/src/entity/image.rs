//! Images.

use sea_orm::entity::prelude::*;

/// A row of `images`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "images")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub category: String,
    pub details: Json,
    pub reference: String,
    pub username: String,
    pub min_disk_gb: i64,
    pub aliases: Json,
    pub is_default: bool,
    pub is_listed: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub search_text: String,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
