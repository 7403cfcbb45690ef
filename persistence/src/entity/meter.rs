//! Meters.

use sea_orm::entity::prelude::*;

/// A row of `meters`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "meters")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub payer_id: Uuid,
    pub pool_id: Uuid,
    pub metered_kind: String,
    pub metered_id: Uuid,
    pub name: String,
    pub price_e8: i64,
    pub per_seconds: i64,
    pub is_spot: bool,
    pub started_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    pub billed_e8: i64,
    pub bills: i64,
    pub bill_at: Option<DateTimeUtc>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
