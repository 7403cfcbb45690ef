//! How a renter logs in to a host that is rented as a whole.

use std::net::IpAddr;

use serde_json::json;
use tracing::instrument;

use super::extend::payer_may_extend;
use super::show::{RentalKey, show};
use super::{Access, Phase, RENTER, Rental, RentalId};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::event::{Event, Subject};
use crate::job::{Job, JobKind};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;

/// How a rented host is logged in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogIn {
    /// What can be reached at this moment.
    pub access: Access,
    /// Where, and at which port; not known of hosts that Berth does not log in to itself.
    pub at: Option<(IpAddr, u16)>,
    /// As whom, who may become root.
    pub username: &'static str,
}

/// How a host is logged in to, for whoever may see the rental.
pub async fn log_in(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: RentalId,
) -> Result<LogIn> {
    let seen = show(store, clock, caller, RentalKey::Id(id)).await?;
    let login = store.reads().login(seen.host.id).await?;
    Ok(LogIn {
        access: seen.rental.access,
        at: login.map(|login| (login.address, login.port)),
        username: RENTER,
    })
}

/// Lets the keys of today in and no others: those of the rental's pool, or without one of the pools that the
/// renter owns. A job does it. The renter may, and an owner or admin of the rental's pool; refused with
/// [`Conflict::RentalEnded`] unless the rental is active.
#[instrument(name = "rental.renew_access", skip_all, fields(%id))]
pub async fn renew_access(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    caller: &Caller,
    id: RentalId,
) -> Result<()> {
    caller.may(Permission::RentalsExtend)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (_, rental) = payer_may_extend(tx, caller.user_id, id).await?;
        if rental.clone().at(now).phase != Phase::Active {
            return Err(Error::Conflict(Conflict::RentalEnded));
        }
        if rental.access == Access::Granted {
            tx.save_rental(&Rental { access: Access::Pending, ..rental }).await?;
        }
        tx.schedule(&Job::new(JobKind::AlignAccess { rental_id: id }, now, random)).await?;
        tx.record(vec![Event {
            kind: "rental.access_renewed",
            subject: Subject::Rental(id),
            actor: caller.actor(),
            before: None,
            data: json!({}),
            recipient: None,
            at: now,
        }])
        .await
    })
    .await
}
