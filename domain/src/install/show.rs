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

/// What is on several of them, by one statement.
pub async fn of_instances(
    store: &dyn Store,
    caller: &Caller,
    ids: &[InstanceId],
) -> Result<Vec<Install>> {
    caller.may(Permission::InstancesRead)?;
    store.reads().installs_visible_to(caller.viewer(), ids).await
}

/// One install on an instance of the caller's pools.
pub async fn show(store: &dyn Store, caller: &Caller, key: InstallKey) -> Result<Install> {
    caller.may(Permission::InstancesRead)?;
    let found = store.reads().install_visible_to(caller.viewer(), key).await?;
    found.ok_or(Error::NotFound(Thing::Install))
}
