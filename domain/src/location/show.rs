//! Looks at locations.

use super::{Location, LocationCode};
use crate::error::Result;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::{Caller, may_if_known};

/// Locations by code. Anybody may look; only credentials that came along are checked.
pub async fn list(
    store: &dyn Store,
    caller: Option<&Caller>,
    page: Page<LocationCode>,
) -> Result<Paged<Location, LocationCode>> {
    may_if_known(caller, Permission::MarketplaceRead)?;
    let limit = page.limit;
    let fetch = Page { limit: page.limit_and_one(), after: page.after };
    let rows = store.reads().locations(&fetch).await?;
    Ok(Paged::cut(rows, limit, None, |location| location.code.clone()))
}
