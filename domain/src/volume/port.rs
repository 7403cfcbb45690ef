use async_trait::async_trait;

use super::{Volume, VolumeId, VolumeStatus};
use crate::capacity::StorageName;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::host::HostId;
use crate::instance::InstanceId;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::{UserId, Viewer};

/// Which volumes of a user's pools.
#[derive(Clone, Debug, Default)]
pub struct VolumeFilter {
    /// Only of this pool.
    pub pool_id: Option<PoolId>,
    /// Only in this state; without it those that are gone are left out.
    pub status: Option<VolumeStatus>,
}

/// Looks at volumes.
#[async_trait]
pub trait VolumeQueries {
    /// A volume.
    async fn volume(&self, id: VolumeId) -> Result<Option<Volume>>;

    /// A volume of a pool that the user is an accepted member of.
    async fn volume_visible_to(&self, viewer: Viewer, id: VolumeId) -> Result<Option<Volume>>;

    /// Volumes of the pools that the user is an accepted member of, newest first.
    async fn volumes_visible_to(
        &self,
        viewer: Viewer,
        filter: &VolumeFilter,
        page: &Page<VolumeId>,
    ) -> Result<Vec<Volume>>;

    /// Volumes that these instances have, by id.
    async fn volumes_of_instances(&self, ids: &[InstanceId]) -> Result<Vec<Volume>>;

    /// Volumes of a payer that live or are in the trash, by id.
    async fn volumes_of_payer(&self, payer_id: UserId) -> Result<Vec<Volume>>;

    /// Volumes whose time in the trash is over.
    async fn volumes_to_delete(&self, now: Timestamp, limit: u32) -> Result<Vec<VolumeId>>;

    /// Volumes with something to be done and no job that will do it.
    async fn misaligned_volumes(&self, limit: u32) -> Result<Vec<VolumeId>>;

    /// The volumes among these that are to be found on a storage.
    async fn volumes_at(&self, storage: &StorageName) -> Result<Vec<Volume>>;

    /// Whether a copy of the volume was ordered that has not all of its data yet.
    async fn has_unfinished_copies(&self, id: VolumeId) -> Result<bool>;

    /// Hosts at this storage that can be reached, by age.
    async fn hosts_at(&self, storage: &StorageName) -> Result<Vec<HostId>>;

    /// How many volumes of the pool live or are in the trash.
    async fn volume_count(&self, pool_id: PoolId) -> Result<u64>;
}

/// Changes volumes.
#[async_trait]
pub trait Volumes {
    /// Adds a volume.
    async fn add_volume(&self, volume: &Volume) -> Result<()>;

    /// The volume, locked until the transaction ends.
    async fn volume_for_update(&self, id: VolumeId) -> Result<Option<Volume>>;

    /// The storage at this location that has the most room, if that is enough.
    async fn roomiest_storage(
        &self,
        location: &crate::location::LocationCode,
        size_gb: u32,
    ) -> Result<Option<StorageName>>;

    /// Stores a locked volume.
    async fn save_volume(&self, volume: &Volume) -> Result<()>;
}
