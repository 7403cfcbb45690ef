//! What the database itself refuses, and which databases Berth refuses to start on.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use domain::store::Store;
use persistence::SchemaError;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use tests::{Kind, TestApp, TestDatabase, on_both_databases};

async fn migrated(database: &TestDatabase) -> Result<(), SchemaError> {
    let store = persistence::connect(&database.url, 2).await?;
    let outcome = store.migrate(&database.url).await;
    store.close().await;
    outcome
}

/// A PostgreSQL or SQLite database without a single table.
pub async fn empty(kind: Kind) -> TestDatabase {
    let database = TestDatabase::create(kind).await;
    if kind == Kind::Postgres {
        let connection = database.connect().await;
        let sql = "DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        connection.execute_unprepared(sql).await.unwrap();
        connection.close().await.unwrap();
    }
    database
}

/// A connection of the tests' own, with the triggers of `persistence::schema`'s; on SQLite the file
/// is created if it is not there yet.
pub async fn look(database: &TestDatabase) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(&database.url);
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite.create_if_missing(true).foreign_keys(true).pragma("recursive_triggers", "ON")
    });
    sea_orm::Database::connect(options).await.unwrap()
}

pub async fn count(connection: &DatabaseConnection, sql: &str) -> i64 {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn tables(connection: &DatabaseConnection) -> i64 {
    let sql = match connection.get_database_backend() {
        sea_orm::DbBackend::Postgres => {
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' \
             AND tablename <> 'seaql_migrations'"
        }
        _ => {
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' \
             AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'"
        }
    };
    count(connection, sql).await
}

fn file(database: &TestDatabase) -> PathBuf {
    PathBuf::from(database.url.strip_prefix("sqlite://").unwrap())
}

/// Runs `berth migrate` on a database.
fn berth_migrate(database: &TestDatabase) -> Output {
    let deps = std::env::current_exe().unwrap();
    let berth = deps.parent().unwrap().parent().unwrap().join("berth");
    assert!(berth.is_file(), "{} is missing: run `cargo build` first", berth.display());
    let folder = std::env::temp_dir();
    let mut command = Command::new(berth);
    command.arg("migrate").current_dir(folder).env("BERTH__DATABASE__URL", &database.url);
    command.output().unwrap()
}

/// Both the library and the program refuse, with the same sentence that says what to do.
async fn is_refused(database: &TestDatabase, sentences: &[&str]) {
    let refusal = migrated(database).await.unwrap_err().to_string();
    let output = berth_migrate(database);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    for sentence in sentences {
        assert!(refusal.contains(sentence), "{refusal}");
        assert!(told.contains(sentence), "{told}");
    }
}

const RESTORE: &str = "Restore it from a backup; do not start on it";

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let database = empty(Kind::Sqlite).await;
    migrated(&database).await.unwrap();
    let path = file(&database);
    let mut bytes = fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4_096).skip(2).step_by(3) {
        page.fill(0xa5);
    }
    fs::write(&path, &bytes).unwrap();
    is_refused(&database, &["the database file is damaged", RESTORE]).await;
    assert_eq!(fs::read(&path).unwrap(), bytes, "the evidence was changed");
    database.remove().await;
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_refused() {
    let database = empty(Kind::Sqlite).await;
    migrated(&database).await.unwrap();
    let path = file(&database);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    is_refused(&database, &["the database file is damaged", RESTORE]).await;
    database.remove().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let database = empty(Kind::Sqlite).await;
    let text = "Dear diary, today I was mistaken for a database.\n".repeat(100);
    fs::write(file(&database), &text).unwrap();
    is_refused(&database, &["the database file is damaged", "not a database", RESTORE]).await;
    assert_eq!(fs::read_to_string(file(&database)).unwrap(), text);
    database.remove().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_refused_with_advice() {
    for url in ["postgres://127.0.0.1:1/berth", "sqlite:///proc/berth/berth.sqlite"] {
        let refusal = persistence::connect(url, 1).await.err().unwrap().to_string();
        assert!(refusal.contains("Check database.url"), "{refusal}");
    }
    let refusal = persistence::connect("mysql://localhost/berth", 1).await.err().unwrap();
    assert!(refusal.to_string().contains("must begin with sqlite:// or postgres://"));
}

async fn newer(kind: Kind) {
    let database = empty(kind).await;
    migrated(&database).await.unwrap();
    let connection = look(&database).await;
    let future = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_future', 0)";
    connection.execute_unprepared(future).await.unwrap();
    let advice = "Start that version, or restore a backup from before it";
    is_refused(&database, &["migrated by a newer berth", "m9999_future", advice]).await;
    let store = persistence::connect(&database.url, 1).await.unwrap();
    let unready = store.ready().await.unwrap_err();
    let cause = std::error::Error::source(&unready).unwrap().to_string();
    assert!(cause.contains("m9999_future"), "{cause}");
    store.close().await;
    connection.close().await.unwrap();
    database.remove().await;
}

async fn idempotent(kind: Kind) {
    let database = empty(kind).await;
    let store = persistence::connect(&database.url, 1).await.unwrap();
    let unready = store.ready().await.unwrap_err();
    let cause = std::error::Error::source(&unready).unwrap().to_string();
    assert!(cause.contains("Run `berth migrate`"), "{cause}");
    for _ in 0..3 {
        store.migrate(&database.url).await.unwrap();
        store.ready().await.unwrap();
    }
    store.close().await;
    let output = berth_migrate(&database);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let connection = look(&database).await;
    let applied = count(&connection, "SELECT count(*) FROM seaql_migrations").await;
    let distinct = count(&connection, "SELECT count(DISTINCT version) FROM seaql_migrations").await;
    assert_eq!(applied, distinct);
    connection.close().await.unwrap();
    database.remove().await;
}

// Seen failing on SQLite without `use_transaction` of the migration.
async fn all_or_nothing(kind: Kind) {
    let database = empty(kind).await;
    let connection = look(&database).await;
    // A table in the way of one that comes late in the migration.
    connection.execute_unprepared("CREATE TABLE jobs (id integer)").await.unwrap();
    is_refused(&database, &["the migration failed and nothing was changed", "jobs"]).await;
    assert_eq!(tables(&connection).await, 1);
    connection.execute_unprepared("DROP TABLE jobs").await.unwrap();
    migrated(&database).await.unwrap();
    assert!(tables(&connection).await > 10);
    connection.close().await.unwrap();
    database.remove().await;
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused() {
    newer(Kind::Sqlite).await;
    newer(Kind::Postgres).await;
}

#[tokio::test]
async fn a_migrated_database_is_migrated_again_without_effect() {
    idempotent(Kind::Sqlite).await;
    idempotent(Kind::Postgres).await;
}

#[tokio::test]
async fn a_migration_is_all_or_nothing() {
    all_or_nothing(Kind::Sqlite).await;
    all_or_nothing(Kind::Postgres).await;
}

#[tokio::test]
async fn processes_of_postgres_may_migrate_at_once() {
    let database = empty(Kind::Postgres).await;
    let migrating = || Box::pin(migrated(&database));
    let (first, second, third) = tokio::join!(migrating(), migrating(), migrating());
    first.and(second).and(third).unwrap();
    database.remove().await;
}

/// Runs a statement that must fail, beside one that differs in the guarded point and must not.
async fn refuses(connection: &DatabaseConnection, bad: &str, why: &[&str], good: Option<&str>) {
    let attempt = async |sql: &str| -> Result<(), DbErr> {
        connection.execute_unprepared("BEGIN").await?;
        let outcome = connection.execute_unprepared(sql).await;
        connection.execute_unprepared("ROLLBACK").await?;
        outcome.map(|_| ())
    };
    let error = attempt(bad).await.err().unwrap_or_else(|| panic!("{bad}")).to_string();
    assert!(why.iter().any(|word| error.contains(word)), "{bad}: {error}");
    if let Some(good) = good {
        attempt(good).await.unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

fn new_id(database: &TestDatabase) -> &'static str {
    if database.kind == Kind::Postgres { "gen_random_uuid()" } else { "randomblob(16)" }
}

on_both_databases! {
    async fn the_ledger_is_only_ever_added_to(app: &TestApp) {
        app.renter("jane", "100.00").await;
        let connection = look(&app.database).await;
        for table in ["postings", "entries"] {
            let mut changes = vec![
                format!("UPDATE {table} SET amount_e8 = amount_e8 + 1"),
                format!("UPDATE {table} SET amount_e8 = amount_e8"),
                format!("DELETE FROM {table}"),
            ];
            if app.database.kind == Kind::Postgres {
                changes.push(format!("TRUNCATE {table} CASCADE"));
                changes.push("TRUNCATE wallets CASCADE".to_owned());
            } else {
                changes.push(format!("REPLACE INTO {table} SELECT * FROM {table}"));
            }
            for change in changes {
                refuses(&connection, &change, &["append-only"], None).await;
            }
        }
        connection.close().await.unwrap();
    }

    async fn a_balance_below_zero_cannot_be_stored(app: &TestApp) {
        app.renter("jane", "100.00").await;
        let connection = look(&app.database).await;
        let good = "UPDATE wallets SET balance_e8 = 0";
        let bad = "UPDATE wallets SET balance_e8 = -1";
        refuses(&connection, bad, &["balance_e8"], Some(good)).await;
        let bad = "UPDATE wallets SET balance_e8 = NULL";
        refuses(&connection, bad, &["balance_e8"], None).await;
        connection.close().await.unwrap();
    }

    async fn a_host_has_one_live_rental(app: &TestApp) {
        let (server, jane) = (app.server("node").await, app.renter("jane", "100.00").await);
        jane.rent(&server, 7).await.data(201);
        let connection = look(&app.database).await;
        let insert = |status: &str, ended_at: &str| {
            let id = new_id(&app.database);
            format!(
                "INSERT INTO rentals (id, host_id, renter_id, pool_id, status, started_at, \
                 ends_at, hold_days, held_until, ended_at, amount_e8, terms, charge_id, access) \
                 SELECT {id}, host_id, renter_id, pool_id, '{status}', started_at, ends_at, \
                 hold_days, held_until, {ended_at}, amount_e8, terms, charge_id, access \
                 FROM rentals"
            )
        };
        let ended = insert("expired", "ends_at");
        let key = ["one_live_rental_per_host", "rentals.host_id"];
        for status in ["active", "hold"] {
            refuses(&connection, &insert(status, "NULL"), &key, Some(&ended)).await;
        }
        refuses(&connection, &insert("expired", "NULL"), &["CHECK", "check"], Some(&ended)).await;
        connection.close().await.unwrap();
    }

    async fn a_period_is_charged_once(app: &TestApp) {
        let (server, jane) = (app.server("node").await, app.renter("jane", "100.00").await);
        jane.rent(&server, 7).await.data(201);
        let connection = look(&app.database).await;
        let insert = |kind: &str| {
            let id = new_id(&app.database);
            format!(
                "INSERT INTO postings (id, user_id, kind, amount_e8, reason, author_id, \
                 rental_id, period_start, metadata, created_at, sequence, previous_hash, hash) \
                 SELECT {id}, user_id, '{kind}', amount_e8, reason, author_id, rental_id, \
                 period_start, metadata, created_at, sequence + 100, previous_hash, hash \
                 FROM postings WHERE kind = 'charge'"
            )
        };
        let key = ["one_posting_per_period_and_kind", "postings.period_start"];
        refuses(&connection, &insert("charge"), &key, Some(&insert("refund"))).await;
        let again = insert("refund").replace("sequence + 100", "sequence");
        let key = ["postings_user_id_sequence", "postings.sequence"];
        refuses(&connection, &again, &key, None).await;
        connection.close().await.unwrap();
    }

    async fn a_user_has_one_default_pool(app: &TestApp) {
        app.user("jane").await;
        let connection = look(&app.database).await;
        let insert = |is_default: &str| {
            let id = new_id(&app.database);
            format!(
                "INSERT INTO pools SELECT {id}, owner_id, name, description, {is_default}, \
                 settings, created_at, updated_at FROM pools"
            )
        };
        let bad = insert("is_default");
        let key = ["one_default_pool_per_user", "pools.owner_id"];
        refuses(&connection, &bad, &key, Some(&insert("NOT is_default"))).await;
        connection.close().await.unwrap();
    }

    async fn an_idempotency_key_has_one_record(app: &TestApp) {
        let (server, jane) = (app.server("node").await, app.renter("jane", "100.00").await);
        let path = format!("/servers/{server}/rent");
        jane.post_once(&path, "key", serde_json::json!({ "rental_days": 7 })).await.data(201);
        let connection = look(&app.database).await;
        let insert = |key: &str| {
            format!(
                "INSERT INTO idempotency_records SELECT user_id, {key}, fingerprint, outcome, \
                 created_at FROM idempotency_records"
            )
        };
        let bad = insert("idempotency_key");
        let key = ["idempotency_records_pkey", "idempotency_records.user_id"];
        refuses(&connection, &bad, &key, Some(&insert("'another'"))).await;
        connection.close().await.unwrap();
    }
}
