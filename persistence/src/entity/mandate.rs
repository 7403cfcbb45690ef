//! Mandates to renew rentals.

use sea_orm::entity::prelude::*;

/// A row of `mandates`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mandates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rental_id: Uuid,
    pub payer_id: Uuid,
    pub days: i64,
    pub max_price_e8: i64,
    pub max_renewals: Option<i64>,
    pub renewals: i64,
    pub notice_days: i64,
    pub noticed_for: Option<DateTimeUtc>,
    pub refused_for: Option<DateTimeUtc>,
    pub look_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
