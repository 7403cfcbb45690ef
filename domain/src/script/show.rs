//! Looks at scripts.

use super::{Script, ScriptId, ScriptSummary};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::pool::{PoolId, role_in};
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
        role_in(reads.membership_of(pool_id, caller.user_id).await?.as_ref())?;
    }
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = reads.scripts_visible_to(caller.user_id, pool_id, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |script| script.id))
}

/// One script of the caller's pools.
pub async fn show(store: &dyn Store, caller: &Caller, id: ScriptId) -> Result<Script> {
    caller.may(Permission::ScriptsRead)?;
    let found = store.reads().script_visible_to(caller.user_id, id).await?;
    found.ok_or(Error::NotFound(Thing::Script))
}
