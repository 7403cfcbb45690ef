//! What is installed on instances.

use sea_orm::entity::prelude::*;

/// A row of `installs`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "installs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number: i64,
    pub instance_id: Uuid,
    pub software_id: Uuid,
    pub software_number: i64,
    pub name: String,
    pub author_id: Uuid,
    pub install_script: String,
    pub remove_script: Option<String>,
    pub config: Json,
    pub has_remove_script: bool,
    pub phase: Json,
    pub status: String,
    pub is_settled: bool,
    pub runs: i64,
    pub created_at: DateTimeUtc,
    pub changed_at: DateTimeUtc,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
