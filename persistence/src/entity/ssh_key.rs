//! SSH keys of pools.

use sea_orm::entity::prelude::*;

/// A row of `ssh_keys`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ssh_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub pool_id: Uuid,
    pub name: String,
    pub public_key: String,
    pub fingerprint: String,
    pub digest: Vec<u8>,
    pub author_id: Option<Uuid>,
    pub created_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
