//! Plans, with the columns that lists filter and sort by.

use sea_orm::entity::prelude::*;

/// A row of `plans`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plans")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub description: String,
    pub shape: Json,
    pub pricing: Json,
    pub is_listed: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub price_per_hour_e8: Option<i64>,
    pub cpus: i64,
    pub ram_mib: i64,
    pub gpu_model: Option<String>,
    pub gpu_count: i64,
    pub is_private: bool,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
