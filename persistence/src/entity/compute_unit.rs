//! Compute units.

use sea_orm::entity::prelude::*;

/// A row of `compute_units`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "compute_units")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host_id: Uuid,
    pub name: String,
    pub cpu_range: String,
    pub cpu_count: i64,
    pub first_cpu: i64,
    pub first_port: i64,
    pub ram_mib: i64,
    pub state: String,
    pub instance_id: Option<Uuid>,
    pub tags: Option<Json>,
    pub reason: Option<String>,
    pub changed_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
