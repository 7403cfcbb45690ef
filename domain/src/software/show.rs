//! Looks at software.

use super::{Scripts, Software, SoftwareId, SoftwareKey, SoftwareScope};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::pool::PoolId;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// The software of the caller's pools and the operator's, newest first; that of one pool alone, if one is
/// named.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    pool_id: Option<PoolId>,
    page: Page<SoftwareId>,
) -> Result<Paged<Software, SoftwareId>> {
    caller.may(Permission::TemplatesRead)?;
    if pool_id.is_none() {
        return paged(store, SoftwareScope::Seen(caller.viewer()), page).await;
    }
    let seen = store.reads().owner_of(caller.viewer(), pool_id).await?;
    seen.ok_or(Error::NotFound(Thing::Pool))?;
    paged(store, SoftwareScope::Own(caller.viewer(), pool_id), page).await
}

/// The operator's software, newest first, for everybody, signed in or not.
pub async fn global(
    store: &dyn Store,
    page: Page<SoftwareId>,
) -> Result<Paged<Software, SoftwareId>> {
    paged(store, SoftwareScope::Global, page).await
}

/// One software of the caller's pools, or of the operator's, with its scripts.
pub async fn show(
    store: &dyn Store,
    caller: &Caller,
    id: SoftwareId,
) -> Result<(Software, Scripts)> {
    one(store, caller, SoftwareKey::Id(id)).await
}

/// The same by its whole number.
pub async fn numbered(
    store: &dyn Store,
    caller: &Caller,
    number: i64,
) -> Result<(Software, Scripts)> {
    one(store, caller, SoftwareKey::Number(number)).await
}

async fn one(store: &dyn Store, caller: &Caller, key: SoftwareKey) -> Result<(Software, Scripts)> {
    caller.may(Permission::TemplatesRead)?;
    let found = store.reads().software(SoftwareScope::Seen(caller.viewer()), key).await?;
    found.ok_or(Error::NotFound(Thing::Software))
}

async fn paged(
    store: &dyn Store,
    scope: SoftwareScope,
    page: Page<SoftwareId>,
) -> Result<Paged<Software, SoftwareId>> {
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().softwares(scope, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |software| software.id))
}
