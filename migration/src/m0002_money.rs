//! The complete life of money: refunds, quotes, mandates, suppliers, outages, checkpoints, audit.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::types::{in_dialect, run};

/// The second migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &str = include_str!("m0002_money.sql");

const POSTGRES_LEDGER: &str = "
ALTER TABLE postings DROP CONSTRAINT postings_kind_check,
    ADD CONSTRAINT postings_kind_check CHECK (kind IN ('charge', 'refund', 'credit', 'deposit',
        'reversal', 'adjustment', 'earning', 'payout')),
    ADD COLUMN basis jsonb,
    ADD COLUMN corrects_id uuid REFERENCES postings (id);
ALTER TABLE entries DROP CONSTRAINT entries_account_check,
    ADD CONSTRAINT entries_account_check CHECK (account IN ('wallet', 'receivable', 'escrow',
        'payable', 'revenue', 'cash_clearing', 'write_off'));
CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER checkpoints_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
CREATE TRIGGER checkpoint_heads_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON checkpoint_heads FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();
";

/// SQLite cannot change a CHECK: the table is made anew (<https://sqlite.org/lang_altertable.html>,
/// section 7), for which the connection that migrates has foreign keys switched off.
const SQLITE_LEDGER: &str = "
CREATE TABLE new_postings (
    id BLOB PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES wallets (user_id),
    kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'credit', 'deposit', 'reversal',
        'adjustment', 'earning', 'payout')),
    amount_e8 INTEGER NOT NULL,
    reason TEXT NOT NULL,
    author_id BLOB REFERENCES users (id),
    rental_id BLOB,
    period_start TEXT,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    basis TEXT,
    corrects_id BLOB REFERENCES postings (id),
    UNIQUE (user_id, sequence)
) STRICT;
INSERT INTO new_postings SELECT id, user_id, kind, amount_e8, reason, author_id, rental_id,
    period_start, metadata, created_at, sequence, previous_hash, hash, NULL, NULL FROM postings;
DROP TABLE postings;
ALTER TABLE new_postings RENAME TO postings;
CREATE UNIQUE INDEX one_posting_per_period_and_kind ON postings (rental_id, period_start, kind)
    WHERE rental_id IS NOT NULL;
CREATE TRIGGER postings_are_not_updated BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
CREATE TRIGGER postings_are_not_deleted BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;

CREATE TABLE new_entries (
    posting_id BLOB NOT NULL REFERENCES postings (id),
    line INTEGER NOT NULL,
    account TEXT NOT NULL CHECK (account IN ('wallet', 'receivable', 'escrow', 'payable', 'revenue',
        'cash_clearing', 'write_off')),
    owner_id BLOB,
    amount_e8 INTEGER NOT NULL CHECK (amount_e8 <> 0),
    PRIMARY KEY (posting_id, line)
) STRICT;
INSERT INTO new_entries SELECT posting_id, line, account, owner_id, amount_e8 FROM entries;
DROP TABLE entries;
ALTER TABLE new_entries RENAME TO entries;
CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;
CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: correct it with a new posting'); END;

CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER checkpoints_are_not_updated BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_are_not_deleted BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_heads_are_not_updated BEFORE UPDATE ON checkpoint_heads
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_heads_are_not_deleted BEFORE DELETE ON checkpoint_heads
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
";

/// What foreign keys would have refused, had they been switched on.
async fn no_row_lost_its_parent(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let check =
        Statement::from_string(connection.get_database_backend(), "PRAGMA foreign_key_check");
    match connection.query_one_raw(check).await? {
        None => Ok(()),
        Some(row) => {
            let table: String = row.try_get_by_index(0)?;
            Err(DbErr::Custom(format!("a row of {table} refers to one that does not exist")))
        }
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        run(manager, &in_dialect(backend, TABLES)).await?;
        if backend == DbBackend::Postgres {
            return run(manager, POSTGRES_LEDGER).await;
        }
        run(manager, SQLITE_LEDGER).await?;
        no_row_lost_its_parent(manager).await
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
