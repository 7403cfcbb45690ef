//! Instances.

use sea_orm::entity::prelude::*;

/// A row of `instances`.
#[allow(clippy::struct_excessive_bools, reason = "columns for indexes, not for decisions")]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "instances")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub pool_id: Uuid,
    pub payer_id: Uuid,
    pub author_id: Uuid,
    pub cluster_id: Option<Uuid>,
    pub location_code: String,
    pub host_id: Uuid,
    pub hostname: String,
    pub name: String,
    pub description: String,
    pub tags: Json,
    pub terms: Json,
    pub term: Option<Json>,
    pub expires_at: Option<DateTimeUtc>,
    pub origin: Json,
    pub moved: Option<Json>,
    pub successor_id: Option<Uuid>,
    pub claim: Json,
    pub wanted: Json,
    pub is_locked: bool,
    pub restart: bool,
    pub phase: Json,
    pub stage_until: Option<DateTimeUtc>,
    pub evict_at: Option<DateTimeUtc>,
    pub last_error: Option<String>,
    pub driver_fault: Option<String>,
    pub missing_since: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub ready_at: Option<DateTimeUtc>,
    pub status: String,
    pub per_hour_e8: i64,
    pub is_live: bool,
    pub is_settled: bool,
    pub is_spot: bool,
    pub search_text: String,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
