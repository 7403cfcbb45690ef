//! Puts volumes into the trash, takes them out again, and destroys them.

use tracing::instrument;

use super::attach::locked;
use super::create::event;
use super::{Afterwards, IN_TRASH, Volume, VolumeId, VolumeState};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::Actor;
use crate::instance::{Wanted, require_funds};
use crate::job::{Job, JobKind};
use crate::meter::{FundsPolicy, MeterId, Metered, Rate, begin, finish};
use crate::store::{Store, Tx, atomically};
use crate::sweep::each_due;
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::Wallet;

/// Puts a volume that nothing has into the trash, or destroys it at once; one in the trash can be
/// destroyed as well. Done if it is there already. One whose instance is being deleted goes when that is
/// gone, and costs nothing more from now on.
#[instrument(name = "volume.delete", skip_all, fields(%id))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    caller: &Caller,
    (id, permanently): (VolumeId, bool),
) -> Result<Volume> {
    caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (wallet, volume) = locked(tx, caller, id).await?;
        let how = if permanently { Afterwards::DeletePermanently } else { Afterwards::MoveToTrash };
        if let Some(attachment) = &volume.attachment {
            // What was decided about an instance that is to go is not taken back, so that it goes on.
            let instance = tx.instance(attachment.instance_id).await?;
            let is_leaving = instance.is_some_and(|holder| holder.wanted == Wanted::Deleted);
            if !is_leaving || volume.is_shared {
                return Err(Error::Conflict(Conflict::VolumeInUse));
            }
            let is_for_good = attachment.afterwards == Afterwards::DeletePermanently;
            let how = if is_for_good { Afterwards::DeletePermanently } else { how };
            let volume = volume.afterwards(how);
            tx.save_volume(&volume).await?;
            tx.record(vec![event("volume.delete_requested", &volume, caller.actor(), now)]).await?;
            finish(tx, random, wallet, &[Metered::Volume(id)], now).await?;
            return Ok(volume);
        }
        discard(tx, random, wallet, volume, ((how, caller.actor()), now)).await?;
        tx.volume(id).await?.ok_or(Error::NotFound(Thing::Volume))
    })
    .await
}

/// Lets become of a locked volume that nothing has what was said. Its payer's wallet is locked, and
/// answered as it is after it: what is in the trash or gone costs nothing more.
pub(crate) async fn discard(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    volume: Volume,
    ((how, actor), now): ((Afterwards, Actor), Timestamp),
) -> Result<Wallet> {
    let is_trashed = matches!(volume.state, VolumeState::Trashed { .. });
    let (state, kind) = match how {
        Afterwards::MoveToTrash if volume.state == VolumeState::Live => {
            (VolumeState::Trashed { at: now, delete_at: now + IN_TRASH }, "volume.trashed")
        }
        Afterwards::DeletePermanently if volume.state == VolumeState::Live || is_trashed => {
            (VolumeState::Deleting, "volume.deleted")
        }
        // Kept, or gone already.
        _ => return Ok(wallet),
    };
    let volume = Volume { state, ..volume };
    tx.save_volume(&volume).await?;
    if volume.state == VolumeState::Deleting {
        let kind = JobKind::AlignVolume { volume_id: volume.id };
        tx.schedule(&Job::new(kind, now, random)).await?;
    }
    tx.record(vec![event(kind, &volume, actor, now)]).await?;
    finish(tx, random, wallet, &[Metered::Volume(volume.id)], now).await
}

/// Takes a volume out of the trash.
#[instrument(name = "volume.restore", skip_all, fields(%id))]
pub async fn restore(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    (funds, caller): (FundsPolicy, &Caller),
    id: VolumeId,
) -> Result<Volume> {
    caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let (wallet, volume) = locked(tx, caller, id).await?;
        let in_time = |delete_at: Timestamp| now < delete_at;
        match volume.state {
            VolumeState::Trashed { delete_at, .. } if in_time(delete_at) => {}
            _ => return Err(Error::Conflict(Conflict::VolumeNotInTrash)),
        }
        let costs = Rate::per_month(volume.price_per_month()).hourly();
        require_funds(tx, &wallet, costs, funds).await?;
        let volume = Volume { state: VolumeState::Live, ..volume };
        tx.save_volume(&volume).await?;
        if volume.is_made() {
            begin(tx, volume.meter(MeterId::generate(now, random), now)).await?;
        }
        let kind = JobKind::AlignVolume { volume_id: volume.id };
        tx.schedule(&Job::new(kind, now, random)).await?;
        tx.record(vec![event("volume.restored", &volume, caller.actor(), now)]).await?;
        Ok(volume)
    })
    .await
}

/// Destroys what has been in the trash for its time; answers how many volumes.
#[instrument(name = "volume.empty_trash", skip_all)]
pub async fn empty_trash(store: &dyn Store, clock: &dyn Clock, random: &dyn Random) -> Result<u32> {
    let now = clock.now();
    let due = async |limit| store.reads().volumes_to_delete(now, limit).await;
    each_due(store, due, async |tx: &dyn Tx, id| destroy(tx, random, id, now).await).await
}

async fn destroy(tx: &dyn Tx, random: &dyn Random, id: VolumeId, now: Timestamp) -> Result<bool> {
    let volume = tx.volume_for_update(id).await?.ok_or(Error::NotFound(Thing::Volume))?;
    match volume.state {
        VolumeState::Trashed { delete_at, .. } if delete_at <= now => {}
        _ => return Ok(false),
    }
    let volume = Volume { state: VolumeState::Deleting, ..volume };
    tx.save_volume(&volume).await?;
    let kind = JobKind::AlignVolume { volume_id: id };
    tx.schedule(&Job::new(kind, now, random)).await?;
    tx.record(vec![event("volume.deleted", &volume, Actor::System, now)]).await?;
    Ok(true)
}

/// Whether it belongs to an instance that stays, as its time was paid in advance.
async fn stays(tx: &dyn Tx, volume: &Volume) -> Result<bool> {
    let Some(attachment) = &volume.attachment else { return Ok(false) };
    let instance = tx.instance(attachment.instance_id).await?;
    Ok(instance.is_some_and(|it| it.is_live() && it.wanted != Wanted::Deleted))
}

/// Destroys every volume of a payer who did not pay; those that an instance has go with it, and those of one
/// that stays stay. Their wallet is locked.
pub(crate) async fn delete_unpaid(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    now: Timestamp,
) -> Result<Wallet> {
    for seen in tx.volumes_of_payer(wallet.user_id).await? {
        let volume = tx.volume_for_update(seen.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        if stays(tx, &volume).await? {
            continue;
        }
        if volume.attachment.is_some() {
            tx.save_volume(&volume.afterwards(Afterwards::DeletePermanently)).await?;
            wallet = finish(tx, random, wallet, &[Metered::Volume(seen.id)], now).await?;
        } else {
            let how = (Afterwards::DeletePermanently, Actor::System);
            wallet = discard(tx, random, wallet, volume, (how, now)).await?;
        }
    }
    Ok(wallet)
}
