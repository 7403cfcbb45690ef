//! Looks at rentals.

use super::{Rental, RentalId};
use crate::clock::Clock;
use crate::error::{Error, Result, Thing};
use crate::host::{Host, HostId};
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, Role};

/// A rental and its host.
#[derive(Clone, Debug)]
pub struct RentalWithHost {
    /// The rental.
    pub rental: Rental,
    /// Its host.
    pub host: Host,
}

/// What a rental is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RentalKey {
    /// Its own id.
    Id(RentalId),
    /// Its own id, or the id of a host: then the newest rental of it that the caller may see.
    IdOrHost(RentalId, HostId),
}

/// The rentals that the caller may see, newest first, as they stand now.
pub async fn list(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    page: Page<RentalId>,
) -> Result<Paged<RentalWithHost, RentalId>> {
    caller.may(Permission::RentalsRead)?;
    let reads = store.reads();
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.rentals_visible_to(caller.viewer(), &fetch).await?;
    let total = match page.limit {
        Some(_) => Some(reads.rental_count(caller.viewer()).await?),
        None => None,
    };
    let now = clock.now();
    let rows = rows
        .into_iter()
        .map(|RentalWithHost { rental, host }| RentalWithHost { rental: rental.at(now), host })
        .collect();
    Ok(Paged::cut(rows, page.limit, total, |row| row.rental.id))
}

/// One rental as it stands now. Operators see every rental, with credentials that carry
/// [`Permission::AdminRead`].
pub async fn show(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    key: RentalKey,
) -> Result<RentalWithHost> {
    caller.may(Permission::RentalsRead)?;
    let reads = store.reads();
    let (RentalKey::Id(id) | RentalKey::IdOrHost(id, _)) = key;
    let mut found = reads.rental_visible_to(caller.viewer(), id).await?;
    // An operator's token without that permission sees what a renter would.
    let sees_all = caller.role == Role::Operator && caller.permissions.allow(Permission::AdminRead);
    if found.is_none() && sees_all {
        found = reads.rental_with_host(id).await?;
    }
    if let (None, RentalKey::IdOrHost(_, host_id)) = (&found, key) {
        found = reads.rental_of_host_visible_to(caller.viewer(), host_id).await?;
    }
    let RentalWithHost { rental, host } = found.ok_or(Error::NotFound(Thing::Rental))?;
    Ok(RentalWithHost { rental: rental.at(clock.now()), host })
}
