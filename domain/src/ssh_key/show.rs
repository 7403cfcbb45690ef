//! Looks at SSH keys.

use std::collections::BTreeSet;

use super::{SshKey, SshKeyId};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::pool::PoolId;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// The keys of the caller's pools, newest first; of one pool, if one is given.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    pool_id: Option<PoolId>,
    page: Page<SshKeyId>,
) -> Result<Paged<SshKey, SshKeyId>> {
    caller.may(Permission::KeysRead)?;
    let reads = store.reads();
    if let Some(pool_id) = pool_id {
        let seen = reads.owner_of(caller.viewer(), Some(pool_id)).await?;
        seen.ok_or(Error::NotFound(Thing::Pool))?;
    }
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.ssh_keys_visible_to(caller.viewer(), pool_id, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |key| key.id))
}

/// One key of the caller's pools.
pub async fn show(store: &dyn Store, caller: &Caller, id: SshKeyId) -> Result<SshKey> {
    caller.may(Permission::KeysRead)?;
    let found = store.reads().ssh_keys_among(caller.viewer(), &BTreeSet::from([id])).await?;
    found.into_iter().next().ok_or(Error::NotFound(Thing::SshKey))
}
