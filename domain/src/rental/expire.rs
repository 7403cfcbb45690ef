//! Writes down what time has done to rentals.

use std::collections::HashMap;

use serde_json::json;
use tracing::{error, instrument};

use super::{Phase, Rental, RentalId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result};
use crate::event::{Actor, Event, Subject};
use crate::host::{Host, HostId};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};

/// Rentals moved in one transaction, with a fixed number of statements.
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
        match move_on(store, random, &due, now).await {
            Ok(count) => moved += count,
            // A row that cannot be read must not keep all the others from moving.
            Err(Error::Internal(_)) => moved += one_by_one(store, random, &due, now).await?,
            Err(error) => return Err(error),
        }
        // None were due, or others move the same ones at this moment.
        if moved == before {
            return Ok(moved);
        }
    }
}

async fn one_by_one(
    store: &dyn Store,
    random: &dyn Random,
    due: &[(RentalId, HostId)],
    now: Timestamp,
) -> Result<u32> {
    let mut moved = 0;
    for pair in due {
        match move_on(store, random, &[*pair], now).await {
            Ok(count) => moved += count,
            Err(error @ Error::Internal(_)) => {
                let cause = error.for_the_log();
                error!(rental_id = %pair.0, cause, "a rental did not move on");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(moved)
}

async fn move_on(
    store: &dyn Store,
    random: &dyn Random,
    due: &[(RentalId, HostId)],
    now: Timestamp,
) -> Result<u32> {
    if due.is_empty() {
        return Ok(0);
    }
    let (mut ids, mut host_ids): (Vec<RentalId>, Vec<HostId>) = due.iter().copied().unzip();
    ids.sort();
    ids.dedup();
    host_ids.sort();
    host_ids.dedup();
    atomically(store, async |tx: &dyn Tx| {
        let hosts = tx.hosts_for_update(&host_ids).await?;
        let hosts: HashMap<HostId, Host> = hosts.into_iter().map(|host| (host.id, host)).collect();
        let (mut moved, mut cleaning, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
        let mut happened = Vec::new();
        for stored in tx.rentals_for_update(&ids).await? {
            let rental = stored.clone().at(now);
            if rental == stored {
                continue;
            }
            let rental = rental.earning_at(now);
            let host = hosts.get(&rental.host_id).cloned();
            let host = host.filter(|_| !rental.is_live()).map(|host| host.release_from(rental.id));
            cleaning.extend(host.filter(Host::is_cleaning).map(|host| host.id));
            jobs.push(Job::new(JobKind::AlignAccess { rental_id: rental.id }, now, random));
            happened.extend(events(&stored, &rental, now));
            moved.push(rental);
        }
        if moved.is_empty() {
            return Ok(0);
        }
        tx.save_rentals(&moved).await?;
        tx.save_cleaning(&cleaning).await?;
        tx.schedule_all(&jobs).await?;
        tx.record(happened).await?;
        Ok(u32::try_from(moved.len()).unwrap_or(u32::MAX))
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
