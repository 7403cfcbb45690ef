use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{SshKey, SshKeyId};
use crate::error::Result;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::{UserId, Viewer};

/// Looks at SSH keys.
#[async_trait]
pub trait SshKeyQueries {
    /// Keys of the pools that the user is an accepted member of, newest first; of one pool, if one is
    /// given.
    async fn ssh_keys_visible_to(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
        page: &Page<SshKeyId>,
    ) -> Result<Vec<SshKey>>;

    /// Those of the keys that are in pools that the user is an accepted member of, by id.
    async fn ssh_keys_among(&self, viewer: Viewer, ids: &BTreeSet<SshKeyId>)
    -> Result<Vec<SshKey>>;

    /// Those of the keys that are in the pool, by id.
    async fn ssh_keys_of_pool(&self, pool_id: PoolId, ids: &[SshKeyId]) -> Result<Vec<SshKey>>;

    /// The texts of all keys of the pool; without a pool of all pools that the user owns.
    async fn public_keys_of(&self, pool_id: Option<PoolId>, owner: UserId) -> Result<Vec<String>>;

    /// How many keys the pool has.
    async fn ssh_key_count(&self, pool_id: PoolId) -> Result<u64>;

    /// The first key of the pool that has this text, given as its digest.
    async fn ssh_key_saying(&self, pool_id: PoolId, digest: &[u8; 32]) -> Result<Option<SshKey>>;
}

/// Changes SSH keys. Lock their pools before.
#[async_trait]
pub trait SshKeys {
    /// Adds a key.
    async fn add_ssh_key(&self, key: &SshKey) -> Result<()>;

    /// Deletes keys.
    async fn delete_ssh_keys(&self, ids: &BTreeSet<SshKeyId>) -> Result<()>;
}
