//! What hosts have for instances.

use sea_orm::entity::prelude::*;

/// A row of `capacities`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "capacities")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_id: Uuid,
    pub location_code: String,
    pub storage: String,
    pub purpose: String,
    pub driver: String,
    pub settings: Json,
    pub address: String,
    pub addresses: Json,
    pub network: Option<String>,
    pub first_port: i64,
    pub last_port: i64,
    pub pins_cpus: bool,
    pub cpus: i64,
    pub ram_mib: i64,
    pub gpu_model: Option<String>,
    pub gpu_memory_mib: i64,
    pub gpus: i64,
    pub used_cpus: i64,
    pub used_ram_mib: i64,
    pub used_gpus: i64,
    pub instances: i64,
    pub unreachable_since: Option<DateTimeUtc>,
    pub down_seconds: i64,
    pub is_draining: bool,
    pub benchmark: Json,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
