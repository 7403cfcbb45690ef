//! Locations, plans, images, SSH keys and scripts.

use sea_orm_migration::prelude::*;

use crate::types::{in_dialect, run};

/// The fourth migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &str = include_str!("m0004_catalogue.sql");

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
