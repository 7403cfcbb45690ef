use async_trait::async_trait;

use super::{Install, InstallId};
use crate::error::Result;
use crate::instance::InstanceId;
use crate::software::Scripts;
use crate::user::Viewer;

/// What names one install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallKey {
    /// Its instance and its id.
    Id(InstanceId, InstallId),
    /// Its whole number.
    Number(i64),
}

/// Looks at installs.
#[async_trait]
pub trait InstallQueries {
    /// An install on an instance of a pool that the user is an accepted member of.
    async fn install_visible_to(&self, viewer: Viewer, key: InstallKey) -> Result<Option<Install>>;

    /// The installs on these instances of pools that the user is an accepted member of, the oldest first.
    async fn installs_visible_to(
        &self,
        viewer: Viewer,
        instances: &[InstanceId],
    ) -> Result<Vec<Install>>;

    /// The scripts of an install.
    async fn install_scripts(&self, id: InstallId) -> Result<Option<Scripts>>;

    /// Of the installs on an instance with something to be done the one whose turn it is: whose script is under
    /// way, else who has waited longest.
    async fn next_install_of(&self, id: InstanceId) -> Result<Option<Install>>;

    /// How many installs are on an instance, and whether one of them is of the same software as this one.
    async fn installs_beside(&self, install: &Install) -> Result<(u64, bool)>;

    /// Instances that run and have installs with something to be done, and no job that will do it.
    async fn misaligned_installs(&self, limit: u32) -> Result<Vec<InstanceId>>;
}

/// Changes installs.
#[async_trait]
pub trait Installs {
    /// Adds an install, whose instance is locked.
    async fn add_install(&self, install: &Install, scripts: &Scripts) -> Result<()>;

    /// The install, locked until the transaction ends.
    async fn install_for_update(&self, id: InstallId) -> Result<Option<Install>>;

    /// Stores what changes of a locked install: its phase, who wanted that, and its runs.
    async fn save_install(&self, install: &Install) -> Result<()>;

    /// Deletes a locked install. Its number is given to nothing else.
    async fn delete_install(&self, id: InstallId) -> Result<()>;

    /// Deletes all installs on an instance, which is locked and gone.
    async fn delete_installs_of(&self, id: InstanceId) -> Result<()>;

    /// Puts what is on one instance onto another, which has its disk now.
    async fn move_installs(&self, from: InstanceId, to: InstanceId) -> Result<()>;
}
