//! One SQL text for both databases.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// The words in braces, as PostgreSQL and as SQLite spell them.
const WORDS: &[(&str, &str, &str)] = &[
    ("{uuid}", "uuid", "BLOB"),
    ("{text}", "text", "TEXT"),
    ("{int}", "bigint", "INTEGER"),
    ("{bool}", "boolean", "INTEGER"),
    ("{bytes}", "bytea", "BLOB"),
    ("{json}", "jsonb", "TEXT"),
    ("{instant}", "timestamptz", "TEXT"),
    (
        "{identity}",
        "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "INTEGER PRIMARY KEY AUTOINCREMENT",
    ),
    ("{strict}", "", " STRICT"),
];

/// Puts a database's own types in place of the words in braces.
pub fn in_dialect(backend: DbBackend, sql: &str) -> String {
    WORDS.iter().fold(sql.to_owned(), |sql, (word, postgres, sqlite)| {
        sql.replace(word, if backend == DbBackend::Postgres { postgres } else { sqlite })
    })
}

/// Runs several statements.
pub async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    manager.get_connection().execute_unprepared(sql).await.map(|_| ())
}
