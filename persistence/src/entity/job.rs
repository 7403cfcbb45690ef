//! Jobs.

use sea_orm::entity::prelude::*;

/// A row of `jobs`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub lane: String,
    pub kind: Json,
    pub state: String,
    pub is_wanted_again: bool,
    pub run_at: DateTimeUtc,
    pub leased_until: Option<DateTimeUtc>,
    pub attempts: i64,
    pub claims: i64,
    pub last_error: Option<String>,
    pub created_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
