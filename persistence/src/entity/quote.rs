//! Quotes.

use sea_orm::entity::prelude::*;

/// A row of `quotes`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quotes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub host_id: Uuid,
    pub pool_id: Option<Uuid>,
    pub terms: Json,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub signature: Vec<u8>,
    pub rental_id: Option<Uuid>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
