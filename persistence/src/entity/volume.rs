//! Volumes.

use sea_orm::entity::prelude::*;

/// A row of `volumes`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "volumes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub pool_id: Uuid,
    pub payer_id: Uuid,
    pub author_id: Uuid,
    pub location_code: String,
    pub storage: String,
    pub name: String,
    pub kind: String,
    pub size_gb: i64,
    pub made_gb: i64,
    pub price_per_gb_e8: i64,
    pub copy_of: Option<Uuid>,
    pub is_shared: bool,
    pub disk: Option<Json>,
    pub tags: Json,
    pub state: Json,
    pub instance_id: Option<Uuid>,
    pub mount_path: Option<String>,
    pub afterwards: Option<String>,
    pub on_eviction: String,
    pub created_at: DateTimeUtc,
    pub delete_at: Option<DateTimeUtc>,
    pub status: String,
    pub is_live: bool,
    pub is_settled: bool,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
