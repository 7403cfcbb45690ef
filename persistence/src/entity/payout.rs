//! Payouts to suppliers.

use sea_orm::entity::prelude::*;

/// A row of `payouts`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payouts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub run_id: Uuid,
    pub supplier_id: Uuid,
    pub amount_e8: i64,
    pub account_holder: String,
    pub iban: String,
    pub posting_id: Uuid,
    pub created_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
