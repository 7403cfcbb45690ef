//! What every sweep that does one thing after the other has in common.

use std::collections::BTreeSet;
use std::fmt::Display;

use tracing::error;

use crate::error::{Error, Result};
use crate::store::{Store, Tx, atomically};

/// How many are looked up at a time.
const BATCH: usize = 200;

/// Does all that is due, each in a transaction of its own, and answers how many were done: `due` looks
/// up at most so many, the most urgent first, and `work` answers whether there was something to do.
///
/// What fails by a fault of its own, such as a row that cannot be read, is logged and left to the next
/// sweep; it keeps nothing behind it waiting, however many of them there are. A database that does
/// not answer ends the sweep.
pub(crate) async fn each_due<Id: Copy + Display + Ord>(
    store: &dyn Store,
    due: impl AsyncFn(u32) -> Result<Vec<Id>>,
    work: impl AsyncFn(&dyn Tx, Id) -> Result<bool>,
) -> Result<u32> {
    let (mut seen, mut done) = (BTreeSet::new(), 0);
    loop {
        // What is still due of those seen stands before the others.
        let limit = u32::try_from(seen.len() + BATCH).unwrap_or(u32::MAX);
        let mut found = due(limit).await?;
        found.retain(|id| seen.insert(*id));
        if found.is_empty() {
            return Ok(done);
        }
        for id in found {
            match atomically(store, async |tx: &dyn Tx| work(tx, id).await).await {
                Ok(is_done) => done += u32::from(is_done),
                Err(failure @ (Error::Busy | Error::Unavailable(_))) => return Err(failure),
                Err(failure) => {
                    error!(%id, cause = failure.for_the_log(), "a sweep left something out");
                }
            }
        }
    }
}
