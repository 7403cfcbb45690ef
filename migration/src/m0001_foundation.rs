//! Users, pools, hosts, rentals, the ledger, jobs and events.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::types::{in_dialect, run};

/// The first migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &str = include_str!("m0001_foundation.sql");

const POSTGRES_LEDGER_GUARD: &str = "
CREATE FUNCTION refuse_ledger_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: correct it with a new posting';
END $$;
CREATE TRIGGER postings_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER entries_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
";

const SQLITE_LEDGER_GUARD: &str = "
CREATE TRIGGER postings_are_not_updated BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
CREATE TRIGGER postings_are_not_deleted BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        run(manager, &in_dialect(backend, TABLES)).await?;
        match backend {
            DbBackend::Postgres => run(manager, POSTGRES_LEDGER_GUARD).await,
            _ => run(manager, SQLITE_LEDGER_GUARD).await,
        }
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
