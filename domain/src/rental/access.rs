//! Access to a rented host: what the renter should reach, what they reach, and the driver between.
//!
//! The *wanted* access follows from the phase; the *actual* one is written only here, after the
//! driver has answered. A job per rental brings them together, however often and in whatever order
//! the phase changes meanwhile.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::instrument;

use super::{Phase, Rental, RentalId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::{Actor, Event, Subject};
use crate::host::Host;
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};

/// What a renter can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing yet: the host is being prepared.
    Pending,
    /// The host.
    Granted,
    /// Nothing, but the data are kept.
    Suspended,
    /// Nothing, and the data are gone.
    Wiped,
}

impl Rental {
    /// What the renter should reach in the present phase.
    pub const fn wanted_access(&self) -> Access {
        match self.phase {
            Phase::Active => Access::Granted,
            Phase::Hold => Access::Suspended,
            Phase::Ended { .. } => Access::Wiped,
        }
    }
}

/// Does on a host what a rental's access asks for. Every call may come twice, and must then find its
/// work done; each returns well within the job's lease ([`crate::job::LEASE`]) or fails.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Prepares the host for the renter and lets them in, or lets them in again, or lets in others.
    async fn grant(&self, host: &Host, tenant: &Tenant) -> Result<(), DriverError>;

    /// Shuts the renter out and keeps their data.
    async fn suspend(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError>;

    /// Shuts the renter out and wipes their data.
    async fn wipe(&self, host: &Host, rental_id: RentalId) -> Result<(), DriverError>;
}

/// Whom a rented host lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// For which rental.
    pub rental_id: RentalId,
    /// The OpenSSH public keys that may log in as [`RENTER`].
    pub public_keys: Vec<String>,
}

/// The Unix user of a rented host that its renter logs in as, who may become root.
pub const RENTER: &str = "renter";

/// Why a driver failed, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

/// Brings a rental's actual access to the wanted one. Safe to repeat after a crash at any point.
#[instrument(name = "rental.align", skip_all, fields(%id))]
pub async fn align(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    driver: &dyn Driver,
    id: RentalId,
) -> Result<()> {
    let seen = store.reads().rental_with_host(id).await?;
    let seen = seen.ok_or(Error::NotFound(Thing::Rental))?;
    let wanted = seen.rental.wanted_access();
    if seen.rental.access == wanted {
        return Ok(());
    }
    let done = match wanted {
        Access::Granted | Access::Pending => {
            let Rental { pool_id, renter_id, .. } = seen.rental;
            let public_keys = store.reads().public_keys_of(pool_id, renter_id).await?;
            driver.grant(&seen.host, &Tenant { rental_id: id, public_keys }).await
        }
        Access::Suspended => driver.suspend(&seen.host, id).await,
        Access::Wiped => driver.wipe(&seen.host, id).await,
    };
    done.map_err(Error::internal)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| settle(tx, random, &seen.host, id, (wanted, now)).await)
        .await
}

async fn settle(
    tx: &dyn Tx,
    random: &dyn Random,
    host: &Host,
    id: RentalId,
    (reached, now): (Access, Timestamp),
) -> Result<()> {
    let host = tx.host_for_update(host.id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let rental = tx.rental_for_update(id).await?.ok_or(Error::NotFound(Thing::Rental))?;
    let is_ready = reached == Access::Granted && rental.is_live();
    let ready_at = rental.ready_at.or(is_ready.then_some(now));
    let rental = Rental { access: reached, ready_at, ..rental };
    tx.save_rental(&rental).await?;
    if reached == Access::Wiped {
        tx.save_occupancy(&host.cleaned_after(id)).await?;
    }
    if rental.wanted_access() != reached {
        // The phase changed while the driver worked; the same job runs again.
        tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: id }, now, random)).await?;
    }
    tx.record(vec![Event {
        kind: match reached {
            Access::Pending | Access::Granted => "rental.access_granted",
            Access::Suspended => "rental.access_suspended",
            Access::Wiped => "rental.wiped",
        },
        subject: Subject::Rental(id),
        actor: Actor::System,
        before: None,
        recipient: None,
        data: json!({ "host_id": rental.host_id }),
        at: now,
    }])
    .await
}

/// Schedules a job for every rental whose access is not what it should be and that nobody works
/// on: the net below every lost job. Answers how many there were.
#[instrument(name = "rental.realign", skip_all)]
pub async fn realign(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<usize> {
    let lost = store.reads().misaligned_rentals(1_000).await?;
    if lost.is_empty() {
        return Ok(0);
    }
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        for rental_id in &lost {
            let kind = JobKind::AlignAccess { rental_id: *rental_id };
            tx.schedule(&Job::new(kind, now, random)).await?;
        }
        Ok(lost.len())
    })
    .await
}
