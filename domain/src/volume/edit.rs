//! Renames volumes and makes them larger.

use tracing::instrument;

use super::attach::locked;
use super::create::{MOST_GB, event};
use super::{Volume, VolumeId, VolumeState, price_per_month};
use crate::clock::{Clock, Random};
use crate::error::{Conflict, Error, Result};
use crate::instance::{Wanted, require_funds};
use crate::job::{Job, JobKind};
use crate::meter::{FundsPolicy, MeterId, Metered, Rate, begin, finish};
use crate::store::{Store, Tx, atomically};
use crate::text::line;
use crate::token::Permission;
use crate::user::Caller;

/// What to change in a volume; what is `None` stays.
#[derive(Clone, Debug)]
pub struct EditVolume {
    /// Who asks.
    pub caller: Caller,
    /// Which volume.
    pub id: VolumeId,
    /// A new name.
    pub name: Option<String>,
    /// A new size in GB, never a smaller one.
    pub size_gb: Option<u32>,
}

/// Changes a volume. A larger one costs more from this moment on.
#[instrument(name = "volume.edit", skip_all, fields(id = %request.id))]
pub async fn edit(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    funds: FundsPolicy,
    request: EditVolume,
) -> Result<Volume> {
    let caller = &request.caller;
    caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    let name =
        match &request.name {
            Some(name) => Some(line(name, 100).ok_or_else(|| {
                Error::invalid("/name", "must be 1 to 100 characters in one line")
            })?),
            None => None,
        };
    atomically(store, async |tx: &dyn Tx| {
        let (wallet, volume) = locked(tx, caller, request.id).await?;
        if volume.state != VolumeState::Live {
            return Err(Error::Conflict(Conflict::VolumeInUse));
        }
        if let Some(attachment) = &volume.attachment {
            // What its instance's end has ended is not begun again.
            let holder = tx.instance(attachment.instance_id).await?;
            if holder.is_some_and(|holder| holder.wanted == Wanted::Deleted) {
                return Err(Error::Conflict(Conflict::VolumeInUse));
            }
        }
        let size_gb = request.size_gb.unwrap_or(volume.size_gb);
        if size_gb > MOST_GB {
            return Err(Error::invalid("/size_gb", format!("must be at most {MOST_GB}")));
        }
        let Some(more) = size_gb.checked_sub(volume.size_gb) else {
            let message = format!("must be at least {}: volumes do not shrink", volume.size_gb);
            return Err(Error::invalid("/size_gb", message));
        };
        let costs = Rate::per_month(price_per_month(volume.price_per_gb, more)).hourly();
        require_funds(tx, &wallet, costs, funds).await?;
        if more > 0 && !tx.take_disk(&volume.storage, more).await? {
            return Err(Error::Conflict(Conflict::NoCapacity));
        }
        let name = name.map_or_else(|| volume.name.clone(), str::to_owned);
        let volume = Volume { name, size_gb, ..volume };
        tx.save_volume(&volume).await?;
        if more > 0 && volume.is_made() {
            finish(tx, random, wallet, &[Metered::Volume(volume.id)], now).await?;
            begin(tx, volume.meter(MeterId::generate(now, random), now)).await?;
        }
        if more > 0 {
            let kind = JobKind::AlignVolume { volume_id: volume.id };
            tx.schedule(&Job::new(kind, now, random)).await?;
        }
        tx.record(vec![event("volume.edited", &volume, caller.actor(), now)]).await?;
        Ok(volume)
    })
    .await
}
