//! Gives volumes to instances and takes them back. An instance mounts what it has when it starts, so it
//! must be stopped for either.

use tracing::instrument;

use super::create::event;
use super::{Afterwards, Attachment, ROOT, Volume, VolumeId, VolumeState, discard};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Conflict, Error, Result, Thing};
use crate::event::Actor;
use crate::instance::{Instance, InstanceId, Phase, Wanted};
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::wallet::Wallet;

/// A volume that an instance is to have, and where.
#[derive(Clone, Debug)]
pub(crate) struct Mounting {
    pub volume_id: VolumeId,
    /// An absolute path; `/mnt/` and the volume's id if not given.
    pub path: Option<String>,
}

/// Checks a path to mount at: absolute, plain, and nothing that the system itself lives in.
fn checked(path: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let parts = || path.split('/').skip(1);
    let system =
        ["bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr", "var"];
    let good = path.starts_with('/')
        && path.len() <= 255
        && path.bytes().all(plain)
        && parts().all(|part| !part.is_empty() && part != "." && part != "..")
        && parts().next().is_some_and(|first| !system.contains(&first));
    let advice = "must be an absolute path of A-Z a-z 0-9 . _ -, outside the system's own folders";
    if good { Ok(path.to_owned()) } else { Err(Error::invalid("/mount_path", advice)) }
}

/// Gives a volume to a stopped instance, which mounts it at its next start.
#[instrument(name = "volume.attach", skip_all, fields(%id))]
pub async fn attach(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: VolumeId,
    (instance_id, path): (InstanceId, Option<String>),
) -> Result<Volume> {
    caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    let path = path.as_deref().map(checked).transpose()?;
    atomically(store, async |tx: &dyn Tx| {
        let seen = visible(tx, caller, id).await?;
        let instance = stopped(tx, seen.pool_id, instance_id).await?;
        let mounting = Mounting { volume_id: id, path: path.clone() };
        mount(tx, &instance, mounting, (caller.actor(), now)).await
    })
    .await
}

/// The pool's instance, locked, if it does not run.
pub(super) async fn stopped(tx: &dyn Tx, pool_id: PoolId, id: InstanceId) -> Result<Instance> {
    let missing = || Error::NotFound(Thing::Instance);
    let is_own = |found: &Instance| found.pool_id == pool_id;
    // Nobody is kept waiting by those who may not touch it.
    tx.instance(id).await?.filter(is_own).ok_or_else(missing)?;
    let instance = tx.instance_for_update(id).await?.filter(is_own).ok_or_else(missing)?;
    require_stopped(&instance)?;
    Ok(instance)
}

fn require_stopped(instance: &Instance) -> Result<()> {
    if instance.phase != Phase::Stopped || !matches!(instance.wanted, Wanted::Stopped { .. }) {
        return Err(Error::Conflict(Conflict::InstanceNotStopped));
    }
    Ok(())
}

/// A volume of the instance's pool, locked, if it is where the instance is.
async fn beside(tx: &dyn Tx, instance: &Instance, id: VolumeId) -> Result<Volume> {
    let missing = || Error::NotFound(Thing::Volume);
    let volume = tx.volume_for_update(id).await?.ok_or_else(missing)?;
    if volume.pool_id != instance.pool_id {
        return Err(missing());
    }
    let capacity = tx.capacity(instance.host_id).await?.ok_or(Error::NotFound(Thing::Server))?;
    let is_there = volume.disk.as_ref().is_none_or(|disk| disk.host_id == instance.host_id);
    if capacity.storage != volume.storage || !is_there {
        return Err(Error::Conflict(Conflict::VolumeElsewhere));
    }
    // A copy is of what it is when it was ordered, and is not written over meanwhile.
    if tx.has_unfinished_copies(id).await? {
        return Err(Error::Conflict(Conflict::VolumeInUse));
    }
    Ok(volume)
}

/// Gives a locked instance that was just ordered the volume that is its disk.
pub(crate) async fn mount_disk(
    tx: &dyn Tx,
    instance: &Instance,
    id: VolumeId,
    (actor, now): (Actor, Timestamp),
) -> Result<Volume> {
    let volume = beside(tx, instance, id).await?;
    let volume = volume.attached(to(instance, ROOT.to_owned()))?;
    given(tx, volume, (actor, now)).await
}

fn to(instance: &Instance, path: String) -> Attachment {
    Attachment { instance_id: instance.id, path, afterwards: Afterwards::default() }
}

async fn given(tx: &dyn Tx, volume: Volume, (actor, now): (Actor, Timestamp)) -> Result<Volume> {
    tx.save_volume(&volume).await?;
    tx.record(vec![event("volume.attached", &volume, actor, now)]).await?;
    Ok(volume)
}

/// Gives a volume to a locked instance that does not run.
pub(crate) async fn mount(
    tx: &dyn Tx,
    instance: &Instance,
    mounting: Mounting,
    (actor, now): (Actor, Timestamp),
) -> Result<Volume> {
    let volume = beside(tx, instance, mounting.volume_id).await?;
    if volume.disk.is_some() {
        return Err(Error::Conflict(Conflict::VolumeIsDisk));
    }
    let path = match &mounting.path {
        Some(path) => checked(path)?,
        None => format!("/mnt/{}", volume.id),
    };
    let volume = volume.attached(to(instance, path.clone()))?;
    let others = tx.volumes_of_instances(&[instance.id]).await?;
    let is_there = |other: &Volume| other.attachment.as_ref().is_some_and(|at| at.path == path);
    if others.iter().any(is_there) {
        return Err(Error::invalid("/mount_path", "another volume is mounted there"));
    }
    given(tx, volume, (actor, now)).await
}

/// Takes a volume back from a stopped instance.
#[instrument(name = "volume.detach", skip_all, fields(%id))]
pub async fn detach(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    id: VolumeId,
) -> Result<Volume> {
    caller.may(Permission::VolumesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let seen = visible(tx, caller, id).await?;
        let Some(attachment) = seen.attachment else {
            return Err(Error::Conflict(Conflict::VolumeDetached));
        };
        let instance = tx.instance_for_update(attachment.instance_id).await?;
        let instance = instance.ok_or(Error::NotFound(Thing::Instance))?;
        let volume = tx.volume_for_update(id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        let is_elsewhere = volume.pool_id != seen.pool_id;
        if is_elsewhere || volume.attachment.as_ref().is_none_or(|at| at.instance_id != instance.id)
        {
            return Err(Error::Contention);
        }
        if volume.disk.is_some() {
            return Err(Error::Conflict(Conflict::VolumeIsDisk));
        }
        if volume.is_shared {
            return Err(Error::Conflict(Conflict::VolumeInUse));
        }
        require_stopped(&instance)?;
        let volume = Volume { attachment: None, ..volume };
        tx.save_volume(&volume).await?;
        tx.record(vec![event("volume.detached", &volume, caller.actor(), now)]).await?;
        Ok(volume)
    })
    .await
}

/// A volume that the caller may change: they are an owner or admin of its pool.
pub(super) async fn visible(tx: &dyn Tx, caller: &Caller, id: VolumeId) -> Result<Volume> {
    let seen = tx.volume_visible_to(caller.viewer(), id).await?;
    let seen = seen.ok_or(Error::NotFound(Thing::Volume))?;
    require_admin(tx, caller, &seen).await?;
    Ok(seen)
}

async fn require_admin(tx: &dyn Tx, caller: &Caller, volume: &Volume) -> Result<()> {
    tx.pool_for_update(volume.pool_id).await?.ok_or(Error::NotFound(Thing::Volume))?;
    require(role_of(tx, volume.pool_id, caller.user_id).await?, PoolRole::Admin)
}

/// The same, locked, with the locked wallet of who pays for it.
pub(super) async fn locked(tx: &dyn Tx, caller: &Caller, id: VolumeId) -> Result<(Wallet, Volume)> {
    let missing = || Error::NotFound(Thing::Volume);
    let seen = tx.volume_visible_to(caller.viewer(), id).await?.ok_or_else(missing)?;
    let wallet = tx.wallet_for_update(seen.payer_id).await?;
    let wallet = wallet.ok_or(Error::NotFound(Thing::User))?;
    require_admin(tx, caller, &seen).await?;
    let volume = tx.volume_for_update(id).await?.ok_or_else(missing)?;
    if (volume.payer_id, volume.pool_id) != (seen.payer_id, seen.pool_id) {
        return Err(Error::Contention);
    }
    Ok((wallet, volume))
}

/// Takes all volumes back from an instance that is gone, and lets become of each what was said. The
/// payer's wallet is locked, and answered as it is after it.
pub(crate) async fn unmount(
    tx: &dyn Tx,
    random: &dyn Random,
    mut wallet: Wallet,
    instance_id: InstanceId,
    now: Timestamp,
) -> Result<Wallet> {
    for seen in tx.volumes_of_instances(&[instance_id]).await? {
        let volume = tx.volume_for_update(seen.id).await?.ok_or(Error::NotFound(Thing::Volume))?;
        // A shared one goes with the last instance of its cluster.
        let Some(attachment) = volume.attachment.clone().filter(|_| !volume.is_shared) else {
            continue;
        };
        let volume = Volume { attachment: None, ..volume };
        tx.save_volume(&volume).await?;
        if volume.state == VolumeState::Live {
            // A disk that no instance ever ran on is of no use.
            let is_empty = volume.is_new_disk();
            let how = if is_empty { Afterwards::DeletePermanently } else { attachment.afterwards };
            let how = (how, Actor::System);
            wallet = discard(tx, random, wallet, volume, (how, now)).await?;
        }
    }
    Ok(wallet)
}
