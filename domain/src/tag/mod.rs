//! Labels of instances, volumes and clusters, for their owners' programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracing::instrument;

use crate::clock::{Clock, Timestamp};
use crate::cluster::{self, Cluster, ClusterId};
use crate::error::{Conflict, Error, Result, Thing};
use crate::instance::{self, Instance, InstanceId};
use crate::pool::{PoolId, PoolRole, require, role_of};
use crate::store::{Store, Tx, atomically};
use crate::token::Permission;
use crate::user::Caller;
use crate::volume::{self, Volume, VolumeId};

/// Labels: at most 64, keys of 1 to 128 characters, values of at most 256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Checks labels.
    pub fn parse(tags: BTreeMap<String, String>) -> std::result::Result<Self, &'static str> {
        let fits = |text: &str, least: usize, most: usize| {
            (least..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        let good = tags.len() <= 64
            && tags.iter().all(|(key, value)| fits(key, 1, 128) && fits(value, 0, 256));
        let advice =
            "must be at most 64 labels, keys of 1 to 128 characters, values of at most 256";
        good.then_some(Self(tags)).ok_or(advice)
    }

    /// The labels.
    pub const fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// With one more.
    fn with(self, tag: &Tag, most: usize) -> Result<Self> {
        if self.0.contains_key(&tag.key) {
            return Err(Error::Conflict(Conflict::TagExists));
        }
        if self.0.len() >= most {
            let message = format!("would be more than {most}; delete one first");
            return Err(Error::invalid("/tags", message));
        }
        let mut map = self.0;
        map.insert(tag.key.clone(), tag.value.clone());
        Self::parse(map).map_err(|advice| Error::invalid("/tags", advice))
    }

    /// Without one.
    fn without(mut self, key: &str) -> Result<Self> {
        self.0.remove(key).ok_or(Error::NotFound(Thing::Tag))?;
        Ok(self)
    }
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it is found by.
    pub key: String,
    /// What it says.
    pub value: String,
}

/// What carries labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagged {
    /// An instance.
    Instance(InstanceId),
    /// A volume.
    Volume(VolumeId),
    /// A cluster.
    Cluster(ClusterId),
}

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
