use async_trait::async_trait;

use super::{Scripts, Software, SoftwareId};
use crate::error::Result;
use crate::page::Page;
use crate::pool::PoolId;
use crate::user::Viewer;

/// Whose software is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftwareScope {
    /// That of the pools that somebody is an accepted member of; of one of these, if one is given.
    Own(Viewer, Option<PoolId>),
    /// The operator's.
    Global,
    /// Both: that of somebody's pools, and the operator's.
    Seen(Viewer),
}

/// What names one software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftwareKey {
    /// Its id.
    Id(SoftwareId),
    /// Its whole number.
    Number(i64),
}

/// Looks at software.
#[async_trait]
pub trait SoftwareQueries {
    /// The software with its scripts, if it is within the scope.
    async fn software(
        &self,
        scope: SoftwareScope,
        key: SoftwareKey,
    ) -> Result<Option<(Software, Scripts)>>;

    /// Software within the scope, newest first.
    async fn softwares(
        &self,
        scope: SoftwareScope,
        page: &Page<SoftwareId>,
    ) -> Result<Vec<Software>>;

    /// How much software the pool has; without a pool, the operator.
    async fn software_count_of(&self, pool_id: Option<PoolId>) -> Result<u64>;
}

/// Changes software. Lock its pool before; the operator's is locked by itself.
#[async_trait]
pub trait SoftwareRecords {
    /// The operator's software with its scripts, locked until the transaction ends.
    async fn global_software_for_update(
        &self,
        id: SoftwareId,
    ) -> Result<Option<(Software, Scripts)>>;

    /// Adds software.
    async fn add_software(&self, software: &Software, scripts: &Scripts) -> Result<()>;

    /// Stores software.
    async fn save_software(&self, software: &Software, scripts: &Scripts) -> Result<()>;

    /// Deletes software. Its number is given to nothing else.
    async fn delete_software(&self, id: SoftwareId) -> Result<()>;
}
