use async_trait::async_trait;

use super::{CostFilter, Meter, MeterId, Metered, Rate, Standing};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::instance::InstanceId;
use crate::pool::Label;
use crate::user::{UserId, Viewer};
use crate::wallet::Posting;

/// Looks at meters.
#[async_trait]
pub trait MeterQueries {
    /// Payers with a meter that is to be read by now, those that have waited longest first: also where
    /// the next reading is further off than [`EVERY`](super::EVERY), as a clock ran ahead, and where
    /// somebody who was stopped has money again.
    async fn payers_to_bill(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>>;

    /// The payer's meters that run or are not booked to their end, by id.
    async fn open_meters(&self, payer_id: UserId) -> Result<Vec<Meter>>;

    /// What all that the payer has runs or is about to run at, summed per unit of time: meters, instances
    /// that are being made or started, volumes that are being made.
    async fn rates_of_payer(&self, payer_id: UserId) -> Result<Vec<Rate>>;

    /// Those of these things that run or are not booked to their end, by id.
    async fn open_meters_of(&self, metered: &[Metered]) -> Result<Vec<Meter>>;

    /// The meters of one thing, by id, oldest first.
    async fn meters_of(&self, metered: Metered) -> Result<Vec<Meter>>;

    /// Meters of instances, for pools that the user is an accepted member of, newest first: up to `limit`
    /// after the first `skip`. With each goes what its instance is called now, where that is in such a pool.
    /// By a fixed number of statements.
    async fn instance_meters_visible_to(
        &self,
        viewer: Viewer,
        filter: CostFilter,
        (skip, limit): (u32, u32),
    ) -> Result<Vec<(Meter, Option<Label>)>>;

    /// What was booked of these meters, oldest first.
    async fn postings_of_meters(&self, ids: &[MeterId]) -> Result<Vec<Posting>>;

    /// What was paid in advance for this instance's time, and given back of that, oldest first.
    async fn postings_of_paid(&self, id: InstanceId) -> Result<Vec<Posting>>;

    /// How a payer stands; `None` where all is well.
    async fn standing(&self, payer_id: UserId) -> Result<Option<Standing>>;

    /// Payers whose things are to be deleted by now.
    async fn payers_to_delete(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>>;
}

/// Changes meters. All meters of a payer are guarded by the lock on their wallet.
#[async_trait]
pub trait Meters {
    /// Adds meters, or stores those that are there, with one statement.
    async fn save_meters(&self, meters: &[Meter]) -> Result<()>;

    /// Stores how a payer stands; `None` forgets it.
    async fn save_standing(&self, payer_id: UserId, standing: Option<Standing>) -> Result<()>;
}
