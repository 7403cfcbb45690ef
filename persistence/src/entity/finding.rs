//! What the reconciler found.

use sea_orm::entity::prelude::*;

/// A row of `findings`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "findings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub host_id: Uuid,
    pub kind: String,
    pub subject: String,
    pub per_hour_e8: i64,
    pub is_repaired: bool,
    pub found_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
