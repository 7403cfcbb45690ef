//! Looks at outages.

use super::{Outage, OutageId};
use crate::error::Result;
use crate::host::HostId;
use crate::page::{Page, Paged};
use crate::store::Store;
use crate::token::Permission;
use crate::user::Operator;

/// Outages, newest first, for operators; of one host, if one is given.
pub async fn list(
    store: &dyn Store,
    operator: &Operator,
    host_id: Option<HostId>,
    page: Page<OutageId>,
) -> Result<Paged<Outage, OutageId>> {
    operator.may(Permission::AdminRead)?;
    let fetch = Page { after: page.after, limit: page.limit_and_one() };
    let rows = store.reads().outages(host_id, &fetch).await?;
    Ok(Paged::cut(rows, page.limit, None, |outage| outage.id))
}
