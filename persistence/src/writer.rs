//! SQLite's one writer.
//!
//! Writers wait in a fair queue and take turns on one connection. Each works in a savepoint of a
//! shared transaction; a writer that has finished queues once more, and whoever comes to the front
//! of the queue first commits for all that have finished. So writers that wait at the same time
//! share one fsync, and nobody is answered before their change is durable.

use std::sync::Arc;
use std::time::Duration;

use domain::Error;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::connection::bounded;
use crate::failure::{Result, failed};

/// Longer than any queue that makes sense to stand in.
const QUEUE_DEADLINE: Duration = Duration::from_secs(15);

/// The queue for the one connection that writes.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<State>>);

struct State {
    connection: DatabaseConnection,
    /// Whether the shared transaction is open.
    open: bool,
    /// Those who have finished and wait for the commit.
    finished: Vec<oneshot::Sender<std::result::Result<(), Arc<DbErr>>>>,
}

/// A writer's turn: nobody else writes until it ends. Dropped, it is rolled back.
pub(crate) struct Turn {
    /// `None` once the turn has ended.
    state: Option<OwnedMutexGuard<State>>,
    connection: DatabaseConnection,
    writer: Writer,
}

impl Writer {
    /// A writer on a pool of exactly one connection.
    pub fn new(connection: DatabaseConnection) -> Self {
        Self(Arc::new(Mutex::new(State { connection, open: false, finished: Vec::new() })))
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Result<Turn> {
        let waiting = tokio::time::timeout(QUEUE_DEADLINE, self.0.clone().lock_owned());
        let mut state = waiting.await.map_err(|_| Error::Busy)?;
        let connection = state.connection.clone();
        let writer = self.clone();
        // In a task of its own: were the caller to go away in the middle, SQLite would begin all the
        // same, and nobody would know. A turn that nobody takes is dropped, which rolls it back.
        let begun = tokio::spawn(async move {
            state.begin().await.map_err(failed)?;
            Ok(Turn { state: Some(state), connection, writer })
        });
        begun.await.map_err(Error::internal)?
    }

    /// Closes the connection when those who wait have had their turn.
    pub async fn close(&self) {
        let mut state = self.0.clone().lock_owned().await;
        state.commit().await;
        if let Err(error) = state.connection.close_by_ref().await {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// Commits for everybody who has finished, if nobody did meanwhile.
    async fn settle(&self) {
        self.0.clone().lock_owned().await.commit().await;
    }
}

impl State {
    async fn run(&self, sql: &str) -> std::result::Result<(), DbErr> {
        bounded(self.connection.execute_unprepared(sql)).await.map(|_| ())
    }

    async fn begin(&mut self) -> std::result::Result<(), DbErr> {
        if !self.open {
            if let Err(error) = self.run("BEGIN IMMEDIATE").await {
                // One that passed its deadline may still be carried out.
                self.run("ROLLBACK").await.unwrap_or(());
                return Err(error);
            }
            self.open = true;
        }
        match self.run("SAVEPOINT turn").await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.abandon(error).await;
                Err(DbErr::Custom("the writer's transaction was lost".to_owned()))
            }
        }
    }

    async fn commit(&mut self) {
        if !self.open {
            return;
        }
        match self.run("COMMIT").await {
            Ok(()) => {
                self.open = false;
                for waiting in self.finished.drain(..) {
                    // Whoever went away meanwhile has their change all the same.
                    waiting.send(Ok(())).unwrap_or(());
                }
            }
            Err(error) => self.abandon(error).await,
        }
    }

    /// The shared transaction is lost: nobody in it has been answered, and now they hear of it.
    async fn abandon(&mut self, error: DbErr) {
        // SQLite may have rolled back by itself (a full disk does that); then this finds nothing.
        self.run("ROLLBACK").await.unwrap_or(());
        self.open = false;
        let error = Arc::new(error);
        for waiting in self.finished.drain(..) {
            waiting.send(Err(error.clone())).unwrap_or(());
        }
    }
}

impl Turn {
    /// The connection, which is this turn's alone.
    pub const fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// Ends the turn; answers when the change is durable.
    pub async fn commit(mut self) -> Result<()> {
        let Some(mut state) = self.state.take() else {
            return Err(Error::internal("a turn was committed twice"));
        };
        let (sender, receiver) = oneshot::channel();
        // In a task of its own, so that a caller who goes away leaves no transaction open.
        let writer = self.writer.clone();
        tokio::spawn(async move {
            match state.run("RELEASE turn").await {
                Ok(()) => state.finished.push(sender),
                Err(error) => {
                    state.finished.push(sender);
                    state.abandon(error).await;
                }
            }
            drop(state);
            writer.settle().await;
        });
        match receiver.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(Error::Unavailable("the writer went away".into())),
        }
    }
}

/// A failed commit, to one of several who shared it.
fn lost(error: &Arc<DbErr>) -> Error {
    Error::Unavailable(format!("the commit failed: {error}").into())
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        let writer = self.writer.clone();
        tokio::spawn(async move {
            if let Err(error) = state.run("ROLLBACK TO turn; RELEASE turn").await {
                state.abandon(error).await;
            }
            drop(state);
            writer.settle().await;
        });
    }
}
