//! Rentals.

use sea_orm::entity::prelude::*;

/// A row of `rentals`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rentals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host_id: Uuid,
    pub renter_id: Uuid,
    pub pool_id: Option<Uuid>,
    pub status: String,
    pub started_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub hold_days: i64,
    pub held_until: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
    pub amount_e8: i64,
    pub terms: Json,
    pub charge_id: Uuid,
    pub access: String,
    pub refunded_e8: i64,
    pub escrow_e8: i64,
    pub earned_until: Option<DateTimeUtc>,
    pub earn_at: Option<DateTimeUtc>,
    pub ready_at: Option<DateTimeUtc>,
    pub ready_by: Option<DateTimeUtc>,
    pub supplier_id: Option<Uuid>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
