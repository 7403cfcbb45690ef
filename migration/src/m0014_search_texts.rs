//! Texts that are searched for, in lower case also where SQLite's own `lower`, which earlier migrations filled
//! them with, knows ASCII alone.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::Uuid;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement, Value};

/// The fourteenth migration.
#[derive(DeriveMigrationName)]
pub struct Migration;

/// Where such texts are.
const TABLES: [&str; 2] = ["images", "instances"];
/// How many rows are read at once.
const ROWS: i64 = 1_000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            lower(manager, table).await?;
        }
        Ok(())
    }

    /// All or nothing, also on SQLite, where migrations have no transaction by default.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn lower(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let statement = |sql: String, values: Vec<Value>| {
        Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
    };
    let mut after = Value::from(Uuid::nil());
    loop {
        let part =
            format!("SELECT id, search_text FROM {table} WHERE id > $1 ORDER BY id LIMIT {ROWS}");
        let rows = connection.query_all_raw(statement(part, vec![after])).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.try_get::<Uuid>("", "id")?.into();
        for row in rows {
            let text: String = row.try_get("", "search_text")?;
            let lowered = text.to_lowercase();
            if lowered != text {
                let id: Uuid = row.try_get("", "id")?;
                let save = format!("UPDATE {table} SET search_text = $1 WHERE id = $2");
                let values = vec![lowered.into(), id.into()];
                connection.execute_raw(statement(save, values)).await?;
            }
        }
    }
}
