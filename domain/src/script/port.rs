use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Script, ScriptId, ScriptSummary};
use crate::error::Result;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::Viewer;

/// Looks at scripts.
#[async_trait]
pub trait ScriptQueries {
    /// Scripts of the pools that the user is an accepted member of, newest first; of one pool, if one is
    /// given.
    async fn scripts_visible_to(
        &self,
        viewer: Viewer,
        pool_id: Option<PoolId>,
        page: &Page<ScriptId>,
    ) -> Result<Vec<ScriptSummary>>;

    /// The script, if it is in a pool that the user is an accepted member of.
    async fn script_visible_to(&self, viewer: Viewer, id: ScriptId) -> Result<Option<Script>>;

    /// Those of the scripts that are in pools that the user is an accepted member of, by id.
    async fn scripts_among(
        &self,
        viewer: Viewer,
        ids: &BTreeSet<ScriptId>,
    ) -> Result<Vec<ScriptSummary>>;

    /// Those of the scripts that are in the pool, by id.
    async fn scripts_of_pool(&self, pool_id: PoolId, ids: &[ScriptId]) -> Result<Vec<Script>>;

    /// How many scripts the pool has.
    async fn script_count(&self, pool_id: PoolId) -> Result<u64>;

    /// Whether the pool has a script of this content, given as its digest.
    async fn has_script(&self, pool_id: PoolId, digest: &[u8; 32]) -> Result<bool>;
}

/// Changes scripts. Lock their pools before.
#[async_trait]
pub trait Scripts {
    /// Adds a script.
    async fn add_script(&self, script: &Script) -> Result<()>;

    /// Deletes scripts.
    async fn delete_scripts(&self, ids: &BTreeSet<ScriptId>) -> Result<()>;
}
