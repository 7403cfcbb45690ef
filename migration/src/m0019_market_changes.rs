//! A log of what changes in the market of graphics processors, so that what is kept of it in memory can follow.
//! Triggers write it, because whoever changes a row must not be able to forget it.
//!
//! Each row names what has changed: a host, a storage or a location; or, with `trimmed`, up to where rows
//! were forgotten. On SQLite, whose writers commit one after the other, rows count up. On PostgreSQL a
//! sequence would be of no use, as a later number may be committed before an earlier one: there each row has
//! its transaction, which a reader's snapshot has seen or not.
//!
//! No row is locked by it, and nothing refers to it: it is one more insert of whoever changes something.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::types::run;

/// See the module.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// What rows of the market are made of, in order.
const COLUMNS: [&str; 14] = [
    "location_code",
    "storage",
    "cpus",
    "ram_mib",
    "gpu_model",
    "gpu_memory_mib",
    "gpus",
    "used_cpus",
    "used_ram_mib",
    "used_gpus",
    "unreachable_since",
    "is_draining",
    "down_seconds",
    "created_at",
];

const POSTGRES: &str = "
CREATE TABLE market_changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    host_id uuid,
    storage text,
    location_code text,
    trimmed xid8
);
CREATE INDEX market_changes_by_xid ON market_changes (xid);

CREATE FUNCTION note_host_of_the_market() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO market_changes (host_id) VALUES (OLD.host_id);
    ELSE
        INSERT INTO market_changes (host_id) VALUES (NEW.host_id);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION note_storage_of_the_market() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO market_changes (storage) VALUES (NEW.name);
    RETURN NULL;
END $$;
CREATE FUNCTION note_location_of_the_market() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO market_changes (location_code) VALUES (NEW.code);
    RETURN NULL;
END $$;

CREATE TRIGGER capacities_change_the_market AFTER UPDATE ON capacities FOR EACH ROW
    WHEN ({with_gpus} AND ({old}) IS DISTINCT FROM ({new}))
    EXECUTE FUNCTION note_host_of_the_market();
CREATE TRIGGER gpu_offers_change_the_market AFTER INSERT OR UPDATE OR DELETE ON gpu_offers
    FOR EACH ROW EXECUTE FUNCTION note_host_of_the_market();
CREATE TRIGGER storages_change_the_market AFTER UPDATE ON storages FOR EACH ROW
    WHEN (OLD.size_gb - OLD.used_gb <> NEW.size_gb - NEW.used_gb)
    EXECUTE FUNCTION note_storage_of_the_market();
CREATE TRIGGER locations_change_the_market AFTER UPDATE ON locations FOR EACH ROW
    WHEN (OLD.country <> NEW.country)
    EXECUTE FUNCTION note_location_of_the_market();
";

const SQLITE: &str = "
CREATE TABLE market_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host_id BLOB,
    storage TEXT,
    location_code TEXT,
    trimmed INTEGER
) STRICT;

CREATE TRIGGER capacities_change_the_market AFTER UPDATE ON capacities
    WHEN {with_gpus} AND ({old}) IS NOT ({new})
BEGIN INSERT INTO market_changes (host_id) VALUES (NEW.host_id); END;
CREATE TRIGGER gpu_offers_come_to_the_market AFTER INSERT ON gpu_offers
BEGIN INSERT INTO market_changes (host_id) VALUES (NEW.host_id); END;
CREATE TRIGGER gpu_offers_change_the_market AFTER UPDATE ON gpu_offers
BEGIN INSERT INTO market_changes (host_id) VALUES (NEW.host_id); END;
CREATE TRIGGER gpu_offers_leave_the_market AFTER DELETE ON gpu_offers
BEGIN INSERT INTO market_changes (host_id) VALUES (OLD.host_id); END;
CREATE TRIGGER storages_change_the_market AFTER UPDATE ON storages
    WHEN OLD.size_gb - OLD.used_gb <> NEW.size_gb - NEW.used_gb
BEGIN INSERT INTO market_changes (storage) VALUES (NEW.name); END;
CREATE TRIGGER locations_change_the_market AFTER UPDATE ON locations
    WHEN OLD.country <> NEW.country
BEGIN INSERT INTO market_changes (location_code) VALUES (NEW.code); END;
";

/// What only the statement needed that looked for rows before.
const NO_LONGER_READ: &str = "
DROP INDEX gpu_offers_by_price;
DROP INDEX capacities_by_gpu;
ALTER TABLE gpu_offers DROP COLUMN cuda_order;
ALTER TABLE gpu_offers DROP COLUMN driver_order;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, NO_LONGER_READ).await?;
        let sql = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        let of = |row: &str| COLUMNS.map(|column| format!("{row}.{column}")).join(", ");
        // A host that has none is not in the market, whatever happens to it.
        let with_gpus = "(OLD.gpu_model IS NOT NULL OR NEW.gpu_model IS NOT NULL)";
        let sql = sql
            .replace("{with_gpus}", with_gpus)
            .replace("{old}", &of("OLD"))
            .replace("{new}", &of("NEW"));
        run(manager, &sql).await
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
