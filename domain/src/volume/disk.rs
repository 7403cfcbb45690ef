//! Volumes that are the disk of an instance, and come and go with what happens to it.

use super::create::event;
use super::{Volume, VolumeState};
use crate::clock::{Random, Timestamp};
use crate::error::Result;
use crate::event::{Actor, Event};
use crate::instance::InstanceId;
use crate::meter::{MeterId, Metered, begin, finish_by};
use crate::store::Tx;
use crate::wallet::Wallet;

/// The disk of a locked instance, locked.
async fn disk_for_update(tx: &dyn Tx, id: InstanceId) -> Result<Option<Volume>> {
    let volumes = tx.volumes_of_instances(&[id]).await?;
    match volumes.into_iter().find(|volume| volume.disk.is_some()) {
        Some(disk) => tx.volume_for_update(disk.id).await,
        None => Ok(None),
    }
}

/// An instance can be used for the first time: its new disk is there, and costs its price from now on.
pub(crate) async fn made_disk(
    tx: &dyn Tx,
    random: &dyn Random,
    (id, now): (InstanceId, Timestamp),
) -> Result<()> {
    let Some(disk) = disk_for_update(tx, id).await?.filter(Volume::is_new_disk) else {
        return Ok(());
    };
    let disk = Volume { made_gb: disk.size_gb, ..disk };
    tx.save_volume(&disk).await?;
    begin(tx, disk.meter(MeterId::generate(now, random), now)).await?;
    tx.record(vec![event("volume.ready", &disk, Actor::System, now)]).await
}

/// The host of an instance lost it, and its disk with it, which has cost nothing since. The payer's wallet is
/// locked, and answered as it is after it.
pub(crate) async fn lose_disk(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (id, since, now): (InstanceId, Timestamp, Timestamp),
) -> Result<Wallet> {
    let Some(disk) = disk_for_update(tx, id).await? else { return Ok(wallet) };
    tx.give_disk_back(&disk.storage, disk.size_gb).await?;
    let message = "its host does not have it any more".to_owned();
    let state = VolumeState::Failed { message, at: now };
    let disk = Volume { state, attachment: None, ..disk };
    tx.save_volume(&disk).await?;
    let lost = event("volume.lost", &disk, Actor::System, now);
    tx.record(vec![Event { recipient: Some(disk.author), ..lost }]).await?;
    finish_by(tx, random, wallet, (&[Metered::Volume(disk.id)], since), now).await
}
