//! Checkpoints of the ledger.

use sea_orm::entity::prelude::*;

/// A row of `checkpoints`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "checkpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub taken_at: DateTimeUtc,
    pub totals: Json,
    pub previous_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
