//! How hosts are logged in to.

use sea_orm::entity::prelude::*;

/// A row of `host_logins`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host_logins")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_id: Uuid,
    pub address: String,
    pub port: i64,
    pub username: String,
    pub identity: String,
    pub host_key: Option<String>,
    pub shown_key: Option<String>,
    pub updated_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
