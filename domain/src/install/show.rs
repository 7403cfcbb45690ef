//! Shows what is installed.

use super::{Install, InstallKey};
use crate::error::{Error, Result, Thing};
use crate::instance::InstanceId;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// What is on one instance of the caller's pools, the oldest first.
pub async fn list(store: &dyn Store, caller: &Caller, id: InstanceId) -> Result<Vec<Install>> {
    caller.may(Permission::InstancesRead)?;
    let seen = store.reads().instance_visible_to(caller.viewer(), id).await?;
    seen.ok_or(Error::NotFound(Thing::Instance))?;
    store.reads().installs_visible_to(caller.viewer(), &[id]).await
}

/// The most instances whose installs are shown at once: each may have 32, with 64 KiB of values.
pub const MOST_INSTANCES: usize = 100;

/// What is on several of them, at most [`MOST_INSTANCES`], by one statement.
pub async fn of_instances(
    store: &dyn Store,
    caller: &Caller,
    ids: &[InstanceId],
) -> Result<Vec<Install>> {
    caller.may(Permission::InstancesRead)?;
    if ids.len() > MOST_INSTANCES {
        return Err(Error::invalid("/instances", format!("must be at most {MOST_INSTANCES}")));
    }
    store.reads().installs_visible_to(caller.viewer(), ids).await
}

/// One install on an instance of the caller's pools.
pub async fn show(store: &dyn Store, caller: &Caller, key: InstallKey) -> Result<Install> {
    caller.may(Permission::InstancesRead)?;
    let found = store.reads().install_visible_to(caller.viewer(), key).await?;
    found.ok_or(Error::NotFound(Thing::Install))
}
