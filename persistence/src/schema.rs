//! Opens a database, brings its schema up to date, and refuses what this program cannot serve.

use std::path::Path;
use std::time::Duration;

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaDatabase, DatabaseConnection, DbErr,
};

use crate::store::Database;
use crate::writer::Writer;

/// PostgreSQL processes that migrate at once wait for each other on this advisory lock.
const MIGRATION_LOCK: i64 = 0x0062_6572_7468;
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(10);
/// A connection opened on empty tables keeps plans that are slow once they are full.
const POSTGRES_LIFETIME: Duration = Duration::from_mins(10);

/// Why a database cannot be served, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The address names neither SQLite nor PostgreSQL.
    #[error("database.url must begin with sqlite:// or postgres://")]
    Scheme,
    /// It does not answer.
    #[error(
        "the database cannot be opened: {0}. Check database.url, and that the server runs or the folder can be written"
    )]
    Connect(#[source] DbErr),
    /// The file is damaged, or is no database.
    #[error("the database file is damaged: {0}. Restore it from a backup; do not start on it")]
    Damaged(String),
    /// A newer program has migrated it.
    #[error(
        "the database was migrated by a newer berth (it has `{0}`, which this one does not know). Start that version, or restore a backup from before it"
    )]
    Newer(String),
    /// A migration is missing.
    #[error("the database lacks the migration `{0}`. Run `berth migrate`")]
    Older(String),
    /// A migration failed and was rolled back.
    #[error("the migration failed and nothing was changed: {0}")]
    Migration(#[source] DbErr),
}

/// Opens the database at `url`. A SQLite file is created if it is missing; its schema may be empty.
pub async fn connect(url: &str, max_connections: u32) -> Result<Database, SchemaError> {
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("sqlite") => sqlite(url, max_connections).await,
        Some("postgres" | "postgresql") => postgres(url, max_connections).await,
        _ => Err(SchemaError::Scheme),
    }
}

async fn sqlite(url: &str, max_connections: u32) -> Result<Database, SchemaError> {
    let path = url.trim_start_matches("sqlite://");
    let path = path.split('?').next().unwrap_or(path);
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            SchemaError::Connect(DbErr::Custom(format!("{}: {error}", folder.display())))
        })?;
    }
    let writer = open_sqlite(url, SqliteUse::Write).await?;
    integrity(&writer).await?;
    let readers = open_sqlite(url, SqliteUse::Read { connections: max_connections }).await?;
    Ok(Database::new(readers, Some(Writer::new(writer))))
}

/// What SQLite is opened for.
#[derive(Clone, Copy)]
enum SqliteUse {
    Read {
        connections: u32,
    },
    Write,
    /// Without foreign keys, because a table is changed by making it anew.
    Migrate,
}

async fn open_sqlite(url: &str, usage: SqliteUse) -> Result<DatabaseConnection, SchemaError> {
    let connections = match usage {
        SqliteUse::Read { connections } => connections,
        SqliteUse::Write | SqliteUse::Migrate => 1,
    };
    let readonly = matches!(usage, SqliteUse::Read { .. });
    let mut options = quiet(url, connections);
    options.max_lifetime(None).idle_timeout(None).test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(true)
            .foreign_keys(!matches!(usage, SqliteUse::Migrate))
            .busy_timeout(Duration::from_secs(10))
            .pragma("journal_mode", "WAL")
            // NORMAL loses acknowledged commits at a power cut, FULL does not.
            .pragma("synchronous", "FULL")
            // Without it a REPLACE would pass by the triggers that guard the ledger.
            .pragma("recursive_triggers", "ON")
            .pragma("query_only", if readonly { "ON" } else { "OFF" })
            .statement_cache_capacity(256)
    });
    SeaDatabase::connect(options).await.map_err(unreadable)
}

async fn integrity(writer: &DatabaseConnection) -> Result<(), SchemaError> {
    let check =
        sea_orm::Statement::from_string(writer.get_database_backend(), "PRAGMA quick_check(1)");
    let row = writer.query_one_raw(check).await.map_err(unreadable)?;
    let verdict = row.and_then(|row| row.try_get_by_index::<String>(0).ok()).unwrap_or_default();
    if verdict == "ok" { Ok(()) } else { Err(SchemaError::Damaged(verdict)) }
}

fn unreadable(error: DbErr) -> SchemaError {
    let text = error.to_string();
    if text.contains("malformed") || text.contains("not a database") {
        SchemaError::Damaged(text)
    } else {
        SchemaError::Connect(error)
    }
}

async fn postgres(url: &str, max_connections: u32) -> Result<Database, SchemaError> {
    let mut options = quiet(url, max_connections);
    options.max_lifetime(POSTGRES_LIFETIME).set_application_name("berth");
    options.test_before_acquire(false).test_before_acquire_if_idle_for(Duration::from_secs(10));
    options.map_sqlx_postgres_opts(|postgres| {
        let limits = [("lock_timeout", "10s"), ("statement_timeout", "20s")];
        postgres.options(limits).statement_cache_capacity(256)
    });
    let readers = SeaDatabase::connect(options).await.map_err(SchemaError::Connect)?;
    Ok(Database::new(readers, None))
}

fn quiet(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_DEADLINE)
        .connect_timeout(ACQUIRE_DEADLINE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

impl Database {
    /// Applies the migrations that are missing. Processes that do this at once wait for each other.
    pub async fn migrate(&self, url: &str) -> Result<(), SchemaError> {
        if missing(&self.readers).await?.is_empty() {
            return Ok(());
        }
        if self.writer.is_some() {
            let writer = open_sqlite(url, SqliteUse::Migrate).await?;
            let outcome = Migrator::up(&writer, None).await;
            writer.close().await.map_err(SchemaError::Migration)?;
            return outcome.map_err(SchemaError::Migration);
        }
        // One connection, because an advisory lock belongs to its session.
        let alone = SeaDatabase::connect(quiet(url, 1)).await.map_err(SchemaError::Connect)?;
        let lock = format!("SET lock_timeout = '2min'; SELECT pg_advisory_lock({MIGRATION_LOCK})");
        alone.execute_unprepared(&lock).await.map_err(SchemaError::Migration)?;
        let outcome = Migrator::up(&alone, None).await;
        alone.close().await.map_err(SchemaError::Migration)?;
        outcome.map_err(SchemaError::Migration)
    }
}

/// Whether the schema is exactly the one that this program was built for.
pub(crate) async fn check(connection: &DatabaseConnection) -> Result<(), SchemaError> {
    match missing(connection).await?.first() {
        None => Ok(()),
        Some(missing) => Err(SchemaError::Older(missing.clone())),
    }
}

/// The names of the migrations that are missing; one that we do not know is an error.
async fn missing(connection: &DatabaseConnection) -> Result<Vec<String>, SchemaError> {
    let known: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let applied = applied(connection).await.map_err(unreadable)?;
    if let Some(newer) = applied.iter().find(|name| !known.contains(name)) {
        return Err(SchemaError::Newer(newer.clone()));
    }
    Ok(known.into_iter().filter(|name| !applied.contains(name)).collect())
}

async fn applied(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let table = match connection.get_database_backend() {
        sea_orm::DbBackend::Postgres => "SELECT to_regclass('seaql_migrations')::text",
        _ => "SELECT max(name) FROM sqlite_master WHERE name = 'seaql_migrations'",
    };
    let backend = connection.get_database_backend();
    let query = |sql: &str| sea_orm::Statement::from_string(backend, sql);
    let row = connection.query_one_raw(query(table)).await?;
    let found = row.map(|row| row.try_get_by_index::<Option<String>>(0)).transpose()?.flatten();
    if found.is_none() {
        return Ok(Vec::new());
    }
    let rows = connection.query_all_raw(query("SELECT version FROM seaql_migrations")).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
