use async_trait::async_trait;

use super::{Mandate, Rental, RentalId, RentalWithHost};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::page::Page;
use crate::user::Viewer;

/// Looks at rentals. Visible is what a user rented, or what is in a pool that they have joined.
#[async_trait]
pub trait RentalQueries {
    /// A rental, whoever asks.
    async fn rental_with_host(&self, id: RentalId) -> Result<Option<RentalWithHost>>;

    /// A rental that the user may see.
    async fn rental_visible_to(
        &self,
        viewer: Viewer,
        id: RentalId,
    ) -> Result<Option<RentalWithHost>>;

    /// The newest rental of a host that the user may see.
    async fn rental_of_host_visible_to(
        &self,
        viewer: Viewer,
        host_id: HostId,
    ) -> Result<Option<RentalWithHost>>;

    /// Rentals that the user may see, newest first.
    async fn rentals_visible_to(
        &self,
        viewer: Viewer,
        page: &Page<RentalId>,
    ) -> Result<Vec<RentalWithHost>>;

    /// How many rentals the user may see.
    async fn rental_count(&self, viewer: Viewer) -> Result<u64>;

    /// Live rentals whose phase at `now` is not the stored one: up to `limit` whose term has ended,
    /// whose hold has, and that a clock running ahead has put on hold too early.
    async fn due_rentals(&self, now: Timestamp, limit: u32) -> Result<Vec<(RentalId, HostId)>>;

    /// Rentals whose host should have been ready by `now`, never was, and whose rent was not given
    /// back: up to `limit` of them.
    async fn unready_rentals(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>>;

    /// Rentals of suppliers' hosts with something to earn by `now`: up to `limit` of them.
    async fn rentals_to_earn(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>>;

    /// Rentals with mandates that are to be looked at by `now`: up to `limit` of them.
    async fn due_mandates(&self, now: Timestamp, limit: u32) -> Result<Vec<RentalId>>;

    /// A rental's mandate.
    async fn mandate(&self, rental_id: RentalId) -> Result<Option<Mandate>>;

    /// Rentals that had the host at some moment of this time, by id.
    async fn rentals_of_host_between(
        &self,
        host_id: HostId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Rental>>;

    /// Rentals whose access is not what their stored phase asks for and that no job, waiting, running
    /// or dead, is to align: about `limit` of them.
    async fn misaligned_rentals(&self, limit: u32) -> Result<Vec<RentalId>>;
}

/// Changes rentals.
#[async_trait]
pub trait Rentals {
    /// Adds a rental. A second live one of the same host, also one that another transaction is just
    /// adding, is [`crate::error::Conflict::ServerUnavailable`].
    async fn add_rental(&self, rental: &Rental) -> Result<()>;

    /// The rental, locked until the transaction ends. Lock its host before.
    async fn rental_for_update(&self, id: RentalId) -> Result<Option<Rental>>;

    /// The rentals that there are of these, by id, locked until the transaction ends. Lock their hosts
    /// before.
    async fn rentals_for_update(&self, ids: &[RentalId]) -> Result<Vec<Rental>>;

    /// Stores locked rentals, all with one statement.
    async fn save_rentals(&self, rentals: &[Rental]) -> Result<()>;

    /// Stores a locked rental.
    async fn save_rental(&self, rental: &Rental) -> Result<()>;

    /// The mandate, locked until the transaction ends. Lock its rental before, or nothing else.
    async fn mandate_for_update(&self, rental_id: RentalId) -> Result<Option<Mandate>>;

    /// Adds a mandate, or stores a locked one.
    async fn save_mandate(&self, mandate: &Mandate) -> Result<()>;

    /// Removes a locked mandate.
    async fn remove_mandate(&self, rental_id: RentalId) -> Result<()>;
}
