//! The unit of work over SeaORM.

use async_trait::async_trait;
use domain::Error;
use domain::store::{Reads, Store, Tx};
use sea_orm::{DatabaseConnection, TransactionTrait};

use crate::connection::{Connection, bounded};
use crate::failure::{Result, failed};
use crate::writer::Writer;

/// Implements every port of the domain over one connection; each noun's module holds its part.
pub struct Handle {
    pub(crate) connection: Connection,
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
        let reads = Handle { connection: Connection::Pool(readers.clone()) };
        Self { readers, writer, reads }
    }

    /// Closes all connections; statements that run are finished first.
    pub async fn close(&self) {
        if let Err(error) = self.readers.close_by_ref().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

impl Reads for Handle {}

#[async_trait]
impl Tx for Handle {
    async fn commit(self: Box<Self>) -> Result<()> {
        match self.connection {
            Connection::Postgres(transaction) => {
                bounded(transaction.commit()).await.map_err(failed)
            }
            Connection::Sqlite(turn) => turn.commit().await,
            Connection::Pool(_) => Err(Error::internal("there is no transaction to commit")),
        }
    }
}

#[async_trait]
impl Store for Database {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where PostgreSQL's begin")]
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        let connection = match &self.writer {
            Some(writer) => Connection::Sqlite(writer.turn().await?),
            None => Connection::Postgres(bounded(self.readers.begin()).await.map_err(failed)?),
        };
        Ok(Box::new(Handle { connection }))
    }

    fn reads(&self) -> &dyn Reads {
        &self.reads
    }

    async fn ready(&self) -> Result<()> {
        crate::schema::check(&self.readers).await.map_err(|fault| Error::Unavailable(fault.into()))
    }
}
