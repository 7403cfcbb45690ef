//! Deletes a cluster with all that belongs to it.

use tracing::instrument;

use super::create::event;
use super::{Cluster, ClusterId};
use crate::clock::{Clock, Random, Timestamp};
use crate::error::{Error, Result, Thing};
use crate::event::Actor;
use crate::instance::{Instance, fail_cluster};
use crate::meter::{Metered, finish};
use crate::pool::{PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{Afterwards, Volume, VolumeState, discard};
use crate::wallet::Wallet;

/// Deletes a cluster; when its last instance is gone, its shared volume goes where it is said. Done if it was
/// deleted before.
#[instrument(name = "cluster.delete", skip_all, fields(%id))]
pub async fn delete(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    caller: &Caller,
    (id, afterwards): (ClusterId, Afterwards),
) -> Result<(Cluster, Vec<Instance>)> {
    caller.may(Permission::InstancesWrite)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let missing = || Error::NotFound(Thing::Cluster);
        let seen = tx.cluster_visible_to(caller.viewer(), id).await?.ok_or_else(missing)?;
        let wallet = tx.wallet_for_update(seen.payer_id).await?;
        let wallet = wallet.ok_or(Error::NotFound(Thing::User))?;
        tx.pool_for_update(seen.pool_id).await?.ok_or_else(missing)?;
        require(role_of(tx, seen.pool_id, caller.user_id).await?, PoolRole::Admin)?;
        let cluster = tx.cluster(id).await?.ok_or_else(missing)?;
        if cluster.deleted_at.is_some() {
            return Ok((cluster, tx.instances_of_cluster(id).await?));
        }
        let cluster = Cluster { deleted_at: Some(now), ..cluster };
        tx.save_cluster(&cluster).await?;
        tx.record(vec![event("cluster.deleted", &cluster, caller.actor(), now)]).await?;
        let mut wallet = fail_cluster(tx, random, wallet, (id, now)).await?;
        if let Some(volume_id) = cluster.volume_id {
            let volume = tx.volume_for_update(volume_id).await?;
            let volume = volume.ok_or(Error::NotFound(Thing::Volume))?;
            // One that has gone its way before is nothing of the cluster's any more.
            if volume.is_shared {
                tx.save_volume(&volume.afterwards(afterwards)).await?;
                if afterwards != Afterwards::KeepDetached {
                    // However long the hosts take to let go of it.
                    let metered = [Metered::Volume(volume_id)];
                    wallet = finish(tx, random, wallet, &metered, now).await?;
                }
            }
        }
        // Where no instance is left whose end would let the volume go.
        member_gone(tx, random, wallet, (id, now)).await?;
        Ok((cluster, tx.instances_of_cluster(id).await?))
    })
    .await
}

/// Lets the shared volume go when the last instance of its cluster is gone: where it was said, to the trash if
/// nothing was, or for good where the cluster could not be made. The payer's wallet is locked.
pub(crate) async fn member_gone(
    tx: &dyn Tx,
    random: &dyn Random,
    wallet: Wallet,
    (id, now): (ClusterId, Timestamp),
) -> Result<()> {
    let cluster = tx.cluster(id).await?.ok_or(Error::NotFound(Thing::Cluster))?;
    let instances = tx.instances_of_cluster(id).await?;
    let Some(volume_id) = cluster.volume_id else { return Ok(()) };
    if instances.iter().any(Instance::is_live) {
        return Ok(());
    }
    let volume = tx.volume_for_update(volume_id).await?.ok_or(Error::NotFound(Thing::Volume))?;
    if !volume.is_shared {
        // It has gone its way before.
        return Ok(());
    }
    let never_ran = instances.iter().all(|instance| instance.ready_at.is_none());
    let said = volume.attachment.as_ref().map(|attachment| attachment.afterwards);
    let volume = Volume { attachment: None, is_shared: false, ..volume };
    tx.save_volume(&volume).await?;
    if volume.state != VolumeState::Live {
        return Ok(());
    }
    let said = said.unwrap_or(Afterwards::MoveToTrash);
    let how = if never_ran { Afterwards::DeletePermanently } else { said };
    discard(tx, random, wallet, volume, ((how, Actor::System), now)).await.map(|_| ())
}
