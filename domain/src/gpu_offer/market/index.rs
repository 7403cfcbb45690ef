//! The market that all requests of a process look at, and how it follows the database.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::flight::{Boarding, Flight};
use super::{Market, MarketChanges, MarketMark};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::gpu_offer::{BrowseGpus, GpuRow};
use crate::page::Page;
use crate::store::Reads;

/// Hosts that are read at once: what they are made of takes some milliseconds, in which a thread does nothing
/// else.
const PART: u32 = 1_000;

/// The market of one database. It is as fresh as a statement would be: see [`MarketIndex::refresh`].
#[derive(Debug, Default)]
pub struct MarketIndex {
    /// Never held while anything is waited for.
    known: RwLock<Known>,
    flight: Flight,
}

#[derive(Debug, Default)]
struct Known {
    market: Market,
    /// How far it has come; `None` where everything is to be read anew.
    mark: Option<MarketMark>,
}

impl MarketIndex {
    /// Makes the market show everything that was committed before this was asked, by whichever process. The
    /// database is asked by one request at a time, for all that came before it began.
    pub async fn refresh(&self, reads: &dyn Reads) -> Result<()> {
        match self.flight.board().await {
            Boarding::Done => Ok(()),
            // It would fail again, and those who wait for a database that does not answer would queue for it.
            Boarding::Failed => Err(Error::Busy),
            Boarding::Lead(turn) => {
                let outcome = Box::pin(self.follow(reads)).await;
                if let Err(Error::Unavailable(_)) = outcome {
                    // Whoever answers next may be another database.
                    self.change().mark = None;
                }
                turn.end(outcome.is_ok());
                outcome
            }
        }
    }

    /// The rows that pass now, of what the last refresh has read.
    pub fn rows(&self, browse: &BrowseGpus, now: Timestamp) -> Vec<GpuRow> {
        self.look().market.rows(browse, now.timestamp())
    }

    async fn follow(&self, reads: &dyn Reads) -> Result<()> {
        let since = self.look().mark.clone();
        if let Some(since) = since
            && let Some(changes) = reads.market_changes(&since).await?
        {
            self.change().apply(changes);
            return Ok(());
        }
        let read = load(reads).await?;
        let former = std::mem::replace(&mut *self.change(), read);
        // Not while somebody waits for the lock.
        drop(former);
        Ok(())
    }

    fn look(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn apply(&mut self, mut changes: MarketChanges) {
        let mark = std::mem::replace(&mut changes.mark, MarketMark(String::new()));
        self.market.apply(changes);
        self.mark = Some(mark);
    }
}

/// Reads everything, in parts. What changes meanwhile lies behind the mark and is read again in the end, so
/// that all of it is as it was at one moment.
async fn load(reads: &dyn Reads) -> Result<Known> {
    let began = reads.market_mark().await?;
    let mut known = Known::default();
    let mut after = None;
    loop {
        let part = reads.market_hosts(&Page { after, limit: Some(PART) }).await?;
        let Some(last) = part.last() else { break };
        after = Some(last.offer.host_id);
        for host in part {
            known.market.put(host);
        }
    }
    known.market.shrink();
    let changes = reads.market_changes(&began).await?;
    known.apply(changes.ok_or(Error::Busy)?);
    Ok(known)
}
