//! Hosts that are cut into compute units.

use sea_orm::entity::prelude::*;

/// A row of `compute_hosts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "compute_hosts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub hostname: String,
    pub address: String,
    pub region: String,
    pub zone: String,
    pub cpu_ranges: Json,
    pub driver: String,
    pub phase: Json,
    pub status: String,
    pub is_settled: bool,
    pub system: Option<String>,
    pub limits: Option<String>,
    pub is_prepared: bool,
    pub per_cpu_hour_e8: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
