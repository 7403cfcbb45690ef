//! Hosts, with the columns that browsing filters and sorts by.

use sea_orm::entity::prelude::*;

/// A row of `hosts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "hosts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub external_id: Option<String>,
    pub specs: Json,
    pub pricing: Json,
    pub is_listed: bool,
    pub rental_id: Option<Uuid>,
    pub is_cleaning: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub country: String,
    pub region: String,
    pub category: String,
    pub is_featured: bool,
    pub listing_rank: i64,
    pub price_per_day_e8: Option<i64>,
    pub durations: String,
    pub cpu_cores: i64,
    pub cpu_score: i64,
    pub cpu_score_type: Option<String>,
    pub ram_gb: i64,
    pub ram_type: String,
    pub storage_gb: i64,
    pub disk_types: i64,
    pub bandwidth_mbps: i64,
    pub traffic_tb: i64,
    pub search_text: String,
    pub supplier_id: Option<Uuid>,
    pub sla: Option<Json>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
