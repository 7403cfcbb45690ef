//! Looks at templates.

use super::{Template, TemplateFilter, TemplateId, TemplateKey, TemplateScope, TemplateSummary};
use crate::error::{Error, Result, Thing};
use crate::page::{Page, Paged};
use crate::pool::PoolId;
use crate::store::Store;
use crate::token::Permission;
use crate::user::Caller;

/// The templates of the caller's pools, newest first; of one pool, if one is given, and those whose name or
/// image contains the text searched for.
pub async fn list(
    store: &dyn Store,
    caller: &Caller,
    (pool_id, search): (Option<PoolId>, Option<String>),
    page: Page<TemplateId>,
) -> Result<Paged<TemplateSummary, TemplateId>> {
    let filter = own(store, caller, pool_id, search).await?;
    paged(store, &filter, page).await
}

/// A part of the same templates in whole: how many to leave out, and how many to answer. With it goes how
/// many there are.
pub async fn part(
    store: &dyn Store,
    caller: &Caller,
    (pool_id, search): (Option<PoolId>, Option<String>),
    part: (u32, u32),
) -> Result<(Vec<Template>, u64)> {
    let filter = own(store, caller, pool_id, search).await?;
    counted(store, &filter, part).await
}

/// The operator's templates, newest first, for everybody who is signed in.
pub async fn global(
    store: &dyn Store,
    caller: &Caller,
    search: Option<String>,
    page: Page<TemplateId>,
) -> Result<Paged<TemplateSummary, TemplateId>> {
    caller.may(Permission::MarketplaceRead)?;
    paged(store, &TemplateFilter { scope: TemplateScope::Global, search }, page).await
}

/// A part of the same templates in whole, and how many there are.
pub async fn global_part(
    store: &dyn Store,
    caller: &Caller,
    search: Option<String>,
    part: (u32, u32),
) -> Result<(Vec<Template>, u64)> {
    caller.may(Permission::MarketplaceRead)?;
    counted(store, &TemplateFilter { scope: TemplateScope::Global, search }, part).await
}

/// One template of the caller's pools, or of the operator's.
pub async fn show(store: &dyn Store, caller: &Caller, id: TemplateId) -> Result<Template> {
    one(store, caller, TemplateKey::Id(id)).await
}

/// The same by its whole number.
pub async fn numbered(store: &dyn Store, caller: &Caller, number: i64) -> Result<Template> {
    one(store, caller, TemplateKey::Number(number)).await
}

async fn one(store: &dyn Store, caller: &Caller, key: TemplateKey) -> Result<Template> {
    caller.may(Permission::TemplatesRead)?;
    let found = store.reads().template(TemplateScope::Seen(caller.viewer()), key).await?;
    found.ok_or(Error::NotFound(Thing::Template))
}

/// The filter of the caller's own templates, if they see the pool that is named.
async fn own(
    store: &dyn Store,
    caller: &Caller,
    pool_id: Option<PoolId>,
    search: Option<String>,
) -> Result<TemplateFilter> {
    caller.may(Permission::TemplatesRead)?;
    if let Some(pool_id) = pool_id {
        let seen = store.reads().owner_of(caller.viewer(), Some(pool_id)).await?;
        seen.ok_or(Error::NotFound(Thing::Pool))?;
    }
    Ok(TemplateFilter { scope: TemplateScope::Own(caller.viewer(), pool_id), search })
}

async fn paged(
    store: &dyn Store,
    filter: &TemplateFilter,
    page: Page<TemplateId>,
) -> Result<Paged<TemplateSummary, TemplateId>> {
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().templates(filter, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |template| template.id))
}

async fn counted(
    store: &dyn Store,
    filter: &TemplateFilter,
    part: (u32, u32),
) -> Result<(Vec<Template>, u64)> {
    let reads = store.reads();
    let templates = reads.templates_part(filter, part).await?;
    Ok((templates, reads.template_count(filter).await?))
}
