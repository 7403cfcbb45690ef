//! What plans have cost.

use sea_orm::entity::prelude::*;

/// A row of `plan_prices`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plan_prices")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub plan_id: Uuid,
    pub changed_at: DateTimeUtc,
    pub per_hour_e8: Option<i64>,
    pub spot_per_hour_e8: Option<i64>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
