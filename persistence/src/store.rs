//! The unit of work over SeaORM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use domain::Error;
use domain::store::{Reads, Store, Tx};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, IsolationLevel, Statement, TransactionTrait,
};

use crate::connection::{Connection, bounded};
use crate::failure::{Result, corrupt, failed};
use crate::host::Totals;
use crate::writer::Writer;

/// Implements every port of the domain over one connection; each noun's module holds its part.
pub struct Handle {
    pub(crate) connection: Connection,
    pub(crate) totals: Arc<Totals>,
    /// Rises with every change of plans by this process.
    pub(crate) plan_generation: Arc<AtomicU64>,
    /// Whether this transaction writes what offers are made of.
    changes_offers: AtomicBool,
    /// Whether it writes plans.
    changes_plans: AtomicBool,
}

impl Handle {
    fn new(connection: Connection, totals: Arc<Totals>, plan_generation: Arc<AtomicU64>) -> Self {
        Self {
            connection,
            totals,
            plan_generation,
            changes_offers: AtomicBool::new(false),
            changes_plans: AtomicBool::new(false),
        }
    }

    /// Another one that notes the same changes.
    fn beside(&self, connection: Connection) -> Self {
        Self::new(connection, self.totals.clone(), self.plan_generation.clone())
    }

    pub(crate) fn changes_offers(&self) {
        self.changes_offers.store(true, Ordering::Relaxed);
    }

    pub(crate) fn changes_plans(&self) {
        self.changes_plans.store(true, Ordering::Relaxed);
    }

    async fn fixed_setting(&self, name: &str) -> Result<Option<String>> {
        let select = Statement::from_sql_and_values(
            self.connection.get_database_backend(),
            "SELECT value FROM fixed_settings WHERE name = $1",
            [name.into()],
        );
        let row = self.connection.query_one_raw(select).await.map_err(failed)?;
        row.map(|row| row.try_get_by_index(0)).transpose().map_err(failed)
    }
}

/// A database: SQLite with one writer and several readers, or PostgreSQL.
pub struct Database {
    pub(crate) readers: DatabaseConnection,
    /// SQLite's; PostgreSQL's transactions begin on the pool.
    pub(crate) writer: Option<Writer>,
    reads: Handle,
}

impl Database {
    pub(crate) fn new(readers: DatabaseConnection, writer: Option<Writer>) -> Self {
        let reads = Handle::new(Connection::Pool(readers.clone()), Arc::default(), Arc::default());
        Self { readers, writer, reads }
    }

    /// Lets the database look at how its rows are distributed, if it does not see to that by itself:
    /// SQLite otherwise plans as if all indexes were alike.
    pub async fn optimize(&self) -> Result<()> {
        let Some(writer) = &self.writer else {
            return Ok(());
        };
        let turn = writer.turn().await?;
        let optimize = bounded(turn.connection().execute_unprepared("PRAGMA optimize = 0x10002"));
        optimize.await.map_err(failed)?;
        turn.commit().await
    }

    /// The value that a setting was given by the first start on this database: the present one, if
    /// this is it.
    pub async fn fixed_setting(&self, name: &str, present: &str) -> Result<String> {
        // Later starts only read, so that they do not wait for whoever writes.
        if let Some(value) = self.reads.fixed_setting(name).await? {
            return Ok(value);
        }
        let tx = self.begin_handle().await?;
        let insert = Statement::from_sql_and_values(
            tx.connection.get_database_backend(),
            "INSERT INTO fixed_settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [name.into(), present.into()],
        );
        tx.connection.execute_raw(insert).await.map_err(failed)?;
        // Another process may have been the first one.
        let value = tx.fixed_setting(name).await?.ok_or_else(|| corrupt("a fixed setting"))?;
        Box::new(tx).commit().await?;
        Ok(value)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place where PostgreSQL's begin")]
    async fn begin_handle(&self) -> Result<Handle> {
        let connection = match &self.writer {
            Some(writer) => Connection::Sqlite(writer.turn().await?),
            None => Connection::Transaction(bounded(self.readers.begin()).await.map_err(failed)?),
        };
        Ok(self.reads.beside(connection))
    }
}

impl Reads for Handle {}

/// Notes what a transaction changed when it is dropped.
struct Changed {
    offers: Option<Arc<Totals>>,
    plans: Option<Arc<AtomicU64>>,
}

impl Drop for Changed {
    fn drop(&mut self) {
        if let Some(totals) = &self.offers {
            totals.changed();
        }
        if let Some(generation) = &self.plans {
            generation.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Tx for Handle {
    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { connection, totals, plan_generation, changes_offers, changes_plans } = *self;
        // Dropped in any case, since a commit that failed or was not waited for may have happened.
        let _changed = Changed {
            offers: changes_offers.into_inner().then_some(totals),
            plans: changes_plans.into_inner().then_some(plan_generation),
        };
        match connection {
            Connection::Transaction(transaction) => {
                bounded(transaction.commit()).await.map_err(failed)
            }
            Connection::Sqlite(turn) => turn.commit().await,
            Connection::Pool(_) => Err(Error::internal("there is no transaction to commit")),
        }
    }
}

#[async_trait]
impl Store for Database {
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        Ok(Box::new(self.begin_handle().await?))
    }

    fn reads(&self) -> &dyn Reads {
        &self.reads
    }

    async fn snapshot(&self) -> Result<Box<dyn Reads>> {
        // SQLite's transactions are snapshots by themselves, and it knows no other kind.
        let isolation = self.writer.is_none().then_some(IsolationLevel::RepeatableRead);
        let access = self.writer.is_none().then_some(AccessMode::ReadOnly);
        let begun = bounded(self.readers.begin_with_config(isolation, access)).await;
        let connection = Connection::Transaction(begun.map_err(failed)?);
        Ok(Box::new(self.reads.beside(connection)))
    }

    async fn ready(&self) -> Result<()> {
        crate::schema::check(&self.readers).await.map_err(|fault| Error::Unavailable(fault.into()))
    }

    async fn close(&self) {
        if let Err(error) = self.readers.close_by_ref().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
