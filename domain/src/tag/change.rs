//! Adds labels to what there is, and takes them away.

use tracing::instrument;

use super::{Tag, Tagged, Tags};
use crate::clock::{Clock, Timestamp};
use crate::cluster::{self, Cluster, ClusterId};
use crate::error::{Error, Result, Thing};
use crate::instance::{self, Instance, InstanceId};
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{self, Volume, VolumeId};

/// Adds a label that is not there yet, to at most so many.
#[instrument(name = "tag.add", skip_all)]
pub async fn add(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    (tagged, most): (Tagged, usize),
    tag: &Tag,
) -> Result<()> {
    change(store, clock, caller, tagged, |tags| tags.with(tag, most)).await
}

/// Takes a label away.
#[instrument(name = "tag.remove", skip_all)]
pub async fn remove(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    (tagged, key): (Tagged, &str),
) -> Result<()> {
    change(store, clock, caller, tagged, |tags| tags.without(key)).await
}

async fn change(
    store: &dyn Store,
    clock: &dyn Clock,
    caller: &Caller,
    tagged: Tagged,
    with: impl Fn(Tags) -> Result<Tags> + Send + Sync,
) -> Result<()> {
    let permission = match tagged {
        Tagged::Instance(_) | Tagged::Cluster(_) => Permission::InstancesWrite,
        Tagged::Volume(_) => Permission::VolumesWrite,
    };
    caller.may(permission)?;
    let now = clock.now();
    atomically(store, async |tx: &dyn Tx| {
        let changing = Changing { tx, caller, now };
        match tagged {
            Tagged::Instance(id) => changing.instance(id, &with).await,
            Tagged::Volume(id) => changing.volume(id, &with).await,
            Tagged::Cluster(id) => changing.cluster(id, &with).await,
        }
    })
    .await
}

struct Changing<'a> {
    tx: &'a dyn Tx,
    caller: &'a Caller,
    now: Timestamp,
}

type With<'a> = &'a (dyn Fn(Tags) -> Result<Tags> + Send + Sync);

impl Changing<'_> {
    /// Owners and admins of its pool may.
    async fn require_admin(&self, pool_id: PoolId, missing: Thing) -> Result<()> {
        self.tx.pool_for_update(pool_id).await?.ok_or(Error::NotFound(missing))?;
        require(role_of(self.tx, pool_id, self.caller.user_id).await?, PoolRole::Admin)
    }

    async fn instance(&self, id: InstanceId, with: With<'_>) -> Result<()> {
        let missing = || Error::NotFound(Thing::Instance);
        let seen = self.tx.instance_visible_to(self.caller.viewer(), id).await?;
        let seen = seen.ok_or_else(missing)?;
        self.require_admin(seen.pool_id, Thing::Instance).await?;
        let instance = self.tx.instance_for_update(id).await?.ok_or_else(missing)?;
        if instance.pool_id != seen.pool_id {
            return Err(Error::Contention);
        }
        let instance = Instance { tags: with(instance.tags)?, ..instance };
        self.tx.save_instance(&instance).await?;
        let actor = self.caller.actor();
        self.tx.record(vec![instance::event("instance.edited", &instance, actor, self.now)]).await
    }

    async fn volume(&self, id: VolumeId, with: With<'_>) -> Result<()> {
        let missing = || Error::NotFound(Thing::Volume);
        let seen = self.tx.volume_visible_to(self.caller.viewer(), id).await?;
        let seen = seen.ok_or_else(missing)?;
        self.require_admin(seen.pool_id, Thing::Volume).await?;
        let volume = self.tx.volume_for_update(id).await?.ok_or_else(missing)?;
        if volume.pool_id != seen.pool_id {
            return Err(Error::Contention);
        }
        let volume = Volume { tags: with(volume.tags)?, ..volume };
        self.tx.save_volume(&volume).await?;
        let actor = self.caller.actor();
        self.tx.record(vec![volume::event("volume.edited", &volume, actor, self.now)]).await
    }

    /// A cluster is guarded by the wallet of who pays for it.
    async fn cluster(&self, id: ClusterId, with: With<'_>) -> Result<()> {
        let missing = || Error::NotFound(Thing::Cluster);
        let seen = self.tx.cluster_visible_to(self.caller.viewer(), id).await?;
        let seen = seen.ok_or_else(missing)?;
        self.tx.wallet_for_update(seen.payer_id).await?.ok_or(Error::NotFound(Thing::User))?;
        self.require_admin(seen.pool_id, Thing::Cluster).await?;
        let cluster = self.tx.cluster(id).await?.ok_or_else(missing)?;
        let cluster = Cluster { tags: with(cluster.tags)?, ..cluster };
        self.tx.save_cluster(&cluster).await?;
        let actor = self.caller.actor();
        self.tx.record(vec![cluster::event("cluster.edited", &cluster, actor, self.now)]).await
    }
}
