//! Looks at SSH keys.

use std::collections::BTreeSet;

use super::{SshKey, SshKeyId};
use crate::error::{Error, Result, Thing};
use crate::number::Numbered;
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

/// One key of the caller's pools, by its whole number.
pub async fn numbered(store: &dyn Store, caller: &Caller, number: i64) -> Result<SshKey> {
    caller.may(Permission::KeysRead)?;
    let id = store.reads().numbered(Numbered::SshKey, number).await?;
    let id = id.ok_or(Error::NotFound(Thing::SshKey))?;
    show(store, caller, SshKeyId::from_uuid(id)).await
}

/// The keys of the caller's pools, newest first, whose name contains the text searched for, each with its
/// whole number: up to `limit` of them after the first `skip`.
pub async fn part(
    store: &dyn Store,
    caller: &Caller,
    search: Option<&str>,
    (skip, limit): (usize, usize),
) -> Result<Vec<(SshKey, i64)>> {
    let all = list(store, caller, None, Page { after: None, limit: None }).await?;
    let search = search.map(str::to_lowercase);
    let found = all.rows.into_iter().filter(|key| {
        search.as_ref().is_none_or(|search| key.name.to_lowercase().contains(search))
    });
    let keys: Vec<SshKey> = found.skip(skip).take(limit).collect();
    let ids: Vec<_> = keys.iter().map(|key| key.id.uuid()).collect();
    let numbers = store.reads().numbers(Numbered::SshKey, &ids).await?;
    let numbered = |key: SshKey| {
        let number = numbers.get(&key.id.uuid()).copied()?;
        Some((key, number))
    };
    Ok(keys.into_iter().filter_map(numbered).collect())
}
