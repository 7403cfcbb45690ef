//! What hosts have for instances, and what runs there.

use sea_orm_migration::prelude::*;

use crate::types::{in_dialect, run};

/// The fifth migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &str = include_str!("m0005_instances.sql");

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &in_dialect(manager.get_database_backend(), TABLES)).await
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
