//! Gives the money back for hosts that never became ready.

use tracing::{error, instrument};

use super::RentalId;
use super::settlement::{lock, settle};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result};
use crate::event::Actor;
use crate::store::{Store, Tx, atomically};

/// Rentals looked up at a time; each is written in a transaction of its own.
const BATCH: u32 = 200;

/// Ends every rental whose host did not become ready in time, and refunds all that was paid for it;
/// answers how many. Safe to run twice, at once, and after any pause.
#[instrument(name = "rental.abandon_unready", skip_all)]
pub async fn abandon_unready(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<u32> {
    let mut abandoned = 0;
    loop {
        let now = clock.now();
        let due = store.reads().unready_rentals(now, BATCH).await?;
        let before = abandoned;
        for id in &due {
            match abandon(store, random, *id, now).await {
                Ok(true) => abandoned += 1,
                Ok(false) => {}
                // A row that cannot be read must not keep all the others from their money.
                Err(error @ Error::Internal(_)) => {
                    let cause = error.for_the_log();
                    error!(rental_id = %id, cause, "a rental that never became ready was not refunded");
                }
                Err(error) => return Err(error),
            }
        }
        if abandoned == before {
            return Ok(abandoned);
        }
    }
}

async fn abandon(
    store: &dyn Store,
    random: &dyn Random,
    id: RentalId,
    now: Timestamp,
) -> Result<bool> {
    atomically(store, async |tx: &dyn Tx| {
        let locked = lock(tx, id, async |_| Ok(())).await?;
        if !locked.rental.is_overdue(now) {
            return Ok(false);
        }
        let cause = ("The server did not become ready", Actor::System);
        settle(tx, random, locked, cause, now).await.map(|_| true)
    })
    .await
}
