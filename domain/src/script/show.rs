//! Looks at scripts.

use super::{Script, ScriptId, ScriptSummary};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::pool::PoolId;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// The scripts of the caller's pools, newest first; of one pool, if one is given.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    pool_id: Option<PoolId>,
    page: Page<ScriptId>,
) -> Result<Paged<ScriptSummary, ScriptId>> {
    caller.may(Permission::ScriptsRead)?;
    let reads = store.reads();
    if let Some(pool_id) = pool_id {
        let seen = reads.owner_of(caller.viewer(), Some(pool_id)).await?;
        seen.ok_or(Error::NotFound(Thing::Pool))?;
    }
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.scripts_visible_to(caller.viewer(), pool_id, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |script| script.id))
}

/// One script of the caller's pools.
pub async fn show(store: &dyn Store, caller: &Caller, id: ScriptId) -> Result<Script> {
    caller.may(Permission::ScriptsRead)?;
    let found = store.reads().script_visible_to(caller.viewer(), id).await?;
    found.ok_or(Error::NotFound(Thing::Script))
}

/// A part of a pool's scripts with their contents, newest first: how many to leave out, and how many to
/// answer. With it goes how many there are.
pub async fn part(
    store: &dyn Store,
    caller: &Caller,
    pool_id: PoolId,
    (skip, limit): (u32, u32),
) -> Result<(Vec<Script>, u64)> {
    // A pool has at most a thousand, so that a list of them without contents is short.
    let all = list(store, caller, Some(pool_id), Page { after: None, limit: None }).await?.rows;
    let size = |number| usize::try_from(number).unwrap_or(usize::MAX);
    let ids = all.iter().map(|script| script.id).skip(size(skip)).take(size(limit));
    let ids: Vec<ScriptId> = ids.collect();
    let mut scripts = store.reads().scripts_of_pool(pool_id, &ids).await?;
    scripts.sort_by_key(|script| std::cmp::Reverse(script.id));
    Ok((scripts, u64::try_from(all.len()).unwrap_or(u64::MAX)))
}
