//! Writes down what time has done to rentals.

use serde_json::json;
use tracing::{error, instrument};

use super::{Phase, Rental, RentalId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result};
use crate::event::{Actor, Event, Subject};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};

/// Rentals looked up at a time; each is written in a transaction of its own.
const BATCH: u32 = 200;

/// Moves every rental whose end or hold has passed to where it stands now, and answers how many
/// were moved. Safe to run twice, at once, and after any pause: it looks only at what is.
#[instrument(name = "rental.expire_due", skip_all)]
pub async fn expire_due(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let mut moved = 0;
    loop {
        let now = clock.now();
        let due = store.reads().due_rentals(now, BATCH).await?;
        let before = moved;
        for id in &due {
            match move_on(store, random, *id, now).await {
                Ok(true) => moved += 1,
                Ok(false) => {}
                // A row that cannot be read must not keep all the others from moving.
                Err(error @ Error::Internal(_)) => {
                    error!(rental_id = %id, cause = error.for_the_log(), "a rental did not move on");
                }
                Err(error) => return Err(error),
            }
        }
        // None were due, or others move the same ones at this moment.
        if moved == before {
            return Ok(moved);
        }
    }
}

async fn move_on(
    store: &dyn Store,
    random: &dyn Random,
    id: RentalId,
    now: Timestamp,
) -> Result<bool> {
    atomically(store, async |tx: &dyn Tx| {
        let Some(seen) = tx.rental_with_host(id).await? else {
            return Ok(false);
        };
        let Some(host) = tx.host_for_update(seen.host.id).await? else {
            return Ok(false);
        };
        let Some(stored) = tx.rental_for_update(id).await? else {
            return Ok(false);
        };
        let rental = stored.clone().at(now);
        if rental == stored {
            return Ok(false);
        }
        let rental = rental.earning_at(now);
        tx.save_rental(&rental).await?;
        if !rental.is_live() {
            tx.save_occupancy(&host.release_from(id)).await?;
        }
        tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: id }, now, random)).await?;
        tx.record(events(&stored, &rental, now)).await?;
        Ok(true)
    })
    .await
}

/// One event for each phase passed, also for those that nobody saw because the process was down.
fn events(before: &Rental, after: &Rental, now: Timestamp) -> Vec<Event> {
    let event = |kind, at| Event {
        kind,
        subject: Subject::Rental(after.id),
        actor: Actor::System,
        before: None,
        recipient: Some(after.renter_id),
        data: json!({ "host_id": after.host_id, "renter_id": after.renter_id }),
        at,
    };
    let mut events = Vec::new();
    if before.phase == Phase::Hold && after.phase == Phase::Active {
        events.push(event("rental.resumed", now));
    }
    if before.phase == Phase::Active && before.hold_days > 0 {
        events.push(event("rental.held", before.ends_at));
    }
    if let Phase::Ended { at, .. } = after.phase {
        events.push(event("rental.expired", at));
    }
    events
}
