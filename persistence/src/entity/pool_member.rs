//! Memberships, which begin as invitations.

use sea_orm::entity::prelude::*;

/// A row of `pool_members`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "pool_members")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub pool_id: Uuid,
    pub user_id: Uuid,
    pub role: String,
    pub state: String,
    pub invited_by: Option<Uuid>,
    pub invited_at: DateTimeUtc,
    pub expires_at: Option<DateTimeUtc>,
    pub joined_at: Option<DateTimeUtc>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
