//! What statements run on: a pool, a transaction, or the turn of SQLite's one writer.
//! Every statement has a deadline here, and is counted for the request that it serves.

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, Statement,
};

use crate::writer::Turn;

/// No statement of ours takes long; a frozen database does not fire its own timeouts.
const STATEMENT_DEADLINE: Duration = Duration::from_secs(20);
/// The marker by which [`crate::failure`] knows a passed deadline.
pub(crate) const DEADLINE_PASSED: &str = "statement deadline passed";

tokio::task_local! {
    static STATEMENTS: Cell<u32>;
}

/// Runs `work` and answers how many statements it sent to the database.
pub async fn counting_statements<T>(work: impl Future<Output = T>) -> (T, u32) {
    STATEMENTS
        .scope(Cell::new(0), async {
            let output = work.await;
            (output, STATEMENTS.with(Cell::get))
        })
        .await
}

/// What statements run on.
pub(crate) enum Connection {
    /// Each statement on its own.
    Pool(DatabaseConnection),
    /// A transaction of PostgreSQL, or a snapshot of either.
    Transaction(DatabaseTransaction),
    /// A savepoint of SQLite's writer.
    Sqlite(Turn),
}

macro_rules! on {
    ($self:ident, $inner:ident => $call:expr) => {
        bounded(async {
            match $self {
                Self::Pool($inner) => $call.await,
                Self::Transaction($inner) => $call.await,
                Self::Sqlite(turn) => {
                    let $inner = turn.connection();
                    $call.await
                }
            }
        })
        .await
    };
}

/// A statement within its deadline, counted.
pub(crate) async fn bounded<T>(
    statement: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    // Work outside of a request is not counted.
    STATEMENTS.try_with(|count| count.set(count.get().saturating_add(1))).unwrap_or(());
    match tokio::time::timeout(STATEMENT_DEADLINE, statement).await {
        Ok(outcome) => outcome,
        Err(_) => Err(DbErr::Query(RuntimeErr::Internal(DEADLINE_PASSED.to_owned()))),
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Pool(pool) => pool.get_database_backend(),
            Self::Transaction(transaction) => transaction.get_database_backend(),
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        on!(self, inner => inner.execute_raw(statement))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        on!(self, inner => inner.execute_unprepared(sql))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        on!(self, inner => inner.query_one_raw(statement))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        on!(self, inner => inner.query_all_raw(statement))
    }
}
